"""The way to a translator and back: nothing is changed on it, and what does not fit is refused with the whole list."""

import csv
import io
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.dialogue import Dialogue, Turn
from media.errors import InputError
from media.localization import Unit, faults, too_long, translated, units_of
from media.translation_csv import read_csv, write_csv
from media.xliff import CORE, read_xliff, write_xliff

SOME = (
    "=1+1",
    "-x",
    "@a",
    "'=x",
    "''+1",
    "'tis",
    " =2",
    "مرحبا «أنا»",
    "שלום",
    "👩‍🚀👍🏽",
    'a "b", c;d\te',
    "one\ntwo\r\nthree\r",
    "]]>&<&amp;",
)
TEXTS = st.one_of(st.sampled_from(SOME), st.text(max_size=30), st.text("'=+-@ \t\r\n\"\u202ea,;", max_size=8))
DIALOGUES = st.lists(
    st.builds(Turn, speaker=st.sampled_from(["Ann", "Бо", "=Eve"]), text=TEXTS, direction=TEXTS), min_size=1, max_size=6
).map(lambda turns: Dialogue("en", tuple(turns)))


def in_german(dialogue: Dialogue, *texts: str) -> Dialogue:
    return Dialogue("de", tuple(Turn(turn.speaker, text) for turn, text in zip(dialogue.turns, texts, strict=True)))


@given(DIALOGUES, st.data())
def test_xliff_brings_every_text_back(dialogue: Dialogue, data: st.DataObject) -> None:
    units = units_of(dialogue, in_german(dialogue, *(data.draw(TEXTS) for _ in dialogue.turns)), "de")
    source, target, found = read_xliff(write_xliff(units, "en", "de", "talk \x01&.txt"), "talk.xlf")
    assert (source, target) == ("en", "de")
    assert [(one.id, one.source, one.target, one.limit) for one in found] == [
        (one.id, one.source, one.target, one.limit) for one in units
    ]


@given(DIALOGUES.filter(lambda dialogue: not any("\0" in f"{turn.text}{turn.direction}" for turn in dialogue.turns)))
def test_csv_brings_every_cell_back_and_runs_no_formula(dialogue: Dialogue) -> None:
    units = units_of(
        dialogue, in_german(dialogue, *(turn.text[::-1].replace("\0", "") for turn in dialogue.turns)), "de"
    )
    text = write_csv(units)
    assert text.startswith("\ufeff") and read_csv(text, "talk.csv") == units
    for row in list(csv.reader(io.StringIO(text[1:], newline="")))[1:]:
        assert not any(cell.lstrip()[:1] in tuple("=+-@＝＋－＠") or cell[:1] in ("\t", "\r", "\n") for cell in row)


TALK = Dialogue(
    "en",
    (
        Turn("Ann", "Good morning.", 1.0, 3.0, "cheerfully"),
        Turn("Bob", "Hello."),
        Turn("Ann", "A much longer sentence, with a comma."),
    ),
)


def test_a_translator_sees_speaker_direction_limit_and_surroundings() -> None:
    first, second, third = units_of(TALK, None, "de")
    assert first == Unit("t1", "Good morning.", "", "Ann", "cheerfully", "", "Hello.", 34)
    assert (second.id, second.before, second.after) == ("t2", "Good morning.", third.source)
    assert (second.limit, third.limit) == (12, 49)
    assert [one.limit for one in units_of(TALK, None, "ja")] == [17, 12, 25]


def test_an_xliff_document_is_as_the_standard_has_it() -> None:
    root = ElementTree.fromstring(write_xliff(units_of(TALK, None, "de"), "en", "de", "talk.txt"))
    spaces = {"x": CORE, "slr": "urn:oasis:names:tc:xliff:sizerestriction:2.0"}
    assert root.attrib == {"version": "2.1", "srcLang": "en", "trgLang": "de"}
    (file,) = root
    assert file[0].tag == f"{{{spaces['slr']}}}profiles" and file[0].get("generalProfile") == "xliff:codepoints"
    unit = file.find("x:unit", spaces)
    assert unit is not None and [part.tag.rpartition("}")[2] for part in unit] == ["notes", "segment"]
    assert unit.get(f"{{{spaces['slr']}}}sizeRestriction") == "34"
    assert {note.get("category"): note.text for note in unit.iterfind("x:notes/x:note", spaces)} == {
        "speaker": "Ann",
        "direction": "cheerfully",
        "after": "Hello.",
    }
    assert [segment.get("state") for segment in root.iterfind(".//x:segment", spaces)] == ["initial"] * 3


