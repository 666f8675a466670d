"""Follows the main face through every picture of a video, and reads and writes files of faces that others have found.

`models.faces` looks for faces twice a second and at every cut; in between, its last network alone follows the face, which is
several times faster.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.errors import InputError
from media.video import Picture
from models.emo.training.videos.films import FPS, Film
from models.faces import SECOND, Array, FaceFinder, overlap

LOOK_EVERY = 12
"""Pictures from one search for faces to the next."""
SURE = 0.6
"""Score from which a followed face is a face; real ones have 0.95 and more."""

_FOUND = 0.9  # score from which a second face is believed
_WATCHED = 540  # height or width, whichever is less, of the pictures that faces are looked for in
_APART = 0.5  # seconds between two entries of a sidecar file that are still joined


@dataclass(frozen=True, slots=True)
class Faces:
    """The main face over a whole film of F pictures; coordinates in pixels of the film."""

    boxes: Array
    """(F, 4), nan where there is none."""
    points: Array
    """(F, 5, 2), nan where there is none."""
    counts: NDArray[np.int64]
    """(F,) how many faces of comparable size there are; 0 where the main one is lost."""

    def __len__(self) -> int:
        return len(self.counts)


def watched_size(film: Film) -> tuple[int, int]:
    """Width and height at which faces are looked for: the film's, reduced to 540 pixels at its narrower side."""
    share = min(1.0, _WATCHED / min(film.width, film.height))
    return max(2, round(film.width * share)), max(2, round(film.height * share))


class Follower:
    """The main face from picture to picture; feed it every picture of a film, in order."""

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder
        self._box: Array | None = None
        self._since = LOOK_EVERY
        self._count = 0
        self._boxes: list[Array] = []
        self._points: list[Array] = []
        self._counts: list[int] = []
        self._looked: list[int] = []

    def see(self, picture: Picture, changed: bool) -> None:
        """`changed`: much has changed since the last picture, so faces are looked for anew."""
        if changed or self._since >= LOOK_EVERY:
            self._look(picture, changed)
        self._since += 1
        face = self._finder.follow(picture, self._box) if self._box is not None else None
        if face is None or face.score < SURE:
            self._box = None
            self._boxes.append(np.full(4, np.nan, np.float32))
            self._points.append(np.full((5, 2), np.nan, np.float32))
            self._counts.append(0)
            return
        # Steady, since the squares that are asked about come from it; it catches up within a few pictures.
        self._box = face.box if self._box is None else (0.6 * self._box + 0.4 * face.box).astype(np.float32)
        self._boxes.append(face.box)
        self._points.append(face.points)
        self._counts.append(self._count)

    def _look(self, picture: Picture, changed: bool) -> None:
        faces = self._finder.find(picture)
        self._since = 0
        self._looked.append(len(self._counts))
        if changed:
            self._box = None
        if faces:
            kept = self._box
            main = faces[0] if kept is None else max(faces, key=lambda face: overlap(face.box, kept))
            if kept is not None and overlap(main.box, kept) < 0.2:
                main = faces[0]
            if kept is None or overlap(main.box, kept) < 0.6:
                self._box = main.box
            tall = float(main.box[3] - main.box[1])
            others = [f for f in faces if f is not main and f.score >= _FOUND and f.box[3] - f.box[1] >= SECOND * tall]
            self._count = 1 + len(others)
        else:
            # The last network alone may still see a face that the first one misses.
            self._count = 1

    def faces(self, scale: float) -> Faces:
        """Everything seen, in pixels of the film; `scale` is their number in one pixel of the pictures seen."""
        counts = np.array(self._counts, np.int64)
        # A second face came or went at some moment between two searches: assume the longest time.
        for first, second in pairwise(self._looked):
            if second - first <= LOOK_EVERY and counts[second]:
                between = counts[first:second]
                counts[first:second] = np.where(between > 0, np.maximum(between, counts[second]), 0)
        boxes = np.array(self._boxes, np.float32).reshape(-1, 4) * scale
        return Faces(boxes, np.array(self._points, np.float32).reshape(-1, 5, 2) * scale, counts)


def sidecar(path: Path) -> Path:
    """Where faces that somebody else has found may lie: `talk.faces.json` beside `talk.mp4`."""
    return path.with_suffix(".faces.json")


def read_sidecar(path: Path, film: Film, count: int) -> Faces:
    """Faces from a file like `{"faces": [{"time": 0.04, "box": [l, t, r, b], "points": [[x, y], ... 5]}, ...]}`.

    Seconds from the first picture; fractions of the upright picture's width and height; box and points as in `Face`. Between
    two entries up to half a second apart a face moves steadily; several entries of one time are several faces.

    Args:
        count: pictures of the film at 25 a second.

    Raises:
        InputError: not such a file.
    """
    times, boxes, points = _entries(path)
    order = np.argsort(times, kind="stable")
    times, boxes, points = times[order], boxes[order], points[order]
    moments, first, many = np.unique(times, return_index=True, return_counts=True)
    at = (np.arange(count) + 0.5) / FPS
    here = np.searchsorted(moments, at, side="right") - 1
    earlier, later = here.clip(0, len(moments) - 1), (here + 1).clip(0, len(moments) - 1)
    gap = moments[later] - moments[earlier]
    share = np.divide(at - moments[earlier], gap, out=np.zeros(count), where=gap > 0).clip(0, 1)
    nearest = np.minimum(abs(at - moments[earlier]), abs(at - moments[later]))
    covered = ((here >= 0) & (gap <= _APART) & (gap > 0)) | (nearest <= 1.0 / FPS)
    size = np.array([film.width, film.height], np.float32)

    def between(values: NDArray[np.float64]) -> Array:
        a, b = values[first[earlier]], values[first[later]]
        weight = share.reshape(-1, *[1] * (values.ndim - 1))
        mixed = a + (b - a) * weight
        return np.where(covered.reshape(weight.shape), mixed, np.nan).astype(np.float32)

    counts = np.where(covered, np.maximum(many[earlier], many[later]), 0)
    return Faces(between(boxes) * np.tile(size, 2), between(points) * size, counts.astype(np.int64))


def _entries(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(N,) times, (N, 4) boxes, (N, 5, 2) points, as they stand in the file."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["faces"]
        times = np.array([entry["time"] for entry in entries], float)
        boxes = np.array([entry["box"] for entry in entries], float)
        points = np.array([entry["points"] for entry in entries], float)
        complete = times.ndim == 1 and boxes.shape == (len(times), 4) and points.shape == (len(times), 5, 2)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    except (ValueError, TypeError, KeyError):
        complete = False
    if not complete or not len(times) or not np.isfinite(np.concatenate([boxes.ravel(), points.ravel(), times])).all():
        raise InputError(
            f'{path}: write it as {{"faces": [{{"time": 0.0, "box": [left, top, right, bottom], '
            '"points": [[x, y], ... five of them]}, ...]}, with seconds and fractions of the picture.'
        )
    return times, boxes, points


def write_sidecar(path: Path, times: Iterable[float], boxes: Array, points: Array) -> None:
    """The file that `read_sidecar` reads; boxes (N, 4) and points (N, 5, 2) in fractions of the picture."""
    rows: Iterator[tuple[float, Array, Array]] = zip(times, boxes, points, strict=True)
    entries = [
        {"time": round(float(t), 4), "box": np.round(b, 5).tolist(), "points": np.round(p, 5).tolist()}
        for t, b, p in rows
    ]
    path.write_text(json.dumps({"faces": entries}), encoding="utf-8")
