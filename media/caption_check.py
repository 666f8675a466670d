"""Whether a caption file keeps to the rules that professional captions keep to: `.vtt`, `.srt`, Podcasting 2.0 `.json`.

It knows the file, not the speech. So a cue that comes too fast, or is too short, is an error where the file itself shows
that it need not be (there is room after it, or the neighbour could share a cue with it), and else a warning.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, Literal

import langcodes

from media.caption_lines import HYPHEN, Layout, atoms_of, label_of
from media.caption_profiles import (
    DEFAULT_FPS,
    GAP_FRAMES,
    LONGEST_MS,
    MAX_SECONDS,
    MIN_SECONDS,
    SHORTEST_MS,
    Profile,
    columns,
    guess_language,
    profile_of,
    runs_right_to_left,
    without_marks,
)
from media.dialogue import tidy
from media.errors import InputError
from media.phrases import CLOSING, NEVER, OPENING, UNSPACED, unbroken
from media.subtitles import Block, split_speaker, srt_blocks, srt_text, vtt_blocks, vtt_text, vtt_voices
from media.textfile import read_text

SUFFIXES = (".vtt", ".srt", ".json")
TOO_FAST = "speech is faster than the limit"

_LEAST_ROOM = 200
"""Milliseconds after a cue that are worth using; it is two frames of a slow video, too."""

Rule = Literal[
    "lines",
    "line length",
    "reading speed",
    "too short",
    "too long",
    "overlap",
    "gap",
    "empty",
    "line break",
    "direction",
]


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with one cue."""

    cue: int
    """Counts from 1, in the order of the file."""
    start: float
    """Seconds."""
    rule: Rule
    value: float | str
    limit: float | str
    unit: str
    warning: bool = False
    """The file gives no sign that it could be helped: the speech itself is faster than the limit."""

    def as_json(self) -> dict[str, Any]:
        facts = asdict(self)
        facts["severity"] = "warning" if facts.pop("warning") else "error"
        return facts | {"message": TOO_FAST if self.warning else f"{self.rule}: {self.value}, limit {self.limit}"}


@dataclass(frozen=True, slots=True)
class Report:
    """What `check_captions` found in one file."""

    file: str
    language: str
    fps: float
    cues: int
    violations: tuple[Violation, ...]

    @property
    def errors(self) -> tuple[Violation, ...]:
        return tuple(one for one in self.violations if not one.warning)

    @property
    def warnings(self) -> tuple[Violation, ...]:
        return tuple(one for one in self.violations if one.warning)

    def as_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "language": self.language,
            "fps": self.fps,
            "cues": self.cues,
            "errors": len(self.errors),
            "warnings": len(self.warnings),
            "violations": [one.as_json() for one in self.violations],
        }


@dataclass(frozen=True, slots=True)
class _Line:
    """A line as it is shown. `text` has no speaker's label and no marks; `speaker` is empty where nobody is named."""

    shown: str
    text: str
    speaker: str


@dataclass(frozen=True, slots=True)
class _Shown:
    number: int
    start: int
    end: int
    lines: tuple[_Line, ...]
    """Times are milliseconds."""
    from_file: bool
    """Whether the file says where lines break; a transcript in JSON does not."""


