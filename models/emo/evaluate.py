"""How good a checkpoint is, on presenters and sentences that it was not trained on, sampled as in production.

The truth is what the illustrator draws for the same sound. The mouth is read from pictures, of both, by an instrument that
is fitted anew at every evaluation on drawings of training presenters; its own ceiling is measured and reported.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from media.segment import RenderSettings
from models.emo.corpus import (
    HELD_OUT_LANGUAGE,
    SAMPLE_RATE,
    Scene,
    drawn,
    held_out_scenes,
    presenter_of,
    scene_of,
    training_utterance,
)

Pictures = NDArray[np.uint8]
Box = tuple[float, float, float, float]

READER_SIZE = (28, 20)
"""Width and height of what the mouth reader sees."""


def mouth_crops(pictures: Sequence[Pictures], portrait: Pictures, mouth: Box) -> NDArray[np.float32]:
    """(F, features): the mouth region of each picture, small, less that of the portrait, divided by its contrast."""

    def crop(picture: Pictures) -> NDArray[np.float32]:
        side = picture.shape[0]
        left, top, right, bottom = (round(v * side) for v in mouth)
        small = Image.fromarray(picture[top:bottom, left:right]).resize(READER_SIZE, Image.Resampling.BOX)
        return np.asarray(small, np.float32).reshape(-1)

    still = crop(portrait)
    contrast = max(float(still.std()), 8.0)
    return np.stack([(crop(picture) - still) / contrast for picture in pictures])


def opening(poses: NDArray[np.float32]) -> NDArray[np.float32]:
    """(F,) how far the lips are apart, from mouth parameters: pressed lips are closed whatever the jaw does."""
    return poses[:, 0] * (1 - poses[:, 5])


class MouthReader:
    """Ridge regression from mouth crops to the opening of the lips."""

    def __init__(self, crops: NDArray[np.float32], openings: NDArray[np.float32], ridge: float = 100.0):
        self.mean, self.offset = crops.mean(0), float(openings.mean())
        centred = crops - self.mean
        gram = centred @ centred.T + ridge * np.eye(len(crops), dtype=np.float32)
        self.weights = centred.T @ np.linalg.solve(gram, openings - self.offset)

    def read(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        return (crops - self.mean) @ self.weights + self.offset


def portrait_of(scene: Scene, size: int) -> Pictures:
    return drawn(scene.presenter, np.zeros((1, scene.poses.shape[1]), np.float32), size)[0]


def fitted_reader(size: int, scenes: int = 90, frames: int = 8) -> MouthReader:
    crops, openings = [], []
    for seed in range(scenes):
        scene = scene_of(presenter_of(seed), training_utterance(2_000_000 + seed), seed, amplitude=0.5)
        chosen = np.linspace(0, len(scene.poses) - 1, frames).astype(int)
        poses = scene.poses[chosen]
        pictures = drawn(scene.presenter, poses, size)
        crops.append(mouth_crops(list(pictures), portrait_of(scene, size), scene.mouth))
        openings.append(opening(poses))
    return MouthReader(np.concatenate(crops), np.concatenate(openings))


def correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Pearson's r over the shorter length; 0 where one of them does not move."""
    length = min(len(a), len(b))
    a, b = a[:length], b[:length]
    if a.std() < 1e-6 or b.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _offset(generated: NDArray[np.float32], truth: NDArray[np.float32], reach: int = 8) -> int:
    """Frames by which the generated mouth comes late (positive) or early, by the best correlation."""
    shifts = range(-reach, reach + 1)
    scores = [correlation(generated[reach + s : len(generated) - reach + s], truth[reach:-reach]) for s in shifts]
    return list(shifts)[int(np.argmax(scores))]


def _rms(a: Pictures, b: Pictures, box: Box | None = None) -> float:
    """Root-mean-square difference of (F, H, W, 3) pictures, 0..1, within a box."""
    if box is not None:
        side = a.shape[1]
        left, top, right, bottom = (round(v * side) for v in box)
        a, b = a[:, top:bottom, left:right], b[:, top:bottom, left:right]
    return float(np.sqrt(np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2)) / 255)


def _grain(pictures: Pictures, truth: Pictures) -> float:
    """Texture that is not in the truth, 0..1: spread of the second differences of (generated - drawn), by the median
    over pixels, so that moved edges do not count and a texture over skin and background does."""
    difference = pictures.astype(np.float32) - truth.astype(np.float32)
    second = difference[:, 2:, 1:-1] + difference[:, :-2, 1:-1] + difference[:, 1:-1, 2:] + difference[:, 1:-1, :-2]
    second = second - 4 * difference[:, 1:-1, 1:-1]
    return float(np.median(np.abs(second)) / 255)


