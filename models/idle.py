"""Idle motion: what a face does whatever it says. Blinks, glances, the sway of the head and breathing, from chance alone.

The sound does not tell them, so a model that must guess them learns half-closed eyes and a frozen head. They are drawn here
from a seed and given to the model as a condition; training data and drafts move by the same rules.
"""

import numpy as np
from numpy.typing import NDArray

IDLE = ("blink", "gaze_x", "gaze_y", "yaw", "pitch", "roll", "breath")
"""Columns: eyes closed 0..1; gaze -1..1 to the viewer's right and upwards; sway in degrees; chest -1 (out) .. 1 (in)."""

_SWAY = (1.3, 0.8, 0.7)
"""Degrees, the most that the head sways in yaw, pitch and roll."""


def idle_motion(frames: int, fps: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """(frames, 7) with the columns of `IDLE`. It begins near rest: eyes open, looking at the camera, head straight."""
    t = np.arange(frames) / fps
    breath = np.sin(2 * np.pi * rng.uniform(0.22, 0.3) * t)
    sway = np.stack([reach * _wander(t, rng) for reach in _SWAY], axis=1)
    columns = [_blinks(frames, fps, rng)[:, None], _glances(frames, fps, rng), sway, breath[:, None]]
    return np.concatenate(columns, axis=1).astype(np.float32)


def _wander(t: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A slow, smooth walk in [-1, 1] that starts at zero."""
    speeds, phases = rng.uniform(0.05, 0.25, 3), rng.uniform(0, 2 * np.pi, 3)
    wave = np.sin(2 * np.pi * speeds[:, None] * t + phases[:, None]).mean(0)
    return (wave - wave[:1]) / 2


def _blinks(frames: int, fps: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Eyes close within two frames and open more slowly, about every 3.2 s, never within the first 0.4 s."""
    out = np.zeros(frames)
    length = max(3, round(0.2 * fps))
    shape = np.interp(np.linspace(0, 4, length), np.arange(5), (0.55, 1.0, 0.9, 0.5, 0.2))
    shape[round(0.25 * (length - 1))] = 1.0
    moment = 0.4 + rng.exponential(2.2)
    while moment * fps < frames:
        start = int(moment * fps)
        part = shape[: frames - start]
        out[start : start + len(part)] = np.maximum(out[start : start + len(part)], part)
        moment += 0.8 + rng.exponential(2.4)
    return out


def _glances(frames: int, fps: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Mostly at the camera, now and then a little aside, with quick moves between."""
    out = np.zeros((frames, 2))
    moment = 0.8 + rng.exponential(1.5)
    while moment * fps < frames:
        stay = 0.4 + rng.exponential(0.6)
        out[int(moment * fps) : int((moment + stay) * fps)] = np.clip(rng.normal(0, [0.25, 0.13]), -0.5, 0.5)
        moment += stay + 0.6 + rng.exponential(1.6)
    # An eye moves within 30 to 50 ms.
    smooth = np.array([0.2, 0.6, 0.2])[:, None]
    padded = np.pad(out, ((1, 1), (0, 0)), mode="edge")
    return padded[:-2] * smooth[0] + padded[1:-1] * smooth[1] + padded[2:] * smooth[2]
