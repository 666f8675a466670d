"""Does the mouth say what the sound says: correlation, lag, closures and shapes, from what was read from pictures."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.emo.evaluation.head import Array
from models.emo.evaluation.reading import UNCLEAR, VISEMES

CLOSED = 0.09
"""Lips that are read as less open than this are closed: drawn lips still meet there in a dark line."""


STILL = 0.01
"""A curve that spreads less than this is noise of the instrument: nothing moves."""


def correlation(a: Array, b: Array) -> float:
    """Pearson's r over the shorter length; 0 where one of them does not move."""
    length = min(len(a), len(b))
    a, b = a[:length], b[:length]
    if length < 2 or a.std() < STILL or b.std() < STILL:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def against_others(found: Sequence[Array], truths: Sequence[Array]) -> float | None:
    """Mean correlation of every clip with the truths of all other clips; None for one clip alone."""
    pairs = [correlation(f, t) for i, f in enumerate(found) for k, t in enumerate(truths) if i != k]
    return float(np.mean(pairs)) if pairs else None


def offset(found: Sequence[Array], truths: Sequence[Array], reach: int = 8) -> int | None:
    """Frames by which mouths come late (positive) or early, by the best mean correlation; None if no mouth moves."""
    shifts = range(-reach, reach + 1)
    scores = []
    for shift in shifts:
        pairs = [
            correlation(f[reach + shift : len(t) - reach + shift], t[reach : len(t) - reach])
            for f, t in zip(found, truths, strict=True)
        ]
        scores.append(float(np.mean(pairs)))
    return list(shifts)[int(np.argmax(scores))] if max(scores) > 0 else None


def speaking(truth: Array) -> slice:
    """From the first to the last frame at which a drawn mouth (F,) is open."""
    apart = np.flatnonzero(truth > 0.05)
    return slice(int(apart[0]), int(apart[-1]) + 1) if len(apart) else slice(0, 0)


def closures(poses: Array) -> list[int]:
    """Frames (the middle of each) at which p, b or m closes lips that are clearly open within four frames."""
    pressed = np.flatnonzero(poses[:, 5] > 0.999)
    runs = np.split(pressed, np.flatnonzero(np.diff(pressed) > 1) + 1) if len(pressed) else []
    apart = poses[:, 0] * (1 - poses[:, 5])
    middles = [int(run[len(run) // 2]) for run in runs]
    return [at for at in middles if apart[max(0, at - 4) : at + 5].max() > 0.25]


def closed_share(openings: Array, moments: Sequence[int]) -> tuple[int, int]:
    """At how many of the moments the lips close, and how many there are.

    They close if they are read as closed within one frame and as clearly further open within five: a mouth that never
    opens closes nothing.
    """
    hits = 0
    for at in moments:
        least = openings[max(0, at - 1) : at + 2].min(initial=np.inf)
        most = openings[max(0, at - 5) : at + 6].max(initial=-np.inf)
        hits += bool(least <= CLOSED and most - least >= 0.1)
    return hits, len(moments)


def viseme_accuracy(found: NDArray[np.int64], drawn: NDArray[np.int64]) -> float | None:
    """Share of mouth shapes that are recognised, the mean over `VISEMES`; a still mouth reaches 1 in 5.

    Args:
        found: (F,) as read.
        drawn: (F,) as drawn; unclear ones do not count.
    """
    shares = [float(np.mean(found[drawn == k] == k)) for k in range(len(VISEMES)) if np.any(drawn == k)]
    return float(np.mean(shares)) if np.any(drawn != UNCLEAR) else None
