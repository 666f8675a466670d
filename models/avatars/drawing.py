"""Draws one presenter in one pose: a friendly vector portrait whose head turns, talks and blinks."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from functools import lru_cache
from math import ceil
from pathlib import Path

import numpy as np
import skia
from numpy.typing import NDArray

from models.avatars import clothing, features, hair
from models.avatars.geometry import CENTRE, fill, glow, ink, mix, rgb, shade, view
from models.avatars.presenters import BACKGROUNDS, CLOTH_COLOURS, Presenter

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Pose:
    """One frame of movement. The order of the fields is the order of the columns in every motion array."""

    open: float = 0.0
    """How far the jaw is open, 0..1; so are the next six, all parts of the mouth."""
    wide: float = 0.0
    round: float = 0.0
    teeth: float = 0.0
    tongue: float = 0.0
    press: float = 0.0
    """Lips pressed together, as in p, b, m; 1 closes the mouth whatever `open` says."""
    tuck: float = 0.0
    """Lower lip under the upper teeth, as in f, v."""
    yaw: float = 0.0
    """Degrees, to the viewer's right."""
    pitch: float = 0.0
    """Degrees, upwards."""
    roll: float = 0.0
    """Degrees, clockwise."""
    shift_x: float = 0.0
    """Fraction of the frame."""
    shift_y: float = 0.0
    blink: float = 0.0
    """0 open, 1 closed."""
    gaze_x: float = 0.0
    """-1 left, 1 right."""
    gaze_y: float = 0.0
    """-1 down, 1 up."""
    brow: float = 0.0
    """-1 lowered, 1 raised."""
    smile: float = 0.0
    """Around the friendly smile of rest: 1.5 is a broad one, -2 corners drawn down."""
    widen: float = 0.0
    """-1 eyes narrowed, 1 wide open."""
    inner_brow: float = 0.0
    """Inner ends of the brows: -1 drawn down, as in anger, 1 drawn up, as in concern."""
    body_x: float = 0.0
    """How far the shoulders have moved sideways, fraction of the frame; they follow the head with a lag."""
    body_y: float = 0.0
    """How far the shoulders have moved down, fraction of the frame; negative while breathing in."""
    body_roll: float = 0.0
    """Degrees, clockwise."""
    hair_x: float = 0.0
    """How far the ends of hanging hair swing sideways, fraction of the frame."""

    def to_array(self) -> NDArray[np.float32]:
        """Float32 (23,)."""
        return np.array(astuple(self), dtype=np.float32)

    @classmethod
    def from_array(cls, values: Sequence[float] | NDArray[np.floating]) -> "Pose":
        """The inverse of `to_array`; `values` must have 23 entries."""
        return cls(**{field: float(v) for field, v in zip(POSE_FIELDS, values, strict=True)})


POSE_FIELDS: tuple[str, ...] = tuple(f.name for f in fields(Pose))


def reference_pose() -> Pose:
    """The pose of a catalog portrait: frontal, eyes at the camera, mouth closed in a slight smile."""
    return Pose()


@lru_cache(maxsize=64)
def background(name: str, size: int = 256) -> Image:
    """The picture behind a presenter, uint8 (size, size, 3)."""
    surface = skia.Surface(size, size)
    canvas = surface.getCanvas()
    canvas.scale(size / 100, size / 100)
    kind, first, second = BACKGROUNDS[name]
    a, b = rgb(first), rgb(second)
    if kind == "disk":
        canvas.clear(ink(a))
        canvas.drawCircle(50, 52, 41, fill(b))
    else:
        canvas.drawRect(skia.Rect.MakeWH(100, 100), shade((30, 0), (70, 100), [ink(a), ink(b)]))
        canvas.drawCircle(50, 42, 48, glow((50, 42), 48, [ink((255, 255, 255), 0.30), ink((255, 255, 255), 0)]))
    picture = np.ascontiguousarray(surface.toarray(colorType=skia.kRGBA_8888_ColorType)[:, :, :3])
    picture.setflags(write=False)
    return picture


@lru_cache(maxsize=64)
def _background_rgba(name: str, size: int) -> Image:
    return np.ascontiguousarray(np.dstack([background(name, size), np.full((size, size, 1), 255, np.uint8)]))


@lru_cache(maxsize=256)
def _palette(p: Presenter) -> features.Palette:
    return features.palette(p)


