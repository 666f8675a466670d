"""Captions: turns become cues of a few short lines, timed by words or by length, written as WebVTT and SRT.

Lines break where a reader would pause (sentence, clause, word), in scripts without spaces at any character. No cue
overlaps another, not even where speech does.
"""

import html
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Literal, Protocol

import regex

from media.dialogue import MAX_NAME, Turn, name_fault, speaker_key, tidy
from media.errors import InputError
from media.subtitles import format_time, split_speaker, srt_line

MAX_LINES = 2
MAX_CHARS = 42
_SHORTEST = 700
"""Milliseconds a cue is shown at least, where there is room: less cannot be read."""
_LINGER, _LATEST = 250, 300
"""Milliseconds a turn's last cue stays after the turn, and the most it may to reach its shortest time."""
_CHAINED = 500
"""Milliseconds between two cues of a turn below which the first stays until the second: a flicker disturbs more."""

_REMARK = 2400
"""Twice the milliseconds of a turn that must be over for somebody else's remark to come after its cue, not before."""

_UNSPACED = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u3000-\u303f\uff00-\uffef]", regex.VERSION1
)
# The vowels of Thai and Lao that are written before their consonant belong to what follows.
_OPENING = frozenset("([{“‘«「『（［｛〈《【〔¿¡เแโใไເແໂໃໄ")
_CLOSING = frozenset(")]}”’»」』）］｝〉》】〕.,!?;:…。、，．！？；：・ーぁぃぅぇぉっゃゅょァィゥェォッャュョ々ๆฯ%％")
_SENTENCE_END = re.compile("[.!?…。！？।॥؟۔][\"'”’»」』）)]*$")
_CLAUSE_END = re.compile("[,;:，、；：،؛—–][\"'”’»」』）)]*$")

Labels = Literal["none", "first", "all"]


class WordLike(Protocol):
    """A word and when it is heard, in seconds on the turns' clock."""

    @property
    def text(self) -> str: ...
    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown from `start` to `end` (seconds, whole milliseconds): one to a few lines, said by one speaker."""

    start: float
    end: float
    lines: tuple[str, ...]
    speaker: str


@dataclass(frozen=True, slots=True)
class _Atom:
    """What is never parted. `cost` is what it costs to end a cue or a line after it; 0 at a sentence's end."""

    text: str
    spaced: bool
    cost: float


@dataclass(frozen=True, slots=True)
class _Draft:
    """A cue that waits for its time. All times in milliseconds.

    It may be shown within `opens`..`closes`; its words are heard within `heard`..`done`.
    """

    turn: int
    index: int
    lines: tuple[str, ...]
    has_room_for_name: bool
    opens: int
    closes: int
    heard: int
    done: int
    is_last: bool
    shortest: int


def caption_cues(
    turns: Sequence[Turn],
    words: Sequence[Sequence[WordLike]] | None = None,
    max_lines: int = MAX_LINES,
    max_chars: int = MAX_CHARS,
) -> tuple[Cue, ...]:
    """Cues in the order in which they are shown; none overlap.

    Args:
        turns: timed turns. Each cue belongs to one, starts within it and ends at most 0.3 s after it.
        words: for every turn its words with their times, on the same clock; what they lack is filled in. Without them
            a turn's time is shared in proportion to the letters.
        max_lines: lines in a cue.
        max_chars: the longest line. Counts code points, and East Asian wide characters twice, so that a line has a
            bounded width.

    A cue lasts 0.7 s at least, unless its turn is too short or too much is said at once. The first cue of a speaker
    leaves room for `Name:`, which SRT needs.

    Raises:
        InputError: a turn has no times, or so little time that its text cannot be shown at all.
        ValueError: `max_lines` or `max_chars` leaves no room, or `words` has another length than `turns`.
    """
    if max_lines < 1 or max_chars < 10:
        raise ValueError(f"{max_lines} lines of {max_chars} characters are too few")
    if words is not None and len(words) != len(turns):
        raise ValueError(f"{len(turns)} turns have {len(words)} lists of words")
    atoms = [_atoms(tidy(turn.text), max_chars) for turn in turns]
    labels = _first_labels(turns)
    # Where speech overlaps, another speaker's cue may come between two of a turn: then they need their names, too, and
    # are laid out again with room for them. Names only ever get added, so this ends; a few rounds do in practice.
    for _ in range(8):
        drafts = []
        for number, turn in enumerate(turns):
            heard = words[number] if words is not None else ()
            drafts += _drafts(number, turn, atoms[number], heard, labels[number], max_lines, max_chars)
        drafts.sort(key=_order)
        missing = [draft for draft in _unnamed(drafts, turns) if labels[draft.turn] != "all"]
        if not missing:
            break
        for draft in missing:
            labels[draft.turn] = "first" if draft.index == 0 and labels[draft.turn] == "none" else "all"
    times = _schedule(drafts, turns)
    return tuple(
        Cue(start / 1000, end / 1000, draft.lines, turns[draft.turn].speaker)
        for draft, (start, end) in zip(drafts, times, strict=True)
    )


