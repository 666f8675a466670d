"""An autoencoder for people who bring none: trained on the pictures of their own videos.

Pictures against themselves (least absolute error, which keeps edges better than squares), and a faint pull of the latents to
a normal distribution, as latent diffusion has it (Rombach et al. 2022, appendix G, KL weight 1e-6). There is no perceptual
loss and no discriminator: both need weights of their own. A published autoencoder, trained on millions of pictures, is sharper.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from models.emo.autoencoder import AutoencoderCodec
from models.emo.training.stage import Stage, mixed_precision, save_whole
from models.emo.training.videos.prepare import part_pictures, read_part

_BATCH = 8
_CROP = 256
"""Pixels: of larger pictures, squares of this side are learned from."""
_KL = 1e-6


def write_pictures(run: Path, parts: Sequence[Path], count: int) -> Path:
    """At most `count` pictures, evenly from all parts, as one file of uint8 (N, 3, size, size)."""
    path = run / "pictures.pt"
    names = [f"{part.parent.name}/{part.stem}" for part in parts]
    if path.exists() and torch.load(path, weights_only=True, mmap=True)["parts"] == names:
        return path
    lengths = [len(read_part(part)) for part in parts]
    ends = np.cumsum(lengths)
    chosen = np.unique(np.linspace(0, ends[-1] - 1, min(count, int(ends[-1]))).round().astype(int))
    pictures: list[Tensor] = []
    for part, end, length in zip(parts, ends, lengths, strict=True):
        wanted = set((chosen[(chosen >= end - length) & (chosen < end)] - (end - length)).tolist())
        for index, picture in enumerate(part_pictures(part) if wanted else ()):
            if index in wanted:
                pictures.append(torch.from_numpy(picture).permute(2, 0, 1))
    save_whole({"parts": names, "pictures": torch.stack(pictures)}, path)
    return path


def train_autoencoder(
    run: Path,
    autoencoder: AutoencoderKL,
    steps: int,
    device: torch.device | str = "cpu",
    progress: Callable[[float], None] | None = None,
) -> AutoencoderCodec:
    """Train on the file of `write_pictures`; resumable. The latents are scaled to a spread of 1 over these pictures."""
    device = torch.device(device)
    autoencoder.to(device).train()
    stage = Stage(run, "autoencoder", autoencoder, steps, 3e-4)
    pictures = torch.load(run / "pictures.pt", weights_only=True, mmap=True)["pictures"]
    while not stage.done:
        rng = stage.rng()
        wanted = _squares(pictures, rng).to(device)
        noise = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
        with mixed_precision(device):
            posterior = autoencoder.encode(wanted).latent_dist
            made = autoencoder.decode(posterior.sample(noise)).sample.float()
        error = nn.functional.l1_loss(made, wanted)
        stage.update(error + _KL * posterior.kl().float().mean(), error=error.item())
        if progress:
            progress(stage.step / stage.steps)
    stage.finish()
    autoencoder.eval()
    codec = AutoencoderCodec.around(autoencoder).to(device)
    autoencoder.register_to_config(scaling_factor=1.0 / _spread(codec, pictures))
    return AutoencoderCodec.around(autoencoder).eval()


def _squares(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """(8, 3, side, side) in [-1, 1]: pictures, or squares of them, half of them mirrored."""
    size = pictures.shape[-1]
    side = min(size, _CROP)
    rows = []
    for index in rng.integers(0, len(pictures), _BATCH):
        x, y = rng.integers(0, size - side + 1, 2)
        square = pictures[index, :, y : y + side, x : x + side]
        rows.append(square.flip(2) if rng.random() < 0.5 else square)
    return torch.stack(rows).float() / 127.5 - 1


@torch.no_grad()
def _spread(codec: AutoencoderCodec, pictures: Tensor) -> float:
    """Standard deviation of the latents, before they are scaled."""
    device = next(codec.parameters()).device
    chosen = pictures[:: max(1, len(pictures) // 64)].float() / 127.5 - 1
    latents = codec.encode(chosen.to(device)) / codec.vae.config.scaling_factor
    return max(float(latents.std()), 1e-4)
