"""Finds faces in pictures, and five points on each: eyes, nose and corners of the mouth; and says whether one can be animated.

MTCNN (Zhang et al. 2016, arXiv 1604.02878), with the weights that facenet-pytorch carries, so that it works offline. Its three
networks look for faces; the last one alone can also follow a face from picture to picture. It is then asked about many
slightly different squares around the face and their mirror images, and the answers are averaged: the points of a single answer
tremble by a degree or two of head rotation, which would look like motion.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.errors import InputError
from media.video import Picture
from models.head import head_angles
from models.speech.torch_threads import one_thread

Array = NDArray[np.float32]
Region = tuple[float, float, float, float]
"""Left, top, right, bottom, fractions of a picture's width and height."""

SECOND = 0.3
"""A second face counts from this share of the first one's height: smaller ones are people far behind, or posters."""
LEAST_FACE = 128
"""Pixels from the middle of the forehead to the chin that a portrait's face must have."""
MOST_YAW = 45.0
"""Degrees that a portrait's head may be turned to the side."""

_BELIEVED = 0.9  # score of a face; real ones have 0.97 and more, one that is upside down had 0.89
_SMALLEST = 32  # pixels of the picture that is looked at
_CLOSE = 256  # pixels, the side of a face that is looked at closely
_NEARER = 40.0  # degrees that are added where the eyes come nearer by their distance from the mouth
_LOOKED_AT = 1280  # pixels, the longer side of a still picture that faces are looked for in
_VIEWS = 10  # squares around the face that are asked about, each also mirrored
_WANDER = 0.04  # how far the squares differ, in their side
_SIDE = 48  # pixels, what MTCNN's last network looks at
_DARK, _BLURRED = 50.0, 1.2  # mean grey, and contrast of neighbouring pixels, of a face 128 pixels high
_FLAT = 0.31  # share of neighbours in a face 96 pixels high that are almost equal; from here on it is drawn


@dataclass(frozen=True, slots=True)
class Face:
    """A face in one picture; coordinates in its pixels."""

    box: Array
    """(4,): left, top, right, bottom, from the middle of the forehead to the chin."""
    points: Array
    """(5, 2): the eye at the left of the picture, the other one, nose, corner of the mouth at the left, the other one."""
    score: float
    """0..1."""