def test_what_translation_tools_add_is_passed_over() -> None:
    document = f"""<?xml version="1.0"?><xliff xmlns="{CORE}" version="2.0" srcLang="en" trgLang="pt-br"><file id="f1">
    <unit id="t1"><segment id="s1" state="final"><source>One.</source>
    <target>Um <pc id="1">bom</pc><ph id="2"/>.</target></segment>
    <ignorable><source> </source></ignorable>
    <segment><source><mrk id="m1" type="term">Two</mrk>.</source><target>Dois.</target></segment></unit></file></xliff>"""
    assert read_xliff(document, "x") == ("en", "pt-BR", (Unit("t1", "One. Two.", "Um bom. Dois."),))


@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_a_table_is_read_as_a_countrys_spreadsheet_writes_it(separator: str) -> None:
    text = (
        separator.join(("Translation", "ID", "source"))
        + "\n"
        + separator.join(('"Eins, ""zwei"""', "t1", "One"))
        + "\n\n"
    )
    assert read_csv(text, "x.csv") == (Unit("t1", "One", 'Eins, "zwei"'),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "x.csv:1: the table needs one column 'id'"),
        ("id,source\n", "x.csv:1: .*'translation'"),
        ("id,id,source,translation\n", "x.csv:1: .*'id'"),
        ("id,source,translation\nt1,One\n", "x.csv:2: the row has 2 cells, not 3"),
        ('id,source,translation\nt1,One,"Eins\n', "not a CSV table"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_csv(text, "x.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<xliff", "x.xlf:1: this is not XML"),
        ("<a/>", "this is a"),
        (
            '<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2"/>',
            "xliff 1.2; save the file as XLIFF 2.1",
        ),
        (f'<xliff version="2.1" srcLang="en" xmlns="{CORE}"/>', "trgLang"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document types"),
    ],
)
def test_a_document_that_is_not_xliff_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_xliff(text, "x.xlf")


def test_everything_that_does_not_fit_is_listed() -> None:
    told = list(units_of(TALK, in_german(TALK, "Guten Morgen.", "Hallo.", "Ein Satz."), "de"))
    assert faults(told, TALK) == []
    assert faults([told[2], told[0], told[1]], TALK) == []
    wrong = [
        told[0],
        told[0],
        told[0],
        Unit("t9", "?", "?"),
        Unit("t2", "Hello!", "Hallo!"),
        Unit("t3", told[2].source, " … "),
    ]
    assert faults(wrong, TALK) == [
        "t1 is there more than once",
        "t9 is no turn of the source",
        "the source of t2 (Bob) has changed",
        "t3 (Ann) is not translated",
    ]
    assert faults([], TALK) == ["t1 (Ann) is missing", "t2 (Bob) is missing", "t3 (Ann) is missing"]


def test_a_translation_outlives_changes_elsewhere() -> None:
    told = units_of(TALK, in_german(TALK, "Guten Morgen.", "Hallo.", "Ein Satz."), "de")
    changed = Dialogue("en", (Turn("Zoe", "Hi."), TALK.turns[0], Turn("Bob", "Goodbye."), TALK.turns[2]))
    assert translated(told, changed) == ("", "Guten Morgen.", "", "Ein Satz.")


def test_one_text_may_be_translated_in_two_ways() -> None:
    twice = Dialogue("en", (Turn("Ann", "Yes."), Turn("Bob", "Yes.")))
    told = units_of(twice, in_german(twice, "Ja.", "Doch."), "de")
    assert translated(told, twice) == ("Ja.", "Doch.")


def test_a_translation_that_is_too_long_is_named() -> None:
    told = units_of(TALK, in_german(TALK, "Guten Morgen.", "Hallo, hallo, hallo.", "Ein Satz."), "de")
    assert too_long(told) == ["t2 (Bob) has 20 characters of 12"]
