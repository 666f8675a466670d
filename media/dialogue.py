"""The central values: a `Turn`, a `Dialogue`, and the `Script` that a file holds."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import langcodes

from media.errors import InputError
from media.languages import closest

VoiceGender = Literal["feminine", "masculine", "neutral"]
AgeBand = Literal["young", "adult", "senior"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One uninterrupted stretch by one speaker.

    `start` and `end` are seconds from the beginning of the recording or video, None before the turn is spoken.
    """

    speaker: str
    text: str
    start: float | None = None
    end: float | None = None
    direction: str = ""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """The ordered turns of a script or recording, in one language (BCP 47)."""

    language: str
    turns: tuple[Turn, ...]

    @property
    def speakers(self) -> tuple[str, ...]:
        """Names, in the order in which they are first heard."""
        return tuple(dict.fromkeys(turn.speaker for turn in self.turns))

    def with_turns(self, turns: Iterable[Turn]) -> "Dialogue":
        return replace(self, turns=tuple(turns))


@dataclass(frozen=True, slots=True)
class Speaker:
    """What a script says about who speaks: hints for casting, all optional."""

    gender: VoiceGender | None = None
    age: AgeBand | None = None
    portrait: str | None = None
    """Slug of the portrait the script wishes for."""
    voice: str | None = None
    """Voice of the synthesis engine, or a recording to clone (a path, from the script's folder)."""
    consent: str | None = None
    """Who allowed that recording to be cloned, and when."""


@dataclass(frozen=True, slots=True)
class Glossary:
    """What is settled about terms. `keep`: what stays as it is, in every language. `terms`: term -> language -> translation."""

    keep: tuple[str, ...] = ()
    terms: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def translations(self, language: str) -> dict[str, str]:
        """What each term is called in a language; `de-AT` is content with `de`."""
        found = {}
        for term, names in self.terms.items():
            tag = closest(language, names, same_script=True)
            if tag is not None:
                found[term] = names[tag]
        return found

    def with_more(self, other: "Glossary") -> "Glossary":
        """Both together; where they disagree, `other` holds."""
        terms = {term: dict(names) for term, names in self.terms.items()}
        for term, names in other.terms.items():
            terms[term] = terms.get(term, {}) | dict(names)
        return Glossary(tuple(dict.fromkeys((*self.keep, *other.keep))), terms)


@dataclass(frozen=True, slots=True)
class Script:
    """A script file: one dialogue per language (the first is the source), with the same turns in each."""

    dialogues: dict[str, Dialogue]
    title: str = ""
    speakers: dict[str, Speaker] = field(default_factory=dict)
    glossary: Glossary = field(default_factory=Glossary)

    @property
    def source(self) -> Dialogue:
        return next(iter(self.dialogues.values()))

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(self.dialogues)


_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_NOT_IN_NAMES = frozenset(":=()<>{}：（）")
MAX_NAME = 60


def tidy(text: str) -> str:
    """`text` on one line: white space collapsed, control characters dropped, Unicode composed (NFC)."""
    return unicodedata.normalize("NFC", " ".join(_INVISIBLE.sub("", text).split()))


def is_speakable(text: str) -> bool:
    """Whether there is anything to say: a letter or a digit in any script."""
    return any(character.isalnum() for character in text)


@lru_cache(maxsize=4096)
def speaker_key(name: str) -> str:
    """Equal for names that mean the same person: `MAYA`, `Maya` and `maya`."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", tidy(name)).casefold())


def display_name(name: str) -> str:
    """A name as it is shown: as written, but in title case where it was in capitals (`DR. O'NEIL` -> `Dr. O'Neil`).

    Labels with an underscore (`SPEAKER_00`) stay as they are, because other files refer to them.
    """
    name = tidy(name)
    if "_" in name or name != name.upper() or name == name.lower():
        return name
    words = re.split(r"([\s\-.'’]+)", name)
    titled = ""
    for previous, word in zip(["", *words], words, strict=False):
        possessive = previous in ("'", "’") and len(word) < 2
        titled += word.lower() if possessive else word[:1] + word[1:].lower()
    return unicodedata.normalize("NFC", titled)


def name_fault(name: str) -> str | None:
    """Why `name` cannot be a speaker's name in every format, or None where it can."""
    if not name:
        return "the name is empty"
    if len(name) > MAX_NAME or name.count(" ") > 5:
        return f"the name is longer than {MAX_NAME} characters or six words"
    if not name[0].isalnum() or not any(character.isalpha() for character in name):
        return f"the name '{name}' does not begin with a letter or a digit, or has no letter in it"
    if not _NOT_IN_NAMES.isdisjoint(name):
        return f"the name '{name}' has one of : = ( ) < > {{ }} in it"
    return None


@lru_cache(maxsize=1024)
def _standard_tag(tag: str) -> str | None:
    try:
        language = langcodes.get(tag, normalize=False)
        if not language.is_valid() or language.language in (None, "und", "mul", "mis", "zxx"):
            return None
        return langcodes.standardize_tag(tag, macro=True)
    except (langcodes.LanguageTagError, ValueError):
        return None


def language_tag(tag: str, where: str) -> str:
    """The normalised form of a BCP 47 tag: `pt_br` -> `pt-BR`, `iw` -> `he`, `cmn` -> `zh`.

    Raises:
        InputError: the tag is not a language; `where` names the file and line, or the option.
    """
    standard = _standard_tag(tag) if 0 < len(tag) <= 40 and not tag.isspace() else None
    if standard is None:
        raise InputError(f"{where}: '{tag[:40]}' is not a language tag; use BCP 47 tags such as en, es, pt-BR or hi.")
    return standard
