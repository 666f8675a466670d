"""When each caption is shown: in step with the speech, long enough to be read, never two at once.

Where speech is too fast or turns are too short, four means are weighed against each other, in this order of preference:
a cue stays on into the following pause; the next one comes a little late; two short turns share a cue; a cue comes a
little early. The least unpleasant way is found exactly, by dynamic programming over the cues and their starts.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.caption_profiles import DEFAULT_FPS, GAP_FRAMES, LONGEST_MS, SHORTEST_MS

LINGER = 250
"""Milliseconds a turn's last cue stays after the turn, where nothing else comes."""
CHAINED = 500
"""Milliseconds between two cues below which the first stays until the second: a flicker disturbs more."""
MAX_TOGETHER = 4
"""Turns, or parts of turns, in one cue at most."""
_FLOOR = 80
"""Milliseconds that a cue has even where more is said at once than can be shown."""
_SHIFTS = np.arange(-480, 1001, 40)
"""Milliseconds by which a cue may come before or after its words."""


@dataclass(frozen=True, slots=True)
class Heard:
    """When the words of a part of a turn are heard, in milliseconds; `needs` is how long it takes to read them."""

    start: int
    end: int
    needs: int


@dataclass(frozen=True, slots=True)
class Together:
    """Consecutive parts shown in one cue: how long it takes to read it, and how much worse that is than apart."""

    needs: int
    cost: float


@dataclass(frozen=True, slots=True)
class Timed:
    """Parts `first` up to `stop` are one cue, which starts at `start` milliseconds."""

    first: int
    stop: int
    start: int


def gap_ms(fps: float) -> int:
    """Milliseconds between two cues: two frames, and never less than at 25 frames a second, which checkers assume."""
    return math.ceil(1000 * GAP_FRAMES / min(fps, DEFAULT_FPS) - 1e-9)


def schedule(
    parts: Sequence[Heard], together: Callable[[int, int], Together | None], gap: int, until: int | None
) -> list[Timed]:
    """The cues of `parts`, in their order: which parts share one, and when each begins.

    Args:
        together: what parts `first` up to `stop`, two at least, would be as one cue; None where they cannot be one.
        gap: milliseconds between two cues at least.
        until: the end of the video, in milliseconds. Where it can be helped the last cue can be read by then.
    """
    if not parts:
        return []
    count = len(parts)
    # Where more is said at once than can be shown, everything moves back.
    base = list(accumulate((part.start for part in parts), lambda before, start: max(start, before + gap + _FLOOR)))
    following = [*base[1:], math.inf]
    tight = [room - gap - place < part.needs for part, place, room in zip(parts, base, following, strict=True)]
    tight[-1:] = [until is not None and until - base[-1] < parts[-1].needs]
    moving = _moving_cost(_SHIFTS / 1000)
    future: list[Any] = [None] * count + [0.0]
    choice: list[Any] = [None] * count
    for first in range(count - 1, -1, -1):
        starts = base[first] + _SHIFTS
        costs, nexts, stops = [], [], []
        for stop in range(first + 1, min(first + MAX_TOGETHER, count) + 1):
            if stop == first + 1:
                cue: Together | None = Together(parts[first].needs, 0.0)
            elif not any(tight[first:stop]) or parts[stop - 1].start - parts[first].start > LONGEST_MS:
                cue = None
            else:
                cue = together(first, stop)
            if cue is None:
                continue
            if stop < count:
                room: NDArray[Any] = (base[stop] + _SHIFTS)[None, :] - gap - starts[:, None]
            else:
                room = np.maximum(_FLOOR, (math.inf if until is None else until) - starts.astype(float))[:, None]
            cost = _reading_cost(room, cue.needs) + _cut_cost(room, parts[stop - 1].end - starts) + future[stop]
            nexts.append(cost.argmin(axis=1))
            costs.append(cost.min(axis=1) + cue.cost)
            stops.append(stop)
        best = np.argmin(costs, axis=0)
        future[first] = np.where(starts < 0, math.inf, np.min(costs, axis=0) + moving)
        choice[first] = (best, nexts, stops)
    timed = []
    first, shift = 0, int(np.argmin(future[0])) if count else 0
    while first < count:
        best, nexts, stops = choice[first]
        taken = best[shift]
        timed.append(Timed(first, stops[taken], base[first] + int(_SHIFTS[shift])))
        first, shift = stops[taken], int(nexts[taken][shift])
    return timed


def ends_of(
    starts: Sequence[int],
    spoken: Sequence[int],
    needs: Sequence[int],
    wishes: Sequence[int],
    gap: int,
    until: int | None,
) -> list[int]:
    """When each cue ends: with its words (`spoken`), not before it can be read, and before the next one begins.

    `needs` and `wishes` are how long it must and would like to be shown. All in milliseconds.
    """
    ends = []
    for k, start in enumerate(starts):
        free = starts[k + 1] - gap if k + 1 < len(starts) else None
        end = max(spoken[k], start + wishes[k])
        if free is not None and free + gap - end <= CHAINED:
            end = free
        if until is not None:
            end = min(end, until)
        end = max(end, start + needs[k])
        end = min(end, start + LONGEST_MS)
        ends.append(end if free is None else min(end, free))
    return ends


# What is unpleasant, and how much. One unit is about what 0.1 s of delay costs; only the proportions matter.


def _moving_cost(seconds: NDArray[Any]) -> NDArray[Any]:
    late, early = np.maximum(seconds, 0), np.maximum(-seconds, 0)
    return 6 * late + 12 * late**2 + 12 * early + 40 * early**2


def _reading_cost(room: NDArray[Any], needs: int) -> NDArray[Any]:
    shown = np.clip(room, 1, LONGEST_MS)
    fast = np.maximum(needs / shown - 1, 0)
    short = np.maximum(1 - shown / SHORTEST_MS, 0)
    cost = 40 * fast + 40 * fast**2 + 3 * (fast > 0) + 100 * short + 30 * (short > 0)
    return np.where(room < _FLOOR, math.inf, cost)


def _cut_cost(room: NDArray[Any], speaking: NDArray[Any]) -> NDArray[Any]:
    """Of a cue that goes while its words are still being spoken."""
    return 3 * np.maximum(np.minimum(speaking, LONGEST_MS)[:, None] - room, 0) / 1000
