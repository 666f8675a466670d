"""Frames to latents and back, next to a portrait: the codec of the starter.

A general autoencoder spends nearly everything on what all frames of a person share. This one writes down only what changed.
A head that turns is the portrait with its pixels moved, so two latent channels say how far each place has moved, on a coarse
grid; what the face does (mouth, eyes, brows) is written as it would be if the head had not moved, in overlapping windowed
patches on their principal components, so that one mouth has the same latents wherever the head looks. The latents of the
portrait itself are exactly zero: what is still keeps the portrait's own pixels, and what moves their sharpness. See
docs/decisions/0002-a-codec-that-sees-the-portrait.md.
"""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from models.emo.backdrop import Matte, matted

STRIDE = 16
"""Pixels from one latent to the next; a patch is twice as wide, and half of it overlaps on every side."""


def window(channels: int = 3) -> Tensor:
    """Sine window (channels, 32, 32) whose square adds up to 1 at a stride of 16: analysis and synthesis make a tight frame."""
    ramp = torch.sin(math.pi * (torch.arange(2 * STRIDE) + 0.5) / (2 * STRIDE))
    return (ramp[:, None] * ramp[None, :]).expand(channels, -1, -1)


def leading_components(gram: Tensor, count: int) -> Tensor:
    """The `count` leading eigenvectors (count, D) of a (D, D) sum of squares: principal components with no mean removed."""
    return torch.linalg.eigh(gram)[1].flip(1)[:, :count].T.float().contiguous()


