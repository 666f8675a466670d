"""Fetching published weights, from a server on this machine that speaks as much of the hub's protocol as is needed."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest

from media.errors import DownloadError, InputError, MissingEngineError
from models.emo import hub

SHA = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Serves a folder as the one repository; counts what is asked for, can lie about a file's checksum, and can fail."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.lies_about: str | None = None
        self.fails_with: dict[str, int] = {}
        """Status by what is asked for: `index`, `HEAD` or `GET`."""
        self.breaks_off: str | None = None
        self.falls_silent = threading.Event()
        self.speaks_again = threading.Event()
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer(with_body=False)

            def do_GET(self) -> None:
                self._answer(with_body=True)

            def _answer(self, with_body: bool) -> None:
                path = unquote(urlparse(self.path).path)
                kind = "index" if path.startswith("/api/models/") else self.command
                if served.falls_silent.is_set():
                    served.speaks_again.wait(1)
                    self.close_connection = True
                    return
                if status := served.fails_with.get(kind):
                    self.send_error(status)
                    return
                if kind == "index":
                    self._send(json.dumps(served.index(folder)).encode(), {"Content-Type": "application/json"}, True)
                    return
                name = path.split(f"/resolve/{SHA}/")[-1]
                if with_body:
                    served.asked.append(name)
                data = (folder / name).read_bytes()
                etag = hashlib.sha256(data).hexdigest()
                if with_body and name == served.breaks_off:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.close_connection = True
                    return
                self._send(
                    data, {"ETag": f'"{etag}"', "X-Repo-Commit": SHA, "X-Linked-Size": str(len(data))}, with_body
                )

            def _send(self, data: bytes, headers: dict[str, str], with_body: bool) -> None:
                self.send_response(200)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if with_body:
                    self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def index(self, folder: Path) -> dict[str, Any]:
        files = [path for path in folder.rglob("*") if path.is_file()]
        siblings = []
        for path in sorted(files):
            name = path.relative_to(folder).as_posix()
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            lfs = {
                "sha256": "0" * 64 if name == self.lies_about else digest,
                "size": path.stat().st_size,
                "pointerSize": 1,
            }
            siblings.append({"rfilename": name, "size": path.stat().st_size, "blobId": SHA, "lfs": lfs})
        return {"id": hub.REPOSITORY, "modelId": hub.REPOSITORY, "sha": SHA, "siblings": siblings}


@pytest.fixture
def served(published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    one = Hub(published)
    monkeypatch.setenv("HF_ENDPOINT", one.url)
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # of the hub's library, between two tries
    yield one
    one.speaks_again.set()
    one.server.shutdown()


def test_files_are_fetched_once_checked_and_converted(served: Hub, micro: Any, tmp_path: Path) -> None:
    published = hub.published_files("acc", tmp_path)
    assert published.revision == SHA and len(published.files) == 7
    assert published.bytes == sum(file.bytes for file in published.files) > 1_000_000
    shared = published.files[0]
    hub._fetch(shared, SHA, tmp_path / ".echomimic-files", "acc", tmp_path, None)  # as far as a killed run came
    folder = hub.pull_echomimic("acc", published, tmp_path, size=micro)
    assert folder == tmp_path / "echomimic-acc" and (folder / "model_index.json").is_file()
    assert sorted(served.asked) == sorted(file.name for file in published.files)
    assert [one.name for one in tmp_path.iterdir()] == ["echomimic-acc"]
    with pytest.raises(InputError, match="it is there already"):
        hub.pull_echomimic("acc", published, tmp_path, size=micro)


def test_a_file_that_is_not_what_was_announced_is_refused(served: Hub, micro: Any, tmp_path: Path) -> None:
    served.lies_about = "motion_module.pth"
    with pytest.raises(InputError, match=r"motion_module\.pth: what was fetched is not what the hub announced"):
        hub.pull_echomimic("base", hub.published_files("base", tmp_path), tmp_path, size=micro)
    assert not (tmp_path / "echomimic").exists() and not (tmp_path / ".echomimic-files/motion_module.pth").exists()


def test_without_the_hub_it_is_said_what_to_download_and_where_to_put_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        MissingEngineError, match=r"reference_unet\.pth.*models convert echomimic FOLDER .*echomimic-acc"
    ):
        hub.published_files("acc", tmp_path)


@pytest.mark.parametrize(
    "status, kind, expected",
    [
        (503, "index", DownloadError),
        (500, "HEAD", DownloadError),
        (502, "GET", DownloadError),
        (429, "index", DownloadError),
        (403, "HEAD", InputError),
        (404, "index", InputError),
    ],
)
def test_a_hub_that_fails_is_worth_another_try_and_one_that_refuses_is_not(
    served: Hub, tmp_path: Path, status: int, kind: str, expected: type[Exception]
) -> None:
    published = hub.published_files("acc", tmp_path)
    served.fails_with = {kind: status}
    with pytest.raises(expected, match=f"HTTP {status}") as caught:
        hub._fetch(published.files[0], SHA, tmp_path / "files", "acc", tmp_path, None)
        hub.published_files("acc", tmp_path)
    assert caught.value.exit_code == (2 if expected is DownloadError else 1)


def test_a_connection_that_is_ended_is_worth_another_try(served: Hub, tmp_path: Path) -> None:
    published = hub.published_files("acc", tmp_path)
    served.breaks_off = published.files[0].name
    with pytest.raises(DownloadError, match=r"reference_unet\.pth .* was not fetched whole.*run again") as caught:
        hub._fetch(published.files[0], SHA, tmp_path / "files", "acc", tmp_path, None)
    assert caught.value.exit_code == 2
    served.breaks_off = None
    hub._fetch(published.files[0], SHA, tmp_path / "files", "acc", tmp_path, None)
    assert (tmp_path / "files/reference_unet.pth").stat().st_size == published.files[0].bytes


def test_a_hub_that_falls_silent_is_worth_another_try(
    served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = hub.published_files("acc", tmp_path)
    served.falls_silent.set()
    monkeypatch.setattr(hub, "_PATIENCE", 0.2)
    with pytest.raises(DownloadError, match=r"reference_unet\.pth .* was not fetched whole") as caught:
        hub._fetch(published.files[0], SHA, tmp_path / "files", "acc", tmp_path, None)
    assert caught.value.exit_code == 2
