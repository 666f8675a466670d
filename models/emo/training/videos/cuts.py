"""Which stretches of a video are kept: one steady face, near enough, turned to the camera, that speaks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_closing

from media.video import Picture
from models.emo.training.videos.faces import Faces
from models.emo.training.videos.films import FPS, Film
from models.head import head_angles

CHANGED = 0.12
"""Difference of colours, 0..1, from which two pictures may belong to different scenes; faces are looked for anew."""

_CUT = 0.3  # difference of colours from which they do, where it also stands out
_STANDS_OUT = 3.0  # times the usual difference around it
_JUMP = 0.2  # how far a face may go from one picture to the next, in its height
_AROUND = 12  # pictures
_BLINK = 3  # pictures for which a face may be lost
_PAUSE = 0.8  # seconds without speech that are kept within a part
_LEAD = 0.3  # seconds that are kept before and after speech


@dataclass(frozen=True, slots=True)
class Demands:
    """What a part must be like.

    Args:
        size: side of the square pictures, pixels.
        shortest, longest: seconds.
        margin: side of the square, in heights of the face's box (forehead to chin).
        enlarged: the most that pictures may be enlarged to reach `size`.
        turned: degrees that the head may be turned to the side, in yaw.
    """

    size: int = 512
    shortest: float = 2.0
    longest: float = 10.0
    margin: float = 2.0
    enlarged: float = 2.0
    turned: float = 40.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Pictures start .. end of a film, at 25 a second; kept unless there is a reason not to."""

    start: int
    end: int
    reason: str | None = None

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / FPS


class Changes:
    """How much each picture differs from the one before it: half the L1 distance of their histograms of 512 colours."""

    def __init__(self) -> None:
        self._before: NDArray[np.float64] | None = None
        self._seen: list[float] = []

    def see(self, picture: Picture) -> float:
        """0 (the same colours) to 1 (none in common), for every picture of a film in order; 0 for the first."""
        small = np.asarray(Image.fromarray(picture).resize((64, 36), Image.Resampling.BOX), np.int64) // 32
        counts = np.bincount((small @ np.array([64, 8, 1])).ravel(), minlength=512) / (64 * 36)
        self._seen.append(0.0 if self._before is None else float(abs(counts - self._before).sum() / 2))
        self._before = counts
        return self._seen[-1]

    @property
    def values(self) -> NDArray[np.float64]:
        return np.array(self._seen)


def scene_starts(changes: NDArray[np.float64], faces: Faces) -> NDArray[np.int64]:
    """First pictures of all scenes but the first.

    A cut changes many colours at once, and more than anything around it; or, where somebody cut within one setting, the
    face jumps. Slow cross-fades are not recognised; the face is lost in most of them.
    """
    usual = np.array([np.median(changes[max(0, i - _AROUND) : i + _AROUND + 1]) for i in range(len(changes))])
    cut = (changes > _CUT) & (changes > _STANDS_OUT * usual)
    centre = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    tall = faces.boxes[:, 3] - faces.boxes[:, 1]
    far = np.linalg.norm(np.diff(centre, axis=0), axis=1)
    cut[1:] |= np.nan_to_num(far / np.fmax(tall[1:], 1e-6), nan=0.0) > _JUMP
    return np.flatnonzero(cut)


def stretches(
    film: Film,
    faces: Faces,
    stands: NDArray[np.bool_],
    starts: Sequence[int] | NDArray[np.int64],
    speech: Sequence[tuple[float, float]],
    demands: Demands,
) -> list[Stretch]:
    """All of a film in stretches, in order, each kept or with the reason why not.

    Args:
        stands: (F,), where the picture stands still.
        starts: of all scenes but the first.
        speech: start and end in seconds.
    """
    found: list[Stretch] = []
    edges = [0, *[int(start) for start in starts if 0 < start < len(faces)], len(faces)]
    for start, end in pairwise(edges):
        for run in _runs(_reasons(film, faces, stands, start, end, demands), start):
            found.extend([run] if run.reason else _parts(run, speech, demands))
    return [stretch for stretch in _joined(found) if stretch.end > stretch.start]


def speaking(speech: Sequence[tuple[float, float]], start: int, end: int) -> NDArray[np.bool_]:
    """(end - start,): in which of these pictures somebody speaks."""
    at = (np.arange(start, end) + 0.5) / FPS
    return np.array([any(a <= t < b for a, b in speech) for t in at], bool)


