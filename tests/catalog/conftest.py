"""Every test of the catalog runs on SQLite and on PostgreSQL: on a file and on a server of its own, never on yours."""

import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog.session import open_catalog, session_factory

# For the modules beside this one; processes that tests start inherit it.
sys.path.insert(0, str(Path(__file__).parent))

from sample_catalog import empty


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a running server, without a database's name at its end."""
    binaries = _binaries()
    # PostgreSQL refuses to run as root.
    user = next((one for one in pwd.getpwall() if one.pw_name in ("postgres", "nobody")), None)
    if binaries is None or (os.geteuid() == 0 and user is None):
        reason = "no PostgreSQL server to test with: install initdb and postgres (`apt install postgresql`)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="portrayal-postgresql-"))
    options: dict[str, Any] = {"cwd": folder}
    owner = getpass.getuser()
    if os.geteuid() == 0 and user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
        options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        owner = user.pw_name
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data, log = folder / "data", folder / "log"
    # Sorted as in English where the server can, so that what should not depend on its language is seen not to.
    initdb: list[str | Path] = [binaries / "initdb", "-D", data, "-U", owner, "-A", "trust", "-E", "UTF8", "--no-sync"]
    server = None
    try:
        icu = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
        if subprocess.run([*initdb, *icu], check=False, capture_output=True, **options).returncode != 0:
            subprocess.run([*initdb, "--no-locale"], check=True, capture_output=True, **options)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
        }
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with log.open("wb") as output:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", data, *arguments], stdout=output, stderr=output, **options
            )
        url = f"postgresql://{owner}@127.0.0.1:{port}"
        _wait_for(f"{url}/postgres", server, log)
        yield url
    finally:
        if server is not None:
            server.send_signal(signal.SIGQUIT)  # at once: nothing in it is needed any more
            server.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database with nothing in it yet."""
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'new.db'}"
        return
    server = request.getfixturevalue("postgresql_server")
    name = f"new_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield f"{server}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sqlite_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One catalog for many tests, emptied after each: opening a new one for all of them would take most of the time."""
    engine = open_catalog(f"sqlite:///{tmp_path_factory.mktemp('catalog') / 'catalog.db'}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def postgresql_engine(postgresql_server: str) -> Iterator[Engine]:
    with psycopg.connect(f"{postgresql_server}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE catalog")
    engine = open_catalog(f"{postgresql_server}/catalog")
    yield engine
    engine.dispose()


@pytest.fixture
def engine(kind: str, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A catalog with its tables and nothing in them."""
    engine: Engine = request.getfixturevalue(f"{kind}_engine")
    yield engine
    empty(engine)


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on an empty catalog."""
    with session_factory(engine)() as session:
        yield session


def _binaries() -> Path | None:
    """The folder with `initdb` and `postgres`: on the path, or where distributions put it."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((one for one in folders if (one / "initdb").exists() and (one / "postgres").exists()), None)


def _wait_for(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(600):
        try:
            psycopg.connect(url, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
    pytest.fail(f"the PostgreSQL server did not start:\n{log.read_text()}")
