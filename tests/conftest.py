"""Videos of people who talk (drawn presenters, and a photograph that is moved about), published files
of a tiny EchoMimic v1, and servers: translation, PostgreSQL, metrics, and one that speaks S3, behind a network that fails."""

import getpass
import json
import logging
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # a machine that is busy is no fault of what is tested
settings.load_profile("any machine")

Film = Callable[..., Any]
ECHOMIMIC = Path(__file__).parent / "data/echomimic"
PARITY = Path(os.environ.get("PORTRAYAL_PARITY", Path(__file__).parents[2] / "shared/parity")) / "echomimic"


@pytest.fixture(scope="session")
def talking_film() -> Film:
    """Renders presenter number `seed` to an MP4 with sound, and returns the scene, which knows the truth about it."""
    from media.audio import write_wav
    from media.video import write_video
    from models.avatars.drawing import Pose, draw
    from models.emo import corpus

    def render(
        path: Path,
        seed: int,
        *,
        size: int = 192,
        fps: float = 25,
        seconds: float | None = None,
        amplitude: float = 0.7,
        sidecar: bool = False,
    ) -> corpus.Scene:
        scene = corpus.scene_of(corpus.presenter_of(seed), corpus.training_utterance(seed), seed, amplitude)
        poses = scene.poses if seconds is None else scene.poses[: round(25 * seconds)]
        count = round(len(poses) / 25 * fps)
        at = np.clip((np.arange(count) + 0.5) / fps * 25 - 0.5, 0, len(poses) - 1)
        shown = np.stack([np.interp(at, np.arange(len(poses)), column) for column in poses.T], axis=1)
        sound = path.with_suffix(".sound.wav")
        write_wav(sound, scene.utterance.samples, 16_000)
        pictures = (draw(scene.presenter, Pose.from_array(pose), size) for pose in shown)
        write_video(pictures, path, fps, sound=sound, preset="veryfast")
        sound.unlink()
        if sidecar:
            _write_faces(path, shown, fps)
        return scene

    return render


@pytest.fixture(scope="session")
def photographed_film() -> Film:
    """A photograph (Grace Hopper, U.S. Navy, public domain, from matplotlib) that tilts to and fro, with a voice.

    The film turns by 6 sin(pi t) degrees, clockwise.
    """
    from matplotlib import cbook
    from PIL import Image

    from media.audio import write_wav
    from media.video import write_video
    from models.emo import corpus

    def render(path: Path, *, fps: float = 30, seconds: float = 2.8) -> None:
        with cbook.get_sample_data("grace_hopper.jpg") as file:
            photograph = Image.open(file).convert("RGB")
        samples = corpus.training_utterance(3).samples[: int(16_000 * seconds)]
        sound = path.with_suffix(".sound.wav")
        write_wav(sound, samples, 16_000)

        def pictures() -> Iterator[Any]:
            for number in range(int(len(samples) / 16_000 * fps)):
                angle = 6 * np.sin(np.pi * number / fps)
                turned = photograph.rotate(-angle, Image.Resampling.BICUBIC, center=(260, 180))
                yield np.asarray(turned.crop((56, 0, 456, 400)).resize((300, 300)))

        write_video(pictures(), path, fps, sound=sound, preset="veryfast")
        sound.unlink()

    return render


@pytest.fixture(scope="session")
def micro() -> Any:
    """Size of a tiny EchoMimic v1."""
    from models.emo import echomimic

    return echomimic.Size(image=128, blocks=(32,) * 4, layers=1, locator=(8, 16, 24, 32), clip_frames=6, overlap=2)


def _weights(name: str) -> dict[str, Any]:
    from safetensors.torch import load_file

    return {key: value.float() for key, value in load_file(ECHOMIMIC / f"{name}.safetensors").items()}


