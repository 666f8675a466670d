"""Where everything lies in the picture: the speakers, their names and the captions, for each layout and aspect.

Portraits are square, with the mouth at 56-82 % of their height. Nothing that is drawn over them may touch it.
"""

from dataclasses import dataclass
from typing import Literal

Layout = Literal["spotlight", "gallery", "duet"]
Aspect = Literal["16:9", "9:16", "1:1"]

SIZES: dict[Aspect, tuple[int, int]] = {"16:9": (1280, 720), "9:16": (720, 1280), "1:1": (960, 960)}
"""Width and height of the picture."""

_MOUTH = (0.30, 0.56, 0.70, 0.82)  # left, top, right, bottom, as fractions of the portrait
_MOUTH_IN_FACE = 0.74  # where the mouth is between the middle of the forehead and the chin
_HEADSHOT, _MOUTH_AT = 2.2, 0.66  # side of head and shoulders in heights of the face, and where its mouth is
_GAP = 20  # pixels between the tiles of a gallery, and around them
_NARROWEST, _WIDEST = 0.75, 1.5  # width of a gallery's tile, in heights


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height

    def overlaps(self, other: "Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def contains(self, other: "Box") -> bool:
        return (
            self.left <= other.left
            and self.top <= other.top
            and other.right <= self.right
            and other.bottom <= self.bottom
        )


@dataclass(frozen=True, slots=True)
class Panel:
    """The part of the picture that one speaker has."""

    visible: Box
    square: Box
    """Where the square portrait is drawn; what lies outside `visible` is cut off."""
    name: Box
    """Where the name may be written, at the left."""

    @property
    def mouth(self) -> Box:
        left, top, right, bottom = (round(fraction * self.square.width) for fraction in _MOUTH)
        return Box(self.square.left + left, self.square.top + top, right - left, bottom - top)


@dataclass(frozen=True, slots=True)
class Framing:
    """One layout at one aspect: a panel for each speaker (one for all in a spotlight), and the place of captions."""

    layout: Layout
    width: int
    height: int
    panels: tuple[Panel, ...]
    captions: Box


def shown_square(width: int, height: int, face: tuple[float, float, float, float]) -> Box:
    """The square of a portrait that is shown, in its pixels: all of it where it is square and the mouth is where no name or
    caption is; else head and shoulders, shifted into the picture.

    Args:
        face: from the middle of the forehead to the chin: left, top, right, bottom as fractions of width and height.
    """
    left, top, right, bottom = face
    across, down = (left + right) / 2 * width, (top + _MOUTH_IN_FACE * (bottom - top)) * height
    in_place = _MOUTH[0] <= across / width <= _MOUTH[2] and _MOUTH[1] <= down / height <= _MOUTH[3]
    side = min(width, height)
    if not (width == height and in_place):
        side = min(side, round(_HEADSHOT * (bottom - top) * height))
    x = min(max(0, round(across - side / 2)), width - side)
    y = min(max(0, round(down - _MOUTH_AT * side)), height - side)
    return Box(x, y, side, side)


def framing(layout: Layout, aspect: Aspect, speakers: int, captions: bool) -> Framing:
    """Lay out `speakers` portraits; with `captions`, room is kept for two lines at the bottom.

    A duet of other than two speakers becomes a gallery.
    """
    width, height = SIZES[aspect]
    band = _caption_band(width, height)
    if layout == "duet" and speakers != 2:
        layout = "gallery"
    panels: tuple[Panel, ...]
    if layout == "spotlight":
        panels = (_spotlight(aspect, width, height, band),)
    elif layout == "duet":
        panels = _duet(aspect, width, height, band, captions)
    else:
        panels = _gallery(width, band.top if captions else height, speakers)
    return Framing(layout, width, height, panels, band)


def _caption_band(width: int, height: int) -> Box:
    if height > width:  # telephones cover the bottom of upright videos with their own buttons
        return Box(20, 1060, width - 40, 130)
    top = round(0.84 * height)
    return Box(40, top, width - 80, height - 10 - top)


def _spotlight(aspect: Aspect, width: int, height: int, band: Box) -> Panel:
    whole = Box(0, 0, width, height)
    if aspect == "16:9":
        return Panel(whole, Box((width - height) // 2, 0, height, height), Box(40, band.top - 72, 420, 56))
    if aspect == "9:16":
        # Larger than the picture is wide, to fill it; the face is in the middle.
        return Panel(whole, Box((width - 960) // 2, 70, 960, 960), Box(32, 40, width - 64, 56))
    return Panel(whole, whole, Box(32, 32, width - 64, 56))


def _duet(aspect: Aspect, width: int, height: int, band: Box, captions: bool) -> tuple[Panel, ...]:
    panels = []
    for number in range(2):
        if aspect == "9:16":
            row = (band.top if captions else height) // 2
            visible = Box(0, number * row, width, row)
            square = Box((width - row) // 2, visible.top, row, row)
        else:
            column = width // 2
            visible = Box(number * column, 0, column, height)
            side = min(height, column * 3 // 2)
            room = band.top if captions and side < height else height
            square = Box(visible.left + (column - side) // 2, max(0, (room - side) // 2), side, side)
        name = Box(visible.left + 24, visible.top + 24, visible.width - 48, 48)
        panels.append(Panel(visible, square, name))
    return tuple(panels)


def _gallery(width: int, height: int, speakers: int) -> tuple[Panel, ...]:
    def tile_with(columns: int) -> tuple[int, int]:
        """Height and width of a tile; the portrait is as high as its tile, its sides may be cut or extended a little."""
        rows = -(-speakers // columns)
        room = (width - (columns + 1) * _GAP) // columns
        high = min((height - (rows + 1) * _GAP) // rows, round(room / _NARROWEST)) // 2 * 2
        return high, min(room, round(high * _WIDEST)) // 2 * 2

    columns = max(range(1, speakers + 1), key=tile_with)
    high, wide = tile_with(columns)
    rows = -(-speakers // columns)
    top = (height - rows * high - (rows - 1) * _GAP) // 2
    panels = []
    for number in range(speakers):
        row, column = divmod(number, columns)
        in_row = min(columns, speakers - row * columns)  # a last row that is not full stands in the middle
        left = (width - in_row * wide - (in_row - 1) * _GAP) // 2
        tile = Box(left + column * (wide + _GAP), top + row * (high + _GAP), wide, high)
        square = Box(tile.left + (wide - high) // 2, tile.top, high, high)
        label = max(14, round(0.11 * high))
        inset = round(0.03 * high)
        name = Box(tile.left + inset, tile.bottom - inset - label, wide - 2 * inset, label)
        panels.append(Panel(tile, square, name))
    return tuple(panels)
