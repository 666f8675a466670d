"""Emotions of a presenter: what joy, concern, anger and surprise add to a face and to how the head is held.

The shapes follow the action units of the Facial Action Coding System that are usually given for each (Ekman and Friesen 1978):
joy 6 + 12, concern 1 + 4 + 15, anger 4 + 5 + 7 + 23, surprise 1 + 2 + 5 + 26.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from models.avatars.drawing import POSE_FIELDS, Pose

Emotion = Literal["neutral", "joy", "concern", "anger", "surprise"]
EMOTIONS: tuple[Emotion, ...] = get_args(Emotion)

_ADDS: dict[Emotion, dict[str, float]] = {
    "neutral": {},
    "joy": {"smile": 1.35, "wide": 0.35, "brow": 0.3, "widen": -0.3, "pitch": 2.5, "roll": 2.0, "shift_y": -0.006},
    "concern": {
        "smile": -1.7,
        "inner_brow": 1.0,
        "brow": 0.1,
        "widen": 0.1,
        "pitch": -2.5,
        "roll": 4.0,
        "gaze_y": 0.1,
    },
    "anger": {
        "smile": -1.8,
        "inner_brow": -1.0,
        "brow": -0.5,
        "widen": -0.25,
        "press": 0.25,
        "pitch": -4.0,
        "shift_y": 0.006,
    },
    "surprise": {
        "smile": -0.5,
        "open": 0.22,
        "round": 0.25,
        "brow": 1.0,
        "widen": 1.0,
        "pitch": 3.0,
        "shift_y": -0.012,
    },
}
_RANGES = {"smile": (-2, 1.5), "brow": (-1, 1), "inner_brow": (-1, 1), "widen": (-1, 1), "gaze_y": (-1, 1)}
_SHARES = {"open", "wide", "round", "press"}


def felt(
    poses: NDArray[np.float32], emotion: Emotion, strength: float | NDArray[np.float32] = 1.0
) -> NDArray[np.float32]:
    """Poses (F, 23), fields of `drawing.Pose`, with an emotion in them; every field stays within its range.

    Args:
        strength: 0..1, one figure or (F,) of them, such as an onset.

    Raises:
        ValueError: there is no such emotion.
    """
    if emotion not in _ADDS:
        raise ValueError(f"emotion {emotion!r}: choose one of {', '.join(EMOTIONS)}.")
    out = poses.astype(np.float32, copy=True)
    for field, amount in _ADDS[emotion].items():
        column = out[:, POSE_FIELDS.index(field)]
        if field in _SHARES:  # what speech leaves of the mouth: pressed lips stay pressed, an open jaw stays as it is
            column += strength * amount * (1 - column) * (1 - out[:, POSE_FIELDS.index("press")])
        else:
            column += strength * amount
        if field in _RANGES:
            np.clip(column, *_RANGES[field], out=column)
    return out


def pose_of(emotion: Emotion) -> Pose:
    """A silent, frontal presenter who feels so."""
    return Pose.from_array(felt(np.zeros((1, len(POSE_FIELDS)), np.float32), emotion)[0])
