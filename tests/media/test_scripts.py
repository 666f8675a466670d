"""Scripts: what each format means, what is refused and how it is said, and that nothing is lost or hangs."""

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.caption_profiles import without_marks
from media.dialogue import Dialogue, Script, Speaker, Turn, display_name, is_speakable, name_fault, speaker_key, tidy
from media.errors import InputError
from media.scripts import SCRIPT_SUFFIXES, guess_language, parse_script, read_script, reads_like, write_script
from media.subtitles import balanced
from media.textfile import decode

EXAMPLE = """\
# a comment
title: The night shift
language: en
cast: Maya = maya-okafor
speaker: Leo = masculine, senior

MAYA (cheerfully): Good morning. The line may go on
  in indented continuation lines.
  es: Buenos días.
  hi: सुप्रभात।

Leo: Hello: it is me.
  es: Hola.
    Soy yo.
  hi: नमस्ते।

maya: Bye.
  es: Adiós.
  hi: विदा।
"""


def test_plain_text_holds_title_languages_hints_directions_and_continued_lines():
    script = parse_script(EXAMPLE, "text", "x.txt")
    assert script.title == "The night shift"
    assert script.languages == ("en", "es", "hi")
    assert script.speakers == {"Maya": Speaker(portrait="maya-okafor"), "Leo": Speaker("masculine", "senior")}
    assert script.source.turns == (
        Turn("Maya", "Good morning. The line may go on in indented continuation lines.", direction="cheerfully"),
        Turn("Leo", "Hello: it is me."),
        Turn("Maya", "Bye."),
    )
    assert [turn.text for turn in script.dialogues["es"].turns] == ["Buenos días.", "Hola. Soy yo.", "Adiós."]
    assert script.dialogues["hi"].turns[0].direction == "cheerfully"


def test_a_speaker_is_the_same_person_however_the_name_is_written_and_shown_as_first_written():
    script = parse_script("McLeod: One.\nMCLEOD: Two.\nÉLODIE: Three.\nélodie: Four.\nमाया: Five.", "text", "x")
    assert [turn.speaker for turn in script.source.turns] == ["McLeod", "McLeod", "Élodie", "Élodie", "माया"]


def test_full_width_colons_and_brackets_count():
    script = parse_script("小明（高兴）：你好，今天天气很好。\n小红：真的吗？", "text", "x")
    assert script.source.turns[0] == Turn("小明", "你好，今天天气很好。", direction="高兴")
    assert script.source.language == "zh"


def test_a_direction_may_hold_a_colon_and_brackets_and_may_be_said_in_two_parts():
    script = parse_script("MAYA (aside: warm (but tired)) (softly): Yes.", "text", "x")
    assert script.source.turns[0] == Turn("Maya", "Yes.", direction="aside: warm (but tired) softly")


@pytest.mark.parametrize(
    ("text", "asked", "language"),
    [
        ("language: pt-br\nMAYA: Hello there, my friend.", "es", "pt-BR"),
        ("MAYA: Hello there, my friend.", "es", "es"),
        ("MAYA: Buenos días a todos.\nLEO: ¿Qué tal estás hoy?", None, "es"),
        ("MAYA: सुप्रभात, आज आप कैसे हैं?", None, "hi"),
        ("MAYA: Hola.", None, "en"),
        ("MAYA: Buenos días a todos.\n  en: Good morning to you all.", None, "es"),
    ],
)
def test_the_language_is_the_declared_one_else_the_one_asked_for_else_the_likely_one(text, asked, language):
    assert parse_script(text, "text", "x", asked).source.language == language


def test_a_guess_is_never_the_language_of_a_translation():
    assert guess_language(["Good morning to you all, my friends"], without=["en"]) != "en"