def filled(faces: Faces, start: int, end: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Boxes (n, 4) and points (n, 5, 2) of a stretch, with the few that are missing put between their neighbours."""
    boxes, points = faces.boxes[start:end].copy(), faces.points[start:end].copy()
    known = np.flatnonzero(np.isfinite(boxes[:, 0]))
    rows = np.arange(end - start)
    for values in (boxes.reshape(end - start, -1), points.reshape(end - start, -1)):
        for column in range(values.shape[1]):
            values[:, column] = np.interp(rows, known, values[known, column])
    return boxes, points


def _reasons(
    film: Film, faces: Faces, stands: NDArray[np.bool_], start: int, end: int, demands: Demands
) -> list[str | None]:
    """Why each picture of a scene cannot be used; None where it can."""
    counts = faces.counts[start:end]
    there = binary_closing(np.pad(counts > 0, _BLINK), np.ones(_BLINK + 1))[_BLINK:-_BLINK] | (counts > 0)
    if not there.any():
        return ["no face"] * (end - start)
    boxes, points = filled(faces, start, end)
    tall = boxes[:, 3] - boxes[:, 1]
    slack = 0.02 * tall
    outside = (boxes[:, :2] < -slack[:, None]).any(1)
    outside |= (boxes[:, 2:] > np.array([film.width, film.height]) + slack[:, None]).any(1)
    turned = np.zeros(end - start, bool)
    for run in _runs([None if here else "" for here in there], 0):
        if run.reason is None:
            inside = slice(run.start, run.end)
            turned[inside] = abs(head_angles(points[inside])[:, 0]) > demands.turned
    tests = (
        (~there, "no face"),
        (stands[start:end], "the picture stands still"),
        (counts > 1, "several faces"),
        (tall * demands.margin * demands.enlarged < demands.size, "the face is too small"),
        (outside, "the face leaves the picture"),
        (turned, "the head is turned away"),
    )
    return [next((reason for test, reason in tests if test[i]), None) for i in range(end - start)]


def _runs(reasons: Sequence[str | None], offset: int) -> Iterator[Stretch]:
    start = 0
    for i in range(1, len(reasons) + 1):
        if i == len(reasons) or reasons[i] != reasons[start]:
            yield Stretch(offset + start, offset + i, reasons[start])
            start = i


def _parts(run: Stretch, speech: Sequence[tuple[float, float]], demands: Demands) -> Iterator[Stretch]:
    """What is spoken in a usable run, in parts of equal lengths up to the longest."""
    reached = run.start
    for start, end in _spoken(run, speech):
        yield Stretch(reached, start, "nobody speaks")
        reached = end
        seconds = (end - start) / FPS
        if seconds < demands.shortest:
            yield Stretch(start, end, "too short")
            continue
        count = -(-(end - start) // int(demands.longest * FPS))
        edges = np.linspace(start, end, count + 1).round().astype(int).tolist()
        yield from (Stretch(a, b) for a, b in pairwise(edges))
    yield Stretch(reached, run.end, "nobody speaks")


def _spoken(run: Stretch, speech: Sequence[tuple[float, float]]) -> Iterator[tuple[int, int]]:
    """First and last pictures of stretches of speech in a run, with short pauses and a little silence around them."""
    start = end = -1
    for a, b in speech:
        first, last = max(run.start, int((a - _LEAD) * FPS)), min(run.end, int((b + _LEAD) * FPS) + 1)
        if last <= first:
            continue
        if start >= 0 and first - end > (_PAUSE - 2 * _LEAD) * FPS:
            yield start, end
            start = -1
        start, end = (first if start < 0 else start), max(last, end)
    if start >= 0:
        yield start, end


def _joined(found: Sequence[Stretch]) -> Iterator[Stretch]:
    """Neighbours that are left out for the same reason, as one."""
    pending: Stretch | None = None
    for stretch in found:
        if stretch.start == stretch.end:
            continue
        if pending and pending.reason and pending.reason == stretch.reason and pending.end == stretch.start:
            pending = Stretch(pending.start, stretch.end, pending.reason)
            continue
        if pending:
            yield pending
        pending = stretch
    if pending:
        yield pending
