"""Captions: they fit, they keep to their turns' time, they never overlap, and every reader reads them back."""

import json
import re
from dataclasses import dataclass, replace
from itertools import pairwise

import pysubs2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.caption_profiles import PDF, RLE, RLM, profile_of
from media.captions import Cue, caption_cues, to_json, to_srt, to_vtt
from media.dialogue import Turn, display_name, is_speakable, name_fault, tidy
from media.errors import InputError
from media.phrases import unbroken
from media.scripts import parse_script
from media.transcripts import parse_transcript


@dataclass(frozen=True)
class Heard:
    text: str
    start: float
    end: float


def lines_of(text: str, speaker: str = "Maya", language: str = "en", **limits) -> list[tuple[str, ...]]:
    profile = replace(profile_of(language), **limits)
    return [
        cue.lines
        for cue in caption_cues(
            [Turn(speaker, text, 0.0, len(text) / (12 if language not in ("zh", "ja") else 5))], profile=profile
        )
    ]


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        (["Hello,", "world"], "Hello, world"),
        (["你", "好", "，", "世界"], "你好，世界"),
        (["今日", "は", "Tokyo", "です"], "今日は Tokyo です"),
        (["안녕", "하세요"], "안녕 하세요"),
        (["สวัสดี", "ครับ"], "สวัสดีครับ"),
        (["我用", "VLC media", "player 看。", "OK"], "我用 VLC media player 看。OK"),
        (["「はい。」", "", " と言った"], "「はい。」と言った"),
        ([], ""),
    ],
)
def test_parts_are_joined_as_their_script_is_written(parts: list[str], joined: str):
    assert unbroken(parts) == joined


def test_a_short_turn_is_one_line():
    assert caption_cues([Turn("Leo", "Yes, of course.", 1.0, 2.5)]) == (Cue(1.0, 2.75, ("Yes, of course.",), "Leo"),)


def test_lines_break_at_sentences_then_clauses_then_phrases():
    assert lines_of("Good morning everyone. Today we look at the new lamp.") == [
        ("Good morning everyone.", "Today we look at the new lamp.")
    ]
    assert lines_of("When the evening comes, the lamp goes dark by itself.") == [
        ("When the evening comes,", "the lamp goes dark by itself.")
    ]
    assert lines_of("The little lamp waits very quietly until somebody comes") == [
        ("The little lamp waits very quietly", "until somebody comes")
    ]


@pytest.mark.parametrize(
    ("language", "text", "parted"),
    [
        ("en", "Yesterday in the old town we met the mayor of the place", "the mayor"),
        ("en", "From the hill to the harbour it is 25 kilometres on foot", "25 kilometres"),
        ("en", "Everybody in the room knew that Maya Okafor was right", "Maya Okafor"),
        ("en", "Last night on the radio I heard that Dr. Hamilton was gone", "Dr. Hamilton"),
        ("es", "Ayer por la noche vimos que la lámpara de casa se apagó", "la lámpara"),
        ("fr", "Hier dans la vieille ville nous avons vu une lampe allumée", "une lampe"),
        ("de", "Gestern haben wir gesehen, dass die kleine Lampe dunkel wird", "die kleine"),
        ("hi", "कल रात हमने पुराने शहर के बड़े घर में एक दीपक जलता हुआ देखा", "घर में"),
        ("zh", "从山上走到港口一共有25公里路程所以我们应该早点出发", "25公里"),
        ("ja", "山の上から港まで歩くと25キロあるので早めに出発しましょう", "25キロ"),
    ],
)
def test_what_belongs_together_stays_on_one_line(language, text, parted):
    # Whatever the width, and so wherever the line would be full.
    for width in range(14, 43) if language not in ("zh", "ja") else range(8, 17):
        for cue in lines_of(text, "", language, max_chars=width):
            assert parted.split()[0] != cue[0].split()[-1] or len(cue) == 1
            assert not any(line.endswith(("25", "Maya", "Dr.", " the", " la", " une", " die")) for line in cue[:-1])
        assert any(parted in line for cue in lines_of(text, "", language, max_chars=width) for line in cue)


def test_when_all_else_is_alike_the_lower_line_is_the_longer_one():
    ((upper, lower),) = lines_of("lamps chairs tables windows doors floors walls")
    assert len(upper) < len(lower) and len(upper) + len(lower) == 45


def test_an_abbreviation_ends_no_sentence():
    assert lines_of("Then we saw old Mr. Miller. No. 5 was late and nobody knew why.") == [
        ("Then we saw old Mr. Miller.", "No. 5 was late and nobody knew why.")
    ]