@pytest.mark.parametrize(
    ("text", "language", "like"),
    [
        ("Das ist leider noch nicht fertig, aber morgen früh ganz bestimmt.", "fr", "de"),
        ("Das ist leider noch nicht fertig, aber morgen früh ganz bestimmt.", "de-AT", None),
        ("Nein, noch nicht.", "fr", None),
        # A language that cannot be told is not taken for the nearest one that can: Afrikaans for Dutch.
        ("Dit is ongelukkig nog nie klaar nie, maar môre vroeg beslis, dankie.", "af", None),
    ],
)
def test_a_text_reads_like_another_language_only_where_that_is_sure(text: str, language: str, like: str | None) -> None:
    assert reads_like([text], language) == like


def test_yaml_holds_the_same_and_nothing_in_it_is_guessed():
    script = parse_script(
        """
title: 12:30
language: no
speakers:
  Leo: {gender: male, age: senior, portrait: leo-1}
turns:
  - {speaker: Leo, direction: yes, text: {no: no, en: 1.50}}
  - speaker: LEO
    text: {en: "Null", no: 2001-01-01}
""",
        "yaml",
        "x",
    )
    assert script.title == "12:30"
    assert script.languages == ("no", "en")
    assert script.dialogues["no"].turns == (Turn("Leo", "no", direction="yes"), Turn("Leo", "2001-01-01", direction=""))
    assert [turn.text for turn in script.dialogues["en"].turns] == ["1.50", "Null"]
    assert script.speakers == {"Leo": Speaker("masculine", "senior", "leo-1")}


def test_a_webvtt_script_takes_speakers_from_voice_tags_and_times_from_cues():
    script = parse_script(
        "WEBVTT - from a studio\nKind: captions\nLanguage: es-419\n\nSTYLE\n::cue { color: red }\n\nNOTE a remark\n\n"
        "intro\n00:01.000 --> 00:02.500 align:start\n<v.loud Maya &amp; Co>Hola <i>a</i>\ntodos &lt;hoy&gt;.</v>\n\n"
        "01:00:03.000 --> 01:00:05.000\n<v Leo>Sí.</v> <v Maya &amp; Co>No.\n\n"
        "01:00:06.000 --> 01:00:07.000\nY adiós.\n",
        "vtt",
        "x",
    )
    assert script.source == Dialogue(
        "es-419",
        (
            Turn("Maya & Co", "Hola a todos <hoy>.", 1.0, 2.5),
            Turn("Leo", "Sí.", 3603.0, 3604.0),
            Turn("Maya & Co", "No. Y adiós.", 3604.0, 3607.0),
        ),
    )


def test_an_srt_script_takes_speakers_from_the_text():
    script = parse_script(
        "1\r\n00:00:01,000 --> 00:00:02,000\r\nMAYA: {\\an8}Good <i>morning</i>,\r\nLeo: how are you?\r\n\r\n"
        "2\r\n00:00:02,000 --> 00:00:04,000\r\n- Leo (yawning): Fine.\r\n- Maya: Good.\r\n",
        "srt",
        "x",
        "en",
    )
    # A name in the middle of a cue counts only once it has been met (or after a dash): prose has colons, too.
    assert [(turn.speaker, turn.text, turn.direction) for turn in script.source.turns] == [
        ("Maya", "Good morning, Leo: how are you?", ""),
        ("Leo", "Fine.", "yawning"),
        ("Maya", "Good.", ""),
    ]


