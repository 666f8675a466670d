"""The choice of a Prefect server. That one is started, and ends with its command, is shown where a command is killed."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from flows import embedded
from media.errors import PortrayalError


def test_a_server_that_is_named_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example:4200/api")
    for name in embedded.WATCHED:
        monkeypatch.delenv(name, raising=False)
    server = embedded.start(tmp_path)
    assert server.url == "http://prefect.example:4200/api" and not embedded.is_ours(server.url)
    assert os.environ["PREFECT_LOGGING_TO_API_ENABLED"] == "true", "what is logged there is read there"
    server.join()
    server.stop()
    assert list(tmp_path.iterdir()) == []


def test_everything_prefect_writes_stays_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example:4200/api")
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    embedded.start(tmp_path / "home")
    assert Path(os.environ["PREFECT_HOME"]) == tmp_path / "home" / "prefect"


def test_importing_it_does_not_import_prefect() -> None:
    code = "import sys, flows.embedded; assert 'prefect' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").write_text("a file")
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    monkeypatch.setattr(embedded, "DEFAULT_SERVER", "http://127.0.0.1:9/api")
    with pytest.raises(PortrayalError, match="PORTRAYAL_HOME"):
        embedded.start(tmp_path / "home")


def test_a_server_that_is_killed_is_started_again_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(embedded, "DEFAULT_SERVER", "http://127.0.0.1:9/api")

    def servers() -> list[psutil.Process]:
        return [one for one in psutil.Process().children() if "flows.embedded" in one.cmdline()]

    server = embedded.start(tmp_path)
    try:
        (killed,) = servers()
        killed.kill()
        server.join()
        assert embedded.answers(server.url, seconds=5.0) and embedded.is_ours(server.url)
        (second,) = servers()
        assert second.pid != killed.pid
    finally:
        server.stop()
    assert not second.is_running() and not embedded.answers(server.url, seconds=1.0)
