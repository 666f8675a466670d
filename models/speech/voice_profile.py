"""How high a voice is, as a hint for casting; never a claim about sex or age."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.speech.protocols import Samples

PitchClass = Literal["low", "mid", "high"]

_LOW_BELOW_HZ, _HIGH_ABOVE_HZ = 130.0, 175.0
_FLOOR_HZ, _CEILING_HZ = 60.0, 400.0
_WINDOW, _STEP = 0.04, 0.01
_LEAST_PERIODICITY = 0.6
_ANALYSIS_RATE = 8000
ENOUGH = 180.0
"""Seconds looked at; the median does not move after that."""


@dataclass(frozen=True, slots=True)
class VoiceProfile:
    """Fundamental frequency of a voice in Hz; all None when too little of it is voiced."""

    median_hz: float | None
    low_hz: float | None
    """10th percentile."""
    high_hz: float | None
    """90th percentile."""
    pitch_class: PitchClass | None
    """`low` under 130 Hz, `high` over 175 Hz, `mid` between them."""


def voice_profile(samples: Samples, rate: int) -> VoiceProfile:
    """Pitch of one speaker's speech: mono float at `rate` Hz (8000 or more), of which half a second must be voiced."""
    pitch = pitch_track(samples[: round(ENOUGH * rate)], rate)
    voiced = pitch[pitch > 0]
    if len(voiced) * _STEP < 0.5:
        return VoiceProfile(None, None, None, None)
    low, median, high = (float(value) for value in np.percentile(voiced, (10, 50, 90)))
    pitch_class: PitchClass = "low" if median < _LOW_BELOW_HZ else "high" if median > _HIGH_ABOVE_HZ else "mid"
    return VoiceProfile(median, low, high, pitch_class)


def pitch_track(samples: Samples, rate: int) -> NDArray[np.float64]:
    """Fundamental frequency every 10 ms, in Hz, 0 where unvoiced; shape (frames,).

    The autocorrelation method of Boersma (1993), "Accurate short-term analysis of the fundamental frequency": the
    windowed signal's autocorrelation divided by the window's own, and the first peak nearly as high as the highest.
    """
    factor = max(rate // _ANALYSIS_RATE, 1)
    if factor > 1:  # a running mean is filter enough: pitch lies far below the new limit
        usable = len(samples) // factor * factor
        samples, rate = samples[:usable].reshape(-1, factor).mean(axis=1), rate // factor
    length, step = round(_WINDOW * rate), round(_STEP * rate)
    if len(samples) < length:
        return np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(samples, np.float64), length)[::step]
    window = np.hanning(length)
    size = 1 << (2 * length - 1).bit_length()
    window_correlation = np.fft.irfft(np.abs(np.fft.rfft(window, size)) ** 2)[:length]
    window_correlation /= window_correlation[0]
    shortest, longest = int(rate / _CEILING_HZ), min(int(rate / _FLOOR_HZ) + 1, length * 3 // 4)
    level = np.sqrt((frames**2).mean(axis=1))
    loud = np.flatnonzero(level > max(0.1 * float(np.percentile(level, 95)), 1e-4))
    pitch = np.zeros(len(frames))
    for block in np.array_split(loud, len(loud) // 2048 + 1):
        if not len(block):
            continue
        part = frames[block]
        part = (part - part.mean(axis=1, keepdims=True)) * window
        correlation = np.fft.irfft(np.abs(np.fft.rfft(part, size, axis=1)) ** 2, axis=1)[:, : longest + 2]
        correlation /= np.maximum(correlation[:, :1], 1e-12) * window_correlation[: longest + 2]
        inner = correlation[:, shortest : longest + 1]
        best = inner.max(axis=1, keepdims=True)
        is_peak = (inner >= correlation[:, shortest - 1 : longest]) & (
            inner >= correlation[:, shortest + 1 : longest + 2]
        )
        good = is_peak & (inner >= 0.9 * best)
        lag = good.argmax(axis=1) + shortest
        voiced = good.any(axis=1) & (best[:, 0] >= _LEAST_PERIODICITY)
        row = np.arange(len(block))
        before, at, after = (correlation[row, lag + offset] for offset in (-1, 0, 1))
        curve = before - 2 * at + after
        shift = np.where(curve < 0, 0.5 * (before - after) / np.where(curve < 0, curve, 1.0), 0.0)
        pitch[block] = np.where(voiced, rate / (lag + shift), 0.0)
    return pitch