REFUSED = [
    ("text", "", 1, "empty"),
    ("text", " \n\ufeff\n", 1, "empty"),
    ("text", "# only a comment\n", 1, "no turns"),
    ("text", "title: x\nlanguage: en\n", 1, "no turns"),
    ("text", "Once upon a time\nthere was a lamp.\n", 1, "no speakers"),
    ("text", "title: x\n\nOnce upon a time.\n", 3, "no speakers"),
    ("text", "MAYA: Hi.\nAnd then.\n", 2, "no speaker is named"),
    ("text", "MAYA: Hi.\nhttps://example.org is it.\n", 2, "no speaker is named"),
    ("text", "MAYA: Hi.\n\nLEO:\n", 3, "Leo has nothing to say"),
    ("text", "MAYA: Hi.\n  es: ...\n", 1, "Maya has nothing to say in 'es'"),
    ("text", "  MAYA: Hi.\n", 1, "indented"),
    ("text", "MAYA: Hi.\n  LEO: Hello.\n", 2, "'LEO' looks like a speaker"),
    ("text", "Maya: Hi.\nLeo: Hm.\n  maya: Hello.\n", 3, "'maya' looks like a speaker"),
    ("text", "MAYA: Hi.\n  Spanish: Hola.\n", 2, "write 'es:'"),
    ("text", "MAYA: Hi.\n  xx: Hola.\n", 2, "'xx' is not a language tag"),
    ("text", "language: klingonese\nMAYA: Hi.\n", 1, "'klingonese' is not a language tag"),
    ("text", "MAYA: Hi.\n  es: Hola.\n  es: Hola.\n", 3, "'es' already"),
    ("text", "language: en\nMAYA: Hi.\n  en: Hi.\n", 2, "own language"),
    ("text", "MAYA: Hi.\n  es: Hola.\nLEO: Hm.\nMAYA: Yes.\n", 3, "no line in 'es', but that in line 1"),
    ("text", "MAYA: Hi.\nLEO: Hm.\n  es: Hm.\n", 1, "no line in 'es', but that in line 2"),
    ("text", "langage: en\nMAYA: Hi.\n", 1, "write 'language:'"),
    ("text", "Speakers: Maya\nMAYA: Hi.\n", 1, "write 'speaker:'"),
    ("text", "author: Jane\ntitle: x\n\nMAYA: Hi.\n", 1, "'author' is not a header"),
    ("text", "title: x\ntitle: y\nMAYA: Hi.\n", 2, "twice"),
    ("text", "Speaker: Hi.\n", 1, "'---'"),
    ("text", "cast: Mayo = m-1\nMAYA: Hi.\n", 1, "did you mean Maya"),
    ("text", "speaker: Zebedee = young\nMAYA: Hi.\nLEO: Hm.\n", 1, "the speakers are Maya, Leo"),
    ("text", "cast: Maya = m-1, Leo = m-1\nMAYA: Hi.\nLEO: Hm.\n", 1, "same portrait"),
    ("text", "cast: Maya = m-1\ncast: Maya = m-2\nMAYA: Hi.\n", 2, "portrait already"),
    ("text", "cast: Maya = no such slug\nMAYA: Hi.\n", 1, "not a portrait's name"),
    ("text", "speaker: Maya = purple\nMAYA: Hi.\n", 1, "'purple' is not a hint"),
    ("text", "MAYA: Hi\0.\n", 1, "not a text file"),
    ("text", "MAYA: Hi.\nLEO: \ud800.\n", 2, "UTF-8"),
    ("yaml", "title: [x\n", 2, "not YAML"),
    ("yaml", "# nothing\n", 1, "empty"),
    ("yaml", "- x\n", 1, "must have the keys"),
    ("yaml", "turns: []\n", 1, "no turns"),
    ("yaml", "title: x\n", 1, "no list of turns"),
    ("yaml", "turns:\n- speaker: A\n  txt: Hi\n", 3, "did you mean 'text'"),
    ("yaml", "turns:\n- speaker: A\n  text: ''\n", 2, "nothing to say"),
    ("yaml", "turns:\n- speaker: A\n  text: {xx: Hi}\n", 3, "'xx' is not a language tag"),
    (
        "yaml",
        "turns:\n- {speaker: A, text: {en: Hi, es: Hola}}\n- {speaker: B, text: {en: Hi}}\n",
        3,
        "no line in 'es'",
    ),
    ("yaml", "turns:\n- {speaker: 'A: B', text: Hi}\n", 2, "in it"),
    ("yaml", "turns:\n- {speaker: A, text: Hi, start: 2, end: 1}\n", 2, "later 'end'"),
    ("yaml", "turns:\n- {speaker: A, text: Hi, start: .nan, end: 1}\n", 2, "must be seconds"),
    ("yaml", "speakers: {B: {age: young}}\nturns:\n- {speaker: A, text: Hi}\n", 1, "B does not speak"),
    ("yaml", "title: x\ntitle: y\n", 2, "twice"),
    ("yaml", "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", 2, "aliases"),
    ("yaml", "--- {}\n--- {}\n", 2, "several"),
    ("yaml", "title: \x01\n", 1, "not allowed"),
    ("vtt", "MAYA: Hi.\n", 1, "WEBVTT"),
    ("vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nHi.\n", 4, "does not say who speaks"),
    ("vtt", "WEBVTT\n\n00:01.000 -> 00:02.000\n<v Maya>Hi.\n", 4, "needs its times"),
    ("vtt", "WEBVTT\n\n1\n00:61.000 --> 00:62.000\n<v Maya>Hi.\n", 4, "up to 59"),
    ("vtt", "WEBVTT\n\n00:02.000 --> 00:01.000\n<v Maya>Hi.\n", 3, "ends before it begins"),
    ("vtt", "WEBVTT\n\n00:02.000 --> 00:03.000\n<v Maya></v>\n", 4, "Maya has nothing to say"),
    ("vtt", "WEBVTT\n00:02.000 --> 00:03.000\n<v Maya>Hi.</v>\n", 2, "blank line"),
    ("vtt", "WEBVTT\nLanguage: xx\n\n00:02.000 --> 00:03.000\n<v Maya>Hi.</v>\n", 2, "'xx' is not a language tag"),
    ("srt", "1\n00:00:01,000 --> 00:00:02,000\nHi.\n", 3, "does not say who speaks"),
    ("srt", "1\n00:00:01,000 to 00:00:02,000\nMaya: Hi.\n", 2, "needs its times"),
    (
        "srt",
        "1\n00:00:01,000 --> 00:00:02,000\nMaya: Hi.\n2\n00:00:02,000 --> 00:00:03,000\nMaya: Ho.\n",
        2,
        "blank line",
    ),
]