class FaceFinder:
    """MTCNN, loaded when it is first needed.

    Args:
        device: where its networks run.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    @cached_property
    def _mtcnn(self) -> Any:
        from facenet_pytorch import MTCNN

        return MTCNN(keep_all=True, min_face_size=_SMALLEST, device=self.device)

    def find(self, picture: Picture) -> list[Face]:
        """All faces of a picture (H, W, 3), the largest first."""
        try:
            with one_thread():  # how threads share a sum decides its last digits
                boxes, scores, points = self._mtcnn.detect(np.ascontiguousarray(picture), landmarks=True)
        except (RuntimeError, ValueError) as error:
            if "non-empty" not in str(error):
                raise
            return []  # what it says where no candidate lies within the picture, or the picture is too small for one
        if boxes is None:
            return []
        faces = [
            Face(np.asarray(b, np.float32), np.asarray(p, np.float32), float(s))
            for b, p, s in zip(boxes, points, scores, strict=True)
        ]
        return sorted(faces, key=lambda face: face.box[1] - face.box[3])

    def follow(self, picture: Picture, box: Array) -> Face:
        """The face that was at `box` a moment ago."""
        import torch
        import torch.nn.functional as F

        # The squares, as (left, top, side), cut out of the picture once for all of them.
        centre, side = (box[:2] + box[2:]) / 2, float(max(box[2:] - box[:2]))
        squares = np.concatenate([centre - side / 2 + side * (_VIEWPOINTS[:, :2]), side * _VIEWPOINTS[:, 2:]], 1)
        low = np.floor(squares[:, :2].min(0)).astype(int) - 1
        high = np.ceil((squares[:, :2] + squares[:, 2:]).max(0)).astype(int) + 1
        height, width = picture.shape[:2]
        columns, rows = (np.arange(low[k], high[k]).clip(0, (width, height)[k] - 1) for k in (0, 1))
        region = torch.from_numpy(picture[rows[:, None], columns]).to(self.device).permute(2, 0, 1)[None].float()
        extent = np.array([len(columns), len(rows)])
        scale = squares[:, 2:] / extent
        shift = (2 * (squares[:, :2] - low) + squares[:, 2:]) / extent - 1
        theta = torch.zeros(len(squares), 2, 3, device=self.device)
        theta[:, 0, 0], theta[:, 1, 1] = (torch.from_numpy(scale[:, k]).float() for k in (0, 1))
        theta[:, :, 2] = torch.from_numpy(shift).float()
        # Sampled twice as fine and averaged, so that nothing is skipped.
        grid = F.affine_grid(theta, [len(squares), 3, 2 * _SIDE, 2 * _SIDE], align_corners=False)
        views = F.grid_sample(region.expand(len(squares), -1, -1, -1), grid, padding_mode="border", align_corners=False)
        views = (F.avg_pool2d(views, 2) - 127.5) / 128
        with one_thread(), torch.inference_mode():
            offsets, points, scores = self._mtcnn.onet(torch.cat([views, views.flip(3)]))
        offsets, points, scores = offsets.cpu().numpy(), points.cpu().numpy(), scores[:, 1].cpu().numpy()

        half = len(squares)
        x, y = points[:, :5], points[:, 5:]
        x[half:], y[half:] = (values[half:, [1, 0, 2, 4, 3]] for values in (1 - x, y))
        edges = np.array([0, 0, 1, 1]) + offsets
        edges[half:] = np.stack([1 - edges[half:, 2], edges[half:, 1], 1 - edges[half:, 0], edges[half:, 3]], 1)
        left, top, sides = np.tile(squares, (2, 1)).T[:, :, None]
        corners = np.concatenate([left, top, left, top], 1) + sides * edges
        return Face(
            corners.mean(0).astype(np.float32),
            np.stack([left + sides * x, top + sides * y], -1).mean(0).astype(np.float32),
            float(scores.mean()),
        )


def _viewpoints() -> NDArray[np.float64]:
    """(_VIEWS, 3): shifts in x and y and sizes of the squares around a face, in its size; the same every time."""
    chance = np.random.default_rng(0)
    shift = chance.uniform(-_WANDER, _WANDER, (_VIEWS, 2))
    size = 1 + chance.uniform(-_WANDER, _WANDER, (_VIEWS, 1))
    shift, size = shift - shift.mean(0), size / size.mean()
    return np.concatenate([shift - (size - 1) / 2, size], 1)


_VIEWPOINTS = _viewpoints()


@dataclass(frozen=True, slots=True)
class PortraitFace:
    """The face of a still picture that can be animated."""

    region: Region
    """From the middle of the forehead to the chin."""
    points: tuple[tuple[float, float], ...]
    """The five points of `Face`, as fractions of width and height."""
    yaw: float
    """Degrees, to the viewer's right."""
    score: float
    """0..1."""
    warnings: tuple[str, ...]
    """What makes a good result less likely."""


def head_yaw(points: Array) -> float:
    """How far a head is turned to the viewer's right, degrees, from the five points (5, 2) of a single picture.

    MTCNN's points of a turned head lie too near to those of one that looks ahead, so that what the nose tells (`models.head`)
    stops growing beyond 40 degrees. The eyes still come nearer to each other, measured in the distance from eyes to mouth, and
    that is added. Three heads (a photograph, a statue, a painting), put on a crude solid and turned, were measured with points
    averaged by `FaceFinder.follow`: 30 degrees gave 21 to 43, 45 gave 39 to 60, 60 gave 44 to 72, where faces were found at all.
    """
    by_nose = float(head_angles(points[None])[0, 0])
    left, right, _, mouth_left, mouth_right = points.astype(np.float64)
    apart = np.linalg.norm(right - left) / max(
        1e-6, float(np.linalg.norm((left + right - mouth_left - mouth_right) / 2))
    )
    nearer = _NEARER * max(0.0, 1.0 - float(apart))
    return by_nose + (nearer if by_nose > 0 else -nearer)


