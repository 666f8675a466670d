"""What one speaker shows at every frame: clips while speaking, an idle loop while listening, and soft joins between.

Clips are decoded as they play, one open file per speaker at most, so that memory does not grow with their number.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from media.errors import InputError, RenderError
from media.framing import shown_square
from media.video import Converter, Picture, decoded

if TYPE_CHECKING:
    import av

FADE = 4
"""Frames over which a clip and the idle loop are mixed."""

_IDLE_BYTES = 48 << 20  # memory for one speaker's decoded idle loop


@dataclass(frozen=True, slots=True)
class Screen:
    """One speaker: the name, the portrait, and what is seen while the others speak."""

    name: str
    portrait: Path
    """PNG of any shape."""
    idle: Path | None = None
    """Silent MP4 of the listening portrait, played forwards and backwards; the still portrait without it."""
    face: tuple[float, float, float, float] | None = None
    """Face region of the portrait, as fractions; where it is said, what `framing.shown_square` shows is used, as in clips, and
    else the middle square."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One clip of one speaker, on the frames `start_frame` .. `start_frame + frames - 1`."""

    speaker: int
    """Index of the screen."""
    start_frame: int
    frames: int
    clip: Path
    """Silent MP4 at the composition's frame rate."""

    @property
    def end_frame(self) -> int:
        return self.start_frame + self.frames


class MovingPortrait:
    """A speaker's picture by frame number, at one size. Frames are asked for in rising order.

    `phase` shifts the idle loop, so that listeners do not blink together.
    """

    def __init__(self, screen: Screen, shots: Sequence[Shot], side: int, fps: float, phase: float = 0.0) -> None:
        self._screen = screen
        self._shots = sorted(shots, key=lambda shot: shot.start_frame)
        self._starts = [shot.start_frame for shot in self._shots]
        self._side = side
        self._fps = fps
        self._phase = phase
        self._idle: list[av.VideoFrame] | None = None
        self._still: Picture | None = None
        self._player: _Player | None = None
        self._clips, self._idles = Converter(), Converter()
        self._last_of: dict[Shot, Picture] = {}

    def at(self, frame: int) -> Picture:
        """The picture (side, side, 3) at a frame of the composition."""
        number = bisect_right(self._starts, frame) - 1
        shot = self._shots[number] if number >= 0 else None
        following = self._shots[number + 1] if number + 1 < len(self._shots) else None
        if shot is not None and frame < shot.end_frame:
            picture = self._playing(shot, frame - shot.start_frame)
            if frame == shot.end_frame - 1:
                self._last_of = {shot: picture}
            return picture
        picture = self._listening(frame)
        if shot is not None and frame < shot.end_frame + FADE and shot in self._last_of:
            picture = mix(self._last_of[shot], picture, (frame - shot.end_frame + 1) / (FADE + 1))
        if following is not None and frame >= following.start_frame - FADE:
            weight = (frame - following.start_frame + FADE + 1) / (FADE + 1)
            picture = mix(picture, self._playing(following, 0), weight)
        return picture

    def speaks_at(self, frame: int) -> bool:
        """Whether one of the speaker's clips is shown at a frame."""
        number = bisect_right(self._starts, frame) - 1
        return number >= 0 and frame < self._shots[number].end_frame

    def close(self) -> None:
        if self._player is not None:
            self._player.close()
            self._player = None

    def still(self) -> Picture:
        """The portrait itself (side, side, 3)."""
        if self._still is None:
            self._still = read_portrait(self._screen.portrait, self._side, self._screen.face)
        return self._still

    def _playing(self, shot: Shot, number: int) -> Picture:
        if self._player is None or self._player.shot != shot:
            self.close()
            self._player = _Player(shot, self._fps)
        return self._clips.to_rgb(self._player.frame(number), (self._side, self._side))

    def _listening(self, frame: int) -> Picture:
        if self._idle is None:
            self._idle = _read_idle(self._screen.idle) if self._screen.idle is not None else []
        count = len(self._idle)
        if not count:
            return self.still()
        there_and_back = max(1, 2 * count - 2)
        place = (frame + round(self._phase * there_and_back)) % there_and_back
        return self._idles.to_rgb(self._idle[min(place, there_and_back - place)], (self._side, self._side))


class _Player:
    """One open clip. A clip that is shorter than its shot holds its last frame."""

    def __init__(self, shot: Shot, fps: float) -> None:
        self.shot = shot
        self._stack = ExitStack()
        try:
            rate, self._frames = self._stack.enter_context(decoded(shot.clip))
        except InputError as error:
            raise RenderError(
                f"{error} It is a clip of this video: run the command again to render it anew."
            ) from error
        if abs(rate - fps) > 0.01:
            self.close()
            raise RenderError(
                f"{shot.clip} has {rate:g} frames a second, the video has {fps:g}; render it again at {fps:g}."
            )
        self._number = -1
        self._current: av.VideoFrame | None = None

    def frame(self, number: int) -> "av.VideoFrame":
        while self._number < number:
            following = self._next()
            if following is None:
                break
            self._current = following
            self._number += 1
        if self._current is None:
            raise RenderError(f"{self.shot.clip} holds no frame; delete it and run the command again.")
        return self._current

    def close(self) -> None:
        self._stack.close()

    def _next(self) -> "av.VideoFrame | None":
        import av

        try:
            return next(self._frames, None)
        except av.FFmpegError as error:
            raise RenderError(f"{self.shot.clip} is damaged; delete it and run the command again.") from error


def mix(first: Picture, second: Picture, weight: float) -> Picture:
    """`weight` (0..1) of `second`, the rest of `first`."""
    part = round(256 * weight)
    return ((first.astype(np.uint16) * (256 - part) + second.astype(np.uint16) * part) >> 8).astype(np.uint8)


def read_portrait(path: Path, side: int, face: tuple[float, float, float, float] | None = None) -> Picture:
    """The square of a picture file that is shown, scaled to (side, side, 3): around the `face`, or the middle one.

    Raises:
        InputError: it is missing or not a picture.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            whole = picture.convert("RGB")
            if face is not None:
                shown = shown_square(whole.width, whole.height, face)
                whole = whole.crop((shown.left, shown.top, shown.right, shown.bottom))
            fitted = ImageOps.fit(whole, (side, side), Image.Resampling.LANCZOS)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; it should be a portrait picture.") from None
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} is not a picture that can be read; give a PNG file.") from error
    return np.asarray(fitted)


def _read_idle(path: Path) -> "list[av.VideoFrame]":
    def as_much_as_fits(frames: "Iterator[av.VideoFrame]") -> "Iterator[av.VideoFrame]":
        room = _IDLE_BYTES
        for frame in frames:
            room -= frame.width * frame.height * 3 // 2
            if room < 0:
                return
            yield frame

    with decoded(path) as (_, frames):
        return list(as_much_as_fits(frames))