@pytest.mark.parametrize(("kind", "text", "line", "words"), REFUSED, ids=[f"{k}:{w}" for k, _, _, w in REFUSED])
def test_bad_input_is_refused_in_a_sentence_with_its_line(kind, text, line, words):
    with pytest.raises(InputError) as refused:
        parse_script(text, kind, "talk.x")
    message = str(refused.value)
    assert message.startswith(f"talk.x:{line}: ")
    assert words in message
    assert message.endswith((".", "?"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("MAYA: Hi.\nLEO: Olé.\n".encode("latin-1"), ":2: the text is not UTF-8"),
        ("MAYA: Hi.\n".encode("utf-16"), "UTF-16"),
        (b"RIFF\x24\x00\x00\x00WAVE\xff\xff", "not a text file"),
        (b"", "empty"),
        (b"MAYA: Hi.\n" * 1_000_001, "larger than 10 MB"),
    ],
)
def test_a_file_that_is_not_a_script_is_refused(tmp_path, content, words):
    path = tmp_path / "talk.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(words)) as refused:
        read_script(path)
    assert str(refused.value).startswith(str(path))


def test_a_path_that_cannot_be_read_is_refused(tmp_path):
    for path in (tmp_path / "missing.txt", tmp_path / "talk.doc", tmp_path):
        with pytest.raises(InputError):
            read_script(path)
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(InputError, match="not a file"):
        read_script(tmp_path / "folder.txt")


def test_every_suffix_is_read(tmp_path):
    script = Script({"en": Dialogue("en", (Turn("Maya", "Good morning.", 0.5, 1.25),))})
    for suffix, kind in SCRIPT_SUFFIXES.items():
        path = tmp_path / f"talk{suffix.upper()}"
        path.write_bytes(b"\xef\xbb\xbf" + write_script(script, kind).encode())
        turn = read_script(path, "en").source.turns[0]
        assert (turn.speaker, turn.text) == ("Maya", "Good morning.")


