"""A codec for photographs: diffusers' `AutoencoderKL` with the interface of `models.emo.codec.PortraitCodec`.

Its latents describe each frame alone (latent diffusion, Rombach et al. 2022), as EMO's do. The networks see the portrait
through its own latents (`still`), which go where those of a frame go; there is no appearance besides.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor

from media.errors import InputError, MissingEngineError
from models.emo.backdrop import Matte

_NOT_ONE = "{folder} is not a diffusers AutoencoderKL; give the folder with its config.json and safetensors."
_AT_ONCE = 4
"""Pictures that go through the autoencoder together: at 512 pixels each needs about a gigabyte."""


class AutoencoderCodec(ModelMixin, ConfigMixin):
    """Frames (B, 3, H, W) in [-1, 1] to latents (B, C, H / stride, W / stride), and back.

    Latents are scaled by the autoencoder's `scaling_factor`, which brings their spread near 1.
    """

    @register_to_config
    def __init__(self, autoencoder: Mapping[str, Any]):
        """
        Args:
            autoencoder: arguments of `AutoencoderKL`.
        """
        super().__init__()
        self.vae = AutoencoderKL(**autoencoder)

    @classmethod
    def around(cls, autoencoder: AutoencoderKL) -> "AutoencoderCodec":
        """The codec that uses these very weights."""
        config = {key: value for key, value in autoencoder.config.items() if not key.startswith("_")}
        codec = cls(config)
        codec.vae.load_state_dict(autoencoder.state_dict())
        return codec

    @property
    def stride(self) -> int:
        """Pixels from one latent to the next."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def latent_channels(self) -> int:
        return int(self.vae.config.latent_channels)

    @property
    def appearance_channels(self) -> int:
        return 0

    def appearance(self, portrait: Tensor) -> Tensor:
        """(B, 0, h, w): what is to be known of a portrait is in `still`."""
        batch, _, height, width = portrait.shape
        return portrait.new_zeros(batch, 0, height // self.stride, width // self.stride)

    def still(self, portrait: Tensor) -> Tensor:
        """(B, C, h, w), the latents of the portrait itself."""
        return self.encode(portrait)

    def encode(self, frames: Tensor, portrait: Tensor | None = None) -> Tensor:
        """(B, C, h, w), the mode of the posterior. The portrait makes no difference."""
        scale, shift = self._scale_and_shift
        parts = [self.vae.encode(part.to(self.dtype)).latent_dist.mode() for part in frames.split(_AT_ONCE)]
        return (torch.cat(parts).to(frames) - shift) * scale

    def decode(self, latents: Tensor, portrait: Tensor | None = None, matte: Matte | None = None) -> Tensor:
        """(B, 3, H, W). Portrait and matte make no difference."""
        scale, shift = self._scale_and_shift
        parts = [(part / scale + shift).to(self.dtype) for part in latents.split(_AT_ONCE)]
        return torch.cat([self.vae.decode(part).sample for part in parts]).to(latents)

    @property
    def _scale_and_shift(self) -> tuple[float, float]:
        config = self.vae.config
        return float(config.scaling_factor or 1.0), float(config.shift_factor or 0.0)


def require_autoencoder(folder: Path, stride: int, channels: int) -> None:
    """Look at the configuration only: is this a diffusers `AutoencoderKL` whose latents fit?

    Raises:
        MissingEngineError: there is no such folder.
        InputError: it is something else, or its latents have another size.
    """
    if not folder.is_dir():
        raise MissingEngineError(
            f"Autoencoder {folder} is not there: download a diffusers AutoencoderKL, such as stabilityai/sd-vae-ft-mse, "
            "and give its folder; without --autoencoder one is trained."
        )
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        found = 2 ** (len(config["block_out_channels"]) - 1), config["latent_channels"]
        fitting = config["_class_name"] == "AutoencoderKL"
    except (OSError, ValueError, KeyError, TypeError):
        fitting = False
    if not fitting:
        raise InputError(_NOT_ONE.format(folder=folder))
    if found != (stride, channels):
        raise InputError(
            f"{folder}: its latents have {found[1]} channels at 1/{found[0]} of the picture's size, but {channels} at "
            f"1/{stride} are needed; give another autoencoder."
        )


def read_autoencoder(folder: Path) -> AutoencoderCodec:
    """The codec of a diffusers `AutoencoderKL` folder, such as `stabilityai/sd-vae-ft-mse`.

    Raises:
        InputError: its files are damaged.
    """
    try:
        autoencoder = AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32, local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise InputError(_NOT_ONE.format(folder=folder)) from error
    return AutoencoderCodec.around(autoencoder)
