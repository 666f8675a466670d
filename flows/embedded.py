"""Prefect without setting anything up: an embedded server that lives as long as the command that started it.

Importing this module does not import Prefect. `start()` has to be called before anything does, because Prefect reads
its settings when it is imported. The server runs in a process of its own and ends with its parent, even if that is killed.
"""

import asyncio
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from media.errors import PortrayalError, StorageError

DEFAULT_SERVER = "http://127.0.0.1:4200/api"
STARTUP_SECONDS = 180.0
STARTS = 4
"""Of one command's server: a machine that has no memory for it kills it every time."""
LEAST_FREE_BYTES = 32 << 20
"""Below this much room in the home, no server is started: Prefect's database has 2 MB when it is new, and grows."""

QUIET = {
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "DO_NOT_TRACK": "1",
}
WATCHED = {
    "PREFECT_LOGGING_LEVEL": "INFO",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "portrayal",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "true",
}
"""With a server that is there already, its log is read in its UI, and stays out of the terminal here, too."""
SMALL = {
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(int(STARTUP_SECONDS)),
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_API_DATABASE_MIGRATE_ON_START": "false",  # `_serve` does it, one process at a time
    "PREFECT_UI_ENABLED": "false",
}


class EmbeddedServer:
    """A Prefect server that is starting, or one that runs already. `join()` before the first flow is called.

    One that this process started is started again when it is killed: at the same address, with the same database, so that
    whoever asks it meanwhile only waits.
    """

    def __init__(self, url: str, listener: socket.socket | None = None, log: Path = Path(os.devnull)) -> None:
        """`listener`: what a server of this process is to listen on; None when another one is used.

        Raises:
            OSError: `log` cannot be written.
        """
        self.url = url
        self._listener = listener
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: str | None = None
        self._settled = threading.Event()
        self._changing = threading.Lock()
        self._stopped = False
        if listener is None:
            self._settled.set()
        else:
            log.unlink(missing_ok=True)
            self._process = _run_server(listener, log)
            threading.Thread(target=self._keep, args=(listener,), daemon=True).start()

    def _keep(self, listener: socket.socket) -> None:
        """Say when the server answers or cannot, and start it again when it dies."""
        for left in reversed(range(STARTS)):
            assert self._process is not None
            failure = _until_it_answers(self._process, self.url)
            if failure is None:
                self._settled.set()
                self._process.wait()
            elif self._process.returncode != -signal.SIGKILL:  # it cannot start, and would not the next time
                break
            failure = f"it ended {STARTS} times"
            with self._changing:
                if self._stopped:
                    return
                try:
                    self._process = _run_server(listener, self._log) if left else self._process
                except OSError as error:
                    failure = str(error)
                    break
        self._failure = failure
        listener.close()  # nobody shall wait for it any more
        self._settled.set()

    def join(self) -> None:
        """Return when the server answers.

        Raises:
            PortrayalError: it does not; the sentence names its log.
        """
        self._settled.wait()
        if self._failure:
            raise PortrayalError(
                f"The embedded Prefect server could not be started ({self._failure}): read "
                f"{self._log}, or start one and set PREFECT_API_URL."
            )

    def stop(self) -> None:
        """End the server, if this process started it."""
        with self._changing:
            self._stopped = True
            if self._process is not None and self._process.poll() is None:
                self._process.kill()  # SQLite survives this, and waiting for an orderly end costs seconds
                self._process.wait()
            if self._listener is not None:
                self._listener.close()


def start(home: Path) -> EmbeddedServer:
    """Choose a Prefect server and begin to start one if there is none. Returns at once; call `join()` later.

    A server is used if PREFECT_API_URL names one, or if one answers at its usual place on this machine.

    Args:
        home: Portrayal's home; what Prefect writes goes into `home/prefect`, unless PREFECT_HOME says otherwise.
    """
    os.environ.setdefault("PREFECT_HOME", str(home.resolve() / "prefect"))
    url = os.environ.get("PREFECT_API_URL")
    if not url and answers(DEFAULT_SERVER, seconds=0.2):
        url = os.environ["PREFECT_API_URL"] = DEFAULT_SERVER
    for name, value in (WATCHED if url else {}).items():
        os.environ.setdefault(name, value)
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if url:
        return EmbeddedServer(url)
    return _launch(Path(os.environ["PREFECT_HOME"]))


def _launch(prefect_home: Path) -> EmbeddedServer:
    try:
        prefect_home.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(prefect_home).free
        if free < LEAST_FREE_BYTES:
            raise StorageError(
                f"{prefect_home.parent}: only {free / (1 << 20):.1f} MB are free there, too few for the catalog and Prefect's "
                "database; free some space, or set PORTRAYAL_HOME."
            )
        # The port is taken here and handed over, so that no other process can take it, at first or when the server dies.
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
        server = EmbeddedServer(url, listener, prefect_home / "server.log")
    except OSError as error:
        raise PortrayalError(
            f"{prefect_home}: cannot be written ({error.strerror}); set PORTRAYAL_HOME to a folder that can."
        ) from None
    os.environ["PREFECT_API_URL"] = url
    _launched.add(url)
    return server


def _run_server(listener: socket.socket, path: Path) -> subprocess.Popen[bytes]:
    with path.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "flows.embedded", str(listener.fileno())],
            env=os.environ | SMALL | {"PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"},
            stdin=subprocess.PIPE,  # never written to: it closes when this process ends, however it ends
            stdout=log,
            stderr=log,
            pass_fds=(listener.fileno(),),
            cwd=tempfile.gettempdir(),
        )


def _until_it_answers(process: subprocess.Popen[bytes], url: str) -> str | None:
    """None as soon as the server answers, or else why it does not."""
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return f"it ended at once with code {process.returncode}"
        if answers(url, seconds=2.0):
            return None
        time.sleep(0.1)
    return f"it did not answer within {STARTUP_SECONDS:.0f} s"


_launched: set[str] = set()


def is_ours(url: str) -> bool:
    """Whether the server at this address was started by this process, and ends with it: nobody looks at it."""
    return url in _launched


def answers(url: str, seconds: float) -> bool:
    """Whether a Prefect server is well at an address."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=seconds) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _create_database() -> None:
    # Two commands that start at once in a new home must not both migrate it.
    with (Path(os.environ["PREFECT_HOME"]) / "migration.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        from prefect.server.database import provide_database_interface

        asyncio.run(provide_database_interface().create_db())


def _serve(listener: socket.socket) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _create_database()
    import uvicorn

    config = uvicorn.Config(
        "prefect.server.api.server:create_app",
        factory=True,
        lifespan="on",
        log_level="error",
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
