"""The diarization error rate means here what it means everywhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.speech.error_rate import diarization_error_rate, diarization_errors
from models.speech.protocols import SpeakerTurn


@st.composite
def diarizations(draw: st.DrawFn) -> list[SpeakerTurn]:
    """Up to three speakers, who may overlap one another but not themselves; times in whole hundredths."""
    turns = []
    for speaker in draw(st.lists(st.sampled_from("abc"), unique=True, max_size=3)):
        edges = sorted(draw(st.sets(st.integers(0, 1000), max_size=8)))
        turns += [
            SpeakerTurn(speaker, start / 100, end / 100) for start, end in zip(edges[::2], edges[1::2], strict=False)
        ]
    return sorted(turns, key=lambda turn: turn.start)


ONE = [SpeakerTurn("a", 0.0, 10.0)]


def test_half_missed_is_half_wrong() -> None:
    assert diarization_error_rate(ONE, [SpeakerTurn("x", 0.0, 5.0)]) == pytest.approx(0.5)


def test_too_much_speech_counts_as_well() -> None:
    assert diarization_error_rate(ONE, [SpeakerTurn("x", 0.0, 15.0)]) == pytest.approx(0.5)


def test_confusion_counts_once_and_overlap_for_each_speaker() -> None:
    reference = [SpeakerTurn("a", 0.0, 6.0), SpeakerTurn("b", 4.0, 10.0)]
    hypothesis = [SpeakerTurn("x", 0.0, 4.0), SpeakerTurn("y", 4.0, 7.0), SpeakerTurn("x", 7.0, 10.0)]
    # 12 s are spoken; the 2 s of a in the overlap are missed, and x is b's last 3 s by mistake.
    assert diarization_error_rate(reference, hypothesis) == pytest.approx(5 / 12)
    errors = diarization_errors(reference, [*hypothesis, SpeakerTurn("z", 11.0, 12.0)])
    assert (errors.missed, errors.false_alarm, errors.confusion) == pytest.approx((2 / 12, 1 / 12, 3 / 12))


def test_what_lies_within_the_collar_is_forgiven() -> None:
    late = [SpeakerTurn("x", 0.2, 9.8)]
    assert diarization_error_rate(ONE, late) == pytest.approx(0.04)
    assert diarization_error_rate(ONE, late, collar=0.25) == 0


@settings(max_examples=60, deadline=None)
@given(diarizations())
def test_a_perfect_diarization_has_no_error_whatever_the_speakers_are_called(turns: list[SpeakerTurn]) -> None:
    renamed = [SpeakerTurn({"a": "b", "b": "c", "c": "a"}[turn.speaker], turn.start, turn.end) for turn in turns]
    assert diarization_error_rate(turns, renamed) == pytest.approx(0)


def test_no_speech_at_all_is_no_error_and_speech_from_nowhere_is_without_limit() -> None:
    assert diarization_error_rate([], []) == 0
    assert diarization_error_rate([], ONE) == float("inf")
    assert diarization_error_rate(ONE, []) == 1


def test_it_agrees_with_pyannote_metrics() -> None:
    from pyannote.core import Annotation, Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate

    metrics = {collar: DiarizationErrorRate(collar=2 * collar) for collar in (0.0, 0.1, 0.25)}

    def annotation(turns: list[SpeakerTurn]) -> Annotation:
        result = Annotation(uri="recording")
        for number, turn in enumerate(turns):
            result[Segment(turn.start, turn.end), number] = turn.speaker
        return result

    @settings(max_examples=40, deadline=None)
    @given(diarizations().filter(bool), diarizations(), st.sampled_from(sorted(metrics)))
    def agree(reference: list[SpeakerTurn], hypothesis: list[SpeakerTurn], collar: float) -> None:
        everywhere = Timeline([Segment(-1.0, 11.0)])
        theirs = metrics[collar](annotation(reference), annotation(hypothesis), uem=everywhere, detailed=True)
        ours = diarization_errors(reference, hypothesis, collar)
        if theirs["total"] > 1e-6:
            assert ours.rate == pytest.approx(theirs["diarization error rate"], abs=1e-6)
            parts = [theirs[part] / theirs["total"] for part in ("missed detection", "false alarm", "confusion")]
            assert [ours.missed, ours.false_alarm, ours.confusion] == pytest.approx(parts, abs=1e-6)

    agree()
