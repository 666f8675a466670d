"""The checker of caption files: it finds what is wrong in others' files, and nothing in our own."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.caption_check import Report, check_captions
from media.caption_profiles import Profile, guess_language, profile_of
from media.captions import caption_cues, to_json, to_srt, to_vtt
from media.dialogue import Turn
from media.errors import InputError


def vtt(*cues: tuple[str, str, str], language: str = "en") -> str:
    blocks = [f"00:00:{start} --> 00:00:{end}\n{text}" for start, end, text in cues]
    return "\n\n".join([f"WEBVTT\nLanguage: {language}", *blocks]) + "\n"


def check(
    folder: Path, text: str, name: str = "talk.vtt", language: str | None = None, fps: float | None = None
) -> Report:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return check_captions(path, language, fps)


GOOD = ("01.000", "04.000", "<v Ann>When the evening comes,\nthe lamp goes dark.</v>")


@pytest.mark.parametrize(
    ("rule", "value", "limit", "cue"),
    [
        ("lines", 3, 2, ("05.000", "09.000", "one line\nand another\nand a third")),
        ("line length", 50, 42, ("05.000", "09.000", "x" * 50)),
        ("reading speed", 19.5, 17.0, ("05.000", "07.000", "He said it all so fast that he\nlost us.")),
        ("too short", 0.5, 0.83, ("05.000", "05.500", "Yes.")),
        ("too long", 9.0, 7.0, ("05.000", "14.000", "Well.")),
        ("overlap", 1.0, 0.0, ("00.000", "02.000", "Good day.")),
        ("gap", 1.0, 2.0, ("04.040", "06.000", "Good day.")),
        ("empty", "no text", "some text", ("05.000", "06.000", "<i></i>")),
        ("line break", "the | lamp", "", ("05.000", "09.000", "We all looked at the\nlamp in the corner over there.")),
        (
            "line break",
            "25 | kilometres",
            "",
            ("05.000", "09.000", "And then they walked for 25\nkilometres in the rain."),
        ),
        ("direction", "right to left", "left to right", ("05.000", "07.000", "مرحبا is a word.")),
    ],
)
def test_every_rule_finds_what_breaks_it(
    tmp_path: Path, rule: str, value: object, limit: object, cue: tuple[str, str, str]
) -> None:
    cues = sorted([GOOD, cue])
    report = check(tmp_path, vtt(*cues))
    (found,) = report.errors
    assert (found.rule, found.value, found.limit) == (rule, value, limit)
    assert found.cue == (cues.index(GOOD) if rule == "overlap" else cues.index(cue)) + (rule != "gap") - (
        rule == "overlap"
    ) * (cues.index(GOOD) - cues.index(cue))
    assert check(tmp_path, vtt(GOOD)).violations == ()


def test_what_is_too_fast_is_a_warning_only_where_nothing_in_the_file_could_help(tmp_path: Path) -> None:
    fast = "He said it all so fast that he\nlost us."
    following = ("07.080", "10.000", "And then there was a long silence\nin the house.")
    (warning,) = check(tmp_path, vtt(("05.000", "07.000", fast), following)).violations
    assert warning.warning and warning.as_json()["message"] == "speech is faster than the limit"
    later = ("08.000", "11.000", following[2])
    (error,) = check(tmp_path, vtt(("05.000", "07.000", fast), later)).violations
    assert not error.warning, "it could stay until the next one"


def test_two_short_cues_that_could_be_one_are_an_error(tmp_path: Path) -> None:
    ann, bob, both = (
        ("05.000", "05.600", "<v Ann>Coming?</v>"),
        ("05.680", "06.280", "<v Bob>Yes.</v>"),
        ("06.360", "10.000", "<v Ann>Then let us go before it is too\nlate for the two of us.</v>"),
    )
    assert [(one.cue, one.warning) for one in check(tmp_path, vtt(ann, bob, both)).violations] == [
        (1, False),
        (2, False),
    ]
    assert [(one.cue, one.warning) for one in check(tmp_path, vtt(bob, both)).violations] == [(1, True)]


def test_other_languages_have_their_own_limits(tmp_path: Path) -> None:
    line = "今天天气很好我们去公园散步吧好不好"  # 17 characters
    report = check(tmp_path, vtt(("01.000", "04.000", line), language="zh"))
    assert [(one.rule, one.value, one.limit) for one in report.errors] == [("line length", 17, 16)]
    report = check(tmp_path, vtt(("01.000", "02.000", line[:12]), language="zh"))
    assert [(one.rule, one.value, one.limit) for one in report.errors] == [("reading speed", 12, 9)]
    assert check(tmp_path, vtt(("01.000", "02.000", "다" * 12), language="ko")).errors == ()
    report = check(tmp_path, vtt(("01.000", "06.000", "彼はゆっくり言った\n、そして去った。"), language="ja"))
    assert [(one.rule, one.value) for one in report.errors] == [("line break", "彼はゆっくり言った | 、そして去った。")]
    report = check(tmp_path, vtt(("01.000", "04.000", "GPS جهاز جديد."), language="ar"))
    assert [(one.rule, one.value) for one in report.errors] == [("direction", "left to right")]
    assert check(tmp_path, vtt(("01.000", "04.000", "\u200fGPS جهاز جديد."), language="ar")).errors == ()


def test_the_language_is_found_in_the_header_the_name_or_the_script(tmp_path: Path) -> None:
    srt = "1\n00:00:01,000 --> 00:00:03,000\n{}\n"
    assert check(tmp_path, srt.format("Hola."), "talk.es.srt").language == "es"
    assert check(tmp_path, srt.format("Hola."), "talk.es.draft.srt").language == "es"
    assert check(tmp_path, srt.format("こんにちは世界"), "talk.srt").language == "ja"
    assert check(tmp_path, vtt(GOOD, language="fr"), "talk.es.vtt").language == "fr"
    assert check(tmp_path, vtt(GOOD), "talk.vtt", language="de").language == "de"
    assert [guess_language(text) for text in ("你好", "안녕", "مرحبا", "שלום", "Hi", "1")] == [
        "zh",
        "ko",
        "ar",
        "he",
        "",
        "",
    ]


def test_names_in_srt_count_for_the_line_but_not_for_the_speed(tmp_path: Path) -> None:
    name = "Alexandra Montgomery"
    srt = f"1\n00:00:01,000 --> 00:00:02,000\n{name}: I saw it myself.\n"
    assert check(tmp_path, srt, "a.srt").violations == ()
    report = check(tmp_path, srt.replace("I saw it myself.", "I saw it all by myself."), "a.srt")
    assert [(one.rule, one.value) for one in report.violations] == [("line length", 45), ("reading speed", 23)]


def test_a_transcript_is_checked_by_the_lines_it_needs(tmp_path: Path) -> None:
    def transcript(body: str, end: float) -> str:
        return json.dumps({"version": "1.0.0", "segments": [{"startTime": 1, "endTime": end, "body": body}]})

    assert check(tmp_path, transcript("word " * 16, 7), "a.json").violations == ()
    assert [one.rule for one in check(tmp_path, transcript("word " * 20, 8), "a.json").violations] == ["lines"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.vtt", "no captions", "WEBVTT"),
        ("a.vtt", "WEBVTT\n", "no caption"),
        ("a.srt", "1\nsoon --> later\nHi.", "times"),
        ("a.json", "[]", "transcript"),
        ("a.json", '{"segments": [{"startTime": 2, "endTime": 1, "body": "x"}]}', "transcript"),
        ("a.txt", "Hi.", ".txt"),
    ],
)
def test_an_unreadable_file_is_refused_with_its_name(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        check(tmp_path, text, name)
    assert name in str(refused.value)


# Our own captions


WORDS = {
    "en": "the a of and lamp evening, we have learned that it dims at o'clock. Maya Okafor said: yes! no? 25 kilometres"
    " Dr. Hamilton in Paris because I am extraordinarily well-known",
    "es": "la lámpara, que hemos visto. pero no sé ¿qué? el 10 % de los días María García en Madrid",
    "de": "die Donaudampfschifffahrtsgesellschaft, und der Hund. nicht weil wir Herr Müller 3 Tage Lebensversicherungsvertrag",
    "hi": "नमस्ते। हम ने घर में चाय, पी और वह नहीं आया है क्योंकि मेरा दोस्त",
    "ar": "مرحبا بالعالم، السلام عليكم. اسمي GPS في كل مكان 10 كيلومترات إلى البيت.",
    "he": "שלום, עולם. אני את הבית של GPS על 5 ימים",
    "zh": "今天天气很好， 我们去公园散步吧。 你觉得怎么样？ 我觉得可以， 25公里 「好」 因为下午可能会下雨。",
    "ja": "東京都の 天気予報を、 確認して ください。 「はい」 コンピューター 25度で っ ー",
    "ko": "안녕하세요. 저는 서울에서 왔어요, 그리고 3 개의 사과를",
    "th": "สวัสดีครับ วันนี้อากาศดีมาก เราไปเดินเล่น",
}
SPACELESS = ("zh", "ja", "th")
PEOPLE = ["Ann", "Bob", "小明", "ليلى", "Dr. Alexandra Hamilton-Montgomery of Kent", ""]


def dialogue(seed: int, language: str, count: int, overlap: bool) -> list[Turn]:
    """Turns of one word to forty, spoken slowly or very fast, one after the other or on top of each other."""
    chance = random.Random(seed)
    pool = WORDS[language].split()
    turns, time = [], 0.0
    for _ in range(count):
        length = chance.choice([1, 1, 2, 3, 8, 20, 40]) if chance.random() < 0.7 else chance.randint(1, 3)
        text = ("" if language in SPACELESS else " ").join(chance.choice(pool) for _ in range(length))
        seconds = max(0.15, len(text) / chance.choice([4, 8, 12, 15, 17, 20, 30]))
        time = max(0.0, time + (chance.uniform(-1.5, 1) if overlap else chance.choice([0, 0.05, 0.35, 2])))
        turns.append(Turn(chance.choice(PEOPLE), text, round(time, 3), round(time + seconds, 3)))
        time += seconds
    return turns


def reports(folder: Path, turns: Sequence[Turn], profile: Profile, fps: float, until: float | None) -> list[Report]:
    cues = caption_cues(turns, None, profile, fps, until)
    files = (("vtt", to_vtt(cues, profile.language)), ("srt", to_srt(cues, profile)), ("json", to_json(cues)))
    return [
        check(folder, text, f"talk.{profile.language}.{suffix}", None, rate)
        for suffix, text in files
        for rate in (None, fps)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("captions")


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(sorted(WORDS)),
    st.integers(1, 12),
    st.booleans(),
    st.sampled_from([12, 24, 25, 30, 60]),
    st.sampled_from([None, 0.0, 0.5]),
)
def test_our_own_captions_keep_every_rule(
    folder: Path, seed: int, language: str, count: int, overlap: bool, fps: float, lead_out: float | None
) -> None:
    turns = dialogue(seed, language, count, overlap)
    until = None if lead_out is None else max(turn.end or 0 for turn in turns) + lead_out
    for report in reports(folder, turns, profile_of(language), fps, until):
        assert report.errors == ()
        assert report.language == language


@pytest.mark.parametrize("language", sorted(WORDS))
def test_a_hundred_turns_keep_every_rule(folder: Path, language: str) -> None:
    for report in reports(folder, dialogue(7, language, 100, overlap=True), profile_of(language), 25, None):
        assert report.errors == ()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(sorted(WORDS)), st.integers(1, 12))
def test_speech_that_can_be_read_gets_no_warning_either(folder: Path, seed: int, language: str, count: int) -> None:
    chance, profile, time, turns = random.Random(seed), profile_of(language), 0.0, []
    for turn in dialogue(seed, language, count, overlap=False):
        # A tenth slower than the limit; with a name in SRT, and a pause between turns.
        seconds = max(1.0, profile.chars((turn.text,)) / (0.75 * profile.chars_per_second))
        turns.append(Turn(turn.speaker, turn.text, time, time + seconds))
        time += seconds + chance.choice([0.35, 0.6, 2])
    for report in reports(folder, turns, profile, 25, None):
        assert report.violations == ()
