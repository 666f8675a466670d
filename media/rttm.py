"""RTTM, in which diarizations are exchanged: who spoke when, without words (NIST RT-09 evaluation plan, appendix A)."""

import re
from collections.abc import Iterable
from pathlib import Path

from media.dialogue import Turn, tidy
from media.errors import InputError
from media.textfile import MAX_TURNS, check_text, lines_of, read_text

_SECONDS = re.compile(r"[0-9]{1,7}(?:\.[0-9]{0,9})?")
_NO_NAME = "<NA>"


def read_rttm(path: Path) -> tuple[Turn, ...]:
    """The speaker turns of an RTTM file, in the order of their start, with empty texts; labels stay as written.

    Raises:
        InputError: the file is not RTTM, or holds no turn; the message names the line.
    """
    return parse_rttm(read_text(path), str(path))


def parse_rttm(text: str, name: str) -> tuple[Turn, ...]:
    """As `read_rttm`, from the file's text; `name` is what error messages call it."""
    turns = []
    for number, line in enumerate(lines_of(check_text(text, name)), 1):
        fields = line.split(None, 9)
        if not fields or fields[0].startswith((";;", "#")):
            continue
        where = f"{name}:{number}"
        # Lines of other types (SPKR-INFO, LEXEME, NON-SPEECH ...) say nothing about who spoke when.
        if fields[0] != "SPEAKER":
            if not re.fullmatch("[A-Z][A-Z-]+", fields[0]):
                raise InputError(f"{where}: this is not RTTM; begin lines with SPEAKER.")
            continue
        if len(fields) < 8:
            form = f"'SPEAKER file 1 start length {_NO_NAME} {_NO_NAME} speaker {_NO_NAME} {_NO_NAME}'"
            raise InputError(f"{where}: the line has {len(fields)} fields; write {form}.")
        for field in fields[3:5]:
            if not _SECONDS.fullmatch(field):
                raise InputError(f"{where}: '{field[:20]}' is not a time; write seconds such as 12.34.")
        start, length = float(fields[3]), float(fields[4])
        speaker = "" if fields[7] == _NO_NAME else fields[7]
        # Sums of two decimal numbers are rounded to the microsecond, so that 0.1 + 0.2 is 0.3.
        turns.append(Turn(speaker, "", start, round(start + length, 6)))
    if not turns:
        raise InputError(f"{name}:1: nobody speaks in this RTTM file; it needs lines that begin with SPEAKER.")
    if len(turns) > MAX_TURNS:
        raise InputError(f"{name}: there are more than {MAX_TURNS} turns; split the file.")
    return tuple(sorted(turns, key=lambda turn: (turn.start, turn.end)))


def write_rttm(turns: Iterable[Turn], uri: str) -> str:
    """`turns` as RTTM, to the millisecond; `uri` names the recording. White space within names becomes `_`.

    Raises:
        InputError: a turn has no times.
    """
    recording = tidy(uri).replace(" ", "_") or _NO_NAME
    lines = []
    for number, turn in enumerate(turns, 1):
        if turn.start is None or turn.end is None or not 0 <= turn.start <= turn.end:
            raise InputError(f"{recording}: turn {number} has no times; diarize the recording first.")
        begin, end = round(turn.start * 1000), round(turn.end * 1000)
        times = f"{begin // 1000}.{begin % 1000:03} {(end - begin) // 1000}.{(end - begin) % 1000:03}"
        speaker = tidy(turn.speaker).replace(" ", "_") or _NO_NAME
        lines.append(f"SPEAKER {recording} 1 {times} {_NO_NAME} {_NO_NAME} {speaker} {_NO_NAME} {_NO_NAME}\n")
    return "".join(lines)
