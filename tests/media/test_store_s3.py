"""The artifact store on S3, on a real server behind a network that fails: a retry or one sentence, never half a file."""

import logging
import os
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from media import remote
from media import store as stores
from media.errors import InputError, LostArtifactError, StorageError
from media.store import ArtifactStore

PATIENCE = 1.5
"""Of whoever is to be disappointed; the others may take their time on a busy machine."""

NewStore = Callable[..., ArtifactStore]


@pytest.fixture
def new_store(bucket: Any, tmp_path: Path) -> NewStore:
    """The same store, as yet another machine sees it."""

    def machine(patience: float = 30.0, **options: Any) -> ArtifactStore:
        machine.number += 1
        url = f"s3://{bucket.name}/artifacts"
        return ArtifactStore(url, cache=tmp_path / f"cache{machine.number}", patience=patience, **options)

    machine.number = 0
    return machine


@pytest.fixture(autouse=True)
def nobody_is_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "BUCKET_SECONDS", 0.0)


def keys(bucket: Any) -> list[str]:
    return [one.key.removeprefix("artifacts/") for one in bucket.objects.all()]


def stored(bucket: Any, key: str) -> Any:
    return bucket.Object(f"artifacts/{key}")


def test_what_one_machine_puts_another_fetches_with_its_checksum(new_store: NewStore, bucket: Any) -> None:
    key = new_store().put_bytes(b"picture", "portraits", ".png")
    assert keys(bucket) == [key]
    assert stored(bucket, key).metadata["sha256"] in key
    other = new_store()
    assert other.has(key) and other.fetch(key).read_bytes() == b"picture"
    assert other.uri(key) == f"s3://{bucket.name}/artifacts/{key}"
    with pytest.raises(LostArtifactError, match=r"clips/gone.mp4 is not in the artifact store"):
        other.fetch("clips/gone.mp4")


def test_what_was_fetched_or_written_is_not_downloaded_again(new_store: NewStore, s3_network: Any) -> None:
    writer, reader = new_store(), new_store()
    with writer.writing("clips/a.mp4") as path:
        path.write_bytes(b"clip")
    for store in (writer, reader, writer, reader):
        assert store.fetch("clips/a.mp4").read_bytes() == b"clip"
    assert [line.split()[0] for line in s3_network.passed] == [b"PUT", b"GET"]


