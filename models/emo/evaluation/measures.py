"""The five parts of an evaluation: each renders what it needs and gives its figures.

Every figure that compares with an instrument's own limit has `<figure>_ceiling` beside it: what the drawn truth itself
reaches when it is measured in the same way.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from media.segment import RenderSettings
from models.avatars.drawing import Pose, draw, face_region
from models.emo.corpus import (
    HELD_OUT_PRESENTER_SEED,
    Scene,
    drawn,
    held_out_monologue,
    held_out_scenes,
    held_out_sentence,
    presenter_of,
    scene_of,
)
from models.emo.evaluation.expression import (
    blinks,
    drawn_blinks,
    expression_correlation,
    read_curves,
    speed_read,
    spoken,
    voiced_curves,
)
from models.emo.evaluation.faces import Drawings, fitting_drawings, look, portrait_of
from models.emo.evaluation.head import Array, Pictures
from models.emo.evaluation.identity import gallery_of
from models.emo.evaluation.pictures import (
    background_noise,
    changes,
    contrast,
    encoded,
    far_from_edges,
    grain,
    psnr,
    rms,
    seams,
    sharpness,
    ssim,
    still_background,
    within,
)
from models.emo.evaluation.reading import BLINK, Reader, Reading, opening, visemes_of
from models.emo.evaluation.recordings import SILENCE, SPEECH, auc, heard, labelled, movement, voiced
from models.emo.evaluation.speech import (
    against_others,
    closed_share,
    closures,
    correlation,
    offset,
    speaking,
    viseme_accuracy,
)
from models.emo.evaluation.takes import Renders, generated, given_portrait
from models.emo.evaluation.work import measure_work
from models.idle import IDLE
from models.speech.annotated import Recording

Figures = dict[str, Any]
Progress = Callable[[float], None]

SPEEDS = (0.0, 3.0, 6.0, 9.0, 12.0, 16.0, 20.0)
"""Degrees a second that are asked for; centres of the speed layers' buckets."""
SPEED_PRESENTERS = 3
SPEED_SECONDS = 3.0
LONG_SECONDS = 62.0
EARLY, LATE = 2.0, 60.0
"""Seconds whose surroundings (one second to each side) are compared for drift."""
ENCODED_TAKES = 6
WORK_SECONDS = 4.0
MOVES = 0.2
"""Pictures that change less than this share of the drawn truth count as still, and what a still picture has for nothing
(no seams, no drift, no noise) is then not measured."""


@dataclass(frozen=True, slots=True)
class Instruments:
    """Fitted for one size of picture."""

    size: int
    drawings: tuple[Drawings, ...]
    reader: Reader


def fitted_instruments(size: int, people: int = 140, frames: int = 12) -> Instruments:
    """Draw `frames` of each of `people` training presenters at (size, size), and fit the instruments on them."""
    drawings = tuple(fitting_drawings(size, people, frames))
    return Instruments(size, drawings, Reader(drawings))


