"""Transcripts that lie beside a recording: what was said, by whom, and mostly when.

Formats: WebVTT, SRT, NIST STM, Podcasting 2.0 JSON (and whisper's), plain text. Transcribers mark sounds, hesitations
and doubts in the text; captions are read by people, so those marks are taken out.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from media.dialogue import MAX_NAME, Turn, display_name, is_speakable, name_fault, tidy
from media.errors import InputError
from media.phrases import unbroken
from media.scripts import parse_script
from media.subtitles import Piece, read_srt, read_vtt, split_speaker
from media.textfile import MAX_TURNS, check_text, lines_of, read_text

TRANSCRIPT_SUFFIXES = (".vtt", ".srt", ".json", ".stm", ".txt")
"""In the order of preference: times and voices first, plain text last."""

_SOUND = re.compile(r"\[[^\[\]]*\]|[♪♫♩♬]")
_BRACED = re.compile(r"\{([^{}]*)\}")
_ANGLED = re.compile(r"<([^<>]*)>")
_FILLER = re.compile(r"(?<!\S)\(?%[A-Za-z]+\)?[,.]?(?!\S)")
_CUT_WORD = re.compile(r"(?<!\S)[^\W\d]+-(?=[,.?!]*(?:\s|$))")
_WORD_MARK = re.compile(r"(?<!\S)[&@~^*+#/]+(?=\w)|(?<=\w)[*+#/]+(?![\w*+#/])")
_SPEAKER_OF_A_GAP = re.compile(r"inter_segment_gap|excluded_region", re.IGNORECASE)


def read_transcript(path: Path) -> tuple[Turn, ...]:
    """The turns of a transcript in the order of their start; the speaker is empty where the file names none.

    Times are seconds; a plain text transcript has none (`start` and `end` are None).

    Raises:
        InputError: the file cannot be read as a transcript, or nothing is said in it; the message names the line.
    """
    suffix = path.suffix.lower()
    if suffix not in TRANSCRIPT_SUFFIXES:
        known = " ".join(TRANSCRIPT_SUFFIXES)
        raise InputError(f"{path}: '{path.suffix}' is not a transcript's suffix; use one of {known}.")
    return parse_transcript(read_text(path), suffix, str(path))


def parse_transcript(text: str, suffix: str, name: str) -> tuple[Turn, ...]:
    """As `read_transcript`, from the text of a file with that suffix; `name` is what error messages call it."""
    check_text(text, name)
    if suffix == ".vtt":
        turns = _turns_of_pieces(read_vtt(text, name)[1])
    elif suffix == ".srt":
        turns = _turns_of_pieces(read_srt(text, name))
    elif suffix == ".json":
        turns = _parse_json(text, name)
    elif suffix == ".stm":
        turns = _parse_stm(text, name)
    elif suffix == ".txt":
        turns = _parse_plain(text, name)
    else:
        raise ValueError(f"suffix is {suffix!r}, not one of {TRANSCRIPT_SUFFIXES}")
    spoken = [turn for turn in turns if is_speakable(turn.text)]
    if not spoken:
        raise InputError(f"{name}:1: nothing is said in this transcript; give one with text, or none.")
    if len(spoken) > MAX_TURNS:
        raise InputError(f"{name}: there are more than {MAX_TURNS} turns; split the file.")
    return tuple(sorted(spoken, key=lambda turn: turn.start or 0.0))


def find_transcript(recording: Path) -> Path | None:
    """The transcript beside a recording: same folder, same stem, the suffix that says most."""
    try:
        beside = {path.name: path for path in recording.parent.iterdir() if path.stem == recording.stem}
    except OSError:
        return None
    for suffix in TRANSCRIPT_SUFFIXES:
        for name in sorted(beside):
            path = beside[name]
            if path.suffix.lower() == suffix and path != recording and path.is_file():
                return path
    return None


def clean_sounds(text: str) -> str:
    """`text` without what is heard but not said: `[music]`, `♪`."""
    return _respaced(_SOUND.sub(" ", text))


def clean_marks(text: str) -> str:
    """`text` without transcribers' marks, in the conventions of NIST and LDC.

    Sounds (`{laugh}`, `[noise]`, `<breath>`), fillers (`%uh`) and cut words (`th-`) go; doubts (`((word))`), names
    (`&Chicago`), spellings (`~TV`), foreign words (`<Spanish hola>`) and alternatives (`{yeah / yes}`: the first) keep
    their words.
    """
    text = tidy(text)
    text = _BRACED.sub(lambda match: f" {match[1].partition('/')[0]} " if "/" in match[1] else " ", text)
    text = _ANGLED.sub(_angled, _SOUND.sub(" ", text))
    text = re.sub(r"\(\(|\)\)|={2,}", " ", text)
    text = _FILLER.sub(" ", text)
    text = re.sub(r"(?<!\S)-{2,}(?!\S)", "—", text)
    text = _CUT_WORD.sub("", text)
    return _respaced(_WORD_MARK.sub("", text))


def _angled(mark: re.Match[str]) -> str:
    """`<Spanish hola>` keeps its words; `<noise>`, `<b_aside>` and `<foreign lang=...>` go."""
    first, _, rest = mark[1].strip().partition(" ")
    return f" {rest} " if first[:1].isupper() and "=" not in rest else " "


def _respaced(text: str) -> str:
    # What was taken out leaves commas without a word before them.
    text = re.sub(r"(?:^|(?<=[.?!])\s+)[,;:.]\s+", " ", " ".join(text.split()))
    return tidy(re.sub(r"\s+([,.])(?=\s|$)", r"\1", re.sub(r",(?:\s*,)+", ",", text)))


def _name(written: str) -> str:
    """A name that is fit for every format, whatever was written; empty where nothing is left of it."""
    name = display_name(" ".join(re.sub(r"[:=()<>{}：（）]", " ", tidy(written)).split(" ")[:12]))
    name = " ".join(name.split()[:6]).lstrip("-–—•*#@>. ")[:MAX_NAME].strip()
    if name and name_fault(name):
        name = f"Speaker {name}"[:MAX_NAME].strip()
    return "" if name_fault(name) else name


def _turns_of_pieces(pieces: Iterable[Piece]) -> list[Turn]:
    """Captions often name a speaker only where it changes: a piece without a name is said by the one before."""
    turns: list[Turn] = []
    for piece in pieces:
        speaker = _name(piece.speaker) or (turns[-1].speaker if turns else "")
        turns.append(Turn(speaker, clean_sounds(piece.text), piece.start, piece.end, piece.direction))
    return turns


# NIST STM: file, channel, speaker, start, end, <labels>, text


def _parse_stm(text: str, name: str) -> list[Turn]:
    turns = []
    for number, line in enumerate(lines_of(text), 1):
        if not line.strip() or line.lstrip().startswith((";;", "#")):
            continue
        fields = line.split(None, 5)
        where = f"{name}:{number}"
        if len(fields) < 5:
            raise InputError(
                f"{where}: the line has {len(fields)} fields; write 'file channel speaker start end text'."
            )
        start, end = (_stm_time(field, where) for field in fields[3:5])
        if end <= start:
            raise InputError(f"{where}: the turn ends before it begins; correct the times.")
        said = fields[5] if len(fields) > 5 else ""
        labels = re.match(r"<[^<>]*>\s*", said)
        said = said[labels.end() :] if labels else said
        if _SPEAKER_OF_A_GAP.fullmatch(fields[2]) or "ignore_time_segment" in said.casefold():
            continue
        turns.append(Turn(_name(fields[2]), clean_marks(said), start, end))
    return turns


def _stm_time(field: str, where: str) -> float:
    seconds = float(field) if re.fullmatch(r"[0-9]{1,7}(?:\.[0-9]{0,9})?", field) else None
    if seconds is None:
        raise InputError(f"{where}: '{field[:20]}' is not a time; write seconds such as 12.34.")
    return seconds


# JSON: Podcasting 2.0 (speaker, startTime, endTime, body) or whisper (start, end, text)


def _parse_json(text: str, name: str) -> list[Turn]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{name}:{error.lineno}: this is not JSON ({error.msg}); correct the line.") from None
    except (RecursionError, ValueError):
        raise InputError(f"{name}:1: this JSON is nested too deeply or has a number too long; correct it.") from None
    segments = content.get("segments") if isinstance(content, dict) else None
    if not isinstance(segments, list):
        raise InputError(f"{name}:1: the transcript has no list 'segments'; use the Podcasting 2.0 transcript format.")
    pieces: list[Turn] = []
    for number, segment in enumerate(segments, 1):
        where = f"{name}:1: segment {number}"
        if not isinstance(segment, dict):
            raise InputError(f"{where} is not an object; write speaker, startTime, endTime and body.")
        start, end = (_json_time(segment, keys, where) for keys in (("startTime", "start"), ("endTime", "end")))
        body = segment.get("body", segment.get("text"))
        if not isinstance(body, str):
            raise InputError(f"{where} has no text; write it as 'body'.")
        speaker = segment.get("speaker", "")
        if end < start:
            raise InputError(f"{where} ends before it begins; correct its times.")
        said = clean_sounds(_readable(body))
        if is_speakable(said) and end > start:
            known = _name(speaker) if isinstance(speaker, str) else ""
            pieces.append(Turn(known or (pieces[-1].speaker if pieces else ""), said, start, end))
    return _sentences(pieces)


def _readable(text: str) -> str:
    """`text` as it can be written to a file: JSON may spell out halves of characters."""
    return text.encode("utf-8", "ignore").decode("utf-8")


def _json_time(segment: dict[str, Any], keys: tuple[str, str], where: str) -> float:
    value = segment.get(keys[0], segment.get(keys[1]))
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e7 or math.isnan(value):
        raise InputError(f"{where} has no proper {keys[0]}; write seconds such as 12.34.")
    return float(value)


def _sentences(pieces: list[Turn]) -> list[Turn]:
    """Joins what one speaker says without a break: many of these files have a segment for every word or line."""
    runs: list[list[Turn]] = []
    for piece in sorted(pieces, key=lambda turn: turn.start or 0.0):
        last = runs[-1][-1] if runs else None
        if (
            last is not None
            and last.speaker == piece.speaker
            and not re.search(r"[.?!…。？！।]['\"”’»)]*$", last.text)
            and (piece.start or 0.0) - (last.end or 0.0) <= 1.0
            and (piece.end or 0.0) - (runs[-1][0].start or 0.0) <= 15.0
        ):
            runs[-1].append(piece)
        else:
            runs.append([piece])
    return [
        Turn(
            run[0].speaker,
            tidy(unbroken(turn.text for turn in run)),
            run[0].start,
            max(turn.end or 0.0 for turn in run),
        )
        for run in runs
    ]


# Plain text, without times


def _parse_plain(text: str, name: str) -> list[Turn]:
    """A script's source dialogue, or else lines with or without `Name:`; a line without continues a named one."""
    try:
        turns = parse_script(text, "text", name).source.turns
        return [replace(turn, text=clean_marks(turn.text)) for turn in turns]
    except InputError:
        pass
    said: list[tuple[str, str, list[str]]] = []
    for line in lines_of(text):
        if line.lstrip().startswith("#"):
            continue
        line = clean_marks(line)
        found = split_speaker(line)
        if found:
            said.append((_name(found[0]), found[1], [found[2]]))
        elif said and said[-1][0]:
            said[-1][2].append(line)
        else:
            said.append(("", "", [line]))
    return [Turn(speaker, tidy(unbroken(lines)), direction=direction) for speaker, direction, lines in said]
