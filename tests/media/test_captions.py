"""Captions: they fit, they keep to their turn's time, they never overlap, and every reader reads them back."""

import re
from dataclasses import dataclass
from itertools import pairwise

import pysubs2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.captions import Cue, caption_cues, to_srt, to_vtt
from media.dialogue import Turn, display_name, is_speakable, name_fault, tidy
from media.errors import InputError
from media.scripts import parse_script


@dataclass(frozen=True)
class Heard:
    text: str
    start: float
    end: float


def lines_of(text: str, speaker: str = "Maya", **limits) -> list[tuple[str, ...]]:
    return [cue.lines for cue in caption_cues([Turn(speaker, text, 0.0, 60.0)], **limits)]


def test_a_short_turn_is_one_line():
    assert caption_cues([Turn("Leo", "Yes, of course.", 1.0, 2.5)]) == (Cue(1.0, 2.75, ("Yes, of course.",), "Leo"),)


def test_lines_break_at_sentences_then_clauses_then_words():
    assert lines_of("Good morning everyone. Today we look at the new lamp.") == [
        ("Good morning everyone.", "Today we look at the new lamp.")
    ]
    assert lines_of("When the evening comes, the lamp goes dark by itself.") == [
        ("When the evening comes,", "the lamp goes dark by itself.")
    ]
    assert lines_of("It is a lamp that has learned when we go to bed") == [
        ("It is a lamp that has", "learned when we go to bed")
    ]


def test_a_long_turn_becomes_cues_that_end_with_sentences():
    text = (
        "The lamp has learned our evenings, and that took only a week. It dims at ten o'clock sharp. "
        "In the morning it wakes us slowly, which nobody had asked for."
    )
    cues = lines_of(text)
    assert [cue[-1].split()[-1] for cue in cues] == ["week.", "sharp.", "for."]
    assert " ".join(" ".join(cue) for cue in cues) == text
    assert len(lines_of(text, max_lines=3)) == 2


def test_scripts_without_spaces_break_anywhere_but_not_before_punctuation_or_marks():
    chinese = lines_of("今天天气很好，我们去公园散步吧。你觉得怎么样？我觉得可以，不过要带上雨伞，因为下午可能会下雨。")
    assert all(len(line) <= 21 and line[0] not in "，。？" for cue in chinese for line in cue)
    thai = lines_of("สวัสดีครับวันนี้อากาศดีมากเราไปเดินเล่นที่สวนสาธารณะกันเถอะคุณคิดว่าอย่างไร")
    assert all(line[0] not in "ัีื้่๊์ๆ" and line[-1] not in "เแโใไ" for cue in thai for line in cue)


def test_a_word_longer_than_a_line_is_parted_with_hyphens():
    word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    (lines,) = lines_of(word, speaker="")
    assert lines[0].endswith("-")
    assert "".join(lines).replace("-", "") == word


def test_words_give_cues_their_times():
    text = "One two three four five six seven eight. " * 3
    words = [Heard(word, 10 + k, 10.4 + k) for k, word in enumerate(text.split())]
    words[3:5] = []  # an aligner leaves out what it does not know
    cues = caption_cues([Turn("Maya", text, 10.0, 34.0)], [words])
    assert len(cues) == 2
    place = len(" ".join(cues[0].lines).split())
    assert cues[1].start == 10 + place
    assert cues[0].end == pytest.approx(10 + place - 0.6)  # its last word ends 0.6 s before the next begins
    assert cues[1].end == pytest.approx(33.65)


def test_a_remark_during_a_long_turn_gets_its_own_cue_and_nothing_overlaps():
    long = Turn("Ann", "I have been here for a long time, and so have you.", 1.0, 6.0)
    cues = caption_cues([long, Turn("Bob", "Yeah.", 4.0, 4.3)])
    assert [cue.speaker for cue in cues] == ["Ann", "Bob"]
    assert cues[0].end <= cues[1].start == 4.0
    cues = caption_cues([long, Turn("Bob", "Yeah.", 1.1, 1.4)])
    assert [cue.speaker for cue in cues] == ["Bob", "Ann"]
    assert all(cue.end - cue.start >= 0.59 for cue in cues)


