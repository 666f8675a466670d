"""Reads from pictures how a head stands, and shows its face as if it had not moved.

A face is a surface in space. `Head` knows that of the drawn presenters, and finds the pose at which a picture, sampled where
the surface then lies, looks most like the portrait (Lucas and Kanade, 1981, with the pose as the only unknown). Mouth, brows
and eyes move on their own, so they are left out or weigh little.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.avatars.geometry import CENTRE, project_xyz, view

Array = NDArray[np.float32]
Wide = NDArray[np.float64]
Pictures = NDArray[np.uint8]
"""(F, S, S, 3)."""

POSE = ("yaw", "pitch", "roll", "shift_x", "shift_y")
"""What `Head.poses` finds: degrees, and fractions of the picture's side."""
SPREAD = np.array([6.0, 4.0, 3.0, 0.0006, 0.0006])
"""How far each usually is from rest: a Gaussian prior. Shifts are small and look much like turns."""
_STEPS = np.array([1.0, 1.0, 1.0, 0.01, 0.01])
_LEVELS = ((32, 16.0), (64, 10.0), (128, 6.0))
"""Sides that pictures are averaged down to, one after the other, and which difference of grey values is ordinary there;
larger ones weigh less and less."""
_ITERATIONS = 6


@dataclass(frozen=True, slots=True)
class Area:
    """A grid on the face, in hundredths of the picture around the middle of the head: x to the right, y down."""

    left: float
    top: float
    right: float
    bottom: float
    columns: int
    rows: int

    @property
    def points(self) -> tuple[Wide, Wide]:
        """x and y, each (rows * columns,)."""
        x = self.left + (np.arange(self.columns) + 0.5) * (self.right - self.left) / self.columns
        y = self.top + (np.arange(self.rows) + 0.5) * (self.bottom - self.top) / self.rows
        grid_y, grid_x = np.meshgrid(y, x, indexing="ij")
        return grid_x.ravel(), grid_y.ravel()


TRACKED = Area(-19.0, -18.0, 19.0, 27.0, 48, 56)
EYES = Area(-16.0, -4.5, 16.0, 7.0, 40, 15)
BROWS = Area(-17.0, -15.0, 17.0, -3.5, 40, 15)
MOUTH = Area(-12.5, 10.5, 12.5, 32.0, 28, 24)
UPPER_FACE = Area(-16.0, -13.0, 16.0, 11.5, 36, 26)
"""From the forehead to under the nose, within the cheeks: no mouth, no clothes, no background."""


class Head:
    """The head in one portrait (S, S, 3), to find it again in other pictures of the same person."""

    def __init__(self, portrait: NDArray[np.uint8]):
        self._weights = _tracked_weights(*TRACKED.points)
        self._levels = [_Level(still[0], noise) for still, noise in _pyramid(portrait[None])]

    def poses(self, pictures: Pictures) -> Array:
        """(F, 5), the fields of `POSE`, of pictures (F, S, S, 3) in their order."""
        stacks = [stack for stack, _ in _pyramid(pictures)]
        pose = np.zeros(len(POSE))
        found = []
        for pyramid in zip(*stacks, strict=True):
            for picture, level in zip(pyramid, self._levels, strict=True):
                pose = level.aligned(picture, pose, self._weights)
            found.append(pose)
        return np.array(found, np.float32).reshape(-1, len(POSE))


class _Level:
    """The portrait at one size: what it looks like on the grid, and how that changes with each field of the pose."""

    def __init__(self, still: Array, noise: float):
        self._side, self._noise = still.shape[0], noise
        rest = np.zeros(len(POSE))
        px, py = _places(TRACKED, rest, self._side)
        self._template = _sampled(still, px, py)
        slope_x = (_sampled(still, px + 1, py) - _sampled(still, px - 1, py)) / 2
        slope_y = (_sampled(still, px, py + 1) - _sampled(still, px, py - 1)) / 2
        columns = []
        for k, step in enumerate(_STEPS):
            moved = rest.copy()
            moved[k] = step
            qx, qy = _places(TRACKED, moved, self._side)
            columns.append(slope_x * ((qx - px) / step)[:, None] + slope_y * ((qy - py) / step)[:, None])
        self._slopes = np.stack(columns, -1).reshape(-1, len(POSE)).astype(np.float32)  # (3 N, 5)

    def aligned(self, picture: Array, pose: Wide, where: Wide) -> Wide:
        """The pose (5,) at which the picture looks like the portrait, by Gauss-Newton steps with Cauchy's weights."""
        prior = np.diag(1 / SPREAD**2)
        for _ in range(_ITERATIONS):
            difference = _sampled(picture, *_places(TRACKED, pose, self._side)) - self._template
            size = np.square(difference).sum(1)
            weights = (where / (1 + size / (3 * self._noise**2)) / self._noise**2).astype(np.float32)
            weighted = self._slopes.T * np.repeat(weights, 3)
            slope = weighted @ difference.ravel() + prior @ pose
            step = np.linalg.solve((weighted @ self._slopes) + prior, slope)
            pose = pose - step
            if np.all(np.abs(step) < 0.04 * _STEPS):
                break
        return pose


