"""How long every step of training is, and on how much data."""

from dataclasses import dataclass

SHARD_SCENES = 32
"""Scenes in one file."""
SCENE_FRAMES = 24
CLIP_FRAMES = 12
MOTION_FRAMES = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """Optimiser steps of every stage, and counts of utterances, pictures and scenes."""

    utterances: int = 20_000
    audio_steps: int = 8000
    pictures: int = 900
    codec_steps: int = 600
    scenes: int = 2048
    crop_steps: int = 5000
    gate_after: int = 700
    """Crop steps before training is stopped if it ignores the sound."""
    image_steps: int = 600
    video_steps: int = 600
    speed_steps: int = 100


FROM_VIDEOS = Plan(
    utterances=0,
    audio_steps=0,
    pictures=4000,
    codec_steps=60_000,
    scenes=0,
    crop_steps=20_000,
    gate_after=20_000,
    image_steps=100_000,
    video_steps=60_000,
    speed_steps=10_000,
)
"""A beginning for real videos at full size, where nobody has measured yet how much is enough; all of the data is used, and the
audio encoder is the starter's."""
