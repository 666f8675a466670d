"""What is wrong with the sound of a recording before anything is done to it: DC offset, clipping and silence, in figures."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.audio import SILENCE_DBFS, Samples, channel_blocks, probe_audio

AUDIBLE_OFFSET = 0.002
"""Share of full scale (-54 dBFS) from which on a DC offset is removed. Voices alone have half of that: their waves are
steeper on one side."""
_FLAT_RUN = 4  # equal samples in a row: not even a slow sine at full scale has as many at its crest
_NEAR_FULL = 0.98
_STEP = 1.01 / 32768
_BLOCK = 0.1  # seconds


@dataclass(frozen=True, slots=True)
class SoundCheck:
    """A recording's sound as it was delivered."""

    seconds: float
    sample_rate: int
    channels: int
    codec: str
    peak_dbfs: float
    """Highest sample of any channel; -200 for digital silence."""
    dc_offset: float
    """Median, over blocks of 100 ms, of the mean of the channels' mix, as a share of full scale, -1..1."""
    clipped: float
    """Share of the samples that lie in flat tops near full scale, or above it, 0..1."""
    clipped_places: int
    silent: float
    """Share of the time, in blocks of 100 ms, that is below -60 dBFS (root mean square, without the offset), 0..1."""
    longest_silence: float
    """Seconds."""

    @property
    def removed_offset(self) -> float:
        """What is subtracted from the mix before anything else is done to it."""
        return self.dc_offset if abs(self.dc_offset) >= AUDIBLE_OFFSET else 0.0

    @property
    def findings(self) -> tuple[str, str, str]:
        """One sentence each on DC offset, clipping and silence."""
        removed = ", removed" if self.removed_offset else ""
        places = f" in {self.clipped_places} places; what was cut off cannot be restored" if self.clipped_places else ""
        return (
            f"DC offset: {100 * self.dc_offset:+.2f} % of full scale{removed}.",
            f"Clipping: {100 * self.clipped:.3f} % of the samples{places}.",
            f"Silence: {100 * self.silent:.1f} % of {self.seconds:.1f} s are below {SILENCE_DBFS:.0f} dBFS, "
            f"at most {self.longest_silence:.1f} s at a time.",
        )


def check_sound(path: Path) -> SoundCheck:
    """Measure a file at its own rate, in all of its channels; memory does not grow with its length.

    Raises:
        InputError: the file is missing, empty, not audio, or a video without sound.
    """
    info = probe_audio(path)
    # Floating point has room above full scale: nothing was cut off there.
    above = inf if info.codec.startswith("pcm_f") else 1.0 + 1e-4
    width = max(round(_BLOCK * info.sample_rate), 1)
    count = 0
    means: list[float] = []
    peak, cut, places = 0.0, 0, 0
    silent, run, longest, blocks = 0, 0, 0, 0
    for piece in _pieces(path, width):
        peak = max(peak, float(np.abs(piece).max(initial=0.0)))
        for channel in piece:
            here, runs = _clipped(channel, above)
            cut += here
            places += runs
        mix = piece.mean(axis=0, dtype=np.float64)
        count += len(mix)
        whole = mix[: len(mix) // width * width].reshape(-1, width)
        means += whole.mean(axis=1).tolist()
        for quiet in (whole.std(axis=1) < 10 ** (SILENCE_DBFS / 20)).tolist():
            blocks += 1
            silent += quiet
            run = run + 1 if quiet else 0
            longest = max(longest, run)
    return SoundCheck(
        seconds=round(count / info.sample_rate, 3),
        sample_rate=info.sample_rate,
        channels=info.channels,
        codec=info.codec,
        peak_dbfs=round(20 * float(np.log10(peak)), 2) if peak > 0 else -200.0,
        dc_offset=round(float(np.median(means)), 6) if means else 0.0,
        clipped=round(cut / (count * info.channels), 8) if count else 0.0,
        clipped_places=places,
        silent=round(silent / blocks, 4) if blocks else 0.0,
        longest_silence=round(longest * width / info.sample_rate, 2),
    )


def _pieces(path: Path, width: int) -> Iterator[Samples]:
    """(channels, samples), whole blocks of 100 ms, about two seconds each; only the last is of any length."""
    waiting: list[Samples] = []
    held = 0
    for _, piece in channel_blocks(path):
        waiting.append(piece)
        held += piece.shape[1]
        if held >= 20 * width:
            joined = np.concatenate(waiting, axis=1)
            whole = held // width * width
            yield joined[:, :whole]
            waiting, held = [joined[:, whole:]], held - whole
    if held:
        yield np.concatenate(waiting, axis=1)


def _clipped(samples: NDArray[np.float32], above: float) -> tuple[int, int]:
    """How many samples lie in flat tops or above full scale, and in how many places."""
    level = np.abs(samples)
    if level.max(initial=0.0) < _NEAR_FULL:
        return 0, 0
    flat = (level[1:] >= _NEAR_FULL) & (np.abs(np.diff(samples)) <= _STEP)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat, [False]]).astype(np.int8)))
    lengths = edges[1::2] - edges[::2] + 1
    cut = np.zeros(len(samples), bool)
    for start, length in zip(edges[::2], lengths, strict=True):
        if length >= _FLAT_RUN:
            cut[start : start + length] = True
    cut |= level > above
    places = int(np.count_nonzero(np.diff(np.concatenate([[False], cut]).astype(np.int8)) == 1))
    return int(cut.sum()), places
