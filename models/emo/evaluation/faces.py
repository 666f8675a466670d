"""What the instruments see of pictures: where the head is, and mouth, eyes, brows and face laid flat.

Everything is seen next to the portrait of the same person, so that instruments fitted on some people read others.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.emo.corpus import Scene, drawn, presenter_of, scene_of, training_utterance
from models.emo.evaluation.head import BROWS, EYES, MOUTH, POSE, UPPER_FACE, Array, Head, Pictures, laid_flat

FITTING_SEEDS = 2_000_000
"""Scenes that instruments are fitted on come from here on: training presenters, sounds that training does not use."""


@dataclass(frozen=True, slots=True)
class Sight:
    """F pictures of one person, as instruments see them."""

    head: Array
    """(F, 5), fields of `head.POSE`, not calibrated."""
    mouth: Array
    """(F, n), less the portrait's, in units of its contrast; so are the next two."""
    eyes: Array
    brows: Array
    upper_face: Array
    """(F, 26, 36, 3), 0..255."""


def look(pictures: Pictures, portrait: NDArray[np.uint8]) -> Sight:
    """See pictures (F, S, S, 3) in their order, of the person of a portrait (S, S, 3)."""
    areas = (MOUTH, EYES, BROWS, UPPER_FACE)
    poses = Head(portrait).poses(pictures)
    still = laid_flat(portrait[None], np.zeros((1, len(POSE)), np.float32), *areas)
    mouth, eyes, brows, upper = laid_flat(pictures, poses, *areas)
    return Sight(
        poses,
        _against(mouth, still[0]),
        _against(eyes, still[1]),
        _against(brows, still[2]),
        upper,
    )


def _against(flat: Array, still: Array) -> Array:
    contrast = max(float(still.std()), 8.0)
    return ((flat - still) / contrast).reshape(len(flat), -1)


def portrait_of(scene: Scene, size: int) -> NDArray[np.uint8]:
    """(size, size, 3): the presenter of a scene at rest."""
    return drawn(scene.presenter, np.zeros((1, scene.poses.shape[1]), np.float32), size)[0]


@dataclass(frozen=True, slots=True)
class Drawings:
    """Drawn frames of one training presenter, seen by the instruments, and the poses that drew them."""

    sight: Sight
    poses: Array
    """(F, 23)."""
    still: Array
    """(1, 26, 36, 3): the upper face of the portrait."""


def fitting_drawings(size: int, people: int = 140, frames: int = 12) -> list[Drawings]:
    """What instruments are fitted on: `frames` of each of `people` training presenters while they speak invented words."""
    found = []
    for seed in range(FITTING_SEEDS, FITTING_SEEDS + people):
        scene = scene_of(presenter_of(seed), training_utterance(seed), seed)
        rng = np.random.default_rng([6, seed])
        chosen = np.sort(rng.choice(len(scene.poses), min(frames, len(scene.poses)), replace=False))
        portrait = portrait_of(scene, size)
        sight = look(drawn(scene.presenter, scene.poses[chosen], size), portrait)
        found.append(Drawings(sight, scene.poses[chosen], upper_face(portrait)))
    return found


def upper_face(portrait: NDArray[np.uint8]) -> Array:
    """(1, 26, 36, 3) of a portrait (S, S, 3)."""
    return laid_flat(portrait[None], np.zeros((1, len(POSE)), np.float32), UPPER_FACE)[0]
