"""Reads a text file that somebody else wrote: one place for its limits and for what to say when it is not text."""

from pathlib import Path

from media.errors import InputError

MAX_BYTES = 10_000_000
MAX_TURNS = 100_000
"""More turns than any recording of a day holds; a file with more of them is not a dialogue."""

_OTHER_ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x00\x00\xfe\xff": "UTF-32"}


def read_text(path: Path) -> str:
    """The text of a UTF-8 file of at most 10 MB, without its byte order mark.

    Raises:
        InputError: the file is missing, unreadable, too large, not UTF-8, or not text at all.
    """
    name = str(path)
    if path.exists() and not path.is_file():
        raise InputError(f"{name}: this is not a file; name one file.")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{name}: there is no such file; check the name and the folder.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{name}: the file cannot be read ({reason}); check the name and its permissions.") from error
    return decode(content, name)


def decode(content: bytes, name: str) -> str:
    """The text in `content`, which must be UTF-8 and at most 10 MB.

    Raises:
        InputError: it is too large, not UTF-8, or not text at all; names the line.
    """
    if len(content) > MAX_BYTES:
        raise InputError(f"{name}: the file is larger than 10 MB; split it into several files.")
    for mark, encoding in _OTHER_ENCODINGS.items():
        if content.startswith(mark):
            raise InputError(f"{name}:1: the file is {encoding}; save it as UTF-8 text.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        if b"\0" in content:
            raise InputError(f"{name}:1: this is not a text file; give a file with text in it.") from None
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{name}:{line}: the text is not UTF-8; save the file as UTF-8.") from None
    return check_text(text.removeprefix("\ufeff"), name)


def check_text(text: str, name: str) -> str:
    """`text` itself, when it is text that can be written to a file again.

    Raises:
        InputError: it is too large, or it holds NUL characters or halves of characters.
    """
    if len(text) > MAX_BYTES:
        raise InputError(f"{name}: the text is larger than 10 MB; split it into several files.")
    if "\0" in text:
        raise InputError(f"{name}:1: this is not a text file; give a file with text in it.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise InputError(f"{name}:{line}: the text holds half a character; save the file as UTF-8.") from None
    return text


def lines_of(text: str) -> list[str]:
    """The lines of `text`, whatever system wrote it; only real line ends count, so that numbers match an editor's."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
