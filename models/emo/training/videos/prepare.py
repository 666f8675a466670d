"""One video to a folder of parts: watched once to find the face, then once more to write the square pictures.

A part is three files: `NNNN.mp4`, the square pictures at 25 a second with their sound, to be looked at and to be learned
from; `NNNN.wav`, the same sound at 16 kHz, to the sample; `NNNN.npz`, what was measured (`Part`). `report.json` says what was
kept and why the rest was not. The folder appears when it is complete, and is left alone from then on, unless the video
changes.
"""

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.atomic import whole_file
from media.audio import Samples, read_audio, write_wav
from media.errors import InputError
from media.video import Picture, read_frames, write_video
from models.emo.training.videos import crops, cuts
from models.emo.training.videos.cuts import Demands, Stretch
from models.emo.training.videos.faces import Faces, Follower, read_sidecar, sidecar, watched_size
from models.emo.training.videos.films import FPS, SAMPLE_RATE, Film, Shown, open_film, pictures, sound
from models.faces import FaceFinder
from models.head import head_angles, head_speed
from models.speech.vad import speech_regions

Array = NDArray[np.float32]

_QUALITY = 10  # x264's crf: what is lost cannot be learned
REPORT = ("file", "part", "start", "end", "kept", "reason")


@dataclass(frozen=True, slots=True)
class Part:
    """What was measured of one part of F pictures; regions and points in fractions of the square picture."""

    start: float
    """Seconds into the video."""
    face: Array
    """(4,): left, top, right, bottom of where the face is over the whole part."""
    mouth: Array
    """(4,)."""
    points: Array
    """(F, 5, 2), as `faces.Face.points`."""
    angles: Array
    """(F, 3): yaw, pitch and roll in degrees, as `head.head_angles`."""
    speaking: NDArray[np.bool_]
    """(F,)."""
    opening: Array
    """(F,): the mouth, 0 (closed) .. 1."""
    speed: float
    """Mean head rotation while speaking, degrees a second."""

    def __len__(self) -> int:
        return len(self.points)


