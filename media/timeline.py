"""Where every turn lies, in whole frames and whole samples: `elastic`, `locked` to a source's times, or a recording's.

Picture and sound are counted on one grid. Every turn starts on a frame boundary, and its sample is computed from that
frame, never added up from the turns before, so the last turn of a long video is as exact as the first.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import accumulate, pairwise

from media.dialogue import Dialogue
from media.errors import InputError

PAUSE = 0.35
"""Seconds of silence between two turns, where nothing else is asked for."""
BREATH = 0.12
"""Seconds that are left of a pause at least, whatever is borrowed from it."""
SLOWEST, FASTEST, HURRIED = 0.85, 1.25, 1.4
"""How much slower and faster than its own pace speech is comfortable, and what is never exceeded."""
_FULL = 0.98
"""The share of its slot from which on a turn is left as it is: the rest is not heard as a pause."""


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


@dataclass(frozen=True, slots=True)
class Fit:
    """How a turn was brought into its slot on the `locked` timeline. Lengths in seconds."""

    natural: float
    """As it would be spoken without a slot."""
    slot: float
    """From the start to the end of the turn in the source."""
    spoken_pace: float
    """How much faster than naturally it was spoken again."""
    stretch: float
    """How much faster than that its sound was made; 1.0: not touched."""
    borrowed: float
    """Taken from the pause after the slot."""
    late: float
    """How much later than its slot it begins, because a turn before it did not fit."""
    over: float
    """What did not fit: how much longer it is than slot and pause together; 0.0 if it fits."""

    @property
    def comfortable(self) -> bool:
        """Whether nobody hears a hurry: it fits, on time, at no more than `FASTEST`."""
        return self.over == 0 and self.late == 0 and self.stretch <= FASTEST


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


def proportionate_pauses(source: Sequence[tuple[float, float]], durations: Sequence[float]) -> list[float]:
    """The source's pauses for turns of other lengths: longer where all that is said takes longer.

    Args:
        source: (start, end) of each turn in the source, in order of their starts.
        durations: how long each turn is now, seconds.

    Returns:
        Seconds between each turn and the next, one fewer than there are turns; at least `BREATH`, also where cues of the
        source follow at once or its speech overlaps.
    """
    spoken = sum(end - start for start, end in source)
    scale = sum(durations) / spoken if spoken > 0 else 1.0
    return [max((following[0] - turn[1]) * scale, BREATH) for turn, following in pairwise(source)]


def wanted_pace(natural: float, slot: float) -> float:
    """How much faster than naturally a turn should be spoken again for its slot, within what is comfortable."""
    return min(max(natural / slot, SLOWEST), FASTEST)


def lock(
    natural_in_samples: Sequence[int],
    spoken_in_samples: Sequence[int],
    slots: Sequence[tuple[float, float]],
    sample_rate: int,
    fps: int = 25,
    length: float = 0.0,
    lead_out: float = 0.5,
    spare: int | None = None,
) -> tuple[Timeline, tuple[Fit, ...]]:
    """Lays every turn into its slot: the time it has in the source.

    What is too long borrows from the pause that follows, then its sound is to be stretched to `Span.samples`, up to
    `HURRIED`; what is too short is slowed down, until it is `SLOWEST` of its natural pace. What fits even so not, runs on:
    the turns after it begin late, and catch up within their own slots. Turns overlap only where their slots do.

    Args:
        natural_in_samples: the length of each turn's sound at its own pace.
        spoken_in_samples: its length as it was spoken again for the slot.
        slots: (start, end) of each turn in the source, seconds, in order of their starts.
        length: seconds that the video lasts at least: the source's.
        lead_out: seconds after the last turn, where the source ends sooner.
        spare: frames that a turn borrows at most; None: all that its pause has.

    Raises:
        ValueError: a rate is not positive, a turn has no sound, or slots are not in order or end before they begin.
    """
    _check_rates(sample_rate, fps)
    if any(count <= 0 for count in (*natural_in_samples, *spoken_in_samples)):
        raise ValueError("every turn needs sound")
    for number, (start, end) in enumerate(slots, 1):
        if not 0 <= start <= end < math.inf:
            raise ValueError(f"slot {number} lasts from {start} to {end} s")
    starts = [_nearest_frame(start, fps) for start, _ in slots]
    if starts != sorted(starts):
        raise ValueError("slots must be in order of their starts")
    ends = [max(_nearest_frame(end, fps), first + 1) for (_, end), first in zip(slots, starts, strict=True)]
    latest_ends = list(accumulate(ends, max))
    breath = math.ceil(BREATH * fps)
    spans: list[Span] = []
    fits: list[Fit] = []
    running: list[tuple[int, int]] = []  # (end of the slot, end of the turn), of slots that may not be over
    free = 0  # the first frame after every turn whose slot is over
    for natural, spoken, slot_start, slot_end in zip(natural_in_samples, spoken_in_samples, starts, ends, strict=True):
        while running and running[0][0] <= slot_start:
            free = max(free, heappop(running)[1])
        start = max(slot_start, free)
        after = bisect_left(starts, slot_end)
        if latest_ends[after - 1] > slot_end:
            pause_end = slot_end  # somebody else speaks then
        elif after < len(starts):
            pause_end = starts[after] - breath
        else:
            pause_end = math.floor(length * fps)
        if spare is not None:
            pause_end = min(pause_end, slot_end + spare)
        room_end = max(slot_end, pause_end, start + 1)
        own = _whole_frames(max(slot_end - start, 1), sample_rate, fps)
        room = _whole_frames(room_end - start, sample_rate, fps)
        if spoken < _FULL * own:
            samples = max(spoken, min(own, math.floor(natural / SLOWEST)))
        elif spoken <= room:
            samples = spoken
        else:
            samples = max(room, math.ceil(spoken / HURRIED))
        frames = _ceiling(samples * fps, sample_rate)
        spans.append(Span(start, frames, sample_at(start, sample_rate, fps), samples))
        heappush(running, (slot_end, start + frames))
        fits.append(
            Fit(
                natural=round(natural / sample_rate, 3),
                slot=round((slot_end - slot_start) / fps, 3),
                spoken_pace=round(natural / spoken, 3),
                stretch=round(spoken / samples, 3),
                borrowed=round(max(min(samples, room) - own, 0) / sample_rate, 3),
                late=round((start - slot_start) / fps, 3),
                over=math.ceil(1000 * max(samples - room, 0) / sample_rate) / 1000,  # a single sample costs a frame
            )
        )
    last = max((span.start_sample + span.samples for span in spans), default=0)
    total = max(
        _ceiling((last + round(lead_out * sample_rate)) * fps, sample_rate) if length * sample_rate < last else 0,
        max((span.start_frame + span.frames for span in spans), default=0),
        math.ceil(length * fps - 1e-9),
        1,
    )
    return Timeline(fps, sample_rate, total, sample_at(total, sample_rate, fps), tuple(spans)), tuple(fits)


def sure_spare(fps: int) -> int:
    """Frames that a pause of `arrange` has to spare wherever it lies.

    Its length differs by a frame either way, as turns begin with frames. Who borrows no more than this sounds the same when
    another turn becomes longer or shorter.
    """
    return max(math.floor(PAUSE * fps) - 1 - math.ceil(BREATH * fps), 0)


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
        samples = _whole_frames(last - first, sample_rate, fps)
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


def _whole_frames(frames: int, sample_rate: int, fps: int) -> int:
    """The sound of so many frames, rounded down: as many samples as one clip has wherever it lies."""
    return frames * sample_rate // fps


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
