"""Loudness of the finished sound: ITU-R BS.1770-4 integrated loudness, and a limiter that keeps true peaks down.

Everything runs over blocks of ten seconds, so half an hour at 48 kHz needs little more memory than its samples.
"""

from collections.abc import Iterator
from math import inf

import numpy as np
from numpy.typing import NDArray

from media.audio import Samples

_BLOCK_SECONDS = 10
_SHORTEST = 0.4  # one gating block: anything shorter has no integrated loudness
_ABSOLUTE_GATE = -70.0  # LUFS, BS.1770-4
_OVERSAMPLING = 4
_LOOK_AHEAD = 0.010  # seconds over which the limiter closes before a peak, and opens after it
_TOLERANCE = 0.1  # LU
_FILTER_RUN_UP = 64  # samples; the oversampling filter is shorter


def measure(samples: Samples, rate: int) -> tuple[float, float]:
    """Integrated loudness (LUFS) and true peak (dBTP, 4x oversampled) of mono `samples`.

    Loudness is -inf for silence and for sound under 0.4 s; the peak is -inf for silence.
    """
    return _integrated_loudness(samples, rate), _decibel(_true_peak(samples))


def normalise_loudness(samples: Samples, rate: int, target: float = -16.0, ceiling: float = -1.5) -> Samples:
    """Bring mono `samples` to `target` LUFS (within 0.3 LU) with true peaks at most at `ceiling` dBTP.

    Silence comes back as it is. Sound under 0.4 s has no integrated loudness: only its peaks are limited.
    """
    samples = np.asarray(samples, np.float32)
    if not np.isfinite(samples).all():
        samples = np.nan_to_num(samples)
    loudness = _integrated_loudness(samples, rate)
    if loudness == -inf:
        return _limited(samples, rate, 1.0, ceiling)
    gain = target - loudness
    for _ in range(6):
        # Limiting takes a little loudness away; give it back until it converges.
        result = _limited(samples, rate, 10 ** (gain / 20), ceiling)
        missing = target - _integrated_loudness(result, rate)
        if abs(missing) <= _TOLERANCE:
            break
        gain += missing
    return result


def _integrated_loudness(samples: Samples, rate: int) -> float:
    """BS.1770-4 with its two gates, over blocks of 400 ms that overlap by 75 %."""
    if len(samples) < _SHORTEST * rate:
        return -inf
    energies = np.concatenate(list(_energies_of_100_ms(samples, rate)))
    blocks = np.convolve(energies, np.ones(4), mode="valid") / (0.4 * rate)
    blocks = blocks[blocks > _power(_ABSOLUTE_GATE)]
    if not len(blocks):
        return -inf
    blocks = blocks[blocks > blocks.mean() / 10]  # the relative gate is 10 LU down
    return -0.691 + 10 * float(np.log10(blocks.mean()))


def _energies_of_100_ms(samples: Samples, rate: int) -> Iterator[NDArray[np.float64]]:
    """Sums of squares of the K-weighted signal over consecutive whole 100 ms."""
    from pyloudnorm.iirfilter import IIRfilter
    from scipy.signal import sosfilt

    stages = [
        IIRfilter(4.0, 0.5**0.5, 1500.0, rate, "high_shelf"),
        IIRfilter(0.0, 0.5, 38.0, rate, "high_pass"),
    ]
    sections = np.array([[*stage.b, *stage.a] for stage in stages])
    state = np.zeros((len(sections), 2))
    whole = int(len(samples) / rate * 10 + 1e-9)
    edges = (np.arange(whole + 1) * rate / 10).astype(int)
    for first in range(0, whole, 10 * _BLOCK_SECONDS):
        last = min(whole, first + 10 * _BLOCK_SECONDS)
        weighted, state = sosfilt(sections, samples[edges[first] : edges[last]].astype(np.float64), zi=state)
        yield np.add.reduceat(np.square(weighted), edges[first:last] - edges[first])


def _limited(samples: Samples, rate: int, gain: float, ceiling: float) -> Samples:
    """`samples` times `gain`, turned down smoothly around every true peak above `ceiling` dBTP."""
    from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

    highest = 10 ** (ceiling / 20)
    radius = max(2, round(_LOOK_AHEAD * rate))
    around = 3 * radius + _FILTER_RUN_UP
    result = np.empty(len(samples), np.float32)
    block = _BLOCK_SECONDS * rate
    for start in range(0, len(samples), block):
        stop = min(len(samples), start + block)
        before, after = min(start, around), min(len(samples) - stop, around)
        piece = samples[start - before : stop + after] * np.float32(gain)
        # Between samples a band-limited signal hardly ever rises to twice its samples: the rest needs no closer look.
        if np.abs(piece).max(initial=0.0) > highest / 2:
            peaks = maximum_filter1d(_peaks_between_samples(piece), 3)
            wanted = np.minimum(1.0, highest / np.maximum(peaks, highest))
            # Held at its minimum for `radius` each way, then averaged over less than that: smooth, and never late.
            held = minimum_filter1d(wanted, 2 * radius + 1)
            smooth = uniform_filter1d(uniform_filter1d(held, radius | 1), radius - 1 | 1)
            piece = piece * smooth.astype(np.float32)
        result[start:stop] = piece[before : before + stop - start]
    return result


def _true_peak(samples: Samples) -> float:
    block = 1 << 19
    highest = 0.0
    for start in range(0, len(samples), block):
        before = min(start, _FILTER_RUN_UP)
        piece = samples[start - before : start + block + _FILTER_RUN_UP].astype(np.float32, copy=False)
        if np.abs(piece).max() > highest / 2:
            highest = max(
                highest,
                float(_peaks_between_samples(piece)[before : before + block].max()),
            )
    return highest


def _peaks_between_samples(samples: Samples) -> Samples:
    """The highest magnitude from each sample up to the next one, from 4x oversampling."""
    from scipy.signal import resample_poly

    oversampled = np.abs(resample_poly(samples, _OVERSAMPLING, 1))
    return oversampled.reshape(-1, _OVERSAMPLING).max(axis=1)


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))


def _decibel(amplitude: float) -> float:
    return 20 * float(np.log10(amplitude)) if amplitude > 0 else -inf
