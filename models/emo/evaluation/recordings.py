"""Human speech: does the mouth move when somebody speaks, and rest when nobody does?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d
from scipy.stats import rankdata

from media.audio import read_audio
from media.rttm import read_rttm
from models.emo.corpus import SAMPLE_RATE
from models.emo.evaluation.head import Array
from models.speech.annotated import Recording
from models.speech.protocols import Phoneme

LONGEST = 60.0
"""Seconds of a recording that are used."""
SPREAD_SECONDS = 0.3
COLLAR = 0.15
"""Seconds around a change from speech to silence or back that do not count."""
QUIET, LOUD = 30.0, 20.0
"""Decibels below the loud parts of a recording: silence is at least the first, speech at most the second."""

SPEECH, SILENCE, UNCLEAR = 1, 0, -1


@dataclass(frozen=True, slots=True)
class Heard:
    """A recording, frame by frame."""

    samples: NDArray[np.float32]
    """Mono at 16 kHz."""
    level: Array
    """(F,) decibels below the loud parts (95th percentile), over `SPREAD_SECONDS`; 0 or less."""
    annotated: NDArray[np.int64]
    """(F,) the same as `labels` from the annotation alone, which counts the short pauses within turns as speech."""
    labels: NDArray[np.int64]
    """(F,) `SPEECH`, `SILENCE` or `UNCLEAR`."""


def heard(recording: Recording, fps: int) -> Heard:
    """Read a recording and say where somebody speaks."""
    samples = read_audio(recording.sound, SAMPLE_RATE, 0.0, LONGEST)
    centres = _centres(len(samples) * fps // SAMPLE_RATE, fps)
    annotated = np.zeros(len(centres), bool)
    for turn in read_rttm(recording.annotation):
        annotated |= (centres >= (turn.start or 0.0)) & (centres < (turn.end or 0.0))
    return labelled(samples, annotated, fps)


def labelled(samples: NDArray[np.float32], annotated: NDArray[np.bool_], fps: int) -> Heard:
    """Where somebody surely speaks, and where surely nobody does.

    Annotations span pauses for breath and leave out murmurs, so sound and annotation must agree: speech is annotated and
    loud, silence is neither; other frames, and those within `COLLAR` of a change of the annotation, are unclear.
    """
    level = _level(samples, _centres(len(annotated), fps))
    labels = np.full(len(annotated), UNCLEAR)
    labels[annotated & (level > -LOUD)] = SPEECH
    labels[~annotated & (level < -QUIET)] = SILENCE
    collar = 2 * round(COLLAR * fps) + 1
    changing = maximum_filter1d(annotated.astype(int), collar) != minimum_filter1d(annotated.astype(int), collar)
    labels[changing] = UNCLEAR
    bare = np.where(changing, UNCLEAR, np.where(annotated, SPEECH, SILENCE))
    return Heard(samples, level, bare, labels)


def voiced(phonemes: Sequence[Phoneme], frames: int, fps: int) -> NDArray[np.bool_]:
    """(frames,) whether a phoneme sounds, for speech with known phonemes; an empty one is silence."""
    starts = np.array([phoneme.start for phoneme in phonemes])
    sounds = np.array([bool(phoneme.ipa.strip()) for phoneme in phonemes])
    at = np.searchsorted(starts, _centres(frames, fps), side="right") - 1
    return np.asarray(sounds[np.maximum(at, 0)] & (at >= 0))


def _centres(frames: int, fps: int) -> NDArray[np.float64]:
    """(frames,) seconds."""
    return (np.arange(frames) + 0.5) / fps


def _level(samples: NDArray[np.float32], centres: NDArray[np.float64]) -> Array:
    reach = round(SPREAD_SECONDS / 2 * SAMPLE_RATE)
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples.astype(np.float64)))])
    middle = (centres * SAMPLE_RATE).astype(int)
    first, last = np.maximum(middle - reach, 0), np.minimum(middle + reach, len(samples))
    decibel = 10 * np.log10((energy[last] - energy[first]) / (last - first) + 1e-10)
    return np.asarray(np.minimum(decibel - np.percentile(decibel, 95), 0), np.float32)


def movement(opening: Array, fps: int) -> Array:
    """(F,) how much the mouth moves around each frame: the spread of its opening (F,) over `SPREAD_SECONDS`."""
    length = 2 * round(SPREAD_SECONDS / 2 * fps) + 1
    padded = np.pad(opening, length // 2, mode="edge")
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, length).std(1))


def auc(scores: Array, labels: NDArray[np.int64]) -> float | None:
    """Probability that a frame of speech has a higher score than one of silence; 0.5 if all are alike.

    None if there is no speech, or no silence.
    """
    positive, negative = scores[labels == SPEECH], scores[labels == SILENCE]
    if not len(positive) or not len(negative):
        return None
    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    return float((ranks.sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative)))
