"""Attention processors: what turns diffusers' UNets into EMO's backbone and reference net.

The backbone's own weights are untouched; the processors only change what is attended to. What they look at besides the
latents is a `Conditioning`, shared by all of them and set once per clip.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn


@dataclass
class Conditioning:
    """What a clip is generated from. Keys of the dictionaries are names of transformer blocks.

    `cache` holds keys and values that do not change between denoising steps, and `kept` those that do not change with the
    clip either; None (training) recomputes them.
    """

    reference: dict[str, Tensor] = field(default_factory=dict)
    """Features of the portrait: (B, height * width, C)."""
    motion: dict[str, Tensor] = field(default_factory=dict)
    """Features of the motion frames: (B, n, height * width, C)."""
    speed: dict[str, Tensor] = field(default_factory=dict)
    """Output of the speed layers: (B, F, C)."""
    places: Tensor | None = None
    """Which of the audio tokens each frame hears, along their first dimension: (B * F, ...). None: tokens come frame by frame."""
    cache: dict[str, tuple[Tensor, Tensor]] | None = None
    kept: dict[str, tuple[Tensor, Tensor]] | None = None


def transformer_blocks(unet: nn.Module) -> Iterator[tuple[str, BasicTransformerBlock]]:
    """The spatial transformer blocks, by name: the same names in the backbone and in its reference net."""
    for name, module in unet.named_modules():
        if isinstance(module, BasicTransformerBlock) and "motion_modules" not in name:
            yield name, module


def motion_blocks(unet: nn.Module) -> Iterator[tuple[str, BasicTransformerBlock]]:
    """The temporal transformer blocks, each under the name of the spatial block that it follows."""
    for name, module in unet.named_modules():
        if isinstance(module, BasicTransformerBlock) and "motion_modules" in name:
            yield name.replace("motion_modules", "attentions"), module


def _heads(x: Tensor, attn: Attention) -> Tensor:
    """(B, N, C) -> (B, heads, N, C / heads)."""
    return x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)


def _weighed(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Scaled dot-product attention over (B, heads, N, D). Torch's fused kernel goes backward up to ten times slower than plain
    products where N is small and there is no GPU, which is where most of the starter's training would go."""
    if query.device.type == "cpu" and query.requires_grad and query.shape[-2] * key.shape[-2] < 2**15:
        return (query * query.shape[-1] ** -0.5 @ key.transpose(-1, -2)).softmax(-1) @ value
    return F.scaled_dot_product_attention(query, key, value)


def _attend(attn: Attention, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    out = _weighed(_heads(query, attn), _heads(key, attn), _heads(value, attn))
    return attn.to_out[1](attn.to_out[0](out.transpose(1, 2).flatten(2)))


def _cached(
    cache: dict[str, tuple[Tensor, Tensor]] | None, name: str, attn: Attention, source: Tensor
) -> tuple[Tensor, Tensor]:
    """Key and value projections of a source, kept in the cache where there is one."""
    if cache is None:
        return attn.to_k(source), attn.to_v(source)
    if name not in cache:
        cache[name] = attn.to_k(source), attn.to_v(source)
    return cache[name]


def _each_frame(x: Tensor, frames: int) -> Tensor:
    """(B, N, C) to (B * frames, N, C); of a batch of one nothing is copied."""
    return x[:, None].expand(-1, frames, -1, -1).flatten(0, 1)


class ReferenceWriter:
    """Plain self-attention that keeps its input: the post-norm1 features of the reference net."""

    def __init__(self, name: str, features: dict[str, Tensor]):
        self.name, self.features = name, features

    def __call__(self, attn: Attention, hidden_states: Tensor, **_: object) -> Tensor:
        self.features[self.name] = hidden_states
        return _attend(attn, attn.to_q(hidden_states), attn.to_k(hidden_states), attn.to_v(hidden_states))


class ReferenceAttention:
    """Self-attention of the backbone over `[itself, reference]` (EMO, section 3.2, "Reference-Attention")."""

    def __init__(self, name: str):
        self.name = name
        self.conditioning = Conditioning()

    def __call__(self, attn: Attention, hidden_states: Tensor, **_: object) -> Tensor:
        key, value = attn.to_k(hidden_states), attn.to_v(hidden_states)
        reference = self.conditioning.reference.get(self.name)
        if reference is not None:
            ref_key, ref_value = _cached(self.conditioning.kept, self.name, attn, reference)
            frames = hidden_states.shape[0] // reference.shape[0]
            key = torch.cat([key, _each_frame(ref_key, frames)], dim=1)
            value = torch.cat([value, _each_frame(ref_value, frames)], dim=1)
        return _attend(attn, attn.to_q(hidden_states), key, value)


class AudioAttention:
    """Cross-attention of every spatial position to the audio tokens of its frame (EMO, "Audio-Attention").

    Where frames share tokens, each token's key and value are computed once, and looked up by `Conditioning.places`.
    """

    def __init__(self, name: str, scale: float = 1.0):
        self.name, self.scale = f"{name}.audio", scale
        self.conditioning = Conditioning()

    def __call__(self, attn: Attention, hidden_states: Tensor, encoder_hidden_states: Tensor, **_: object) -> Tensor:
        key, value = _cached(self.conditioning.cache, self.name, attn, encoder_hidden_states)
        if (places := self.conditioning.places) is not None:
            key, value = key[places].flatten(1, -2), value[places].flatten(1, -2)
        return self.scale * _attend(attn, attn.to_q(hidden_states), key, value)


class MotionAttention:
    """Self-attention over time that also sees the motion frames (EMO, "Temporal Modules").

    Keys and values of the n motion frames are appended after the clip's own; their places in time are marked with the
    positions F .. F + n - 1, which the clip itself never uses.
    """

    def __init__(self, name: str, block: BasicTransformerBlock):
        self.name, self.pos_embed = f"{name}.motion", block.pos_embed
        self.conditioning = Conditioning()

    def __call__(self, attn: Attention, hidden_states: Tensor, **_: object) -> Tensor:
        source = hidden_states
        motion = self.conditioning.motion.get(self.name.removesuffix(".motion"))
        if motion is not None:
            frames, count = hidden_states.shape[1], motion.shape[1]
            past = motion.transpose(1, 2).flatten(0, 1)  # (B * height * width, n, C)
            past = past + self.pos_embed.pe[:, frames : frames + count]
            source = torch.cat([hidden_states, past.to(hidden_states)], dim=1)
        return _attend(attn, attn.to_q(hidden_states), attn.to_k(source), attn.to_v(source))


class FramesAttention:
    """Plain self-attention over time: the second one of a temporal module where there are no speed layers."""

    def __init__(self) -> None:
        self.conditioning = Conditioning()

    def __call__(self, attn: Attention, hidden_states: Tensor, **_: object) -> Tensor:
        return _attend(attn, attn.to_q(hidden_states), attn.to_k(hidden_states), attn.to_v(hidden_states))


class SpeedAttention:
    """Cross-attention over time to the speed features (EMO, section 3.2, "Speed Layers")."""

    def __init__(self, name: str):
        self.name = name
        self.conditioning = Conditioning()

    def __call__(self, attn: Attention, hidden_states: Tensor, **_: object) -> Tensor:
        speed = self.conditioning.speed.get(self.name)
        if speed is None:
            return torch.zeros_like(hidden_states)
        positions = hidden_states.shape[0] // speed.shape[0]
        key = attn.to_k(speed).repeat_interleave(positions, 0)
        value = attn.to_v(speed).repeat_interleave(positions, 0)
        return _attend(attn, attn.to_q(hidden_states), key, value)