def test_webvtt_names_the_speaker_and_the_language_and_escapes_what_it_must():
    assert to_vtt([Cue(0.5, 3661.25, ("a --> b", "<b> & c"), "Maya & Co")], "pt-BR") == (
        "WEBVTT\nLanguage: pt-BR\n\n1\n00:00:00.500 --> 01:01:01.250\n"
        "<v Maya &amp; Co>a --&gt; b\n&lt;b&gt; &amp; c</v>\n"
    )


def test_srt_names_the_speaker_where_it_changes_within_the_line_limit():
    turns = [
        Turn("Maya", "Good morning to all of you out there, and welcome.", 0, 3),
        Turn("Maya", "Note: it is late.", 3, 5),
        Turn("Leo", "Hello.", 5, 6),
    ]
    cues = caption_cues(turns)
    assert to_srt(cues) == (
        "1\n00:00:00,000 --> 00:00:03,000\nMaya: Good morning to all of you\nout there, and welcome.\n\n"
        "2\n00:00:03,000 --> 00:00:05,000\nMaya: Note: it is late.\n\n"
        "3\n00:00:05,000 --> 00:00:06,250\nLeo: Hello.\n"
    )


def test_a_turn_without_times_or_with_too_much_text_for_them_is_refused():
    with pytest.raises(InputError, match="turn 1 of Maya has no proper times"):
        caption_cues([Turn("Maya", "Hi.")])
    with pytest.raises(InputError, match="turn 1 of Maya has too much text"):
        caption_cues([Turn("Maya", "Hi there. " * 5000, 0.0, 0.01)])
    with pytest.raises(ValueError, match="1 turns have 2 lists"):
        caption_cues([Turn("Maya", "Hi.", 0, 1)], [[], []])


WORDS = [
    "Hello,",
    "the",
    "lamp",
    "is",
    "on.",
    "Yes!",
    "and",
    "so",
    "a" * 60,
    "well-known",
    "नमस्ते।",
    "你好，世界。",
    "สวัสดีครับ",
    "-->",
]
WORDS += ["<i>", "&", "Note:", "- Leo:", "—", "{\\an8}", "👩‍👩‍👧‍👦", "مرحبا،", "한국어"]
any_texts = (
    st.lists(st.sampled_from(WORDS) | st.text(max_size=6), min_size=1, max_size=40)
    .map(lambda parts: tidy(" ".join(parts)))
    .filter(is_speakable)
)
PLAIN = ["Hello,", "the", "lamp", "is", "on.", "Yes!", "नमस्ते।", "well-known"]
plain_texts = st.lists(st.sampled_from(PLAIN), min_size=1, max_size=40).map(" ".join)
names = st.sampled_from(["Maya", "Leo", "小明", "Dr. Alexandra Hamilton-Montgomery of Kent", ""]) | (
    st.text(max_size=12).map(display_name).filter(lambda name: name_fault(name) is None)
)


@st.composite
def conversations(draw, texts=any_texts, people=names, overlap=True):
    """Turns with distinct speakers' names by number, so that a cue's turn is known."""
    turns = []
    time = 0
    for _ in range(draw(st.integers(1, 6))):
        time += draw(st.integers(-2000 if overlap else 350, 3000))
        start = max(time, 0)
        time = start + draw(st.integers(50, 15_000))
        turns.append(Turn(draw(people), draw(texts), start / 1000, time / 1000))
    return turns


def timed_words(turn: Turn, gaps: list[int]) -> list[Heard]:
    """The turn's words, some of them left out, spread over its time."""
    words = turn.text.split()
    step = (turn.end - turn.start) / len(words)
    heard = [Heard(word, turn.start + k * step, turn.start + (k + 0.8) * step) for k, word in enumerate(words)]
    return [word for k, word in enumerate(heard) if k not in gaps]


