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
    """Standard deviation of the scaled latents: one figure per channel, times one per place around a face.

    `places` has two grids, rows of rows over the whole picture: for the displacement (the first two channels), which is
    wide and smooth, and for the components, which is the mouth, the eyes and hardly anything else. Both were measured on
    pictures whose face is at `face`; for a face elsewhere they move and stretch with it.
    """

    channels: tuple[float, ...]
    places: tuple[tuple[tuple[float, ...], ...], ...]
    face: tuple[float, float, float, float]
    """Left, top, right, bottom, fractions of the picture."""

    def map(self, faces: Tensor, size: int) -> Tensor:
        """(B, 4) face regions -> (B, C, 1, size, size) spread of the latents."""
        grids = torch.tensor(self.places, device=faces.device).expand(len(faces), -1, -1, -1)
        here = torch.tensor(self.face, device=faces.device)
        zoom = (here[2:] - here[:2]) / (faces[:, 2:] - faces[:, :2])
        centre = (here[2:] + here[:2]) / 2
        middle = (faces[:, 2:] + faces[:, :2]) / 2
        axis = (torch.arange(size, device=faces.device) + 0.5) / size
        x = (axis[None] - middle[:, :1]) * zoom[:, :1] + centre[0]
        y = (axis[None] - middle[:, 1:]) * zoom[:, 1:] + centre[1]
        where = torch.stack([x[:, None].expand(-1, size, -1), y[:, :, None].expand(-1, -1, size)], -1) * 2 - 1
        placed = F.grid_sample(grids, where, padding_mode="border", align_corners=False)
        moving, rest = placed[:, :1], placed[:, 1:]
        shares = torch.cat([moving.expand(-1, 2, -1, -1), rest.expand(-1, len(self.channels) - 2, -1, -1)], 1)
        return (shares * torch.tensor(self.channels, device=faces.device).view(1, -1, 1, 1))[:, :, None]


def signal_and_noise(scheduler: SchedulerMixin, timestep: Tensor) -> tuple[Tensor, Tensor]:
    """a and b of x_t = a z + b noise, each (B, 1, 1, 1, 1)."""
    alpha = scheduler.alphas_cumprod.to(timestep.device)[timestep].view(-1, 1, 1, 1, 1).float()
    return alpha.sqrt(), (1 - alpha).sqrt()


def precondition(x_t: Tensor, a: Tensor, b: Tensor, spread: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """c_in x_t, c_skip x_t and c_out, for (B, C, F, H, W) latents."""
    variance = (a * spread).square() + b.square()
    root = variance.sqrt()
    return x_t / root, x_t * (a * spread.square() / variance), b * spread / root
