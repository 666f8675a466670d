"""The elastic timeline: where every turn lies, in whole frames and whole samples.

Picture and sound are counted on one grid. Every turn starts on a frame boundary, and its sample is computed from that
frame, never added up from the turns before, so the last turn of a long video is as exact as the first.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from media.dialogue import Dialogue
from media.errors import InputError

PAUSE = 0.35
"""Seconds of silence between two turns, where nothing else is asked for."""


@dataclass(frozen=True, slots=True)
class Span:
    """One turn on the timeline. Its picture starts with its sound and lasts at least as long, by less than a frame."""

    start_frame: int
    frames: int
    start_sample: int
    samples: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole video: `samples` is the length of `frames`, to the nearest sample; one span a turn, in their order."""

    fps: int
    sample_rate: int
    frames: int
    samples: int
    spans: tuple[Span, ...]

    def times(self, span: Span) -> tuple[float, float]:
        """When the span's sound starts and ends, in seconds."""
        return span.start_sample / self.sample_rate, (span.start_sample + span.samples) / self.sample_rate


def arrange(
    durations_in_samples: Sequence[int],
    sample_rate: int,
    pauses: Sequence[float] | None = None,
    fps: int = 25,
    lead_in: float = 0.3,
    lead_out: float = 0.5,
) -> Timeline:
    """Lays turns one after another, each as long as its sound.

    Args:
        durations_in_samples: the length of each turn's sound.
        pauses: seconds between each turn and the next, one fewer than there are turns; `PAUSE` each when None.
        fps: frames a second.
        lead_in, lead_out: seconds before the first turn and after the last.

    A span's frames depend on its own length only, so that a rendered clip fits wherever the turn comes to lie. Pauses
    take up what the rounding to frames costs: a turn starts at the frame nearest to its exact time, or when the turn
    before has ended.

    Raises:
        ValueError: a duration, pause, rate or lead is negative or not finite, or the number of pauses does not fit.
    """
    _check_rates(sample_rate, fps)
    gaps = [PAUSE] * (len(durations_in_samples) - 1) if pauses is None else list(pauses)
    if len(gaps) != max(len(durations_in_samples) - 1, 0):
        raise ValueError(f"{len(durations_in_samples)} turns need one pause fewer, not {len(gaps)}")
    for seconds in (*gaps, lead_in, lead_out):
        if not 0 <= seconds < math.inf:
            raise ValueError(f"{seconds} is not a length in seconds")
    if any(duration <= 0 for duration in durations_in_samples):
        raise ValueError(f"every turn needs sound, but one has {min(durations_in_samples)} samples")

    silences = [round(seconds * sample_rate) for seconds in gaps]
    steps = (duration + silence for duration, silence in zip(durations_in_samples, [*silences, 0], strict=False))
    exact_starts = accumulate(steps, initial=round(lead_in * sample_rate))
    spans: list[Span] = []
    free = 0  # the first frame after the last span
    for exact_start, duration in zip(exact_starts, durations_in_samples, strict=False):
        start = max(_nearest(exact_start * fps, sample_rate), free)
        frames = _ceiling(duration * fps, sample_rate)
        spans.append(Span(start, frames, sample_at(start, sample_rate, fps), duration))
        free = start + frames
    sound_ends = spans[-1].start_sample + spans[-1].samples if spans else round(lead_in * sample_rate)
    total = max(_ceiling((sound_ends + round(lead_out * sample_rate)) * fps, sample_rate), free)
    return Timeline(fps, sample_rate, total, sample_at(total, sample_rate, fps), tuple(spans))


def from_times(turns: Sequence[tuple[float, float]], total_samples: int, sample_rate: int, fps: int = 25) -> Timeline:
    """The timeline of a recording, whose sound stays as it is: each turn's (start, end) seconds to the nearest frame.

    Spans may overlap where speech does. A span has one frame at least, and at most half a frame lies between its ends
    and the turn's. The recording is to be filled up with silence to `Timeline.samples`, by less than a frame. A turn
    that runs past the recording's end is cut there.

    Raises:
        InputError: a turn starts after the recording's end: the times belong to another recording.
        ValueError: a turn ends before it begins, or a rate or the length is not positive.
    """
    _check_rates(sample_rate, fps)
    if total_samples <= 0:
        raise ValueError(f"a recording of {total_samples} samples has no timeline")
    total = _ceiling(total_samples * fps, sample_rate)
    spans = []
    for number, (start, end) in enumerate(turns, 1):
        if not 0 <= start <= end < math.inf:
            raise ValueError(f"turn {number} lasts from {start} to {end} s")
        length = total_samples / sample_rate
        if start >= length:
            raise InputError(
                f"turn {number} starts at {start:.2f} s, but the recording ends at {length:.2f} s; "
                "the transcript or the diarization is another recording's."
            )
        first = min(_nearest_frame(start, fps), total - 1)
        last = min(max(_nearest_frame(end, fps), first + 1), total)
        # Whole frames of sound, rounded down: as many samples as one clip of so many frames has wherever it lies.
        samples = (last - first) * sample_rate // fps
        spans.append(Span(first, last - first, sample_at(first, sample_rate, fps), samples))
    return Timeline(fps, sample_rate, total, sample_at(total, sample_rate, fps), tuple(spans))


def timed(dialogue: Dialogue, timeline: Timeline) -> Dialogue:
    """`dialogue` with the times of its spans: when each turn is heard in the video."""
    times = (timeline.times(span) for span in timeline.spans)
    return dialogue.with_turns(
        replace(turn, start=start, end=end) for turn, (start, end) in zip(dialogue.turns, times, strict=True)
    )


def sample_at(frame: int, sample_rate: int, fps: int) -> int:
    """The sample nearest to the start of `frame`, in whole numbers: exact after any number of hours."""
    return _nearest(frame * sample_rate, fps)


def _nearest(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def _nearest_frame(seconds: float, fps: int) -> int:
    return math.floor(seconds * fps + 0.5)


def _ceiling(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def _check_rates(sample_rate: int, fps: int) -> None:
    if sample_rate <= 0 or fps <= 0:
        raise ValueError(f"sample rate {sample_rate} and frame rate {fps} must be positive")
    if fps > sample_rate:
        raise ValueError(f"{fps} frames a second are more than the {sample_rate} samples")