def test_a_long_turn_becomes_cues_that_end_with_sentences():
    text = (
        "The lamp has learned our evenings, and that took only a week. It dims at ten o'clock sharp. "
        "In the morning it wakes us slowly, which nobody had asked for."
    )
    cues = lines_of(text)
    assert [cue[-1].split()[-1] for cue in cues] == ["week.", "sharp.", "for."]
    assert " ".join(" ".join(cue) for cue in cues) == text


def test_scripts_without_spaces_break_anywhere_but_not_before_punctuation_or_marks():
    chinese = lines_of(
        "今天天气很好，我们去公园散步吧。你觉得怎么样？我觉得可以，不过要带上雨伞，因为下午可能会下雨。", language="zh"
    )
    assert all(len(line) <= 16 and line[0] not in "，。？" for cue in chinese for line in cue)
    thai = lines_of("สวัสดีครับวันนี้อากาศดีมากเราไปเดินเล่นที่สวนสาธารณะกันเถอะคุณคิดว่าอย่างไร", language="th")
    assert all(line[0] not in "ัีื้่๊์ๆ" and line[-1] not in "เแโใไ" for cue in thai for line in cue)


def test_japanese_lines_keep_kinsoku_and_break_after_particles():
    japanese = lines_of(
        "「ちょっと待って！」と彼は言った。コンピューターがゆっくりと起動しているからだ。", language="ja"
    )
    for cue in japanese:
        for line in cue:
            assert line[0] not in "」！。、っゃゅょーッ" and line[-1] not in "「"
    assert any(
        line.endswith("が") for line in lines_of("私の新しいコンピューターがゆっくり起動しました", language="ja")[0]
    )


def test_a_word_longer_than_a_line_is_parted_with_hyphens():
    word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    (lines,) = lines_of(word, speaker="")
    assert lines[0].endswith("-")
    assert "".join(lines).replace("-", "") == word


def test_words_give_cues_their_times():
    text = "One two three four five six seven eight. " * 3
    words = [Heard(word, 10 + 0.4 * k, 10.3 + 0.4 * k) for k, word in enumerate(text.split())]
    words[3:5] = []  # an aligner leaves out what it does not know
    cues = caption_cues([Turn("Maya", text, 10.0, 20.0)], [words])
    assert len(cues) == 2
    place = len(" ".join(cues[0].lines).split())
    assert cues[1].start == 10 + 0.4 * place
    assert cues[0].end == pytest.approx(cues[1].start - 0.08), "two frames before the next one, not with its last word"
    assert cues[1].end == pytest.approx(19.5 + 0.25, abs=0.01)


def test_a_cue_begins_anew_after_a_long_pause():
    text = "I am not sure where it is now"
    times = [0, 0.4, 0.8, 1.2, 6, 6.3, 6.6, 6.9]
    words = [Heard(word, start, start + 0.3) for word, start in zip(text.split(), times, strict=True)]
    cues = caption_cues([Turn("Maya", text, 0, 7.2)], [words])
    assert [cue.lines for cue in cues] == [("I am not sure",), ("where it is now",)]
    assert cues[1].start == 6


def test_no_cue_stays_longer_than_seven_seconds():
    (cue,) = caption_cues([Turn("Maya", "Well.", 0, 20)])
    assert (cue.start, cue.end) == (0, 7)


def test_a_cue_stays_into_the_pause_until_it_can_be_read():
    text = "This is said very fast, but then there is a pause."
    first, _ = caption_cues([Turn("Maya", text, 1, 2), Turn("Leo", "Yes, there is.", 6, 7)])
    assert first.start == 1
    assert first.end > 4 and len(" ".join(first.lines)) / (first.end - first.start) <= 17


def test_turns_too_short_to_stand_alone_share_a_cue():
    cues = caption_cues(
        [
            Turn("Ann", "Coming?", 1.0, 1.5),
            Turn("Bob", "Yes.", 1.6, 1.9),
            Turn("Ann", "Then let us go before it gets too dark outside, my friend.", 2.0, 6.0),
        ]
    )
    assert cues[0].lines == ("- Coming?", "- Yes.")
    assert (cues[0].speaker, cues[0].second_speaker) == ("Ann", "Bob")
    assert cues[1].speaker == "Ann" and cues[1].second_speaker is None
    assert cues[0].end - cues[0].start >= 5 / 6
    vtt, srt, transcript = to_vtt(cues, "en"), to_srt(cues), json.loads(to_json(cues))
    assert "<v Ann>- Coming?</v>\n<v Bob>- Yes.</v>" in vtt
    assert "- Ann: Coming?\n- Bob: Yes.\n" in srt
    assert [(one["speaker"], one["body"]) for one in transcript["segments"][:2]] == [
        ("Ann", "Coming?"),
        ("Bob", "Yes."),
    ]
    assert transcript["segments"][0]["startTime"] == transcript["segments"][1]["startTime"]
    for text, suffix in ((vtt, ".vtt"), (srt, ".srt"), (to_json(cues), ".json")):
        said = [(turn.speaker, turn.text) for turn in parse_transcript(text, suffix, "x")]
        assert said[:2] == [("Ann", "Coming?"), ("Bob", "Yes.")], suffix