def prepare_video(
    path: Path,
    folder: Path,
    name: str,
    demands: Demands,
    finder: FaceFinder,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Write the parts and the report of one video; nothing, if they are there and the video is still the same.

    Args:
        folder: of this video alone.
        name: what the report calls the video.
        finder: not asked where a sidecar file (`faces.read_sidecar`) lies beside the video.
        progress: called with the share done.
    """
    source = _source(path)
    if _prepared(folder) == source:
        return
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    told = progress or (lambda _: None)
    try:
        watched = _watch(path, finder, lambda share: told(0.7 * share))
    except InputError as error:
        rows: list[dict[str, Any]] = [{"part": "", "start": "", "end": "", "kept": "no", "reason": str(error)}]
    else:
        rows = _write_parts(watched, aside, demands, lambda share: told(0.7 + 0.3 * share))
    report = {"source": source, "rows": [{"file": name, **row} for row in rows]}
    (aside / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(aside, folder)


def write_report(folders: Iterable[Path], path: Path) -> None:
    """Put the reports of all videos into one CSV file with the columns `REPORT`; times in seconds."""
    with whole_file(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, REPORT)
        writer.writeheader()
        for folder in folders:
            writer.writerows(json.loads((folder / "report.json").read_text(encoding="utf-8"))["rows"])


def parts_in(folders: Iterable[Path]) -> list[Path]:
    """The measurements of all parts, in order; pictures and sound lie beside them."""
    return [path for folder in folders for path in sorted(folder.glob("*.npz"))]


def read_part(path: Path) -> Part:
    with np.load(path) as saved:
        values: dict[str, Any] = {field.name: saved[field.name] for field in fields(Part)}
    return Part(**values | {name: float(values[name]) for name in ("start", "speed")})


def part_pictures(path: Path) -> Iterator[Picture]:
    """The square pictures of a part, one after the other."""
    return read_frames(path.with_suffix(".mp4"))


def part_sound(path: Path) -> Samples:
    """The sound of a part, 640 samples for each picture."""
    return read_audio(path.with_suffix(".wav"), SAMPLE_RATE)


def _source(path: Path) -> dict[str, int]:
    """What tells whether a video, or the faces beside it, are still the ones that were prepared."""
    found = {"video": path, "faces": sidecar(path)}
    stats = {name: file.stat() for name, file in found.items() if file.exists()}
    return {
        f"{name}_{what}": getattr(stat, f"st_{what}") for name, stat in stats.items() for what in ("size", "mtime_ns")
    }


def _prepared(folder: Path) -> dict[str, int] | None:
    try:
        return dict(json.loads((folder / "report.json").read_text(encoding="utf-8"))["source"])
    except (OSError, ValueError, KeyError):
        return None


@dataclass(frozen=True, slots=True)
class _Watched:
    """A film of F pictures after it was seen and heard once."""

    film: Film
    samples: Samples
    speech: list[tuple[float, float]]
    faces: Faces
    changes: NDArray[np.float64]
    stands: NDArray[np.bool_]


def _watch(path: Path, finder: FaceFinder, progress: Callable[[float], None]) -> _Watched:
    film = open_film(path)
    samples = sound(film)
    beside = sidecar(path)
    follower = None if beside.exists() else Follower(finder)
    changes = cuts.Changes()
    stands: list[bool] = []
    size = watched_size(film)
    for shown in pictures(film, size):
        changed = changes.see(shown.picture) > cuts.CHANGED
        if follower:
            follower.see(shown.picture, changed)
        stands.append(shown.stands)
        if film.seconds and len(stands) % FPS == 0:
            progress(min(1.0, len(stands) / FPS / film.seconds))
    faces = follower.faces(film.width / size[0]) if follower else read_sidecar(beside, film, len(stands))
    return _Watched(film, samples, speech_regions(samples), faces, changes.values, np.array(stands, bool))


def _write_parts(
    watched: _Watched, folder: Path, demands: Demands, progress: Callable[[float], None]
) -> list[dict[str, Any]]:
    """Cut, crop and write; returns the rows of the report."""
    film, faces = watched.film, watched.faces
    starts = cuts.scene_starts(watched.changes, faces)
    shown = enumerate(pictures(film))
    rows: list[dict[str, Any]] = []
    count = 0
    for stretch in cuts.stretches(film, faces, watched.stands, starts, watched.speech, demands):
        reason, number = stretch.reason, ""
        if reason is None:
            boxes, _ = cuts.filled(faces, stretch.start, stretch.end)
            square = crops.square_around(boxes, film.width, film.height, demands.margin)
            if square is None:
                reason = "the face moves too far for one square"
            else:
                number = f"{count:04d}"
                _write_part(watched, stretch, square, shown, folder / number, demands.size)
                count += 1
        rows.append(
            {
                "part": number,
                "start": round(stretch.start / FPS, 2),
                "end": round(stretch.end / FPS, 2),
                "kept": "no" if reason else "yes",
                "reason": reason or "",
            }
        )
        progress(stretch.end / max(1, len(faces)))
    return rows


def _write_part(
    watched: _Watched,
    stretch: Stretch,
    square: tuple[int, int, int],
    shown: Iterator[tuple[int, Shown]],
    stem: Path,
    size: int,
) -> None:
    """Write the three files of a part. `shown` goes on with the first picture of the film that no part has used."""
    boxes, points = cuts.filled(watched.faces, stretch.start, stretch.end)
    points = crops.within(points, square)
    centres, halves = crops.mouth_axes(points)
    patches: list[Array] = []

    def square_pictures() -> Iterator[Picture]:
        for index, each in shown:
            if index >= stretch.start:
                picture = crops.cropped(each.picture, square, size)
                at = index - stretch.start
                patches.append(crops.mouth_patch(picture, centres[at], halves[at]))
                yield picture
            if index + 1 >= stretch.end:
                return

    wav = stem.with_suffix(".wav")
    write_wav(wav, _cut_sound(watched.samples, stretch), SAMPLE_RATE)
    write_video(square_pictures(), stem.with_suffix(".mp4"), FPS, _QUALITY, preset="veryfast", sound=wav)
    angles = head_angles(points)
    speaks = cuts.speaking(watched.speech, stretch.start, stretch.end)
    part = Part(
        start=stretch.start / FPS,
        face=np.array(crops.face_region(crops.within(boxes, square)), np.float32),
        mouth=np.array(crops.mouth_region(points), np.float32),
        points=points,
        angles=angles,
        speaking=speaks,
        opening=crops.mouth_opening(np.stack(patches)),
        speed=float(head_speed(angles)[speaks if speaks.any() else slice(None)].mean()),
    )
    np.savez_compressed(stem.with_suffix(".npz"), **{field.name: getattr(part, field.name) for field in fields(part)})


def _cut_sound(samples: Samples, stretch: Stretch) -> Samples:
    """The sound of a stretch, 640 samples a picture; what is missing at its end is silence."""
    each = SAMPLE_RATE // FPS
    cut = samples[stretch.start * each : stretch.end * each]
    return np.pad(cut, (0, (stretch.end - stretch.start) * each - len(cut)))
