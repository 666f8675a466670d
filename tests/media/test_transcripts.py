"""Transcripts: every format gives the same turns, transcribers' marks are gone, bad files are refused by their line."""

import importlib.util
import json
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from media.dialogue import Turn, tidy
from media.errors import InputError
from media.scripts import parse_script
from media.transcripts import (
    TRANSCRIPT_SUFFIXES,
    clean_marks,
    find_transcript,
    parse_transcript,
    read_transcript,
)


def test_the_transcript_of_the_recorded_conversation_is_found_and_read():
    package = importlib.util.find_spec("pyannote.audio")
    recording = Path(package.submodule_search_locations[0]) / "sample" / "sample.wav"
    transcript = find_transcript(recording)
    assert transcript == recording.with_suffix(".stm")
    turns = read_transcript(transcript)
    assert len(turns) == 13
    assert turns[0] == Turn("Diane", "Hello?", 6.68, 7.16)
    assert turns[-1] == Turn("Diane", "Oh, I don't hear that in New Jersey now.", 28.445, 29.987)
    assert {turn.speaker for turn in turns} == {"Diane", "Sheila"}


SAME = {
    ".vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>Hello [laughs] there.</v>\n\n"
    "00:02.500 --> 00:04.000\n<v Bob>Hi.</v>\n\n00:05.000 --> 00:06.000\n♪ ♪\n",
    ".srt": "1\n00:00:01,000 --> 00:00:02,000\nANN: Hello [laughs] there.\n\n"
    "2\n00:00:02,500 --> 00:00:04,000\nBOB: Hi.\n",
    ".stm": ";; a comment\ntalk 1 Bob 2.5 4.0 <o,f0,male> Hi.\ntalk 1 Ann 1.0 2.00 <o,f0,female> Hello {laugh} there.\n"
    "talk 1 inter_segment_gap 4.0 9.0 <o,,> ignore_time_segment_in_scoring\n",
    ".json": json.dumps(
        {
            "version": "1.0.0",
            "segments": [
                {"speaker": "Ann", "startTime": 1, "endTime": 1.4, "body": "Hello"},
                {"startTime": 1.5, "endTime": 2.0, "body": "there."},
                {"speaker": "Bob", "startTime": 2.5, "endTime": 4.0, "body": "Hi."},
            ],
        }
    ),
}


@pytest.mark.parametrize("suffix", SAME)
def test_every_timed_format_gives_the_same_turns(suffix, tmp_path):
    path = tmp_path / f"talk{suffix}"
    path.write_text(SAME[suffix])
    assert read_transcript(path) == (Turn("Ann", "Hello there.", 1.0, 2.0), Turn("Bob", "Hi.", 2.5, 4.0))


def test_whispers_own_json_is_read_though_it_names_nobody():
    text = json.dumps(
        {"text": "Hi.", "segments": [{"id": 0, "start": 0.0, "end": 1.5, "text": " Hi."}], "language": "en"}
    )
    assert parse_transcript(text, ".json", "x") == (Turn("", "Hi.", 0.0, 1.5),)


def test_a_caption_without_a_name_is_said_by_the_one_before():
    text = "1\n00:00:01,000 --> 00:00:02,000\nANN: I think\n\n2\n00:00:02,000 --> 00:00:03,000\nwe are on.\n"
    assert [turn.speaker for turn in parse_transcript(text, ".srt", "x")] == ["Ann", "Ann"]
    assert [turn.speaker for turn in parse_transcript(text.replace("ANN: ", ""), ".srt", "x")] == ["", ""]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("今日は天気がいいので、\n公園へ\n行きましょう。", "今日は天気がいいので、公園へ行きましょう。"),
        ("我们用 VLC media\nplayer 看这部\n电影。", "我们用 VLC media player 看这部电影。"),
        ("วันนี้อากาศดีมาก\nเราไปเดินเล่นกัน", "วันนี้อากาศดีมากเราไปเดินเล่นกัน"),
        ("오늘은 날씨가\n좋습니다.", "오늘은 날씨가 좋습니다."),
        ("The weather\nis fine.", "The weather is fine."),
    ],
)
def test_lines_of_a_caption_are_joined_as_their_script_is_written(lines, said):
    times = "00:00:01{0}000 --> 00:00:04{0}000\n"
    assert [turn.text for turn in parse_transcript(f"1\n{times.format(',')}{lines}\n", ".srt", "x")] == [said]
    assert [turn.text for turn in parse_transcript(f"WEBVTT\n\n{times.format('.')}{lines}\n", ".vtt", "x")] == [said]
    scripts = {
        "vtt": f"WEBVTT\n\n{times.format('.')}<v Maya>{lines}</v>\n",
        "text": "MAYA: " + lines.replace("\n", "\n  ") + "\n",
        "yaml": "language: en\nturns:\n  - speaker: Maya\n    text: |\n      " + lines.replace("\n", "\n      ") + "\n",
    }
    for kind, text in scripts.items():
        assert [turn.text for turn in parse_script(text, kind, "x", "en").source.turns] == [said], kind


def test_plain_text_has_no_times_and_may_be_a_script():
    lines = "[00:00:01] ANN: I think\nwe are on.\n\nBOB: Hi ((there)).\n"
    assert parse_transcript(lines, ".txt", "x") == (Turn("Ann", "I think we are on."), Turn("Bob", "Hi there."))
    script = "title: Talk\n\nANN (softly): Hello there.\n  es: Hola.\n"
    assert parse_transcript(script, ".txt", "x") == (Turn("Ann", "Hello there.", direction="softly"),)
    assert [turn.speaker for turn in parse_transcript("Just words.\nAnd more.\n", ".txt", "x")] == ["", ""]


