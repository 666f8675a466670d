"""The draft engine: what the audio encoder hears, drawn directly on an illustrated presenter.

It is a preview for scripts, casting and layout before the diffusion model is put to work: mouth, head and blinks are those
that the sound and the seed ask for, crisp at any size. It draws presenters of the starter cast and nothing else.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from media.errors import InputError
from media.long_sound import Sound
from media.segment import RenderSettings

if TYPE_CHECKING:
    from models.avatars.presenters import Presenter

NAME = "draft"
FPS = 25
SIZE = 512
_USUAL_SPEED = 6.0
"""Degrees a second, as the starter checkpoint."""
_SPEED_AT_FULL_AMPLITUDE = 15.0


@dataclass(frozen=True, slots=True)
class DraftInfo:
    """What is needed to plan with it; the same fields as a checkpoint's."""

    fingerprint: str
    """Hash of everything that changes what is drawn."""
    name: str = NAME
    fps: int = FPS
    size: int = SIZE
    """Side of the square picture, pixels."""
    steps: int = 0
    sample_rate: int = 16_000
    domain: str = "illustrated"


@lru_cache(maxsize=1)
def draft_info() -> DraftInfo:
    here = Path(__file__).parent
    digest = hashlib.sha256(b"draft/1\n")
    for path in (
        *sorted((here / "avatars").glob("*.py")),
        here / "idle.py",
        Path(__file__),
        *sorted(_encoder().iterdir()),
    ):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return DraftInfo(digest.hexdigest())


def can_draw(slug: str) -> bool:
    """Whether the portrait of this slug is a presenter of the starter cast."""
    from models.avatars.presenters import STARTER_CAST

    return any(presenter.slug == slug for presenter in STARTER_CAST)


def _encoder() -> Path:
    return Path(__file__).parent / "emo" / "checkpoints" / "starter" / "audio_encoder"


class DraftRenderer:
    """The renderer of drafts; it is called as `models.emo.renderer.Renderer` is."""

    def __init__(self) -> None:
        from models.emo.audio import MelAudioEncoder

        self.info = draft_info()
        self._listen = MelAudioEncoder.from_pretrained(_encoder()).eval().float()

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
        """Exactly `frames` pictures (512, 512, 3), as they are done. Arguments as of `models.emo.renderer.Renderer.render`.

        Raises:
            InputError: the portrait is not a presenter of the starter cast, or another frame rate is asked for.
        """
        import torch

        from models.avatars.drawing import Pose, draw
        from models.avatars.motion import poses_of
        from models.emo.audio import MOUTH
        from models.idle import idle_motion

        if settings.fps not in (None, FPS):
            raise InputError(f"--fps {settings.fps}: drafts have {FPS} frames a second.")
        presenter = _presenter_of(portrait.tobytes(), portrait.shape[0])
        with torch.no_grad():
            heard = self._listen.encode(samples, frames).numpy()[:, -len(MOUTH) - 3 :]
        if idle is None:
            idle = idle_motion(frames, FPS, np.random.default_rng([8, settings.seed]))
        speed = _USUAL_SPEED if settings.head_speed is None else settings.head_speed
        amplitude = min(2.0, speed / _SPEED_AT_FULL_AMPLITUDE)
        poses = poses_of(heard[:, : len(MOUTH)], heard[:, len(MOUTH) :], idle, FPS, amplitude)
        for done, pose in enumerate(poses, start=1):
            yield draw(presenter, Pose.from_array(pose), SIZE)
            if progress:
                progress(done)


@lru_cache(maxsize=8)
def _presenter_of(pixels: bytes, size: int) -> "Presenter":
    """The presenter of the starter cast whose portrait this is, pixel for pixel."""
    from models.avatars.drawing import draw, reference_pose
    from models.avatars.presenters import STARTER_CAST

    for presenter in STARTER_CAST:
        if draw(presenter, reference_pose(), size).tobytes() == pixels:
            return presenter
    raise InputError(
        "a draft draws presenters of the starter cast only, and this portrait is none of them; cast another."
    )
