"""Pronunciation lexicons: how names and terms are said, one file for a whole campaign, in YAML or CSV."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from media.dialogue import language_tag, tidy
from media.errors import InputError
from media.plain_yaml import Node, read_plain_yaml
from media.textfile import read_text

SUFFIXES = (".yaml", ".yml", ".csv")
EVERY_LANGUAGE = "*"
_COLUMNS = ["term", "language", "say"]
_IPA = re.compile(r"/([^/\s][^/]*)/")
MAX_TERMS = 10_000
LONGEST_TERM = 100


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """How a term is said: spelled as one would say it, in the International Phonetic Alphabet, or both."""

    respelling: str = ""
    ipa: str = ""
    where: str = ""
    """File and line, for messages."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Terms and their pronunciations by language; `*` holds for every language."""

    entries: dict[str, dict[str, Pronunciation]]

    def pronunciations(self, language: str) -> dict[str, Pronunciation]:
        """Term -> pronunciation in a language (BCP 47): of that very tag, else of its language, else of every language."""
        primary = language.split("-")[0]
        found = {}
        for term, by_language in self.entries.items():
            chosen = next((by_language[tag] for tag in (language, primary, EVERY_LANGUAGE) if tag in by_language), None)
            if chosen is not None:
                found[term] = chosen
        return found


def read_lexicon(path: Path) -> Lexicon:
    """The lexicon in a file. docs/spoken-text.md describes it.

    Raises:
        InputError: it is not there, or cannot be read as a lexicon; the message names file and line.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: a lexicon's suffix is .yaml or .csv; rename or convert the file.")
    text = read_text(path)
    rows = _csv_rows(text, str(path)) if path.suffix.lower() == ".csv" else _yaml_rows(text, str(path))
    entries: dict[str, dict[str, Pronunciation]] = {}
    spelled: dict[str, str] = {}
    for where, term, language, say in rows:
        term, say = tidy(term), tidy(say)
        if not any(character.isalnum() for character in term) or len(term) > LONGEST_TERM:
            raise InputError(f"{where}: '{term[:40]}' is not a term; write the word as it stands in the script.")
        tag = EVERY_LANGUAGE if language in ("", EVERY_LANGUAGE) else language_tag(language, where)
        known = entries.setdefault(spelled.setdefault(term.casefold(), term), {})
        if tag in known:
            raise InputError(f"{where}: '{term}' is there twice for '{tag}'; keep one of them.")
        known[tag] = _pronunciation(say, term, where)
        if len(entries) > MAX_TERMS:
            raise InputError(f"{where}: there are more than {MAX_TERMS} terms; split the lexicon.")
    return Lexicon(entries)


def _pronunciation(say: str, term: str, where: str) -> Pronunciation:
    """`win`, `/wɪn/` or `win /wɪn/`."""
    ipa = _IPA.findall(say)
    respelling = tidy(_IPA.sub(" ", say))
    if len(ipa) > 1 or "/" in respelling or "[[" in respelling or not (ipa or any(map(str.isalnum, respelling))):
        raise InputError(
            f"{where}: '{say[:40]}' does not say how '{term}' is pronounced; write a respelling, IPA between slashes, "
            "or both, such as 'win /wɪn/'."
        )
    return Pronunciation(respelling, ipa[0].strip() if ipa else "", where)


def _yaml_rows(text: str, name: str) -> Iterator[tuple[str, str, str, str]]:
    root = read_plain_yaml(text, name)
    if root.value == "":
        return
    for term, node in _mapping(root, name, "a lexicon maps terms to how they are said; write such as 'Nguyen: win'"):
        if isinstance(node.value, str):
            yield f"{name}:{node.line}", term, EVERY_LANGUAGE, node.value
            continue
        what = f"'{term[:40]}' needs a text, or texts by language such as '{{en: win}}'"
        for language, said in _mapping(node, name, what):
            if not isinstance(said.value, str):
                raise InputError(f"{name}:{said.line}: {what}; correct the line.")
            yield f"{name}:{said.line}", term, language, said.value


def _mapping(node: Node, name: str, what: str) -> Iterator[tuple[str, Node]]:
    if not isinstance(node.value, dict):
        raise InputError(f"{name}:{node.line}: {what}; correct the line.")
    yield from node.value.items()


def _csv_rows(text: str, name: str) -> Iterator[tuple[str, str, str, str]]:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        for row in reader:
            where = f"{name}:{reader.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            cells = [cell.strip() for cell in row]
            if cells == _COLUMNS:
                continue
            if len(cells) != len(_COLUMNS):
                raise InputError(
                    f"{where}: the line has {len(cells)} columns, not three; write 'term,language,say', with * for "
                    "every language."
                )
            yield where, cells[0], cells[1], cells[2]
    except csv.Error as error:
        raise InputError(f"{name}:{reader.line_num}: this is not CSV ({error}); correct the line.") from None
