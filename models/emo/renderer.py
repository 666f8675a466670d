"""What the rest of Portrayal uses of the model: which checkpoints there are, and a renderer that holds one ready."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.errors import InputError, MissingEngineError
from media.segment import RenderSettings

SHIPPED = Path(__file__).parent / "checkpoints"


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    name: str
    folder: Path
    fingerprint: str
    """Hash of every file that changes what the checkpoint generates."""
    fps: int
    size: int
    """Side of the square picture, pixels."""
    steps: int
    sample_rate: int = 16_000
    domain: str = "illustrated"
    """Style of the portraits that it was trained on: `illustrated` or `photo`."""


def checkpoint_folder(checkpoint: str, models_dir: Path | None = None) -> Path:
    """The folder of a checkpoint: a path, a shipped one, or one in `models_dir`.

    Raises:
        MissingEngineError: there is none of that name.
        InputError: the folder is not a diffusers pipeline.
    """
    places = [SHIPPED / checkpoint, *([models_dir / checkpoint] if models_dir else []), Path(checkpoint)]
    for folder in places:
        if (folder / "model_index.json").is_file():
            return folder
    if Path(checkpoint).is_dir():
        raise InputError(f"{checkpoint}: not a checkpoint, it has no model_index.json; give a diffusers folder.")
    place = models_dir / checkpoint if models_dir else checkpoint
    raise MissingEngineError(
        f"Checkpoint '{checkpoint}' is not there: put its diffusers folder at {place}, or choose one that "
        "`portrayal models list` shows."
    )


def checkpoint_info(checkpoint: str, models_dir: Path | None = None) -> CheckpointInfo:
    """What is needed to plan with a checkpoint, without loading it.

    Raises:
        MissingEngineError, InputError: as `checkpoint_folder`.
    """
    folder = checkpoint_folder(checkpoint, models_dir)
    index = json.loads((folder / "model_index.json").read_text())
    return CheckpointInfo(
        folder.name,
        folder,
        _fingerprint(folder),
        index["fps"],
        index["image_size"],
        index["steps"],
        domain=index.get("domain", "illustrated"),
    )


def _fingerprint(folder: Path) -> str:
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".json", ".safetensors")]
    states = [(path, path.stat()) for path in files]
    return _digest(folder, tuple((path, state.st_size, state.st_mtime_ns) for path, state in states))


@lru_cache(maxsize=32)
def _digest(folder: Path, files: tuple[tuple[Path, int, int], ...]) -> str:
    """Of gigabytes, where weights are large: read once, until a file changes."""
    digest = hashlib.sha256(b"checkpoint/1\n")
    for path, _, _ in files:
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


class Renderer:
    """A checkpoint in memory, ready to render segments one after another."""

    def __init__(self, checkpoint: str, device: str | None = None, models_dir: Path | None = None):
        import torch
        from diffusers.utils import logging

        from models.emo.pipeline import EMOPipeline

        logging.set_verbosity_error()  # its bars and hints would run through the stage's own
        logging.disable_progress_bar()

        self.info = checkpoint_info(checkpoint, models_dir)
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._pipeline = EMOPipeline.from_pretrained(self.info.folder, dtype=torch.float32).to(self.device)

    def render(
        self,
        portrait: NDArray[np.uint8],
        samples: NDArray[np.float32],
        face: tuple[float, float, float, float],
        settings: RenderSettings,
        frames: int,
        progress: Callable[[int], None] | None = None,
        idle: NDArray[np.float32] | None = None,
    ) -> Iterator[NDArray[np.uint8]]:
        """Exactly `frames` pictures (size, size, 3), as they are done.

        Args:
            portrait: (H, W, 3), square.
            samples: mono at 16 kHz, [-1, 1].
            face: left, top, right, bottom as fractions of the portrait.
            progress: called with the number of frames done.
            idle: (frames, 7), as `models.idle.idle_motion`; drawn from the seed when None.

        Raises:
            InputError: settings that this checkpoint cannot follow.
        """
        if settings.fps not in (None, self.info.fps):
            raise InputError(
                f"--fps {settings.fps}: checkpoint '{self.info.name}' renders {self.info.fps} frames a second."
            )
        clips = self._pipeline.stream(
            portrait,
            samples,
            face,
            frames,
            num_inference_steps=settings.steps,
            head_speed=settings.head_speed,
            seed=settings.seed,
            idle=idle,
            callback_on_clip_end=progress,
        )
        for clip in clips:
            yield from clip