def evaluate(
    checkpoint: str,
    clips: int = 12,
    seconds: float = 4.0,
    steps: int | None = None,
    models_dir: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> dict[str, object]:
    """Measure a checkpoint.

    Args:
        clips: held-out presenters, each with a held-out sentence; every fourth speaks a language that was not trained on.
        seconds: at most so much of each sentence.

    Returns:
        `mouth_correlation`: opening of the generated mouth against the drawn one, Pearson, mean over clips.
        `mouth_correlation_wrong_audio`: the same against the drawings for other clips' sound.
        `mouth_reader_ceiling`: the instrument on drawings, against the parameters that drew them.
        `mouth_amplitude`: spread of the generated opening over that of the drawn one.
        `av_offset_frames`: median lag of best correlation.
        `full_frame_error`, `full_frame_error_copy`: RMS against the drawing, of the generated frames and of the portrait.
        `face_error`, `face_error_copy`: the same in the face region.
        `grain`: texture that the drawing does not have (median absolute second difference, 0..1).
        `cpu_seconds_per_frame`: process time over generated frames.
        `per_clip`: language, presenter, correlation.
    """
    from models.emo.renderer import Renderer

    renderer = Renderer(checkpoint, models_dir=models_dir)
    size, fps = renderer.info.size, renderer.info.fps
    reader = fitted_reader(size)
    generated, shown, ceilings, offsets, rows = [], [], [], [], []
    errors: dict[str, list[float]] = {
        key: [] for key in ("full_frame_error", "full_frame_error_copy", "face_error", "face_error_copy", "grain")
    }
    spent, count = 0.0, 0
    scenes = held_out_scenes(clips)
    for index, scene in enumerate(scenes):
        frames = min(len(scene.poses), int(seconds * fps))
        portrait = portrait_of(scene, size)
        truth = drawn(scene.presenter, scene.poses[:frames], size)
        samples = scene.utterance.samples[: frames * SAMPLE_RATE // fps]
        before = time.process_time()
        settings = RenderSettings(steps=steps, head_speed=scene.speed)
        made = np.stack(
            list(renderer.render(portrait, samples, scene.face, settings, frames, idle=scene.idle[:frames]))
        )
        spent += time.process_time() - before
        count += frames
        generated.append(reader.read(mouth_crops(list(made), portrait, scene.mouth)))
        shown.append(reader.read(mouth_crops(list(truth), portrait, scene.mouth)))
        ceilings.append(correlation(shown[-1], opening(scene.poses[:frames])))
        offsets.append(_offset(generated[-1], shown[-1]))
        copy = np.broadcast_to(portrait, truth.shape)
        errors["full_frame_error"].append(_rms(made, truth))
        errors["full_frame_error_copy"].append(_rms(copy, truth))
        errors["face_error"].append(_rms(made, truth, scene.face))
        errors["face_error_copy"].append(_rms(copy, truth, scene.face))
        errors["grain"].append(_grain(made, truth))
        rows.append(
            {"presenter": scene.presenter.slug, "mouth_correlation": round(correlation(generated[-1], shown[-1]), 3)}
        )
        if progress:
            progress((index + 1) / clips)
    own = [correlation(g, d) for g, d in zip(generated, shown, strict=True)]
    wrong = [correlation(g, shown[(i + k) % clips]) for i, g in enumerate(generated) for k in (1, 2, 3) if k < clips]
    amplitude = [g.std() / d.std() for g, d in zip(generated, shown, strict=True)]
    return {
        "checkpoint": renderer.info.name,
        "fingerprint": renderer.info.fingerprint,
        "clips": clips,
        "frames": count,
        "steps": steps or renderer.info.steps,
        "held_out_language": HELD_OUT_LANGUAGE,
        "mouth_correlation": round(float(np.mean(own)), 3),
        "mouth_correlation_wrong_audio": round(float(np.mean(wrong)), 3) if wrong else None,
        "mouth_reader_ceiling": round(float(np.mean(ceilings)), 3),
        "mouth_amplitude": round(float(np.mean(amplitude)), 3),
        "av_offset_frames": float(np.median(offsets)),
        **{key: round(float(np.mean(values)), 4) for key, values in errors.items()},
        "cpu_seconds_per_frame": round(spent / count, 3),
        "per_clip": rows,
    }
