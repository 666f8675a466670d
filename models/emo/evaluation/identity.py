"""Is it still the same person: the face alone is compared with the portraits of many others.

The upper face is laid flat, from the forehead to under the nose within the cheeks, so that mouth, clothes, most hair and
background cannot help. In which ways one person's face changes (lids, gaze, brows) is learnt from drawings of training
presenters, and such differences count little: Mahalanobis distance with the covariance within persons.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.avatars.drawing import Pose, draw
from models.avatars.presenters import STARTER_CAST, Presenter
from models.emo.corpus import HELD_OUT_PRESENTER_SEED, presenter_of
from models.emo.evaluation.faces import Drawings, upper_face
from models.emo.evaluation.head import UPPER_FACE, Array

OTHERS = 48
"""Random presenters in every gallery, besides the starter cast and those who are evaluated."""
_PLACES = UPPER_FACE.rows * UPPER_FACE.columns * 3
_WAYS = 200
"""How many ways in which one face changes are told apart."""
_UNUSUAL = 10.0
"""A way of changing with at least this spread (root of the sum of squared grey values) is mostly forgiven."""


class Gallery:
    """Portraits of many, to find in it who a picture shows."""

    def __init__(self, presenters: Sequence[Presenter], drawings: Sequence[Drawings], size: int):
        self.presenters = list(dict.fromkeys(presenters))
        within = np.concatenate([one.sight.upper_face - one.still for one in drawings]).reshape(-1, _PLACES)
        spread, ways = np.linalg.eigh(within @ within.T / len(within))
        strength = np.maximum(spread[::-1][:_WAYS], 1e-3)
        self._ways = (
            within.T @ ways[:, ::-1][:, :_WAYS] / np.sqrt(strength * len(within))
        )  # (places, ways), orthonormal
        self._forgiven = strength / (strength + _UNUSUAL**2)
        self._faces = np.concatenate([upper_face(draw(one, Pose(), size)) for one in self.presenters])

    def distances(self, faces: Array) -> Array:
        """(F, N) of upper faces (F, 26, 36, 3) to every portrait: root mean square, in grey values that no usual change
        of a face explains."""
        found = []
        for known in self._faces:
            difference = (faces - known).reshape(len(faces), _PLACES)
            explained = np.square(difference @ self._ways) @ self._forgiven
            found.append(np.sqrt(np.maximum(np.square(difference).sum(1) - explained, 0) / _PLACES))
        return np.stack(found, 1)

    def recognised(self, faces: Array, presenter: Presenter) -> tuple[NDArray[np.bool_], Array]:
        """Whether each face (F, 26, 36, 3) is nearest to the portrait of the right one, and by which margin.

        The margin is (nearest other - own) / nearest other: 1 is identical to the own portrait, below 0 is nearer to another.
        """
        place = self.presenters.index(presenter)
        distances = self.distances(faces)
        own = distances[:, place]
        other = np.delete(distances, place, axis=1).min(1)
        return own < other, (other - own) / other


def gallery_of(presenters: Sequence[Presenter], drawings: Sequence[Drawings], size: int) -> Gallery:
    """Those who are evaluated, the starter cast, and random ones who appear nowhere else."""
    others = [presenter_of(HELD_OUT_PRESENTER_SEED + 100_000 + k) for k in range(OTHERS)]
    return Gallery([*presenters, *STARTER_CAST, *others], drawings, size)