def draw(presenter: Presenter, pose: Pose, size: int = 256) -> Image:
    """A picture, uint8 (size, size, 3) RGB. The same arguments give the same bytes."""
    p = presenter
    picture = _background_rgba(p.background, size).copy()
    canvas = skia.Canvas(picture, colorType=skia.kRGBA_8888_ColorType)
    canvas.scale(size / 100, size / 100)
    canvas.translate(*CENTRE)
    ink_ = _palette(p)
    v = view(pose.yaw, pose.pitch, pose.roll, pose.shift_x, pose.shift_y, pose.hair_x)
    body = (100 * pose.body_x, 100 * pose.body_y, pose.body_roll)
    opened = pose.open * (1 - pose.press)
    head = features.head_rows(p, opened)
    drop = features.JAW_DROP * opened
    mouth = (pose.open, pose.wide, pose.round, pose.teeth, pose.tongue, pose.press, pose.tuck)
    cloth, accent = rgb(CLOTH_COLOURS[p.cloth_colour]), rgb(CLOTH_COLOURS[p.accent_colour])
    cover, frame = rgb(CLOTH_COLOURS[p.covering_colour]), rgb(CLOTH_COLOURS[p.frame_colour])
    near, far = (-1, 1) if pose.yaw >= 0 else (1, -1)
    ears = not hair.hides_ears(p)

    locks = hair.hair_of(v, p, head)
    hair.draw_back(canvas, v, p, ink_, head, locks, cover)
    clothing.draw_neck(canvas, v, body, p, ink_, cloth, drop)
    clothing.draw_clothes(canvas, body, p, ink_, cloth, accent)
    if ears:
        for side in (far, near):
            features.draw_ears(canvas, v, p, ink_, head, side, behind=True)
    skin = features.draw_head(canvas, v, p, ink_, head)
    canvas.save()
    canvas.clipPath(skin, doAntiAlias=True)
    features.draw_cheeks(canvas, v, p, ink_, pose.smile)
    canvas.restore()
    features.draw_beard(canvas, v, p, ink_, head, mouth, pose.smile)
    features.draw_nose(canvas, v, p, ink_)
    features.draw_mouth(canvas, v, p, ink_, mouth, pose.smile)
    canvas.save()
    canvas.clipPath(skin, doAntiAlias=True)
    for side in (far, near):
        features.draw_eye(canvas, v, p, ink_, side, pose.blink, (pose.gaze_x, pose.gaze_y), pose.smile, pose.widen)
        features.draw_brow(canvas, v, p, ink_, side, pose.brow, pose.inner_brow)
    canvas.restore()
    # Ears lie on short hair; the far one is hidden by the face as it turns away.
    if ears and not hair.ears_below_hair(p):
        hair.draw_front(canvas, v, p, ink_, head, locks)
    if ears:
        for side in (far, near):
            canvas.save()
            if side == far:
                canvas.clipPath(skin, skia.ClipOp.kDifference, True)
            features.draw_ears(canvas, v, p, ink_, head, side)
            features.draw_earrings(canvas, v, p, head, side)
            canvas.restore()
    if not ears or hair.ears_below_hair(p):
        hair.draw_front(canvas, v, p, ink_, head, locks)
    hair.draw_covering(canvas, v, p, head, cover, drop)
    features.draw_glasses(canvas, v, p, head, mix(frame, (16, 16, 22), 0.25))
    return np.ascontiguousarray(picture[:, :, :3])


def _fraction(x: float, y: float) -> tuple[float, float]:
    return (CENTRE[0] + x) / 100, (CENTRE[1] + y) / 100


def face_region(presenter: Presenter) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the face at rest, from hairline to chin and ear to ear, as fractions of the frame."""
    rows = features.head_rows(presenter, 0.0)
    half = float(rows[:, 1].max()) + 1.5
    return *_fraction(-half, -22.0), *_fraction(half, float(rows[-1, 0]) + 1.0)


def mouth_region(presenter: Presenter) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of where the mouth moves, chin included, as fractions."""
    half = 12.0 + 0.6 * presenter.mouth_width
    return *_fraction(-half, 10.5), *_fraction(half, 33.5)


def sheet(
    presenters: Sequence[Presenter] | Presenter,
    path: Path | str,
    columns: int = 6,
    size: int = 256,
    poses: Sequence[Pose] | None = None,
) -> None:
    """Writes a PNG contact sheet: many presenters at rest, or each presenter in the pose of the same place."""
    people = [presenters] if isinstance(presenters, Presenter) else list(presenters)
    todo = list(poses) if poses is not None else [Pose()] * len(people)
    if len(people) == 1:
        people = people * len(todo)
    rows = ceil(len(people) / columns)
    canvas = np.full((rows * size, columns * size, 4), 255, dtype=np.uint8)
    for i, (person, pose) in enumerate(zip(people, todo, strict=True)):
        r, c = divmod(i, columns)
        canvas[r * size : (r + 1) * size, c * size : (c + 1) * size, :3] = draw(person, pose, size)
    skia.Image.fromarray(canvas, colorType=skia.kRGBA_8888_ColorType).save(str(path), skia.kPNG)