def find_faces(finder: FaceFinder, picture: Picture) -> list[Face]:
    """All faces of a still picture (H, W, 3) of any size, the largest first; those under 1/40 of its size are missed."""
    from PIL import Image

    height, width = picture.shape[:2]
    share = min(1.0, _LOOKED_AT / max(height, width))
    if share < 1.0:
        size = max(1, round(width * share)), max(1, round(height * share))
        looked_at = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
    else:
        looked_at = picture
    scale = np.array([width / looked_at.shape[1], height / looked_at.shape[0]], np.float32)
    return [Face(one.box * np.tile(scale, 2), one.points * scale, one.score) for one in finder.find(looked_at)]


def portrait_face(
    finder: FaceFinder,
    picture: Picture,
    faces: Sequence[Face],
    region: Region | None = None,
    least: int | None = None,
) -> PortraitFace:
    """The face of a photograph that is to be animated.

    Args:
        picture: (H, W, 3).
        faces: of the picture, the largest first, as `find_faces`.
        region: where the face is, if somebody has said so; it decides between several.
        least: pixels of height that are enough; None: 128.

    Raises:
        InputError: no face, or several of comparable size; it is under 128 pixels high, or turned more than 45 degrees.
    """
    height, width = picture.shape[:2]
    extent = np.array([width, height], np.float32)
    sure = [face for face in faces if face.score >= _BELIEVED]
    if region is not None:
        said = np.array(region, np.float32) * np.tile(extent, 2)
        sure = [face for face in sure if _within(face, said)]
        sure = sorted(sure, key=lambda face: -overlap(face.box, said))[:1]
    if not sure:
        raise InputError(
            f"no face was found {'in it' if region is None else 'where face= says'}; give an upright photograph of one person "
            f"who looks towards the camera, evenly lit, with a face of at least {LEAST_FACE} pixels, or, if it is drawn, "
            "style=illustrated and face=LEFT TOP RIGHT BOTTOM."
        )
    face = sure[0]
    tall = float(face.box[3] - face.box[1])
    others = [one for one in sure[1:] if one.box[3] - one.box[1] >= SECOND * tall]
    if others:
        places = "; ".join(" ".join(f"{value:.2f}" for value in _region(one, extent)) for one in (face, *others))
        raise InputError(
            f"{1 + len(others)} faces were found (left, top, right, bottom: {places}); cut the picture to one person, or say "
            "which one with face=LEFT TOP RIGHT BOTTOM."
        )
    if tall < (LEAST_FACE if least is None else least):
        raise InputError(
            f"the face is {tall:.0f} pixels high from forehead to chin, and {LEAST_FACE} are needed; give the photograph in a "
            "larger size, or one taken from nearer."
        )
    close = _closely(finder, picture, face)
    if close.score < _BELIEVED:
        raise InputError(
            "the face is seen from the side, or only in part; give a photograph in which both eyes, nose and mouth are seen well."
        )
    yaw = head_yaw(close.points)
    if abs(yaw) > MOST_YAW:
        raise InputError(
            f"the head is turned about {abs(yaw):.0f} degrees to the {'right' if yaw > 0 else 'left'}, and {MOST_YAW:.0f} is the "
            "most that can be animated; give a photograph in which both eyes are seen well."
        )
    points = tuple((round(float(x), 5), round(float(y), 5)) for x, y in close.points / extent)
    return PortraitFace(
        _region(face, extent), points, round(yaw, 1), round(face.score, 4), tuple(_doubts(picture, face))
    )


