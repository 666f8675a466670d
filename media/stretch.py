"""Speech made longer or shorter without changing its pitch: WSOLA, with a result of exactly the length asked for.

Verhelst & Roelands (1993), "An overlap-add technique based on waveform similarity (WSOLA) for high quality time-scale
modification of speech": windows are taken from about where they belong in time, each at the place, within a tolerance,
where it continues the one before it best.
"""

import numpy as np

from media.audio import Samples

_WINDOW = 0.030
"""Seconds; two periods of the lowest voice."""
_TOLERANCE = 0.008
"""Seconds each way in which the best continuation is looked for: together one period of the lowest voice."""


def stretched(samples: Samples, length: int, rate: int) -> Samples:
    """`samples` at another pace, as exactly `length` samples; the pitch stays.

    Args:
        samples: mono at `rate` Hz, shape (n,). Silence stays silence.
        length: at least 1. Good between 0.7 and 1.2 times n; nothing but the quality suffers beyond that.

    Raises:
        ValueError: there are no samples, or no length.
    """
    if length < 1 or not len(samples):
        raise ValueError(f"{len(samples)} samples cannot be brought to a length of {length}")
    if length == len(samples):
        return samples.astype(np.float32)
    hop = max(round(_WINDOW / 2 * rate), 1)
    window, reach = 2 * hop, round(_TOLERANCE * rate)
    pace = len(samples) / length
    frames = -(-length // hop) + 1
    front = hop + reach
    tail = front + window + round(2 * hop * pace)
    padded = np.concatenate([np.zeros(front), samples.astype(np.float64), np.zeros(tail)])
    energy = np.concatenate([[0.0], np.cumsum(np.square(padded))])
    shape = 0.5 - 0.5 * np.cos(np.pi * np.arange(window) / hop)  # two of them, half a window apart, add up to one
    result = np.zeros(frames * hop + window)
    chosen = reach
    for frame in range(frames):
        place = reach + round(frame * hop * pace)
        if frame:
            following = padded[chosen + hop : chosen + hop + window]
            likeness = np.correlate(padded[place - reach : place + reach + window], following, "valid")
            starts = np.arange(place - reach, place + reach + 1)
            power = np.maximum(energy[starts + window] - energy[starts], 1e-9)
            chosen = place - reach + int(np.argmax(likeness / np.sqrt(power)))
            if not likeness.any():
                chosen = place
        else:
            chosen = place
        result[frame * hop : frame * hop + window] += shape * padded[chosen : chosen + window]
    return result[hop : hop + length].astype(np.float32)
