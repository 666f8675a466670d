"""Disks that are really full, one after another under each stage of a production: one sentence, nothing half-written."""

import errno
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from media.errors import StorageError
from tasks import assembling, workspace

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path, str], Path]]:
    """Mounts a file system of so many bytes at a folder; returns the folder."""
    mounted: list[Path] = []

    def mount(folder: Path, size: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        if not shutil.which("mount"):
            pytest.skip("a small disk can only be made where there is `mount`")
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("a small disk can only be made by an administrator")
        mounted.append(folder)
        return folder

    yield mount
    for folder in reversed(mounted):
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave no room at all."""
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC


def empty(folder: Path) -> None:
    (folder / "filler").unlink()


def files_below(folder: Path) -> set[str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "filler")
    return {str(path.relative_to(folder)) for path in files}


def test_whichever_disk_is_full_it_is_named_and_the_next_run_goes_on(
    portrayal: Callable[..., Any],
    home: Path,
    script: Path,
    tmp_path: Path,
    small_disk: Callable[[Path, str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = small_disk(tmp_path / "out", "16m")
    database = small_disk(tmp_path / "database", "4m")
    shutil.copy(home / "catalog.db", database)
    monkeypatch.setenv("PORTRAYAL_DATABASE_URL", f"sqlite:///{database / 'catalog.db'}")
    store = home / "artifacts"
    arguments = ("produce", script, "--out", out, "--engine", "render=still", "--aspect", "1:1", "--json")

    def is_told(folder: Path, named: Path) -> None:
        before = files_below(folder)
        answer = portrayal(*arguments)
        assert answer.code == 2 and answer.out == "", answer
        said = [line for line in answer.err.splitlines() if line.startswith("portrayal: ")]  # Prefect logs there, too
        assert len(said) == 1 and str(named) in said[0] and ("full" in said[0] or "room" in said[0]), answer.err
        assert files_below(folder) == before
        assert not [path for path in tmp_path.rglob("*.part*") if path.is_file()]
        workspace._catalog.cache_clear()

    for kind in ("speech", "audio", "clips"):
        disk = small_disk(store / kind, "4m")
        fill(disk)
        is_told(disk, store / kind)
        empty(disk)
    for disk, name in (
        (small_disk(workspace.scratch(), "4m"), "scratch"),
        (small_disk(store / "videos", "4m"), "videos"),
    ):
        fill(disk)
        is_told(disk, disk)
        empty(disk)
        assert not files_below(out), name
    clips = files_below(store / "clips")
    fill(database)
    is_told(database, database / "catalog.db")
    empty(database)

    with monkeypatch.context() as patch:
        patch.setattr(assembling, "record_speed", lambda *_: fill(out))  # right before publishing
        is_told(out, out)
    empty(out)
    assert files_below(store / "clips") == clips and not files_below(out)
    answer = portrayal(*arguments)
    assert answer.code == 0, answer
    figures = answer.json["figures"]
    assert [figures[one] for one in ("turns_spoken", "rendered", "videos_assembled")] == [0, 0, 0]
    assert portrayal("report", "--json").json[0]["state"] == "done"


def test_a_home_without_room_is_refused_before_a_server_is_started(
    small_disk: Callable[[Path, str], Path], tmp_path: Path
) -> None:
    from flows import embedded

    home = small_disk(tmp_path / "home", "4m")
    with pytest.raises(StorageError, match=f"{home}: only .* MB are free there.*PORTRAYAL_HOME") as refusal:
        embedded._launch(home / "prefect")
    assert refusal.value.exit_code == 2 and not files_below(home)


def test_a_home_that_becomes_full_under_prefect_is_named(
    small_disk: Callable[[Path, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import start

    home = small_disk(tmp_path / "home", "4m")
    monkeypatch.setenv("PORTRAYAL_HOME", str(home))
    with pytest.raises(StorageError, match=f"{home}: the disk is full"), start._prefect():
        fill(home)
        raise RuntimeError("500 Internal Server Error")
    empty(home)
    with pytest.raises(RuntimeError), start._prefect():
        raise RuntimeError("500 Internal Server Error")