def to_vtt(cues: Sequence[Cue], language: str = "") -> str:
    """`cues` as WebVTT, the speakers in voice tags; `language` (BCP 47) is declared in the header when given."""
    blocks = [f"WEBVTT\nLanguage: {language}" if language else "WEBVTT"]
    for number, cue in enumerate(cues, 1):
        text = html.escape("\n".join(cue.lines), quote=False)
        speaker = html.escape(tidy(cue.speaker), quote=False)
        shown = f"<v {speaker}>{text}</v>" if speaker else text
        blocks.append(f"{number}\n{format_time(cue.start, '.')} --> {format_time(cue.end, '.')}\n{shown}")
    return "\n\n".join(blocks) + "\n"


def to_srt(cues: Sequence[Cue], max_lines: int = MAX_LINES, max_chars: int = MAX_CHARS) -> str:
    """`cues` as SRT, with `Name:` where the speaker changes and there is room for it (as `caption_cues` leaves)."""
    blocks = []
    before = None
    for number, cue in enumerate(cues, 1):
        lines = [srt_line(line) for line in cue.lines]
        label = _label(cue.speaker, max_chars)
        if label and (speaker_key(cue.speaker) != before or _seems_named(lines[0])):
            if _width(f"{label} {lines[0]}") <= max_chars:
                lines[0] = f"{label} {lines[0]}"
            elif len(lines) < max_lines:
                lines.insert(0, label)
        before = speaker_key(cue.speaker)
        times = f"{format_time(cue.start, ',')} --> {format_time(cue.end, ',')}"
        blocks.append("\n".join([str(number), times, *lines]) + "\n")
    return "\n".join(blocks)


# Lines


