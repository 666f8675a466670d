"""Draws the neck, the shoulders and what they wear. Units as in `geometry`."""

from functools import lru_cache

import numpy as np
import skia

from models.avatars.features import Palette
from models.avatars.geometry import Colour, View, fill, ink, line, mix, polygon, project, shade, smooth
from models.avatars.presenters import Presenter

_DARK = (24, 22, 34)


def neck_width(p: Presenter) -> float:
    """Half the width of the neck."""
    return {"feminine": 8.2, "neutral": 9.0, "masculine": 10.2}[p.presentation] + 0.4 * p.jaw


@lru_cache(maxsize=256)
def _body(p: Presenter) -> skia.Path:
    """The outline of the clothes, down past the edge of the frame."""
    n = neck_width(p)
    wide = {"feminine": 35.0, "neutral": 37.0, "masculine": 40.0}[p.presentation]
    right = np.array(
        [(n + 0.3, 34.2), (n + 5.0, 38.2), (wide * 0.68, 41.6), (wide * 0.92, 45.0), (wide + 2, 51), (wide + 3, 64)]
    )
    left = right[::-1] * np.array([-1, 1])
    path = skia.Path()
    smooth(right, closed=False, path=path)
    for x, y in left.tolist()[:1]:
        path.lineTo(x, y)
    points = left.tolist()
    for i in range(len(points) - 1):
        a, b = points[i], points[i + 1]
        before = points[i - 1] if i else a
        after = points[i + 2] if i + 2 < len(points) else b
        path.cubicTo(
            a[0] + (b[0] - before[0]) / 6,
            a[1] + (b[1] - before[1]) / 6,
            b[0] - (after[0] - a[0]) / 6,
            b[1] - (after[1] - a[1]) / 6,
            b[0],
            b[1],
        )
    path.close()
    return path


Body = tuple[float, float, float]
"""How the shoulders stand: moved sideways and down, in hundredths of the frame, and tilted, in degrees."""


def _settle(canvas: skia.Canvas, body: Body) -> None:
    canvas.translate(body[0], body[1])
    canvas.rotate(body[2], 0, 60)


def _mirror(points: list[tuple[float, float]], side: int) -> np.ndarray:
    return np.array([(side * x, y) for x, y in points], dtype=np.float64)


def draw_neck(
    canvas: skia.Canvas, v: View, body: Body, p: Presenter, ink_: Palette, cloth: Colour, drop: float
) -> None:
    """The neck between the moving head and the still shoulders, with the shadow of the chin on it."""
    n = neck_width(p)
    # The inside of the collar, behind the neck.
    canvas.save()
    _settle(canvas, body)
    canvas.drawPath(_body(p), fill(mix(cloth, _DARK, 0.42)))
    if p.clothing == "hoodie":
        canvas.drawRect(skia.Rect.MakeLTRB(-n - 1.6, 33.2, n + 1.6, 38.0), fill(mix(cloth, _DARK, 0.42)))
    canvas.restore()
    top = project(v, [(n - 0.6, 14.0, -3.0), (n - 0.8, 26.0, -2.0), (-n + 0.8, 26.0, -2.0), (-n + 0.6, 14.0, -3.0)])
    sx = body[0]
    low = np.array(
        [
            (n + 0.8 + sx, 36.0),
            (n + 8 + sx, 42.0),
            (n + 9, 60.0),
            (-n - 9, 60.0),
            (-n - 8 + sx, 42.0),
            (-n - 0.8 + sx, 36.0),
        ]
    )
    path = polygon(np.concatenate([top[:2], low, top[2:]]))
    canvas.drawPath(path, fill(ink_.skin))
    canvas.save()
    canvas.clipPath(path, doAntiAlias=True)
    chin = project(
        v,
        [
            (-19.0, 12.0, 4.0),
            (-13.5, 25.0 + drop, 8.0),
            (0.0, 34.6 + drop, 10.0),
            (13.5, 25.0 + drop, 8.0),
            (19.0, 12.0, 4.0),
        ],
    )
    canvas.drawPath(smooth(chin), fill(mix(ink_.shadow, ink_.deep, 0.22), 0.95))
    canvas.restore()