def measure_speech(
    renderer: Renders,
    instruments: Instruments,
    clip_frames: int,
    clips: int,
    seconds: float,
    steps: int | None,
    progress: Progress,
) -> Figures:
    """What `clips` held-out presenters look like while each says a held-out sentence, next to the drawn truth."""
    size, fps = renderer.info.size, renderer.info.fps
    scenes = held_out_scenes(clips)
    languages = [held_out_sentence(index)[0] for index in range(clips)]
    gallery = gallery_of([scene.presenter for scene in scenes], instruments.drawings, size)
    made_readings: list[Reading] = []
    true_readings: list[Reading] = []
    pictures: dict[str, list[float]] = {}
    known: dict[str, list[NDArray[Any]]] = {"made": [], "truth": []}
    margins: dict[str, list[NDArray[Any]]] = {"made": [], "truth": []}
    seam_sums: dict[str, list[tuple[float, float, int]]] = {"made": [], "truth": []}
    change_sums = {"made": 0.0, "truth": 0.0}
    noise: dict[str, list[float]] = {"made": [], "truth": [], "made_far": [], "truth_far": []}
    spent, frames_made = 0.0, 0
    for index, scene in enumerate(scenes):
        frames = min(len(scene.poses), int(seconds * fps))
        portrait = portrait_of(scene, size)
        truth = drawn(scene.presenter, scene.poses[:frames], size)
        before = time.process_time()
        settings = RenderSettings(steps=steps, head_speed=scene.speed)
        made = generated(renderer, scene, frames, settings, scene.idle[:frames])
        spent += time.process_time() - before
        frames_made += frames
        for name, value in _next_to_truth(made, truth, portrait, scene).items():
            pictures.setdefault(name, []).append(value)
        for name, shown, readings in (("made", made, made_readings), ("truth", truth, true_readings)):
            sight = look(shown, portrait)
            readings.append(instruments.reader.read(sight))
            # Next to the portrait, a closed mouth would be no proof, and closed eyes no help.
            talking = np.flatnonzero((readings[-1].opening > 0.2) & (scene.poses[:frames, BLINK] < 0.2))[::2]
            right, margin = gallery.recognised(sight.upper_face[talking], scene.presenter)
            known[name].append(right)
            margins[name].append(margin)
            change = changes(shown)
            change_sums[name] += float(change.sum())
            seam_sums[name].append(seams(change, clip_frames))
        if index < ENCODED_TAKES:
            for name, value in _background(made, truth, fps).items():
                noise[name].append(value)
        progress((index + 1) / clips)
    moves = change_sums["made"] >= MOVES * change_sums["truth"]
    figures: Figures = {"clips": clips, "frames": frames_made}
    figures |= _mouths(scenes, languages, made_readings, true_readings)
    figures |= _expressions(scenes, made_readings, true_readings)
    figures |= {
        "identity_top1": _mean(known["made"]),
        "identity_top1_ceiling": _mean(known["truth"]),
        "identity_margin": _mean(margins["made"]),
        "identity_margin_ceiling": _mean(margins["truth"]),
        "identity_gallery": len(gallery.presenters),
        "seam_ratio": _ratio(seam_sums["made"]) if moves else None,
        "seam_ratio_ceiling": _ratio(seam_sums["truth"]),
    }
    if noise["truth"]:
        made_noise, true_noise = (float(np.sqrt(np.mean(np.square(noise[name])))) for name in ("made", "truth"))
        figures |= {
            "background_noise_ratio": round(made_noise / max(true_noise, 1e-6), 3) if moves else None,
            "background_noise": round(made_noise, 4),
            "background_noise_truth": round(true_noise, 4),
            "background_noise_far": round(float(np.mean(noise["made_far"])), 4),
            "background_noise_far_truth": round(float(np.mean(noise["truth_far"])), 4),
        }
    figures |= {name: round(float(np.mean(values)), 4) for name, values in pictures.items()}
    figures["cpu_seconds_per_frame"] = round(spent / frames_made, 4)
    figures["per_clip"] = [
        {
            "language": languages[index],
            "presenter": scene.presenter.slug,
            "mouth_correlation": round(
                correlation(made_readings[index].opening, opening(scene.poses[: len(made_readings[index].opening)])), 3
            ),
            "psnr_face": round(pictures["psnr_face"][index], 2),
            "psnr_face_copy": round(pictures["psnr_face_copy"][index], 2),
        }
        for index, scene in enumerate(scenes)
    ]
    return figures


def _mouths(
    scenes: Sequence[Scene], languages: Sequence[str], made: Sequence[Reading], truth: Sequence[Reading]
) -> Figures:
    """Correlation, lag, closures and shapes of the mouth, and their ceilings."""
    poses = [scene.poses[: len(reading.opening)] for scene, reading in zip(scenes, made, strict=True)]
    lips = [opening(pose) for pose in poses]
    figures: Figures = {}
    own = {}
    for suffix, readings in (("", made), ("_ceiling", truth)):
        openings = [reading.opening for reading in readings]
        own[suffix] = [correlation(found, drawn_) for found, drawn_ in zip(openings, lips, strict=True)]
        wrong = against_others(openings, lips)
        figures[f"mouth_correlation{suffix}"] = round(float(np.mean(own[suffix])), 3)
        figures[f"mouth_correlation_wrong_audio{suffix}"] = None if wrong is None else round(wrong, 3)
        parts = [speaking(truth_) for truth_ in lips]
        cut, cut_lips = ([c[p] for c, p in zip(curves, parts, strict=True)] for curves in (openings, lips))
        inside = [correlation(found, drawn_) for found, drawn_ in zip(cut, cut_lips, strict=True)]
        wrong = against_others(cut, cut_lips)
        figures[f"mouth_correlation_speaking{suffix}"] = round(float(np.mean(inside)), 3)
        figures[f"mouth_correlation_speaking_wrong_audio{suffix}"] = None if wrong is None else round(wrong, 3)
        figures[f"av_offset_frames{suffix}"] = offset(openings, lips)
        moments = [closures(pose) for pose in poses]
        hits, all_ = np.sum([closed_share(o, m) for o, m in zip(openings, moments, strict=True)], 0)
        figures[f"bilabial_closure{suffix}"] = round(float(hits / all_), 3) if all_ else None
        shapes = np.concatenate([reading.visemes for reading in readings])
        accuracy = viseme_accuracy(shapes, visemes_of(np.concatenate(poses)))
        figures[f"viseme_accuracy{suffix}"] = None if accuracy is None else round(accuracy, 3)
        if not suffix:
            figures["bilabials"] = int(all_)
            # How often lips happen to be closed at the moments of somebody else's closures.
            by_chance = [
                closed_share(o, [at for at in m if at < len(o) - 5])
                for i, o in enumerate(openings)
                for k, m in enumerate(moments)
                if i != k
            ]
            hits, all_ = np.sum(by_chance, 0) if by_chance else (0, 0)
            figures["bilabial_closure_wrong_audio"] = round(float(hits / all_), 3) if all_ else None
    figures["mouth_correlation_worst"] = round(min(own[""]), 3)
    figures["mouth_amplitude"] = round(
        float(np.mean([m.opening.std() / t.opening.std() for m, t in zip(made, truth, strict=True)])), 3
    )
    for language in dict.fromkeys(languages):
        for suffix, values in own.items():
            chosen = [value for value, spoken_ in zip(values, languages, strict=True) if spoken_ == language]
            figures[f"mouth_correlation_{language}{suffix}"] = round(float(np.mean(chosen)), 3)
    return figures


