"""From a portrait to the square that is rendered, and back: crop, region mask, and paste-back into the whole picture.

The convention is that of published EchoMimic: the face's box and 50 % of its width and height on each side, made square; the
region that moves is the box and 10 % on each side. Near the border of the picture the square is shifted inside; where the picture
is smaller than the square, it is mirrored outwards, so that a face always has the same size in its square.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.framing import Box
from media.video import Picture

Region = tuple[float, float, float, float]
"""Left, top, right, bottom, fractions of a picture's width and height."""

MARGIN, REGION_MARGIN = 0.5, 0.1
"""Of the face's width and height, on each side: of the square, and of the region that moves."""

# What is replaced around a face's box, in its width (left, right) and height (top, bottom): as a whole, and fading until here.
_KEPT = (0.25, 0.30, 0.25, 0.10)
_FADED = (0.60, 0.50, 0.60, 0.40)
_MOST_SHIFT = 24  # of 255: colours further off than this are the renderer's intention, or its failure
_STEADY = 0.8  # how much of the colour shift of one frame is that of the frame before
_SAMPLES = 4096  # pixels that colours are compared at


def face_square(width: int, height: int, face: Region) -> Box:
    """The square around a face, in pixels of a picture of this size; it reaches beyond a picture that is smaller than it."""
    left, top, right, bottom = (value * side for value, side in zip(face, (width, height) * 2, strict=True))
    side = max(2, round((1 + 2 * MARGIN) * max(right - left, bottom - top)))
    x = _inside(round((left + right - side) / 2), side, width)
    y = _inside(round((top + bottom - side) / 2), side, height)
    return Box(x, y, side, side)


def cut_square(picture: Picture, square: Box, size: int) -> Picture:
    """The square of a picture at (size, size, 3), mirrored outwards where it reaches beyond the picture."""
    from PIL import Image

    height, width = picture.shape[:2]
    inner = _intersection(square, Box(0, 0, width, height))
    cut = picture[inner.top : inner.bottom, inner.left : inner.right]
    beyond = (
        (inner.top - square.top, square.bottom - inner.bottom),
        (inner.left - square.left, square.right - inner.right),
        (0, 0),
    )
    if any(sum(pair) for pair in beyond):
        cut = np.pad(cut, beyond, mode="reflect" if min(cut.shape[:2]) > 1 else "edge")
    if cut.shape[0] == size:
        return np.ascontiguousarray(cut)
    return np.asarray(Image.fromarray(cut).resize((size, size), Image.Resampling.LANCZOS))


def region_in(square: Box, width: int, height: int, face: Region, margin: float = REGION_MARGIN) -> Region:
    """The face of a picture of this size, and `margin` of its width and height on each side, as fractions of a square of it."""
    left, top, right, bottom = (value * side for value, side in zip(face, (width, height) * 2, strict=True))
    wide, high = margin * (right - left), margin * (bottom - top)
    place = (left - wide - square.left, top - high - square.top, right + wide - square.left, bottom + high - square.top)
    a, b, c, d = (min(1.0, max(0.0, value / square.width)) for value in place)
    return a, b, c, d


