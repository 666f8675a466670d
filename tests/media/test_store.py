"""The artifact store: whole artifacts or none, whoever is killed when."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import atomic
from media.errors import InputError, LostArtifactError, PortrayalError
from media.store import ArtifactStore

WRITES_HALF_AND_WAITS = """
import sys, time
from media.store import ArtifactStore
with ArtifactStore(sys.argv[1]).writing("clips/a.mp4") as path:
    with open(path, "wb") as file:
        file.write(b"half")
        file.flush()
        print(path, flush=True)
        time.sleep(60)
"""


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    url = str(tmp_path / "artifacts") if request.param == "local" else f"memory://{tmp_path.name}/artifacts"
    return ArtifactStore(url, cache=tmp_path / "cache")


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_is_put_is_fetched_back(store: ArtifactStore) -> None:
    key = store.put_bytes(b"picture", "portraits", ".png")
    assert key.startswith("portraits/") and key.endswith(".png")
    assert store.has(key)
    assert store.fetch(key).read_bytes() == b"picture"
    assert store.fetch(key).suffix == ".png"


@settings(max_examples=30, deadline=None)
@given(first=st.binary(max_size=64), second=st.binary(max_size=64))
def test_keys_are_equal_exactly_when_the_bytes_are(first: bytes, second: bytes, tmp_path_factory) -> None:
    store = ArtifactStore(tmp_path_factory.mktemp("store"))
    assert (store.put_bytes(first, "a", ".bin") == store.put_bytes(second, "a", ".bin")) == (first == second)


def test_a_file_is_copied_in_under_its_key(store: ArtifactStore, tmp_path: Path) -> None:
    source = tmp_path / "take.wav"
    source.write_bytes(b"sound")
    store.put_file(source, "audio/take.wav")
    assert store.fetch("audio/take.wav").read_bytes() == b"sound"
    assert source.exists()


def test_an_artifact_is_not_there_until_it_is_whole(store: ArtifactStore) -> None:
    with store.writing("clips/a.mp4") as path:
        assert path.suffix == ".mp4"
        path.write_bytes(b"half")
        assert not store.has("clips/a.mp4")
        path.write_bytes(b"whole")
    assert store.fetch("clips/a.mp4").read_bytes() == b"whole"


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    with pytest.raises(ZeroDivisionError), store.writing("clips/a.mp4") as path:
        path.write_bytes(b"half")
        raise ZeroDivisionError
    assert not store.has("clips/a.mp4")
    assert files_below(tmp_path) == []


def test_a_writer_killed_half_way_leaves_no_visible_artifact(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITES_HALF_AND_WAITS, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    part = Path(writer.stdout.readline().strip())
    assert part.read_bytes() == b"half"
    writer.send_signal(signal.SIGKILL)
    writer.wait(timeout=10)

    assert not store.has("clips/a.mp4")
    with store.writing("clips/a.mp4") as path:
        path.write_bytes(b"whole")
    assert store.fetch("clips/a.mp4").read_bytes() == b"whole"
    assert part.exists(), "a young unfinished file may belong to a running writer"


def test_unfinished_files_are_removed_after_a_day(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    old, young = folder / ".a.123.part.mp4", folder / ".b.123.part.mp4"
    for part in (old, young):
        part.write_bytes(b"half")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    with ArtifactStore(tmp_path).writing("clips/c.mp4") as path:
        path.write_bytes(b"whole")
    assert not old.exists()
    assert young.exists()


def test_two_writers_of_one_key_are_harmless(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    both_inside = threading.Barrier(2)

    def write() -> None:
        with store.writing("clips/a.mp4") as path:
            path.write_bytes(b"same bytes")
            both_inside.wait(timeout=10)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert store.fetch("clips/a.mp4").read_bytes() == b"same bytes"
    assert len(files_below(tmp_path)) == 1


def test_a_missing_artifact_is_named(store: ArtifactStore) -> None:
    with pytest.raises(LostArtifactError, match=r"clips/gone.mp4 is not in the artifact store"):
        store.fetch("clips/gone.mp4")


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../up", "a/../../b", "clips/.hidden"])
def test_a_key_never_leads_out_of_the_store(key: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="relative path"):
        ArtifactStore(tmp_path).has(key)


def test_a_store_below_a_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="file is a file, not a folder; choose another folder"):
        ArtifactStore(tmp_path / "file" / "artifacts").put_bytes(b"x", "a", ".bin")


def test_an_unknown_kind_of_store_is_refused_in_one_sentence() -> None:
    with pytest.raises(InputError, match="nope://bucket' is not a place to keep artifacts in"):
        ArtifactStore("nope://bucket")


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, "permission denied; choose a folder that you may write to"),
    ],
)
def test_a_disk_that_refuses_is_told_in_one_sentence(tmp_path: Path, number: int, sentence: str) -> None:
    with (
        pytest.raises(PortrayalError, match=sentence) as refusal,
        ArtifactStore(tmp_path).writing("clips/a.mp4") as path,
    ):
        raise OSError(number, os.strerror(number), str(path))
    assert refusal.value.exit_code == (2 if number == errno.ENOSPC else 1)
    assert files_below(tmp_path) == []


def test_a_file_that_cannot_grow_is_told_in_one_sentence(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from media.errors import StorageError
from media.store import ArtifactStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    ArtifactStore(sys.argv[1]).put_bytes(bytes(100_000), "a", ".bin")
except StorageError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "is larger than this disk or this account allows" in done.stdout, done.stderr
    assert files_below(tmp_path) == []


def test_an_error_about_another_file_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic.whole_file(tmp_path / "out.bin"):
        (tmp_path / "no-such-input").read_bytes()