def _expressions(scenes: Sequence[Scene], made: Sequence[Reading], truth: Sequence[Reading]) -> Figures:
    """Brows, eyes and nods that follow the voice while somebody speaks, and blinks that follow the idle motion."""
    parts_spoken = [
        speaking(opening(scene.poses[: len(reading.brow)])) for scene, reading in zip(scenes, made, strict=True)
    ]
    drawn_curves = [voiced_curves(scene, part) for scene, part in zip(scenes, parts_spoken, strict=True)]
    figures: Figures = {}
    for suffix, readings in (("", made), ("_ceiling", truth)):
        found = [read_curves(r, scene, part) for r, scene, part in zip(readings, scenes, parts_spoken, strict=True)]
        parts = expression_correlation(found, drawn_curves)
        figures[f"expression_correlation{suffix}"] = round(float(np.mean(list(parts.values()))), 3)
        figures |= {f"expression_correlation_{name}{suffix}": round(value, 3) for name, value in parts.items()}
        if len(scenes) > 1:
            wrong = [
                list(expression_correlation([f], [t]).values())
                for i, f in enumerate(found)
                for k, t in enumerate(drawn_curves)
                if i != k
            ]
            figures[f"expression_correlation_wrong_audio{suffix}"] = round(float(np.mean(np.concatenate(wrong))), 3)
        lids = [
            correlation(reading.blink, scene.poses[: len(reading.blink), BLINK])
            for reading, scene in zip(readings, scenes, strict=True)
            if scene.poses[: len(reading.blink), BLINK].any()
        ]
        figures[f"blink_correlation{suffix}"] = round(float(np.mean(lids)), 3) if lids else None
    return figures


def _next_to_truth(made: Pictures, truth: Pictures, portrait: NDArray[np.uint8], scene: Scene) -> dict[str, float]:
    """Errors of generated frames against the drawn ones, and of showing the portrait instead (`_copy`)."""
    copy = np.broadcast_to(portrait, truth.shape)
    figures = {"grain": grain(made, truth)}
    for suffix, shown in (("", made), ("_copy", copy)):
        face, true_face = within(shown, scene.face), within(truth, scene.face)
        figures[f"full_frame_error{suffix}"] = rms(shown, truth)
        figures[f"face_error{suffix}"] = rms(face, true_face)
        figures[f"psnr_face{suffix}"] = psnr(face, true_face)
        figures[f"ssim_face{suffix}"] = ssim(face[::5], true_face[::5])
    return figures


def _background(made: Pictures, truth: Pictures, fps: int) -> dict[str, float]:
    """Noise of the encoded generated and drawn clips where the drawn scene stands still. Its edge is left out: a head that is
    a pixel or two elsewhere than in the drawing is no noise."""
    where = far_from_edges(still_background(truth), 0.012)
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, shown in (("made", made), ("truth", truth)):
            seen = encoded(shown, Path(folder) / f"{name}.mp4", fps)
            figures[name] = background_noise(seen, where)
            figures[f"{name}_far"] = background_noise(seen, far_from_edges(where))
    return figures


