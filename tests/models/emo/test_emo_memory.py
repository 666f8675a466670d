"""What is held while a segment is rendered into a video does not grow with its length."""

import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import untrained
from media.video import write_video
from models.emo.pipeline import EMOPipeline

FACE = (0.25, 0.25, 0.75, 0.75)


def _held(pipeline: EMOPipeline, frames: int, path: Path) -> tuple[int, int]:
    """The most bytes in tensors, seen whenever a clip is done, and in arrays, while `frames` frames are made and encoded."""
    size, fps = pipeline.config.image_size, pipeline.config.fps
    portrait = np.random.default_rng(0).integers(0, 255, (size, size, 3), dtype=np.uint8)
    samples = np.random.default_rng(1).normal(0, 0.1, 16_000 * frames // fps).astype(np.float32)
    tensors = 0

    def pictures() -> Iterator[np.ndarray]:
        nonlocal tensors
        for clip in pipeline.stream(portrait, samples, FACE, frames, num_inference_steps=1):
            gc.collect()
            alive = [
                one.untyped_storage()
                for one in gc.get_objects()
                if type(one) in (torch.Tensor, torch.nn.Parameter) and one.layout == torch.strided
            ]
            tensors = max(tensors, sum({one.data_ptr(): one.nbytes() for one in alive}.values()))
            yield from clip

    gc.collect()
    tracemalloc.start()
    write_video(pictures(), path, fps)
    arrays = tracemalloc.get_traced_memory()[1] - samples.nbytes  # the sound itself: 64 kB a second
    tracemalloc.stop()
    return tensors, arrays


@pytest.mark.parametrize("way", ["motion", "windows"])
def test_what_is_held_does_not_grow_with_the_segment(way: str, tmp_path: Path) -> None:
    pipeline = untrained.starter() if way == "motion" else untrained.photographs("least", "acc")
    pipeline.register_to_config(stretch_frames=8)
    short, long = 24, 72  # whole clips and loops
    frame = 3 * pipeline.config.image_size**2
    _held(pipeline, 12, tmp_path / "warm.mp4")
    few, many = _held(pipeline, short, tmp_path / "few.mp4"), _held(pipeline, long, tmp_path / "many.mp4")
    # Holding the pictures would take a whole frame each; the sound, which is held, takes a fifth of one.
    assert many[1] - few[1] < frame * (long - short) / 2
    assert many[0] - few[0] < frame * (long - short) / 2
