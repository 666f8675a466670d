"""What the rest of Portrayal uses of the model: which checkpoints there are, and a renderer that holds one ready."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.errors import InputError, MissingEngineError, RenderError
from media.long_sound import Sound
from media.memory import is_out_of_memory
from media.segment import Precision, RenderSettings
from models.emo.memory import ROUNDED, chosen_precision, device_memory, needs_of, planned_memory

_log = logging.getLogger(__name__)
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


def precision_for(info: CheckpointInfo, kind: str, shared_by: int = 1) -> Precision:
    """What is best for a checkpoint on this machine. Illustrated ones are small, and are never rounded.

    Args:
        kind: of device, `cpu` or `cuda`.
        shared_by: how many renderers share the device.
    """
    if info.domain != "photo":
        return "float32"
    return chosen_precision(needs_of(info.folder), device_memory(kind, shared_by))


class Renderer:
    """A checkpoint in memory, ready to render segments one after another.

    Args:
        device: of torch; a GPU where there is one when None.
        precision: what the networks' weights are rounded to.
        shared_by: how many renderers share the device's memory.
    """

    def __init__(
        self,
        checkpoint: str,
        device: str | None = None,
        models_dir: Path | None = None,
        precision: Precision = "float32",
        shared_by: int = 1,
    ):
        import torch
        from diffusers.utils import logging

        from models.emo.pipeline import EMOPipeline

        logging.set_verbosity_error()  # its bars and hints would run through the stage's own
        logging.disable_progress_bar()

        self.info = checkpoint_info(checkpoint, models_dir)
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        needs = needs_of(self.info.folder)
        self.plan = planned_memory(needs, precision, device_memory(self.device, shared_by))
        dtypes = {"default": torch.float32} | {part: getattr(torch, precision) for part in ROUNDED}
        self._pipeline = EMOPipeline.from_pretrained(self.info.folder, dtype=dtypes)
        for name, network in self._pipeline.components.items():
            if name not in self.plan.resting and isinstance(network, torch.nn.Module):
                network.to(self.device)
        self._follow_plan()
        _log.info("%s on %s: %s", self.info.name, self.device, self.plan)

    def _follow_plan(self) -> None:
        self._pipeline.pictures_at_once = self.plan.pictures_at_once
        self._pipeline.put_to_rest(self.plan.resting)

    def _shrink(self) -> None:
        """Go on with less memory.

        Raises:
            RenderError: there is no way to.
        """
        plan = replace(self.plan, pictures_at_once=min(self.plan.pictures_at_once, self._pipeline.pictures_at_once))
        smaller = plan.smaller(self.device.partition(":")[0])
        if smaller is None:
            raise RenderError(
                f"Checkpoint '{self.info.name}' needs more memory than is free on {self.device} ({self.plan}): "
                "end what else uses it, let fewer renderers share it (PORTRAYAL_RENDERERS), or set PORTRAYAL_PRECISION=bfloat16."
            )
        _log.warning("%s: memory was not enough on %s; going on with %s", self.info.name, self.device, smaller)
        self.plan = smaller
        self._follow_plan()

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
        """Exactly `frames` pictures (size, size, 3), as they are done. Where memory is not enough, it goes on with less.

        Args:
            portrait: (H, W, 3), square.
            samples: mono at 16 kHz, [-1, 1].
            face: left, top, right, bottom as fractions of the portrait.
            progress: called with the number of frames done.
            idle: (frames, 7), as `models.idle.idle_motion`; drawn from the seed when None.

        Raises:
            InputError: settings that this checkpoint cannot follow.
            RenderError: memory is not enough, with the least that it can be rendered in.
        """
        if settings.fps not in (None, self.info.fps):
            raise InputError(
                f"--fps {settings.fps}: checkpoint '{self.info.name}' renders {self.info.fps} frames a second."
            )
        given = 0

        def tell(done: int) -> None:
            if progress is not None and done >= given:
                progress(done)

        while given < frames:
            clips = self._pipeline.stream(
                portrait,
                samples,
                face,
                frames,
                num_inference_steps=settings.steps,
                head_speed=settings.head_speed,
                seed=settings.seed,
                idle=idle,
                callback_on_clip_end=tell,
            )
            try:
                for index, picture in enumerate(picture for clip in clips for picture in clip):
                    if index >= given:  # the others were given before memory was not enough
                        given += 1
                        yield picture
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
            else:
                return
            self._shrink()
