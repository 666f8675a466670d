"""The speed layers: how fast the head should turn (EMO, section 3.2, the head speed controller)."""

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn


class SpeedLayers(ModelMixin, ConfigMixin):
    """Head rotation speed to one feature per frame and temporal block.

    Bucket i has centre c_i and radius r: s_i = tanh(3 (w - c_i) / r), so the vector says in which bucket the speed is,
    and smoothly so between two of them.
    """

    @register_to_config
    def __init__(
        self,
        names: tuple[str, ...],
        widths: tuple[int, ...],
        centres: tuple[float, ...] = (0.0, 3.0, 6.0, 9.0, 12.0, 16.0, 20.0, 25.0, 30.0),
        radius: float = 3.0,
        channels: int = 64,
    ):
        """
        Args:
            names, widths: of the temporal blocks.
            centres: degrees a second.
            radius: degrees a second.
        """
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(len(centres), channels), nn.SiLU(), nn.Linear(channels, channels), nn.SiLU())
        self.out = nn.ModuleList([nn.Linear(channels, width) for width in widths])

    def forward(self, speed: Tensor) -> dict[str, Tensor]:
        """(B, F) degrees a second -> block name -> (B, F, width)."""
        centres = torch.tensor(self.config.centres, device=speed.device, dtype=speed.dtype)
        buckets = torch.tanh(3.0 * (speed[..., None] - centres) / self.config.radius)
        hidden = self.mlp(buckets.to(self.out[0].weight.dtype))
        return {name: layer(hidden) for name, layer in zip(self.config.names, self.out, strict=True)}