def _mean(values: Sequence[NDArray[Any]]) -> float | None:
    joined = np.concatenate(values)
    return round(float(joined.mean()), 4) if len(joined) else None


def _ratio(sums: Sequence[tuple[float, float, int]]) -> float | None:
    across, near, borders = np.sum(sums, axis=0)
    return round(float(across / near), 3) if borders and near > 0 else None


def measure_speed(renderer: Renders, instruments: Instruments, steps: int | None, progress: Progress) -> Figures:
    """Whether heads turn as fast as asked for, and how often eyes blink with idle motion of production's own."""
    size, fps = renderer.info.size, renderer.info.fps
    asked: list[float] = []
    speeds: dict[str, list[float]] = {"made": [], "truth": []}
    drawn_count = found_count = count = 0
    length = 0.0
    for index, scene in enumerate(held_out_scenes(SPEED_PRESENTERS)):
        frames = min(len(scene.poses), int(SPEED_SECONDS * fps))
        portrait = portrait_of(scene, size)
        while_speaking = spoken(scene, frames)
        for k, speed in enumerate(SPEEDS):
            seed = index * len(SPEEDS) + k
            made = generated(renderer, scene, frames, RenderSettings(steps, speed, seed=seed))
            reading = instruments.reader.read(look(made, portrait))
            true_scene = _at_speed(scene, speed, seed)
            truth = drawn(scene.presenter, true_scene.poses[:frames], size)
            true_reading = instruments.reader.read(look(truth, portrait))
            asked.append(speed)
            speeds["made"].append(speed_read(reading, while_speaking, fps))
            speeds["truth"].append(speed_read(true_reading, while_speaking, fps))
            count += len(blinks(reading.blink))
            found_count += len(blinks(true_reading.blink))
            drawn_count += len(drawn_blinks(true_scene, frames))
            length += frames / fps
            progress((seed + 1) / (SPEED_PRESENTERS * len(SPEEDS)))
    by_speed = {
        name: {f"{speed:g}": round(float(np.mean(np.array(values)[np.array(asked) == speed])), 2) for speed in SPEEDS}
        for name, values in speeds.items()
    }
    return {
        "speed_spearman": _spearman(asked, speeds["made"]),
        "speed_spearman_ceiling": _spearman(asked, speeds["truth"]),
        "speed_read": by_speed["made"],
        "speed_read_ceiling": by_speed["truth"],
        "blinks_per_minute": round(60 * count / length, 1),
        "blinks_per_minute_ceiling": round(60 * found_count / length, 1),
        "blinks_per_minute_drawn": round(60 * drawn_count / length, 1),
    }


def _at_speed(scene: Scene, speed: float, seed: int) -> Scene:
    """The scene drawn with the amplitude that turns the head so fast while speaking."""
    seed += HELD_OUT_PRESENTER_SEED
    whole = scene_of(scene.presenter, scene.utterance, seed, amplitude=1.0)
    return scene_of(scene.presenter, scene.utterance, seed, amplitude=speed / whole.speed)


def _spearman(asked: Sequence[float], found: Sequence[float]) -> float:
    """Rank correlation; 0 if nothing differs."""
    return round(float(spearmanr(asked, found).statistic), 3) if np.ptp(found) > 1e-6 else 0.0