def test_the_last_words_of_a_recording_can_be_read_before_it_ends():
    turns = [Turn("Ann", "That is all for today.", 0, 2.0), Turn("Bob", "Bye.", 2.3, 2.6)]
    assert caption_cues(turns, until=2.6)[-1].end <= 2.6


def test_a_remark_during_a_long_turn_is_shown_at_its_time_and_nothing_overlaps():
    long = Turn("Ann", "I have been here for a while, and so have you.", 1.0, 6.0)
    cues = caption_cues([long, Turn("Bob", "Yeah.", 4.0, 4.3)])
    assert [cue.speaker for cue in cues] == ["Ann", "Bob"]
    assert cues[0].end < cues[1].start == 4.0
    cues = caption_cues([long, Turn("Bob", "Yeah.", 1.1, 1.4)])
    assert [cue.speaker for cue in cues] == ["Bob", "Ann"]
    assert all(cue.end - cue.start >= 5 / 6 for cue in cues)


def test_webvtt_names_the_speaker_and_the_language_and_escapes_what_it_must():
    assert to_vtt([Cue(0.5, 3661.25, ("a --> b", "<b> & c"), "Maya & Co")], "pt-BR") == (
        "WEBVTT\nLanguage: pt-BR\n\n1\n00:00:00.500 --> 01:01:01.250\n"
        "<v Maya &amp; Co>a --&gt; b\n&lt;b&gt; &amp; c</v>\n"
    )


def test_srt_names_the_speaker_where_it_changes_within_the_line_limit():
    turns = [
        Turn("Maya", "Good morning to all of you out there, and welcome.", 0, 3.4),
        Turn("Maya", "Note: it is late.", 3.5, 5),
        Turn("Leo", "Hello.", 5.1, 6),
    ]
    cues = caption_cues(turns)
    assert to_srt(cues) == (
        "1\n00:00:00,000 --> 00:00:03,420\nMaya: Good morning to all of you\nout there, and welcome.\n\n"
        "2\n00:00:03,500 --> 00:00:05,020\nMaya: Note: it is late.\n\n"
        "3\n00:00:05,100 --> 00:00:06,250\nLeo: Hello.\n"
    )


def test_json_is_a_podcasting_transcript():
    cues = caption_cues([Turn("Maya", "When the evening comes, the lamp goes dark by itself.", 1, 5)])
    assert json.loads(to_json(cues)) == {
        "version": "1.0.0",
        "segments": [
            {
                "speaker": "Maya",
                "startTime": 1.0,
                "endTime": 5.25,
                "body": "When the evening comes, the lamp goes dark by itself.",
            }
        ],
    }


def test_right_to_left_lines_carry_the_marks_that_players_need():
    cues = caption_cues([Turn("ليلى", "GPS جهاز جديد، يعمل في كل مكان.", 0, 4)], profile=profile_of("ar"))
    vtt, srt = to_vtt(cues, "ar"), to_srt(cues, profile_of("ar"))
    assert f"<v ليلى>{RLM}GPS" in vtt, "a line that begins with a Latin word runs from right to left all the same"
    assert all(line.startswith(RLE) and line.endswith(PDF) for line in srt.splitlines()[2:])
    for text, suffix in ((vtt, ".vtt"), (srt, ".srt")):
        (turn,) = parse_transcript(text, suffix, "x")
        assert (turn.speaker, turn.text) == ("ليلى", "GPS جهاز جديد، يعمل في كل مكان."), suffix
    assert RLM not in to_vtt(caption_cues([Turn("Ann", "Hello there.", 0, 2)]), "en")


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
    return re.sub(r"[\s\-\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", "", text)


def said_by(cues) -> list[tuple[str, str]]:
    """Who says what, the same speaker's text joined."""
    said: list[tuple[str, str]] = []
    for cue in cues:
        voices = [(cue.speaker, unbroken(cue.lines))]
        if cue.second_speaker is not None:
            voices = [(cue.speaker, cue.lines[0][2:]), (cue.second_speaker, cue.lines[1][2:])]
        for speaker, text in voices:
            if said and said[-1][0] == speaker:
                text = unbroken([said.pop()[1], text])
            said.append((speaker, text))
    return said


