"""The starter's networks, at their sizes. What a checkpoint holds is built here before training and nowhere else."""

from dataclasses import dataclass
from typing import Any

from diffusers import AutoencoderKL, DDIMScheduler

from models.emo.attention import motion_blocks
from models.emo.audio import AudioProjector, MelAudioEncoder
from models.emo.backbone import EMOBackbone, still_motion_at_first
from models.emo.codec import STRIDE, PortraitCodec
from models.emo.face_locator import FaceLocator
from models.emo.reference import ReferenceNet
from models.emo.speed import SpeedLayers


@dataclass(frozen=True, slots=True)
class Size:
    """Everything that makes a network larger or smaller."""

    image: int = 256
    latent_channels: int = 32
    appearance_channels: int = 48
    blocks: tuple[int, ...] = (80, 128)
    heads: int = 4
    tokens: int = 128
    stride: int = STRIDE
    """Pixels from one latent to the next."""
    layers: int = 1
    groups: int = 8
    plain: int = 0
    """How many of the lowest levels have no attention."""
    linear: bool = True
    """Projections around attention are linear layers rather than 1 x 1 convolutions."""
    autoencoder: tuple[int, ...] = ()
    """Widths of an `AutoencoderKL`; none where the codec sees the portrait."""
    rate: float = 1.0
    """Learning rates, in those of the starter."""
    own_places: int = 48
    """Places of the latents with components of their own; see `PortraitCodec`."""
    steps: int = 1
    """Denoising steps unless asked otherwise."""

    @property
    def latent(self) -> int:
        """Side of the latents."""
        return self.image // self.stride


STARTER = Size()
TINY = Size(image=64, latent_channels=4, appearance_channels=8, blocks=(16, 32), heads=2, tokens=16, own_places=6)
"""For tests of the machinery: trains in seconds, and learns nothing."""

EMO = Size(
    image=512,
    latent_channels=4,
    appearance_channels=0,
    blocks=(320, 640, 1280, 1280),
    heads=8,
    tokens=768,
    stride=8,
    layers=2,
    groups=32,
    plain=1,
    linear=False,
    autoencoder=(128, 256, 512, 512),
    rate=0.01,
    steps=40,
)
"""The paper's: the widths of Stable Diffusion 1.5, whose weights fit by name and shape, and 1e-5 as learning rate."""
EMO_TINY = Size(
    image=64,
    latent_channels=4,
    appearance_channels=0,
    blocks=(16, 32),
    heads=2,
    tokens=16,
    stride=8,
    plain=1,
    autoencoder=(8, 8, 16, 16),
)
"""The same shape for tests: trains in seconds, and learns nothing."""

SIZES = {"starter": STARTER, "tiny": TINY}
VIDEO_SIZES = {"emo": EMO, "tiny": EMO_TINY}
"""Sizes that are trained on real videos."""


def autoencoder(size: Size) -> AutoencoderKL:
    """An untrained autoencoder of Stable Diffusion's kind."""
    levels = len(size.autoencoder)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=size.autoencoder,
        layers_per_block=size.layers,
        latent_channels=size.latent_channels,
        norm_num_groups=size.groups,
        sample_size=size.image,
    )


def codec(size: Size) -> PortraitCodec:
    return PortraitCodec(size.latent_channels, size.appearance_channels, size.latent, own_places=size.own_places)


def networks(size: Size, audio_encoder: MelAudioEncoder) -> dict[str, Any]:
    """Untrained reference net, backbone, audio projector, face locator and speed layers, and the scheduler."""
    attending = len(size.blocks) - size.plain
    shared = {
        "sample_size": size.latent,
        "block_out_channels": size.blocks,
        "layers_per_block": size.layers,
        "norm_num_groups": size.groups,
        "cross_attention_dim": size.tokens,
        "use_linear_projection": size.linear,
        "out_channels": size.latent_channels,
    }
    backbone = EMOBackbone(
        in_channels=size.latent_channels + size.appearance_channels,  # noisy latents, and the portrait's appearance
        down_block_types=("CrossAttnDownBlockMotion",) * attending + ("DownBlockMotion",) * size.plain,
        up_block_types=("UpBlockMotion",) * size.plain + ("CrossAttnUpBlockMotion",) * attending,
        num_attention_heads=size.heads,
        motion_num_attention_heads=size.heads,
        **shared,
    )
    still_motion_at_first(backbone)
    reference_net = ReferenceNet(
        in_channels=size.latent_channels + size.appearance_channels,
        down_block_types=("CrossAttnDownBlock2D",) * attending + ("DownBlock2D",) * size.plain,
        up_block_types=("UpBlock2D",) * size.plain + ("CrossAttnUpBlock2D",) * attending,
        attention_head_dim=size.heads,
        **shared,
    )
    strides = (size.image // size.latent).bit_length() - 1
    return {
        "reference_net": reference_net,
        "backbone": backbone,
        "audio_projector": AudioProjector(audio_encoder.feature_size, 5, size.tokens, 4 * size.blocks[0]),
        "face_locator": FaceLocator(size.blocks[0], (8, *(16, 24, 32, 48, 64)[:strides])),
        "speed_layers": SpeedLayers(
            *zip(*[(n, b.norm1.weight.shape[0]) for n, b in motion_blocks(backbone)], strict=True)
        ),
        "scheduler": DDIMScheduler(
            beta_schedule="squaredcos_cap_v2",
            prediction_type="sample",
            timestep_spacing="trailing",
            rescale_betas_zero_snr=True,
            clip_sample=False,
        ),
    }