def check_captions(path: Path, language: str | None = None, fps: float | None = None) -> Report:
    """Check one file.

    Args:
        language: BCP 47; what the file says (its header, `NAME.LANG.srt`, its script) when None.
        fps: frames a second of the video, for the gap of two frames; 25 when None.

    Raises:
        InputError: the file is none of the three formats, or cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: '{path.suffix}' is not a caption file; give one that ends in {', '.join(SUFFIXES)}.")
    text = read_text(path)
    declared, blocks = vtt_blocks(text, str(path)) if suffix == ".vtt" else (None, ())
    tag = language or _known_language(declared) or _known_language(_middle(path)) or guess_language(text)
    profile = profile_of(tag)
    if suffix == ".vtt":
        cues = [_vtt_cue(number, block) for number, block in enumerate(blocks, 1)]
    elif suffix == ".srt":
        cues = _srt_cues(srt_blocks(text, str(path)))
    else:
        cues = _json_cues(text, str(path), profile)
    if not cues:
        raise InputError(f"{path}: there is no caption in this file; give one with text in it.")
    fps = fps or DEFAULT_FPS
    return Report(str(path), profile.language, fps, len(cues), tuple(_violations(cues, profile, fps)))


# Reading


def _middle(path: Path) -> str | None:
    """`es` of `talk.es.srt` and `talk.es.draft.srt`."""
    parts = path.stem.removesuffix(".draft").split(".")
    return parts[-1] if len(parts) > 1 else None


def _known_language(tag: str | None) -> str | None:
    return tag if tag and len(tag) <= 40 and langcodes.tag_is_valid(tag) else None


def _vtt_cue(number: int, block: Block) -> _Shown:
    lines = []
    for line, speaker in zip(block.payload, vtt_voices(block.payload), strict=True):
        shown = vtt_text(line)
        lines.append(_Line(shown, without_marks(tidy(shown)), speaker))
    return _Shown(number, round(block.start * 1000), round(block.end * 1000), tuple(lines), True)


def _srt_cues(blocks: Sequence[Block]) -> list[_Shown]:
    cues, speaker = [], ""
    for number, block in enumerate(blocks, 1):
        lines = []
        for k, line in enumerate(block.payload):
            shown = srt_text(line)
            text = without_marks(tidy(shown))
            hyphen = HYPHEN if text.startswith(HYPHEN) and len(block.payload) > 1 else ""
            named = split_speaker(text.removeprefix(hyphen)) if k == 0 or hyphen else None
            if named and (named[2] or k + 1 < len(block.payload)):
                speaker, text = named[0], hyphen + named[2]
            lines.append(_Line(shown, text, speaker))
        cues.append(_Shown(number, round(block.start * 1000), round(block.end * 1000), tuple(lines), True))
    return cues


def _json_cues(text: str, name: str, profile: Profile) -> list[_Shown]:
    """A transcript's segments; those with the same times are shown together, a hyphen before each."""
    try:
        content = json.loads(text)
        segments = content["segments"]
        found = [_segment(one) for one in segments]
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(
            f"{name}: this is not a Podcasting 2.0 transcript ({reason}); it needs 'segments', a list of objects with "
            "startTime, endTime and body."
        ) from None
    cues: list[_Shown] = []
    for (start, end), run in groupby(found, key=lambda segment: segment[:2]):
        said = [(speaker, body) for _, _, speaker, body in run]
        if len(said) == 1:
            speaker, body = said[0]
            lines = [_Line(line, without_marks(line), speaker) for line in wrapped(body, profile)]
        else:
            lines = [_Line(HYPHEN + body, HYPHEN + without_marks(tidy(body)), speaker) for speaker, body in said]
        cues.append(_Shown(len(cues) + 1, start, end, tuple(lines), False))
    return cues


def _segment(one: Any) -> tuple[int, int, str, str]:
    start, end = (float(one[key]) for key in ("startTime", "endTime"))
    if not 0 <= start <= end < 1e7:
        raise ValueError(f"a segment lasts from {start} to {end} s")
    if not isinstance(one["body"], str):
        raise TypeError("a body is not text")
    return round(start * 1000), round(end * 1000), tidy(str(one.get("speaker") or "")), one["body"]


def wrapped(text: str, profile: Profile) -> tuple[str, ...]:
    """`text` as a player would break it into lines, as few as hold it."""
    atoms = atoms_of(text, profile)
    if not atoms:
        return ()
    layout = Layout(atoms, profile)
    best = layout.lines(0, len(atoms))
    if best is not None:
        return best
    lines, place = [], 0
    while place < len(atoms):
        end = place + 1
        while end < len(atoms) and layout.width(place, end + 1) <= profile.line_columns:
            end += 1
        lines.append(layout.text(place, end))
        place = end
    return tuple(lines)


# Rules


def _violations(cues: Sequence[_Shown], profile: Profile, fps: float) -> list[Violation]:
    found: list[Violation] = []
    in_time = sorted(cues, key=lambda cue: (cue.start, cue.end))
    neighbours = {cue.number: (before, after) for before, cue, after in _with_neighbours(in_time)}
    for cue in cues:
        before, after = neighbours[cue.number]
        found += _of_text(cue, profile)
        found += _of_time(cue, before, after, profile, fps)
    return found


def _with_neighbours(cues: Sequence[_Shown]) -> list[tuple[_Shown | None, _Shown, _Shown | None]]:
    return list(zip([None, *cues[:-1]], cues, [*cues[1:], None], strict=True))


