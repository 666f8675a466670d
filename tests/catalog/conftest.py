"""Every test of the catalog runs on SQLite and on PostgreSQL: on a file and on a server of its own, never on yours."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog.session import open_catalog, session_factory

# For the modules beside this one; processes that tests start inherit it.
sys.path.insert(0, str(Path(__file__).parent))

from sample_catalog import empty


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
