"""Frames to latents and back, next to a portrait: the autoencoder of the starter.

A general autoencoder spends nearly everything on what all frames of a person share. This one is told the portrait on both
sides: the encoder writes down what changed, the decoder moves the portrait's own pixels (a smooth displacement) and paints
what was hidden in it, such as the inside of the mouth. The latents of the portrait itself are exactly zero, so stillness is
exact, and noise that a denoiser leaves shows as a slight displacement instead of a texture. See
docs/decisions/0002-a-codec-that-sees-the-portrait.md.
"""

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

PATCH = 4
"""Pixels are seen in 4 x 4 patches: the largest feature maps of an autoencoder, and most of its cost, are not there."""


class Block(nn.Module):
    """Residual convolutions without a norm: colours are absolute here. Starts as the identity."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.conv1(F.silu(x))))


class Pyramid(nn.Module):
    """Feature maps at 1/4, 1/8 and 1/16 of the picture."""

    def __init__(self, in_channels: int, channels: tuple[int, ...]):
        super().__init__()
        sizes = (in_channels, *channels)
        self.convs = nn.ModuleList(
            [nn.Conv2d(a, b, 3, padding=1, stride=1 if i == 0 else 2) for i, (a, b) in enumerate(zip(sizes, channels))]  # noqa: B905
        )
        self.blocks = nn.ModuleList([Block(width) for width in channels])

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = []
        for conv, block in zip(self.convs, self.blocks, strict=True):
            x = block(conv(x))
            levels.append(x)
        return levels


class PortraitCodec(ModelMixin, ConfigMixin):
    """Frames (B, 3, H, W) in [-1, 1] to latents (B, latent_channels, H / 16, W / 16) relative to a portrait, and back.

    Args:
        channels: widths at 1/4, 1/8, 1/16.
        reach: the largest displacement, as a fraction of the picture.
        scaling_factor: brings the latents to a spread of 1 where a face moves.
    """

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 16,
        channels: tuple[int, ...] = (64, 96, 128),
        reach: float = 0.1,
        scaling_factor: float = 1.0,
    ):
        super().__init__()
        pixels = 3 * PATCH * PATCH
        self.portrait_encoder = Pyramid(pixels, channels)
        self.frame_encoder = Pyramid(2 * pixels, channels)
        self.to_latents = nn.Conv2d(channels[-1], latent_channels, 1)
        self.from_latents = nn.Conv2d(latent_channels, channels[-1], 3, padding=1)
        self.blocks = nn.ModuleList([nn.Sequential(Block(w), Block(w)) for w in reversed(channels)])
        self.ups = nn.ModuleList(
            [nn.Conv2d(a, b, 3, padding=1) for a, b in zip(channels[:0:-1], channels[-2::-1], strict=True)]
        )
        self.displacement = nn.Conv2d(channels[0], 2, 3, padding=1)
        # Paint is added, not blended in by a gate: a gate closes while the colours are still wrong, and stays closed.
        self.paint = nn.Conv2d(channels[0], pixels, 3, padding=1)
        for layer in (self.displacement, self.paint):
            nn.init.normal_(layer.weight, std=1e-3)
            nn.init.zeros_(layer.bias)

    def read(self, portrait: Tensor) -> tuple[list[Tensor], Tensor]:
        """What `decode` and `encode` need of a portrait (B, 3, H, W), once per clip: its features, and the code of no change."""
        patches = F.pixel_unshuffle(portrait, PATCH)
        still = self._code(torch.cat([torch.zeros_like(patches), patches], 1))
        return self.portrait_encoder(patches), still

    @staticmethod
    def appearance(features: list[Tensor]) -> Tensor:
        """What the reference net is shown of a portrait: its coarsest features, (B, channels[-1], h, w), of spread 1."""
        coarse = features[-1]
        return coarse * torch.rsqrt(coarse.square().mean((1, 2, 3), keepdim=True) + 1e-6)

    def _code(self, patches: Tensor) -> Tensor:
        return self.to_latents(F.silu(self.frame_encoder(patches)[-1]))

    def encode(self, frames: Tensor, portrait: Tensor, still: Tensor) -> Tensor:
        """Latents of frames that belong to portraits, row by row; zero where a frame is its portrait."""
        patches = F.pixel_unshuffle(portrait, PATCH)
        change = F.pixel_unshuffle(frames - portrait, PATCH)
        return (self._code(torch.cat([change, patches], 1)) - still) * self.config.scaling_factor

    def decode(self, latents: Tensor, portrait: Tensor, features: list[Tensor]) -> Tensor:
        """Frames (B, 3, H, W). `portrait` and `features` have B rows, or one for all."""
        x = self.from_latents(latents / self.config.scaling_factor)
        for level, block in enumerate(self.blocks):
            x = block(x + features[-1 - level])
            if level < len(self.ups):
                x = self.ups[level](F.interpolate(x, scale_factor=2.0, mode="nearest"))
        x = F.silu(x)
        moved = self._moved(portrait.expand(len(x), -1, -1, -1), self.displacement(x))
        return moved + F.pixel_shuffle(self.paint(x), PATCH)

    def _moved(self, portrait: Tensor, displacement: Tensor) -> Tensor:
        height, width = portrait.shape[-2:]
        smooth = F.interpolate(displacement, size=(height, width), mode="bilinear", align_corners=False)
        offset = (smooth.tanh() * 2 * self.config.reach).permute(0, 2, 3, 1)
        y = (torch.arange(height, device=portrait.device, dtype=portrait.dtype) + 0.5) * 2 / height - 1
        x = (torch.arange(width, device=portrait.device, dtype=portrait.dtype) + 0.5) * 2 / width - 1
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
        return F.grid_sample(portrait, grid + offset, padding_mode="border", align_corners=False)
