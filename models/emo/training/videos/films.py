"""Videos as training wants them: upright pictures at 25 a second, and sound at 16 kHz that begins with the first picture."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from media.audio import Samples, read_audio
from media.errors import InputError
from media.video import Converter, Picture, decoded

if TYPE_CHECKING:
    import av

FPS = 25
SAMPLE_RATE = 16_000
SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".wmv")
"""What counts as a video in a folder."""
SLOWEST = 20.0
"""Frames a second below which a mouth cannot be followed."""

_STANDS = 0.2  # seconds that a picture may be shown before it counts as standing still
_TIMED = 200  # pictures from which the usual frame rate is told
_LOST = 60.0  # seconds between two pictures that only a damaged clock explains


@dataclass(frozen=True, slots=True)
class Film:
    """What is known of a video before it is watched."""

    path: Path
    width: int
    """Pixels, upright and square; so is the height."""
    height: int
    seconds: float
    """Of picture, as the header promises; may be 0 where it does not."""
    late: float
    """Seconds from the first picture to the first sound; negative where the sound begins first."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture of the 25 a second."""

    picture: Picture
    stands: bool
    """The film shows it for longer than 0.2 s: a connection that hangs, or a slide."""


def films_in(folder: Path) -> list[Path]:
    """Every video in a folder and the folders in it, in a fixed order; hidden ones are left out.

    Raises:
        InputError: there is no such folder, or no video in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give one that holds videos of people who talk.")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(piece.startswith(".") for piece in path.relative_to(folder).parts)
    )
    if not found:
        raise InputError(f"{folder} holds no video; put {', '.join(SUFFIXES[:5])} ... files into it.")
    return found


def open_film(path: Path) -> Film:
    """Look at the first picture and the first sound.

    Raises:
        InputError: not a video that can be read, without sound, or with too few frames a second.
    """
    with decoded(path) as (_, frames):
        first = _first(path, frames)
    header = _header(path)
    if header.fps < SLOWEST:
        raise InputError(f"{path} has {header.fps:.3g} frames a second; at least {SLOWEST:g} are needed.")
    width, height = max(2, round(first.width * header.stretch)), first.height
    if _quarter_turns(first) % 2:
        width, height = height, width
    return Film(path, width, height, header.seconds, header.heard_at - (first.time or 0.0))


def pictures(film: Film, size: tuple[int, int] | None = None) -> Iterator[Shown]:
    """The film at 25 pictures a second, whatever its own rate: for each, the one shown at the middle of its 25th.

    Choosing by the middle keeps sound and picture in step on average, also where frames come at uneven times.

    Args:
        size: width and height of the pictures; those of the film if None.

    Raises:
        InputError: the file is damaged.
    """
    converter = Converter()
    width, height = size or (film.width, film.height)

    def upright(frame: "av.VideoFrame") -> Picture:
        turns = _quarter_turns(frame)
        picture = converter.to_rgb(frame, (height, width) if turns % 2 else (width, height))
        return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture

    with decoded(film.path) as (fps, frames):
        begins: float | None = None
        before: tuple[float, av.VideoFrame] | None = None
        number, count, longest = 0, 0, 1.0 / FPS
        for frame in _whole(film.path, frames):
            at = frame.time if frame.time is not None else number / (fps or FPS)
            number += 1
            begins = at if begins is None else begins
            at -= begins
            if before is not None:
                if at <= before[0]:
                    continue
                if at - before[0] > _LOST:
                    raise InputError(f"{film.path}: its clock jumps at {before[0]:.1f} s; export the video again.")
                longest = at - before[0]
                for shown in _until(at, count, before, upright):
                    yield shown
                    count += 1
            before = (at, frame)
        if before is not None:
            yield from _until(before[0] + min(longest, _STANDS), count, before, upright)


def _until(
    end: float, count: int, held: "tuple[float, av.VideoFrame]", upright: "Callable[[av.VideoFrame], Picture]"
) -> Iterator[Shown]:
    """One frame, as often as it is due before `end`."""
    picture: Picture | None = None
    while (count + 0.5) / FPS < end:
        picture = upright(held[1]) if picture is None else picture
        yield Shown(picture, end - held[0] > _STANDS)
        count += 1


def sound(film: Film) -> Samples:
    """All of the sound at 16 kHz, mono; sample 0 is heard when picture 0 is seen.

    Raises:
        InputError: the sound cannot be read.
    """
    samples = read_audio(film.path, SAMPLE_RATE)
    shift = round(film.late * SAMPLE_RATE)
    return samples[-shift:] if shift < 0 else np.concatenate([np.zeros(shift, np.float32), samples])


def _first(path: Path, frames: "Iterator[av.VideoFrame]") -> "av.VideoFrame":
    first = next(_whole(path, frames), None)
    if first is None:
        raise InputError(f"{path} has no pictures; give a video.")
    return first


def _whole(path: Path, frames: "Iterator[av.VideoFrame]") -> "Iterator[av.VideoFrame]":
    import av

    last = 0.0
    try:
        for frame in frames:
            last = frame.time or last
            yield frame
    except av.FFmpegError as error:
        raise InputError(f"{path} is damaged at {last:.1f} s; copy or export it again.") from error


def _quarter_turns(frame: "av.VideoFrame") -> int:
    """How often a picture must be turned left to stand upright; telephones store theirs lying."""
    return round((frame.rotation or 0) / 90) % 4


@dataclass(frozen=True, slots=True)
class _Header:
    stretch: float
    """Width of a pixel, in its heights."""
    seconds: float
    fps: float
    """The usual one: that a connection hangs now and then makes no difference."""
    heard_at: float
    """Seconds on the file's clock."""


def _header(path: Path) -> _Header:
    import av

    with av.open(str(path)) as container:
        if not container.streams.audio:
            raise InputError(f"{path} is a video without sound; give one in which somebody talks.")
        video, voice = container.streams.video[0], container.streams.audio[0]
        seconds = float(video.duration * video.time_base) if video.duration else (container.duration or 0) / 1_000_000
        heard_at: float | None = None
        shown: list[float] = []
        for packet in container.demux(video, voice):
            if packet.stream is video and packet.pts is not None:
                shown.append(float(packet.pts * packet.time_base))
            elif packet.stream is voice and heard_at is None:
                heard_at = _first_moment(packet)
            if heard_at is not None and len(shown) >= _TIMED:
                break
        if heard_at is None:
            raise InputError(f"{path}: its sound cannot be read; export the video again.")
        fps = 1 / float(np.median(np.diff(sorted(shown)))) if len(shown) > 1 else float(video.average_rate or FPS)
        return _Header(float(video.sample_aspect_ratio or 1), seconds, fps, heard_at)


def _first_moment(packet: "av.Packet") -> float | None:
    """When the first sound of a packet is heard, seconds; None if it has none, or is damaged."""
    import av

    try:
        return next((frame.time or 0.0 for frame in packet.decode()), None)
    except av.FFmpegError:
        return None
