"""Servers and workers on loopback, each started again when somebody asks: what a box has a supervisor for."""

import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_SECONDS = 240.0


@dataclass(slots=True)
class Service:
    """A process that can be started as often as it dies."""

    name: str
    command: Sequence[str | Path]
    log: Path
    environment: Mapping[str, str] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    """More of what `subprocess.Popen` takes."""
    ready: Callable[[], bool] = lambda: True
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it, and return when it answers.

        Raises:
            RuntimeError: it ended, or does not answer; with the end of its log.
        """
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(self.command), env=self.environment, stdout=log, stderr=log, **self.options
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not start: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)

    def stop(self, number: int) -> None:
        """Send it a signal, and SIGKILL if it is not gone in half a minute."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgresql(home: Path, databases: Sequence[str] = ()) -> tuple[Service, str]:
    """A new PostgreSQL server in the folder `home`, with its own settings (it syncs to disk), and its address without a database.

    It is not started, but has the databases. It runs as an ordinary user even when root asks.

    Raises:
        SystemExit: there is no PostgreSQL on this machine.
    """
    found = shutil.which("initdb")
    folders = (
        [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    )
    if not folders:
        sys.exit("no PostgreSQL here: install initdb and postgres, or give --database")
    home.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"cwd": home}
    owner = getpass.getuser()
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = next(one for one in pwd.getpwall() if one.pw_name in ("postgres", "nobody"))
        os.chown(home, user.pw_uid, user.pw_gid)
        options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        owner = user.pw_name
    port = free_port()
    initdb: list[str | Path] = [
        folders[0] / "initdb",
        "-D",
        home / "data",
        "-U",
        owner,
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-locale",
    ]
    subprocess.run(initdb, check=True, capture_output=True, **options)
    for name in databases:
        subprocess.run(
            [folders[0] / "postgres", "--single", "-D", home / "data", "postgres"],
            input=f"CREATE DATABASE {name}\n".encode(),
            check=True,
            capture_output=True,
            **options,
        )
    settings = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", f"unix_socket_directories={home}"]
    address = f"{owner}@127.0.0.1:{port}"

    def answers() -> bool:
        import psycopg

        try:
            psycopg.connect(f"postgresql://{address}/postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    command: list[str | Path] = [folders[0] / "postgres", "-D", home / "data", *settings]
    return Service("PostgreSQL", command, home / "log", options=options, ready=answers), address


def prefect_server(home: Path, port: int, environment: Mapping[str, str]) -> Service:
    """`prefect server start`, with the environment's settings."""

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=2) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    return Service("Prefect server", command, home / "server.log", environment, {"cwd": home}, answers)


def worker(pool: str, home: Path, environment: Mapping[str, str], *options: str) -> Service:
    """A process worker of a pool; `options` are more of what `prefect worker start` takes."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process", "--name", pool]
    log = home / f"worker-{pool}.log"
    return Service(f"worker of {pool}", [*command, *options], log, environment, {"cwd": home})


@contextmanager
def running(service: Service, number: int) -> Iterator[Service]:
    """The service inside, ended with the signal afterwards."""
    try:
        service.start()
        yield service
    finally:
        service.stop(number)


@contextmanager
def kept_running(services: Sequence[Service], power: threading.Event | None = None) -> Iterator[None]:
    """The services inside, each started again a second after it died, for whatever reason; ended afterwards, in reverse order.

    Args:
        power: nothing is started while it is not set.
    """
    over = threading.Event()

    def keep(service: Service) -> None:
        while not over.wait(0.2):
            if service.process is None or service.process.poll() is not None:
                over.wait(1.0)
                if power is not None and not power.is_set():
                    continue
                with suppress(RuntimeError):  # what it needs may be dead, too: it is tried again
                    service.start()

    keepers = []
    try:
        for service in services:
            service.start()
            keepers.append(threading.Thread(target=keep, args=(service,), daemon=True))
            keepers[-1].start()
        yield
    finally:
        over.set()
        for service in reversed(services):
            # PostgreSQL waits for its clients with SIGTERM, and does not with SIGINT.
            service.stop(signal.SIGINT if service.name == "PostgreSQL" else signal.SIGTERM)
        for keeper in keepers:
            keeper.join(START_SECONDS)