@lru_cache(maxsize=4096)
def _width(text: str) -> int:
    """Columns that `text` takes, and never fewer than its code points."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _label(speaker: str, max_chars: int) -> str:
    """`Name:` as SRT shows it, or nothing where the name cannot be written so."""
    name = tidy(speaker)
    return f"{name}:" if name_fault(name) is None and _width(name) < max_chars else ""


def _seems_named(text: str) -> bool:
    """Whether SRT's readers would take the beginning of `text` for a speaker's name."""
    return split_speaker(text.lstrip("-–—•> ")) is not None


def _atoms(text: str, max_chars: int) -> list[_Atom]:
    parts = [
        (piece, spaced and first)
        for word, spaced in zip(text.split(), [False, *[True] * len(text)], strict=False)
        for unit, first in zip(_units(word), [True, *[False] * len(word)], strict=False)
        for piece, first in _pieces(unit, first, max_chars)
    ]
    atoms = []
    for (piece, spaced), (_, next_spaced) in zip(parts, [*parts[1:], ("", True)], strict=True):
        if _SENTENCE_END.search(piece):
            cost = 0.0
        elif _CLAUSE_END.search(piece):
            cost = 1.0
        else:
            cost = 3.0 if next_spaced or _UNSPACED.search(piece) else 8.0
        atoms.append(_Atom(piece, spaced, cost))
    return atoms


def _units(word: str) -> list[str]:
    """A word, or, in a script without spaces, its graphemes, each with the punctuation that belongs to it."""
    if not _UNSPACED.search(word):
        return [word]
    units: list[str] = []
    joins = False  # whether the next grapheme belongs to the last unit
    for grapheme in regex.findall(r"\X", word):
        unspaced = _UNSPACED.search(grapheme) is not None
        if units and (joins or grapheme[0] in _CLOSING or (not unspaced and not _UNSPACED.search(units[-1]))):
            units[-1] += grapheme
        else:
            units.append(grapheme)
        joins = grapheme[0] in _OPENING
    return units


def _pieces(unit: str, first: bool, max_chars: int) -> Iterator[tuple[str, bool]]:
    """`unit` itself, or, when it is wider than a line, pieces of it with hyphens."""
    if _width(unit) <= max_chars:
        yield unit, first
        return
    graphemes = [part for g in regex.findall(r"\X", unit) for part in ([g] if _width(g) < max_chars else list(g))]
    hyphen = "" if _UNSPACED.search(unit) else "-"
    piece, width = "", 0
    for index, grapheme in enumerate(graphemes):
        room = max_chars - (len(hyphen) if index < len(graphemes) - 1 else 0)
        if piece and width + _width(grapheme) > room:
            yield piece + hyphen, first
            piece, width, first = "", 0, False
        piece += grapheme
        width += _width(grapheme)
    yield piece, first


class _Layout:
    """Where the atoms of one turn may be parted into lines and cues. Places count atoms."""

    def __init__(self, atoms: Sequence[_Atom], max_lines: int, max_chars: int) -> None:
        self.atoms, self.max_lines, self.max_chars = atoms, max_lines, max_chars
        self._ends = list(accumulate((_width(atom.text) + atom.spaced for atom in atoms), initial=0))
        has_colon = any(":" in atom.text or "：" in atom.text for atom in atoms)
        self.seems_named = [has_colon and _seems_named(self.text(k, k + MAX_NAME)) for k in range(len(atoms))]

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
            beside = self._line_reach(beside, self.max_chars - name_width * (line == 0))
            if beside == start:
                break
        for _ in range(self.max_lines - 1):
            above = self._line_reach(above, self.max_chars)
        return max(beside, above)

    def lines(self, start: int, end: int, name_width: int) -> tuple[str, ...]:
        """The best lines for a cue: few, parted where the text pauses, of like length."""
        for count in range(1, self.max_lines + 1):
            ends = self._parted(start, end, count, self.max_chars - name_width)
            if ends is None and name_width and count < self.max_lines:
                ends = self._parted(start, end, count, self.max_chars)
            if ends is not None:
                return tuple(self.text(a, b) for a, b in zip([start, *ends], ends, strict=False))
        raise ValueError(f"'{self.text(start, end)}' does not fit")

    def _parted(self, start: int, end: int, count: int, room: int) -> list[int] | None:
        best: tuple[float, list[int]] | None = None
        if count == 1:
            return [end] if self.width(start, end) <= room else None
        for middle in range(start + 1, min(self._line_reach(start, room), end - 1) + 1):
            if self.width(middle, end) > (count - 1) * (self.max_chars + 1):
                continue
            rest = self._parted(middle, end, count - 1, self.max_chars)
            if rest is None:
                continue
            uneven = abs(self.width(start, middle) - self.width(middle, rest[0]))
            cost = 6 * self.atoms[middle - 1].cost + uneven + 100 * self.seems_named[middle]
            if best is None or cost < best[0]:
                best = cost, [middle, *rest]
        return best[1] if best else None


def _cue_ends(layout: _Layout, name_widths: Sequence[int]) -> list[int]:
    """Where cues end, so that there are few of them, none is tiny, and they part where the text pauses."""
    count = len(layout.atoms)
    best = [0.0] * (count + 1)
    following = [count] * (count + 1)
    for start in range(count - 1, -1, -1):
        options = []
        for end in range(start + 1, layout.reach(start, name_widths[start]) + 1):
            tiny = layout.width(start, end) < 16 and (start, end) != (0, count)
            parted = layout.atoms[end - 1].cost if end < count else 0.0
            options.append((2.0 + parted + 2.0 * tiny + best[end], -end))
        best[start], end = min(options)
        following[start] = -end
    ends = []
    place = 0
    while place < count:
        place = following[place]
        ends.append(place)
    return ends


# Names in SRT


def _first_labels(turns: Sequence[Turn]) -> list[Labels]:
    """Which turns need a name, when their cues come in the order of the turns."""
    order = sorted(range(len(turns)), key=lambda number: turns[number].start or 0.0)
    labels: list[Labels] = ["none"] * len(turns)
    before = None
    for number in order:
        key = speaker_key(turns[number].speaker)
        labels[number] = "none" if key == before else "first"
        before = key
    return labels


def _unnamed(drafts: Sequence[_Draft], turns: Sequence[Turn]) -> Iterator[_Draft]:
    """Cues that need a name, because another speaker's comes before, and have no room for it."""
    before = None
    for draft in drafts:
        key = speaker_key(turns[draft.turn].speaker)
        if key != before and not draft.has_room_for_name:
            yield draft
        before = key


