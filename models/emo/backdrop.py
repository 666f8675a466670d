"""What stands still behind a person: the plain backdrop of a portrait, which no frame needs to paint anew.

A generated frame is noisy and moves a little everywhere. Where the portrait shows a plain backdrop far from the person, it is
simply kept. Nearer, a pixel shows the backdrop, the person, or an edge between them, and nothing else (the matting equation,
Porter and Duff 1984). With a backdrop that is not plain, nothing is found and nothing is done.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import (
    binary_closing,
    binary_dilation,
    binary_erosion,
    distance_transform_edt,
    gaussian_filter,
    label,
)
from torch import Tensor

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


def plain_backdrop(portrait: NDArray[np.uint8], face: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    """Where (S, S, 3) shows a plain backdrop: (S, S), False everywhere if there is none.

    Args:
        face: left, top, right, bottom as fractions; plain stretches that reach into it are skin or hair, not backdrop.
    """
    size = len(portrait)
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
    return binary_closing(np.pad(np.isin(plain, behind), 4, mode="edge"), iterations=2)[4:-4, 4:-4]


def kept_backdrop(backdrop: NDArray[np.bool_], head_speed: float) -> NDArray[np.float32]:
    """How much of each pixel is to be kept: (S, S), 1 where nothing but a plain backdrop is ever seen, 0 on and around the
    person, smooth in between.

    Args:
        backdrop: (S, S), as `plain_backdrop`.
        head_speed: degrees a second; a head that turns faster moves further.
    """
    reach = (_REACH[0] + _REACH[1] * head_speed) * len(backdrop)
    near = binary_dilation(~backdrop, iterations=round(reach))
    return np.clip(2 * gaussian_filter((~near).astype(np.float32), reach / 3, mode="nearest") - 1, 0, 1)


_EDGE = 3
"""Pixels beside an edge that show both of its sides."""
_ALIKE = 0.02
"""Squared distance between colours, [-1, 1] each, below which a person can hardly be told from the backdrop."""


@dataclass(frozen=True, slots=True)
class Matte:
    """A portrait that is parted into person and plain backdrop."""

    person: Tensor
    """(1, 1, S, S): 1 on the person, 0 on the backdrop."""
    colours: Tensor
    """(1, 3, S, S) in [-1, 1]: those of the nearest pixel of the person."""
    ground: Tensor
    """(1, 3, S, S) in [-1, 1]: the backdrop, goes on behind the person with the colour of the nearest pixel."""


def matte_of(portrait: NDArray[np.uint8], backdrop: NDArray[np.bool_]) -> Matte | None:
    """Of (S, S, 3) and where its backdrop is, as `plain_backdrop`; None if there is no backdrop, or nothing else."""
    inside = binary_erosion(~backdrop, iterations=_EDGE, border_value=1)
    if not backdrop.any() or not inside.any():
        return None
    pictures = []
    for shown in (inside, backdrop):
        rows, columns = distance_transform_edt(~shown, return_distances=False, return_indices=True)
        picture = torch.from_numpy(portrait[rows, columns].astype(np.float32))
        pictures.append(picture.permute(2, 0, 1)[None] / 127.5 - 1)
    return Matte(torch.from_numpy((~backdrop).astype(np.float32))[None, None], *pictures)


def matted(frames: Tensor, person: Tensor, colours: Tensor, ground: Tensor) -> Tensor:
    """Frames (B, 3, S, S) in which everything beside the person is the backdrop, the person's colour, or between them.

    What is nearer to the one than to the other comes nearer still, so that edges are sharp.

    Args:
        person, colours: as in `Matte`, (B, ...), where the person is in each frame.
        ground: as in `Matte`; the backdrop does not move.
    """
    across = colours - ground
    length = across.square().sum(1, keepdim=True)
    share = ((frames - ground) * across).sum(1, keepdim=True) / (length + _ALIKE)
    share = (2 * share - 0.5).clamp(0, 1)
    share = share.square() * (3 - 2 * share)
    return torch.lerp(ground + share * across, frames, person)
