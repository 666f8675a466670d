"""Opens the catalog: makes it when it is not there, brings its tables up to date, and hands out sessions.

Many processes may do this at once, on SQLite and on PostgreSQL.
"""

import errno
import getpass
import os
import random
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, inspect, make_url, select, table, text
from sqlalchemy import column as sql_column
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect, ExceptionContext
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

import catalog.campaign_tables  # noqa: F401  so that every table is known wherever the catalog is opened
from catalog.migrations import HEAD, VERSION_TABLE
from catalog.tables import Base, now
from media.errors import InputError, StorageError

if TYPE_CHECKING:
    from alembic.config import Config

BUSY_SECONDS = 30.0
"""How long a writer on SQLite waits while no other one gets anything done."""
RESTART_SECONDS = 60.0
"""How long a database server that was there before, or says that it is starting, is waited for."""
_MIGRATION_LOCK = 0x706F727472617921
"""Key of the PostgreSQL advisory lock that lets one process at a time migrate."""
_MIGRATIONS = Path(__file__).parent / "migrations"


def open_catalog(url: str) -> Engine:
    """An engine for the catalog at a SQLAlchemy URL, with its tables made or brought up to date.

    `sqlite:////path/catalog.db` (folders are created) or `postgresql://user@host/name`.

    Raises:
        InputError: the URL is not one of these, the file cannot be written, or the server cannot be reached.
        StorageError: its disk is full; whoever uses the engine later may meet that, too.
    """
    place = _place(url)
    with _explained(place):
        if place.get_backend_name() == "sqlite":
            engine = _open_sqlite(place)
        else:
            options = {"connect_timeout": 10, "options": f"-c portrayal.actor={actor()}"}
            engine = create_engine(place, pool_pre_ping=True, connect_args=options)
            _wait_while_it_restarts(engine)
        event.listen(engine, "handle_error", _no_room)
        try:
            upgrade(engine)
        except BaseException:
            engine.dispose()
            raise
    return engine


def is_cut_off(error: BaseException) -> bool:
    """Whether a transaction ended because its database server did: nothing of it was written, and the next one may work."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def session_factory(engine: Engine, *, read_only: bool = False) -> sessionmaker[Session]:
    """A factory for sessions: `with session_factory(engine).begin() as session: ...` commits at the end, or rolls back.

    Sessions write, and on SQLite hold the write lock from their first statement on; keep them short. With `read_only`
    they never wait for a writer, see one state of the catalog throughout, and cannot write.
    """
    if read_only:
        engine = engine.execution_options(catalog_read_only=True)
        if engine.dialect.name == "postgresql":
            engine = engine.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")
    return sessionmaker(engine, expire_on_commit=False)


def clock(session: Session) -> datetime:
    """The database's time where it has a clock of its own: what machines agree about, such as leases, goes by it."""
    if session.get_bind().dialect.name == "sqlite":
        return now()
    at = session.scalar(select(func.clock_timestamp()))
    assert isinstance(at, datetime)
    return at.astimezone(UTC)


def actor() -> str:
    """Who is at work, for the audit trail: PORTRAYAL_ACTOR, or else the user and the machine, such as `ann@studio-3`."""
    name = os.environ.get("PORTRAYAL_ACTOR", "").strip()
    if not name:
        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # a container may have no name for its user
            user = f"user-{os.getuid()}" if hasattr(os, "getuid") else "unknown"
        name = f"{user}@{socket.gethostname()}"
    return re.sub(r"[^\w.@+-]+", "_", name)[:100]


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the tables up to `revision`. Quick when they are there already; one process at a time does the work.

    Raises:
        InputError: the catalog was written by a newer version.
    """
    if revision == "head" and current_revision(engine) == HEAD:
        return
    with _migrating(engine) as config:
        from alembic import command
        from alembic.script import ScriptDirectory

        found = _revision(config.attributes["connection"])
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if found is not None and found not in known:
            raise InputError(
                f"{_shown(engine.url)}: the catalog was written by a newer version of Portrayal (its revision is "
                f"'{found}', this version knows '{HEAD}'); update Portrayal or use another catalog."
            )
        command.upgrade(config, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the tables back to an earlier revision, or to nothing with `base`. What the later ones added is lost."""
    with _migrating(engine) as config:
        from alembic import command

        command.downgrade(config, revision)


def current_revision(engine: Engine) -> str | None:
    """The revision that the tables are at; None: there are none yet."""
    with engine.execution_options(catalog_read_only=True).connect() as connection:
        return _revision(connection)


