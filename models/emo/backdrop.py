"""What stands still behind a person: the plain backdrop of a portrait, which no frame needs to paint anew.

A generated frame is noisy and moves a little everywhere. Where the portrait shows a plain backdrop far from the person, it is
simply kept; with a backdrop that is not plain, nothing is found and nothing is kept.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_dilation, gaussian_filter, label

_SLOPE = 6
"""Grey levels from one pixel to the next, in the strongest channel, that still count as plain."""
_SIDES = 0.12
"""Nearer than this to the left and right sides, as a share of the picture, there is no person above the shoulders."""
_SHOULDERS = 0.75
"""From so far down on, the sides may show shoulders."""
_CORNERS = 0.06
"""A backdrop may be seen beside the jaw, in so much of the ellipse of the face; what covers more of it is skin or hair."""
_REACH = (0.04, 0.001)
"""How far a person may move, as a share of the picture: at rest, and more for every degree a second of head speed."""


def kept_backdrop(
    portrait: NDArray[np.uint8], face: tuple[float, float, float, float], head_speed: float
) -> NDArray[np.float32]:
    """How much of each pixel of (S, S, 3) is to be kept: (S, S), 1 where nothing but a plain backdrop is ever seen, 0 on and
    around the person, smooth in between.

    Args:
        face: left, top, right, bottom as fractions; plain stretches that reach into it are skin or hair, not backdrop.
        head_speed: degrees a second; a head that turns faster moves further.
    """
    size = len(portrait)
    reach = (_REACH[0] + _REACH[1] * head_speed) * size
    light = np.pad(portrait.astype(np.int16), ((0, 1), (0, 1), (0, 0)), mode="edge")
    slope = np.maximum(np.abs(np.diff(light, axis=0))[:, :-1], np.abs(np.diff(light, axis=1))[:-1]).max(-1)
    plain, _ = label(slope <= _SLOPE)
    rows, columns = np.mgrid[:size, :size] / size
    middle, half = (face[0] + face[2]) / 2, (face[2] - face[0]) / 2
    centre, tall = (face[1] + face[3]) / 2, (face[3] - face[1]) / 2
    within = ((columns - middle) / half) ** 2 + ((rows - centre) / tall) ** 2 < 1
    beside = ((columns < _SIDES) | (columns > 1 - _SIDES)) & (rows < _SHOULDERS)
    share = np.bincount(plain[within], minlength=plain.max() + 1) / within.sum()
    behind = np.setdiff1d(np.unique(plain[beside]), [0, *np.flatnonzero(share > _CORNERS)])
    backdrop = binary_closing(np.pad(np.isin(plain, behind), 4, mode="edge"), iterations=2)[4:-4, 4:-4]
    near = binary_dilation(~backdrop, iterations=round(reach))
    return np.clip(2 * gaussian_filter((~near).astype(np.float32), reach / 3, mode="nearest") - 1, 0, 1)
