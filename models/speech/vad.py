"""Where somebody speaks: silero-vad, whose wheel carries its weights."""

import warnings
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from media.errors import MissingEngineError
from models.speech.protocols import Progress, Samples, Sound
from models.speech.torch_threads import one_thread

if TYPE_CHECKING:
    import torch

RATE = 16000
FRAME = 512 / RATE
"""Seconds between two speech probabilities."""

_ON, _OFF = 0.5, 0.35
_LEAST_SPEECH, _LEAST_SILENCE = 0.15, 0.2
_WARM_UP = 30
"""Frames that a parallel stream hears before its own part: the detector has a memory of about a second."""

_READ = 500
"""Frames that are read at a time."""

_SURE, _VERY_SURE = 0.8, 0.9
_TONAL = 0.88
"""Share of its energy that the strongest fiftieth of a sound's frequencies hold: at most 0.75 in speech, 0.9 to 1 in tones,
sirens, organs and whistles, which the detector takes for a voice at times."""
_STEADY, _STEADY_FOR = 0.97, 1.0
"""Median cosine of spectra 0.2 s apart, in so many seconds, from which on it is no speech: at most 0.95 in speech."""
_STEADY_BLOCK = 30.0
_LISTENED_TO = 8.0
"""Seconds of a region that are looked at."""


def speech_regions(samples: Sound, progress: Progress | None = None) -> list[tuple[float, float]]:
    """Stretches of speech as (start, end) in seconds, in order, apart by at least 0.2 s. Music and noise are none.

    Args:
        samples: mono float32 at 16 kHz.

    The starts are exact to about 30 ms; the ends come some 60 ms late.
    """
    probabilities = _probabilities(samples, progress)
    duration = len(samples) / RATE
    for start, end in _regions(probabilities, duration):
        for begin, stop in _steady(samples, start, end):
            probabilities[round(begin / FRAME) : round(stop / FRAME)] = 0
    return [
        (start, end)
        for start, end in _regions(probabilities, duration)
        if _is_speech(
            samples[round(start * RATE) : round(min(end, start + _LISTENED_TO) * RATE)],
            probabilities[round(start / FRAME) : max(round(end / FRAME), round(start / FRAME) + 1)],
        )
    ]


def share_of_speech(regions: Sequence[tuple[float, float]], start: float, end: float) -> float:
    """How much of the time from `start` to `end` lies within `regions` (in order, not overlapping), 0..1."""
    first = max(bisect_left(regions, (start, start)) - 1, 0)
    heard = 0.0
    for begin, stop in regions[first:]:
        if begin >= end:
            break
        heard += max(min(stop, end) - max(begin, start), 0.0)
    return heard / (end - start) if end > start else 0.0


