"""Captions: turns become cues of a few short lines, timed by words or by length, written as WebVTT, SRT and JSON.

Lines break where a reader would pause, as `media.caption_lines` says; when a cue is shown, and which short turns share
one, is decided in `media.caption_times`; the limits of each language are in `media.caption_profiles`.
"""

import html
import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, groupby
from typing import Literal, Protocol

from media.caption_lines import HYPHEN, Atom, Layout, atoms_of, label_of, seems_named
from media.caption_profiles import (
    DEFAULT_FPS,
    LONGEST_MS,
    SHORTEST_MS,
    Profile,
    columns,
    embedded,
    profile_of,
    vtt_mark,
)
from media.caption_times import LINGER, Heard, Together, ends_of, gap_ms, schedule
from media.dialogue import Turn, speaker_key, tidy
from media.errors import InputError
from media.phrases import NEVER, unbroken
from media.subtitles import format_time, srt_line

_REMARK = 2400
"""Twice the milliseconds of a turn that must be over for somebody else's remark to come after its cue, not before."""
_PAUSE = 1000
"""Milliseconds of silence at which a new cue had better begin."""
_FASTEST, _LATEST = 160, 10_000
"""Milliseconds a cue takes at least, and by which the captions of a turn may run behind it."""

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
    """What is shown from `start` to `end` (seconds, whole milliseconds): one to a few lines, said by one speaker.

    Where two short turns share a cue, `second_speaker` says the second line, and both lines begin with a hyphen.
    """

    start: float
    end: float
    lines: tuple[str, ...]
    speaker: str
    second_speaker: str | None = None


