"""Reads WebVTT and SRT into cues and named, timed pieces of text, and holds what both formats share when written.

Scripts, transcripts and captions all use these two formats; each decides for itself what the pieces mean. Marks of
direction at the ends of a line belong to the file, not to what is said.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from media.caption_profiles import without_marks
from media.dialogue import MAX_NAME, is_speakable, name_fault, speaker_key, tidy
from media.errors import InputError
from media.phrases import unbroken
from media.textfile import MAX_TURNS, check_text, lines_of

_TIME = r"(?:([0-9]{1,4}):)?([0-9]{1,2}):([0-9]{1,2})[.,]([0-9]{1,3})"
_TIMING = re.compile(rf"[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}(?:[ \t].*)?")
_VTT_TAG = re.compile(r"<([^<>]*)>")
_VOICE = re.compile(r"v(?:\.[^\s>]*)?\s+(.*)")
_SRT_TAG = re.compile(r"</?(?:i|b|u|s|font)(?: [^<>]*)?>|\{\\[^{}]*\}", re.IGNORECASE)
_SRT_SHOWN = str.maketrans("<>{}", "‹›[]")
_AFTER_NAME = re.compile("[:：(（]")
_DASH = re.compile(r"\s*(?:[-–—•]+|>>+)\s*")


@dataclass(frozen=True, slots=True)
class Piece:
    """What one voice says in one cue. `line` counts from 1; `start` and `end` are seconds, whole milliseconds."""

    line: int
    speaker: str
    """Name as written; empty where the file does not say who speaks."""
    direction: str
    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Block:
    """One cue as it stands in the file. `line` is that of its first line of text, from 1; times are seconds."""

    line: int
    start: float
    end: float
    payload: tuple[str, ...]
    direction: str = ""


def split_speaker(line: str) -> tuple[str, str, str] | None:
    """`NAME (direction): text` as (name, direction, text), or None where the line does not begin with a name.

    The full-width colon and brackets of Chinese and Japanese keyboards count too. Takes time linear in the line.
    """
    found = _AFTER_NAME.search(line)
    if found is None or found.start() > 4 * MAX_NAME:
        return None
    position = found.start()
    name = tidy(line[:position])
    if name_fault(name) is not None:
        return None
    directions = []
    while line[position] in "(（":
        closed = _closing_bracket(line, position)
        if closed is None:
            return None
        directions.append(tidy(line[position + 1 : closed]))
        position = closed + 1
        while position < len(line) and line[position].isspace():
            position += 1
        if position == len(line):
            return None
    if line[position] not in ":：" or line[position + 1 : position + 3] == "//":
        return None
    return name, tidy(" ".join(directions)), tidy(line[position + 1 :])


def _closing_bracket(line: str, opening: int) -> int | None:
    depth = 0
    for position in range(opening, len(line)):
        depth += (line[position] in "(（") - (line[position] in ")）")
        if depth == 0:
            return position
    return None


def balanced(direction: str) -> str:
    """`direction` as it can stand between brackets: without its own ones where they do not match."""
    direction = tidy(direction)
    if _closing_bracket(f"({direction})", 0) != len(direction) + 1:
        direction = tidy(re.sub("[()（）]", "", direction))
    return direction


def format_time(seconds: float, decimal: str) -> str:
    """`hh:mm:ss.mmm`, the decimal mark being `.` (WebVTT) or `,` (SRT)."""
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{decimal}{rest % 1000:03}"


def vtt_blocks(text: str, name: str) -> tuple[str | None, tuple[Block, ...]]:
    """The language that a WebVTT file declares, if it does, and its cues, with their tags, in the order of the file.

    Raises:
        InputError: it is not WebVTT, or a cue has no proper times.
    """
    lines = lines_of(check_text(text, name))
    if not re.match(r"\ufeff?WEBVTT(?:[ \t]|$)", lines[0]):
        raise InputError(f"{name}:1: this is not WebVTT; its first line must be 'WEBVTT'.")
    language = None
    found: list[Block] = []
    direction = ""
    for number, block in _blocks(lines, 1):
        if number == 1:
            if any("-->" in line for line in block):
                raise InputError(f"{name}:2: a cue stands in the header; put a blank line after 'WEBVTT'.")
            declared = (line.partition(":") for line in block[1:])
            language = next((tidy(tag) for key, _, tag in declared if key.strip().casefold() == "language"), None)
            continue
        if block[0].split(None, 1)[0] in ("NOTE", "STYLE", "REGION"):
            remark = tidy(block[0][4:]) if block[0].startswith("NOTE") and len(block) == 1 else ""
            if remark.startswith("(") and remark.endswith(")"):
                direction = balanced(remark[1:-1])
            continue
        found.append(_cue(block, number, name, direction))
        direction = ""
    return language, tuple(found)


def srt_blocks(text: str, name: str) -> tuple[Block, ...]:
    """The cues of an SRT file in the order of the file.

    Raises:
        InputError: a cue has no proper times.
    """
    lines = lines_of(check_text(text, name))
    return tuple(_cue(block, number, name, "") for number, block in _blocks(lines, 1))


def _cue(block: list[str], number: int, name: str, direction: str) -> Block:
    timing = 0 if "-->" in block[0] else 1
    start, end = _times(block, timing, number, name)
    return Block(number + timing + 1, start, end, tuple(block[timing + 1 :]), direction)


def read_vtt(text: str, name: str) -> tuple[str | None, tuple[Piece, ...]]:
    """The language that a WebVTT file declares, if it does, and its pieces in the order of the file.

    Who speaks is said by voice tags (`<v Name>`), or, in a file without any, by `Name:` before the text.

    Raises:
        InputError: it is not WebVTT, or a cue has no proper times.
    """
    language, blocks = vtt_blocks(text, name)
    pieces: list[Piece] = []
    known: set[str] = set()
    has_voices = any(_VOICE.fullmatch(tag) for line in lines_of(text) if "<v" in line for tag in _VTT_TAG.findall(line))
    for block in blocks:
        said = (
            _split_voices(block.payload, block.line)
            if has_voices
            else _split_names([vtt_text(line) for line in block.payload], block.line, known)
        )
        named = [replace(piece, direction=piece.direction or block.direction) for piece in said]
        pieces += _share_time(named, block.start, block.end)
        _check_count(pieces, name)
    return language, tuple(pieces)


def read_srt(text: str, name: str) -> tuple[Piece, ...]:
    """The pieces of an SRT file in the order of the file; `Name:` before the text says who speaks.

    Raises:
        InputError: a cue has no proper times.
    """
    pieces: list[Piece] = []
    known: set[str] = set()
    for block in srt_blocks(text, name):
        said = _split_names([srt_text(line) for line in block.payload], block.line, known)
        pieces += _share_time(said, block.start, block.end)
        _check_count(pieces, name)
    return tuple(pieces)


def vtt_text(line: str) -> str:
    """A line of a WebVTT cue as it is shown: without tags, its escapes resolved."""
    return html.unescape(_VTT_TAG.sub("", line))


def srt_text(line: str) -> str:
    """A line of an SRT cue as it is shown: without tags."""
    return _SRT_TAG.sub("", line)


def srt_line(text: str) -> str:
    """`text` as a line of SRT, which has no escapes: what would be taken for times or a tag is written otherwise."""
    shown = _SRT_TAG.sub(lambda tag: tag[0].translate(_SRT_SHOWN), text)
    return shown.replace("-->", "→")


def _blocks(lines: list[str], first: int) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines that are not blank, with the number of the first."""
    block: list[str] = []
    for number, line in enumerate([*lines, ""], first):
        if line.strip():
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []


