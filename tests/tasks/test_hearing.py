"""How a diarization and a transcript become turns: nothing that is heard is lost, and words find their speakers."""

import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.speech.protocols import SpeakerTurn
from tasks.hearing import (
    BRIEF,
    JOINED_GAP,
    LONGEST_TURN,
    SpokenWord,
    _exclusive,
    _names,
    cut_at_pauses,
    merged,
    unsupported,
    words_of_turns,
)
from tasks.request import checked_request

RATE = 1000


@st.composite
def conversations(draw: st.DrawFn) -> list[SpeakerTurn]:
    """Turns that do not overlap, in order."""
    at = 0.0
    turns = []
    for _ in range(draw(st.integers(1, 12))):
        at += draw(st.floats(0.0, 2.0))
        length = draw(st.floats(0.05, 8.0))
        turns.append(SpeakerTurn(draw(st.sampled_from("abc")), round(at, 3), round(at + length, 3)))
        at = round(at + length, 3)
    return turns


@given(conversations())
def test_merging_loses_nothing_and_keeps_order(turns: list[SpeakerTurn]) -> None:
    result = merged(turns)
    for turn in turns:
        assert any(one.speaker == turn.speaker and one.start <= turn.start and one.end >= turn.end for one in result)
    for one, other in itertools.pairwise(result):
        assert one.end <= other.start
        assert one.speaker != other.speaker or other.start - one.end >= JOINED_GAP
    assert merged(result) == result


def test_a_short_pause_within_one_speakers_speech_does_not_end_the_turn() -> None:
    turns = [SpeakerTurn("a", 0.0, 2.0), SpeakerTurn("a", 2.4, 3.0), SpeakerTurn("a", 3.6, 5.0)]
    assert merged(turns) == [SpeakerTurn("a", 0.0, 3.0), SpeakerTurn("a", 3.6, 5.0)]


def test_a_very_short_turn_joins_its_neighbour_or_stays_alone() -> None:
    assert merged([SpeakerTurn("a", 0.0, 2.0), SpeakerTurn("a", 2.8, 3.0)]) == [SpeakerTurn("a", 0.0, 3.0)]
    alone = [SpeakerTurn("a", 0.0, 2.0), SpeakerTurn("b", 2.1, 2.2), SpeakerTurn("a", 2.3, 4.0)]
    assert merged(alone) == alone


ISLAND = [SpeakerTurn("a", 0.0, 2.0), SpeakerTurn("b", 2.0, 2.1), SpeakerTurn("a", 2.1, 4.0)]
NAMES = {"a": "Ann", "b": "Bob", "c": "Cy"}


@pytest.mark.parametrize(
    ("turns", "said", "owners"),
    [
        (ISLAND, [], ["a"]),
        # A word of Ann's that only passes through it is no evidence, nor is one that the transcript says is hers.
        (ISLAND, [SpokenWord("weather", 1.8, 2.3)], ["a"]),
        (ISLAND, [SpokenWord("oh", 2.0, 2.1, "Ann")], ["a"]),
        (ISLAND, [SpokenWord("oh", 2.0, 2.12)], []),
        (ISLAND, [SpokenWord("oh", 1.95, 2.2, "Bob")], []),
        # Within a turn that goes on meanwhile.
        ([SpeakerTurn("a", 0.0, 4.0), SpeakerTurn("b", 1.0, 1.1)], [], ["a"]),
        # Long enough to be heard; at a change of speakers; and alone in a pause.
        ([SpeakerTurn("a", 0.0, 2.0), SpeakerTurn("b", 2.0, 2.3), SpeakerTurn("a", 2.3, 4.0)], [], []),
        ([SpeakerTurn("a", 0.0, 2.0), SpeakerTurn("b", 2.0, 2.1), SpeakerTurn("c", 2.1, 4.0)], [], []),
        ([SpeakerTurn("a", 0.0, 2.0), SpeakerTurn("b", 3.0, 3.1), SpeakerTurn("a", 4.0, 5.0)], [], []),
    ],
)
def test_a_turn_is_split_by_a_tenth_of_a_second_only_where_a_word_is_said_in_it(
    turns: list[SpeakerTurn], said: list[SpokenWord], owners: list[str]
) -> None:
    assert list(unsupported(turns, said, NAMES).values()) == owners


@given(conversations(), st.booleans())
def test_splits_without_evidence_go_and_everything_heard_stays(turns: list[SpeakerTurn], spoken: bool) -> None:
    before = merged(turns)
    said = [SpokenWord("word", turn.start, turn.end) for turn in before] if spoken else []
    owners = unsupported(before, said, NAMES)
    assert not owners or not spoken
    assert all(turn.end - turn.start < BRIEF and owner != turn.speaker for turn, owner in owners.items())
    after = merged(replace(turn, speaker=owners.get(turn, turn.speaker)) for turn in before)
    for turn in before:
        speaker = owners.get(turn, turn.speaker)
        assert any(one.speaker == speaker and one.start <= turn.start and turn.end <= one.end for one in after)
    assert len(after) <= len(before) - 2 * bool(owners)


