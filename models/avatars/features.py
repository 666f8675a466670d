"""Draws what is on a head: skin, ears, eyes, brows, nose, mouth, beard, glasses and earrings.

Every function takes the canvas in hundredths of the frame with the origin at the middle of the head.
"""

from dataclasses import dataclass

import numpy as np
import skia

from models.avatars.geometry import (
    Colour,
    Points,
    View,
    fill,
    glow,
    ink,
    limbs,
    line,
    mix,
    on_surface,
    polygon,
    project,
    project_xyz,
    rgb,
    shade,
    silhouette,
    smooth,
)
from models.avatars.presenters import EYE_COLOURS, HAIR_COLOURS, SKINS, Presenter

MOUTH_Y = 16.6
JAW_DROP = 4.0
OPENING = 10.8
"""Height of the inner mouth when it is fully open: with the lips, a quarter of the face."""


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one head, worked out once."""

    skin: Colour
    light: Colour
    shadow: Colour
    deep: Colour
    blush: Colour
    lip: Colour
    lip_dark: Colour
    hair: Colour
    hair_light: Colour
    hair_dark: Colour
    brow: Colour
    iris: Colour


def palette(p: Presenter) -> Palette:
    skin = rgb(SKINS[p.skin])
    tone = list(SKINS).index(p.skin) / (len(SKINS) - 1)
    shadow = mix(skin, (150, 62, 48) if tone < 0.5 else (46, 16, 18), 0.20 + 0.06 * tone)
    deep = mix(skin, (96, 30, 28) if tone < 0.6 else (26, 8, 10), 0.50)
    lip = mix(skin, (196, 64, 72), 0.52 if p.presentation == "feminine" else 0.34)
    if tone > 0.55:
        lip = mix(skin, (190, 74, 84), 0.62 if p.presentation == "feminine" else 0.46)
    hair = rgb(HAIR_COLOURS[p.hair_colour])
    pale = sum(hair) / 3 > 130
    brow = mix(hair, deep, 0.45 if pale else 0.12)
    if p.hair_colour in ("black", "soft black") and tone < 0.6:
        brow = mix(hair, skin, 0.14)
    if tone > 0.75 and not pale:
        brow = mix(hair, (8, 4, 8), 0.55)
    return Palette(
        skin=skin,
        light=mix(skin, (255, 240, 222), 0.30 - 0.12 * tone),
        shadow=shadow,
        deep=deep,
        blush=mix(skin, (226, 78, 74), 0.55),
        lip=lip,
        lip_dark=mix(lip, (60, 10, 20), 0.38),
        hair=hair,
        hair_light=mix(hair, (255, 236, 214), 0.20 if not pale else 0.38),
        hair_dark=mix(hair, (18, 10, 22), 0.34 if not pale else 0.24),
        brow=brow,
        iris=rgb(EYE_COLOURS[p.eye_colour]),
    )


def head_rows(p: Presenter, drop: float) -> Points:
    """The head as a stack of ellipses from the crown to the chin; `drop` is how far the jaw hangs, 0..1."""
    w = 21.2 * (1 + 0.06 * p.face_width)
    j = 1 + 0.09 * p.jaw
    c = 1 + 0.14 * p.chin + 0.12 * p.jaw
    d = JAW_DROP * drop
    narrow = 1 - 0.03 * drop
    rows = [
        (-29.0, 0.0, -3.0, 0.0),
        (-28.4, 0.26, -3.0, 6.5),
        (-26.3, 0.52, -3.0, 12.5),
        (-22.6, 0.745, -3.0, 17.5),
        (-17.0, 0.905, -3.0, 21.0),
        (-10.0, 0.985, -3.0, 23.0),
        (-2.0, 0.995, -3.0, 22.5),
        (5.5, 0.955, -1.5, 20.5),
        (12.5 + 0.25 * d, 0.87 * (0.4 + 0.6 * j) * narrow, 1.5, 16.5),
        (19.0 + 0.7 * d, 0.71 * j * narrow, 5.0, 12.5),
        (24.4 + 0.95 * d, 0.475 * c * narrow, 9.0, 8.0),
        (27.7 + d, 0.235 * c, 12.0, 4.0),
        (28.6 + d, 0.0, 13.0, 0.0),
    ]
    a = np.array(rows)
    return np.column_stack([a[:, 0], a[:, 1] * w, a[:, 1] * w, a[:, 2], a[:, 3]])


def _face(v: View, x: Points, y: Points, lift: float | Points = 0.0) -> Points:
    """Points on the front of the face, pushed forward by `lift`."""
    z = 17.0 - x * x / 22.0 - np.maximum(0, y - 14.0) * 0.10 + lift
    return project_xyz(v, x, y, z)


def draw_ears(
    canvas: skia.Canvas, v: View, p: Presenter, ink_: Palette, rows: Points, side: int, behind: bool = False
) -> None:
    """One ear; side is -1 for the left of the frame, 1 for the right. `behind` is its root, which the head covers."""
    w = float(np.interp(2.0, rows[:, 0], rows[:, 1]))
    outline = np.array(
        [(-2.6, -4.2), (0.2, -5.6), (2.7, -4.6), (3.3, -1.2), (2.3, 3.4), (0.8, 6.8), (-1.0, 6.9), (-2.4, 5.0)]
    )
    if behind:
        outline = np.array(
            [(-8.0, -9.5), (0.6, -9.0), (1.8, -4.4), (2.4, -1.0), (1.4, 3.4), (0.2, 6.2), (-3.0, 9.0), (-8.0, 8.0)]
        )
    x = side * (w + outline[:, 0])
    points = project(v, np.column_stack([x, 1.6 + outline[:, 1], np.full(len(x), -2.0) - 0.35 * outline[:, 0]]))
    canvas.drawPath(smooth(points), fill(mix(ink_.skin, ink_.shadow, 0.06 if side < 0 else 0.42)))
    if behind:
        return
    inner = np.array([(0.0, -3.2), (1.6, -3.0), (1.9, -0.6), (1.0, 1.2), (1.2, 2.6), (0.4, 4.4)])
    x = side * (w + inner[:, 0])
    points = project(v, np.column_stack([x, 1.6 + inner[:, 1], np.full(len(x), -1.6)]))
    canvas.drawPath(smooth(points, closed=False), line(mix(ink_.shadow, ink_.deep, 0.25), 1.0, 0.9))


def draw_head(canvas: skia.Canvas, v: View, p: Presenter, ink_: Palette, rows: Points) -> skia.Path:
    """The skin of the head with its soft light; returns its outline."""
    path = smooth(silhouette(v, rows))
    canvas.drawPath(path, fill(ink_.skin))
    canvas.save()
    canvas.clipPath(path, doAntiAlias=True)
    (cx, cy), (jx, jy) = _face(v, np.array([0.0, 0.0]), np.array([-3.0, 24.0])).tolist()
    canvas.drawCircle(cx, cy, 25, glow((cx - 3, cy), 25, [ink(ink_.light, 0.75), ink(ink_.light, 0)]))
    # A soft side shadow away from the light gives the flat shape its volume.
    canvas.drawPath(path, shade((cx + 9, cy), (cx + 23, cy + 6), [ink(ink_.shadow, 0), ink(ink_.shadow, 0.6)]))
    canvas.drawPath(path, shade((jx, jy - 3), (jx, jy + 7), [ink(ink_.shadow, 0), ink(ink_.shadow, 0.5)]))
    canvas.restore()
    return path


def draw_cheeks(canvas: skia.Canvas, v: View, p: Presenter, ink_: Palette, smile: float) -> None:
    """Blush, freckles and, for seniors, light wrinkles."""
    strength = (0.34 if p.presentation == "feminine" else 0.22) + 0.08 * smile
    cheeks = _face(v, np.array([-12.2, 12.2]), np.array([8.6 - smile, 8.6 - smile]))
    for x, y in cheeks.tolist():
        canvas.drawCircle(x, y, 6.2, glow((x, y), 6.2, [ink(ink_.blush, strength), ink(ink_.blush, 0)]))
    if p.freckles:
        rng = np.random.default_rng(p.detail)
        fx = rng.uniform(3.5, 13, 14) * np.repeat([-1, 1], 7)
        spots = _face(v, fx, rng.uniform(4.5, 9.5, 14))
        for x, y in spots.tolist():
            canvas.drawCircle(x, y, 0.36, fill(ink_.deep, 0.4))
    if p.age != "young":
        alpha = 0.62 if p.age == "senior" else 0.26
        for side in (-1, 1):
            fold = _face(v, side * np.array([5.6, 7.8, 9.3]), np.array([9.8, 12.0, 15.4]) - 0.5 * smile, 0.6)
            canvas.drawPath(smooth(fold, closed=False), line(ink_.shadow, 0.8, alpha))
    if p.age == "senior":
        for side in (-1, 1):
            bag = _face(v, side * np.array([5.6, 9.0, 12.4]), np.array([5.4, 6.6, 5.2]), 0.4)
            canvas.drawPath(smooth(bag, closed=False), line(ink_.shadow, 0.7, 0.7))
            for dy in (-0.4, 1.6):
                crow = _face(v, side * np.array([15.6, 17.4]), np.array([0.6 + dy, 0.2 + 2.0 * dy]))
                canvas.drawPath(smooth(crow, closed=False), line(ink_.shadow, 0.6, 0.7))
        for y in (-13.4, -16.2):
            brow = _face(v, np.array([-8.0, 0.0, 8.0]), np.array([y + 0.7, y, y + 0.7]))
            canvas.drawPath(smooth(brow, closed=False), line(ink_.shadow, 0.6, 0.55))


_U = np.linspace(-1.0, 1.0, 9)
_BOW = 1 - _U * _U


def draw_eye(
    canvas: skia.Canvas,
    v: View,
    p: Presenter,
    ink_: Palette,
    side: int,
    blink: float,
    gaze: tuple[float, float],
    smile: float,
    widen: float,
) -> None:
    """One eye with a lid that closes, and a crease above it."""
    size = 1 + 0.10 * p.eye_size
    cx, cy = side * (9.2 + 0.5 * p.eye_distance), 0.9
    hw, hh = 4.55 * size, 3.3 * size
    tilt = -0.5 * side * _U
    rim = np.power(_BOW, 0.62)
    # The fuller side of the lid is towards the nose for one eye and away from it for the other.
    lid_low = cy + tilt + (hh * 0.66 - 0.9 * smile) * np.power(_BOW, 0.8)
    lid_low = lid_low - 0.35 * hh * blink * _BOW
    lid_high = cy + tilt - hh * (0.92 - 0.08 * smile + 0.22 * widen) * rim
    lid_high = lid_high + (lid_low - lid_high) * blink
    x = cx + hw * _U
    upper, lower = _face(v, x, lid_high, 0.4), _face(v, x, lid_low, 0.4)
    # The closed lid and the socket are skin in shadow.
    socket = _face(v, cx + 1.25 * hw * _U, cy + tilt - hh * 1.35 * rim, 0.2)
    canvas.drawPath(smooth(np.concatenate([socket, lower[::-1]])), fill(ink_.shadow, 0.35))
    if blink < 0.93:
        shape = smooth(np.concatenate([upper, lower[::-1][1:-1]]))
        canvas.drawPath(shape, fill((252, 250, 248)))
        canvas.save()
        canvas.clipPath(shape, doAntiAlias=True)
        ((ix, iy),) = _face(v, np.array([cx + 1.7 * gaze[0]]), np.array([cy - 0.15 - 1.2 * gaze[1]]), 1.0).tolist()
        r = 2.7 * size
        canvas.translate(ix, iy)
        canvas.scale(v.yaw[0] ** 1.5, 1.0)
        canvas.translate(-ix, -iy)
        canvas.drawCircle(ix, iy, r, fill(mix(ink_.iris, (10, 8, 12), 0.45)))
        canvas.drawCircle(
            ix,
            iy + 0.1,
            r * 0.86,
            glow((ix, iy + 0.9), r, [ink(mix(ink_.iris, (255, 225, 190), 0.25)), ink(ink_.iris)]),
        )
        canvas.drawCircle(ix, iy, r * 0.48, fill((16, 12, 14)))
        canvas.drawCircle(ix - 0.85, iy - 1.0, 0.78, fill((255, 255, 255), 0.95))
        canvas.drawCircle(ix + 1.0, iy + 0.9, 0.36, fill((255, 255, 255), 0.55))
        canvas.restore()
        canvas.save()
        canvas.clipPath(shape, doAntiAlias=True)
        canvas.drawPath(smooth(upper, closed=False), line((40, 24, 30), 2.0, 0.28))
        canvas.restore()
        canvas.drawPath(smooth(lower, closed=False), line(ink_.deep, 0.45, 0.45))
    lash = mix((34, 22, 24), ink_.brow, 0.25) if p.hair_colour not in ("white", "silver") else (70, 56, 54)
    thick = {"feminine": 1.15, "neutral": 0.95, "masculine": 0.85}[p.presentation]
    canvas.drawPath(smooth(upper, closed=False), line(lash, thick))
    if p.presentation == "feminine":
        tip = 8 if side > 0 else 0
        ends = np.array(
            [[x[tip] - side * 0.5, lid_high[tip] - 0.2], [x[tip] + side * 1.5, lid_high[tip] - 1.1 + 1.2 * blink]]
        )
        canvas.drawPath(smooth(_face(v, ends[:, 0], ends[:, 1], 0.3), closed=False), line(lash, 0.9))
    crease = _face(v, cx + 1.02 * hw * _U[1:-1], (cy + tilt - hh * 1.28 * np.power(_BOW, 0.7) + 0.5 * blink)[1:-1], 0.3)
    canvas.drawPath(smooth(crease, closed=False), line(ink_.deep, 0.5, 0.45))


def draw_brow(
    canvas: skia.Canvas, v: View, p: Presenter, ink_: Palette, side: int, raised: float, inner: float
) -> None:
    """One eyebrow, tapered outwards; `inner` lifts or lowers its end at the nose."""
    u = np.linspace(0, 1, 6)
    x = 4.4 + 0.3 * p.eye_distance + 11.0 * u
    arch = 1.7 + 0.9 * p.brow_arch + 0.7 * max(0.0, raised)
    y = -7.6 - 2.1 * raised - arch * np.sin(np.pi * np.minimum(1, u * 0.80 + 0.10)) + 1.2 * u
    # The inner third moves, and takes the brow a little towards the nose when it is drawn down.
    pull = np.exp(-((u / 0.42) ** 2))
    x, y = x + 0.7 * min(0.0, inner) * pull, y - 2.0 * inner * pull
    thick = (2.05 + 0.75 * p.brow_weight) * np.array([0.66, 0.98, 1.0, 0.86, 0.6, 0.12])
    upper = _face(v, side * x, y - thick / 2, 0.8)
    lower = _face(v, side * x, y + thick / 2, 0.8)
    canvas.drawPath(smooth(np.concatenate([upper, lower[::-1]])), fill(ink_.brow, 0.94))


def draw_nose(canvas: skia.Canvas, v: View, p: Presenter, ink_: Palette) -> None:
    """A bridge in soft shadow, a ball with light on it, and the wings."""
    k = 1 + 0.14 * p.nose_size
    side = np.array(
        [
            (1.4, -4.5, 18.6),
            (1.7, 2.0, 20.6),
            (2.5 * k, 7.2, 22.0),
            (3.9 * k, 9.2, 18.6),
            (3.2 * k, 5.0, 18.0),
            (3.0, -1.5, 17.4),
        ]
    )
    canvas.drawPath(smooth(project(v, side)), fill(ink_.shadow, 0.42))
    base = np.array(
        [
            (-4.1 * k, 8.6, 18.6),
            (-3.7 * k, 10.4, 19.0),
            (-1.7 * k, 10.9, 21.0),
            (0, 11.6, 22.0),
            (1.7 * k, 10.9, 21.0),
            (3.7 * k, 10.4, 19.0),
            (4.1 * k, 8.6, 18.6),
        ]
    )
    under = np.concatenate([base, [(2.2, 9.6, 22.4), (0, 10.0, 23.4), (-2.2, 9.6, 22.4)]])
    canvas.drawPath(smooth(project(v, under)), fill(ink_.shadow, 0.75))
    canvas.drawPath(smooth(project(v, base), closed=False), line(ink_.deep, 0.7, 0.62))
    for x, y in project(v, [(-1.9 * k, 10.3, 20.6), (1.9 * k, 10.3, 20.6)]).tolist():
        canvas.drawOval(skia.Rect.MakeXYWH(x - 0.8, y - 0.4, 1.6, 0.8), fill(ink_.deep, 0.75))
    ((x, y),) = project(v, [(-0.5, 7.2, 23.5)]).tolist()
    canvas.drawCircle(x, y, 2.1, glow((x, y), 2.1, [ink((255, 250, 242), 0.34), ink((255, 250, 242), 0)]))


def draw_mouth(canvas: skia.Canvas, v: View, p: Presenter, ink_: Palette, m: tuple[float, ...], smile: float) -> None:
    """Lips, teeth, tongue and the dark between them. `m` is open, wide, round, teeth, tongue, press, tuck."""
    opened, wide, rounded, teeth, tongue, press, tuck = m
    wide = wide * (1 - 0.6 * rounded)
    half = 7.5 * (1 + 0.08 * p.mouth_width) * (1 + 0.24 * wide - 0.44 * rounded + 0.06 * smile - 0.05 * opened)
    h = OPENING * opened * (1 - 0.12 * rounded)
    h = max(h, 2.6 * rounded * (1 - 0.4 * wide), 1.9 * teeth) * (1 - press)
    h_tuck = max(h, 2.7)
    h = h + (h_tuck - h) * tuck
    fullness = 1 + 0.22 * p.lip_fullness
    thin = (1 - 0.52 * press) * (1 - 0.12 * wide) * (1 + 0.22 * rounded)
    t_up = 1.95 * fullness * thin
    t_low = 2.75 * fullness * thin * (1 - 0.55 * tuck)
    u = np.linspace(-1, 1, 15)
    bow = 1 - u * u
    mid = MOUTH_Y - (1.9 + 1.5 * smile) * (1 - 0.75 * rounded) * (u * u - 0.35) * (1 - 0.35 * opened)
    inner = np.power(bow, 0.72 - 0.22 * rounded)
    up = (0.24 + 0.1 * tuck) * h
    low = h - up
    forward = 1.2 + 2.2 * rounded
    x = half * u
    high_in = mid - up * inner
    low_in = mid + low * inner
    cupid = np.power(bow, 0.55) * (1 - 0.20 * (1 - 0.5 * rounded) * np.exp(-((u / 0.16) ** 2))) * (1 - 0.30 * np.abs(u))
    high_out = mid - up * inner - t_up * cupid
    low_out = mid + low * inner + t_low * np.power(bow, 0.65)
    x_out = x * (1 + 0.75 / half)
    lift = forward * bow + 0.3
    outer = np.concatenate([_face(v, x_out, high_out, lift), _face(v, x_out, low_out, lift)[::-1][1:-1]])
    lips_path = smooth(outer)
    # The shade below the lower lip.
    ((sx, sy),) = _face(v, np.array([0.0]), np.array([low_out[7] + 1.7]), 0.0).tolist()
    if p.facial_hair not in ("goatee", "short beard", "full beard"):
        canvas.drawOval(skia.Rect.MakeXYWH(sx - 3.6, sy - 1.0, 7.2, 1.9), fill(ink_.shadow, 0.42))
    canvas.drawPath(lips_path, fill(ink_.lip))
    upper = np.concatenate([_face(v, x_out, high_out, lift), _face(v, x, high_in, lift)[::-1]])
    canvas.drawPath(smooth(upper), fill(ink_.lip_dark, 0.42))
    gloss = low_in + (low_out - low_in) * 0.42
    shine = _face(v, x[4:11] * 0.9, gloss[4:11], lift[4:11])
    canvas.drawPath(smooth(shine, closed=False), line((255, 236, 230), 0.75, round(0.26 * (1 - max(press, tuck)), 2)))
    inside_top, inside_low = _face(v, x, high_in, lift), _face(v, x, low_in, lift)
    if h > 0.35:
        hole = smooth(np.concatenate([inside_top, inside_low[::-1][1:-1]]))
        canvas.drawPath(hole, fill((64, 14, 24)))
        canvas.save()
        canvas.clipPath(hole, doAntiAlias=True)
        rise = max(0.0, 0.26 * min(1, h / 6) * (1 - rounded * 0.6) + 0.48 * tongue)
        if rise > 0.02:
            width = half * (0.66 + 0.05 * tongue)
            tx = np.linspace(-1, 1, 9)
            top = mid[7] + low - rise * h * np.power(1 - tx * tx, 0.5) - 0.1
            t = np.concatenate(
                [_face(v, width * tx, top, 0.0), _face(v, np.array([width, -width]), np.array([mid[7] + low + 4] * 2))]
            )
            canvas.drawPath(smooth(t), fill((206, 88, 94)))
            middle = _face(v, np.zeros(2), np.array([mid[7] + low - rise * h * 0.72, mid[7] + low + 1]), 0.0)
            canvas.drawPath(smooth(middle, closed=False), line((160, 54, 66), 0.6, 0.7))
        shown = max(0.42 * min(1.0, 2.2 * opened), teeth, tuck) * (1 - 0.85 * rounded * (1 - tuck))
        if shown > 0.05:
            tall = max(3.3 * shown, 0.62 * min(h, 4.5) * teeth)
            gums = np.concatenate(
                [
                    _face(v, x * 0.93, high_in - 1.0, 0.2),
                    _face(v, x * 0.93, high_in + tall * np.power(bow, 0.3), 0.2)[::-1],
                ]
            )
            canvas.drawPath(smooth(gums), fill((252, 250, 246)))
        bared = max(0.0, min(1.0, 2 * (teeth - 0.35))) * max(0.0, min(1.0, 5.5 - h)) * max(0.0, 1 - tuck / 0.3)
        if bared > 0:
            lowers = np.concatenate(
                [_face(v, x * 0.85, low_in - 0.30 * h * bow, 0.2), _face(v, x * 0.85, low_in + 1, 0.2)[::-1]]
            )
            canvas.drawPath(smooth(lowers), fill((236, 230, 226), round(bared, 2)))
        # Between the teeth, as in th, the tip of the tongue lies in front of them.
        between = min(1.0, max(0.0, (tongue * teeth - 0.3) / 0.15))
        if between > 0:
            tx = half * 0.52 * np.linspace(-1, 1, 9)
            tip = mid[7] + low - 0.66 * h * np.power(1 - np.linspace(-1, 1, 9) ** 2, 0.5)
            tip = np.concatenate([_face(v, tx, tip, 0.4), _face(v, tx[::-1], np.full(9, mid[7] + low + 1.0), 0.4)])
            canvas.drawPath(smooth(tip), fill((214, 96, 100), round(between, 2)))
        # The upper lip shades the teeth.
        canvas.drawPath(smooth(inside_top, closed=False), line((60, 12, 22), 1.0, 0.35))
        canvas.restore()
    seam = round(min(1.0, 2.4 - 2 * h), 2)
    if seam > 0:
        pen = line(mix(ink_.lip_dark, (50, 8, 16), 0.55), 0.85, seam)
        canvas.drawPath(smooth(inside_top, closed=False), pen)
    # Small dark corners make the smile readable at any size.
    for i, s in ((0, -1), (14, 1)):
        corner = _face(
            v, np.array([x[i] - s * 0.5, x[i] + s * 0.9]), np.array([mid[i] + 0.15, mid[i] - 0.35 - 0.5 * smile]), 0.3
        )
        canvas.drawPath(smooth(corner, closed=False), line(ink_.deep, 0.75, 0.75))


def draw_beard(
    canvas: skia.Canvas, v: View, p: Presenter, ink_: Palette, rows: Points, m: tuple[float, ...], smile: float
) -> None:
    """Stubble, moustache or beard; drawn before the lips, follows the jaw."""
    kind = p.facial_hair
    if kind == "none":
        return
    opened, rounded = m[0] * (1 - m[5]), m[2]
    drop = JAW_DROP * opened
    raised = 0.24 * OPENING * opened
    spread = 1 - 0.25 * rounded
    if kind in ("stubble", "short beard", "full beard"):
        thick = {"stubble": 0.0, "short beard": 0.9, "full beard": 2.6}[kind]
        part = rows[rows[:, 0] > 4].copy()
        first = part[:1].copy()
        first[0, 0] = -1.0
        first[0, 1:] = [float(np.interp(-1.0, rows[:, 0], rows[:, i])) for i in range(1, 5)]
        part = np.concatenate([first, part])
        grow = thick * np.array([0.0] + [0.5] + [1.0] * (len(part) - 2))
        part[:, 1] += np.where(part[:, 1] > 0, grow, 0)
        part[:, 2] += np.where(part[:, 2] > 0, grow, 0)
        part[:, 0] += thick * np.linspace(0, 1, len(part)) ** 2 * 1.3
        right, left = limbs(v, part)
        jaw = np.concatenate([right, left[::-1][1:]])
        line_x = np.array([18.0, 15.6, 12.4, 8.6, 5.0 * spread, 0])
        line_y = np.array([4.0, 9.6, 12.4, 12.6, 12.6 - raised * 0.8, 12.9 - raised * 0.8])
        ang = on_surface(v, rows, [-72], [-1.0]), on_surface(v, rows, [72], [-1.0])
        cheek = np.concatenate(
            [ang[0], _face(v, -line_x, line_y), _face(v, line_x[::-1][1:], line_y[::-1][1:]), ang[1]]
        )
        path = smooth(np.concatenate([jaw, cheek]))
        if kind == "stubble":
            canvas.drawPath(path, fill(mix(ink_.hair_dark, ink_.deep, 0.35), 0.20))
            return
        (x, y), (x2, y2) = _face(v, np.zeros(2), np.array([6.0, 31.0 + drop])).tolist()
        canvas.drawPath(path, shade((x, y), (x2, y2), [ink(ink_.hair_light), ink(ink_.hair), ink(ink_.hair_dark)]))
        for i in range(-3, 4):
            xs = np.array([2.6 * i, 2.9 * i, 2.4 * i])
            ys = np.array([23.2, 25.6, 27.8 + 0.6 * thick]) + drop - 0.25 * abs(i) ** 1.7
            canvas.drawPath(smooth(_face(v, xs, ys), closed=False), line(ink_.hair_light, 0.5, 0.5))
    if kind == "goatee":
        a = np.linspace(0, 2 * np.pi, 14, endpoint=False)
        gx = 8.6 * np.sin(a) * spread * (1 - 0.18 * (np.cos(a) < 0))
        gy = 20.6 + 0.55 * drop - (8.2 + 0.35 * drop + 0.4 * raised) * np.cos(a)
        canvas.drawPath(smooth(_face(v, gx, gy, 0.2)), fill(ink_.hair))
    # The moustache rides on the upper lip.
    mx = np.array([0, 2.6, 5.6, 8.0, 9.6]) * spread
    bump = 0.6 if kind == "moustache" else 0.0
    top = np.array([12.6, 12.0, 12.4, 14.0, 16.4]) - raised * np.array([1, 1, 0.8, 0.4, 0.1]) - bump
    low = np.array([14.7, 15.3, 15.6, 16.4, 17.6]) - raised * np.array([1, 1, 0.8, 0.4, 0.1]) + bump - 0.4 * smile
    upper = np.concatenate([_face(v, -mx[::-1], top[::-1], 1.0), _face(v, mx[1:], top[1:], 1.0)])
    lower = np.concatenate([_face(v, mx[::-1], low[::-1], 1.2), _face(v, -mx[1:], low[1:], 1.2)])
    canvas.drawPath(smooth(np.concatenate([upper, lower])), fill(mix(ink_.hair, ink_.hair_dark, 0.3)))


def draw_glasses(canvas: skia.Canvas, v: View, p: Presenter, rows: Points, frame: Colour) -> None:
    """Two lenses that never touch, a bridge and the temples."""
    if p.glasses == "none":
        return
    cx = 9.4 + 0.5 * p.eye_distance
    a = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    if p.glasses == "round":
        ox, oy = 7.0 * np.cos(a), 6.7 * np.sin(a)
    else:
        ox = 7.2 * np.sign(np.cos(a)) * np.abs(np.cos(a)) ** 0.45
        oy = 5.5 * np.sign(np.sin(a)) * np.abs(np.sin(a)) ** 0.5 - 0.5 * np.abs(ox) / 7 * (np.sin(a) < 0)
    pen = line(frame, 1.15)
    for side in (-1, 1):
        x, y = side * cx + ox, 1.4 + oy
        z = 20.4 - 0.32 * np.abs(x)
        rim = project(v, np.column_stack([x, y, z]))
        path = smooth(rim)
        canvas.drawPath(path, fill((255, 255, 255), 0.13))
        hinge = project(v, [(side * (cx + 7.0), 0.0, 20.4 - 0.32 * (cx + 7.0))])
        ear = on_surface(v, rows, [side * 88], [-0.6], 0.2)
        canvas.drawLine(*hinge[0].tolist(), *ear[0].tolist(), line(frame, 1.0))
        glint = project(v, [(side * cx - 3.4, -1.2, 18.0), (side * cx - 1.6, -3.2, 18.0)])
        canvas.drawLine(*glint[0].tolist(), *glint[1].tolist(), line((255, 255, 255), 0.9, 0.5))
        canvas.drawPath(path, pen)
    inner = cx - 7.0
    bridge = project(v, [(-inner, 0.4, 19.7), (0, -0.9, 20.8), (inner, 0.4, 19.7)])
    canvas.drawPath(smooth(bridge, closed=False), pen)


def draw_earrings(canvas: skia.Canvas, v: View, p: Presenter, rows: Points, side: int) -> None:
    """What hangs from one ear lobe."""
    if p.earrings == "none":
        return
    w = float(np.interp(7.0, rows[:, 0], rows[:, 1]))
    gold = (226, 178, 74)
    ((x, y),) = project(v, [(side * (w + 1.7), 7.8, -2.0)]).tolist()
    if p.earrings == "hoop":
        canvas.drawCircle(x, y + 2.2, 2.3, line(gold, 0.75))
        return
    canvas.drawCircle(x, y, 0.85, fill(gold))
    if p.earrings == "drop":
        canvas.drawPath(
            polygon(np.array([(x, y + 0.8), (x + 1.1, y + 3.4), (x, y + 4.6), (x - 1.1, y + 3.4)])), fill(gold)
        )
        canvas.drawCircle(x - 0.25, y + 3.0, 0.35, fill((255, 246, 214)))