def _of_text(cue: _Shown, profile: Profile) -> list[Violation]:
    def violation(rule: Rule, value: float | str, limit: float | str, unit: str) -> Violation:
        return Violation(cue.number, cue.start / 1000, rule, value, limit, unit)

    if not any(line.text for line in cue.lines):
        return [violation("empty", "no text", "some text", "")]
    found = []
    if len(cue.lines) > profile.max_lines:
        found.append(violation("lines", len(cue.lines), profile.max_lines, "lines"))
    for line in cue.lines:
        width = columns(without_marks(line.shown))
        if width > profile.max_columns:
            length = width / profile.columns_per_char
            found.append(violation("line length", _short(length), profile.max_chars, "characters"))
    if cue.from_file:
        found += [violation("line break", line, "", "") for line in _bad_breaks(cue, profile)]
        for line in cue.lines:
            runs = runs_right_to_left(line.shown)
            if runs is not None and runs != profile.right_to_left:
                shown = "right to left" if runs else "left to right"
                wanted = "right to left" if profile.right_to_left else "left to right"
                found.append(violation("direction", shown, wanted, ""))
    return found


def _bad_breaks(cue: _Shown, profile: Profile) -> list[str]:
    """Lines that end, or begin, where none should, although the same words could be broken elsewhere."""
    lines = [line.text for line in cue.lines]
    if len(lines) != 2 or not all(lines) or _is_dual(cue):
        return []
    first, second = lines
    names = frozenset(part.casefold() for line in cue.lines for part in line.speaker.split() if part[:1].isupper())
    atoms = atoms_of(unbroken(lines), profile, names)
    layout = Layout(atoms, profile)
    cost = next((layout.atoms[k - 1].cost for k in range(1, len(atoms)) if layout.text(0, k) == first), 0.0)
    if UNSPACED.search(first[-1] + second[0]) and (second[0] in CLOSING or first[-1] in OPENING):
        cost = NEVER
    if cost < NEVER:
        return []
    label = label_of(cue.lines[0].speaker, profile)
    best = layout.line_break(0, len(atoms), columns(label) + 1 if label else 0)
    return [f"{first.split()[-1]} | {second.split()[0]}"] if best < NEVER else []


def _is_dual(cue: _Shown) -> bool:
    return len(cue.lines) == 2 and all(line.text.startswith(("-", "–")) for line in cue.lines)


def _of_time(cue: _Shown, before: _Shown | None, after: _Shown | None, profile: Profile, fps: float) -> list[Violation]:
    def violation(rule: Rule, value: float, limit: float, unit: str, warning: bool = False) -> Violation:
        return Violation(cue.number, cue.start / 1000, rule, _short(value), _short(limit), unit, warning)

    found = []
    shown = cue.end - cue.start
    free = math.inf if after is None else after.start - cue.end
    frame = 1000 / fps
    could_stay = free > max(_LEAST_ROOM, GAP_FRAMES * frame + frame) and shown < LONGEST_MS
    speed = 1000 * profile.chars(tuple(line.text for line in cue.lines if line.text)) / max(shown, 1)
    if shown < SHORTEST_MS - 1:
        shared = any(_could_share(one, other, profile) for one, other in pairwise([before, cue, after]))
        found.append(
            violation("too short", shown / 1000, MIN_SECONDS, "seconds", warning=not could_stay and not shared)
        )
    if shown > LONGEST_MS + 1:
        found.append(violation("too long", shown / 1000, MAX_SECONDS, "seconds"))
    if speed > profile.chars_per_second * (1 + 1 / max(shown, 1)):
        found.append(
            violation("reading speed", speed, profile.chars_per_second, "characters a second", warning=not could_stay)
        )
    if free < 0:
        found.append(violation("overlap", -free / 1000, 0, "seconds"))
    elif free < GAP_FRAMES * frame - 1:
        found.append(violation("gap", free / frame, GAP_FRAMES, "frames"))
    return found


def _could_share(one: _Shown | None, other: _Shown | None, profile: Profile) -> bool:
    """Whether two cues, one right after the other, could be one: of a line each, and not too long together."""
    if one is None or other is None or len(one.lines) != 1 or len(other.lines) != 1:
        return False
    if other.end - one.start > LONGEST_MS or other.start - one.end > SHORTEST_MS:
        return False
    lines = (one.lines[0], other.lines[0])
    return all(
        columns(f"{HYPHEN}{label_of(line.speaker, profile)} {line.text}") <= profile.line_columns for line in lines
    )


def _short(value: float) -> float:
    """A figure as people want to see it."""
    return round(value, 2) if not math.isinf(value) else value