def _check_count(pieces: list[Piece], name: str) -> None:
    if len(pieces) > MAX_TURNS:
        raise InputError(f"{name}:{pieces[-1].line}: there are more than {MAX_TURNS} turns; split the file.")


def _times(block: list[str], timing: int, number: int, name: str) -> tuple[float, float]:
    where = f"{name}:{number + min(timing, len(block) - 1)}"
    match = _TIMING.fullmatch(block[timing]) if timing < len(block) else None
    if match is None:
        raise InputError(
            f"{where}: a cue needs its times; write them as '00:00:01.000 --> 00:00:02.500' on the line above its text."
        )
    if any("-->" in line and _TIMING.fullmatch(line) for line in block[timing + 1 :]):
        raise InputError(f"{where}: two cues follow each other; put a blank line between them.")
    fields = match.groups()
    start, end = _milliseconds(fields[:4]), _milliseconds(fields[4:])
    if start is None or end is None:
        raise InputError(f"{where}: minutes and seconds go up to 59; correct the time.")
    if end <= start:
        raise InputError(f"{where}: the cue ends before it begins; correct the times.")
    return start / 1000, end / 1000


def _milliseconds(fields: tuple[str | None, ...]) -> int | None:
    hours, minutes, seconds, fraction = (field or "0" for field in fields)
    if int(minutes) > 59 or int(seconds) > 59:
        return None
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(fraction.ljust(3, "0"))