def draw_clothes(canvas: skia.Canvas, body: Body, p: Presenter, ink_: Palette, cloth: Colour, accent: Colour) -> None:
    """Everything worn on the shoulders."""
    n = neck_width(p)
    canvas.save()
    _settle(canvas, body)
    body = _body(p)
    dark, light = mix(cloth, _DARK, 0.24), mix(cloth, (255, 255, 255), 0.14)
    paint = shade((-20, 34), (22, 60), [ink(light), ink(cloth), ink(mix(cloth, _DARK, 0.12))])
    kind = p.clothing
    edge = _opening(p, n)
    opening = skia.Path()
    if edge is not None:
        opening = smooth(edge, closed=False) if len(edge) == 7 else polygon(edge)
        opening.close()
    canvas.save()
    canvas.clipPath(opening, skia.ClipOp.kDifference, True)
    base = paint
    if kind in ("blazer", "suit", "cardigan"):
        base = fill((244, 243, 240) if kind == "suit" else accent)
    canvas.drawPath(body, base)
    canvas.restore()
    seam = line(dark, 0.7, 0.8)
    if kind in ("blazer", "suit", "cardigan"):
        inner: Colour = (244, 243, 240) if kind == "suit" else accent
        if _is_formal(p):
            _collar(canvas, n, inner, open_=False)
            if kind == "suit":
                tie = accent if sum(accent) < 560 else (150, 52, 60)
                knot = [(-2.1, 41.2), (2.1, 41.2), (1.3, 44.8), (-1.3, 44.8)]
                canvas.drawPath(polygon(np.array([(-1.3, 44.6), (1.3, 44.6), (3.2, 60), (-3.2, 60)])), fill(tie))
                canvas.drawPath(polygon(np.array(knot)), fill(mix(tie, _DARK, 0.22)))
        else:
            _trim(canvas, body, edge, mix(inner, _DARK, 0.14), 1.2)
        for side in (-1, 1):
            cut = polygon(_mirror([(n + 0.2, 34.0), (2.0, 58.0), (1.0, 70.0), (70, 70), (70, 30), (n + 0.2, 30)], side))
            canvas.save()
            canvas.clipPath(body, doAntiAlias=True)
            canvas.drawPath(cut, paint)
            if kind == "cardigan":
                border = _mirror([(n + 0.2, 33.0), (2.2, 57.0)], side)
                canvas.drawPath(smooth(border, closed=False), line(dark, 2.2))
            else:
                lapel = _mirror(
                    [(n + 0.2, 33.5), (n + 5.6, 37.0), (15.4, 46.4), (12.2, 47.4), (13.6, 49.4), (2.6, 62), (1.6, 60)],
                    side,
                )
                canvas.drawPath(polygon(lapel), fill(mix(cloth, (255, 255, 255), 0.07)))
                canvas.drawPath(polygon(lapel), line(dark, 0.6, 0.9))
            canvas.restore()
    elif kind == "turtleneck":
        roll = np.array([(-n - 1.2, 31.6), (0, 33.6), (n + 1.2, 31.6), (n + 2.6, 37.4), (0, 40.4), (-n - 2.6, 37.4)])
        canvas.drawPath(smooth(roll), fill(mix(cloth, (255, 255, 255), 0.06)))
        under = np.array([(-n - 2.4, 37.6), (0, 40.6), (n + 2.4, 37.6)])
        canvas.drawPath(smooth(under, closed=False), line(dark, 0.9, 0.9))
        for i in range(-3, 4):
            x = i * (n + 1.0) / 3.6
            canvas.drawLine(x, 34.4 - 0.16 * abs(i) ** 2, x * 1.08, 39.0 - 0.2 * abs(i) ** 2, line(dark, 0.4, 0.5))
    else:
        if kind == "tee":
            _trim(canvas, body, edge, dark, 1.7)
        elif kind == "blouse":
            _trim(canvas, body, edge, dark, 0.8)
        elif kind == "v-neck":
            _trim(canvas, body, edge, dark, 1.5)
        elif kind == "shirt":
            _collar(canvas, n, mix(cloth, (255, 255, 255), 0.16), open_=True)
            canvas.drawLine(0.0, 46.0, 0.0, 60.0, seam)
            canvas.drawCircle(1.3, 49.5, 0.6, fill(mix(cloth, (255, 255, 255), 0.6)))
        elif kind == "kurta":
            _trim(canvas, body, edge, dark, 0.6)
            band = [(-n + 0.2, 32.6), (-n + 0.9, 37.0), (-0.6, 41.4), (-0.6, 44.4), (-n - 1.2, 40.2), (-n - 1.9, 35.0)]
            for side in (-1, 1):
                canvas.drawPath(polygon(_mirror([(-x, y) for x, y in band], side)), fill(mix(cloth, accent, 0.55)))
            slit = polygon(np.array([(-1.7, 41), (1.7, 41), (1.7, 60), (-1.7, 60)]))
            canvas.drawPath(slit, fill(mix(cloth, accent, 0.4)))
            for y in (44.5, 49.0):
                canvas.drawCircle(0, y, 0.65, fill(mix(accent, (255, 255, 255), 0.4)))
        elif kind == "hoodie":
            for side in (-1, 1):
                hood = _mirror(
                    [
                        (n + 0.8, 32.2),
                        (n + 6.4, 35.0),
                        (n + 7.6, 39.8),
                        (n - 0.4, 45.2),
                        (0, 47.4),
                        (0, 41.6),
                        (n - 1.6, 39.8),
                        (n + 1.0, 36.0),
                    ],
                    side,
                )
                canvas.drawPath(smooth(hood), fill(mix(cloth, (255, 255, 255), 0.09)))
                canvas.drawPath(smooth(hood), line(dark, 0.6, 0.6))
            for side in (-1, 1):
                canvas.drawLine(side * 3.6, 45.2, side * 4.2, 54, line(mix(accent, (255, 255, 255), 0.45), 0.9))
    for side in (-1, 1):
        fold = _mirror([(27.5, 60.0), (28.2, 53.0), (26.6, 49.5)], side)
        canvas.drawPath(smooth(fold, closed=False), line(dark, 0.7, 0.6))
    canvas.restore()


