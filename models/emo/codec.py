"""Pictures to latents and back, through any diffusers `AutoencoderKL`, and the portrait's own detail put back.

The starter's autoencoder sees 4 x 4 patches of pixels as channels (48 in, 48 out): the two largest feature maps of a usual
autoencoder, and most of its cost, are not there. The patch size follows from the number of input channels, so that a
published autoencoder (3 channels, patch 1) goes through the same functions.
"""

import math

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor


def patch_size(vae: AutoencoderKL) -> int:
    return math.isqrt(vae.config.in_channels // 3)


def to_latents(vae: AutoencoderKL, images: Tensor) -> Tensor:
    """(B, 3, H, W) in [-1, 1] to scaled latents (B, C, h, w); the mean of the posterior, so that it is deterministic."""
    mean = vae.encode(F.pixel_unshuffle(images, patch_size(vae))).latent_dist.mean
    return (mean - (vae.config.shift_factor or 0.0)) * vae.config.scaling_factor


def to_images(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Scaled latents (B, C, h, w) to (B, 3, H, W), about [-1, 1]."""
    decoded = vae.decode(latents / vae.config.scaling_factor + (vae.config.shift_factor or 0.0)).sample
    return F.pixel_shuffle(decoded, patch_size(vae))


def with_portrait_detail(decoded: Tensor, decoded_portrait: Tensor, portrait: Tensor, tolerance: float = 0.12) -> Tensor:
    """Decoded frames with what the autoencoder lost of the portrait, wherever they still show the portrait.

    Where a frame equals the decoded portrait, the portrait's own pixels come back; where it differs by more than
    `tolerance` (of a range of 2, averaged over 9 x 9 pixels), the frame stays as it was decoded.

    Args:
        decoded: (B, 3, H, W).
        decoded_portrait: (1, 3, H, W), the portrait's latents decoded.
        portrait: (1, 3, H, W).
    """
    change = (decoded - decoded_portrait).abs().amax(1, keepdim=True)
    change = F.avg_pool2d(F.pad(change, (4, 4, 4, 4), mode="replicate"), 9, stride=1)
    keep = torch.exp(-(change / tolerance).square())
    return decoded + keep * (portrait - decoded_portrait)