@pytest.mark.parametrize(
    ("marked", "clean"),
    [
        ("{laugh} oh, %uh, well ((I think)) &Chicago is", "oh, well I think Chicago is"),
        ("{breath} , so %um I -- I don't ==", "so I — I don't"),
        ("the th- the ~TV [noise] show", "the the TV show"),
        ("<Spanish hola> <noise> amigo", "hola amigo"),
        ('<foreign lang="Spanish"> hola </foreign>', "hola"),
        ("{yeah / yes} *frobbed* +mis+ #both#", "yeah frobbed mis both"),
        ("(( ))", ""),
        (
            "Oh, hello... And/or R&B at AT & T, 50 % off: well-known?",
            "Oh, hello... And/or R&B at AT & T, 50 % off: well-known?",
        ),
    ],
)
def test_transcribers_marks_are_taken_out_and_words_are_left(marked, clean):
    assert clean_marks(marked) == clean


def test_the_transcript_beside_a_recording_is_the_one_that_says_most(tmp_path):
    recording = tmp_path / "talk.mp3"
    assert find_transcript(recording) is None
    for name in ("talk.mp3", "talk.txt", "talk.STM", "talk.es.vtt", "other.vtt"):
        (tmp_path / name).touch()
    assert find_transcript(recording) == tmp_path / "talk.STM"
    (tmp_path / "talk.srt").touch()
    assert find_transcript(recording) == tmp_path / "talk.srt"
    assert find_transcript(tmp_path / "missing" / "talk.mp3") is None


@pytest.mark.parametrize(
    ("suffix", "text", "message"),
    [
        (".stm", "talk 1 Ann 1.0", "x:1: the line has 4 fields"),
        (".stm", ";;\ntalk 1 Ann 1.0 x Hi.", "x:2: 'x' is not a time"),
        (".stm", "talk 1 Ann 1.0 nan Hi.", "x:1: 'nan' is not a time"),
        (".stm", "talk 1 Ann 2.0 1.0 Hi.", "x:1: the turn ends before it begins"),
        (".stm", "talk 1 Ann 1.0 2.0 {laugh}", "x:1: nothing is said"),
        (".json", '{"segments": [\n}', "x:2: this is not JSON"),
        (".json", "[1]", "x:1: the transcript has no list 'segments'"),
        (".json", '{"segments": [{"startTime": 1, "endTime": 2}]}', "x:1: segment 1 has no text"),
        (
            ".json",
            '{"segments": [{"startTime": NaN, "endTime": 2, "body": "a"}]}',
            "x:1: segment 1 has no proper startTime",
        ),
        (
            ".json",
            '{"segments": [{"startTime": true, "endTime": 2, "body": "a"}]}',
            "x:1: segment 1 has no proper startTime",
        ),
        (
            ".json",
            '{"segments": [{"startTime": 3, "endTime": 2, "body": "a"}]}',
            "x:1: segment 1 ends before it begins",
        ),
        (".json", '{"segments": [{"startTime": 3, "body": "a"}]}', "x:1: segment 1 has no proper endTime"),
        (".json", "[" * 100_000, "x:1: this JSON is nested too deeply"),
        (".json", "9" * 5000, "x:1: this JSON"),
        (".vtt", "WEBVTT\n", "x:1: nothing is said"),
        (".srt", "1\n00:00\nHi.\n", "x:2: a cue needs its times"),
        (".txt", "", "x:1: nothing is said"),
    ],
)
def test_a_bad_transcript_is_refused_by_its_line(suffix, text, message):
    with pytest.raises(InputError) as refused:
        parse_transcript(text, suffix, "x")
    assert str(refused.value).startswith(message)


def test_an_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"\.docx"):
        read_transcript(tmp_path / "talk.docx")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["segments", "speaker", "startTime", "endTime", "body"]), inner, max_size=4)
    ),
    max_leaves=12,
)
segments = st.fixed_dictionaries(
    {
        "startTime": st.floats(-1, 99) | json_values,
        "endTime": st.floats(0, 99),
        "body": st.text(max_size=9) | json_values,
    },
    optional={"speaker": st.text(max_size=9) | json_values},
)
marks = st.lists(
    st.sampled_from(
        ["{", "}", "((", "))", "%uh", "&", "<", ">", "[", "]", "==", "--", "a-", "Ann:", "\n", " ", "talk 1 Ann 1 2 "]
    )
    | st.text(max_size=6),
    max_size=25,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        marks, json_values.map(json.dumps), st.lists(segments, max_size=3).map(lambda s: json.dumps({"segments": s}))
    ),
    st.sampled_from(TRANSCRIPT_SUFFIXES),
)
def test_no_text_raises_anything_but_the_projects_own_error(text, suffix):
    try:
        turns = parse_transcript(text, suffix, "x")
    except InputError as refused:
        assert str(refused).startswith("x:")
    else:
        assert turns
        assert all(any(c.isalnum() for c in turn.text) for turn in turns)
        assert suffix == ".txt" or all(0 <= turn.start < turn.end for turn in turns)


@settings(max_examples=200, deadline=None)
@given(marks)
@example("%uh\x1b")
def test_a_cleaned_text_is_one_tidy_line(text):
    clean = clean_marks(text)
    assert clean == tidy(clean)
    assert "%uh" not in clean.split()


@pytest.mark.parametrize("unit", ["{", "<", "(", "[", "a- ", "%", "-", "*a", "/", ", ", "&", "a/", "{a/", ". , "])
def test_cleaning_takes_linear_time(unit):
    def seconds(size: int) -> float:
        began = time.process_time()
        clean_marks(unit * (size // len(unit)))
        return time.process_time() - began

    assert seconds(400_000) < 40 * max(seconds(40_000), 0.01)