def laid_flat(pictures: Pictures, poses: Array, *areas: Area) -> list[Array]:
    """For every area (F, rows, columns, 3), 0..255: that part of the face as if the head stood as in the portrait.

    Args:
        pictures: (F, S, S, 3).
        poses: (F, 5), from `Head.poses`.
    """
    small = smaller(pictures, _LEVELS[-1][0])
    side = small.shape[1]
    flat = []
    for area in areas:
        found = [_sampled(one, *_places(area, pose, side)) for one, pose in zip(small, poses, strict=True)]
        flat.append(np.stack(found).reshape(len(pictures), area.rows, area.columns, 3))
    return flat


def smaller(pictures: Pictures, size: int) -> Array:
    """(F, S, S, 3) uint8 to float32 (F, size, size, 3), averaged over blocks of pixels; smaller pictures stay as they are."""
    if pictures.shape[1] % size and pictures.shape[1] > size:
        resized = [Image.fromarray(one).resize((size, size), Image.Resampling.BOX) for one in pictures]
        return np.stack([np.asarray(one, np.float32) for one in resized])
    small = pictures.astype(np.float32)
    while small.shape[1] >= 2 * size:
        small = _halved(small)
    return small


def _pyramid(pictures: Pictures) -> list[tuple[Array, float]]:
    finest = smaller(pictures, _LEVELS[-1][0])
    stacks = [finest]
    for _ in _LEVELS[1:]:
        stacks.insert(0, _halved(stacks[0]))
    return [(stack, noise) for stack, (_, noise) in zip(stacks, _LEVELS, strict=True)]


def _halved(pictures: Array) -> Array:
    quarters = pictures[:, ::2, ::2] + pictures[:, 1::2, ::2] + pictures[:, ::2, 1::2] + pictures[:, 1::2, 1::2]
    return np.asarray(quarters / 4, np.float32)


def _depth(x: Wide, y: Wide) -> Wide:
    """Of the drawn face's surface towards the camera."""
    nose = 6.0 * np.exp(-((x / 3.2) ** 2) - ((y - 7.5) / 5.0) ** 2)
    return 17.0 - x * x / 22.0 - np.maximum(0, y - 14.0) * 0.10 + nose


def _tracked_weights(x: Wide, y: Wide) -> Wide:
    weights = np.ones(len(x))
    weights[(y > 11.0) & (np.abs(x) < 15.0)] = 0.0  # mouth and jaw
    weights[(y < -3.5) & (y > -14.5) & (np.abs(x) < 17.5)] = 0.15  # brows
    weights[(np.abs(y - 0.9) < 4.2) & (np.abs(np.abs(x) - 9.2) < 5.5)] = 0.3  # eyes
    return weights


def _places(area: Area, pose: NDArray[np.floating], side: int) -> tuple[Wide, Wide]:
    """Where the points of an area lie in a picture when the head has turned: pixels, their centres at whole numbers."""
    x, y = area.points
    found = project_xyz(view(*pose.tolist()), x, y, _depth(x, y)) + CENTRE
    return found[:, 0] * side / 100 - 0.5, found[:, 1] * side / 100 - 0.5


def _sampled(picture: Array, x: Wide, y: Wide) -> Array:
    """(N, 3), bilinear."""
    side = picture.shape[0]
    x, y = np.clip(x, 0, side - 1.001), np.clip(y, 0, side - 1.001)
    left, top = x.astype(np.int64), y.astype(np.int64)
    a, b = (x - left).astype(np.float32)[:, None], (y - top).astype(np.float32)[:, None]
    flat = picture.reshape(-1, 3)
    at = top * side + left
    upper = flat[at] * (1 - a) + flat[at + 1] * a
    lower = flat[at + side] * (1 - a) + flat[at + side + 1] * a
    return np.asarray(upper * (1 - b) + lower * b)
