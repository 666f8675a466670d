"""Who said which word."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.speech.protocols import Diarization, SpeakerTurn, Word
from models.speech.words import assign_words, join_words


def talk(*turns: tuple[str, float, float]) -> Diarization:
    exclusive = tuple(SpeakerTurn(*turn) for turn in turns)
    return Diarization(exclusive, exclusive, {})


def test_words_become_turns_of_whoever_speaks() -> None:
    words = [Word("Hello", 0.1, 0.5), Word("Ann.", 0.5, 0.9), Word("Hi", 1.2, 1.4), Word("Ben!", 1.4, 1.9)]
    first, second = assign_words(words, talk(("ben", 0.0, 1.0), ("ann", 1.1, 2.0)))
    assert (first.speaker, first.text, first.start, first.end) == ("ben", "Hello Ann.", 0.1, 0.9)
    assert (second.speaker, second.text) == ("ann", "Hi Ben!")


def test_a_word_across_a_change_goes_to_whoever_speaks_longer_in_it() -> None:
    (turn,) = assign_words([Word("well", 0.8, 1.3)], talk(("a", 0.0, 1.0), ("b", 1.0, 2.0)))
    assert turn.speaker == "b"


def test_text_over_silence_is_dropped_but_a_near_miss_is_not() -> None:
    talked = talk(("a", 1.0, 2.0))
    turns = assign_words([Word("Thanks", 2.1, 2.3), Word("for", 4.0, 4.2), Word("watching", 4.2, 5.0)], talked)
    assert [(turn.speaker, turn.text) for turn in turns] == [("a", "Thanks")]


def test_overlapping_speech_gives_every_word_to_one_speaker() -> None:
    found = Diarization(
        (SpeakerTurn("a", 0.0, 2.0), SpeakerTurn("b", 1.0, 3.0)),
        (SpeakerTurn("a", 0.0, 1.5), SpeakerTurn("b", 1.5, 3.0)),
        {},
    )
    turns = assign_words([Word("one", 1.1, 1.3), Word("two", 1.6, 1.9)], found)
    assert [(turn.speaker, turn.text) for turn in turns] == [("a", "one"), ("b", "two")]


def test_a_long_pause_begins_a_new_turn() -> None:
    turns = assign_words([Word("one", 0.0, 0.4), Word("two", 5.0, 5.4)], talk(("a", 0.0, 6.0)))
    assert [turn.text for turn in turns] == ["one", "two"]


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        (["Hello,", " world"], "Hello, world"),
        (["你", "好", "，", "世界"], "你好，世界"),
        (["今日", "は", "Tokyo", "です"], "今日は Tokyo です"),
        (["안녕", "하세요"], "안녕 하세요"),
        (["สวัสดี", "ครับ"], "สวัสดีครับ"),
        ([], ""),
    ],
)
def test_words_are_joined_as_their_script_is_written(texts: list[str], joined: str) -> None:
    assert join_words(texts) == joined


MOMENTS = st.integers(0, 200).map(lambda tenths: tenths / 10)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(MOMENTS, st.integers(0, 20))),
    st.lists(MOMENTS, unique=True, max_size=12).map(sorted),
    st.lists(st.sampled_from("ab"), min_size=6, max_size=6),
)
def test_every_word_within_speech_is_kept_once_and_turns_are_in_order(
    spans: list[tuple[float, int]], edges: list[float], speakers: list[str]
) -> None:
    talked = talk(*zip(speakers, edges[::2], edges[1::2], strict=False))
    words = [Word(f"w{number}", start, start + length / 10) for number, (start, length) in enumerate(spans)]
    turns = assign_words(words, talked)
    kept = [text for turn in turns for text in turn.text.split()]
    assert len(kept) == len(set(kept))
    inside = {word.text for word in words if any(t.start <= word.start < t.end for t in talked.exclusive)}
    assert inside <= set(kept)
    assert [turn.start for turn in turns] == sorted(turn.start or 0.0 for turn in turns)
