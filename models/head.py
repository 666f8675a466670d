"""How a head turns, from five points on its face.

With the points turned upright (roll), a head of average build obeys, under weak perspective,

    yaw   = atan(n_x / (k e))           n_x: how far the nose is beside the line from between the eyes to the mouth
    pitch = -atan((n_y - m) / (k e'))   n_y: how far the nose is below the eyes; m: its median; e' = e / cos(yaw)

where e is the distance between the eyes and k = 0.4 how far the tip of the nose stands out, in e (26 of 63 mm). The mouth is
left out of pitch, because it moves while somebody speaks. Limits: every nose is different, so angles are proportional to
the true ones rather than equal; pitch is told relative to the median of the stretch that is looked at; pitch is the least
certain of the three and is therefore smoothed the most; beyond about 40 degrees the far eye is guessed. On drawn heads with
known motion (`tests/models/emo/test_training_videos.py`) speeds averaged over a clip correlate with the true ones.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

Array = NDArray[np.float32]

_NOSE = 0.4
_STEADY = (0.08, 0.24, 0.08)
"""Seconds (standard deviation) over which yaw, pitch and roll are smoothed."""


def head_angles(points: Array, fps: float = 25) -> Array:
    """(F, 5, 2) points in pixels, as `faces.Face.points`, to yaw, pitch and roll in degrees (F, 3).

    Signs as in `models.avatars.drawing.Pose`: to the viewer's right, upwards, clockwise.
    """
    left, right, nose, mouth_left, mouth_right = np.moveaxis(points.astype(np.float64), 1, 0)
    across = right - left
    e = np.linalg.norm(across, axis=1)
    roll = np.arctan2(across[:, 1], across[:, 0])
    x_axis = np.stack([np.cos(roll), np.sin(roll)], 1)
    y_axis = np.stack([-np.sin(roll), np.cos(roll)], 1)
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    n_y = ((nose - eyes) * y_axis).sum(1)
    down = np.median(n_y / ((mouth - eyes) * y_axis).sum(1))
    n_x = ((nose - (eyes + down * (mouth - eyes))) * x_axis).sum(1)
    yaw = np.arctan(n_x / (_NOSE * e))
    below = n_y / (e / np.cos(yaw))
    pitch = -np.arctan((below - np.median(below)) / _NOSE)
    angles = np.degrees(np.stack([yaw, pitch, np.unwrap(roll)], 1))
    smooth = [gaussian_filter1d(angles[:, k], _STEADY[k] * fps, mode="nearest") for k in range(3)]
    return np.stack(smooth, 1).astype(np.float32)


def head_speed(angles: Array, fps: float = 25) -> Array:
    """(F, 3) degrees to (F,) degrees a second, all three rotations together."""
    if len(angles) < 2:
        return np.zeros(len(angles), np.float32)
    return np.linalg.norm(np.gradient(angles.astype(np.float64), axis=0) * fps, axis=1).astype(np.float32)
