"""Sample strips: what the networks make of one piece of sound while they are still in training, for the eye."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from media.atomic import whole_file
from models.avatars.drawing import Pose, draw
from models.emo.corpus import FPS, SAMPLE_RATE, drawn, held_out_scenes
from models.emo.pipeline import EMOPipeline
from models.emo.training.videos.prepare import part_pictures, part_sound, read_part
from models.idle import IDLE

FRAMES = 36
SHOWN = 9
"""Every fourth frame of the first three clips."""
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shown:
    """What strips of one training show: always the same, so that they can be compared."""

    portrait: NDArray[np.uint8]
    """(size, size, 3)."""
    samples: Array
    """(N,) mono at 16 kHz, from the first frame on."""
    face: tuple[float, float, float, float]
    speed: float
    """Degrees a second."""
    idle: Array
    """(`FRAMES`, 7)."""
    truth: NDArray[np.uint8]
    """(`SHOWN`, size, size, 3): how it was."""


def held_out_presenter(size: int) -> Shown:
    """One that training does not draw, at `size` pixels."""
    scene = held_out_scenes(1)[0]
    first = round(0.3 * FPS)  # after the silence at the start
    return Shown(
        draw(scene.presenter, Pose(), size),
        scene.utterance.samples[first * SAMPLE_RATE // FPS :],
        scene.face,
        scene.speed,
        scene.idle[first : first + FRAMES],
        drawn(scene.presenter, scene.poses[first + _moments()], size),
    )


def part_of_a_video(part: Path) -> Shown:
    """The first frames of a part (`models.emo.training.videos.prepare`) that training sees too; its last picture is the
    portrait."""
    measured, pictures = read_part(part), np.stack(list(part_pictures(part)))
    left, top, right, bottom = (float(side) for side in measured.face)
    return Shown(
        pictures[-1],
        part_sound(part),
        (left, top, right, bottom),
        measured.speed,
        np.zeros((FRAMES, len(IDLE)), np.float32),
        pictures[np.minimum(_moments(), len(pictures) - 1)],
    )


def write_strip(pipeline: EMOPipeline, shown: Shown, path: Path) -> None:
    """Write a PNG of 2 x 9 moments: as it was above, as generated below."""
    pipeline.to(pipeline.backbone.device)
    options = {"head_speed": shown.speed, "idle": shown.idle, "seed": 0}
    made = pipeline(shown.portrait, shown.samples, shown.face, FRAMES, **options).frames
    picture = np.concatenate([np.concatenate(list(row), axis=1) for row in (shown.truth, made[_moments()])])
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as draft:
        Image.fromarray(picture).save(draft, "PNG")


def _moments() -> NDArray[np.int64]:
    return np.linspace(0, FRAMES - 1, SHOWN).round().astype(np.int64)
