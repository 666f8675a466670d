"""The face locator: where the face may be (EMO, "Face Locator"; the facial region controller)."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn


def face_mask(face: tuple[float, float, float, float], size: int) -> Tensor:
    """The face region as a picture: (1, 1, size, size), 1 inside the ellipse in the box and 0 outside, edges softened.

    Args:
        face: left, top, right, bottom as fractions of the picture.
    """
    left, top, right, bottom = face
    axis = (torch.arange(size) + 0.5) / size
    x = (axis[None, :] - (left + right) / 2) / ((right - left) / 2)
    y = (axis[:, None] - (top + bottom) / 2) / ((bottom - top) / 2)
    return ((1.15 - (x.square() + y.square()).sqrt()) / 0.3).clamp(0, 1)[None, None]


class FaceLocator(ModelMixin, ConfigMixin):
    """Light convolutions from the mask to a feature that is added after the backbone's first layer.

    The last convolution starts at zero: an untrained locator changes nothing.

    Args:
        between: another convolution, at the same size, stands before each that halves the size, as in EchoMimic.
    """

    @register_to_config
    def __init__(self, out_channels: int = 96, channels: tuple[int, ...] = (16, 32, 64), between: bool = False):
        super().__init__()
        self.conv_in = nn.Conv2d(1, channels[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for a, b in pairwise(channels):
            if between:
                self.blocks.append(nn.Conv2d(a, a, 3, padding=1))
            self.blocks.append(nn.Conv2d(a, b, 3, padding=1, stride=2))
        self.conv_out = nn.Conv2d(channels[-1], out_channels, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)

    def forward(self, mask: Tensor) -> Tensor:
        """(B, 1, H, W) -> (B, out_channels, H / 2^k, W / 2^k), k the number of strided convolutions."""
        x = F.silu(self.conv_in(mask))
        for block in self.blocks:
            x = F.silu(block(x))
        return self.conv_out(x)