def insert_into(session: Session, target: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """The INSERT of the session's database, which has `on_conflict_do_nothing` and `on_conflict_do_update`."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    return insert(target)


def _place(url: str) -> URL:
    try:
        place = make_url(url)
    except ArgumentError:
        raise InputError(
            "The catalog's address is not a database URL; use sqlite:////folder/catalog.db or "
            "postgresql://user@host/name (PORTRAYAL_DATABASE_URL)."
        ) from None
    match place.drivername:
        case "sqlite" | "sqlite+pysqlite" if place.database and not place.database.startswith((":", "file:")):
            return place
        case "postgres" | "postgresql" | "postgresql+psycopg":
            return place.set(drivername="postgresql+psycopg")
    raise InputError(
        f"{_shown(place)}: this kind of catalog is not supported; use a SQLite file (sqlite:////folder/catalog.db) or "
        "PostgreSQL (postgresql://user@host/name)."
    )


def _wait_while_it_restarts(engine: Engine) -> None:
    """Connect to a server that was there before as soon as it is there again; one that never was is not waited for."""
    reached = False

    @event.listens_for(engine, "do_connect")
    def _connect(dialect: Dialect, _record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
        nonlocal reached
        deadline = time.monotonic() + RESTART_SECONDS
        while True:
            try:
                connection = dialect.connect(*arguments, **options)
            except dialect.loaded_dbapi.OperationalError as error:
                # That it is starting has a code (57P03), which the driver does not hand on.
                if time.monotonic() > deadline or not (reached or "database system is" in str(error)):
                    raise
                time.sleep(0.5)
            else:
                reached = True
                return connection


def _open_sqlite(place: URL) -> Engine:
    path = Path(str(place.database))
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise InputError(f"{path}: the catalog should be a file and this is a folder; name a file in it.")
    # SQLite also writes beside the file (-wal, -shm), so the folder must be writable, too.
    for target in (path, path.parent):
        if target.exists() and not os.access(target, os.W_OK):
            raise InputError(
                f"{target}: the catalog cannot be written here; change the permissions or set PORTRAYAL_HOME."
            )
    _use_write_ahead_log(path)
    engine = create_engine(place, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        # The driver's own idea of when a transaction begins leaves reads and DDL outside of it; `_begin` does it right.
        connection.isolation_level = None
        connection.create_function("portrayal_actor", 0, actor)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        options = connection.get_execution_options()
        read_only = bool(options.get("catalog_read_only"))
        # Foreign keys can only be switched between transactions; migrations that rebuild a table need them off.
        driver.execute(f"PRAGMA foreign_keys = {'OFF' if options.get('catalog_migrating') else 'ON'}")
        driver.execute(f"PRAGMA query_only = {'ON' if read_only else 'OFF'}")
        try:
            if read_only:
                driver.execute("BEGIN")
            else:
                _begin_writing(driver, path)
        except sqlite3.OperationalError as error:  # SQLAlchemy hands on what happens here as it is
            if _is_full(error):
                raise _full(place) from error
            raise

    return engine


def _begin_writing(connection: sqlite3.Connection, path: Path) -> None:
    """Take the write lock as soon as it is free.

    A transaction that reads first and writes later fails at once when another one wrote in between, so the lock is taken
    at its beginning. SQLite's own waiting gives up after a fixed time and lets newcomers try more often than those who
    have waited long, so that some starve when many write. Here all try equally often, and give up only when nobody has
    got anything done for `BUSY_SECONDS`.
    """
    last_change, deadline = None, 0.0
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if not _busy(error):
                    raise
            change = connection.execute("PRAGMA data_version").fetchone()[0]
            if change != last_change:
                last_change, deadline = change, time.monotonic() + BUSY_SECONDS
            elif time.monotonic() > deadline:
                raise InputError(
                    f"{path}: another program has kept the catalog locked for {BUSY_SECONDS:.0f} s; end it and try again."
                )
            time.sleep(random.uniform(0.002, 0.03))
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


def _use_write_ahead_log(path: Path) -> None:
    # Changing the journal mode does not wait for other processes as everything else does: it fails with "database is
    # locked" at once. Hence the loop, for several processes that open a new catalog in the same moment.
    deadline = time.monotonic() + BUSY_SECONDS
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
    try:
        while True:
            try:
                if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal":
                    return
                raise InputError(f"{path}: this file system cannot hold a SQLite catalog; use a local folder.")
            except sqlite3.OperationalError as error:
                if not _busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
    finally:
        connection.close()


def _busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


@contextmanager
def _migrating(engine: Engine) -> "Iterator[Config]":
    """Alembic's configuration, with a connection in a transaction that keeps every other migrating process waiting."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with engine.execution_options(catalog_migrating=True).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        config.attributes["connection"] = connection
        yield config
        if engine.dialect.name == "sqlite":
            dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if dangling:
                raise RuntimeError(f"a migration left references to nothing behind: {dangling[:5]}")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(sql_column("version_num")).select_from(table(VERSION_TABLE)))


@contextmanager
def _explained(place: URL) -> Iterator[None]:
    """Turn what the database or the file system says into one sentence."""
    shown = _shown(place)
    try:
        yield
    except (DBAPIError, sqlite3.Error, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        said = (cause.strerror if isinstance(cause, OSError) else None) or str(cause) or type(cause).__name__
        if _is_full(cause):
            raise _full(place) from error
        said = said.strip().splitlines()[0].rstrip(".")
        remedy = (
            "check that the folder can be written and has room, or set PORTRAYAL_HOME"
            if place.get_backend_name() == "sqlite"
            else "check PORTRAYAL_DATABASE_URL and that the server runs"
        )
        raise InputError(f"{shown}: the catalog cannot be opened ({said}); {remedy}.") from error
    except SQLAlchemyError as error:
        raise InputError(f"{shown}: the catalog cannot be opened ({error}).") from error


def _no_room(context: ExceptionContext) -> None:
    """A database whose disk is full is not an accident of the program."""
    if context.engine is not None and _is_full(context.original_exception):
        raise _full(context.engine.url) from context.original_exception


def _is_full(cause: BaseException | None) -> bool:
    if isinstance(cause, sqlite3.OperationalError):
        # SQLite also has an "I/O error" for files beside the database that cannot grow, which says no more than that.
        return cause.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
    if isinstance(cause, OSError):
        return cause.errno in (errno.ENOSPC, errno.EDQUOT)
    return getattr(cause, "sqlstate", None) == "53100"  # PostgreSQL: disk_full


def _full(place: URL) -> StorageError:
    return StorageError(
        f"{_shown(place)}: the catalog cannot be written, its disk is full or broken; free some space and run the same "
        "command again."
    )


def _shown(place: URL) -> str:
    """How an address is shown to people: a path, or a URL without its password."""
    if place.get_backend_name() == "sqlite" and place.database:
        return place.database
    return place.render_as_string(hide_password=True)