def _closely(finder: FaceFinder, picture: Picture, face: Face) -> Face:
    """The same face, looked at in many slightly different squares; of a profile, they do not agree, and the score is low."""
    from PIL import Image

    height, width = picture.shape[:2]
    reach = float(max(face.box[2:] - face.box[:2]))
    left, top = (int(max(0, value - reach / 2)) for value in face.box[:2])
    right, bottom = (
        int(min(side, value + reach / 2)) for value, side in zip(face.box[2:], (width, height), strict=True)
    )
    cut = Image.fromarray(picture[top:bottom, left:right])
    share = min(1.0, 2 * _CLOSE / max(cut.size))
    small = cut.resize((max(1, round(cut.width * share)), max(1, round(cut.height * share))), Image.Resampling.BOX)
    scale = np.array([cut.width / small.width, cut.height / small.height], np.float32)
    corner = np.array([left, top], np.float32)
    found = finder.follow(np.asarray(small), ((face.box - np.tile(corner, 2)) / np.tile(scale, 2)).astype(np.float32))
    return Face(found.box * np.tile(scale, 2) + np.tile(corner, 2), found.points * scale + corner, found.score)


def is_drawn(picture: Picture, region: Region) -> bool:
    """Whether a face looks drawn rather than photographed: flat areas, where skin in a photograph has grain and shading.

    Measured at 96 pixels of height, which JPEG, blur and darkness change little: of neighbouring pixels, 45 % and more are
    equal (within a fiftieth of the contrast) in the presenters of the starter cast, 37 % and more as JPEG of quality 50, and 9 to
    28 % in four pictures with grain and shading (two photographs, a statue, a painting), darkened, blurred, and as JPEG of
    quality 40.
    """
    grey = _grey(picture, region, 96)
    steps = np.concatenate([np.abs(np.diff(grey, axis=axis)).ravel() for axis in (0, 1)])
    return float((steps <= 0.02 * grey.std()).mean()) > _FLAT


def overlap(one: Array, two: Array) -> float:
    """Intersection over union of two boxes."""
    inside = np.clip(np.minimum(one[2:], two[2:]) - np.maximum(one[:2], two[:2]), 0, None).prod()
    return float(inside / ((one[2:] - one[:2]).prod() + (two[2:] - two[:2]).prod() - inside))


def _within(face: Face, said: Array) -> bool:
    """Whether the middle of the face is where somebody says that it is."""
    middle = (face.box[:2] + face.box[2:]) / 2
    return bool((middle >= said[:2]).all() and (middle <= said[2:]).all())


def _region(face: Face, extent: Array) -> Region:
    left, top, right, bottom = (round(float(v), 5) for v in np.clip(face.box / np.tile(extent, 2), 0, 1))
    return left, top, right, bottom


def _doubts(picture: Picture, face: Face) -> "list[str]":
    height, width = picture.shape[:2]
    grey = _grey(picture, _region(face, np.array([width, height], np.float32)), 128)
    sharp = np.abs(4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]) / 4
    found = []
    if grey.mean() < _DARK:
        found.append(
            f"the face is dark (mean brightness {grey.mean():.0f} of 255); a better lit photograph looks better"
        )
    elif sharp.mean() < _BLURRED:
        found.append("the face is blurred; a sharper photograph looks better")
    return found


def _grey(picture: Picture, region: Region, tall: int) -> Array:
    """The region in grey, `tall` pixels high."""
    from PIL import Image

    height, width = picture.shape[:2]
    left, top, right, bottom = (round(v * side) for v, side in zip(region, (width, height) * 2, strict=True))
    cut = Image.fromarray(picture[top : max(bottom, top + 1), left : max(right, left + 1)]).convert("L").convert("F")
    size = max(2, round(tall * cut.width / cut.height)), tall
    return np.asarray(cut.resize(size, Image.Resampling.BOX), np.float32)