def test_a_translation_can_be_written_by_itself():
    script = parse_script("MAYA: Hi.\n  es: Hola.", "text", "x", "en")
    timed = {tag: d.with_turns(replace(t, start=1.0, end=2.0) for t in d.turns) for tag, d in script.dialogues.items()}
    assert "<v Maya>Hola.</v>" in write_script(replace(script, dialogues=timed), "vtt", "es")
    with pytest.raises(InputError, match="'de'"):
        write_script(script, "srt", "de")
    with pytest.raises(InputError, match="no times"):
        write_script(script, "vtt")


# What every dialogue keeps through a file

# Pieces that mean something to one of the parsers, so that hypothesis puts them where they hurt.
TRAPS = [
    "-->",
    "00:00:01.000 --> 00:00:02.000",
    "<v Leo>",
    "</v>",
    "&amp;",
    "&lt",
    "es: ",
    "#",
    "---",
    "title:",
    "(a) ",
]
TRAPS += [
    ": ",
    "：",
    "- ",
    "{\\an8}",
    "<i>",
    "NOTE ",
    "WEBVTT",
    "\n",
    "\n\n",
    "*a",
    "&a",
    "|",
    "'",
    '"',
    "!!",
    "\u2028",
    "e\u0301",
]


def unmarked(text: str) -> str:
    """Without marks of direction: in WebVTT and SRT they belong to the file, not to what is said."""
    return tidy(without_marks(tidy(text)))


texts = (
    st.lists(
        st.one_of(st.text(max_size=8), st.sampled_from(TRAPS), st.sampled_from(["Hola", "नमस्ते।", "你好"])), max_size=6
    )
    .map(lambda parts: unmarked(" ".join(parts)))
    .filter(is_speakable)
)
names = (
    st.one_of(
        st.sampled_from(
            ["Maya", "Leo", "title", "Speaker", "cast", "language", "lang", "es", "Ann, PhD", "O'Neil", "小明", "no"]
        ),
        st.text(min_size=1, max_size=12),
    )
    .map(unmarked)
    .map(display_name)
    .filter(lambda name: name_fault(name) is None)
)
directions = st.one_of(st.just(""), st.text(max_size=8), st.sampled_from(TRAPS)).map(unmarked).map(balanced)
hints = st.builds(
    Speaker,
    st.sampled_from([None, "feminine", "masculine", "neutral"]),
    st.sampled_from([None, "young", "adult", "senior"]),
)


@st.composite
def scripts(draw, languages=("en", "es", "hi", "pt-BR", "no", "zh-Hans"), timed=False):
    people = draw(st.lists(names, min_size=1, max_size=4, unique_by=speaker_key))
    tags = draw(st.lists(st.sampled_from(languages), min_size=1, max_size=1 if timed else 3, unique=True))
    turns = []
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, 10_000_000)) if timed else None
        times = (None, None) if start is None else (start / 1000, (start + draw(st.integers(1, 100_000))) / 1000)
        turns.append((draw(st.sampled_from(people)), times, draw(directions), [draw(texts) for _ in tags]))
    dialogues = {
        tag: Dialogue(tag, tuple(Turn(name, said[i], *times, direction) for name, times, direction, said in turns))
        for i, tag in enumerate(tags)
    }
    heard = dialogues[tags[0]].speakers
    speakers = {name: draw(hints) for name in draw(st.lists(st.sampled_from(heard), unique=True))}
    wished = draw(st.lists(st.sampled_from(heard), unique=True))
    for number, name in enumerate(wished):
        speakers[name] = replace(speakers.get(name, Speaker()), portrait=f"portrait-{number}")
    title = draw(st.one_of(st.just(""), texts))
    return Script(dialogues, title, {name: hint for name, hint in speakers.items() if hint != Speaker()})


@settings(max_examples=300, deadline=None)
@given(scripts(), st.sampled_from(["text", "yaml"]))
def test_any_script_survives_being_written_and_read(script, kind):
    again = parse_script(write_script(script, kind), kind, "x")
    assert again == script
    assert again.languages == script.languages


