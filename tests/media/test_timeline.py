"""The timeline: picture and sound of every turn lie together, however many turns come before, at any rate."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.dialogue import Dialogue, Turn
from media.errors import InputError
from media.timeline import (
    BREATH,
    FASTEST,
    HURRIED,
    PAUSE,
    SLOWEST,
    Span,
    Timeline,
    arrange,
    from_times,
    lock,
    proportionate_pauses,
    sample_at,
    sure_spare,
    timed,
    wanted_pace,
)

sample_rates = st.sampled_from([8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
frame_rates = st.integers(8, 60)
lengths = st.lists(st.integers(1, 400_000), min_size=1, max_size=60)
seconds = st.floats(0, 3)


def on_the_grid(sample: int, frame: int, sample_rate: int, fps: int) -> bool:
    """Whether sample and frame are at the same time to half a sample: 0.06 ms at 8 kHz, where 20 ms would do."""
    return 2 * abs(sample * fps - frame * sample_rate) <= fps


def whole_frames_cover(span: Span, sample_rate: int, fps: int) -> bool:
    return (span.frames - 1) * sample_rate < span.samples * fps <= span.frames * sample_rate


def test_turns_follow_one_another_with_a_pause():
    timeline = arrange([16_000, 8_000], 16_000, fps=25)
    assert timeline.spans[0] == Span(8, 25, 5_120, 16_000)  # 0.3 s is frame 7.5
    first, second = (timeline.times(span) for span in timeline.spans)
    assert second[0] - first[1] == pytest.approx(PAUSE, abs=0.04)
    assert timeline.frames == 66  # the last sound ends at 2.14 s, and half a second follows


def test_no_turns_are_a_silence():
    assert arrange([], 16_000, fps=25).frames == 20


@settings(max_examples=1500, deadline=None)
@given(lengths, sample_rates, frame_rates, seconds, seconds, st.data())
def test_the_sound_of_every_turn_starts_with_its_picture_and_nothing_adds_up(
    durations, rate, fps, lead_in, lead_out, data
):
    count = len(durations) - 1
    pauses = data.draw(st.none() | st.lists(seconds, min_size=count, max_size=count))
    timeline = arrange(durations, rate, pauses, fps, lead_in, lead_out)
    assert [span.samples for span in timeline.spans] == durations
    for span in timeline.spans:
        assert on_the_grid(span.start_sample, span.start_frame, rate, fps)
        assert whole_frames_cover(span, rate, fps)
    for earlier, later in zip(timeline.spans, timeline.spans[1:], strict=False):
        assert earlier.start_frame + earlier.frames <= later.start_frame
        assert earlier.start_sample + earlier.samples <= later.start_sample
    last = timeline.spans[-1]
    assert last.start_frame + last.frames <= timeline.frames
    assert last.start_sample + last.samples <= timeline.samples
    assert on_the_grid(timeline.samples, timeline.frames, rate, fps)
    assert timeline.frames / fps - (last.start_sample + last.samples) / rate >= lead_out - 1 / rate


@settings(max_examples=500, deadline=None)
@given(lengths, sample_rates, frame_rates)
def test_rounding_to_frames_is_taken_from_the_pauses_and_not_added_to_the_length(durations, rate, fps):
    timeline = arrange(durations, rate, None, fps)
    exact = 0.3
    for span, duration in zip(timeline.spans, durations, strict=True):
        if 2 / fps < PAUSE:
            assert abs(span.start_frame / fps - exact) <= 0.5 / fps + len(durations) / rate
        exact += duration / rate + PAUSE


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 10_000_000), sample_rates, frame_rates, st.integers(0, 1_000_000))
def test_a_clip_has_the_same_frames_wherever_its_turn_lies(duration, rate, fps, before):
    alone = arrange([duration], rate, None, fps).spans[0]
    after = arrange([before + 1, duration], rate, None, fps).spans[1]
    assert (alone.frames, alone.samples) == (after.frames, after.samples)


def test_a_day_long_timeline_is_exact_to_the_sample():
    durations = [100_003] * 20_000
    timeline = arrange(durations, 22_050, [0.001] * 19_999, 24)
    last = timeline.spans[-1]
    assert last.start_frame > 24 * 86_400
    assert last.start_sample == sample_at(last.start_frame, 22_050, 24)
    assert abs(last.start_sample * 24 - last.start_frame * 22_050) <= 12


@settings(max_examples=1500, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 600), st.floats(0, 30)), max_size=40),
    st.integers(1, 30_000_000),
    sample_rates,
    frame_rates,
)
def test_a_recordings_turns_keep_their_times_to_half_a_frame(turns, total, rate, fps):
    length = total / rate
    turns = [(start % length, start % length + long) for start, long in turns if start % length < length]
    timeline = from_times(turns, total, rate, fps)
    assert 0 <= timeline.frames / fps - length < 1 / fps
    assert on_the_grid(timeline.samples, timeline.frames, rate, fps)
    for (start, end), span in zip(turns, timeline.spans, strict=True):
        assert on_the_grid(span.start_sample, span.start_frame, rate, fps)
        assert whole_frames_cover(span, rate, fps)
        assert span.start_frame + span.frames <= timeline.frames
        assert span.start_sample + span.samples <= timeline.samples
        assert abs(span.start_frame / fps - start) <= 0.5 / fps + 1e-9 or span.start_frame == timeline.frames - 1
        if end - start >= 1 / fps and end <= length:
            assert abs((span.start_frame + span.frames) / fps - end) <= 0.5 / fps + 1e-9


def test_speech_that_overlaps_gives_spans_that_overlap():
    first, second = from_times([(1.0, 3.0), (2.0, 4.0)], 80_000, 16_000, 25).spans
    assert first.start_frame + first.frames > second.start_frame


def test_times_of_another_recording_are_refused():
    with pytest.raises(InputError, match=r"turn 2 starts at 31\.20 s, but the recording ends at 30\.00 s"):
        from_times([(1.0, 2.0), (31.2, 32.0)], 480_000, 16_000, 25)


def long_conversation(
    seed: int, count: int, rate: int, overlapping: bool
) -> tuple[list[int], list[tuple[float, float]]]:
    """Durations in samples, and slots of a source that lasts hours where there are thousands of turns."""
    rng = np.random.default_rng(seed)
    lengths = rng.uniform(0.2, 6.0, count)
    gaps = rng.uniform(-0.15 if overlapping else 0.0, 2.0, count)
    starts = np.maximum.accumulate(np.cumsum(gaps + np.concatenate([[0.3], lengths[:-1]])).clip(0))
    slots = [(float(start), float(start + length)) for start, length in zip(starts, lengths, strict=True)]
    durations = np.maximum(lengths * rng.uniform(0.5, 2.2, count) * rate, 1).astype(int).tolist()
    return durations, slots


def check_grid(timeline: Timeline) -> None:
    rate, fps = timeline.sample_rate, timeline.fps
    for span in timeline.spans:
        assert on_the_grid(span.start_sample, span.start_frame, rate, fps)
        assert whole_frames_cover(span, rate, fps)
        assert span.start_frame + span.frames <= timeline.frames
        assert span.start_sample + span.samples <= timeline.samples
    assert on_the_grid(timeline.samples, timeline.frames, rate, fps)


odd_rates = st.sampled_from([22_050, 44_100, 48_000])
film_rates = st.sampled_from([24, 25, 30, 60])


@settings(max_examples=2000, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 25), odd_rates, film_rates, st.booleans())
def test_in_a_locked_timeline_a_turn_begins_with_its_slot_unless_one_before_it_did_not_fit(
    seed, count, rate, fps, overlapping
):
    durations, slots = long_conversation(seed, count, rate, overlapping)
    spoken = [
        max(round(one / wanted_pace(one / rate, end - start)), 1)
        for one, (start, end) in zip(durations, slots, strict=True)
    ]
    length = max(end for _, end in slots) + 0.4
    timeline, fits = lock(durations, spoken, slots, rate, fps, length)
    check_grid(timeline)
    assert timeline.frames / fps >= length - 1e-9
    for number, (span, fit, (start, end)) in enumerate(zip(timeline.spans, fits, slots, strict=True)):
        begun = span.start_frame / fps
        assert abs(begun - start - fit.late) <= 0.5 / fps + 1e-3
        assert fit.late == 0 or any(one.over > 0 for one in fits[:number])
        assert fit.stretch <= HURRIED + 1e-3 and durations[number] / span.samples >= SLOWEST - 1e-3
        done = begun + span.samples / rate
        if fit.over == 0 and number + 1 < count:
            # It keeps clear of the next turn, or ends with its slot where speech overlaps.
            assert done <= max(slots[number + 1][0], end) + 1 / fps + 1e-3
        if fit.borrowed == 0 and fit.over == 0 and fit.late == 0:
            assert done <= end + 0.5 / fps + 1 / rate
        if fit.over:
            assert fit.stretch == pytest.approx(HURRIED, abs=2e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2_000, 5_000), odd_rates, film_rates, st.booleans())
def test_the_last_of_thousands_of_turns_is_as_exact_as_the_first(seed, count, rate, fps, locked):
    durations, slots = long_conversation(seed, count, rate, overlapping=False)
    if locked:
        # Speech that fits: the n-th turn begins with the frame of its slot, hours later, too.
        fitting = [max(int((end - start) * rate), 1) for start, end in slots]
        timeline, fits = lock(fitting, fitting, slots, rate, fps)
        assert all(fit.over == fit.late == 0 for fit in fits)
        off = [abs(span.start_frame / fps - start) for span, (start, _) in zip(timeline.spans, slots, strict=True)]
        assert max(off) <= 0.5 / fps + 1e-6
    else:
        timeline = arrange(durations, rate, [PAUSE] * (count - 1), fps)
        exact = 0.3 + np.concatenate([[0], np.cumsum(np.array(durations[:-1]) / rate + PAUSE)])
        off = np.abs(np.array([span.start_frame for span in timeline.spans]) / fps - exact)
        assert off.max() <= 0.5 / fps + count / rate
    check_grid(timeline)
    assert timeline.frames / fps > 3600


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.tuples(st.integers(4_000, 200_000), st.floats(0.6, 1.8)), min_size=2, max_size=12),
    st.integers(0, 11),
    st.integers(4_000, 200_000),
    film_rates,
)
def test_when_one_line_changes_the_others_sound_the_same_in_a_timeline_locked_to_another_language(
    turns, changed, other, fps
):
    def locked(own):
        original = arrange(own, 48_000, None, fps)
        slots = [(one.start_frame / fps, (one.start_frame + one.frames) / fps) for one in original.spans]
        told = [round(count * ratio) for count, (_, ratio) in zip(own, turns, strict=True)]
        return lock(told, told, slots, 48_000, fps, original.frames / fps, spare=sure_spare(fps))

    own = [count for count, _ in turns]
    changed %= len(turns)
    before, fits = locked(own)
    after, fits_after = locked([*own[:changed], other, *own[changed + 1 :]])
    for number, (one, another) in enumerate(zip(before.spans, after.spans, strict=True)):
        if number != changed and fits[number].late == fits_after[number].late == 0:
            assert one.samples == another.samples


def test_a_turn_borrows_from_its_pause_before_it_is_stretched_and_says_what_did_not_fit():
    rate = 48_000
    slots = [(0.0, 2.0), (3.0, 5.0), (5.2, 6.2), (8.0, 9.0)]
    seconds = [2.5, 3.4, 2.0, 0.5]
    durations = [round(one * rate) for one in seconds]
    timeline, fits = lock(durations, durations, slots, rate, 25, 10.0)
    assert [round(fit.borrowed, 2) for fit in fits] == [0.5, 0.08, 1.24, 0.0]
    assert [fit.stretch for fit in fits] == [1.0, 1.4, 1.0, SLOWEST]
    assert fits[1].over == pytest.approx(0.349, abs=0.01) and not fits[1].comfortable
    assert fits[2].late == pytest.approx(0.24, abs=0.04) and fits[2].over == 0
    assert fits[3].late == 0 and fits[3].comfortable and fits[0].comfortable
    assert [timeline.times(span)[0] for span in timeline.spans] == pytest.approx([0, 3, 5.44, 8], abs=0.001)
    assert timeline.frames == 250


def test_speech_that_overlaps_in_the_source_overlaps_in_the_locked_timeline():
    rate = 48_000
    slots = [(0.0, 10.0), (3.0, 4.0), (9.52, 12.0)]
    durations = [round(9.9 * rate), round(1.2 * rate), 2 * rate]
    timeline, fits = lock(durations, durations, slots, rate, 25)
    assert [timeline.times(span)[0] for span in timeline.spans] == [0, 3, 9.52]
    # While somebody else goes on, there is no pause to borrow from.
    assert (fits[1].borrowed, fits[1].over) == (0, 0) and fits[1].stretch == pytest.approx(1.2, abs=0.001)


def test_the_pace_that_is_asked_for_is_a_comfortable_one():
    assert [wanted_pace(seconds, 2.0) for seconds in (0.5, 2.2, 9.0)] == [SLOWEST, 1.1, FASTEST]


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0.1, 9)), min_size=1, max_size=30), st.floats(0.5, 2))
def test_pauses_keep_their_proportion_to_what_is_said(turns, scale):
    at = 0.0
    source = []
    for pause, length in turns:
        source.append((at + pause, at + pause + length))
        at += pause + length
    pauses = proportionate_pauses(source, [scale * (end - start) for start, end in source])
    expected = [max(scale * (later[0] - one[1]), BREATH) for one, later in itertools.pairwise(source)]
    assert pauses == pytest.approx(expected, abs=1e-6)
    assert len(arrange([1_000] * len(source), 16_000, pauses).spans) == len(source)


def test_a_dialogue_gets_the_times_at_which_it_is_heard():
    dialogue = Dialogue("en", (Turn("Maya", "Hi."), Turn("Leo", "Hello.")))
    spoken = timed(dialogue, arrange([16_000, 16_000], 16_000, [1.0], 25, 0, 0))
    assert [(turn.start, turn.end) for turn in spoken.turns] == [(0.0, 1.0), (2.0, 3.0)]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: arrange([0], 16_000, None, 25),
        lambda: arrange([1, 1], 16_000, [], 25),
        lambda: arrange([1, 1], 16_000, [-1.0], 25),
        lambda: arrange([1], 16_000, None, 0),
        lambda: arrange([1], 16_000, None, 25, float("nan")),
        lambda: from_times([(2.0, 1.0)], 160_000, 16_000, 25),
        lambda: from_times([], 0, 16_000, 25),
        lambda: lock([1], [1], [(2.0, 1.0)], 16_000),
        lambda: lock([1, 1], [1, 1], [(2.0, 3.0), (1.0, 2.0)], 16_000),
        lambda: lock([0], [1], [(0.0, 1.0)], 16_000),
        lambda: lock([1], [1, 1], [(0.0, 1.0)], 16_000),
    ],
)
def test_lengths_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=r"."):
        wrong()
