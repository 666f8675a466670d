"""Files that appear whole or not at all: written aside in the same folder, then renamed.

A killed run leaves at most a hidden `.part` file, which nothing reads and which the next writer removes after a day.
"""

import errno
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from media.errors import InputError, PortrayalError, StorageError

STALE_AFTER = 24 * 3600.0
"""Seconds after which an unfinished file counts as left by a killed run."""

_swept: set[Path] = set()

_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_NOT_A_FOLDER = {errno.ENOTDIR, errno.EEXIST}


def cannot_write(path: Path, error: OSError) -> PortrayalError:
    """The sentence for a file that could not be written, with what to do about it. A full disk is worth trying again."""
    name = path.name
    while unfinished := re.fullmatch(
        r"\.(.+)\.[0-9a-f]{12}\.part(\.\w+)?", name
    ):  # somebody else's way to a whole file
        name = unfinished[1] + (unfinished[2] or "")
    where = f"Cannot write {name} in {path.parent}"
    if error.errno in _FULL:
        return StorageError(f"{where}: the disk is full; free some space or choose another folder.")
    if error.errno == errno.EFBIG:
        return StorageError(
            f"{where}: the file is larger than this disk or this account allows; choose another folder."
        )
    if error.errno == errno.EROFS:
        return InputError(f"{where}: the disk is read-only; choose another folder.")
    if error.errno in _REFUSED:
        return InputError(f"{where}: permission denied; choose a folder that you may write to.")
    if error.errno in _NOT_A_FOLDER:
        return InputError(f"{where}: {_file_in_the_way(path)} is a file, not a folder; choose another folder.")
    return InputError(f"{where}: {error.strerror or error}; choose another folder.")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, with the same suffix; publish it as `path` when the block succeeds.

    Folders are made as needed. When the block fails nothing is left behind. Two writers of the same path do not
    disturb each other: the last one to finish wins.

    Raises:
        StorageError: the disk is full.
        InputError: the folder cannot be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem[:80]}.{uuid.uuid4().hex[:12]}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent not in _swept:
            _swept.add(path.parent)
            remove_stale_parts(path.parent)
        if path.is_dir():
            raise InputError(
                f"Cannot write {path}: a folder of that name is in the way; remove it or choose another name."
            )
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if _is_about(error, temporary, path):
            raise cannot_write(path, error) from error
        raise
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_stale_parts(folder: Path, stale_after: float = STALE_AFTER) -> None:
    """Remove what killed runs left in `folder` more than `stale_after` seconds ago."""
    for part in folder.glob(".*.part*"):
        try:
            if time.time() - part.stat().st_mtime > stale_after:
                part.unlink(missing_ok=True)
        except OSError:
            continue  # another process removed it, or it is not ours to remove


def _is_about(error: OSError, temporary: Path, path: Path) -> bool:
    # An error about some other file (a missing input, say) is not ours to explain.
    if error.errno in _FULL or error.errno == errno.EFBIG:
        return True
    if error.errno is None or error.filename is None:
        return False
    about = Path(os.fsdecode(error.filename))
    return about in (temporary, path) or about == path.parent or about in path.parents


def _file_in_the_way(path: Path) -> Path:
    return next(
        (folder for folder in path.parents if folder.exists() and not folder.is_dir()),
        path.parent,
    )