def _whisper() -> dict[str, Any]:
    """Random weights of the recordings where they are at hand (17 MB), and others otherwise."""
    import torch
    from safetensors.torch import load_file

    from models.emo.whisper_audio import WhisperAudioEncoder

    recorded = PARITY / "whisper_random_encoder.safetensors"
    if recorded.is_file():
        return {key: value.float() for key, value in load_file(recorded).items()}
    torch.manual_seed(505)
    return dict(WhisperAudioEncoder().encoder.state_dict())


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a tiny EchoMimic v1 as it comes from the hub, with the files of both variants."""
    import torch
    from diffusers import AutoencoderKL

    folder = tmp_path_factory.mktemp("published")
    denoising = _weights("denoising_unet")
    motion = {key: value for key, value in denoising.items() if ".motion_modules." in key}
    rest = {key: value for key, value in denoising.items() if key not in motion}
    (folder / "audio_processor").mkdir()
    for end in ("", "_acc"):
        torch.save(rest, folder / f"denoising_unet{end}.pth")
        torch.save(motion, folder / f"motion_module{end}.pth")
    torch.save(_weights("reference_unet"), folder / "reference_unet.pth")
    torch.save(_weights("face_locator"), folder / "face_locator.pth")
    whisper = {f"encoder.{key}": value for key, value in _whisper().items()}
    whisper["decoder.token_embedding.weight"] = torch.zeros(4, 4)
    torch.save({"dims": {"n_mels": 80}, "model_state_dict": whisper}, folder / "audio_processor/whisper_tiny.pt")
    autoencoder = AutoencoderKL.from_config(AutoencoderKL.load_config(ECHOMIMIC / "vae.json"))
    autoencoder.load_state_dict(_weights("vae"))
    autoencoder.save_pretrained(folder / "sd-vae-ft-mse")
    return folder


@pytest.fixture(scope="session")
def seeded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose catalog has the starter cast; copied by tests that change it."""
    home = tmp_path_factory.mktemp("seeded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORTRAYAL_HOME", str(home))
        from tasks import workspace

        workspace.catalog().dispose()
    return home


def _write_faces(path: Path, poses: np.ndarray, fps: float) -> None:
    """Where whoever draws a presenter knows face and points to be."""
    from models.avatars.drawing import Pose
    from models.avatars.geometry import project, view
    from models.emo.training.videos.faces import sidecar, write_sidecar

    in_space = [(-9.2, 0.9, 17), (9.2, 0.9, 17), (0, 9, 22), (-7, 18, 16.5), (7, 18, 16.5)]
    corners = [(-16, -14, 8), (16, -14, 8), (-16, 28, 8), (16, 28, 8)]
    boxes, points = [], []
    for row in poses:
        pose = Pose.from_array(row)
        seen = view(pose.yaw, pose.pitch, pose.roll, pose.shift_x, pose.shift_y)
        middle = np.array([50.0, 47.5])
        points.append((project(seen, in_space) + middle) / 100)
        around = (project(seen, corners) + middle) / 100
        boxes.append([*around.min(0), *around.max(0)])
    write_sidecar(sidecar(path), (np.arange(len(poses)) + 0.5) / fps, np.array(boxes), np.array(points))


