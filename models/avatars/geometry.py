"""Turns points on a head in space into smooth shapes on the canvas: rotation, projection, silhouettes, splines.

Units are hundredths of the frame. The origin is the middle of the head, x points right, y down, z to the camera.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import skia
from numpy.typing import NDArray

Points = NDArray[np.float64]

CENTRE = (50.0, 47.5)
"""Where the middle of the head sits in the frame, in hundredths."""
PIVOT = (0.0, 24.0, -6.0)
"""The point the head turns around: the top of the neck."""
CAMERA = 420.0


@dataclass(frozen=True, slots=True)
class View:
    """How the head stands: sines and cosines of its three turns, and where it was shifted to."""

    yaw: tuple[float, float]
    pitch: tuple[float, float]
    roll: tuple[float, float]
    shift: tuple[float, float]
    swing: float = 0.0
    """How far what hangs 40 hundredths below the middle of the head has swung to the right."""


def view(yaw: float, pitch: float, roll: float, shift_x: float, shift_y: float, swing: float = 0.0) -> View:
    """Angles in degrees: yaw > 0 turns to the viewer's right, pitch > 0 looks up, roll > 0 tilts clockwise. Shifts and the
    swing of hanging hair in fractions of the frame."""
    turns = [(math.cos(math.radians(a)), math.sin(math.radians(a))) for a in (yaw, pitch, roll)]
    return View(turns[0], turns[1], turns[2], (100 * shift_x, 100 * shift_y), 100 * swing)


def _place(v: View, x: Points, y: Points, z: Points) -> Points:
    """Pitch, perspective, roll and shift for points that were turned by the yaw already, relative to the pivot."""
    cp, sp = v.pitch
    cr, sr = v.roll
    yy = y * cp - z * sp
    zz = y * sp + z * cp
    k = CAMERA / (CAMERA - zz)
    xx, yy = x * k, yy * k
    out = np.empty((len(xx), 2))
    out[:, 0] = xx * cr - yy * sr + PIVOT[0] + v.shift[0]
    out[:, 1] = xx * sr + yy * cr + PIVOT[1] + v.shift[1]
    return out


def project(v: View, points: Points | Sequence[Sequence[float]]) -> Points:
    """(N, 3) points in head space to (N, 2) points in the frame."""
    p = np.asarray(points, dtype=np.float64)
    return project_xyz(v, p[:, 0], p[:, 1], p[:, 2])


def project_xyz(v: View, x: Points, y: Points, z: Points) -> Points:
    """`project` for coordinates that come apart, each (N,)."""
    c, s = v.yaw
    x = x - PIVOT[0]
    z = z - PIVOT[2]
    return _place(v, x * c + z * s, y - PIVOT[1], z * c - x * s)


def hung(v: View, points: Points) -> Points:
    """(N, 2) points in the frame, those below the ears moved with the swing of what hangs there."""
    if not v.swing:
        return points
    reach = np.clip((points[:, 1] - 4.0) / 36.0, 0, 1.3)
    return points + np.column_stack([v.swing * reach**1.5, np.zeros(len(points))])


def limbs(v: View, rows: Points) -> tuple[Points, Points]:
    """The right and left silhouette of a stack of ellipses.

    `rows` is (N, 5): height y, half width to the left, half width to the right, depth of the centre, half depth.
    """
    c, s = v.yaw
    y = rows[:, 0] - PIVOT[1]
    z = rows[:, 3] - PIVOT[2]
    deep = (rows[:, 4] * s) ** 2
    left = z * s - np.sqrt((rows[:, 1] * c) ** 2 + deep)
    right = z * s + np.sqrt((rows[:, 2] * c) ** 2 + deep)
    return _place(v, right, y, z * c), _place(v, left, y, z * c)


def silhouette(v: View, rows: Points) -> Points:
    """A closed contour, clockwise from the top, around a stack of ellipses whose first and last may be points."""
    right, left = limbs(v, rows)
    first, last = rows[0, 1] + rows[0, 2] < 1e-6, rows[-1, 1] + rows[-1, 2] < 1e-6
    parts = [right]
    # Points crowded at the corners keep the spline from swinging out before and after a straight edge.
    steps = np.array([[0.05], [0.15], [0.4], [0.6], [0.85], [0.95]])
    if not last:
        parts.append(right[-1:] + steps * (left[-1:] - right[-1:]))
    parts.append(left[int(first) : len(left) - int(last)][::-1])
    if not first:
        parts.append(left[:1] + steps * (right[:1] - left[:1]))
    return np.concatenate(parts)


def on_surface(v: View, rows: Points, angles: Sequence[float], heights: Sequence[float], lift: float = 0.0) -> Points:
    """Points on a stack of ellipses by angle (degrees, 0 in front) and height, held at the visible edge."""
    y = np.asarray(heights, dtype=np.float64)
    wl, wr, zc, d = (np.interp(y, rows[:, 0], rows[:, i]) for i in (1, 2, 3, 4))
    theta = np.radians(np.asarray(angles, dtype=np.float64))
    w = np.where(theta < 0, wl, wr) + lift
    d = d + lift
    c, s = v.yaw
    edge = np.arctan2(w * c, d * s)
    theta = np.clip(theta, edge - math.pi, edge)
    x, z = w * np.sin(theta), zc + d * np.cos(theta) - PIVOT[2]
    return _place(v, x * c + z * s, y - PIVOT[1], z * c - x * s)


def smooth(points: Points, closed: bool = True, path: skia.Path | None = None) -> skia.Path:
    """A Catmull-Rom spline through (N, 2) points, as cubic curves."""
    p = points
    if closed:
        a = p
        ring = np.concatenate([p[-1:], p, p[:2]])
        before, b, after2 = ring[:-3], ring[2:-1], ring[3:]
    else:
        a, b = p[:-1], p[1:]
        before = np.concatenate([p[:1], p[:-2]])
        after2 = np.concatenate([p[2:], p[-1:]])
    curves = np.concatenate([a + (b - before) / 6, b - (after2 - a) / 6, b], axis=1).tolist()
    path = skia.Path() if path is None else path
    path.moveTo(*p[0].tolist())
    for curve in curves:
        path.cubicTo(*curve)
    if closed:
        path.close()
    return path


def polygon(points: Points, path: skia.Path | None = None) -> skia.Path:
    """A closed shape with straight edges through (N, 2) points."""
    path = skia.Path() if path is None else path
    path.addPoly([skia.Point(x, y) for x, y in points.tolist()], True)
    return path


Colour = tuple[float, float, float]
"""Red, green, blue in 0..255."""


def rgb(text: str) -> Colour:
    """`#rrggbb` as three numbers."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """`share` of b in a."""
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share


def ink(colour: Colour, alpha: float = 1.0) -> int:
    """A skia colour."""
    return skia.Color(round(colour[0]), round(colour[1]), round(colour[2]), round(255 * alpha))


@lru_cache(maxsize=4096)
def fill(colour: Colour, alpha: float = 1.0) -> skia.Paint:
    return skia.Paint(AntiAlias=True, Color=ink(colour, alpha))


@lru_cache(maxsize=4096)
def line(colour: Colour, width: float, alpha: float = 1.0) -> skia.Paint:
    return skia.Paint(
        AntiAlias=True,
        Color=ink(colour, alpha),
        Style=skia.Paint.kStroke_Style,
        StrokeWidth=width,
        StrokeCap=skia.Paint.kRound_Cap,
        StrokeJoin=skia.Paint.kRound_Join,
    )


def shade(start: tuple[float, float], end: tuple[float, float], colours: Sequence[int]) -> skia.Paint:
    """A straight gradient from one point to another."""
    shader = skia.GradientShader.MakeLinear([skia.Point(*start), skia.Point(*end)], list(colours))
    return skia.Paint(AntiAlias=True, Shader=shader)


def glow(centre: tuple[float, float], radius: float, colours: Sequence[int]) -> skia.Paint:
    """A round gradient."""
    return skia.Paint(AntiAlias=True, Shader=skia.GradientShader.MakeRadial(skia.Point(*centre), radius, list(colours)))
