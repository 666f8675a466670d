"""Draws hair and head coverings: a mass behind the head, and a cap in front of it with an opening for the face.

The cap is a stack of ellipses wider than the head, so its outline encloses the head at every angle; the opening is a
line on the head itself. Behind both lies the same mass, darker: no background can show between hair and face.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import skia

from models.avatars.features import Palette
from models.avatars.geometry import (
    Colour,
    Points,
    View,
    fill,
    hung,
    ink,
    line,
    mix,
    on_surface,
    project,
    shade,
    silhouette,
    smooth,
)
from models.avatars.presenters import Presenter

_WHITE = (255, 255, 255)
_NIGHT = (18, 14, 28)
COVERED = ("hijab", "turban", "headwrap")

Row = tuple[float, float, float, float, float]


def _cap(head: Points, grow: float, crown: float, low: float, side: float | None = None, taper: float = 0.4) -> Points:
    """The head made wider by `grow` above and `side` at the temples, `crown` higher, down to the height `low`."""
    side = grow if side is None else side
    keep = head[(head[:, 0] < low - 1.0) & (head[:, 0] > -28.9)]
    last = np.array([[low] + [float(np.interp(low, head[:, 0], head[:, i])) for i in range(1, 5)]])
    rows = np.concatenate([keep, last])
    y = rows[:, 0]
    extra = grow + (side - grow) * np.clip((y + 26) / 18, 0, 1)
    extra = extra * np.where(y > low - 6, taper + (1 - taper) * (low - y) / 6, 1.0)
    # The crown rises like a dome: narrower rows near the top rise most.
    rise = crown * np.clip((-y - 2) / 27, 0, 1) ** 1.3
    extra = extra * np.clip((y + 30.5) / 4, 0.3, 1)
    out = rows.copy()
    out[:, 1] += extra
    out[:, 2] += extra
    out[:, 4] += extra
    out[:, 0] -= rise
    top = np.array([[-29.0 - crown - 0.25 * grow, 0.0, 0.0, -3.0, 0.0]])
    return np.concatenate([top, out])


def _table(rows: Sequence[tuple[float, float, float, float]]) -> Points:
    """Rows of height, half width, depth of the centre, half depth."""
    a = np.array(rows, dtype=np.float64)
    return np.column_stack([a[:, 0], a[:, 1], a[:, 1], a[:, 2], a[:, 3]])


def _long_rows(head: Points, width: float, low: float, wave: float, crown: float) -> Points:
    """Hair that falls beside the face down to `low`."""
    top = _cap(head, 2.2, crown, 0.0, width - float(head[:, 1].max()), 1.0)[:-1]
    ys = np.linspace(-1.0, low, 7)
    w = width + wave * np.sin(np.linspace(0.3, 8.2, 7)) + np.linspace(0, 2.2, 7)
    w[-1] -= 2.6
    d = np.linspace(22, 14, 7)
    sides = np.column_stack([ys, w, w, np.linspace(-3, -4, 7), d])
    return np.concatenate([top, sides])


def _bumpy(path: skia.Path, points: Points, radius: float, rng: np.random.Generator) -> skia.Path:
    """A path with round curls along its edge."""
    ring = np.concatenate([points, points[:1]])
    steps = np.hypot(*np.diff(ring, axis=0).T)
    along = np.concatenate([[0], np.cumsum(steps)])
    count = max(6, int(along[-1] / (radius * 1.25)))
    at = np.linspace(0, along[-1], count, endpoint=False) + rng.uniform(-0.2, 0.2, count) * radius
    x, y = np.interp(at, along, ring[:, 0]), np.interp(at, along, ring[:, 1])
    for cx, cy, r in zip(x.tolist(), y.tolist(), (radius * rng.uniform(0.8, 1.2, count)).tolist(), strict=True):
        path.addCircle(cx, cy, r)
    return path


def _curl_marks(
    canvas: skia.Canvas,
    v: View,
    rows: Points,
    ink_: Palette,
    rng: np.random.Generator,
    count: int,
    low: float,
) -> None:
    """Small arcs that read as curls, on the surface of the hair."""
    angles = rng.uniform(-84, 84, count)
    heights = rng.uniform(float(rows[0, 0]) + 2, low, count)
    turns, sizes, dark = rng.uniform(0, 360, count), rng.uniform(1.1, 2.0, count), rng.random(count) < 0.5
    spots = hung(v, on_surface(v, rows, angles.tolist(), heights.tolist()))
    pens = line(ink_.hair_light, 0.7, 0.55), line(ink_.hair_dark, 0.7, 0.6)
    for (x, y), turn, r, d in zip(spots.tolist(), turns.tolist(), sizes.tolist(), dark.tolist(), strict=True):
        canvas.drawArc(skia.Rect.MakeXYWH(x - r, y - r, 2 * r, 2 * r), turn, 210, False, pens[int(d)])


def _hairline(
    v: View, head: Points, points: Sequence[tuple[float, float]], mirrored: bool, cloth: bool = False
) -> skia.Path:
    """The opening of a short cut: a line on the head from one temple to the other, open below.

    `points` are (angle in degrees, height), from the left ear to the right ear.
    """
    angles, heights = [a for a, _ in points], [h for _, h in points]
    if mirrored:
        angles, heights = [-a for a in angles[::-1]], heights[::-1]
    # Where the line runs behind the visible edge of the head the hair ends: nothing may stand off beyond a cheek.
    fine = np.linspace(0, len(angles) - 1, 4 * len(angles) - 3)
    turn = np.interp(fine, np.arange(len(angles)), angles)
    level = np.interp(fine, np.arange(len(angles)), heights)
    wide, deep = np.interp(level, head[:, 0], head[:, 2]), np.interp(level, head[:, 0], head[:, 4])
    edge = np.degrees(np.arctan2(wide * v.yaw[0], deep * v.yaw[1]))
    # Cloth goes on around the ear.
    beyond = 90.0 if cloth else 12.0
    seen = np.flatnonzero((turn <= edge + beyond) & (turn >= edge - 180 - beyond))
    keep = slice(int(seen[0]), int(seen[-1]) + 1)
    p = on_surface(v, head, turn[keep].tolist(), level[keep].tolist())
    path = smooth(p, closed=False)
    path.lineTo(p[-1, 0] + 40, p[-1, 1])
    path.lineTo(p[-1, 0] + 40, 80)
    path.lineTo(p[0, 0] - 40, 80)
    path.lineTo(p[0, 0] - 40, p[0, 1])
    path.close()
    return path


def _curtain(
    v: View,
    top: Sequence[tuple[float, float]],
    head: Points,
    sides: Sequence[tuple[float, float, float]],
    mirrored: bool,
) -> skia.Path:
    """The opening of long hair: a hairline, and two sides that fall beside the face."""
    angles, heights = [a for a, _ in top], [h for _, h in top]
    if mirrored:
        angles, heights = [-a for a in angles[::-1]], heights[::-1]
    line_ = on_surface(v, head, angles, heights)
    s = np.array(sides, dtype=np.float64)
    right = hung(v, project(v, s))
    left = hung(v, project(v, s * np.array([-1, 1, 1])))
    return smooth(np.concatenate([line_, right, left[::-1]]))


_SHORT = [(-92, 5.0), (-76, 4.5), (-71, -3.0), (-66, -9.0), (-57, -14.5), (-42, -18.8), (-20, -20.6), (0, -20.9)]
_SHORT_LINE = _SHORT + [(-a, h) for a, h in _SHORT[-2::-1]]
_PART = [
    (-92, 5.0),
    (-76, 4.0),
    (-70, -4.0),
    (-64, -10.0),
    (-54, -16.0),
    (-46, -21.0),
    (-36, -21.6),
    (-14, -19.2),
    (10, -16.6),
    (34, -14.0),
    (54, -11.5),
    (66, -7.5),
    (71, -2.0),
    (76, 4.0),
    (92, 5.0),
]
_PIXIE = [
    (-92, 7.0),
    (-74, 7.5),
    (-66, 1.0),
    (-62, -6.0),
    (-55, -12.0),
    (-48, -18.0),
    (-40, -19.6),
    (-20, -15.6),
    (0, -12.4),
    (22, -10.6),
    (42, -10.2),
    (56, -7.0),
    (62, -1.0),
    (68, 7.0),
    (74, 9.0),
    (92, 7.0),
]
_TUFTS = [
    (-92, 5.0),
    (-76, 4.5),
    (-71, -3.0),
    (-66, -9.5),
    (-57, -15.0),
    (-50, -15.2),
    (-43, -18.8),
    (-34, -17.4),
    (-26, -20.6),
    (-14, -18.2),
    (-4, -21.0),
    (8, -18.6),
    (20, -20.8),
    (30, -18.2),
    (42, -18.8),
    (50, -15.6),
    (58, -14.6),
    (66, -9.0),
    (71, -3.0),
    (76, 4.5),
    (92, 5.0),
]
_HIGH = [(-92, 4.0), (-80, 3.0), (-76, -4.0), (-70, -11.0), (-56, -18.0), (-40, -21.4), (-20, -22.6), (0, -22.8)]
_HIGH_LINE = _HIGH + [(-a, h) for a, h in _HIGH[-2::-1]]
_LONG_TOP_MIDDLE = [(-66, -6.0), (-62, -12.0), (-48, -18.0), (-24, -22.6), (0, -25.6)]
_LONG_TOP_MIDDLE = _LONG_TOP_MIDDLE + [(-a, h) for a, h in _LONG_TOP_MIDDLE[-2::-1]]
_LONG_TOP_SIDE = [
    (-66, -6.0),
    (-62, -12.0),
    (-52, -19.0),
    (-38, -24.6),
    (-18, -21.6),
    (8, -18.4),
    (34, -14.8),
    (54, -10.5),
    (64, -5.0),
]
_FRINGE_TOP = [
    (-68, -4.0),
    (-66, -7.6),
    (-52, -9.4),
    (-30, -10.0),
    (-10, -9.6),
    (10, -9.6),
    (30, -10.0),
    (52, -9.4),
    (66, -7.6),
    (68, -4.0),
]
_BESIDE = [
    (19.0, 0.0, 5.5),
    (18.4, 9.0, 5.0),
    (16.4, 18.0, 4.0),
    (15.0, 27.0, 2.5),
    (14.6, 36.0, 1.0),
    (16.0, 60.0, 0.0),
]


def hides_ears(p: Presenter) -> bool:
    return p.head_covering == "hijab" or (
        p.head_covering not in COVERED and p.hair in ("bob", "bob fringe", "long straight", "long wavy", "long curly")
    )


def ears_below_hair(p: Presenter) -> bool:
    """Whether the hair grows over the ears instead of behind them."""
    return p.head_covering not in COVERED and p.hair == "afro"


def _under_hat(p: Presenter, rows: Points, head: Points) -> Points:
    """Hair below a cap or beanie only."""
    if p.head_covering not in ("cap", "beanie"):
        return rows
    rows = rows[rows[:, 0] > -16.0].copy()
    shown = np.clip((rows[:, 0] + 9.0) / 12.0, 0, 1)
    for column in (1, 2, 4):
        bare = np.interp(rows[:, 0], head[:, 0], head[:, column])
        rows[:, column] = bare + (rows[:, column] - bare) * shown
    return rows


@dataclass(frozen=True, slots=True)
class Hair:
    """Hair in one view, worked out once for what lies behind the head and what lies in front."""

    rows: Points
    """A stack of ellipses, as in `geometry.limbs`."""
    opening: skia.Path
    """Where the face shows."""
    contour: Points
    outline: skia.Path
    rng: np.random.Generator
    """Where chance stands after the curls of the outline."""


def hair_of(v: View, p: Presenter, head: Points) -> Hair | None:
    """The hair of a presenter in this view; None where there is none to see."""
    if p.head_covering in COVERED or p.hair == "bald":
        return None
    rng = np.random.default_rng(p.detail)
    rows, opening = _front(v, p, head)
    rows = _under_hat(p, rows, head)
    contour = hung(v, silhouette(v, rows))
    outline = smooth(contour)
    if _curly(p):
        outline = _bumpy(outline, contour, _curly(p), rng)
    return Hair(rows, opening, contour, outline, rng)


def _front(v: View, p: Presenter, head: Points) -> tuple[Points, skia.Path]:
    """The stack of ellipses of the cap, and the opening for the face."""
    m = p.parted_left
    style = p.hair
    if style == "buzz":
        return _cap(head, 0.5, 0.7, 3.5, None, 0.0), _hairline(v, head, _SHORT_LINE, m)
    if style == "receding":
        ys = np.array([-18.0, -13.0, -9.0, -4.0, 1.0, 6.0])
        ring_rows = np.column_stack([ys] + [np.interp(ys, head[:, 0], head[:, i]) for i in range(1, 5)])
        swell = np.array([-0.2, 1.6, 2.5, 2.7, 1.9, 0.0])
        ring_rows[:, 1] += swell
        ring_rows[:, 2] += swell
        ring_rows[:, 4] += swell
        ring = [(-92, 6.0), (-78, 4.5), (-75, -3.0), (-77, -9.0), (-86, -14.0), (-100, -17.0)]
        return ring_rows, _hairline(v, head, ring + [(0, -45.0)] + [(-a, h) for a, h in ring[::-1]], m)
    if style == "crop":
        return _cap(head, 1.6, 4.2, 3.5, 0.9, 0.0), _hairline(v, head, _TUFTS, m)
    if style == "quiff":
        return _cap(head, 2.4, 7.6, 3.5, 0.7, 0.0), _hairline(v, head, _HIGH_LINE, m)
    if style == "side part":
        return _cap(head, 1.7, 4.4, 3.5, 1.2, 0.0), _hairline(v, head, _PART, m)
    if style == "curly top":
        return _cap(head, 2.0, 4.6, 3.0, 0.6, 0.0), _hairline(v, head, _SHORT_LINE, m)
    if style == "pixie":
        return _cap(head, 2.2, 4.6, 4.5, 1.8, 0.0), _hairline(v, head, _PIXIE, m)
    if style == "afro":
        rows = _table(
            [
                (-38.5, 0, -5, 0),
                (-36.8, 11, -5, 11),
                (-31, 21, -5, 20),
                (-21, 27.2, -5, 26),
                (-9, 28.8, -5, 27),
                (2, 26.6, -5, 25),
                (9.5, 22.4, -5, 20),
            ]
        )
        line_ = [(-70, -3.0), (-66, -10.0), (-56, -16.0), (-40, -20.0), (-20, -21.6), (0, -22.0)]
        beside = [(19.6, 3.0, 4.0), (18.6, 9.0, 3.5), (16.8, 18.0, 3.0), (15.0, 40.0, 0.0), (16.0, 60.0, 0.0)]
        return rows, _curtain(v, line_ + [(-a, h) for a, h in line_[-2::-1]], head, beside, m)
    if style in ("bun", "ponytail"):
        top = _LONG_TOP_SIDE if p.detail % 3 == 0 else _HIGH_LINE
        if top is _LONG_TOP_SIDE:
            top = [(-92, 5.0), (-80, 3.0), (-75, -4.0), *_LONG_TOP_SIDE[1:-1], (72, -4.0), (80, 3.0), (92, 5.0)]
        return _cap(head, 1.2, 3.0, 3.5, 0.9, 0.0), _hairline(v, head, top, m)
    if style in ("bob", "bob fringe"):
        rows = _long_rows(head, 24.6, 27.5, 0.0, 4.0)
        rows[-2:, 1:3] += np.array([[0.2], [-1.4]])
        top = _FRINGE_TOP if style == "bob fringe" else _LONG_TOP_SIDE
        return rows, _curtain(v, top, head, _BESIDE, m)
    low = 50.0
    if style == "long curly":
        return _long_rows(head, 26.4, 40.0, 0.5, 5.4), _curtain(v, _LONG_TOP_SIDE, head, _BESIDE, m)
    wave = 1.1 if style == "long wavy" else 0.15
    top = _LONG_TOP_MIDDLE if p.detail % 2 else _LONG_TOP_SIDE
    if style == "long wavy":
        top = _LONG_TOP_SIDE if p.detail % 3 else _LONG_TOP_MIDDLE
    return _long_rows(head, 24.2, low, wave, 4.2), _curtain(v, top, head, _BESIDE, m)


def _curly(p: Presenter) -> float:
    """The size of the curls along the edge, 0 for straight hair."""
    return {"afro": 2.6, "curly top": 2.3, "long curly": 2.7}.get(p.hair, 0.0)


def draw_back(
    canvas: skia.Canvas, v: View, p: Presenter, ink_: Palette, head: Points, hair: Hair | None, cover: Colour
) -> None:
    """What lies behind the head and the neck."""
    if p.head_covering in ("hijab", "turban", "headwrap"):
        rows = _hijab_rows(head) if p.head_covering == "hijab" else _WRAPS[p.head_covering]
        canvas.drawPath(smooth(silhouette(v, rows)), fill(mix(cover, _NIGHT, 0.30)))
        return
    if p.head_covering != "none":
        canvas.drawPath(smooth(silhouette(v, _hat_rows(p, head))), fill(mix(cover, _NIGHT, 0.30)))
    if hair is None:
        return
    dark = mix(ink_.hair, ink_.hair_dark, 0.75)
    if p.hair == "bun":
        ((x, y),) = project(v, [(0.0, -32.6, -9.0)]).tolist()
        path = skia.Path()
        path.addCircle(x, y, 8.4)
        canvas.drawPath(
            path, shade((x - 5, y - 8), (x + 5, y + 8), [ink(ink_.hair_light), ink(ink_.hair), ink(ink_.hair_dark)])
        )
        canvas.drawArc(skia.Rect.MakeXYWH(x - 5.0, y - 5.6, 10, 9), 200, 120, False, line(ink_.hair_light, 0.8, 0.6))
        canvas.drawArc(skia.Rect.MakeXYWH(x - 6.4, y - 3.0, 12.8, 9), 195, 150, False, line(ink_.hair_dark, 0.8, 0.7))
    if p.hair == "ponytail":
        side = -1 if p.parted_left else 1
        tail = np.array(
            [
                (4, -27, -16),
                (19, -27, -17),
                (28.5, -15, -16),
                (31, 4, -15),
                (29.5, 22, -12),
                (24.5, 37, -9),
                (23.5, 22, -11),
                (22.5, 4, -13),
                (12, -8, -16),
            ],
            dtype=np.float64,
        )
        tail = hung(v, project(v, tail * np.array([side, 1, 1])))
        canvas.drawPath(smooth(tail), shade((0, -10), (0, 44), [ink(ink_.hair), ink(ink_.hair_dark)]))
        strand = hung(v, project(v, [(side * 23, -16, -15), (side * 27.5, 4, -13), (side * 25.5, 30, -9)]))
        canvas.drawPath(smooth(strand, closed=False), line(ink_.hair_light, 0.9, 0.4))
    path, opening = hair.outline, hair.opening
    if hides_ears(p) or p.hair == "afro":
        canvas.drawPath(path, fill(dark))
        return
    # Below the temples a short cut ends at its hairline; above them it fills whatever the head leaves free.
    ((_, cut),) = project(v, [(0.0, -6.0, -3.0)]).tolist()
    canvas.save()
    canvas.clipRect(skia.Rect.MakeLTRB(-60, -60, 60, cut), doAntiAlias=False)
    canvas.drawPath(path, fill(dark))
    canvas.restore()
    canvas.save()
    canvas.clipRect(skia.Rect.MakeLTRB(-60, cut, 60, 60), doAntiAlias=False)
    canvas.clipPath(opening, skia.ClipOp.kDifference, True)
    canvas.drawPath(path, fill(dark))
    canvas.restore()


def draw_front(canvas: skia.Canvas, v: View, p: Presenter, ink_: Palette, head: Points, hair: Hair | None) -> None:
    """The hair that frames the face."""
    if hair is None:
        return
    rows, opening, contour, path = hair.rows, hair.opening, hair.contour, hair.outline
    size = _curly(p)
    canvas.save()
    # A shadow of the hair on the forehead, then the hair itself.
    if p.hair not in ("buzz", "receding"):
        canvas.save()
        canvas.clipPath(smooth(silhouette(v, head)), doAntiAlias=True)
        canvas.translate(0, 1.5)
        canvas.clipPath(opening, skia.ClipOp.kDifference, True)
        canvas.drawPath(path, fill(ink_.shadow, 0.55))
        canvas.restore()
    canvas.clipPath(opening, skia.ClipOp.kDifference, True)
    top = float(contour[:, 1].min())
    low = float(contour[:, 1].max())
    alpha = 0.88 if p.hair == "buzz" else 1.0
    mid = (ink_.hair_light, ink_.hair, mix(ink_.hair, ink_.hair_dark, 0.55))
    cx = float(contour[0, 0])
    canvas.drawPath(path, shade((cx - 8, top), (cx + 10, min(low, top + 62)), [ink(c, alpha) for c in mid]))
    canvas.clipPath(path, doAntiAlias=True)
    if size:
        _curl_marks(
            canvas,
            v,
            rows,
            ink_,
            hair.rng,
            {"afro": 70, "curly top": 34, "long curly": 84}[p.hair],
            float(rows[-1, 0]) - 2,
        )
    elif p.hair not in ("buzz", "receding"):
        _strands(canvas, v, p, ink_, rows)
    canvas.restore()


def _strands(canvas: skia.Canvas, v: View, p: Presenter, ink_: Palette, rows: Points) -> None:
    """A few lines along the hair, and a soft band of light."""
    side = -1.0 if not p.parted_left else 1.0
    top = float(rows[0, 0])
    long_ = p.hair in ("bob", "bob fringe", "long straight", "long wavy")
    swept = p.hair in ("side part", "pixie", "bob", "long wavy", "long straight", "quiff")
    origin = side * -1 * (38 if swept else 14 if p.hair == "crop" else 0)
    if p.hair in ("bun", "ponytail"):
        origin = 0.0
    lows = 4.0 if not long_ else (24.0 if p.hair.startswith("bob") else 46.0)
    for i, end in enumerate((-86, -68, -50, -30, -10, 12, 34, 54, 72, 88)):
        start = origin + (end - origin) * 0.18
        t = np.linspace(0, 1, 5)
        angles = start + (end - start) * t**0.6
        reach = lows if abs(end) > 60 and long_ else -9.0 + 0.12 * abs(end)
        if p.hair == "bob fringe" and abs(end) < 60:
            reach = -9.0
        heights = top + 2.0 + (reach - top) * t
        strand = hung(v, on_surface(v, rows, angles.tolist(), heights.tolist(), -0.6))
        pen = line(ink_.hair_light, 0.75, 0.34) if i % 2 else line(ink_.hair_dark, 0.75, 0.42)
        canvas.drawPath(smooth(strand, closed=False), pen)
    shine = np.linspace(-62, 30, 6) * -side
    h = top + 8.5 + 3.0 * (np.abs(shine) / 60) ** 2
    band = on_surface(v, rows, shine.tolist(), h.tolist(), -0.5)
    canvas.drawPath(smooth(band, closed=False), line(ink_.hair_light, 2.2, 0.26))


_WRAPS = {
    "turban": _table(
        [
            (-40.5, 0, -4, 0),
            (-39.2, 8, -4, 9),
            (-34, 18.5, -4, 19),
            (-25, 24.4, -4, 25),
            (-15, 25.2, -3.5, 26),
            (-8, 23.6, -3, 25),
            (-2, 21.6, -3, 23),
            (2.0, 20.2, -3, 21),
        ]
    ),
    "headwrap": _table(
        [
            (-41, 0, -6, 0),
            (-40, 9, -6, 9),
            (-36, 17.5, -6, 18),
            (-29, 22.5, -5, 23),
            (-20, 23.6, -4, 25),
            (-11, 22.6, -3, 25),
            (-5, 21.8, -3, 23.5),
            (0.5, 20.4, -3, 21.5),
        ]
    ),
}


def _hat_rows(p: Presenter, head: Points) -> Points:
    return _cap(head, 2.6, 4.4 if p.head_covering == "cap" else 6.0, -10.4, 2.4, 1.0)


def _hijab_rows(head: Points) -> Points:
    top = _cap(head, 3.0, 4.0, 0.0, 3.6, 1.0)[:-1]
    w = float(head[:, 1].max())
    sides = _table(
        [
            (0.0, w + 3.6, -3, 23),
            (10, w + 2.6, -2, 21),
            (20, w + 1.0, -2, 18),
            (29, w - 1.0, -2, 16),
            (36, w + 2.0, -3, 16),
            (42, w + 10, -3, 16),
            (52, w + 18, -3, 16),
            (62, w + 19, -3, 16),
        ]
    )
    return np.concatenate([top, sides])


def _folds(
    canvas: skia.Canvas, v: View, rows: Points, lines: Sequence[Sequence[tuple[float, float]]], colour: Colour
) -> None:
    """Creases of cloth on the surface of a covering, each a list of (angle, height)."""
    for i, fold in enumerate(lines):
        p = on_surface(v, rows, [a for a, _ in fold], [h for _, h in fold], -0.3)
        pen = line(mix(colour, _NIGHT, 0.32), 0.8, 0.65) if i % 2 == 0 else line(mix(colour, _WHITE, 0.35), 0.8, 0.5)
        canvas.drawPath(smooth(p, closed=False), pen)


def draw_covering(canvas: skia.Canvas, v: View, p: Presenter, head: Points, colour: Colour, drop: float) -> None:
    """Hijab, turban, headwrap, beanie or cap."""
    kind = p.head_covering
    light, dark = mix(colour, _WHITE, 0.20), mix(colour, _NIGHT, 0.24)
    if kind == "none":
        return
    if kind == "hijab":
        rows = _hijab_rows(head)
        a = np.linspace(0, 2 * np.pi, 18, endpoint=False)
        w = float(head[:, 1].max())
        x = (w - 1.8) * np.sin(a) * np.where(np.cos(a) < 0, 1 - 0.12 * np.cos(a) ** 2, 1.0)
        y = 4.9 - 23.6 * np.cos(a) + np.where(np.cos(a) < 0, drop, 0.0) * np.abs(np.cos(a))
        z = 12.0 - 0.020 * x**2 + np.where(np.cos(a) > 0, 2.0, 0.0) * np.cos(a)
        opening = smooth(project(v, np.column_stack([x, y, z])))
        inner = smooth(project(v, np.column_stack([x * 1.03, y - 1.4 * np.cos(a) - 0.3, z - 1.5])))
        canvas.save()
        canvas.clipPath(opening, skia.ClipOp.kDifference, True)
        outline = smooth(silhouette(v, rows))
        canvas.drawPath(outline, shade((-16, -34), (18, 60), [ink(light), ink(colour), ink(dark)]))
        canvas.clipPath(outline, doAntiAlias=True)
        canvas.drawPath(inner, line(dark, 1.6, 0.55))
        for side in (-1, 1):
            for k, (x0, y0, x1, y1) in enumerate(((17.5, 20, 6, 34), (19.5, 17, 11, 38), (20.5, 24, 20, 42))):
                fold = project(
                    v, [(side * x0, y0, 6), (side * (x0 * 0.8), (y0 + y1) / 2 + 2 + drop, 7), (side * x1, y1 + drop, 6)]
                )
                pen = line(dark, 0.9, 0.7) if k != 1 else line(light, 0.9, 0.6)
                canvas.drawPath(smooth(fold, closed=False), pen)
        drape = project(v, [(-19, 22, 8), (-10, 37 + drop, 9), (6, 42 + drop, 9), (24, 44, 4), (34, 50, 0)])
        canvas.drawPath(smooth(drape, closed=False), line(dark, 1.1, 0.7))
        drape = project(v, [(-16, 31, 8), (-4, 43 + drop, 9), (12, 50, 9), (20, 60, 4)])
        canvas.drawPath(smooth(drape, closed=False), line(dark, 0.9, 0.5))
        canvas.restore()
        return
    if kind in ("turban", "headwrap"):
        rows = _WRAPS[kind]
        if kind == "turban":
            edge = [(-96, 1.0), (-82, -1.0), (-66, -6.5), (-44, -12.5), (-20, -17.0), (0, -19.6)]
        else:
            edge = [(-96, 0.0), (-84, -2.0), (-70, -9.0), (-46, -15.6), (-20, -18.6), (0, -19.4)]
        opening = _hairline(v, head, edge + [(-a, h) for a, h in edge[-2::-1]], False, cloth=True)
        outline = smooth(silhouette(v, rows))
        canvas.save()
        canvas.clipPath(smooth(silhouette(v, head)), doAntiAlias=True)
        canvas.translate(0, 1.6)
        canvas.clipPath(opening, skia.ClipOp.kDifference, True)
        canvas.drawPath(outline, fill(mix((90, 40, 40), _NIGHT, 0.3), 0.22))
        canvas.restore()
        canvas.save()
        canvas.clipPath(opening, skia.ClipOp.kDifference, True)
        canvas.drawPath(outline, shade((-14, -40), (16, 0), [ink(light), ink(colour), ink(dark)]))
        canvas.clipPath(outline, doAntiAlias=True)
        if kind == "turban":
            lines = [
                [(-88, -2), (-50, -13), (-12, -22), (14, -30), (40, -36)],
                [(-88, -9), (-54, -19), (-18, -28), (10, -36)],
                [(-86, -18), (-56, -26), (-28, -34)],
                [(88, -2), (50, -13), (22, -20), (4, -26)],
                [(88, -8), (56, -18), (28, -25), (10, -31)],
                [(88, -14), (60, -23), (36, -30), (20, -35)],
                [(86, -22), (66, -28), (46, -34)],
            ]
            _folds(canvas, v, rows, lines, colour)
        else:
            lines = [
                [(-88, -5), (-40, -16), (0, -21), (40, -24), (80, -24)],
                [(-88, -12), (-40, -22), (10, -28), (70, -30)],
                [(88, -6), (50, -15), (16, -21)],
                [(-84, -22), (-40, -30), (0, -35), (40, -37)],
            ]
            _folds(canvas, v, rows, lines, colour)
        canvas.restore()
        if kind == "headwrap":
            knot = project(
                v,
                [
                    (-7, -30, 17),
                    (-3, -37, 15),
                    (2, -33.5, 17),
                    (8, -38.5, 14),
                    (11, -31.5, 15),
                    (5, -26.5, 20),
                    (0, -25.2, 21),
                    (-4.5, -26.5, 20),
                ],
            )
            canvas.drawPath(smooth(knot), fill(light))
            canvas.drawPath(smooth(knot), line(dark, 0.7, 0.6))
            crease = project(v, [(0.5, -33, 18), (1.5, -30, 19.5), (0.5, -27, 20.5)])
            canvas.drawPath(smooth(crease, closed=False), line(dark, 0.8, 0.7))
        return
    rows = _hat_rows(p, head)
    edge = [(-100, -11.0), (-84, -11.2), (-50, -12.6), (-22, -13.7), (0, -14.0)]
    edge = edge + [(-a, h) for a, h in edge[-2::-1]]
    opening = _hairline(v, rows, edge, False)
    outline = smooth(silhouette(v, rows))
    canvas.save()
    canvas.clipPath(smooth(silhouette(v, head)), doAntiAlias=True)
    canvas.translate(0, 1.8)
    canvas.clipPath(opening, skia.ClipOp.kDifference, True)
    canvas.drawPath(outline, fill(mix((90, 40, 40), _NIGHT, 0.3), 0.22))
    canvas.restore()
    canvas.save()
    canvas.clipPath(opening, skia.ClipOp.kDifference, True)
    canvas.drawPath(outline, shade((-14, -36), (18, -6), [ink(light), ink(colour), ink(dark)]))
    canvas.clipPath(outline, doAntiAlias=True)
    if kind == "beanie":
        upper = on_surface(v, rows, [a for a, _ in edge], [h - 6.6 for _, h in edge])
        lower = on_surface(v, rows, [a for a, _ in edge], [h for _, h in edge])
        band = smooth(np.concatenate([upper, lower[::-1]]))
        canvas.drawPath(band, fill(mix(colour, _WHITE, 0.10)))
        canvas.drawPath(smooth(upper, closed=False), line(dark, 0.8, 0.8))
        for angle in range(-84, 85, 12):
            rib = on_surface(
                v, rows, [angle] * 2, [-11.2 - 2.6 * np.cos(np.radians(angle)), -16.6 - 2.8 * np.cos(np.radians(angle))]
            )
            canvas.drawPath(smooth(rib, closed=False), line(dark, 0.6, 0.5))
    else:
        for angle in (-42, 0, 42):
            seam = on_surface(v, rows, [angle, angle * 0.9, angle * 0.4], [-14, -24, -33])
            canvas.drawPath(smooth(seam, closed=False), line(dark, 0.6, 0.6))
    canvas.restore()
    if kind == "cap":
        brim_back = on_surface(
            v, rows, [-62, -40, -18, 0, 18, 40, 62], [-12.2, -14.4, -15.8, -16.2, -15.8, -14.4, -12.2], 0.3
        )
        brim_front = project(
            v, [(17.8, -10.0, 17.5), (13, -8.4, 29), (0, -8.4, 35), (-13, -8.4, 29), (-17.8, -10.0, 17.5)]
        )
        brim = smooth(np.concatenate([brim_back, brim_front]))
        canvas.drawPath(
            brim, shade((0, -17), (0, -6), [ink(mix(colour, _NIGHT, 0.10)), ink(mix(colour, _NIGHT, 0.34))])
        )
        canvas.drawPath(smooth(brim_back, closed=False), line(dark, 0.8, 0.8))