def region_mask(region: Region, size: int) -> NDArray[np.uint8]:
    """(size, size): 255 inside the region, 0 outside, as the published face locator is given it."""
    left, top, right, bottom = (round(value * size) for value in region)
    mask = np.zeros((size, size), np.uint8)
    mask[top:bottom, left:right] = 255
    return mask


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of a picture, and how large."""

    part: Box
    """In pixels of the picture, inside it."""
    width: int
    height: int
    """In pixels of the video."""


class PasteBack:
    """Puts rendered squares back into the picture that they were cut from, frame by frame.

    The face, hair and throat are replaced; from there it fades into the picture, which further out is left as it is, bit for
    bit. The colours of a rendered square are shifted as a whole, so that they meet the picture's where both are mixed;
    the shift follows slowly, so that it does not flicker. Memory does not grow with the number of frames.

    Args:
        picture: (H, W, 3), the whole portrait.
        square: what is rendered, as `face_square`.
        face: as fractions of the picture.
        view: what is shown of it.
    """

    def __init__(self, picture: Picture, square: Box, face: Region, view: View) -> None:
        from PIL import Image

        height, width = picture.shape[:2]
        part = view.part
        self._picture, self._square = picture, square
        shown = picture[part.top : part.bottom, part.left : part.right]
        if shown.shape[:2] != (view.height, view.width):
            shown = np.asarray(Image.fromarray(shown).resize((view.width, view.height), Image.Resampling.LANCZOS))
        self._shown = np.ascontiguousarray(shown)
        # The square in the view, and the pixels of the view that lie in it and are replaced.
        across, down = view.width / part.width, view.height / part.height
        x, y = (square.left - part.left) * across, (square.top - part.top) * down
        wide, high = square.width * across, square.height * down
        columns = np.arange(max(0, int(np.ceil(x))), min(view.width, int(np.floor(x + wide))))
        rows = np.arange(max(0, int(np.ceil(y))), min(view.height, int(np.floor(y + high))))
        weights = _weights(
            part.left / width + (columns + 0.5) / across / width, part.top / height + (rows + 0.5) / down / height, face
        )
        parts = np.round(256 * weights).astype(np.uint16)
        used_rows, used_columns = (np.flatnonzero(parts.any(axis=axis)) for axis in (1, 0))
        self._nothing = not len(used_rows)
        if self._nothing:
            return
        parts = parts[used_rows[0] : used_rows[-1] + 1, used_columns[0] : used_columns[-1] + 1]
        top, left = int(rows[used_rows[0]]), int(columns[used_columns[0]])
        self._place = Box(left, top, parts.shape[1], parts.shape[0])
        # The same pixels, as fractions of the square.
        self._source = (
            (left - x) / wide,
            (top - y) / high,
            (self._place.right - x) / wide,
            (self._place.bottom - y) / high,
        )
        ground = self._shown[top : self._place.bottom, left : self._place.right].astype(np.uint16)
        self._strips = [
            (strip, None if whole else (parts[strip][..., None], ground[strip] * (256 - parts[strip][..., None])))
            for strip, whole in _strips(parts)
        ]
        self._parts = parts
        self._compared: tuple[NDArray[np.intp], NDArray[np.int16]] | None = None
        self._shift: NDArray[np.float64] | None = None

    @property
    def replaced(self) -> NDArray[np.float64]:
        """(height, width) in 0..1: how much of every pixel of the view is rendered."""
        found = np.zeros(self._shown.shape[:2])
        if not self._nothing:
            place = self._place
            found[place.top : place.bottom, place.left : place.right] = self._parts / 256
        return found

    def paste(self, rendered: Picture) -> Picture:
        """The view (height, width, 3) with one rendered square (size, size, 3) in it. Frames are given in their order."""
        from PIL import Image

        frame = self._shown.copy()
        if self._nothing:
            return frame
        place, side = self._place, rendered.shape[0]
        square = Image.fromarray(rendered)
        steps = self._colour_steps(rendered)
        if any(steps):
            square = square.point([min(255, max(0, level + step)) for step in steps for level in range(256)])
        box = tuple(value * side for value in self._source)
        pixels = np.asarray(square.resize((place.width, place.height), Image.Resampling.BICUBIC, box=box))
        target = frame[place.top : place.bottom, place.left : place.right]
        for strip, mixed in self._strips:
            if mixed is None:
                target[strip] = pixels[strip]
                continue
            part, kept = mixed
            sums = pixels[strip] * part
            sums += kept
            sums >>= 8
            target[strip] = sums
        return frame

    def frames(self, rendered: Iterable[Picture]) -> Iterator[Picture]:
        """`paste` for every frame, as they come."""
        for one in rendered:
            yield self.paste(one)

    def _colour_steps(self, rendered: Picture) -> list[int]:
        """What to add to red, green and blue, by what the picture has where both are mixed."""
        if self._compared is None:
            self._compared = self._compared_at(rendered.shape[0])
        places, expected = self._compared
        if not len(places):
            return [0, 0, 0]
        apart = expected - rendered.reshape(-1, 3)[places]
        shift = np.clip(np.median(apart, axis=0), -_MOST_SHIFT, _MOST_SHIFT)
        self._shift = shift if self._shift is None else _STEADY * self._shift + (1 - _STEADY) * shift
        return [round(float(step)) for step in self._shift]

    def _compared_at(self, side: int) -> tuple[NDArray[np.intp], NDArray[np.int16]]:
        """Pixels of a square of `side` pixels at which both are mixed, and what the picture has there (N, 3)."""
        weights, place = self._parts, self._place
        left, top, right, bottom = (value * side for value in self._source)
        rows, columns = (
            np.clip(((np.arange(a, b) + 0.5 - start) / (end - start) * count).astype(int), 0, count - 1)
            for a, b, start, end, count in (
                (int(np.ceil(top)), int(bottom), top, bottom, place.height),
                (int(np.ceil(left)), int(right), left, right, place.width),
            )
        )
        mixed = np.zeros((side, side), bool)
        seen = weights[rows[:, None], columns]
        first, start = int(np.ceil(top)), int(np.ceil(left))
        mixed[first : first + len(rows), start : start + len(columns)] = (seen > 32) & (seen < 224)
        found = np.flatnonzero(mixed)
        places = found[:: max(1, len(found) // _SAMPLES)]
        original = cut_square(self._picture, self._square, side).reshape(-1, 3)
        return places, original[places].astype(np.int16)


def _weights(across: NDArray[np.float64], down: NDArray[np.float64], face: Region) -> NDArray[np.float64]:
    """(rows, columns) in 0..1: how much is replaced at fractions of the picture's width and height."""
    left, top, right, bottom = face
    wide, high = right - left, bottom - top
    x = _beyond(across, left, right, wide, (_KEPT[0], _KEPT[2]), (_FADED[0], _FADED[2]))
    y = _beyond(down, top, bottom, high, (_KEPT[1], _KEPT[3]), (_FADED[1], _FADED[3]))
    # Rounded corners: what counts is the distance from what is kept, in widths of the band around it.
    t = 1 - np.minimum(1.0, np.hypot(x[None, :], y[:, None]))
    return t * t * (3 - 2 * t)


