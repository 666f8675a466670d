"""A home of their own for these tests, scripts small enough to render in a second, and one real Prefect server."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

TWO_PEOPLE = """\
language: en
speaker: Ann = feminine
speaker: Bob = masculine

Ann: Yes.
  es: Sí.
Bob: No.
  es: No.
Ann: Why?
  es: ¿Por qué?
"""


@dataclass(frozen=True)
class Answer:
    """What a command line printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a Prefect server on PostgreSQL, as `prefect server start` runs it; on SQLite where there is none."""
    import socket

    import psycopg

    home = tmp_path_factory.mktemp("prefect")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = {"PREFECT_HOME": str(home), "PREFECT_LOGGING_LEVEL": "ERROR", "DO_NOT_TRACK": "1"}
    quiet |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_UI_ENABLED": "false"}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")} | quiet
    try:
        database = request.getfixturevalue("postgresql_server")
    except pytest.skip.Exception:
        pass
    else:
        with psycopg.connect(f"{database}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE prefect")
        place = database.replace("postgresql://", "postgresql+asyncpg://") + "/prefect"
        environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = place
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)],
            env=environment,
            stdout=log,
            stderr=log,
            cwd=home,
        )
    url = f"http://127.0.0.1:{port}/api"
    deadline = time.monotonic() + 240
    while not _healthy(url):
        assert server.poll() is None and time.monotonic() < deadline, (home / "server.log").read_text()[-2000:]
        time.sleep(0.2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", url)
        for name, value in quiet.items():
            patch.setenv(name, value)
        from prefect.settings import PREFECT_API_URL, temporary_settings

        with temporary_settings({PREFECT_API_URL: url}):
            yield url
    server.terminate()
    server.wait(30)


@pytest.fixture(autouse=True)
def same_environment_afterwards() -> Iterator[None]:
    """Commands set what Prefect reads when it is imported; other tests shall not find it."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def home(tmp_path: Path, seeded_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of this test's own, and clips that are rendered in this process."""
    import shutil

    own = tmp_path / "home"
    shutil.copytree(seeded_home, own)
    monkeypatch.setenv("PORTRAYAL_HOME", str(own))
    monkeypatch.setenv("PORTRAYAL_RENDERERS", "0")
    for name in ("PORTRAYAL_DATABASE_URL", "PORTRAYAL_STORE_URL", "PORTRAYAL_HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return own


@pytest.fixture
def portrayal(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Runs a command line in this process. What is refused needs no Prefect server: there is none at this address."""
    from flows.cli import run

    if "PREFECT_API_URL" not in os.environ:
        monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")

    def call(*arguments: object) -> Answer:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "talk.txt"
    path.write_text(TWO_PEOPLE, encoding="utf-8")
    return path


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
