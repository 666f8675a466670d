"""A dialogue as a translator gets it, turn by turn, and what may be taken back from them."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from media.dialogue import Dialogue, is_speakable
from media.languages import base_language

READ_A_SECOND = 17
"""Characters that a viewer reads in a second of caption: what broadcasters allow at most in most languages."""
_LONGER = 1.3
"""How much longer than the original a translation may be where nobody has said yet how long a turn lasts."""
_FEW = 12
"""Characters that any translation may have."""
_WIDE = ("zh", "ja", "ko", "yue")


@dataclass(frozen=True, slots=True)
class Unit:
    """A turn for a translator. `target` is empty until it is translated."""

    id: str
    source: str
    target: str = ""
    speaker: str = ""
    direction: str = ""
    before: str = ""
    """What is said before it."""
    after: str = ""
    """What is said after it."""
    limit: int | None = None
    """Characters that the translation should have at most."""


def units_of(dialogue: Dialogue, translation: Dialogue | None, language: str) -> tuple[Unit, ...]:
    """The turns of a dialogue for a translator into `language`, with what is translated already."""
    turns = dialogue.turns
    told = translation.turns if translation else (None,) * len(turns)
    return tuple(
        Unit(
            id=turn_id(index),
            source=turn.text,
            target=done.text if done else "",
            speaker=turn.speaker,
            direction=turn.direction,
            before=turns[index - 1].text if index else "",
            after=turns[index + 1].text if index + 1 < len(turns) else "",
            limit=_limit(turn.text, turn.start, turn.end, language),
        )
        for index, (turn, done) in enumerate(zip(turns, told, strict=True))
    )


def turn_id(index: int) -> str:
    """What the turn at an index is called: `t1` for the first."""
    return f"t{index + 1}"


def faults(units: Sequence[Unit], dialogue: Dialogue) -> list[str]:
    """Everything that keeps translated units from being this dialogue's translation, one clause each."""
    found: list[str] = []
    expected = {turn_id(index): turn for index, turn in enumerate(dialogue.turns)}
    seen: dict[str, int] = {}
    for unit in units:
        seen[unit.id] = seen.get(unit.id, 0) + 1
        turn = expected.get(unit.id)
        if seen[unit.id] == 2:
            found.append(f"{unit.id[:40]} is there more than once")
        elif seen[unit.id] > 2:
            continue
        elif turn is None:
            found.append(f"{unit.id[:40]} is no turn of the source")
        elif unit.source != turn.text:
            found.append(f"the source of {unit.id} ({turn.speaker}) has changed")
        elif not is_speakable(unit.target):
            found.append(f"{unit.id} ({turn.speaker}) is not translated")
    found += [f"{one} ({turn.speaker}) is missing" for one, turn in expected.items() if one not in seen]
    return found


def translated(units: Sequence[Unit], dialogue: Dialogue) -> tuple[str, ...]:
    """Each turn's translation: its own unit's, else that of any unit with the same source text; empty where there is none.

    So a translation outlives turns that are put in, taken out or changed elsewhere.
    """
    own = {(unit.id, unit.source): unit.target for unit in units}
    anywhere = {unit.source: unit.target for unit in reversed(units) if unit.target}
    return tuple(
        own.get((turn_id(index), turn.text)) or anywhere.get(turn.text, "") for index, turn in enumerate(dialogue.turns)
    )


def too_long(units: Sequence[Unit]) -> list[str]:
    """The translations that are longer than they should be, one clause each."""
    return [
        f"{unit.id} ({unit.speaker}) has {len(unit.target)} characters of {unit.limit}"
        for unit in units
        if unit.limit is not None and len(unit.target) > unit.limit
    ]


def _limit(text: str, start: float | None, end: float | None, language: str) -> int:
    if start is not None and end is not None:
        width = READ_A_SECOND * (end - start)
    else:
        width = _LONGER * sum(1 + (unicodedata.east_asian_width(character) in "WF") for character in text)
    return max(math.ceil(width / (2 if base_language(language) in _WIDE else 1)), _FEW)
