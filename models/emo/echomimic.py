"""EchoMimic v1 (arXiv 2407.08136): its networks in this house's blocks, what its published keys are called here, and the
configuration with which `EMOPipeline` renders as its authors do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from diffusers import DDIMScheduler
from torch import Tensor

from media.errors import InputError
from models.emo.backbone import EMOBackbone
from models.emo.face_locator import FaceLocator
from models.emo.reference import ReferenceNet


@dataclass(frozen=True, slots=True)
class Size:
    """What makes the networks larger or smaller."""

    image: int = 512
    """Side of the picture, pixels; latents are an eighth of it."""
    blocks: tuple[int, ...] = (320, 640, 1280, 1280)
    layers: int = 2
    locator: tuple[int, ...] = (16, 32, 96, 256)
    clip_frames: int = 12
    overlap: int = 3


PUBLISHED = Size()

_MOTION_NAMES = (
    (".temporal_transformer.", "."),
    (".attention_blocks.0.pos_encoder.pe", ".pos_embed.pe"),
    (".attention_blocks.0.", ".attn1."),
    (".attention_blocks.1.", ".attn2."),
    (".norms.0.", ".norm1."),
    (".norms.1.", ".norm2."),
    (".ff_norm.", ".norm3."),
)
_SECOND_POSITIONS = re.compile(r"\.motion_modules\..*\.attention_blocks\.1\.pos_encoder\.pe$")


def reference_unet(size: Size = PUBLISHED) -> ReferenceNet:
    """The reference net, untrained: 815.5 million parameters at full size."""
    return ReferenceNet(
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        attention_head_dim=8,
        cross_attention_dim=768,
        **_shared(size),
    )


def denoising_unet(size: Size = PUBLISHED) -> EMOBackbone:
    """The denoising network, untrained."""
    return EMOBackbone(
        down_block_types=("CrossAttnDownBlockMotion",) * 3 + ("DownBlockMotion",),
        up_block_types=("UpBlockMotion",) + ("CrossAttnUpBlockMotion",) * 3,
        num_attention_heads=8,
        motion_num_attention_heads=8,
        motion_max_seq_length=32,
        cross_attention_dim=384,
        **_shared(size),
    )


def face_locator(size: Size = PUBLISHED) -> FaceLocator:
    """The face locator, untrained: (B, 1, H, W) to (B, C, H / 8, W / 8)."""
    return FaceLocator(size.blocks[0], size.locator, between=True)


def _shared(size: Size) -> dict[str, Any]:
    return {
        "sample_size": size.image // 8,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": size.blocks,
        "layers_per_block": size.layers,
        "norm_num_groups": 32,
        "use_linear_projection": False,
    }


def scheduler() -> DDIMScheduler:
    """v-prediction down to pure noise (zero terminal SNR)."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="linear",
        clip_sample=False,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
    )


VARIANTS: dict[str, dict[str, Any]] = {
    "base": {"steps": 30, "guidance": 2.5},
    "acc": {"steps": 6, "guidance": 1.0},
}
"""The published weights: the base model, and the one accelerated by distillation."""


def settings(size: Size, variant: str) -> dict[str, Any]:
    """Configuration of the pipeline, beside its networks."""
    return VARIANTS[variant] | {
        "image_size": size.image,
        "fps": 24,
        "clip_frames": size.clip_frames,
        "window_overlap": size.overlap,
        "noise_limit": 1.5,
        "audio_scale": 3.0,
        "face_region": "box",
        "domain": "photo",
    }


def reference_keys(published: Mapping[str, Tensor], expected: Mapping[str, Tensor], file: str) -> dict[str, Tensor]:
    """The reference net's weights under this house's names, which are the published ones.

    Args:
        published: weights under their published keys.
        expected: what the network has here, by key; only shapes matter.
        file: what the weights were read from, for messages.

    Raises:
        InputError: a key is missing or left over, or has another shape; the message names it.
    """
    return _complete(dict(published), expected, file)


def denoising_keys(published: Mapping[str, Tensor], expected: Mapping[str, Tensor], file: str) -> dict[str, Tensor]:
    """The denoising network's weights, motion modules included, under this house's names; as `reference_keys`.

    Both attentions of a motion block have the same table of positions, of which the first is kept.
    """
    mapped: dict[str, Tensor] = {}
    for key, value in published.items():
        if _SECOND_POSITIONS.search(key):
            continue
        name = _motion_name(key) if ".motion_modules." in key else key
        if name in mapped:
            raise InputError(f"{file}: {key} is there twice under two names; download the file again.")
        mapped[name] = value
    return _complete(mapped, expected, file)


def face_locator_keys(published: Mapping[str, Tensor], expected: Mapping[str, Tensor], file: str) -> dict[str, Tensor]:
    """The face locator's weights under this house's names, which are the published ones; as `reference_keys`."""
    return _complete(dict(published), expected, file)


def _motion_name(key: str) -> str:
    for theirs, ours in _MOTION_NAMES:
        key = key.replace(theirs, ours)
    return key


def whisper_keys(published: Mapping[str, Tensor], expected: Mapping[str, Tensor], file: str) -> dict[str, Tensor]:
    """The weights of Whisper's encoder; its decoder is left out. As `reference_keys`."""
    mapped = {key: value for key, value in published.items() if key.startswith("encoder.")}
    return _complete(mapped, expected, file)


def _complete(mapped: dict[str, Tensor], expected: Mapping[str, Tensor], file: str) -> dict[str, Tensor]:
    faults = [
        f"{what} {', '.join(sorted(keys))}"
        for what, keys in (
            ("lacks", expected.keys() - mapped.keys()),
            ("has the unknown", mapped.keys() - expected.keys()),
        )
        if keys
    ]
    faults += [
        f"has {key} of shape {tuple(value.shape)} instead of {tuple(expected[key].shape)}"
        for key, value in mapped.items()
        if key in expected and value.shape != expected[key].shape
    ]
    if faults:
        raise InputError(f"{file}: {' and '.join(faults)}; download the file of EchoMimic v1 again.")
    return mapped
