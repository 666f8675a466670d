"""Claims on productions: of several processes that find the same work, one does it.

A claim ends with its block or with its process, however that ends, so that nothing has to be cleaned up after a kill.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from media.errors import InputError


@contextmanager
def claimed(engine: Engine, purpose: str, production_id: str) -> Iterator[bool]:
    """Whether this process has the production to itself for a purpose; does not wait for another that has it.

    On PostgreSQL it is an advisory lock, held by a connection of its own; on SQLite, which is one machine's, a locked
    file in a folder beside the catalog.

    Args:
        purpose: claims of different purposes do not meet.

    Raises:
        InputError: the folder cannot be written to.
    """
    digest = hashlib.sha256(f"{purpose}\n{production_id}".encode()).digest()
    if engine.dialect.name == "postgresql":
        key = int.from_bytes(digest[:8], "big", signed=True)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            got = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}))
            try:
                yield got
            finally:
                if got:
                    with suppress(DBAPIError):  # a connection that broke has let go already
                        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})
        return
    database = engine.url.database
    folder = Path(f"{database}.claims") if database else Path(tempfile.gettempdir())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / digest.hex()[:32], os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); check its permissions.") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
