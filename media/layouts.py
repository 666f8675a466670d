"""Finished videos: speakers, names and captions laid out in one picture, with their sound, as one MP4.

The composition is one moviepy clip whose frames are put together from layers that are drawn once and kept: moviepy's
own layer-by-layer compositing costs about 27 ms a frame at 720p before encoding, this costs about 5.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.atomic import whole_file
from media.captions import Cue
from media.errors import InputError
from media.framing import Aspect, Box, Layout, Panel, framing
from media.lettering import Overlay, can_draw, fitting_size, plate, rounded_frame, rounded_mask
from media.provenance import embed, file_tags
from media.screens import MovingPortrait, Screen, Shot
from media.video import Picture, write_video

__all__ = ["Composition", "Screen", "Shot", "compose"]

_CRF = 20
_CAPTION_SIZE = 33.0  # pixels; two lines fit the band, 42 letters fit the width
_NAME_SIZE = 30.0
_ACCENT = (255, 196, 61, 255)
_NAME_PLATE = (12, 14, 20, 200)
_DRAFT_PLATE = (176, 38, 38, 235)
_CORNER = 24  # radius of a gallery's tiles
_RING = 6  # pixels around the speaker's tile
_FEATHER = 72  # pixels over which a portrait's edge melts into the backdrop
_REMARK = 1.5  # seconds
_BLUR = 40.0  # pixels, of what is seen beside a portrait
_DARKEST, _DARK_AT = 0.45, 300.0  # how dark it becomes, and at how many pixels from the portrait


@dataclass(frozen=True, slots=True)
class Composition:
    """Everything that one finished video shows and sounds like."""

    layout: Layout
    aspect: Aspect
    fps: float
    frames: int
    """Length of the video; the sound is cut or filled with silence to it."""
    speakers: tuple[Screen, ...]
    shots: tuple[Shot, ...]
    sound: Path
    """48 kHz WAV of the whole video."""
    cues: tuple[Cue, ...] = ()
    """Captions to burn in; empty for none."""
    title: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    """Tags of the file, as `media.provenance.video_metadata` makes them."""
    draft: bool = False
    """Whether the picture says DRAFT in its upper left corner, all the time."""


def compose(composition: Composition, out: Path, progress: Callable[[int], None] | None = None) -> None:
    """Write the video to `out`; memory does not grow with its length.

    Args:
        progress: called with the number of frames done so far, after each one.

    Raises:
        InputError: `out` cannot be written, a file that is named is missing, or captions hold letters that no font has.
        RenderError: a clip is missing, damaged or of another frame rate.
    """
    from moviepy import VideoClip

    _check(composition)
    language = composition.metadata.get("language")
    stage = _Stage(composition, language)

    def frame_at(seconds: float) -> Picture:
        return stage.draw(round(seconds * composition.fps))

    # Half a frame more, because moviepy rounds the number of frames down.
    clip = VideoClip(frame_function=frame_at, duration=(composition.frames + 0.5) / composition.fps)
    frames: Iterable[Picture] = clip.iter_frames(fps=composition.fps, dtype="uint8")
    tags = {"title": composition.title, **composition.metadata}
    try:
        with whole_file(out) as temporary:
            write_video(
                _counted(frames, progress),
                temporary,
                composition.fps,
                _CRF,
                preset="veryfast",
                sound=composition.sound,
                metadata=file_tags(tags),
                threads=0,
            )
            embed(temporary, tags)
    finally:
        stage.close()


def _check(composition: Composition) -> None:
    if composition.frames < 1 or not composition.speakers:
        raise ValueError("a composition needs at least one frame and one speaker")
    if any(not 0 <= shot.speaker < len(composition.speakers) for shot in composition.shots):
        raise ValueError("a shot names a speaker that the composition does not have")
    for file in (composition.sound, *(screen.portrait for screen in composition.speakers)):
        if not Path(file).is_file():
            raise InputError(f"{file} does not exist; run the command again to make it anew.")
    for cue in composition.cues:
        if not all(can_draw(line) for line in cue.lines):
            raise InputError(
                f"No font on this machine can draw the caption '{' '.join(cue.lines)}'; "
                "use --captions sidecar, or install a font for its script."
            )


def _counted(frames: Iterable[Picture], progress: Callable[[int], None] | None) -> Iterator[Picture]:
    for number, frame in enumerate(frames, start=1):
        yield frame
        if progress is not None:
            progress(number)


class _Stage:
    """Draws a composition frame by frame, in rising order."""

    def __init__(self, composition: Composition, language: str | None) -> None:
        self._composition = composition
        self._language = language
        self._framing = framing(
            composition.layout, composition.aspect, len(composition.speakers), captions=bool(composition.cues)
        )
        self._shots = sorted(composition.shots, key=lambda shot: shot.start_frame)
        one_for_all = self._framing.layout == "spotlight"
        self._panels = self._framing.panels * len(composition.speakers) if one_for_all else self._framing.panels
        self._portraits = [
            MovingPortrait(
                screen,
                [shot for shot in self._shots if shot.speaker == number],
                self._panels[number].square.width,
                composition.fps,
                # Multiples of the golden ratio: no two speakers are ever near the same place of their loops.
                phase=number * 0.618034 % 1.0,
            )
            for number, screen in enumerate(composition.speakers)
        ]
        self._joins = [_Join(panel, _CORNER if self._framing.layout == "gallery" else 0) for panel in self._panels]
        self._names = [
            _placed(self._name(screen.name, panel), panel.name, self._framing.layout == "gallery")
            for screen, panel in zip(composition.speakers, self._panels, strict=True)
        ]
        self._turns = _spotlight_turns(self._shots, composition.fps)
        self._turn_starts = [start for start, _ in self._turns]
        self._cue_starts = [cue.start for cue in composition.cues]
        self._caption: tuple[int, _Layer] | None = None
        self._mark = (
            _layer(plate(["DRAFT"], _NAME_SIZE, background=_DRAFT_PLATE), 20, 20) if composition.draft else None
        )
        self._backdrops: dict[int, Picture] = {}
        if not one_for_all:
            self._ground = self._shared_ground()
            self._rings = [_ring(panel, self._framing.layout) for panel in self._panels]
            self._lit = [0.0] * len(self._panels)

    def close(self) -> None:
        for portrait in self._portraits:
            portrait.close()

    def draw(self, frame: int) -> Picture:
        """The picture (height, width, 3) at a frame."""
        canvas = self._draw_spotlight(frame) if self._framing.layout == "spotlight" else self._draw_panels(frame)
        caption = self._caption_at((frame + 0.5) / self._composition.fps)
        if caption is not None:
            _blend(canvas, caption)
        if self._mark is not None:
            _blend(canvas, self._mark)
        return canvas

    def _draw_spotlight(self, frame: int) -> Picture:
        start, speaker = self._turns[max(0, bisect_right(self._turn_starts, frame) - 1)]
        canvas = self._backdrop(speaker).copy()
        self._joins[speaker].paste(canvas, self._portraits[speaker].at(frame))
        _blend(canvas, self._names[speaker], _name_opacity((frame - start) / self._composition.fps))
        return canvas

    def _draw_panels(self, frame: int) -> Picture:
        canvas = self._ground.copy()
        for number, join in enumerate(self._joins):
            join.paste(canvas, self._portraits[number].at(frame))
            speaking = self._portraits[number].speaks_at(frame)
            self._lit[number] = min(1.0, max(0.0, self._lit[number] + (0.25 if speaking else -0.25)))
            for strip in self._rings[number]:
                _blend(canvas, strip, self._lit[number])
            _blend(canvas, self._names[number])
        return canvas

    def _name(self, name: str, panel: Panel) -> Overlay:
        size = min(_NAME_SIZE, panel.name.height / 2.0)
        size = max(9.0, fitting_size([name], size, panel.name.width - 1.6 * size, self._language))
        bar = None if self._framing.layout == "gallery" else _ACCENT
        return plate([name], size, language=self._language, background=_NAME_PLATE, bar=bar)

    def _caption_at(self, seconds: float) -> "_Layer | None":
        number = bisect_right(self._cue_starts, seconds) - 1
        if number < 0 or seconds >= self._composition.cues[number].end:
            return None
        if self._caption is None or self._caption[0] != number:
            self._caption = (number, _caption(self._composition.cues[number], self._framing.captions, self._language))
        return self._caption[1]

    def _backdrop(self, speaker: int) -> Picture:
        if speaker not in self._backdrops:
            self._backdrops[speaker] = surroundings(self._portraits[speaker].still(), self._panels[speaker])
        return self._backdrops[speaker]

    def _shared_ground(self) -> Picture:
        ground = _gradient(self._framing.width, self._framing.height)
        for portrait, panel in zip(self._portraits, self._panels, strict=True):
            around = surroundings(portrait.still(), panel)
            if self._framing.layout == "gallery":
                mask = rounded_mask(panel.visible.width, panel.visible.height, _CORNER)[..., None] / 255
                around = (around * mask + _cut(ground, panel.visible) * (1 - mask)).round().astype(np.uint8)
            _cut(ground, panel.visible)[:] = around
        return ground


@dataclass(frozen=True, slots=True)
class _Layer:
    """An overlay in its place, ready to be blended: colours times alpha, and what is left of the ground, in 256ths."""

    box: Box
    colours: NDArray[np.uint16]
    keep: NDArray[np.uint16]


def _layer(overlay: Overlay, left: int, top: int) -> _Layer:
    height, width = overlay.shape[:2]
    keep = 255 - overlay[..., 3:].astype(np.uint16)
    return _Layer(Box(left, top, width, height), overlay[..., :3].astype(np.uint16), keep + (keep > 127))


def _placed(overlay: Overlay, box: Box, at_bottom: bool) -> _Layer:
    height = overlay.shape[0]
    cut = overlay[: box.height, : box.width]
    return _layer(cut, box.left, max(box.top, box.bottom - height) if at_bottom else box.top)


def _blend(canvas: Picture, layer: _Layer, opacity: float = 1.0) -> None:
    if opacity <= 0:
        return
    ground = _cut(canvas, layer.box)
    if opacity >= 1:
        ground[:] = ((ground * layer.keep) >> 8) + layer.colours
        return
    part = round(256 * opacity)
    colours, keep = layer.colours * part >> 8, 256 - ((256 - layer.keep) * part >> 8)
    ground[:] = ((ground * keep) >> 8) + colours


def _cut(canvas: Picture, box: Box) -> Picture:
    return canvas[box.top : box.bottom, box.left : box.right]


class _Join:
    """How a portrait meets the ground: cut to its panel, with rounded corners and soft edges."""

    def __init__(self, panel: Panel, corner: int) -> None:
        visible, square = panel.visible, panel.square
        left, top = max(visible.left, square.left), max(visible.top, square.top)
        right, bottom = min(visible.right, square.right), min(visible.bottom, square.bottom)
        wide, high = right - left, bottom - top
        self._box = Box(left, top, wide, high)
        self._source = Box(left - square.left, top - square.top, wide, high)
        coverage = np.ones((high, wide))
        edges: list[Box] = []
        soft = min(_FEATHER, wide // 4, high // 4)
        ramp = _smooth_ramp(soft)
        if left > visible.left:
            coverage[:, :soft] *= ramp
            edges.append(Box(0, 0, soft, high))
        if right < visible.right:
            coverage[:, -soft:] *= ramp[::-1]
            edges.append(Box(wide - soft, 0, soft, high))
        if top > visible.top:
            coverage[:soft] *= ramp[:, None]
            edges.append(Box(0, 0, wide, soft))
        if bottom < visible.bottom:
            coverage[-soft:] *= ramp[::-1, None]
            edges.append(Box(0, high - soft, wide, soft))
        if corner:
            mask = rounded_mask(visible.width, visible.height, corner) / 255
            across, down = left - visible.left, top - visible.top
            coverage *= mask[down : down + high, across : across + wide]
            edges += [Box(x, y, corner, corner) for x in (0, wide - corner) for y in (0, high - corner)]
        # Only the edges need arithmetic; the rest is copied.
        parts = np.round(256 * coverage).astype(np.uint16)[..., None]
        self._edges = [(edge, parts[edge.top : edge.bottom, edge.left : edge.right]) for edge in edges]

    def paste(self, canvas: Picture, picture: Picture) -> None:
        target, source = _cut(canvas, self._box), _cut(picture, self._source)
        grounds = [_cut(target, edge).copy() for edge, _ in self._edges]
        target[:] = source
        for (edge, part), ground in zip(self._edges, grounds, strict=True):
            _cut(target, edge)[:] = (_cut(source, edge) * part + ground * (256 - part)) >> 8


def _smooth_ramp(length: int) -> NDArray[np.float64]:
    x = (np.arange(length) + 0.5) / length
    return x * x * (3 - 2 * x)


def _ring(panel: Panel, layout: Layout) -> list[_Layer]:
    """The bright frame of whoever speaks, as four strips, so that its empty middle costs nothing."""
    tile = panel.visible
    if layout == "gallery":
        box = Box(tile.left - _RING, tile.top - _RING, tile.width + 2 * _RING, tile.height + 2 * _RING)
        radius, depth = _CORNER + _RING, _CORNER + _RING
    else:
        box, radius, depth = tile, 0, _RING
    overlay = rounded_frame(box.width, box.height, radius, _RING, _ACCENT)
    inner = box.height - depth
    strips = [
        (slice(0, depth), slice(0, box.width)),
        (slice(inner, box.height), slice(0, box.width)),
        (slice(depth, inner), slice(0, _RING)),
        (slice(depth, inner), slice(box.width - _RING, box.width)),
    ]
    return [_layer(overlay[rows, columns], box.left + columns.start, box.top + rows.start) for rows, columns in strips]


def _caption(cue: Cue, band: Box, language: str | None) -> _Layer:
    size = min(_CAPTION_SIZE, band.height / (1.3 * len(cue.lines) + 0.5))
    size = fitting_size(cue.lines, size, band.width - 1.2 * size, language)
    overlay = plate(cue.lines, size, language=language, padding=(0.6, 0.25))
    height, width = overlay.shape[:2]
    return _placed(overlay, Box(band.left + (band.width - width) // 2, band.bottom - height, width, height), False)


def _spotlight_turns(shots: list[Shot], fps: float) -> list[tuple[int, int]]:
    """(first frame, speaker) of every stretch of the video; the first speaker has the screen from the beginning.

    Where shots overlap, whoever began last has the screen until they end; then whoever still speaks. A remark of under
    `_REMARK` seconds within somebody else's turn does not turn the picture.
    """
    if not shots:
        return [(0, 0)]
    seen: list[Shot] = []
    latest: Shot | None = None
    for shot in shots:  # in order of their starts
        within = latest is not None and latest.speaker != shot.speaker and shot.end_frame <= latest.end_frame
        if not (within and shot.frames < _REMARK * fps):
            seen.append(shot)
        if latest is None or shot.end_frame > latest.end_frame:
            latest = shot
    edges = sorted({shot.start_frame for shot in seen} | {shot.end_frame for shot in seen})
    turns: list[tuple[int, int]] = []
    speaking: list[Shot] = []
    following = iter([*seen, None])
    upcoming = next(following)
    for edge in edges:
        while upcoming is not None and upcoming.start_frame <= edge:
            speaking.append(upcoming)
            upcoming = next(following)
        speaking = [shot for shot in speaking if shot.end_frame > edge]
        if speaking and (not turns or turns[-1][1] != speaking[-1].speaker):
            turns.append((edge, speaking[-1].speaker))
    return [(0, turns[0][1]), *turns[1:]]


def _name_opacity(seconds: float) -> float:
    """The name comes with the turn, stays four seconds, and goes."""
    return min(1.0, (seconds + 0.04) / 0.32, (4.32 - seconds) / 0.32)


def surroundings(portrait: Picture, panel: Panel) -> Picture:
    """What is seen beside a square portrait in its panel (height, width, 3): its outer parts, mirrored outwards,
    blurred and ever darker, so that the picture seems to go on.
    """
    from PIL import Image, ImageFilter

    visible, square = panel.visible, panel.square
    scale = 8  # a blur needs few pixels
    small = np.asarray(Image.fromarray(portrait).resize((square.width // scale,) * 2, Image.Resampling.BOX))
    rows = _mirrored(visible.top - square.top, visible.height, square.height, scale)
    columns = _mirrored(visible.left - square.left, visible.width, square.width, scale)
    outside = np.maximum(  # above and below it has to be dark sooner: shoulders end there
        2 * _distance_outside(visible.top - square.top, visible.height, square.height, scale)[:, None],
        _distance_outside(visible.left - square.left, visible.width, square.width, scale)[None, :],
    )
    light = 1 - _DARKEST * np.minimum(1, outside * scale / _DARK_AT)
    blurred = Image.fromarray(small[rows][:, columns]).filter(ImageFilter.GaussianBlur(_BLUR / scale))
    shaded = Image.fromarray((np.asarray(blurred) * light[..., None]).astype(np.uint8))
    return np.asarray(shaded.resize((visible.width, visible.height), Image.Resampling.BICUBIC))


def _mirrored(start: int, length: int, side: int, scale: int) -> NDArray[np.intp]:
    """Indices into `side // scale` pixels of a line that begins at `start`: beyond its ends, its outermost part is
    mirrored to and fro, which never reaches the face.
    """
    count = side // scale
    part = max(1, count // 8)
    place = np.arange(length // scale) + start // scale
    beyond = np.where(place < 0, -1 - place, np.maximum(place - count, 0)) % (2 * part)
    depth = np.minimum(beyond, 2 * part - 1 - beyond)
    return np.where(place < 0, depth, np.where(place >= count, count - 1 - depth, place))


def _distance_outside(start: int, length: int, side: int, scale: int) -> NDArray[np.intp]:
    place = np.arange(length // scale) + start // scale
    return np.maximum(np.maximum(-place, place - side // scale + 1), 0)


def _gradient(width: int, height: int) -> Picture:
    top, bottom = np.array([34, 39, 52]), np.array([14, 16, 23])
    column = top + (bottom - top) * np.linspace(0, 1, height)[:, None]
    return np.broadcast_to(column.round().astype(np.uint8)[:, None, :], (height, width, 3)).copy()