# Time


def _drafts(
    number: int,
    turn: Turn,
    atoms: Sequence[_Atom],
    words: Sequence[WordLike],
    labels: Labels,
    max_lines: int,
    max_chars: int,
) -> list[_Draft]:
    """The cues of one turn, with the time in which their words are heard."""
    if turn.start is None or turn.end is None or not 0 <= turn.start <= turn.end < 1e7:
        raise InputError(
            f"turn {number + 1} of {turn.speaker or 'nobody'} has no proper times; time it before captions."
        )
    if not atoms:
        return []
    layout = _Layout(atoms, max_lines, max_chars)
    label = _label(turn.speaker, max_chars)
    name_width = _width(label) + 1 if label else 0
    named = [labels == "all" or (labels == "first" and k == 0) or layout.seems_named[k] for k in range(len(atoms))]
    # In a single line a long name has no place beside a long word; then SRT goes without it.
    name_widths = [name_width * (has_name and layout.reach(k, name_width) > k) for k, has_name in enumerate(named)]
    ends = _cue_ends(layout, name_widths)
    starts = [0, *ends[:-1]]
    letters = list(accumulate((len(_letters(atom.text)) for atom in atoms), initial=0))
    if letters[-1] == 0:  # nothing but signs: each counts alike
        letters = list(range(len(atoms) + 1))
    places, times = _anchors("".join(_letters(atom.text) for atom in atoms), letters[-1], words, turn.start, turn.end)
    opens, closes = round(turn.start * 1000), int(turn.end * 1000 + 1e-6) + _LATEST
    shortest = max(min(_SHORTEST, (closes - opens) // len(ends)), 1)
    return [
        _Draft(
            number,
            index,
            layout.lines(start, end, name_widths[start]),
            name_width == 0 or name_widths[start] > 0,
            opens,
            closes,
            round(_time_after(letters[start], places, times) * 1000),
            round(_time_before(letters[end], places, times) * 1000),
            end == len(atoms),
            shortest,
        )
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def _letters(text: str) -> str:
    """What a word is recognised by, whatever its case and punctuation."""
    return "".join(character.casefold() for character in text if character.isalnum())


def _anchors(
    letters: str, count: int, words: Sequence[WordLike], start: float, end: float
) -> tuple[list[int], list[float]]:
    """Places in the text, counted in letters, and when they are heard; both never fall.

    Words are looked for in order, a little ahead only: an aligner may leave some out, a recogniser may hear others.
    """
    places, times = [0], [start]
    place = 0
    for word in words:
        sought = _letters(word.text)
        found = letters.find(sought, place, place + 60 + len(sought)) if sought else -1
        if found >= 0:
            place = found + len(sought)
            begins = min(max(word.start, times[-1]), end)
            places += [found, place]
            times += [begins, min(max(word.end, begins), end)]
    return [*places, count], [*times, end]


def _time_after(letter: int, places: Sequence[int], times: Sequence[float]) -> float:
    """When what follows `letter` begins."""
    k = bisect_right(places, letter) - 1
    if places[k] == letter or k + 1 == len(places):
        return times[k]
    return times[k] + (times[k + 1] - times[k]) * (letter - places[k]) / (places[k + 1] - places[k])


def _time_before(letter: int, places: Sequence[int], times: Sequence[float]) -> float:
    """When what precedes `letter` ends."""
    k = bisect_left(places, letter)
    if places[k] == letter or k == 0:
        return times[k]
    return times[k - 1] + (times[k] - times[k - 1]) * (letter - places[k - 1]) / (places[k] - places[k - 1])


def _order(draft: _Draft) -> tuple[float, int, int, int]:
    """Cues come in the order in which they are heard; a short remark at the beginning of a long turn comes before it.

    Every key lies within the time in which its cue may be shown, so that cues in this order can all find room.
    """
    return draft.heard + min(draft.done - draft.heard, _REMARK) / 2, draft.heard, draft.turn, draft.index


def _schedule(drafts: Sequence[_Draft], turns: Sequence[Turn]) -> list[tuple[int, int]]:
    """Start and end of every cue in milliseconds, in the given order, none overlapping."""
    count = len(drafts)
    earliest_open_from = list(accumulate((draft.opens for draft in reversed(drafts)), min))[::-1]
    starts: list[int] = []
    first, closes = 0, 0
    for k, draft in enumerate(drafts):
        closes = max(closes, draft.closes)
        # A group of cues that compete for time ends where nothing later may open before everything so far is over.
        if k + 1 == count or closes <= earliest_open_from[k + 1]:
            starts += _starts(drafts[first : k + 1], turns)
            first, closes = k + 1, 0
    ends = []
    for k, draft in enumerate(drafts):
        following = starts[k + 1] if k + 1 < count else draft.closes
        end = draft.done
        if draft.is_last:
            end += _LINGER
        elif k + 1 < count and drafts[k + 1].turn == draft.turn and following - end <= _CHAINED:
            end = following
        ends.append(min(max(end, starts[k] + draft.shortest), following, draft.closes))
    return list(zip(starts, ends, strict=True))


def _starts(group: Sequence[_Draft], turns: Sequence[Turn]) -> list[int]:
    """Starts for cues that compete for time: when they are heard, or moved so that each one has its shortest time."""
    low, high = 0, _SHORTEST
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _earliest(group, middle) else (low, middle - 1)
    earliest = _earliest(group, low) if low else None
    if earliest is None:
        turn = turns[group[0].turn]
        raise InputError(
            f"turn {group[0].turn + 1} of {turn.speaker or 'nobody'} has too much text for its time, from "
            f"{turn.start:.2f} s; correct the times or the text."
        )
    latest_end = group[-1].closes
    latest = []
    for draft in reversed(group):
        latest_end = min(draft.closes, latest_end) - min(low, draft.shortest)
        latest.append(latest_end)
    starts: list[int] = []
    free = 0
    for draft, early, late in zip(group, earliest, reversed(latest), strict=True):
        starts.append(max(min(max(draft.heard, early), late), free))
        free = starts[-1] + min(low, draft.shortest)
    return starts


def _earliest(group: Sequence[_Draft], shortest: int) -> list[int] | None:
    """Earliest starts when each cue lasts `shortest` (or its own limit), or None when they do not all find room."""
    starts: list[int] = []
    free = 0
    for draft in group:
        start = max(draft.opens, free)
        free = start + min(shortest, draft.shortest)
        if free > draft.closes:
            return None
        starts.append(start)
    return starts