def vtt_voices(payload: Sequence[str]) -> list[str]:
    """Who says each line of a WebVTT cue: the last voice tag up to the line's end; empty where there is none."""
    voices, voice = [], ""
    for line in payload:
        for tag in _VTT_TAG.findall(line):
            found = _VOICE.fullmatch(tag)
            voice = tidy(html.unescape(found[1])) if found else voice
        voices.append(voice)
    return voices


def _split_voices(payload: Sequence[str], first_line: int) -> list[Piece]:
    """One piece for each voice tag, in order; text outside of any has no speaker.

    Hyphens go where every one of several voices has one: they are how captions show two speakers.
    """
    # Lines are kept apart by a line feed, which no tag name has, so that a piece knows its own line.
    source = "\n".join(payload)
    pieces: list[Piece] = []

    def said() -> str:
        return tidy(unbroken(map(without_marks, html.unescape("".join(parts)).split("\n"))))

    speaker, line, reached, position = "", first_line, first_line, 0
    parts: list[str] = []
    for tag in _VTT_TAG.finditer(source):
        parts.append(source[position : tag.start()])
        reached += source.count("\n", position, tag.end())
        voice = _VOICE.fullmatch(tag[1].replace("\n", " "))
        if voice or tag[1].strip() == "/v":
            pieces.append(Piece(line, speaker, "", said(), 0, 0))
            line, speaker, parts = (reached, (tidy(html.unescape(voice[1])) if voice else ""), [])
        position = tag.end()
    parts.append(source[position:])
    pieces.append(Piece(line, speaker, "", said(), 0, 0))
    pieces = [piece for piece in pieces if piece.speaker or is_speakable(piece.text)]
    if len(pieces) > 1 and all(_DASH.match(piece.text) for piece in pieces):
        pieces = [replace(piece, text=_DASH.sub("", piece.text, count=1)) for piece in pieces]
    return pieces


def _split_names(payload: Sequence[str], first_line: int, known: set[str]) -> list[Piece]:
    """Pieces by `Name:` at the start of a line; below a cue's first line only names already met, or after a dash.

    Adds to `known` the keys of the names it meets.
    """
    heads: list[tuple[int, str, str]] = []
    texts: list[list[str]] = []
    payload = [without_marks(line) for line in payload]
    dashed = len(payload) > 1 and all(_DASH.match(line) for line in payload)
    for number, line in enumerate(payload, first_line):
        dash = _DASH.match(line)
        named = split_speaker(line[dash.end() :] if dash else line.strip())
        if named and (not heads or dash or speaker_key(named[0]) in known):
            known.add(speaker_key(named[0]))
            heads.append((number, named[0], named[1]))
            texts.append([named[2]])
        elif dashed and dash:  # somebody else, but nobody says who
            heads.append((number, "", ""))
            texts.append([line[dash.end() :]])
        elif heads:
            texts[-1].append(line)
        else:
            heads.append((number, "", ""))
            texts.append([line])
    pieces = [Piece(*head, tidy(unbroken(text)), 0, 0) for head, text in zip(heads, texts, strict=True)]
    return [piece for piece in pieces if piece.speaker or is_speakable(piece.text)]


def _share_time(pieces: list[Piece], start: float, end: float) -> list[Piece]:
    """The cue's time shared among its voices in proportion to the length of what they say."""
    reached = list(accumulate((len(piece.text) + 1 for piece in pieces), initial=0))
    marks = [round(start + (end - start) * so_far / max(reached[-1], 1), 3) for so_far in reached]
    return [replace(p, start=a, end=b) for p, a, b in zip(pieces, marks, marks[1:], strict=False)]
