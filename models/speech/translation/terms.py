"""What must not be translated is taken out of a text before it is translated, and put back afterwards.

Marks such as `[1]` stand for it meanwhile: plain characters, which every vocabulary has and models are used to copying.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import regex

from media.dialogue import Glossary

_PLACEHOLDER = r"\{\{[^{}]*\}\}|\$?\{[^{}\s]+\}|%(?:\d+\$)?[sd@](?!\w)|<[^<>\s][^<>]*>|https?://\S*[\w/]|[\w.+-]+@[\w-]+\.[\w.-]*\w"
_LETTER = r"[\w--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]"
"""A letter of a script that puts spaces between words."""
MARK = regex.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Protected:
    """A text with marks in it, and what each mark stands for in the translation, in order of appearance."""

    text: str
    marks: tuple[tuple[str, str], ...]


def protect(text: str, glossary: Glossary, language: str) -> Protected:
    """Put marks in the place of placeholders (`{name}`, `%s`, addresses), kept terms and glossary terms.

    Terms are found as whole words, the longest first; kept terms as they are written, glossary terms in any case.
    """
    settled = glossary.translations(language)
    names = {term.casefold(): name for term, name in settled.items()}
    kept = sorted((_word(term) for term in glossary.keep), key=len, reverse=True)
    terms = sorted((f"(?i:{_word(term)})" for term in settled), key=len, reverse=True)
    pattern = regex.compile("|".join([_PLACEHOLDER, MARK.pattern, *kept, *terms]), regex.VERSION1)
    marks: list[tuple[str, str]] = []

    def mark(found: regex.Match[str]) -> str:
        said = found[0]
        keep = said in glossary.keep or said.casefold() not in names
        marks.append((f"[{len(marks) + 1}]", said if keep else names[said.casefold()]))
        return marks[-1][0]

    return Protected(pattern.sub(mark, text), tuple(marks))


def restore(translation: str, marks: tuple[tuple[str, str], ...]) -> str | None:
    """The translation with everything put back; None when a mark is lost, doubled or made up."""
    found = MARK.findall(translation)
    if sorted(found) != sorted(mark for mark, _ in marks):
        return None
    meanings = dict(marks)
    return MARK.sub(lambda one: meanings[one[0]], translation)


def pieces(text: str) -> Iterator[str]:
    """`text` cut before and after every mark; joined again they are `text`."""
    end = 0
    for found in MARK.finditer(text):
        yield text[end : found.start()]
        yield found[0]
        end = found.end()
    yield text[end:]


def _word(term: str) -> str:
    """The term as a whole word, unless its script puts no spaces between words."""
    before = rf"(?<!{_LETTER})" if regex.match(_LETTER, term, regex.VERSION1) else ""
    after = rf"(?!{_LETTER})" if regex.search(f"{_LETTER}$", term, regex.VERSION1) else ""
    return f"{before}{regex.escape(term, literal_spaces=True)}{after}"
