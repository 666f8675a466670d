"""RTTM: what is read is what was written, and what is not RTTM is refused."""

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.dialogue import Turn
from media.errors import InputError
from media.rttm import parse_rttm, read_rttm, write_rttm


def test_the_reference_of_the_recorded_conversation_is_read():
    package = importlib.util.find_spec("pyannote.audio")
    turns = read_rttm(Path(package.submodule_search_locations[0]) / "sample" / "sample.rttm")
    assert len(turns) == 10
    assert turns[0] == Turn("speaker90", "", 6.69, 7.12)
    assert turns == tuple(sorted(turns, key=lambda turn: turn.start))


def test_other_lines_are_passed_over_and_turns_come_in_the_order_of_their_start():
    text = (
        ";; made by hand\nSPKR-INFO a 1 <NA> <NA> <NA> unknown Ann <NA> <NA>\n\n"
        "SPEAKER a 1 2.5 1 <NA> <NA> Ann <NA> <NA>\nSPEAKER a 1 0.1 .2 <NA> <NA> <NA> <NA>\n"
    )
    with pytest.raises(InputError, match=r"x:5: '\.2' is not a time"):
        parse_rttm(text, "x")
    assert parse_rttm(text.replace(".2 ", "0.2 "), "x") == (Turn("", "", 0.1, 0.3), Turn("Ann", "", 2.5, 3.5))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x:1: nobody speaks"),
        ("LEXEME a 1 0 1 Hi lex Ann 0.5\n", "x:1: nobody speaks"),
        ("SPEAKER a 1 0 1 <NA>\n", "x:1: the line has 6 fields"),
        ("SPEAKER a 1 -1 1 <NA> <NA> Ann <NA> <NA>\n", "x:1: '-1' is not a time"),
        ("SPEAKER a 1 0 inf <NA> <NA> Ann <NA> <NA>\n", "x:1: 'inf' is not a time"),
        ("00:01 Ann: Hi\n", "x:1: this is not RTTM"),
    ],
)
def test_what_is_not_rttm_is_refused_by_its_line(text, message):
    with pytest.raises(InputError) as refused:
        parse_rttm(text, "x")
    assert str(refused.value).startswith(message)


def test_turns_without_times_cannot_be_written():
    with pytest.raises(InputError, match="turn 1 has no times"):
        write_rttm([Turn("Ann", "Hi.")], "a")


labels = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=12).filter(
    lambda label: label != "<NA>" and write_rttm([Turn(label, "", 0, 1)], "a").split()[7] == label
)
turns_on_the_grid = st.builds(
    lambda speaker, start, length: Turn(speaker, "", start / 1000, (start + length) / 1000),
    st.just("") | labels,
    st.integers(0, 90_000_000),
    st.integers(0, 9_000_000),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(turns_on_the_grid, min_size=1, max_size=8), st.text(max_size=8))
def test_any_diarization_survives_being_written_and_read(turns, uri):
    expected = tuple(sorted(turns, key=lambda turn: (turn.start, turn.end)))
    assert parse_rttm(write_rttm(turns, uri), "x") == expected


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["SPEAKER ", "a 1 ", "0.5 ", "<NA> ", "Ann ", "\n", ";;"]) | st.text(max_size=6)).map(
        "".join
    )
)
def test_no_text_raises_anything_but_the_projects_own_error(text):
    try:
        assert parse_rttm(text, "x")
    except InputError as refused:
        assert str(refused).startswith("x:")