@given(st.floats(0.5, 120.0), st.floats(0.0, 10.0))
def test_long_turns_are_cut_into_consecutive_pieces(length: float, start: float) -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, round((start + length) * RATE) + 1).astype(np.float32)
    turn = SpeakerTurn("a", start, start + length)
    pieces = list(cut_at_pauses(samples, RATE, turn))
    assert pieces[0].start == turn.start and pieces[-1].end == turn.end
    assert all(one.end == other.start for one, other in itertools.pairwise(pieces))
    assert all(0 < piece.end - piece.start <= LONGEST_TURN for piece in pieces)


def test_a_long_turn_is_cut_in_its_pause() -> None:
    samples = np.full(30 * RATE, 0.3, np.float32)
    samples[14 * RATE : 15 * RATE] = 0
    first, second = cut_at_pauses(samples, RATE, SpeakerTurn("a", 0.0, 30.0))
    assert 14.0 <= first.end <= 15.0 and first.end == second.start


def test_words_go_to_their_own_speaker_even_a_little_outside_of_the_turn() -> None:
    turns = [SpeakerTurn("s0", 0.0, 2.0), SpeakerTurn("s1", 2.0, 4.0)]
    said = [
        SpokenWord("hello", 0.5, 0.9, "Ann"),
        SpokenWord("there", 2.1, 2.3, "Ann"),
        SpokenWord("yes", 2.5, 2.8, "Bob"),
    ]
    names = {"s0": "Ann", "s1": "Bob"}
    assert [[word.text for word in words] for words in words_of_turns(turns, said, names)] == [
        ["hello", "there"],
        ["yes"],
    ]


def test_text_where_nobody_was_heard_is_dropped() -> None:
    turns = [SpeakerTurn("s0", 0.0, 2.0)]
    said = [SpokenWord("thanks for watching", 9.0, 10.0), SpokenWord("bye", 2.3, 2.6)]
    assert [[word.text for word in words] for words in words_of_turns(turns, said, {"s0": "Speaker 1"})] == [["bye"]]


def test_speakers_are_called_as_in_the_transcript_where_both_agree() -> None:
    turns = [
        SpeakerTurn("SPEAKER_01", 0.0, 2.0),
        SpeakerTurn("SPEAKER_00", 2.0, 4.0),
        SpeakerTurn("SPEAKER_02", 4.0, 5.0),
    ]
    said = [SpokenWord("a", 0.1, 1.9, "Diane"), SpokenWord("b", 2.1, 3.9, "Sheila"), SpokenWord("c", 4.1, 4.2)]
    assert _names(turns, said) == {"SPEAKER_01": "Diane", "SPEAKER_00": "Sheila", "SPEAKER_02": "Speaker 1"}
    assert _names(turns, []) == {"SPEAKER_01": "Speaker 1", "SPEAKER_00": "Speaker 2", "SPEAKER_02": "Speaker 3"}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=10))
def test_overlapping_speech_is_given_to_one_speaker_at_a_time(spans: list[tuple[str, int, int]]) -> None:
    turns = tuple(SpeakerTurn(speaker, float(start), float(start + length)) for speaker, start, length in spans)
    result = _exclusive(turns)
    assert all(one.end <= other.start for one, other in itertools.pairwise(result))
    for second in range(75):
        middle = second + 0.5
        speaking = {turn.speaker for turn in turns if turn.start < middle < turn.end}
        chosen = [turn.speaker for turn in result if turn.start < middle < turn.end]
        assert len(chosen) == bool(speaking) and set(chosen) <= speaking


@pytest.mark.slow
def test_a_telephone_call_is_heard_once_and_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.demo import telephone_conversation
    from tasks.hearing import hear, heard_before
    from tasks.sources import read_source

    monkeypatch.setenv("PORTRAYAL_HOME", str(tmp_path / "home"))
    call = telephone_conversation()
    request = checked_request(
        source=str(call.sound), speakers={"exactly": 2}, engines={"render": "still", "diarization": "dvector"}
    )
    source = read_source(request)
    assert source.transcript == str(call.transcript)
    assert heard_before(source, request, 25) is None
    heard = hear(source, request, 25)
    assert heard.now == ("diarization", "alignment")
    assert heard_before(source, request, 25) == replace(heard, now=())
    # Nobody listens for speakers again because the transcript changes, nor aligns it because they are counted.
    other = shutil.copy(call.transcript, tmp_path / "other.stm")
    Path(other).write_text(Path(other).read_text().replace("Diane", "Dinah"))
    changed = checked_request(**request.model_dump() | {"transcript": str(other)})
    again = hear(read_source(changed), changed, 25)
    assert again.now == ("alignment",) and again.diarization == heard.diarization
    again.performance.engines["transcription"] = heard.performance.engines["transcription"]
    assert again.performance.timeline == heard.performance.timeline and again.notes == heard.notes
    assert heard_before(source, checked_request(**request.model_dump() | {"speakers": {"exactly": 3}}), 25) is None
    dialogue = heard.performance.dialogue
    assert dialogue.language == "en" and set(dialogue.speakers) == {"Diane", "Sheila"}
    assert set(heard.pitch) == {"Diane", "Sheila"}
    said = " ".join(turn.text for turn in dialogue.turns)
    assert "This is Diane in New Jersey." in said and "Yankee" in said
    assert all(turn.end is not None and turn.start is not None and turn.end > turn.start for turn in dialogue.turns)
