"""The half of `benchmarks.recovery` that kills on a box: a Prefect server, workers of two pools, PostgreSQL under both."""

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks import recovery, services
from benchmarks.recovery import GIVE_UP_SECONDS, RUNS_AT_MOST, Trial, Watch, Work
from benchmarks.services import Service

VICTIMS = ("flow", "renderer", "worker of cpu", "worker of gpu", "Prefect server", "PostgreSQL")
RESTART_SECONDS = 1.0
CRASHED_SECONDS = 30.0
"""A crashed run that is not begun again for so long stays crashed; `portrayal pools setup` has it begun again at once."""
LEFT_SECONDS = 150.0
"""A run without a process is crashed after 90 s without a heartbeat."""


@contextmanager
def box(work: Work) -> Iterator[Callable[[int], Trial]]:
    """Everything started and deployed; gives the function that makes one trial of a seed."""
    folder = work.folder / "box"
    folder.mkdir()
    data = Path(tempfile.mkdtemp(prefix="portrayal-postgresql-"))  # where its user may go, too
    database, address = services.postgresql(data, ("prefect", "portrayal"))
    port = services.free_port()
    environment = recovery.environment(
        work.home,
        PREFECT_HOME=str(folder),
        PREFECT_API_URL=f"http://127.0.0.1:{port}/api",
        PREFECT_API_DATABASE_CONNECTION_URL=f"postgresql+asyncpg://{address}/prefect",
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        PREFECT_UI_ENABLED="false",
        PREFECT_WORKER_QUERY_SECONDS="1",
        PREFECT_LOGGING_LEVEL="WARNING",
        PORTRAYAL_DATABASE_URL=f"postgresql+psycopg://{address}/portrayal",
        PORTRAYAL_RENDER_DEPLOYMENT="render/render",
        DO_NOT_TRACK="1",
    )
    supervised = {
        one.name: one
        for one in (
            database,
            services.prefect_server(folder, port, environment),
            services.worker("cpu", folder, environment),
            services.worker("gpu", folder, environment),
        )
    }
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, data, ignore_errors=True)
        stack.enter_context(services.running(database, signal.SIGQUIT))
        stack.enter_context(services.running(supervised["Prefect server"], signal.SIGTERM))
        _portrayal(environment, "pools", "setup")
        for pool in ("cpu", "gpu"):
            stack.enter_context(services.running(supervised[f"worker of {pool}"], signal.SIGTERM))
        catalog = environment["PORTRAYAL_DATABASE_URL"]
        server = httpx.Client(base_url=environment["PREFECT_API_URL"], timeout=10.0)
        stack.enter_context(server)
        usual = [0.0]

        def on_box(seed: int) -> Trial:
            if not usual[0]:  # how long it takes when nobody is killed; also fills what is kept between productions
                began = time.monotonic()
                undisturbed = _submit(server, work, folder / "undisturbed", 0)
                if (state := _end_of(server, undisturbed)[0]) != "COMPLETED":
                    sys.exit(f"a production on the box ends as {state} even undisturbed; its log is in {folder}")
                usual[0] = time.monotonic() - began
            return _trial(seed, work, folder / f"out-{seed}", supervised, server, usual[0], catalog)

        yield on_box


def _trial(
    seed: int, work: Work, out: Path, supervised: dict[str, Service], server: httpx.Client, usual: float, catalog: str
) -> Trial:
    chance = random.Random(seed)
    wanted, after = chance.choice(VICTIMS), chance.uniform(0.1, 1.0) * usual
    watch = Watch(work.home / "artifacts")
    watch.look()
    earlier = set(watch.versions)
    with watch.watching():
        began = time.monotonic()
        run = _submit(server, work, out, seed)
        time.sleep(max(0.0, began + after - time.monotonic()))
        victim = _kill(wanted, supervised)
        watch.look()
        before = len(set(watch.versions) - earlier)
        problems = recovery.half_written(work.home / "artifacts", out)
        if victim in supervised:
            time.sleep(RESTART_SECONDS)
            supervised[victim].start()
        state, runs = _end_of(server, run)
        while state != "COMPLETED" and runs < RUNS_AT_MOST:  # as an operator would
            state, more = _end_of(server, _submit(server, work, out, seed))
            runs += max(1, more)
    if state != "COMPLETED":
        problems.append(f"not finished after {runs} runs ({state})")
    else:
        problems += recovery.compared(recovery.digests(out), work.digests)
    new = {name: seen for name, seen in watch.versions.items() if name not in earlier}
    problems += recovery.made_twice(new) + recovery.half_written(work.home / "artifacts", out)
    problems += recovery.running_rows(catalog) + _running_runs(server)
    made = len(new) - before
    return Trial("box", seed, victim, round(after, 1), runs, before, made, tuple(dict.fromkeys(problems)))