@settings(max_examples=150, deadline=None)
@given(scripts(timed=True))
def test_any_timed_dialogue_survives_yaml_with_its_times(script):
    assert parse_script(write_script(script, "yaml"), "yaml", "x") == script


@settings(max_examples=300, deadline=None)
@given(scripts(timed=True))
def test_any_timed_dialogue_survives_webvtt(script):
    source = script.source
    expected = source.with_turns(replace(t, direction=t.direction.replace("-->", "→")) for t in source.turns)
    assert parse_script(write_script(script, "vtt"), "vtt", "x").source == expected


ALIKE = str.maketrans("<>{}", "‹›[]")


@settings(max_examples=300, deadline=None)
@given(scripts(timed=True))
def test_any_timed_dialogue_survives_srt(script):
    # SRT has no escapes: times and tags within the text are written with characters that look alike.
    def kept(text: str) -> str:
        return text.translate(ALIKE).replace("-->", "→").replace("--›", "→")

    again = parse_script(write_script(script, "srt"), "srt", "x", script.source.language)
    for turn, found in zip(script.source.turns, again.source.turns, strict=True):
        assert (found.speaker, found.start, found.end) == (turn.speaker, turn.start, turn.end)
        assert kept(found.text) == kept(turn.text)
        assert kept(found.direction) == kept(turn.direction)


kinds = st.sampled_from(["text", "yaml", "vtt", "srt"])
pieces = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.sampled_from([*TRAPS, "MAYA: Hi.\n", "\n  ", "turns:\n- speaker: A\n  text: ", "\t", "[", "{"]),
    ),
    max_size=30,
).map("".join)


def refused_or_read(text: str, kind: str) -> None:
    try:
        script = parse_script(text, kind, "x")
    except InputError as refused:
        assert str(refused).startswith("x:")
    else:
        assert script.source.turns


@settings(max_examples=500, deadline=None)
@given(pieces, kinds)
def test_no_text_raises_anything_but_the_projects_own_error(text, kind):
    refused_or_read(text, kind)
    refused_or_read("WEBVTT\n\n00:01.000 --> 00:02.000\n" + text, "vtt")
    refused_or_read("1\n00:00:01,000 --> 00:00:02,000\n" + text, "srt")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), kinds)
def test_no_bytes_raise_anything_but_the_projects_own_error(content, kind):
    try:
        text = decode(content, "x")
    except InputError:
        return
    refused_or_read(text, kind)


