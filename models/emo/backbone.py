"""EMO's backbone: diffusers' motion UNet, with the face locator's feature and one embedding per frame.

Only the forward pass differs from `UNetMotionModel`: the face feature is added after `conv_in`, the time embedding may
differ from frame to frame, and the motion modules can be left out (single images, the first training stage).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from diffusers import ModelMixin, UNetMotionModel  # noqa: F401  (`DiffusionPipeline` looks for ModelMixin here)
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from torch import Tensor, nn

from models.emo.attention import (
    AudioAttention,
    Conditioning,
    FramesAttention,
    MotionAttention,
    ReferenceAttention,
    SpeedAttention,
    motion_blocks,
    transformer_blocks,
)


class PerFrameGroupNorm(nn.GroupNorm):
    """Group norm of (B, C, F, H, W) in which every frame has statistics of its own, as AnimateDiff's published weights
    expect; diffusers normalises all frames of a clip together."""

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, frames, height, width = x.shape
        flat = x.transpose(1, 2).reshape(batch * frames, channels, height, width)
        return super().forward(flat).view(batch, frames, channels, height, width).transpose(1, 2)


class _Still(nn.Module):
    """Stands where a motion module stands, and leaves single images alone."""

    def forward(self, hidden_states: Tensor, *_: object, **__: object) -> Tensor:
        return hidden_states


class EMOBackbone(UNetMotionModel):
    """The denoising network, with the arguments of `UNetMotionModel`."""

    @wraps(UNetMotionModel.__init__)  # type: ignore[misc]
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for module in self.modules():
            if isinstance(module, AnimateDiffTransformer3D) and not isinstance(module.norm, PerFrameGroupNorm):
                norm = PerFrameGroupNorm(module.norm.num_groups, module.norm.num_channels, module.norm.eps)
                norm.weight, norm.bias = module.norm.weight, module.norm.bias
                module.norm = norm
        self._attentions: list[Any] = []
        for name, block in transformer_blocks(self):
            self._install(block.attn1, ReferenceAttention(name))
            self._install(block.attn2, AudioAttention(name))
        for name, block in motion_blocks(self):
            self._install(block.attn1, MotionAttention(name, block))
            self._install(block.attn2, SpeedAttention(name))

    def _install(self, attn: nn.Module, processor: object) -> None:
        attn.set_processor(processor)
        if not any(attn is known for known in self._attentions):
            self._attentions.append(attn)

    def follow(self, audio_scale: float, speed: bool) -> None:
        """Say what a checkpoint was trained with.

        Args:
            audio_scale: what the audio attention's output is multiplied by.
            speed: whether the second attention over time looks at speed features, as EMO's does, or at the frames again, as in
                AnimateDiff.
        """
        for name, block in transformer_blocks(self):
            self._install(block.attn2, AudioAttention(name, audio_scale))
        for name, block in motion_blocks(self):
            self._install(block.attn2, SpeedAttention(name) if speed else FramesAttention())

    def attend_to(self, conditioning: Conditioning) -> None:
        """Make every following call look at `conditioning`."""
        for attn in self._attentions:
            attn.processor.conditioning = conditioning

    @contextmanager
    def as_image_model(self) -> Iterator[None]:
        """Within the context the motion modules are left out."""
        blocks = [*self.down_blocks, self.mid_block, *self.up_blocks]
        modules = [block.motion_modules for block in blocks]
        for block in blocks:
            block.motion_modules = nn.ModuleList([_Still() for _ in block.motion_modules])
        try:
            yield
        finally:
            for block, kept in zip(blocks, modules, strict=True):
                block.motion_modules = kept

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        audio_tokens: Tensor,
        face: Tensor | None = None,
        frame_embedding: Tensor | None = None,
    ) -> Tensor:
        """
        Args:
            sample: (B, C, F, H, W) noisy latents.
            timestep: (B,) integers.
            audio_tokens: (B * F, L, D), or all that a clip hears, in which `Conditioning.places` says where a frame's are.
            face: (B, C0, H, W) or one for all, output of the face locator.
            frame_embedding: (B * F, E), added to the time embedding.

        Returns:
            (B, out_channels, F, H, W).
        """
        batch, _, frames, height, width = sample.shape
        embedding = self.time_embedding(self.time_proj(timestep).to(sample.dtype)).repeat_interleave(frames, 0)
        if frame_embedding is not None:
            embedding = embedding + frame_embedding

        x = self.conv_in(sample.transpose(1, 2).flatten(0, 1))
        if face is not None:
            x = x + face.repeat_interleave(frames, 0)

        skips = [x]
        for block in self.down_blocks:
            kwargs = {"encoder_hidden_states": audio_tokens} if hasattr(block, "attentions") else {}
            x, states = block(hidden_states=x, temb=embedding, num_frames=frames, **kwargs)
            skips.extend(states)
        x = self.mid_block(x, embedding, encoder_hidden_states=audio_tokens, num_frames=frames)
        for block in self.up_blocks:
            kwargs = {"encoder_hidden_states": audio_tokens} if hasattr(block, "attentions") else {}
            count = len(block.resnets)
            x = block(
                hidden_states=x,
                temb=embedding,
                res_hidden_states_tuple=tuple(skips[-count:]),
                num_frames=frames,
                **kwargs,
            )
            del skips[-count:]
        x = self.conv_out(self.conv_act(self.conv_norm_out(x)))
        return x.view(batch, frames, -1, height, width).transpose(1, 2)


def still_motion_at_first(backbone: EMOBackbone) -> None:
    """Zero the motion modules' output projections, so that video training starts from the image model (AnimateDiff)."""
    for module in backbone.modules():
        if isinstance(module, AnimateDiffTransformer3D):
            nn.init.zeros_(module.proj_out.weight)
            nn.init.zeros_(module.proj_out.bias)


def read_motion(features: dict[str, Tensor], batch: int) -> dict[str, Tensor]:
    """Reference features of motion frames, (B * n, positions, C), as (B, n, positions, C)."""
    return {name: value.unflatten(0, (batch, -1)) for name, value in features.items()}


def no_motion(reference: dict[str, Tensor], count: int) -> dict[str, Tensor]:
    """The motion frames of a first clip: zeros (EMO, section 3.3)."""
    return {name: torch.zeros_like(value)[:, None].expand(-1, count, -1, -1) for name, value in reference.items()}
