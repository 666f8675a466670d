"""Opening the catalog: what it makes, what it refuses, and who waits for whom."""

import os
import pwd
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psutil
import pytest
from sample_catalog import facts, furnish, url_of
from sqlalchemy import Engine, create_engine, inspect, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from benchmarks import services
from catalog.portraits import add_portrait
from catalog.session import is_cut_off, open_catalog, session_factory
from catalog.tables import Portrait
from media.errors import InputError


def test_opening_makes_the_folders_the_file_and_the_tables(tmp_path: Path) -> None:
    engine = open_catalog(f"sqlite:///{tmp_path}/new/folder/catalog.db")
    with session_factory(engine)() as session:
        assert session.scalars(select(Portrait)).all() == []
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
    engine.dispose()


def test_what_was_written_is_there_when_opened_again(empty_url: str) -> None:
    engine = open_catalog(empty_url)
    with session_factory(engine).begin() as session:
        add_portrait(session, facts("ann"))
    engine.dispose()
    engine = open_catalog(empty_url)
    with session_factory(engine, read_only=True)() as session:
        assert session.scalars(select(Portrait.slug)).all() == ["ann"]
    engine.dispose()


def test_opening_an_up_to_date_catalog_does_not_load_the_migrations(sqlite_engine: Engine) -> None:
    code = (
        "import sys; from catalog.session import open_catalog; open_catalog(sys.argv[1]); "
        "sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, url_of(sqlite_engine)], check=True)


def test_a_read_only_session_cannot_write(engine: Engine) -> None:
    with session_factory(engine, read_only=True)() as session, pytest.raises(DBAPIError, match=r"read-?only"):
        add_portrait(session, facts("ann"))
    with session_factory(engine).begin() as session:
        add_portrait(session, facts("ann"))


def test_a_reader_neither_waits_for_a_writer_nor_sees_half_of_what_it_does(engine: Engine) -> None:
    with session_factory(engine)() as writer, session_factory(engine, read_only=True)() as reader:
        furnish(writer)
        writer.flush()
        assert reader.scalars(select(Portrait)).all() == []
        writer.commit()
        assert reader.scalars(select(Portrait)).all() == [], "one transaction sees one state"
        reader.rollback()
        assert len(reader.scalars(select(Portrait)).all()) == 27


def test_who_keeps_the_catalog_locked_for_too_long_is_complained_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.session.BUSY_SECONDS", 0.2)
    engine = open_catalog(f"sqlite:///{tmp_path}/catalog.db")
    with session_factory(engine)() as first, session_factory(engine)() as second:
        add_portrait(first, facts("ann"))
        with pytest.raises(InputError, match=r"another program has kept the catalog locked"):
            add_portrait(second, facts("bob"))
        first.commit()
        second.rollback()
        add_portrait(second, facts("bob"))
    engine.dispose()


def test_a_writer_waits_for_the_other_one(engine: Engine) -> None:
    def write() -> None:
        with session_factory(engine).begin() as session:
            add_portrait(session, facts("ann"))

    with session_factory(engine)() as first:
        add_portrait(first, facts("ann"))
        second = threading.Thread(target=write)
        second.start()
        second.join(0.3)
        assert second.is_alive()
        first.commit()
    second.join(20)
    assert not second.is_alive()
    with session_factory(engine, read_only=True)() as session:
        assert session.scalars(select(Portrait.slug)).all() == ["ann"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("catalog", "not a database URL"),
        ("mysql://root@localhost/catalog", "not supported"),
        ("sqlite://", "not supported"),
        ("sqlite:///:memory:", "not supported"),
        ("postgresql://someone:secret@127.0.0.1:1/catalog", "server runs"),
        ("sqlite:///{folder}", "is a folder"),
        ("sqlite:///{folder}/notes.txt", "not a database"),
        ("sqlite:///{folder}/notes.txt/catalog.db", "cannot be opened"),
    ],
)
def test_what_cannot_be_opened_is_refused_in_one_sentence(url: str, message: str, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("This is no catalog. " * 100)
    with pytest.raises(InputError, match=message) as refusal:
        open_catalog(url.format(folder=tmp_path))
    sentence = str(refusal.value)
    assert "\n" not in sentence
    assert "secret" not in sentence
    assert sentence.endswith((".", ")."))
    assert notes.read_text() == "This is no catalog. " * 100


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Root may write everywhere; be somebody else for a moment."""
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody").pw_uid
        os.setresuid(nobody, nobody, 0)
    try:
        yield
    finally:
        if os.getresuid()[2] == 0:
            os.setresuid(0, 0, 0)


@pytest.mark.parametrize("made_before", [True, False])
def test_a_catalog_that_cannot_be_written_is_refused(made_before: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if made_before:
            open_catalog(f"sqlite:///{folder}/catalog.db").dispose()
            (folder / "catalog.db").chmod(0o444)
        folder.chmod(0o555)
        with ordinary_user(), pytest.raises(InputError, match="cannot be written"):
            open_catalog(f"sqlite:///{folder}/catalog.db")
        folder.chmod(0o755)


def test_a_catalog_of_a_newer_version_is_left_alone(empty_url: str) -> None:
    engine = open_catalog(empty_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE catalog_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(InputError, match=r"newer version of Portrayal.*9999"):
        open_catalog(empty_url)


def test_another_programs_tables_are_not_touched(empty_url: str) -> None:
    """Nothing is left behind when the tables cannot be made: neither half of them nor a revision."""
    theirs = create_engine(empty_url.replace("postgresql://", "postgresql+psycopg://"))
    with theirs.begin() as connection:
        connection.execute(text("CREATE TABLE segments (theirs TEXT)"))
    with pytest.raises(InputError, match="already exists"):
        open_catalog(empty_url)
    assert inspect(theirs).get_table_names() == ["segments"]
    theirs.dispose()


def test_times_come_back_in_utc_whatever_they_went_in_as(session: Session) -> None:
    portrait = add_portrait(session, facts("ann"))
    moment = datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    portrait.created_at = moment
    session.flush()
    session.expire(portrait)
    assert portrait.created_at == moment
    assert portrait.created_at.utcoffset() == timedelta(0)
    portrait.created_at = datetime(2026, 3, 29)
    with pytest.raises(Exception, match="no time zone"):
        session.flush()


@pytest.mark.usefixtures("postgresql_server")  # skipped where there is none
def test_a_database_that_is_killed_is_waited_for() -> None:
    with tempfile.TemporaryDirectory(prefix="portrayal-killed-") as name:
        Path(name).chmod(0o755)  # its server may be another user
        server, address = services.postgresql(Path(name) / "database", ("portrayal",))
        with services.kept_running([server]):
            engine = open_catalog(f"postgresql://{address}/portrayal")
            with session_factory(engine)() as session, pytest.raises(DBAPIError) as cut_off:
                assert server.process is not None and session.scalar(text("SELECT 1")) == 1
                parent = psutil.Process(server.process.pid)
                for process in (parent, *parent.children()):
                    process.kill()
                session.scalar(text("SELECT 2"))
            assert is_cut_off(cut_off.value)
            with session_factory(engine).begin() as session:  # a second later, when it is there again
                assert session.scalar(text("SELECT 3")) == 3
            engine.dispose()
