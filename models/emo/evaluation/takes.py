"""Takes: held-out scenes rendered as production renders them, from portrait, sound and settings."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media.segment import RenderSettings
from models import still
from models.avatars.drawing import Pose, draw
from models.avatars.presenters import Presenter
from models.emo.corpus import SAMPLE_RATE, Scene
from models.emo.evaluation.head import Array, Pictures

PORTRAIT_SIZE = 512
"""Side of the portraits in the catalog, which renderers are given in production; see `tasks.portraits`."""


class Info(Protocol):
    """What is read of a renderer's `info`."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def fps(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def steps(self) -> int: ...


class Renders(Protocol):
    """`models.emo.renderer.Renderer`, or what is called as it is."""

    @property
    def info(self) -> Info: ...

    def render(
        self,
        portrait: NDArray[np.uint8],
        samples: NDArray[np.float32],
        face: tuple[float, float, float, float],
        settings: RenderSettings,
        frames: int,
        *,
        idle: NDArray[np.float32] | None = None,
    ) -> Iterator[NDArray[np.uint8]]: ...


def renderer_of(checkpoint: str, models_dir: Path | None = None) -> Renders:
    """A checkpoint in memory, or the preview engine, which shows the portrait and should score badly.

    Raises:
        MissingEngineError, InputError: as `models.emo.renderer.checkpoint_folder`.
    """
    if checkpoint == still.NAME:
        return still.StillRenderer()
    from models.emo.renderer import Renderer

    return Renderer(checkpoint, models_dir=models_dir)


def clip_frames_of(checkpoint: str, models_dir: Path | None = None) -> int:
    """Frames from one border of clips to the next, as the checkpoint says; 12 for the preview."""
    import json

    from models.emo.renderer import checkpoint_folder

    if checkpoint == still.NAME:
        return 12
    index = json.loads((checkpoint_folder(checkpoint, models_dir) / "model_index.json").read_text())
    return int(index.get("clip_frames", 12))


def given_portrait(presenter: Presenter) -> NDArray[np.uint8]:
    """(512, 512, 3): what production gives the renderer."""
    return draw(presenter, Pose(), PORTRAIT_SIZE)


def generated(
    renderer: Renders, scene: Scene, frames: int, settings: RenderSettings, idle: Array | None = None
) -> Pictures:
    """(frames, S, S, 3) of the scene's presenter and sound. The drawn truth has no part in it but for `idle`, if given."""
    samples = scene.utterance.samples[: frames * SAMPLE_RATE // renderer.info.fps]
    made = renderer.render(given_portrait(scene.presenter), samples, scene.face, settings, frames, idle=idle)
    return np.stack(list(made))
