"""The preview engine `still`: it holds the portrait still, so that timing and layout can be looked at in seconds.

It needs no weights, and is the same on every machine. What it makes is a real clip, only not a talking one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.long_sound import Sound
from media.segment import RenderSettings

NAME = "still"
FINGERPRINT = "still/1"
FPS = 25
SIZE = 256


@dataclass(frozen=True, slots=True)
class StillInfo:
    """What is needed to plan with it; the same fields as a checkpoint's."""

    name: str = NAME
    fingerprint: str = FINGERPRINT
    fps: int = FPS
    size: int = SIZE
    """Side of the square picture, pixels."""
    steps: int = 0
    sample_rate: int = 16_000
    domain: str = "any"


class StillRenderer:
    """The renderer of the preview engine; it is called as `models.emo.renderer.Renderer` is."""

    info = StillInfo()

    def render(
        self,
        portrait: NDArray[np.uint8],
        samples: Sound,
        face: tuple[float, float, float, float],
        settings: RenderSettings,
        frames: int,
        progress: Callable[[int], None] | None = None,
        idle: NDArray[np.float32] | None = None,
    ) -> Iterator[NDArray[np.uint8]]:
        """`frames` times the portrait, uint8 (256, 256, 3). Sound, face, settings and idle motion make no difference to it."""
        from PIL import Image

        picture = np.asarray(
            Image.fromarray(portrait).resize((SIZE, SIZE), Image.Resampling.LANCZOS),
            dtype=np.uint8,
        )
        for done in range(1, frames + 1):
            yield picture
            if progress:
                progress(done)
