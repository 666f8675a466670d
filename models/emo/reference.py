"""The reference net: one pass of a UNet over the portrait, whose features the backbone attends to."""

from functools import wraps

from diffusers import ModelMixin, UNet2DConditionModel  # noqa: F401  (`DiffusionPipeline` looks for ModelMixin here)
from torch import Tensor, nn

from models.emo.attention import ReferenceWriter, transformer_blocks


class ReferenceNet(UNet2DConditionModel):
    """A `UNet2DConditionModel` without text attention and output layers, read at the first norm of every transformer block."""

    @wraps(UNet2DConditionModel.__init__)  # type: ignore[misc]
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # Nobody looks at what comes out at the end.
        self.conv_norm_out, self.conv_act, self.conv_out = None, None, nn.Identity()
        self.features: dict[str, Tensor] = {}
        for name, block in transformer_blocks(self):
            # `get_down_block` insists on a cross-attention width, so the text attention is taken out afterwards.
            block.attn2, block.norm2 = None, None
            block.attn1.set_processor(ReferenceWriter(name, self.features))

    def read(self, latents: Tensor) -> dict[str, Tensor]:
        """Features of (B, C, H, W) latents, at t = 0: block name -> (B, height * width, channels)."""
        self.features.clear()
        self(latents, latents.new_zeros(latents.shape[0]), encoder_hidden_states=None)
        return dict(self.features)