@settings(max_examples=150, deadline=None)
@given(conversations(), st.integers(1, 2), st.integers(10, 50), st.none() | st.lists(st.integers(0, 20)))
def test_cues_fit_say_everything_and_never_overlap(turns, max_lines, max_chars, gaps):
    numbered = [Turn(f"{number} {turn.speaker}", turn.text, turn.start, turn.end) for number, turn in enumerate(turns)]
    words = None if gaps is None else [timed_words(turn, gaps) for turn in turns]
    cues = caption_cues(numbered, words, replace(profile_of("en"), max_lines=max_lines, max_chars=max_chars))
    said = {turn.speaker: "" for turn in numbered}
    for speaker, text in said_by(cues):
        said[speaker] += text
    for turn in numbered:
        assert squeezed(said[turn.speaker]) == squeezed(turn.text)
    for cue in cues:
        assert 1 <= len(cue.lines) <= max_lines
        assert all(0 < len(line) <= max_chars and line == line.strip() for line in cue.lines)
        assert 0.08 - 1e-9 <= cue.end - cue.start <= 7 + 1e-9
    for earlier, later in pairwise(cues):
        assert earlier.end + 0.08 <= later.start + 1e-9


@settings(max_examples=100, deadline=None)
@given(conversations(texts=plain_texts, overlap=False))
def test_cues_come_with_their_words(turns):
    numbered = [Turn(str(number), turn.text, turn.start, turn.end) for number, turn in enumerate(turns)]
    cues = caption_cues(numbered)
    for turn in numbered:
        own = [cue for cue in cues if turn.speaker in (cue.speaker, cue.second_speaker)]
        late = max(own[0].start - turn.start, 0)
        assert late <= 1.01 + 0.16 * len(cues), "at most a second, unless more is said than can be shown"
        assert own[0].second_speaker == turn.speaker or own[0].start >= turn.start - 0.5


@settings(max_examples=100, deadline=None)
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


@settings(max_examples=150, deadline=None)
@given(conversations(people=names.filter(bool)))
def test_our_own_reader_reads_webvtt_captions_with_their_speakers(turns):
    cues = [
        cue
        for cue in caption_cues(turns)
        if all(is_speakable(line) for line in cue.lines)
        or (is_speakable(" ".join(cue.lines)) and not cue.second_speaker)
    ]
    script = parse_script(to_vtt(cues, "en"), "vtt", "x")
    read = [(turn.speaker.casefold(), tidy(turn.text)) for turn in script.source.turns]
    assert read == [(speaker.casefold(), tidy(text)) for cue in cues for speaker, text in said_by([cue])]
    assert {turn.start for turn in script.source.turns} >= {cue.start for cue in cues}


@settings(max_examples=100, deadline=None)
@given(conversations(texts=plain_texts, people=st.sampled_from(["Maya", "Leo", "小明"])))
def test_our_own_reader_reads_srt_captions_with_their_speakers(turns):
    cues = caption_cues(turns)
    script = parse_script(to_srt(cues), "srt", "x", "en")
    read = [Cue(0, 0, (turn.text,), turn.speaker) for turn in script.source.turns]
    assert said_by(read) == said_by(cues)


@settings(max_examples=100, deadline=None)
@given(conversations(texts=plain_texts, people=st.sampled_from(["Maya", "Leo", "小明"])))
def test_our_own_reader_reads_json_captions_with_their_speakers(turns):
    cues = caption_cues(turns)
    read = [
        Cue(turn.start, turn.end, (turn.text,), turn.speaker) for turn in parse_transcript(to_json(cues), ".json", "x")
    ]
    assert said_by(read) == said_by(cues)


EASTERN = [
    "今日は晴れです。",
    "公園へ行きましょう",
    "「はい、」",
    "世界，",
    "สวัสดีครับ",
    "コーヒー",
    "OK",
    "Tokyo",
    "media player",
    "42",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(EASTERN), min_size=1, max_size=20), st.sampled_from(["ja", "zh", "th"]))
def test_captions_in_scripts_without_spaces_say_what_the_turn_said(parts, language):
    text = unbroken(parts)
    profile = profile_of(language)
    cues = caption_cues([Turn("Maya", text, 0.0, 3.0 + len(text) / 4)], profile=profile)
    for written, kind in ((to_vtt(cues, language), "vtt"), (to_srt(cues, profile), "srt")):
        read = parse_script(written, kind, "x", language).source.turns
        assert unbroken(turn.text for turn in read) == text
        heard = parse_transcript(written, f".{kind}", "x")
        assert unbroken(turn.text for turn in heard) == text
    assert unbroken(turn.text for turn in parse_transcript(to_json(cues), ".json", "x")) == text
