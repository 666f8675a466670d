"""Pipelines with random weights: speed and memory do not depend on what a model has learned."""

import math
from dataclasses import replace
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from models.emo import echomimic, networks
from models.emo.audio import MelAudioEncoder
from models.emo.autoencoder import AutoencoderCodec
from models.emo.pipeline import EMOPipeline
from models.emo.whisper_audio import WhisperAudioEncoder

TINY = echomimic.Size(image=128, blocks=(32,) * 4, layers=1, locator=(8, 16, 24, 32), clip_frames=6, overlap=2)
SMALL = echomimic.Size(image=128, blocks=(32, 64, 128, 128), locator=(8, 16, 32, 64))
LEAST = replace(TINY, image=64, blocks=(32, 32, 64, 64))
SIZES = {"least": LEAST, "tiny": TINY, "small": SMALL, "full": echomimic.PUBLISHED}

_AUTOENCODERS = {
    "least": ((16, 16, 16, 16), 1),
    "tiny": ((16, 16, 32, 32), 1),
    "small": ((16, 32, 64, 64), 2),
    "full": ((128, 256, 512, 512), 2),
}


def photographs(size: str, variant: str, seed: int = 0) -> EMOPipeline:
    """An EchoMimic v1 of a size in `SIZES`, untrained."""
    torch.manual_seed(seed)
    shape = SIZES[size]
    parts: dict[str, Any] = {
        "reference_net": echomimic.reference_unet(shape),
        "backbone": echomimic.denoising_unet(shape),
        "face_locator": echomimic.face_locator(shape),
        "audio_encoder": WhisperAudioEncoder(),
        "codec": AutoencoderCodec.around(_autoencoder(size)),
    }
    pipeline = EMOPipeline(**parts, scheduler=echomimic.scheduler(), **echomimic.settings(shape, variant))
    _lively(pipeline)
    return pipeline


def starter(seed: int = 0) -> EMOPipeline:
    """The starter's architecture at its smallest size, untrained: clips that go on from motion frames."""
    torch.manual_seed(seed)
    size, encoder = networks.TINY, MelAudioEncoder()
    pipeline = EMOPipeline(
        codec=networks.codec(size),
        audio_encoder=encoder,
        **networks.networks(size, encoder),
        image_size=size.image,
        latent_scale=[1.0] * size.latent_channels,
        latent_spread={
            "channels": [1.0] * size.latent_channels,
            "places": [[[1.0] * 4] * 4] * 2,
            "face": [0.27, 0.25, 0.73, 0.77],
        },
    )
    _lively(pipeline)
    return pipeline


def _autoencoder(size: str) -> AutoencoderKL:
    widths, layers = _AUTOENCODERS[size]
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        block_out_channels=widths,
        layers_per_block=layers,
        norm_num_groups=min(32, widths[0]),
        sample_size=SIZES[size].image,
    )


def _lively(pipeline: EMOPipeline) -> None:
    """Layers that start at zero, so that they change nothing before training, get small random weights."""
    for network in pipeline.components.values():
        for value in network.parameters() if isinstance(network, nn.Module) else ():
            if value.ndim > 1 and not value.is_meta and not value.any():
                nn.init.normal_(value, std=1 / math.sqrt(_inputs(value)))


def _inputs(weight: Tensor) -> int:
    return weight[0].numel()
