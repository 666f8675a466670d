"""Sample strips: what the networks make of a held-out scene while they are still in training, for the eye."""

from pathlib import Path

import numpy as np
from PIL import Image

from media.atomic import whole_file
from models.avatars.drawing import Pose, draw
from models.emo.corpus import SAMPLE_RATE, drawn, held_out_scenes
from models.emo.pipeline import EMOPipeline

FRAMES = 36
SHOWN = 9
"""Every fourth frame of the first three clips."""


def write_strip(pipeline: EMOPipeline, path: Path) -> None:
    """Write a PNG of 2 x 9 moments of a held-out presenter: as drawn above, as generated below."""
    scene = held_out_scenes(1)[0]
    size, fps = pipeline.config.image_size, pipeline.config.fps
    first = round(0.3 * fps)  # after the silence at the start
    samples = scene.utterance.samples[first * SAMPLE_RATE // fps :]
    idle = scene.idle[first : first + FRAMES]
    pipeline.to(pipeline.backbone.device)
    made = pipeline(
        draw(scene.presenter, Pose(), size), samples, scene.face, FRAMES, head_speed=scene.speed, idle=idle, seed=0
    ).frames
    chosen = np.linspace(0, FRAMES - 1, SHOWN).round().astype(int)
    truth = drawn(scene.presenter, scene.poses[first + chosen], size)
    picture = np.concatenate([np.concatenate(list(row), axis=1) for row in (truth, made[chosen])])
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as draft:
        Image.fromarray(picture).save(draft, "PNG")