def measure_drift(
    renderer: Renders,
    instruments: Instruments,
    steps: int | None,
    progress: Progress,
    moments: tuple[float, float] = (EARLY, LATE),
    seconds: float = LONG_SECONDS,
) -> Figures:
    """Contrast, sharpness and identity around second 60 against second 2 of one long take.

    What is said differs between the two, so each is divided by what the drawn truth has at the same moment; the truth's own
    difference is `drift_60s_ceiling`.
    """
    size, fps = renderer.info.size, renderer.info.fps
    scene = held_out_monologue(seconds)
    frames = min(len(scene.poses), round(seconds * fps))
    portrait = portrait_of(scene, size)
    windows = [slice(round((at - 1) * fps), round((at + 1) * fps)) for at in moments]
    kept: list[list[NDArray[np.uint8]]] = [[] for _ in windows]
    samples = scene.utterance.samples
    settings = RenderSettings(steps=steps, head_speed=scene.speed)
    made = renderer.render(
        given_portrait(scene.presenter), samples, scene.face, settings, frames, idle=scene.idle[:frames]
    )
    for number, picture in enumerate(made):
        for window, pictures in zip(windows, kept, strict=True):
            if window.start <= number < window.stop:
                pictures.append(picture)
        if number % fps == 0:
            progress(number / frames)
    gallery = gallery_of([scene.presenter], instruments.drawings, size)

    def measured(pictures: Pictures, window: slice) -> NDArray[np.float64]:
        face = within(pictures, scene.face)
        open_eyes = scene.idle[window, IDLE.index("blink")] < 0.2
        margin = gallery.recognised(look(pictures, portrait).upper_face[open_eyes], scene.presenter)[1]
        return np.array([contrast(face).mean(), sharpness(face).mean(), np.median(margin)])

    truths = [drawn(scene.presenter, scene.poses[window], size) for window in windows]
    shown = [np.stack(pictures) for pictures in kept]
    moves = sum(changes(s).sum() for s in shown) >= MOVES * sum(changes(t).sum() for t in truths)
    (early, late), (true_early, true_late) = map(measured, shown, windows), map(measured, truths, windows)
    deviation = np.abs((late / true_late) / (early / true_early) - 1)
    names = ("contrast", "sharpness", "identity")
    return {
        "drift_60s": round(float(deviation.max()), 4) if moves else None,
        "drift_60s_parts": {name: round(float(value), 4) for name, value in zip(names, deviation, strict=True)},
        "drift_60s_ceiling": round(float(np.abs(true_late / true_early - 1).max()), 4),
    }


def measure_voice(
    renderer: Renders,
    instruments: Instruments,
    recordings: Sequence[Recording],
    steps: int | None,
    progress: Progress,
) -> Figures:
    """Whether mouths move with human speech, and rest in its pauses. Empty without recordings.

    The ceiling is what drawn mouths reach with synthetic speech, labelled in the same way. Beside it stands how well the mouth
    (and the mere level of the sound) agrees with the bare annotation, which counts short pauses as speech.
    """
    if not recordings:
        return {}
    size, fps = renderer.info.size, renderer.info.fps
    mouths, sounds = [], []
    for index, recording in enumerate(recordings):
        sound = heard(recording, fps)
        presenter = presenter_of(HELD_OUT_PRESENTER_SEED + 700 + index)
        made = renderer.render(
            given_portrait(presenter),
            sound.samples,
            face_region(presenter),
            RenderSettings(steps=steps, seed=index),
            len(sound.labels),
        )
        portrait = draw(presenter, Pose(), size)
        mouths.append(movement(_opening_read(made, portrait, instruments, fps), fps))
        sounds.append(sound)
        progress((index + 1) / len(recordings))
    mouth, labels = np.concatenate(mouths), np.concatenate([sound.labels for sound in sounds])
    level, annotated = (np.concatenate([getattr(sound, name) for sound in sounds]) for name in ("level", "annotated"))
    scene = held_out_monologue(WORK_SECONDS * 8)
    frames = len(scene.poses)
    by_rule = labelled(scene.utterance.samples, voiced(scene.utterance.phonemes, frames, fps), fps)
    return {
        "real_voice_auc": _rounded(auc(mouth, labels)),
        "real_voice_auc_ceiling": _rounded(auc(movement(opening(scene.poses), fps), by_rule.labels)),
        "real_voice_auc_annotation": _rounded(auc(mouth, annotated)),
        "real_voice_auc_annotation_level": _rounded(auc(level, annotated)),
        "real_voice_frames": {"speech": int((labels == SPEECH).sum()), "silence": int((labels == SILENCE).sum())},
    }


def _opening_read(
    made: Iterator[NDArray[np.uint8]], portrait: NDArray[np.uint8], instruments: Instruments, fps: int
) -> Array:
    """(F,) opening of the mouth in pictures that come one by one; a few seconds of them are kept at a time."""
    found = []
    while chunk := list(islice(made, 4 * fps)):
        found.append(instruments.reader.read(look(np.stack(chunk), portrait)).opening)
    return np.concatenate(found)


def measure_pace(checkpoint: str, models_dir: Path | None, steps: int | None, progress: Progress) -> Figures:
    """Seconds of work for a second of finished video, on two processor cores; see `work`."""
    work = measure_work(checkpoint, models_dir, steps, WORK_SECONDS)
    progress(1.0)
    return {
        "seconds_per_second": round(work.seconds_per_second, 3),
        "cpu_seconds_per_second": round(work.cpu_seconds_per_second, 3),
        "cores_used": round(work.cores_used, 2),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