def _curve(half: float, bottom: float) -> np.ndarray:
    """A round neckline."""
    return np.array(
        [
            (-half, 32.0),
            (-half * 0.92, 37.0),
            (-half * 0.5, bottom - 0.9),
            (0, bottom),
            (half * 0.5, bottom - 0.9),
            (half * 0.92, 37.0),
            (half, 32.0),
        ]
    )


def _opening(p: Presenter, n: float) -> np.ndarray | None:
    """Where the clothes leave the neck free, as a line from the left to the right."""
    rounds = {
        "tee": (n + 2.6, 40.6),
        "blouse": (n + 5.0, 44.0),
        "kurta": (n + 1.6, 38.8),
        "hoodie": (n + 2.2, 40.2),
        "cardigan": (n + 1.5, 41.0),
        "blazer": (n + 1.5, 41.0),
    }
    if p.clothing == "turtleneck":
        return None
    if p.clothing == "v-neck":
        return np.array([(-n - 2.4, 32.0), (-n - 2.0, 37.2), (0, 49.5), (n + 2.0, 37.2), (n + 2.4, 32.0)])
    if p.clothing == "shirt":
        return np.array([(-n - 0.5, 32.0), (0, 46.5), (n + 0.5, 32.0)])
    if _is_formal(p):
        return np.array([(-n - 0.5, 32.0), (-n + 1, 38), (0, 42), (n - 1, 38), (n + 0.5, 32.0)])
    return _curve(*rounds[p.clothing])


def _is_formal(p: Presenter) -> bool:
    return p.clothing == "suit" or (p.clothing == "blazer" and p.presentation != "feminine" and p.detail % 2 == 1)


def _trim(canvas: skia.Canvas, body: skia.Path, edge: np.ndarray | None, colour: Colour, width: float) -> None:
    """The border of a neckline, where it lies on the clothes."""
    if edge is None:
        return
    canvas.save()
    canvas.clipPath(body, doAntiAlias=True)
    if len(edge) == 7:
        canvas.drawPath(smooth(edge, closed=False), line(colour, width))
    else:
        path = skia.Path()
        path.addPoly([skia.Point(x, y) for x, y in edge.tolist()], False)
        canvas.drawPath(path, line(colour, width))
    canvas.restore()


def _collar(canvas: skia.Canvas, n: float, colour: Colour, open_: bool) -> None:
    """The two flaps of a shirt collar."""
    dark = mix(colour, _DARK, 0.25)
    tip = 46.2 if open_ else 42.4
    for side in (-1, 1):
        flap = polygon(_mirror([(n - 0.2, 32.6), (n + 3.8, 37.0), (n + 0.5, 45.4), (0.2, tip), (n - 2.2, 37.6)], side))
        canvas.drawPath(flap, fill(colour))
        canvas.drawPath(flap, line(dark, 0.6, 0.8))