def windowed_patches(images: Tensor) -> Tensor:
    """(B, 3, H, W) to (B, H / 16 * W / 16, 3072), the patches that the latents describe, in rows."""
    patches = F.unfold(images, 2 * STRIDE, stride=STRIDE, padding=STRIDE // 2)
    return patches.transpose(1, 2) * window().reshape(-1).to(images)


def added_up(patches: Tensor, grid: tuple[int, int]) -> Tensor:
    """Patches in rows (B, h * w, 3072) to pictures (B, 3, H, W): each is added where `windowed_patches` took it from.

    It is `torch.nn.functional.fold` of rows, and a transposed convolution of their coefficients, in a quarter of the time on a
    processor.
    """
    height, width = grid
    quarters = patches.view(len(patches), height, width, 3, 2, STRIDE, 2, STRIDE)
    whole = patches.new_zeros(len(patches), 3, height + 1, STRIDE, width + 1, STRIDE)
    for down in (0, 1):
        for across in (0, 1):
            quarter = quarters[:, :, :, :, down, :, across].permute(0, 3, 1, 4, 2, 5)
            whole[:, :, down : down + height, :, across : across + width] += quarter
    half = STRIDE // 2
    return whole.flatten(4).flatten(2, 3)[:, :, half:-half, half:-half]


_AT_ONCE = 4
"""Frames whose patches are held together: of more, they take memory that the system has to clear each time."""
FAINT = 0.06
"""Changes of a place whose root mean square is below this are taken for noise, and fade out: mouths and
eyes that move have several times as much, and what a network predicts where nothing happens is never quite nothing."""

POSE = ("yaw", "pitch", "roll", "shift_x", "shift_y", "body_x", "body_y", "body_roll", "hair_x")
"""What moves a portrait's pixels, fields of `models.avatars.drawing.Pose`: degrees, and fractions of the picture."""


class PortraitCodec(ModelMixin, ConfigMixin):
    """Frames (B, 3, H, W) in [-1, 1] to latents (B, latent_channels, H / 16, W / 16) relative to a portrait, and back.

    The first two latent channels are the displacement (x, y), in hundredths of the picture's side; the others are
    coefficients of components.
    """

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 32,
        appearance_channels: int = 48,
        grid: int = 16,
        pose: tuple[str, ...] = POSE,
        own_places: int = 48,
    ):
        """
        Args:
            own_places: how many places of the grid have components of their own, such as those of mouth and eyes.
        """
        super().__init__()
        side = 2 * STRIDE
        self.changes = nn.Parameter(torch.randn(latent_channels - 2, 3, side, side) / side)
        self.appearances = nn.Parameter(torch.randn(appearance_channels, 3, side, side) / side)
        self.movements = nn.Parameter(torch.zeros(len(pose), 2, grid, grid))
        self.own = nn.Parameter(torch.randn(own_places, latent_channels - 2, 3 * side * side) / side)
        self.register_buffer("places", torch.arange(own_places))
        self.register_buffer("window", window().contiguous(), persistent=False)

    def appearance(self, portrait: Tensor) -> Tensor:
        """What the reference net is shown of a portrait: (B, appearance_channels, h, w), of spread 1."""
        coarse = self._analyse(portrait, self.appearances)
        return coarse * torch.rsqrt(coarse.square().mean((1, 2, 3), keepdim=True) + 1e-6)

    @property
    def stride(self) -> int:
        """Pixels from one latent to the next."""
        return STRIDE

    def still(self, portrait: Tensor) -> Tensor:
        """Latents of the portrait itself, (B, latent_channels, h, w): nothing has changed."""
        height, width = (side // STRIDE for side in portrait.shape[-2:])
        return portrait.new_zeros(len(portrait), self.config.latent_channels, height, width)

    def displacement(self, pose: Tensor) -> Tensor:
        """(B, P) poses, the fields `config.pose`, to displacements (B, 2, h, w): linear, since the angles are small."""
        return torch.einsum("bp,pchw->bchw", pose, self.movements)

    def encode(self, frames: Tensor, portrait: Tensor, displacement: Tensor) -> Tensor:
        """Latents of frames whose heads have moved by `displacement` (B, 2, h, w). `portrait` has B rows, or one for all."""
        change = moved(frames, undoing(displacement, frames.shape[-1])) - portrait
        latents = self._analyse(change, self.changes)
        patches = windowed_patches(change)[:, self.places]
        latents.flatten(2)[:, :, self.places] = torch.einsum("bkd,kcd->bck", patches, self.own)
        return torch.cat([displacement, latents], 1)

    def decode(self, latents: Tensor, portrait: Tensor, matte: Matte | None = None) -> Tensor:
        """Frames (B, 3, H, W). `portrait` has B rows, or one for all.

        Components end where a patch ends, not where a jaw does, and ring beside it; with the portrait's `matte` that is undone.
        """
        displacement = enlarged(self.settled(latents[:, :2]), portrait.shape[-1])
        changes = latents[:, 2:]
        energy = changes.square().mean(1, keepdim=True)
        changes = changes * energy.square() / (energy.square() + FAINT**4)
        frames = portrait + self._synthesised(changes)
        if matte is None:
            return moved(frames, displacement)
        parts = [part.to(frames).expand(len(frames), -1, -1, -1) for part in (matte.person, matte.colours)]
        person, colours, frames = moved(torch.cat([*parts, frames], 1), displacement).split([1, 3, 3], 1)
        return matted(frames, person, colours, matte.ground.to(frames))

    def _synthesised(self, latents: Tensor) -> Tensor:
        """Changes (B, 3, H, W) of coefficients (B, C, h, w)."""
        shared = (self.changes * self.window).flatten(1)
        own = self.own * self.window.flatten()
        parts = []
        for coefficients in latents.split(_AT_ONCE):
            rows = coefficients.flatten(2).transpose(1, 2)
            patches = rows @ shared
            patches[:, self.places] = torch.bmm(rows[:, self.places].transpose(0, 1), own).transpose(0, 1)
            parts.append(added_up(patches, latents.shape[-2:]))
        return torch.cat(parts)

    def settled(self, displacement: Tensor) -> Tensor:
        """The nearest displacement (B, 2, h, w) that some head pose gives: a head turns as a whole, it does not wobble."""
        ways = self.movements.flatten(1)
        pose = displacement.flatten(1) @ torch.linalg.pinv(ways)
        return (pose @ ways).view_as(displacement)

    def _analyse(self, images: Tensor, components: Tensor) -> Tensor:
        return F.conv2d(images, components * self.window, stride=STRIDE, padding=STRIDE // 2)


def enlarged(displacement: Tensor, size: int) -> Tensor:
    """(B, 2, h, w) to (B, 2, size, size), smoothly: bicubic interpolation, as two products."""
    down, across = (_bicubic(side, size).to(displacement) for side in displacement.shape[-2:])
    return down @ displacement @ across.T


@lru_cache(maxsize=8)
def _bicubic(side: int, size: int) -> Tensor:
    """(size, side): the weights with which torch interpolates so many values from so many."""
    each = torch.eye(side)[None, None]
    return F.interpolate(each, size=(size, side), mode="bicubic", align_corners=False)[0, 0]


def undoing(displacement: Tensor, size: int) -> Tensor:
    """The displacement (B, 2, size, size) that undoes `moved` by `enlarged(displacement)`, by fixed-point iteration."""
    forth = enlarged(displacement, size)
    back = -forth
    for _ in range(4):
        back = -moved(forth, back)
    return back


def moved(pictures: Tensor, displacement: Tensor) -> Tensor:
    """(B, C, H, W) with every pixel taken from where (B, 2, H, W) points: hundredths of the side, from its place."""
    height, width = pictures.shape[-2:]
    offset = displacement.permute(0, 2, 3, 1) * 0.02  # a side is 2 long in grid_sample's coordinates
    y = (torch.arange(height, device=pictures.device, dtype=pictures.dtype) + 0.5) * 2 / height - 1
    x = (torch.arange(width, device=pictures.device, dtype=pictures.dtype) + 0.5) * 2 / width - 1
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
    return F.grid_sample(pictures, grid + offset, padding_mode="border", align_corners=False)
