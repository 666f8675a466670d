"""The text of a turn, cut into pieces that are never parted, and these put into lines.

Lines break where a reader would pause (`media.phrases`); when that is alike, the lower line is the longer one, because
it hides less of the picture.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import regex

from media.caption_profiles import Profile, columns, without_marks
from media.dialogue import MAX_NAME, name_fault, tidy
from media.phrases import CLOSING, NEVER, OPENING, SENTENCE, UNSPACED, break_costs
from media.subtitles import split_speaker

_HYPHENATED = regex.compile(r"[\p{Latin}\p{Cyrillic}\p{Greek}\p{Armenian}]")
HYPHEN = "- "
"""What begins each line of a cue in which two people speak."""


@dataclass(frozen=True, slots=True)
class Atom:
    """What is never parted. `cost` is what it costs to end a cue or a line after it; 0 at a sentence's end."""

    text: str
    spaced: bool
    cost: float


def atoms_of(text: str, profile: Profile, names: frozenset[str] = frozenset()) -> list[Atom]:
    """The pieces of a text; `names` as `media.phrases.break_costs` has them. A word wider than a line is hyphenated."""
    words = [marked for word in tidy(text).split() if (marked := without_marks(word))]
    pieces = [
        (piece, spaced and first)
        for word, spaced in zip(words, [False, *[True] * len(text)], strict=False)
        for unit, first in zip(_units(word), [True, *[False] * len(word)], strict=False)
        for piece, first in _parts(unit, first, profile)
    ]
    costs = break_costs(pieces, profile.language, names)
    return [Atom(piece, spaced, cost) for (piece, spaced), cost in zip(pieces, costs, strict=True)]


def label_of(speaker: str, profile: Profile) -> str:
    """`Name:` as SRT shows it, or nothing where the name cannot be written so."""
    name = tidy(speaker)
    return f"{name}:" if name_fault(name) is None and columns(name) < profile.line_columns else ""


def seems_named(text: str) -> bool:
    """Whether SRT's readers would take the beginning of `text` for a speaker's name."""
    return split_speaker(text.lstrip("-–—•> ")) is not None


def _units(word: str) -> list[str]:
    """A word, or, in a script without spaces, its graphemes, each with the punctuation that belongs to it."""
    if not UNSPACED.search(word):
        return [word]
    units: list[str] = []
    joins = False  # whether the next grapheme belongs to the last unit
    for grapheme in regex.findall(r"\X", word):
        unspaced = UNSPACED.search(grapheme) is not None
        if units and (joins or grapheme[0] in CLOSING or (not unspaced and not UNSPACED.search(units[-1]))):
            units[-1] += grapheme
        else:
            units.append(grapheme)
        joins = grapheme[-1] in OPENING
    return units


def _parts(unit: str, first: bool, profile: Profile) -> Iterator[tuple[str, bool]]:
    """`unit` itself, or, when it is wider than a line, pieces of it with hyphens."""
    widest = profile.line_columns
    if columns(unit) <= widest:
        yield unit, first
        return
    graphemes = [part for g in regex.findall(r"\X", unit) for part in ([g] if columns(g) < widest else list(g))]
    hyphen = "-" if _HYPHENATED.search(unit) else ""
    piece, width = "", 0
    for index, grapheme in enumerate(graphemes):
        room = widest - (len(hyphen) if index < len(graphemes) - 1 else 0)
        if piece and width + columns(grapheme) > room:
            yield piece + hyphen, first
            piece, width, first = "", 0, False
        piece += grapheme
        width += columns(grapheme)
    yield piece, first


class Layout:
    """Where the atoms of one turn may be parted into lines and cues. Places count atoms; widths are columns."""

    def __init__(self, atoms: Sequence[Atom], profile: Profile) -> None:
        self.atoms, self.max_lines = atoms, profile.max_lines
        self.max_columns = profile.line_columns
        self._ends = list(accumulate((columns(atom.text) + atom.spaced for atom in atoms), initial=0))

    @cached_property
    def seems_named(self) -> list[bool]:
        """For every place whether a line that begins there seems to begin with a speaker's name."""
        if not any(":" in atom.text or "：" in atom.text for atom in self.atoms):
            return [False] * len(self.atoms)
        return [seems_named(self.text(k, k + MAX_NAME)) for k in range(len(self.atoms))]

    def text(self, start: int, end: int) -> str:
        return "".join(" " * (atom.spaced and k > 0) + atom.text for k, atom in enumerate(self.atoms[start:end]))

    def width(self, start: int, end: int) -> int:
        return self._ends[end] - self._ends[start] - self.atoms[start].spaced

    def _line_reach(self, start: int, room: int) -> int:
        """The last place to which one line from `start` can go; `start` itself when not even one atom has room."""
        if start == len(self.atoms):
            return start
        return max(start, bisect_right(self._ends, self._ends[start] + self.atoms[start].spaced + room) - 1)

    def reach(self, start: int, name_width: int) -> int:
        """The last place to which a cue from `start` can go, with a name before the text or on a line above it."""
        beside = above = start
        for line in range(self.max_lines):
            beside = self._line_reach(beside, self.max_columns - name_width * (line == 0))
            if beside == start:
                break
        for _ in range(self.max_lines - 1):
            above = self._line_reach(above, self.max_columns)
        return max(beside, above)

    def lines(self, start: int, end: int, name_width: int = 0) -> tuple[str, ...] | None:
        """The best lines for a cue: few, parted where the text pauses, the lower one rather the longer. None where they
        do not fit."""
        for count in range(1, self.max_lines + 1):
            ends = self._parted(start, end, count, self.max_columns - name_width)
            if ends is None and name_width and count < self.max_lines:
                ends = self._parted(start, end, count, self.max_columns)
            if ends is not None:
                return tuple(self.text(a, b) for a, b in zip([start, *ends], ends, strict=False))
        return None

    def line_break(self, start: int, end: int, name_width: int = 0) -> float:
        """The least that any way to put these atoms into two lines costs: `NEVER` where a bad break cannot be helped."""
        return self.line_breaks(start, name_width)(end)

    def line_breaks(self, start: int, name_width: int) -> Callable[[int], float]:
        """The same for every end, in constant time."""
        room = self.max_columns - name_width
        reach = self._line_reach(start, room)
        # From every middle on, the least cost of a break there or later, as long as the first line has room.
        least = list(accumulate((atom.cost for atom in reversed(self.atoms[start:reach])), min))[::-1]

        def cost(end: int) -> float:
            if end <= reach or self.max_lines < 2:
                return SENTENCE
            middle = max(bisect_left(self._ends, self._ends[end] - self.max_columns), start + 1)
            if middle - 1 > start and self.width(middle - 1, end) <= self.max_columns:  # the space before it goes
                middle -= 1
            return least[middle - 1 - start] if middle <= reach else NEVER

        return cost

    def _parted(self, start: int, end: int, count: int, room: int) -> list[int] | None:
        best: tuple[float, list[int]] | None = None
        if count == 1:
            return [end] if self.width(start, end) <= room else None
        for middle in range(start + 1, min(self._line_reach(start, room), end - 1) + 1):
            if self.width(middle, end) > (count - 1) * (self.max_columns + 1):
                continue
            rest = self._parted(middle, end, count - 1, self.max_columns)
            if rest is None:
                continue
            longer = self.width(start, middle) - self.width(middle, rest[0])
            uneven = 1.2 * longer + 1 if longer > 0 else -longer
            cost = 6 * self.atoms[middle - 1].cost + uneven + 100 * self.seems_named[middle]
            if best is None or cost < best[0]:
                best = cost, [middle, *rest]
        return best[1] if best else None
