"""What a face does besides speaking: brows, eyes and nods that follow the voice, blinks, and how fast the head turns."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from models.avatars.drawing import POSE_FIELDS
from models.avatars.motion import head_speed
from models.emo.corpus import Scene
from models.emo.evaluation.head import Array
from models.emo.evaluation.reading import ANGLES, BLINK, BROW, WIDEN, Reading, opening
from models.emo.evaluation.speech import STILL, correlation
from models.idle import IDLE

_PITCH = POSE_FIELDS.index("pitch")
_IDLE_PITCH = IDLE.index("pitch")


def voiced_curves(scene: Scene, part: slice) -> dict[str, Array]:
    """What follows the voice in a part of a drawn scene: `brow`, `eyes` and `nod`, each (F,); what does not move is left out.

    A nod is what remains of the head's pitch, in degrees, without its idle sway, which the voice does not tell.
    """
    poses = scene.poses[part]
    if not len(poses):
        return {}
    curves = {"brow": poses[:, BROW], "eyes": poses[:, WIDEN], "nod": _without_sway(poses[:, _PITCH], scene, part)}
    return {name: curve for name, curve in curves.items() if curve.std() > STILL}


def read_curves(reading: Reading, scene: Scene, part: slice) -> dict[str, Array]:
    """The same, from what was read from pictures of the scene, which were given its idle motion."""
    nod = _without_sway(reading.angles[part, 1], scene, part)
    return {"brow": reading.brow[part], "eyes": reading.widen[part], "nod": nod}


def _without_sway(pitch: Array, scene: Scene, part: slice) -> Array:
    """What the idle pitch does not explain by least squares, so that neither sway nor its absence counts."""
    sway = scene.idle[part, _IDLE_PITCH] - scene.idle[part, _IDLE_PITCH].mean()
    centred = pitch - pitch.mean()
    return np.asarray(centred - sway * (sway @ centred) / max(float(sway @ sway), 1e-9))


def expression_correlation(found: Sequence[dict[str, Array]], truths: Sequence[dict[str, Array]]) -> dict[str, float]:
    """Mean over clips of the correlation of each curve with what was drawn."""
    names = dict.fromkeys(name for truth in truths for name in truth)
    return {
        name: float(np.mean([correlation(f[name], t[name]) for f, t in zip(found, truths, strict=True) if name in t]))
        for name in names
    }


def blinks(closed: Array) -> list[int]:
    """Frames at which eyes close, from (F,) how closed they are: from above a half until below 0.3."""
    moments, shut = [], False
    for frame, value in enumerate(closed):
        if not shut and value > 0.5:
            moments.append(frame)
        shut = value > (0.3 if shut else 0.5)
    return moments


def drawn_blinks(scene: Scene, frames: int) -> list[int]:
    return blinks(scene.poses[:frames, BLINK])


def spoken(scene: Scene, frames: int) -> Array:
    """(frames,) whether somebody speaks, within a quarter of a second, as `models.emo.corpus.scene_of` has it."""
    return np.asarray(maximum_filter1d(opening(scene.poses[:frames]), 13) > 0.15)


def speed_read(reading: Reading, speaking: Array, fps: int) -> float:
    """Mean head rotation while speaking, degrees a second, from what was read (a little smoothed: it is noisy)."""
    return mean_speed(gaussian_filter1d(reading.angles.astype(np.float64), 1.0, axis=0), speaking, fps)


def mean_speed(angles: Array, speaking: Array, fps: int) -> float:
    """The same of (F, 3) yaw, pitch, roll in degrees."""
    poses = np.zeros((len(angles), len(POSE_FIELDS)), np.float32)
    poses[:, ANGLES] = angles
    speed = head_speed(poses, fps)
    return float(speed[speaking].mean() if speaking.any() else speed.mean())
