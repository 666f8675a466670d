"""Instruments that read what a face does from pictures: regressions fitted at every evaluation on drawings of training
presenters, where it is known what was drawn. How well they read drawings of other people is their ceiling.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.avatars.drawing import POSE_FIELDS
from models.emo.evaluation.faces import Drawings, Sight
from models.emo.evaluation.head import SPREAD, Array

VISEMES = ("closed", "open", "wide", "round", "teeth")
"""Mouth shapes that a viewer tells apart: as in m (or silence), a, e, o, s (or f)."""
UNCLEAR = -1
"""Between two mouth shapes."""

BLINK, BROW, WIDEN = (POSE_FIELDS.index(name) for name in ("blink", "brow", "widen"))
ANGLES = slice(POSE_FIELDS.index("yaw"), POSE_FIELDS.index("roll") + 1)


def opening(poses: Array) -> Array:
    """(F,) how far the lips are apart, 0..1, from poses (F, 23): pressed lips are closed whatever the jaw does."""
    return poses[:, 0] * (1 - poses[:, 5])


def visemes_of(poses: Array) -> NDArray[np.int64]:
    """(F,) the place in `VISEMES` of what was drawn with poses (F, 23); `UNCLEAR` between two shapes."""
    apart, rounded = opening(poses), poses[:, 2]
    teeth = np.maximum(poses[:, 3], poses[:, 6])
    # Round lips and bared teeth part the lips by themselves, as models.avatars.features.draw_mouth has it.
    gap = np.maximum.reduce([apart, 0.24 * rounded * (1 - poses[:, 5]), 0.17 * teeth * (1 - poses[:, 5])])
    found = np.full(len(poses), UNCLEAR)
    found[(poses[:, 1] > 0.42) & (rounded < 0.3) & (teeth < 0.5) & (gap > 0.11)] = VISEMES.index("wide")
    found[(teeth > 0.5) & (apart < 0.35) & (rounded < 0.3)] = VISEMES.index("teeth")
    found[(apart > 0.45) & (rounded < 0.35)] = VISEMES.index("open")
    found[rounded > 0.45] = VISEMES.index("round")
    found[gap < 0.055] = VISEMES.index("closed")
    return found


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from F pictures."""

    opening: Array
    """(F,) as `opening` of the pose."""
    visemes: NDArray[np.int64]
    """(F,) places in `VISEMES`."""
    blink: Array
    """(F,) 0 open, 1 closed."""
    brow: Array
    """(F,) as `Pose.brow`; the next as `Pose.widen`."""
    widen: Array
    angles: Array
    """(F, 3) yaw, pitch, roll in degrees."""


class Linear:
    """Ridge regression from (N, features) to (N, targets), each row with a weight."""

    def __init__(self, seen: Array, known: Array, ridge: float, weights: Array | None = None):
        share = np.ones(len(seen)) if weights is None else weights / weights.mean()
        self._mean = (seen * share[:, None]).mean(0)
        self._offset = (known * share[:, None]).mean(0)
        root = np.sqrt(share)[:, None]
        centred = (seen - self._mean) * root
        gram = centred @ centred.T + ridge * np.eye(len(seen))
        self._slopes = centred.T @ np.linalg.solve(gram, (known - self._offset) * root)

    def read(self, seen: Array) -> Array:
        return np.asarray((seen - self._mean) @ self._slopes + self._offset, np.float32)


class Reader:
    """Reads faces after it was fitted on drawings of other people."""

    def __init__(self, drawings: Sequence[Drawings]):
        poses = np.concatenate([one.poses for one in drawings])
        mouths = np.concatenate([one.sight.mouth for one in drawings])
        self._opening = Linear(mouths, opening(poses)[:, None], 300.0)
        shapes = visemes_of(poses)
        clear = shapes != UNCLEAR
        # Every shape counts the same, however often it occurs.
        weights = 1.0 / np.maximum(np.bincount(shapes[clear], minlength=len(VISEMES)), 1)
        self._visemes = Linear(mouths[clear], np.eye(len(VISEMES))[shapes[clear]], 100.0, weights[shapes[clear]])
        self._eyes = Linear(np.concatenate([one.sight.eyes for one in drawings]), poses[:, [BLINK, WIDEN]], 300.0)
        self._brows = Linear(np.concatenate([one.sight.brows for one in drawings]), poses[:, [BROW]], 1000.0)
        turns = np.concatenate([one.sight.head for one in drawings]) / SPREAD
        self._head = Linear(turns, poses[:, ANGLES], 0.01)

    def read(self, sight: Sight) -> Reading:
        eyes = self._eyes.read(sight.eyes)
        return Reading(
            self._opening.read(sight.mouth)[:, 0],
            self._visemes.read(sight.mouth).argmax(1),
            eyes[:, 0],
            self._brows.read(sight.brows)[:, 0],
            eyes[:, 1],
            self._head.read(sight.head / SPREAD),
        )
