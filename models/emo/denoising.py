"""What the starter's backbone predicts: the latents, through a skip that knows how large they can be.

The latents of the starter's codec are changes from the portrait: their spread is about 1 on the face and far less
elsewhere, and a small network cannot copy x_t through where little remains to be removed. So the output F is wrapped as in
EDM (Karras et al. 2022, section 5 and table 1), written for x_t = a z + b noise and with a spread s that depends on place:

    z_hat = c_skip x_t + c_out F(c_in x_t),  c_skip = a s^2 / v,  c_out = b s / sqrt(v),  c_in = 1 / sqrt(v),  v = (a s)^2 + b^2
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import SchedulerMixin
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviation of the scaled latents: per channel inside the face mask, and `still` of that far from it."""

    face: tuple[float, ...] = (1.0,)
    still: float = 0.3

    def map(self, mask: Tensor, size: int) -> Tensor:
        """(B, 1, H, W) face mask -> (B, C, 1, size, size) spread of the latents."""
        small = F.interpolate(mask, size=(size, size), mode="area")
        near = F.avg_pool2d(F.pad(small, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        share = self.still + (1 - self.still) * torch.maximum(small, near)
        return (share * torch.tensor(self.face, device=mask.device).view(1, -1, 1, 1))[:, :, None]


def signal_and_noise(scheduler: SchedulerMixin, timestep: Tensor) -> tuple[Tensor, Tensor]:
    """a and b of x_t = a z + b noise, each (B, 1, 1, 1, 1)."""
    alpha = scheduler.alphas_cumprod.to(timestep.device)[timestep].view(-1, 1, 1, 1, 1).float()
    return alpha.sqrt(), (1 - alpha).sqrt()


def precondition(x_t: Tensor, a: Tensor, b: Tensor, spread: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """c_in x_t, c_skip x_t and c_out, for (B, C, F, H, W) latents."""
    variance = (a * spread).square() + b.square()
    root = variance.sqrt()
    return x_t / root, x_t * (a * spread.square() / variance), b * spread / root
