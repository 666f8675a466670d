"""The central values: a `Turn`, a `Dialogue`, and the `Script` that a file holds."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

import langcodes

from media.errors import InputError

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


@dataclass(frozen=True, slots=True)
class Script:
    """A script file: one dialogue per language (the first is the source), with the same turns in each."""

    dialogues: dict[str, Dialogue]
    title: str = ""
    speakers: dict[str, Speaker] = field(default_factory=dict)

    @property
    def source(self) -> Dialogue:
        return next(iter(self.dialogues.values()))

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(self.dialogues)


def language_tag(tag: str, where: str) -> str:
    """The normalised form of a BCP 47 tag (`pt-br` -> `pt-BR`).

    Raises:
        InputError: the tag is not a language; `where` names the file and line, or the option.
    """
    try:
        language = langcodes.get(tag, normalize=False)
    except (langcodes.LanguageTagError, ValueError):
        language = None
    if language is None or not tag.strip() or not language.is_valid() or language.language in (None, "und"):
        raise InputError(f"{where}: '{tag}' is not a language tag; use BCP 47 tags such as en, es, pt-BR or hi.")
    return langcodes.standardize_tag(tag)