def _beyond(
    place: NDArray[np.float64],
    low: float,
    high: float,
    extent: float,
    kept: tuple[float, float],
    faded: tuple[float, float],
) -> NDArray[np.float64]:
    """How far outside of what is kept: 0 within, 1 where it has faded."""
    before = (low - kept[0] * extent - place) / ((faded[0] - kept[0]) * extent)
    after = (place - high - kept[1] * extent) / ((faded[1] - kept[1]) * extent)
    return np.maximum(0.0, np.maximum(before, after))


def _strips(parts: NDArray[np.uint16]) -> list[tuple[tuple[slice, slice], bool]]:
    """Rectangles that cover all that is replaced, and whether they are replaced as a whole, without arithmetic."""
    rows, columns = (np.flatnonzero((parts == 256).any(axis=axis)) for axis in (1, 0))
    used_rows, used_columns = (np.flatnonzero(parts.any(axis=axis)) for axis in (1, 0))
    if not len(used_rows):
        return []
    top, bottom = int(used_rows[0]), int(used_rows[-1]) + 1
    left, right = int(used_columns[0]), int(used_columns[-1]) + 1
    if not len(rows):
        return [((slice(top, bottom), slice(left, right)), False)]
    # The weights are those of a rounded rectangle: what is 256 anywhere is so in one rectangle.
    first, last = int(rows[0]), int(rows[-1]) + 1
    start, end = int(columns[0]), int(columns[-1]) + 1
    found = [
        ((slice(first, last), slice(start, end)), bool((parts[first:last, start:end] == 256).all())),
        ((slice(top, first), slice(left, right)), False),
        ((slice(last, bottom), slice(left, right)), False),
        ((slice(first, last), slice(left, start)), False),
        ((slice(first, last), slice(end, right)), False),
    ]
    return [
        (strip, whole) for strip, whole in found if strip[0].stop > strip[0].start and strip[1].stop > strip[1].start
    ]


def _inside(start: int, length: int, room: int) -> int:
    """Where a line of `length` begins so that it lies in 0..room, or has it in its middle."""
    return (room - length) // 2 if length >= room else min(max(0, start), room - length)


def _intersection(one: Box, two: Box) -> Box:
    left, top = max(one.left, two.left), max(one.top, two.top)
    return Box(left, top, min(one.right, two.right) - left, min(one.bottom, two.bottom) - top)