@dataclass(frozen=True, slots=True)
class _Draft:
    """A part of a turn that fits into a cue: atoms `begins` up to `ends`, heard from `heard` to `done` milliseconds."""

    turn: int
    index: int
    begins: int
    ends: int
    lines: tuple[str, ...]
    name_width: int
    has_room_for_name: bool
    heard: int
    done: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a cue shows: `speakers` has one name, or two where the lines are of two people."""

    lines: tuple[str, ...]
    speakers: tuple[str, ...]


def caption_cues(
    turns: Sequence[Turn],
    words: Sequence[Sequence[WordLike]] | None = None,
    profile: Profile | None = None,
    fps: float = DEFAULT_FPS,
    until: float | None = None,
) -> tuple[Cue, ...]:
    """Cues in the order in which they are shown; none overlap, and every word of every turn is in one.

    Args:
        turns: timed turns, in any order; they may overlap.
        words: for every turn its words with their times, on the same clock; what they lack is filled in. Without them
            a turn's time is shared in proportion to the letters.
        profile: the limits of the language; those of English when None.
        fps: frames a second of the video. Two frames lie between two cues.
        until: seconds; the end of the video. A cue goes beyond it only where it could not be read otherwise.

    A cue lasts 5/6 s at least and 7 s at most, and has as much time as the profile's reading speed asks for, wherever the
    speech leaves it: it may stay into the following pause, come up to 1 s after its words or 0.5 s before them, and
    short turns share cues. What is spoken faster than all this allows is shown faster. The first cue of a speaker leaves
    room for `Name:`, which SRT needs.

    Raises:
        InputError: a turn has no times, or so little time that its text cannot be shown at all.
        ValueError: the profile leaves no room, or `words` has another length than `turns`.
    """
    profile = profile or profile_of("")
    if profile.max_lines < 1 or profile.line_columns < 10:
        raise ValueError(f"{profile.max_lines} lines of {profile.max_chars} characters are too few")
    if words is not None and len(words) != len(turns):
        raise ValueError(f"{len(turns)} turns have {len(words)} lists of words")
    names = frozenset(part.casefold() for turn in turns for part in tidy(turn.speaker).split() if part[:1].isupper())
    atoms = [atoms_of(turn.text, profile, names) for turn in turns]
    labels = _first_labels(turns)
    # Where speech overlaps, another speaker's cue may come between two of a turn: then they need their names, too, and
    # are laid out again with room for them. Names only ever get added, so this ends; a few rounds do in practice.
    for _ in range(8):
        drafts: list[_Draft] = []
        for number, turn in enumerate(turns):
            heard = words[number] if words is not None else ()
            drafts += _drafts(number, turn, atoms[number], heard, labels[number], profile, gap_ms(fps))
        drafts.sort(key=_order)
        missing = [draft for draft in _unnamed(drafts, turns) if labels[draft.turn] != "all"]
        if not missing:
            break
        for draft in missing:
            labels[draft.turn] = "first" if draft.index == 0 and labels[draft.turn] == "none" else "all"
    return _cues(drafts, turns, names, profile, gap_ms(fps), None if until is None else round(until * 1000))


def to_vtt(cues: Sequence[Cue], language: str = "") -> str:
    """`cues` as WebVTT, the speakers in voice tags; `language` (BCP 47) is declared in the header when given.

    Lines of languages that run from right to left begin with a right-to-left mark, because players go by the first
    strong letter of a line, which may be that of a Latin word.
    """
    right_to_left = profile_of(language).right_to_left
    blocks = [f"WEBVTT\nLanguage: {language}" if language else "WEBVTT"]
    for number, cue in enumerate(cues, 1):
        lines = [vtt_mark(line, right_to_left) + html.escape(line, quote=False) for line in cue.lines]
        if cue.second_speaker is None:
            shown = _voiced(cue.speaker, "\n".join(lines))
        else:
            shown = "\n".join(map(_voiced, (cue.speaker, cue.second_speaker), lines))
        blocks.append(f"{number}\n{format_time(cue.start, '.')} --> {format_time(cue.end, '.')}\n{shown}")
    return "\n\n".join(blocks) + "\n"


def to_srt(cues: Sequence[Cue], profile: Profile | None = None) -> str:
    """`cues` as SRT, with `Name:` where the speaker changes and there is room for it (as `caption_cues` leaves).

    Lines of languages that run from right to left are embedded (U+202B ... U+202C): most players of SRT know only left to
    right, and would put the full stop at the wrong end.
    """
    profile = profile or profile_of("")
    blocks = []
    before = None
    for number, cue in enumerate(cues, 1):
        lines = [srt_line(line) for line in cue.lines]
        if cue.second_speaker is not None:
            pairs = zip(lines, (cue.speaker, cue.second_speaker), strict=True)
            lines = [_labelled_turn(line, speaker, profile) for line, speaker in pairs]
            before = speaker_key(cue.second_speaker)
        else:
            label = label_of(cue.speaker, profile)
            if label and (speaker_key(cue.speaker) != before or seems_named(lines[0])):
                if columns(f"{label} {lines[0]}") <= profile.line_columns:
                    lines[0] = f"{label} {lines[0]}"
                elif len(lines) < profile.max_lines:
                    lines.insert(0, label)
            before = speaker_key(cue.speaker)
        lines = [embedded(line, profile.right_to_left) for line in lines]
        times = f"{format_time(cue.start, ',')} --> {format_time(cue.end, ',')}"
        blocks.append("\n".join([str(number), times, *lines]) + "\n")
    return "\n".join(blocks)


def to_json(cues: Sequence[Cue]) -> str:
    """`cues` as a Podcasting 2.0 transcript (https://github.com/Podcastindex-org/podcast-namespace, transcripts).

    One segment a cue, its lines joined: programs that show transcripts break lines themselves. A cue of two speakers is
    two segments with the same times.
    """
    segments: list[dict[str, str | float]] = []
    for cue in cues:
        if cue.second_speaker is None:
            said = [(cue.speaker, unbroken(cue.lines))]
        else:
            texts = (line.removeprefix(HYPHEN) for line in cue.lines)
            said = list(zip((cue.speaker, cue.second_speaker), texts, strict=True))
        for speaker, body in said:
            named: dict[str, str | float] = {"speaker": tidy(speaker)} if tidy(speaker) else {}
            segments.append({**named, "startTime": cue.start, "endTime": cue.end, "body": body})
    return json.dumps({"version": "1.0.0", "segments": segments}, ensure_ascii=False, indent=1) + "\n"


def _voiced(speaker: str, text: str) -> str:
    name = html.escape(tidy(speaker), quote=False)
    return f"<v {name}>{text}</v>" if name else text


def _labelled_turn(line: str, speaker: str, profile: Profile) -> str:
    """`- text` as `- Name: text`, where there is room for it."""
    label = label_of(speaker, profile)
    named = f"{HYPHEN}{label} {line.removeprefix(HYPHEN)}"
    return named if label and columns(named) <= profile.line_columns else line


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


# Parts of turns


def _drafts(
    number: int,
    turn: Turn,
    atoms: Sequence[Atom],
    words: Sequence[WordLike],
    labels: Labels,
    profile: Profile,
    gap: int,
) -> list[_Draft]:
    """The parts of one turn that fit into a cue each, with the time in which their words are heard."""
    if turn.start is None or turn.end is None or not 0 <= turn.start <= turn.end < 1e7:
        raise InputError(
            f"turn {number + 1} of {turn.speaker or 'nobody'} has no proper times; time it before captions."
        )
    if not atoms:
        return []
    layout = Layout(atoms, profile)
    label = label_of(turn.speaker, profile)
    name_width = columns(label) + 1 if label else 0
    named = [labels == "all" or (labels == "first" and k == 0) or layout.seems_named[k] for k in range(len(atoms))]
    # In a single line a long name has no place beside a long word; then SRT goes without it.
    name_widths = [name_width * (has_name and layout.reach(k, name_width) > k) for k, has_name in enumerate(named)]
    letters = list(accumulate((len(_letters(atom.text)) for atom in atoms), initial=0))
    if letters[-1] == 0:  # nothing but signs: each counts alike
        letters = list(range(len(atoms) + 1))
    places, times = _anchors("".join(_letters(atom.text) for atom in atoms), letters[-1], words, turn.start, turn.end)
    begins = [round(_time_after(letter, places, times) * 1000) for letter in letters]
    ends = [round(_time_before(letter, places, times) * 1000) for letter in letters]
    cue_ends = _cue_ends(layout, name_widths, begins, ends, gap)
    if len(cue_ends) * _FASTEST > 1000 * (turn.end - turn.start) + _LATEST:
        raise InputError(
            f"turn {number + 1} of {turn.speaker or 'nobody'} has too much text for its time, from "
            f"{turn.start:.2f} s; correct the times or the text."
        )
    drafts = []
    for index, (start, end) in enumerate(zip([0, *cue_ends], cue_ends, strict=False)):
        lines = layout.lines(start, end, name_widths[start])
        if lines is None:
            raise ValueError(f"'{layout.text(start, end)}' does not fit")
        has_room = name_width == 0 or name_widths[start] > 0
        drafts.append(
            _Draft(
                number,
                index,
                start,
                end,
                lines,
                name_widths[start],
                has_room,
                begins[start],
                ends[end],
                end == len(atoms),
            )
        )
    return drafts


def _cue_ends(
    layout: Layout, name_widths: Sequence[int], begins: Sequence[int], ends: Sequence[int], gap: int
) -> list[int]:
    """Where cues end, so that there are few, none is tiny or too long, and they part where the text or the voice pauses.

    `begins` and `ends`: for every place when what follows begins, and when what precedes ends, in milliseconds.
    """
    count = len(layout.atoms)
    silences = [a - b for a, b in zip(begins, ends, strict=True)]
    pauses = list(accumulate((min(silence, 4000) / 333 * (silence >= _PAUSE) for silence in silences), initial=0.0))
    best = [0.0] * (count + 1)
    following = [count] * (count + 1)
    for start in range(count - 1, -1, -1):
        options = []
        line_break = layout.line_breaks(start, name_widths[start])
        for end in range(start + 1, layout.reach(start, name_widths[start]) + 1):
            tiny = layout.width(start, end) < 16 and (start, end) != (0, count)
            parted = layout.atoms[end - 1].cost if end < count else 0.0
            inside = line_break(end)
            silent = pauses[end] - pauses[start + 1]
            long = max(ends[end] - begins[start] - LONGEST_MS, 0) / 250
            brief = max(SHORTEST_MS + gap - begins[end] + begins[start], 0) / SHORTEST_MS if end < count else 0.0
            cost = 2.0 + parted + 2.0 * tiny + inside * (0.2 if inside < NEVER else 1.0) + silent + long + 6.0 * brief
            options.append((cost + best[end], -end))
        best[start], end = min(options)
        following[start] = -end
    places = []
    place = 0
    while place < count:
        place = following[place]
        places.append(place)
    return places


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
    """Cues come in the order in which they are heard; a short remark at the beginning of a long turn comes before it."""
    return draft.heard + min(draft.done - draft.heard, _REMARK) / 2, draft.heard, draft.turn, draft.index


# Cues


def _cues(
    drafts: Sequence[_Draft],
    turns: Sequence[Turn],
    names: frozenset[str],
    profile: Profile,
    gap: int,
    until: int | None,
) -> tuple[Cue, ...]:
    show = partial(_shown, drafts, turns, names, profile)

    def together(first: int, stop: int) -> Together | None:
        shown = show(first, stop)
        if shown is None:
            return None
        early = max(drafts[stop - 1].heard - drafts[first].heard - 1000, 0) / 1000
        cost = (4.0 if len(shown.speakers) == 2 else 1.0) + (stop - first - 2) + 2.0 * early
        return Together(profile.reading_ms(shown.lines), cost)

    heard = [Heard(draft.heard, draft.done, profile.reading_ms(draft.lines)) for draft in drafts]
    timed = schedule(heard, together, gap, until)
    shown = [show(cue.first, cue.stop) for cue in timed]
    last = [drafts[cue.stop - 1] for cue in timed]
    starts = [cue.start for cue in timed]
    needs = [profile.reading_ms(one.lines) for one in shown if one is not None]
    spoken = [draft.done + LINGER * draft.is_last for draft in last]
    wishes = [needs[k] + _label_ms(drafts[cue.first], turns, profile) for k, cue in enumerate(timed)]
    ends = ends_of(starts, spoken, needs, wishes, gap, until)
    return tuple(
        Cue(start / 1000, end / 1000, one.lines, one.speakers[0], one.speakers[1] if len(one.speakers) > 1 else None)
        for start, end, one in zip(starts, ends, shown, strict=True)
        if one is not None
    )


def _shown(
    drafts: Sequence[_Draft],
    turns: Sequence[Turn],
    names: frozenset[str],
    profile: Profile,
    first: int,
    stop: int,
) -> _Shown | None:
    """Drafts `first` up to `stop` as one cue: laid out anew for one speaker, with a hyphen and a line each for two."""
    if stop == first + 1:
        return _Shown(drafts[first].lines, (turns[drafts[first].turn].speaker,))
    voices: list[tuple[str, str]] = []
    for _, run in groupby(drafts[first:stop], key=lambda draft: speaker_key(turns[draft.turn].speaker)):
        said = list(run)
        voices.append((turns[said[0].turn].speaker, unbroken([unbroken(draft.lines) for draft in said])))
    if len(voices) == 1:
        speaker, text = voices[0]
        again = atoms_of(text, profile, names)
        lines = Layout(again, profile).lines(0, len(again), drafts[first].name_width)
        return _Shown(lines, (speaker,)) if lines is not None else None
    if len(voices) > min(profile.max_lines, 2):
        return None
    lines = tuple(HYPHEN + text for _, text in voices)
    # Two lines without names are two people of whom a file in SRT cannot say who they are.
    labels = [label_of(speaker, profile) for speaker, _ in voices]
    if any(columns(f"{label} {line}") > profile.line_columns for label, line in zip(labels, lines, strict=True)):
        return None
    return _Shown(lines, (voices[0][0], voices[1][0]))


def _label_ms(draft: _Draft, turns: Sequence[Turn], profile: Profile) -> int:
    """How much longer it takes to read a cue whose name is shown, as in SRT."""
    if not draft.name_width:
        return 0
    return round(1000 * draft.name_width / profile.columns_per_char / profile.chars_per_second)