def squeezed(text: str) -> str:
    return re.sub(r"[\s-]", "", text)


@settings(max_examples=250, deadline=None)
@given(conversations(), st.integers(1, 2), st.integers(10, 50), st.none() | st.lists(st.integers(0, 20)))
def test_cues_fit_keep_their_turns_time_and_never_overlap(turns, max_lines, max_chars, gaps):
    numbered = [Turn(f"{number} {turn.speaker}", turn.text, turn.start, turn.end) for number, turn in enumerate(turns)]
    words = None if gaps is None else [timed_words(turn, gaps) for turn in turns]
    cues = caption_cues(numbered, words, max_lines, max_chars)
    said = {turn.speaker: "" for turn in numbered}
    for cue in cues:
        turn = next(turn for turn in numbered if turn.speaker == cue.speaker)
        assert 1 <= len(cue.lines) <= max_lines
        assert all(0 < len(line) <= max_chars and line == line.strip() for line in cue.lines)
        assert turn.start - 0.001 <= cue.start < cue.end <= turn.end + 0.3 + 1e-6
        said[cue.speaker] += " ".join(cue.lines)
    for turn in numbered:
        assert squeezed(said[turn.speaker]) == squeezed(turn.text)
    for earlier, later in pairwise(cues):
        assert earlier.end <= later.start


@settings(max_examples=200, deadline=None)
@given(conversations(overlap=False))
def test_a_cue_is_long_enough_to_be_read_wherever_its_turn_has_the_time(turns):
    numbered = [Turn(str(number), turn.text, turn.start, turn.end) for number, turn in enumerate(turns)]
    cues = caption_cues(numbered)
    for turn in numbered:
        own = [cue for cue in cues if cue.speaker == turn.speaker]
        if turn.end - turn.start + 0.3 >= 0.7 * len(own):
            assert all(cue.end - cue.start >= 0.7 - 1e-6 for cue in own)


@settings(max_examples=200, deadline=None)
@given(conversations())
def test_any_captions_are_read_by_other_programs_cue_by_cue(turns):
    cues = caption_cues(turns)
    for text, kind in ((to_vtt(cues, "en"), "vtt"), (to_srt(cues), "srt")):
        read = pysubs2.SSAFile.from_string(text, format_=kind)
        assert [(event.start, event.end) for event in read] == [
            (round(cue.start * 1000), round(cue.end * 1000)) for cue in cues
        ]
        assert all(event.text.strip() for event in read)
    for block in to_srt(cues).split("\n\n"):
        lines = block.strip("\n").split("\n")[2:]
        assert 1 <= len(lines) <= 2
        assert all(len(line) <= 42 for line in lines)


@settings(max_examples=200, deadline=None)
@given(conversations(people=names.filter(bool)))
def test_our_own_reader_reads_webvtt_captions_with_their_speakers(turns):
    cues = [cue for cue in caption_cues(turns) if is_speakable(" ".join(cue.lines))]
    script = parse_script(to_vtt(cues, "en"), "vtt", "x")
    assert [(turn.text, turn.start, turn.end) for turn in script.source.turns] == [
        (tidy(" ".join(cue.lines)), cue.start, cue.end) for cue in cues
    ]
    assert [turn.speaker.casefold() for turn in script.source.turns] == [cue.speaker.casefold() for cue in cues]


@settings(max_examples=200, deadline=None)
@given(conversations(texts=plain_texts, people=st.sampled_from(["Maya", "Leo", "小明"])))
def test_our_own_reader_reads_srt_captions_with_their_speakers(turns):
    cues = caption_cues(turns)
    script = parse_script(to_srt(cues), "srt", "x", "en")
    expected: list[list[str]] = []
    for cue in cues:
        if expected and expected[-1][0] == cue.speaker:
            expected[-1][1] += " " + " ".join(cue.lines)
        else:
            expected.append([cue.speaker, " ".join(cue.lines)])
    assert [[turn.speaker, turn.text] for turn in script.source.turns] == expected