def test_a_large_file_goes_in_parts_and_is_not_seen_before_all_are_there(
    new_store: NewStore, bucket: Any, s3_network: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PART_BYTES", 5 << 20)
    content = os.urandom(12 << 20)
    (tmp_path / "film").write_bytes(content)
    seen: list[list[str]] = []

    def look(piece: bytes, number: int) -> bytes:
        if piece.startswith((b"POST", b"PUT")):
            seen.append(keys(bucket))
        return piece

    s3_network.requests = look
    new_store().put_file(tmp_path / "film", "videos/long.mp4")
    assert len(seen) == 5 and not any(seen), "it was seen before it was complete"
    assert stored(bucket, "videos/long.mp4").e_tag.endswith('-3"')
    s3_network.heal()
    assert new_store().fetch("videos/long.mp4").read_bytes() == content


def test_dropped_connections_and_cut_answers_are_tried_again(new_store: NewStore, bucket: Any, s3_network: Any) -> None:
    writer, content = new_store(), os.urandom(300_000)
    s3_network.requests = lambda piece, number: piece if number >= 2 else None
    key = writer.put_bytes(content, "audio", ".wav")
    assert s3_network.connections >= 3 and keys(bucket) == [key]
    first = s3_network.connections
    s3_network.heal()
    passed = [0]

    def cut(piece: bytes, number: int) -> bytes | None:
        passed[0] += len(piece)
        return piece if number >= first + 2 or passed[0] < 100_000 else None

    s3_network.answers = cut
    reader = new_store()
    assert reader.fetch(key).read_bytes() == content
    assert sum(line.startswith(b"GET") for line in s3_network.passed) >= 2


def test_bytes_changed_on_their_way_are_read_again(new_store: NewStore, bucket: Any, s3_network: Any) -> None:
    key = new_store().put_bytes(b"sound" * 100, "audio", ".wav")
    changed = [0]

    def change(piece: bytes, number: int) -> bytes:
        changed[0] += b"soundsound" in piece
        return piece.replace(b"soundsound", b"soundSound") if changed[0] == 1 else piece

    s3_network.answers = change
    assert new_store().fetch(key).read_bytes() == b"sound" * 100
    assert changed[0] == 2 and keys(bucket) == [key]


def test_a_damaged_artifact_is_a_miss_that_is_made_again_and_said(
    new_store: NewStore, bucket: Any, caplog: pytest.LogCaptureFixture
) -> None:
    writer, reader = new_store(), new_store()
    with writer.writing("clips/a.mp4") as path:
        path.write_bytes(b"clip")
    place = stored(bucket, "clips/a.mp4")
    place.put(Body=b"clap", Metadata=place.metadata)
    with caplog.at_level(logging.WARNING, "portrayal"):
        assert reader.find("clips/a.mp4") is None
    assert "clips/a.mp4" in caplog.text and "damaged" in caplog.text
    assert not reader.has("clips/a.mp4") and keys(bucket) == []
    with reader.writing("clips/a.mp4") as path:
        path.write_bytes(b"clip")
    assert new_store().fetch("clips/a.mp4").read_bytes() == b"clip"


def test_a_damaged_artifact_that_nobody_can_make_again_stays_and_is_an_error(new_store: NewStore, bucket: Any) -> None:
    key = new_store().put_bytes(b"picture", "portraits", ".png")
    stored(bucket, key).put(Body=b"pictur", Metadata=stored(bucket, key).metadata)
    with pytest.raises(InputError, match=f"{key} at s3://.*damaged.*import it again"):
        new_store().find(key)
    assert keys(bucket) == [key]


@pytest.mark.parametrize("rest", [0.0, 0.2], ids=["nothing", "a trickle"])
def test_an_answer_that_stops_coming_is_not_waited_for(
    new_store: NewStore, s3_network: Any, monkeypatch: pytest.MonkeyPatch, rest: float
) -> None:
    monkeypatch.setattr(remote, "READ_SECONDS", 0.5)
    key = new_store().put_bytes(bytes(500_000), "audio", ".wav")

    def stop(piece: bytes, number: int) -> bytes | None:
        for at in range(100 if rest else 0):
            time.sleep(rest)
            if at == 99:
                return None
            return piece[:100]
        time.sleep(30)
        return None

    s3_network.answers = stop
    began = time.monotonic()
    reader = new_store(patience=PATIENCE)
    with pytest.raises(StorageError, match=r"Cannot read audio/.*run the same command again"):
        reader.fetch(key)
    assert time.monotonic() - began < 10 * PATIENCE
    assert not [path for path in reader._cache.rglob("*") if path.is_file()]


def test_an_upload_that_nobody_takes_is_not_waited_for(
    new_store: NewStore, s3_network: Any, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "READ_SECONDS", 0.5)
    monkeypatch.setattr(remote, "SLOWEST", 8 << 20)
    s3_network.requests = lambda piece, number: time.sleep(30) if b"X-Amz" not in piece else piece[:2000]
    began = time.monotonic()
    with (
        pytest.raises(StorageError, match=r"Cannot store videos/a.mp4.*again"),
        new_store(patience=PATIENCE).writing("videos/a.mp4") as path,
    ):
        path.write_bytes(bytes(8 << 20))
    assert time.monotonic() - began < 20 and keys(bucket) == []


def test_a_server_that_is_gone_is_waited_for_once_and_then_said(new_store: NewStore, s3_network: Any) -> None:
    new_store().put_bytes(b"here", "audio", ".wav")
    store = new_store(patience=PATIENCE)
    s3_network.requests = lambda piece, number: None
    for limit in (6 * PATIENCE, PATIENCE, PATIENCE):
        began = time.monotonic()
        with pytest.raises(StorageError, match="does not answer as it should") as error:
            store.has("clips/a.mp4")
        assert error.value.exit_code == 2 and time.monotonic() - began < limit
    with pytest.raises(StorageError), store.writing("clips/a.mp4") as path:
        path.write_bytes(b"clip")
    assert not (store._cache / "clips" / "a.mp4").exists()
    s3_network.heal()
    assert not store.has("clips/a.mp4")


def test_a_bucket_that_disappears_is_no_empty_one(new_store: NewStore, bucket: Any) -> None:
    store = new_store()
    key = store.put_bytes(b"here", "audio", ".wav")
    bucket.objects.all().delete()
    bucket.delete()
    elsewhere = new_store()
    for use in (
        lambda: store.has(key),
        lambda: elsewhere.fetch(key),
        lambda: store.put_bytes(b"more", "audio", ".wav"),
    ):
        with pytest.raises(InputError, match=f"there is no bucket '{bucket.name}' at http"):
            use()


def test_wrong_and_missing_credentials_are_said_at_once(
    new_store: NewStore, s3_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask_who_they_are(after: str) -> None:
        url, plain = f"http://127.0.0.1:{s3_port}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(url, after.encode(), plain), timeout=10).read()

    store = new_store()
    ask_who_they_are("0")
    try:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody-else")
        for use in (lambda: store.has("clips/a.mp4"), lambda: store.put_bytes(b"x", "audio", ".wav")):
            with pytest.raises(InputError, match=r"refuses.*AWS_SECRET_ACCESS_KEY"):
                use()
    finally:
        ask_who_they_are("inf")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(InputError, match="no credentials"):
        new_store().has("clips/a.mp4")


def test_the_cache_stays_within_its_bound_and_keeps_what_is_in_use(
    new_store: NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(cache_bytes=1000)
    old, young = (store.put_bytes(fill * 600, "audio", ".wav") for fill in (b"a", b"b"))
    copies = [store._cache / old, store._cache / young]
    assert all(one.is_file() for one in copies), "both were used just now"
    for more, copy in ((3600, copies[0]), (60, copies[1])):
        used = time.time() - stores.IN_USE_SECONDS - more
        os.utime(copy, (used, used))
    store.fetch(old)
    last = store.put_bytes(b"c" * 400, "audio", ".wav")
    assert [one.is_file() for one in (*copies, store._cache / last)] == [True, False, True]
    assert store.fetch(young).read_bytes() == b"b" * 600  # it is still in the store


@pytest.mark.parametrize("url", ["s3://", "s3:///folder"])
def test_a_url_without_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(InputError, match=r"PORTRAYAL_STORE_URL: .*bucket"):
        ArtifactStore(url)
