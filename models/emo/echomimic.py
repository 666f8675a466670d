"""EchoMimic v1: its networks in this house's blocks, and what its published keys are called here.

The networks can be built and their keys mapped; there is no pipeline yet that renders with them.
"""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from media.errors import InputError
from models.emo.backbone import EMOBackbone
from models.emo.face_locator import FaceLocator
from models.emo.reference import ReferenceNet

_SHARED = {
    "sample_size": 64,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "use_linear_projection": False,
}
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


def reference_unet() -> ReferenceNet:
    """The reference net at full size, untrained: 815.5 million parameters, and no output layers."""
    net = ReferenceNet(
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        attention_head_dim=8,
        cross_attention_dim=768,
        **_SHARED,
    )
    net.conv_norm_out, net.conv_act, net.conv_out = None, None, nn.Identity()
    return net


def denoising_unet() -> EMOBackbone:
    """The denoising network at full size, untrained."""
    return EMOBackbone(
        down_block_types=("CrossAttnDownBlockMotion",) * 3 + ("DownBlockMotion",),
        up_block_types=("UpBlockMotion",) + ("CrossAttnUpBlockMotion",) * 3,
        num_attention_heads=8,
        motion_num_attention_heads=8,
        motion_max_seq_length=32,
        cross_attention_dim=384,
        **_SHARED,
    )


def face_locator() -> FaceLocator:
    """The face locator at full size, untrained: (B, 1, H, W) to (B, 320, H / 8, W / 8)."""
    return FaceLocator(320, (16, 32, 96, 256), between=True)


def reference_keys(published: Mapping[str, Tensor], expected: Iterable[str], file: str) -> dict[str, Tensor]:
    """The reference net's weights under this house's names, which are the published ones.

    Args:
        published: weights under their published keys.
        expected: every key that the network has here.
        file: what the weights were read from, for messages.

    Raises:
        InputError: a key is missing or left over; the message names it.
    """
    return _complete(dict(published), expected, file)


def denoising_keys(published: Mapping[str, Tensor], expected: Iterable[str], file: str) -> dict[str, Tensor]:
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


def face_locator_keys(published: Mapping[str, Tensor], expected: Iterable[str], file: str) -> dict[str, Tensor]:
    """The face locator's weights under this house's names, which are the published ones; as `reference_keys`."""
    return _complete(dict(published), expected, file)


def _motion_name(key: str) -> str:
    for theirs, ours in _MOTION_NAMES:
        key = key.replace(theirs, ours)
    return key


def _complete(mapped: dict[str, Tensor], expected: Iterable[str], file: str) -> dict[str, Tensor]:
    wanted = set(expected)
    faults = [
        f"{what} {', '.join(sorted(keys))}"
        for what, keys in (("lacks", wanted - mapped.keys()), ("has the unknown", mapped.keys() - wanted))
        if keys
    ]
    if faults:
        raise InputError(f"{file}: {' and '.join(faults)}; download the file of EchoMimic v1 again.")
    return mapped
