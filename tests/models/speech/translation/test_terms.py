"""Terms and placeholders: taken out before a text is translated, and back in their place afterwards or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.dialogue import Glossary
from models.speech.translation.lines import sentences
from models.speech.translation.terms import MARK, pieces, protect, restore

GLOSSARY = Glossary(
    ("Ann Lee", "Ann", "C++", "東京"),
    {"night shift": {"de": "Nachtschicht"}, "night": {"de": "Nacht", "pt-BR": "noite"}},
)


@pytest.mark.parametrize(
    ("text", "marked", "meanings"),
    [
        ("Ann Lee and Ann.", "[1] and [2].", ["Ann Lee", "Ann"]),
        ("Annabel, not ann.", "Annabel, not ann.", []),
        ("The Night Shift at night", "The [1] at [2]", ["Nachtschicht", "Nacht"]),
        ("We write C++ in C++17, not XC++.", "We write [1] in [2]17, not XC++.", ["C++", "C++"]),
        ("Hello {name}, {{ full name }}!", "Hello [1], [2]!", ["{name}", "{{ full name }}"]),
        ("%s of ${total}: 100% sure", "[1] of [2]: 100% sure", ["%s", "${total}"]),
        ("See https://example.org/a?b=c. Bye", "See [1]. Bye", ["https://example.org/a?b=c"]),
        ("Write to ann@example.org.", "Write to [1].", ["ann@example.org"]),
        ("As [1] says", "As [1] says", ["[1]"]),
        ("私は東京に", "私は[1]に", ["東京"]),
    ],
)
def test_terms_and_placeholders_become_marks(text: str, marked: str, meanings: list[str]) -> None:
    protected = protect(text, GLOSSARY, "de-CH")
    assert protected.text == marked and [meaning for _, meaning in protected.marks] == meanings


def test_a_term_without_a_translation_in_the_language_is_none() -> None:
    assert protect("night", GLOSSARY, "fr").marks == ()
    assert protect("night", GLOSSARY, "pt").marks == (("[1]", "noite"),)


@given(st.text(alphabet="ab[]12 {}%s.", max_size=30), st.lists(st.text(alphabet="ab[]1 {}", min_size=1, max_size=3)))
def test_a_text_that_comes_back_unchanged_is_the_text(text: str, keep: list[str]) -> None:
    protected = protect(text, Glossary(tuple(keep)), "de")
    assert restore(protected.text, protected.marks) == text
    assert "".join(pieces(protected.text)) == protected.text


@given(st.text(alphabet="a[]1 {}", min_size=1, max_size=20), st.data())
def test_a_mark_that_is_lost_or_doubled_is_found_out(text: str, data: st.DataObject) -> None:
    protected = protect(text + " {x}", Glossary(), "de")
    mark = data.draw(st.sampled_from([one for one, _ in protected.marks]))
    assert restore(protected.text.replace(mark, ""), protected.marks) is None
    assert restore(protected.text + mark, protected.marks) is None
    assert restore(protected.text + "[9999]", protected.marks) is None


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Dr. Lee met J. Smith. “Yes.” He left…", ["Dr. Lee met J. Smith.", "“Yes.”", "He left…"]),
        ("Pi is 3.14 or so.", ["Pi is 3.14 or so."]),
        ("はい。そうです！では", ["はい。", "そうです！", "では"]),
        ("नमस्ते। कैसे हो?", ["नमस्ते।", "कैसे हो?"]),
        ("", []),
    ],
)
def test_sentences(text: str, cut: list[str]) -> None:
    assert sentences(text) == cut


@given(st.text(max_size=80))
def test_no_letter_is_lost_between_sentences(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


def test_marks_are_plain_characters() -> None:
    assert MARK.fullmatch(protect("{a}", Glossary(), "de").text) and "[1]".isascii()