def _kill(wanted: str, supervised: dict[str, Service]) -> str:
    """Kill who is wanted, or the Prefect server where there is no such process at that moment; returns its role."""
    if wanted in supervised:
        victim = supervised[wanted].process
        assert victim is not None
        victim.kill()
        victim.wait()
        return wanted
    flows = _family(supervised["worker of cpu"], "flow-run") or _family(supervised["worker of cpu"], "prefect.")
    renderers = _family(supervised["worker of gpu"], "spawn_main")
    for one in flows if wanted == "flow" else renderers:
        with suppress(psutil.NoSuchProcess):
            one.kill()
            return wanted
    return _kill("Prefect server", supervised)


def _family(service: Service, word: str) -> list[psutil.Process]:
    """Living children of a service with a word in their command."""
    found = []
    with suppress(psutil.Error):
        assert service.process is not None
        for child in psutil.Process(service.process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if word in " ".join(child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE:
                    found.append(child)
    return found


def _submit(server: httpx.Client, work: Work, out: Path, seed: int) -> str:
    """Ask for a production, as a person does in the UI; the seed makes its clips others than those that are there."""
    deployment = _asked(server, "GET", "/deployments/name/produce/produce")["id"]
    request = {"source": str(work.script), "out": str(out), "languages": list(recovery.LANGUAGES)}
    request |= {"engines": {"render": "still"}, "render": {"seed": seed}}  # type: ignore[dict-item]
    # The key makes a repeated question harmless, should the answer get lost with the server.
    body = {"parameters": {"request": request}, "idempotency_key": str(uuid.uuid4())}
    return str(_asked(server, "POST", f"/deployments/{deployment}/create_flow_run", body)["id"])


def _end_of(server: httpx.Client, run: str) -> tuple[str, int]:
    """The state in which a flow run ends, and how often it was begun. One that crashed is begun again by the server."""
    deadline, crashed_at, begun = time.monotonic() + GIVE_UP_SECONDS, 0.0, 0
    while time.monotonic() < deadline:
        answer = _asked(server, "GET", f"/flow_runs/{run}")
        state, begun = str(answer["state"]["type"]), int(answer["run_count"])
        if state in ("COMPLETED", "FAILED", "CANCELLED"):
            return state, begun
        crashed_at = 0.0 if state != "CRASHED" else crashed_at or time.monotonic()
        if crashed_at and time.monotonic() - crashed_at > CRASHED_SECONDS:
            return state, begun
        time.sleep(0.5)
    return "still running", begun


def _running_runs(server: httpx.Client) -> list[str]:
    """Productions and renderings that say they are running although nothing is left to do."""
    deadline, alone = time.monotonic() + LEFT_SECONDS, list[str]()
    wanted: dict[str, Any] = {"flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}}
    wanted["flows"] = {"name": {"any_": ["produce", "render"]}}
    while time.monotonic() < deadline:
        alone = [one["name"] for one in _asked(server, "POST", "/flow_runs/filter", wanted)]
        if not alone:
            return []
        time.sleep(1.0)
    return [f"flow run '{name}' is left running" for name in alone]


def _asked(server: httpx.Client, method: str, path: str, body: Any = None) -> Any:
    """What the server answers; it may be dead at the moment."""
    deadline = time.monotonic() + services.START_SECONDS
    while True:
        try:
            answer = server.request(method, path.removeprefix("/"), json=body)
            if answer.status_code < 500:
                answer.raise_for_status()
                return answer.json()
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            sys.exit(f"the Prefect server does not answer {method} {path}")
        time.sleep(0.5)


def _portrayal(environment: dict[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [*recovery.COMMAND, *arguments], cwd=recovery.ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"portrayal {' '.join(arguments)} failed: {done.stdout}{done.stderr}")