class Collector:
    """A receiver of OTLP over HTTP, which keeps the last value of every metric by its name and attributes.

    A histogram's value is the number of things that it counted; the first values are kept, too.
    """

    def __init__(self) -> None:
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

        self.values: dict[tuple[str, str], float] = {}
        self.first: dict[tuple[str, str], float] = {}
        self.units: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        self.resource: dict[str, str] = {}
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/metrics" and self.headers["Content-Type"] == "application/x-protobuf"
                collector.take(ExportMetricsServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def take(self, request: Any) -> None:
        for resource in request.resource_metrics:
            self.resource = {one.key: one.value.string_value for one in resource.resource.attributes}
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                self.units[metric.name] = metric.unit
                self.kinds[metric.name] = metric.WhichOneof("data")
                for point in getattr(metric, self.kinds[metric.name]).data_points:
                    said = ",".join(sorted(one.value.string_value for one in point.attributes))
                    if self.kinds[metric.name] == "histogram":
                        value = float(point.count)
                    else:
                        value = float(getattr(point, str(point.WhichOneof("value"))))
                    self.first.setdefault((metric.name, said), value)
                    self.values[metric.name, said] = value

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """What this process measures is sent here."""
    from tasks import metrics

    made = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
    yield made
    metrics.close()
    made.stop()


class TranslationServer:
    """An OpenAI-compatible chat server: each text comes back in angle brackets, after `fault` has had its way with it all.

    It keeps what it was asked.
    """

    def __init__(self) -> None:
        self.fault: Callable[[list[dict[str, Any]], int], Any] = lambda entries, turn: entries
        self.refusals: list[tuple[int, dict[str, str], str]] = []
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.asked.append(request)
                server.keys.append(self.headers["Authorization"])
                if self.path != "/v1/chat/completions":
                    self._answer(404, {}, "no such path")
                elif server.refusals:
                    self._answer(*server.refusals.pop(0))
                else:
                    lines = json.loads(request["messages"][1]["content"])["lines"]
                    entries = [{"id": one["id"], "text": f"<{one['text']}>"} for one in lines]
                    said = server.fault(entries, len(server.asked))
                    content = said if isinstance(said, str) else json.dumps({"translations": said})
                    self._answer(200, {}, json.dumps({"choices": [{"message": {"content": content}}]}))

            def _answer(self, status: int, headers: dict[str, str], text: str) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def sizes(self) -> list[int]:
        return [len(json.loads(one["messages"][1]["content"])["lines"]) for one in self.asked]


@pytest.fixture
def translation_server() -> Iterator[TranslationServer]:
    made = TranslationServer()
    yield made
    made.stop()


class FaultyNetwork:
    """A TCP proxy in front of a server; what passes through it can be dropped, cut, delayed or changed.

    `requests` and `answers` get each piece that passes, with the number of its connection, from 0, and return what goes on
    instead; None drops the connection. They may take their time.
    """

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.connections = 0
        self.passed: list[bytes] = []
        """First lines of all requests."""
        self.heal()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def heal(self) -> None:
        self.requests: Callable[[bytes, int], bytes | None] = lambda piece, number: piece
        self.answers: Callable[[bytes, int], bytes | None] = lambda piece, number: piece

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            number, self.connections = self.connections, self.connections + 1
            server = socket.create_connection(("127.0.0.1", self._upstream))
            for source, target, is_answer in ((client, server, False), (server, client, True)):
                arguments = (source, target, number, is_answer)
                threading.Thread(target=self._pass_on, args=arguments, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, number: int, is_answer: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(1 << 16):
                if not is_answer and piece.split(b" ", 1)[0] in (b"GET", b"PUT", b"HEAD", b"POST", b"DELETE"):
                    self.passed.append(piece.split(b"\r\n", 1)[0])
                changed = (self.answers if is_answer else self.requests)(piece, number)
                if changed is None:
                    break
                target.sendall(changed)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.fixture(scope="session")
def s3_port() -> Iterator[int]:
    """The port of a server on this machine that speaks S3, and asks nobody who they are."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture
def s3_network(s3_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyNetwork]:
    """The way to that server; the environment leads there."""
    network = FaultyNetwork(s3_port)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    facts = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in (facts | {"AWS_ENDPOINT_URL": network.url}).items():
        monkeypatch.setenv(name, value)
    yield network
    network.close()


@pytest.fixture
def bucket(s3_port: int, s3_network: FaultyNetwork) -> Iterator[Any]:
    """A new bucket (as boto3 knows it), reached without the faulty network."""
    import boto3

    made = boto3.resource("s3", endpoint_url=f"http://127.0.0.1:{s3_port}").Bucket(f"bucket-{uuid.uuid4().hex[:12]}")
    made.create()
    yield made


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
