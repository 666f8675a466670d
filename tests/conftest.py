"""Videos of people who talk, made here: drawn presenters, and a photograph that is moved about."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Film = Callable[..., Any]


@pytest.fixture(scope="session")
def talking_film() -> Film:
    """Renders presenter number `seed` to an MP4 with sound, and returns the scene, which knows the truth about it."""
    from media.audio import write_wav
    from media.video import write_video
    from models.avatars.drawing import Pose, draw
    from models.emo import corpus

    def render(
        path: Path,
        seed: int,
        *,
        size: int = 192,
        fps: float = 25,
        seconds: float | None = None,
        amplitude: float = 0.7,
        sidecar: bool = False,
    ) -> corpus.Scene:
        scene = corpus.scene_of(corpus.presenter_of(seed), corpus.training_utterance(seed), seed, amplitude)
        poses = scene.poses if seconds is None else scene.poses[: round(25 * seconds)]
        count = round(len(poses) / 25 * fps)
        at = np.clip((np.arange(count) + 0.5) / fps * 25 - 0.5, 0, len(poses) - 1)
        shown = np.stack([np.interp(at, np.arange(len(poses)), column) for column in poses.T], axis=1)
        sound = path.with_suffix(".sound.wav")
        write_wav(sound, scene.utterance.samples, 16_000)
        pictures = (draw(scene.presenter, Pose.from_array(pose), size) for pose in shown)
        write_video(pictures, path, fps, sound=sound, preset="veryfast")
        sound.unlink()
        if sidecar:
            _write_faces(path, shown, fps)
        return scene

    return render


@pytest.fixture(scope="session")
def photographed_film() -> Film:
    """A photograph (Grace Hopper, U.S. Navy, public domain, from matplotlib) that tilts to and fro, with a voice.

    The film turns by 6 sin(pi t) degrees, clockwise.
    """
    from matplotlib import cbook
    from PIL import Image

    from media.audio import write_wav
    from media.video import write_video
    from models.emo import corpus

    def render(path: Path, *, fps: float = 30, seconds: float = 2.8) -> None:
        with cbook.get_sample_data("grace_hopper.jpg") as file:
            photograph = Image.open(file).convert("RGB")
        samples = corpus.training_utterance(3).samples[: int(16_000 * seconds)]
        sound = path.with_suffix(".sound.wav")
        write_wav(sound, samples, 16_000)

        def pictures() -> Iterator[Any]:
            for number in range(int(len(samples) / 16_000 * fps)):
                angle = 6 * np.sin(np.pi * number / fps)
                turned = photograph.rotate(-angle, Image.Resampling.BICUBIC, center=(260, 180))
                yield np.asarray(turned.crop((56, 0, 456, 400)).resize((300, 300)))

        write_video(pictures(), path, fps, sound=sound, preset="veryfast")
        sound.unlink()

    return render


def _write_faces(path: Path, poses: np.ndarray, fps: float) -> None:
    """Where whoever draws a presenter knows face and points to be."""
    from models.avatars.drawing import Pose
    from models.avatars.geometry import project, view
    from models.emo.training.videos.faces import sidecar, write_sidecar

    in_space = [(-9.2, 0.9, 17), (9.2, 0.9, 17), (0, 9, 22), (-7, 18, 16.5), (7, 18, 16.5)]
    corners = [(-16, -14, 8), (16, -14, 8), (-16, 28, 8), (16, 28, 8)]
    boxes, points = [], []
    for row in poses:
        pose = Pose.from_array(row)
        seen = view(pose.yaw, pose.pitch, pose.roll, pose.shift_x, pose.shift_y)
        middle = np.array([50.0, 47.5])
        points.append((project(seen, in_space) + middle) / 100)
        around = (project(seen, corners) + middle) / 100
        boxes.append([*around.min(0), *around.max(0)])
    write_sidecar(sidecar(path), (np.arange(len(poses)) + 0.5) / fps, np.array(boxes), np.array(points))
