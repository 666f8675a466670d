"""How long every step of training is, and on how much data."""

from dataclasses import dataclass

SHARD_SCENES = 32
"""Scenes in one file."""
SCENE_FRAMES = 32
CLIP_FRAMES = 12
MOTION_FRAMES = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """Optimiser steps of every stage, and counts of utterances, pictures and scenes."""

    utterances: int = 10_000
    audio_steps: int = 3000
    pictures: int = 900
    codec_steps: int = 260
    scenes: int = 768
    crop_steps: int = 300
    gate_after: int = 300
    """Crop steps before training is stopped if it ignores the sound."""
    image_steps: int = 420
    video_steps: int = 120
    speed_steps: int = 60
