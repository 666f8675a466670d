"""The result folder of a production: a folder, or a URL such as `s3://bucket/folder`. Files appear there whole or not at all."""

import errno
import filecmp
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from upath import UPath

from media.atomic import cannot_write, whole_file
from media.errors import InputError, LostArtifactError, StorageError
from media.remote import Remote
from media.settings import Settings

LEAST_FREE_BYTES = 8 << 20
"""Below this much room in a folder, no work is begun."""


def is_url(out: str | Path) -> bool:
    """Whether it is a URL rather than a folder of this machine."""
    return "://" in str(out)


def place(out: str, name: str = "") -> str:
    """The whole address of a result folder, or of a file in it."""
    if is_url(out):
        return f"{out.rstrip('/')}/{name}".rstrip("/")
    return str((Path(out) / name).resolve())


def parted(address: str) -> tuple[str, str]:
    """The result folder and the name of a file in it, from what `place` says."""
    out, _, name = address.rpartition("/")
    return out, name


@contextmanager
def writing(out: str, name: str) -> Iterator[Path]:
    """Give a temporary local path; what is written there appears as the file `name` of the result folder on success.

    Raises:
        InputError: the folder cannot be written to.
        StorageError: it is full, or does not answer.
    """
    if not is_url(out):
        with whole_file(Path(out) / name) as temporary:
            yield temporary
        return
    with tempfile.TemporaryDirectory(prefix="portrayal-") as folder:
        temporary = Path(folder) / name
        yield temporary
        _remote(out).upload(temporary, name)


def publish(artifact: Path, out: str, name: str, permit: Callable[[], None]) -> None:
    """Copy a local file to the result folder, if it is not there already.

    Args:
        permit: called right before the file is seen there; raises if it may not be.

    Raises:
        InputError, StorageError: as `writing`.
    """
    if is_url(out):
        there = _remote(out).find(name)
        permit()
        if there is None or there.sha256 is None or there.sha256 != _sha256(artifact):
            _remote(out).upload(artifact, name)
        return
    target = Path(out) / name
    if target.is_file() and filecmp.cmp(artifact, target, shallow=False):
        permit()
        return
    # A copy, not a link: what people do to their video must not change the artifact.
    with whole_file(target) as draft:
        shutil.copyfile(artifact, draft)
        permit()


def exists(out: str, name: str) -> bool:
    """Whether the result folder has a file of this name."""
    return _remote(out).find(name) is not None if is_url(out) else (Path(out) / name).is_file()


def read_text(out: str, name: str) -> str | None:
    """A file of the result folder; None if it is not there.

    Raises:
        OSError, ValueError: it cannot be read.
        InputError, StorageError: the URL cannot be used, or does not answer.
    """
    if not is_url(out):
        try:
            return (Path(out) / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
    with tempfile.TemporaryDirectory(prefix="portrayal-") as folder:
        copy = Path(folder) / name
        if _remote(out).download(name, copy) is None:
            return None
        return copy.read_text(encoding="utf-8")


def names(out: str) -> list[str]:
    """All files of a result folder, by name, in order; none where there is no such folder."""
    if is_url(out):
        return _remote(out).names()
    folder = Path(out)
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def move(out: str, name: str, to: str) -> None:
    """Move a file into another result folder, where it appears whole; for a moment it may be in both, never in neither.

    Raises:
        LostArtifactError: it is gone, or damaged.
        InputError, StorageError: as `writing`.
    """
    if not (is_url(out) or is_url(to)):
        target = Path(to) / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(Path(out) / name, target)
            return
        except OSError as error:
            if error.errno != errno.EXDEV:  # another disk: it is copied, as if it were far away
                raise cannot_write(target, error) from error
    with tempfile.TemporaryDirectory(prefix="portrayal-") as folder:
        copy = Path(folder) / Path(name).name
        if is_url(out):
            found = _remote(out).download(name, copy)
            if found is None or not found[1]:
                raise LostArtifactError(f"{place(out, name)}: it is gone, or damaged; make it anew.")
        else:
            copy = Path(out) / name
        if is_url(to):
            _remote(to).upload(copy, name)
        else:
            with whole_file(Path(to) / name) as draft:
                shutil.copyfile(copy, draft)
    remove(out, name)


def remove(out: str, name: str) -> None:
    """Remove a file of a result folder; nothing happens if it is not there."""
    if is_url(out):
        _remote(out).remove(name)
        return
    (Path(out) / name).unlink(missing_ok=True)


def check(out: str) -> None:
    """Make sure that files can be written there, and leave nothing behind: not even the folder, if it is new.

    Raises:
        InputError: it cannot be made or written to.
        StorageError: its disk is full, or it does not answer.
    """
    probe = f".portrayal-{uuid.uuid4().hex[:12]}.part"
    if is_url(out):
        with writing(out, probe) as path:
            path.write_bytes(b"")
        _remote(out).remove(probe)
        return
    folder = Path(out)
    if folder.parts and folder.parts[0].endswith(":"):  # what is left of s3://bucket where a folder is expected
        raise InputError(f"{out}: only a folder of this machine is possible here.")
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / probe).write_bytes(os.urandom(1 << 16))
        free = shutil.disk_usage(folder).free
        if free < LEAST_FREE_BYTES:
            raise StorageError(
                f"{out}: only {free / (1 << 20):.1f} MB are free there; free some space or choose another folder."
            )
    except OSError as error:
        raise cannot_write(folder / "production.json", error) from None
    finally:
        try:
            (folder / probe).unlink(missing_ok=True)
            for one in made:
                one.rmdir()
        except OSError:
            pass  # never made, or somebody else uses it already


@lru_cache(maxsize=8)
def _remote(out: str) -> Remote:
    try:
        root = UPath(out)
    except (ValueError, ImportError) as error:
        raise InputError(f"--out {out}: {error}; use a folder or a URL such as s3://bucket/folder.") from error
    if not out.partition("://")[2].partition("/")[0]:
        raise InputError(f"--out {out}: it names no bucket; use a URL such as s3://bucket/folder.")
    return Remote(root, _patience(os.environ.get("PORTRAYAL_STORE_PATIENCE")))


@lru_cache(maxsize=8)
def _patience(said: str | None) -> float:
    """The setting, read once for what the environment says: a night asks for a thousand folders."""
    return Settings().store_patience


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