def quietest(samples: Sound, rate: int, earliest: float, latest: float) -> float:
    """The middle of the quietest 0.2 s between two moments, in seconds."""
    hop = rate // 100
    piece = samples[round(earliest * rate) : round(latest * rate)]
    frames = piece[: len(piece) // hop * hop].reshape(-1, hop)
    width = 20
    if len(frames) < width:
        return (earliest + latest) / 2
    energy = np.convolve((frames.astype(np.float64) ** 2).mean(axis=1), np.ones(width), mode="valid")
    return earliest + (int(energy.argmin()) + width / 2) * hop / rate


def heard_at_16_khz(samples: Sound, sample_rate: int) -> Sound:
    """As `at_16_khz`; long sound that is at 16 kHz already stays on disk."""
    return samples if sample_rate == RATE else at_16_khz(np.asarray(samples), sample_rate)


def at_16_khz(samples: Samples, sample_rate: int) -> Samples:
    """Mono float32 at any rate -> at 16 kHz, contiguous."""
    samples = np.ascontiguousarray(samples, np.float32)
    if sample_rate == RATE:
        return samples
    import torch
    import torchaudio

    resampled: Samples = torchaudio.functional.resample(torch.from_numpy(samples), sample_rate, RATE).numpy()
    return resampled


def _regions(probabilities: NDArray[np.float32], duration: float) -> list[tuple[float, float]]:
    """Hysteresis: speech begins at `_ON`; it ends where it falls below `_OFF` and is not back at `_ON` soon."""
    regions: list[tuple[float, float]] = []
    start = fell = -1
    for frame, probability in enumerate(probabilities.tolist()):
        if probability >= _ON:
            if start < 0:
                start = frame
            fell = -1
        elif start >= 0 and probability < _OFF:
            if fell < 0:
                fell = frame
            if (frame - fell) * FRAME >= _LEAST_SILENCE:
                regions.append((start * FRAME, fell * FRAME))
                start = fell = -1
    if start >= 0:
        regions.append((start * FRAME, duration if fell < 0 else fell * FRAME))
    return [(start, end) for start, end in regions if end - start >= _LEAST_SPEECH]


def _within(samples: Sound, start: int, count: int) -> Samples:
    """`count` samples from `start` on, which may lie before the beginning; silence where there is nothing."""
    piece = samples[max(start, 0) : max(start + count, 0)]
    before = min(max(-start, 0), count)
    return np.pad(piece, (before, count - before - len(piece)))


def _steady(samples: Sound, start: float, end: float) -> list[tuple[float, float]]:
    """Stretches of a second and more, within a region, in which the spectrum stays as it is: music, or a machine."""
    import torch

    from models.speech.voice_embedding import mel_power

    window, step, lag = round(_STEADY_FOR * 100), 25, 20  # in mel frames of 10 ms
    found: list[tuple[float, float]] = []
    place = start
    while end - place >= _STEADY_FOR + lag / 100:
        piece = samples[round(place * RATE) : round(min(end, place + _STEADY_BLOCK) * RATE)]
        power = mel_power(torch.from_numpy(np.ascontiguousarray(piece))[None])[0]
        loudest = power.amax(dim=1, keepdim=True)
        # Below -50 dB of the loudest band there is only what the room adds.
        level = torch.log10(torch.maximum(power, 1e-5 * loudest) + 1e-12)
        level = level - level.mean(dim=1, keepdim=True)
        alike = torch.nn.functional.cosine_similarity(level[:-lag], level[lag:], dim=1).numpy()
        for first in range(0, len(alike) - window + 1, step):
            if np.median(alike[first : first + window]) >= _STEADY:
                begin, stop = place + first / 100, place + (first + window + lag) / 100
                # The windows reach neither end of the region exactly.
                found.append((start if begin - start < 0.3 else begin, end if end - stop < 0.3 else stop))
        place += _STEADY_BLOCK - _STEADY_FOR - lag / 100
    return found


def _is_speech(samples: Samples, probabilities: NDArray[np.float32]) -> bool:
    """Whether the detector was sure, and the sound is no mere tone. A hummed `mm` is nearly one: there it must be surer."""
    if probabilities.max() < _SURE:
        return False
    if probabilities.mean() >= _VERY_SURE:
        return True
    power = np.sort(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2)
    return float(power[-max(len(power) // 50, 3) :].sum()) < _TONAL * float(power.sum())


def _probabilities(samples: Sound, progress: Progress | None) -> NDArray[np.float32]:
    """Probability of speech in every frame of 32 ms, shape (frames,).

    Recordings longer than two minutes are heard as several streams at once, which is several times faster.
    """
    import torch

    model = _model()
    frames = -(-len(samples) // 512)
    streams = min(max(int(frames * FRAME // 60), 1), 16)
    share = -(-frames // streams)
    # A stream begins before its own part; before the beginning, and after the end, there is silence.
    starts = [(stream * share - _WARM_UP) * 512 for stream in range(streams)]
    found = np.zeros((streams, share), np.float32)
    # The model keeps state between calls: another thread must not come in between.
    with one_thread(), torch.inference_mode():
        model.reset_states()
        for frame in range(share + _WARM_UP):
            if frame % _READ == 0:
                read = np.stack([_within(samples, start + frame * 512, _READ * 512) for start in starts])
            at = frame % _READ * 512
            chunk = np.ascontiguousarray(read[:, at : at + 512])
            probability = model(torch.from_numpy(chunk), RATE)
            if frame >= _WARM_UP:
                found[:, frame - _WARM_UP] = probability[:, 0].numpy()
            if progress is not None and frame % 500 == 0:
                progress(frame / (share + _WARM_UP))
    return found.reshape(-1)[:frames]


@cache
def _model() -> "torch.jit.ScriptModule":
    """Loaded from its file: importing the package would limit torch to one thread, in the whole process."""
    spec = find_spec("silero_vad")
    if spec is None or spec.submodule_search_locations is None:
        raise MissingEngineError("silero-vad is not installed; run 'pip install silero-vad>=6.2,<7'.")
    import torch

    path = Path(spec.submodule_search_locations[0]) / "data" / "silero_vad.jit"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.load(str(path), map_location="cpu").eval()
