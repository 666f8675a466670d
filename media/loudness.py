"""Loudness of the finished sound: ITU-R BS.1770-4 integrated loudness, and a limiter that keeps true peaks down.

Everything runs over blocks of ten seconds, so hours of sound on disk need no more memory than minutes.
"""

from collections.abc import Iterable, Iterator
from math import inf

import numpy as np
from numpy.typing import NDArray

from media.audio import Samples
from media.long_sound import Sound

_BLOCK_SECONDS = 10
_SHORTEST = 0.4  # one gating block: anything shorter has no integrated loudness
_ABSOLUTE_GATE = -70.0  # LUFS, BS.1770-4
_OVERSAMPLING = 4
_LOOK_AHEAD = 0.010  # seconds over which the limiter closes before a peak, and opens after it
_TOLERANCE = 0.1  # LU
_FILTER_RUN_UP = 64  # samples; the oversampling filter is shorter


def measure(sound: Sound, rate: int) -> tuple[float, float]:
    """Integrated loudness (LUFS) and true peak (dBTP, 4x oversampled) of mono sound.

    Loudness is -inf for silence and for sound under 0.4 s; the peak is -inf for silence.
    """
    return _integrated_loudness(_blocks(sound, rate), rate), _decibel(_true_peak(sound))


def normalise_loudness(samples: Samples, rate: int, target: float = -16.0, ceiling: float = -1.5) -> Samples:
    """As `normalised`, in one piece."""
    return np.concatenate([np.zeros(0, np.float32), *normalised(samples, rate, target, ceiling)])


def normalised(sound: Sound, rate: int, target: float = -16.0, ceiling: float = -1.5) -> Iterator[Samples]:
    """Mono sound at `target` LUFS (within 0.3 LU) with true peaks at most at `ceiling` dBTP, in consecutive pieces.

    Silence comes back as it is. Sound under 0.4 s has no integrated loudness: only its peaks are limited. The sound is
    read several times over; memory does not grow with its length.
    """
    loudness = _integrated_loudness(_blocks(sound, rate), rate)
    gain = 0.0 if loudness == -inf else target - loudness
    for _ in range(5 if loudness > -inf else 0):
        # Limiting takes a little loudness away; give it back until it converges.
        missing = target - _integrated_loudness(_limited(sound, rate, 10 ** (gain / 20), ceiling), rate)
        if abs(missing) <= _TOLERANCE:
            break
        gain += missing
    return _limited(sound, rate, 10 ** (gain / 20), ceiling)


def _blocks(sound: Sound, rate: int) -> Iterator[Samples]:
    for start in range(0, len(sound), _BLOCK_SECONDS * rate):
        yield _finite(sound[start : start + _BLOCK_SECONDS * rate])


def _finite(samples: Samples) -> Samples:
    samples = np.asarray(samples, np.float32)
    return samples if np.isfinite(samples).all() else np.nan_to_num(samples)


def _integrated_loudness(pieces: Iterable[Samples], rate: int) -> float:
    """BS.1770-4 with its two gates, over blocks of 400 ms that overlap by 75 %."""
    energies = np.concatenate([np.zeros(0), *_energies_of_100_ms(pieces, rate)])
    if len(energies) < 4:
        return -inf
    blocks = np.convolve(energies, np.ones(4), mode="valid") / (_SHORTEST * rate)
    blocks = blocks[blocks > _power(_ABSOLUTE_GATE)]
    if not len(blocks):
        return -inf
    blocks = blocks[blocks > blocks.mean() / 10]  # the relative gate is 10 LU down
    return -0.691 + 10 * float(np.log10(blocks.mean()))


def _energies_of_100_ms(pieces: Iterable[Samples], rate: int) -> Iterator[NDArray[np.float64]]:
    """Sums of squares of the K-weighted signal over consecutive whole 100 ms."""
    from pyloudnorm.iirfilter import IIRfilter
    from scipy.signal import sosfilt

    stages = [
        IIRfilter(4.0, 0.5**0.5, 1500.0, rate, "high_shelf"),
        IIRfilter(0.0, 0.5, 38.0, rate, "high_pass"),
    ]
    sections = np.array([[*stage.b, *stage.a] for stage in stages])
    state = np.zeros((len(sections), 2))
    waiting = np.zeros(0)
    done = read = 0  # whole 100 ms that are done; samples
    for piece in pieces:
        weighted, state = sosfilt(sections, piece.astype(np.float64), zi=state)
        waiting = np.concatenate([waiting, np.square(weighted)])
        read += len(piece)
        whole = 10 * read // rate
        edges = np.arange(done, whole + 1) * rate // 10
        if whole > done:
            yield np.add.reduceat(waiting[: edges[-1] - edges[0]], edges[:-1] - edges[0])
            waiting, done = waiting[edges[-1] - edges[0] :], whole


def _limited(sound: Sound, rate: int, gain: float, ceiling: float) -> Iterator[Samples]:
    """`sound` times `gain`, turned down smoothly around every true peak above `ceiling` dBTP."""
    from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

    highest = 10 ** (ceiling / 20)
    radius = max(2, round(_LOOK_AHEAD * rate))
    around = 3 * radius + _FILTER_RUN_UP
    block = _BLOCK_SECONDS * rate
    for start in range(0, len(sound), block):
        stop = min(len(sound), start + block)
        before, after = min(start, around), min(len(sound) - stop, around)
        piece = _finite(sound[start - before : stop + after]) * np.float32(gain)
        # Between samples a band-limited signal hardly ever rises to twice its samples: the rest needs no closer look.
        if np.abs(piece).max(initial=0.0) > highest / 2:
            peaks = maximum_filter1d(_peaks_between_samples(piece), 3)
            wanted = np.minimum(1.0, highest / np.maximum(peaks, highest))
            # Held at its minimum for `radius` each way, then averaged over less than that: smooth, and never late.
            held = minimum_filter1d(wanted, 2 * radius + 1)
            smooth = uniform_filter1d(uniform_filter1d(held, radius | 1), radius - 1 | 1)
            piece = piece * smooth.astype(np.float32)
        yield piece[before : before + stop - start]


def _true_peak(sound: Sound) -> float:
    block = 1 << 19
    highest = 0.0
    for start in range(0, len(sound), block):
        before = min(start, _FILTER_RUN_UP)
        piece = _finite(sound[start - before : start + block + _FILTER_RUN_UP])
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