# Inputs that make careless parsers take quadratic or exponential time
HEAVY = {
    "colons": lambda n: "A" + ":" * n,
    "brackets": lambda n: "A " + "(" * n,
    "bracket pairs": lambda n: "A " + "()" * n + ": x",
    "spaces": lambda n: "A: x" + " " * n + "y",
    "blank lines": lambda n: "A: x\n" + "\n" * n,
    "casts": lambda n: "cast: " + "A=b," * (n // 4) + "\nA: x",
    "continuations": lambda n: "A: x\n" + " y\n" * (n // 3),
    "turns": lambda n: "Anna: x\n" * (n // 8),
    "cut tags": lambda n: "WEBVTT\n\n00:01.000 --> 00:02.000\n" + "<v A" * (n // 4),
    "voices": lambda n: "WEBVTT\n\n00:01.000 --> 00:02.000\n" + "<v A>x\n" * (n // 7),
    "entities": lambda n: "WEBVTT\n\n00:01.000 --> 00:02.000\n<v A>" + "&" * n,
    "cue lines": lambda n: "1\n00:00:01,000 --> 00:00:02,000\nA: x\n" + "- A: y\n" * (n // 7),
    "cues": lambda n: "00:00:01,000 --> 00:00:02,000\nA: x\nb\n\n" * (n // 37),
    "srt tags": lambda n: "1\n00:00:01,000 --> 00:00:02,000\nA: " + "<i " * (n // 3) + "{\\" * n,
    "flow lists": lambda n: "[" * n,
    "flow maps": lambda n: "{a: " * (n // 4),
    "keys": lambda n: "".join(f"k{i}: v\n" for i in range(n // 10)),
    "quotes": lambda n: "turns: '" + "''" * (n // 2),
    "anchors": lambda n: "turns: [" + "&a x, " * (n // 6) + "]",
    "indent": lambda n: "".join(" " * i + "- \n" for i in range(int((2 * n) ** 0.5))),
}


@pytest.mark.parametrize("make", HEAVY.values(), ids=HEAVY.keys())
def test_a_heavy_input_takes_linear_time(make):
    def seconds(size: int) -> float:
        began = time.process_time()
        for kind in ("text", "yaml", "vtt", "srt"):
            refused_or_read(make(size), kind)
        return time.process_time() - began

    seconds(1_000)
    # The best of three: other work on the machine can stretch any one of them.
    assert any(seconds(200_000) < 40 * max(seconds(20_000), 0.01) for _ in range(3))


def test_the_shipped_example_is_read():
    script = read_script(Path(__file__).parents[2] / "examples" / "launch.txt")
    assert {"en", "es", "hi"} <= set(script.languages)
    assert 2 <= len(script.source.speakers) <= 3
    assert 40 <= sum(len(turn.text.split()) for turn in script.source.turns) <= 65


def test_the_examples_in_the_formats_description_are_read():
    description = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", description, re.DOTALL | re.MULTILINE)
    begins = {"text": "# a comment", "yaml": "title:", "vtt": "WEBVTT", "srt": "1\n"}
    for kind, beginning in begins.items():
        (example,) = [block for block in blocks if block.startswith(beginning)]
        assert parse_script(example, kind, "x").source.speakers == ("Maya", "Leo")


def test_a_scripts_glossary_is_read_and_written() -> None:
    text = "language: en\nglossary:\n  keep: [Maya]\n  terms: {night: {de: Nacht}}\nturns:\n- {speaker: A, text: Hi}\n"
    script = parse_script(text, "yaml", "talk.yaml")
    assert script.glossary.keep == ("Maya",) and script.glossary.terms == {"night": {"de": "Nacht"}}
    assert parse_script(write_script(script, "yaml"), "yaml", "talk.yaml") == script
    with pytest.raises(InputError, match=r"talk\.yaml:2: a glossary has the keys"):
        parse_script("language: en\nglossary: {kept: []}\nturns:\n- {speaker: A, text: Hi}\n", "yaml", "talk.yaml")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text", "language: en\nAnn: One.\n  de: Eins.\nBob: Two.\n"),
        (
            "yaml",
            "language: en\nturns:\n- {speaker: Ann, text: {en: One., de: Eins.}}\n- {speaker: Bob, text: {en: Two.}}\n",
        ),
    ],
)
def test_a_translation_may_have_gaps_where_they_are_filled_later(kind: Any, text: str) -> None:
    with pytest.raises(InputError, match="no line in 'de'"):
        parse_script(text, kind, "talk")
    script = parse_script(text, kind, "talk", gaps=True)
    assert [turn.text for turn in script.dialogues["de"].turns] == ["Eins.", ""]
    with pytest.raises(InputError, match="in 'en'"):
        parse_script(
            text.replace("One.", "") if kind == "text" else text.replace("en: One., ", ""), kind, "t", gaps=True
        )


def test_a_voice_and_its_consent_stand_in_yaml_and_are_not_lost_in_plain_text() -> None:
    text = (
        "language: en\nspeakers:\n  Ann: {voice: voices/ann.wav, consent: 'Ann Lee, 2026'}\n"
        "turns:\n- {speaker: Ann, text: Hello.}\n"
    )
    script = parse_script(text, "yaml", "a.yaml")
    assert script.speakers["Ann"].voice == "voices/ann.wav" and script.speakers["Ann"].consent == "Ann Lee, 2026"
    assert parse_script(write_script(script, "yaml"), "yaml", "a.yaml") == script
    with pytest.raises(InputError, match=r"Ann has a voice.*YAML"):
        write_script(script, "text")
