"""A box as `deploy/compose.yaml` describes one: database, Prefect server and workers, each started again when it dies.

One PostgreSQL server with both databases (Prefect's and the catalog), a Prefect server that `portrayal pools setup` has set up,
and a process worker for each of the pools `cpu` and `gpu`, which share a folder as artifact store. Productions are runs of the
deployment `produce/produce`; what it lacks is rendered by `render/render`, with two renderers. The schedules are switched off.

After a kill, only the box's own means bring a production to its end: restarts, retries, and the automations that `setup` makes.
When its run has failed for good, somebody begins it again, once; that is counted (`runs`).

Beside the process that a seed picks, a run can be killed while its worker prepares it, everything on one of two machines at once
(a worker with all of its runs), or the whole box; and its installation can be broken, which no attempt mends.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks import recovery, services
from benchmarks.aftermath import LANGUAGES, PREFIXES, Timeline, Watch, digests, half_written, repeating, wrong
from benchmarks.recovery import NOBODY, Trial, chosen, kill_one, life_of, lives, reached, wait_for
from flows import pools

SERVER, DATABASE, CPU_WORKER, GPU_WORKER = "server", "database", "worker of cpu", "worker of gpu"
PRODUCE, RENDER, RENDERER = "run of produce", "run of render", "renderer"
ROLES = (PRODUCE, RENDER, RENDERER, CPU_WORKER, GPU_WORKER, SERVER, DATABASE)
PREPARED, INSTALLATION = "run of produce before it began", "installation"
TOGETHER = {
    "machine of cpu": (CPU_WORKER,),
    "machine of cpu before a run began": (CPU_WORKER,),
    "machine of gpu": (GPU_WORKER,),
    "server before a run began": (SERVER,),
    "box": (CPU_WORKER, GPU_WORKER, SERVER, DATABASE),
}
"""What dies at once, with all that it had started."""
VICTIMS = (*ROLES, PREPARED, *TOGETHER, INSTALLATION)
BUSY = {
    PREPARED: PREPARED,
    "machine of cpu": PRODUCE,
    "machine of cpu before a run began": PREPARED,
    "machine of gpu": RENDER,
    "server before a run began": PREPARED,
    "box": PRODUCE,
}
"""Of whom a process has to live when the kill comes."""
GIVE_UP_SECONDS = 700.0
"""Longer where the server died."""
SCRIPT = """\
title: Recovery
speaker: Ann = feminine
speaker: Bob = masculine
ANN: Late again.
  es: Otra vez tarde.
BOB: So many boats!
  es: ¡Cuántos barcos!
ANN: How far is it?
  es: ¿A qué distancia está?
"""
BEGUN_AGAIN_SECONDS = {"FAILED": 20.0, "CANCELLED": 20.0, "CRASHED": pools.BEGUN_AGAIN_SECONDS + 60.0}
"""After which nothing of the box's own will begin a run again that ended so."""
ORDERED_SECONDS = 900.0
"""For so long a server that was started anew holds back an event of a run that follows one of the last five minutes which it did
not see itself (PRECEDING_EVENT_LOOKBACK of Prefect's events)."""
SILENT_SECONDS = pools.PREPARED_SECONDS + 150.0
"""After which no run may be unfinished that nobody works on; what a worker never began lasts longest."""


@dataclass(slots=True)
class Box:
    """Services that are kept running, and a production that nobody disturbed."""

    folder: Path
    kept: Mapping[str, services.Service]
    database_url: str
    cast: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    timeline: Timeline = field(default_factory=lambda: Timeline((), {}))
    preparing: float = 0.0
    """Seconds for which a worker prepared the run that nobody disturbed."""
    power: threading.Event = field(default_factory=threading.Event)
    """What dies is not started again while it is not set."""

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def victims(self) -> dict[str, list[psutil.Process]]:
        """Processes that can be killed now, by their role."""
        found: dict[str, list[psutil.Process]] = {}
        for role, service in self.kept.items():
            if service.process is not None and service.process.poll() is None:
                with suppress(psutil.Error):
                    found[role] = [psutil.Process(service.process.pid)]
        for worker, role in ((CPU_WORKER, PRODUCE), (GPU_WORKER, RENDER)):
            for process in found.get(worker, ()):
                for child in _offspring(process):
                    with suppress(psutil.Error):
                        said = " ".join(child.cmdline())
                        named = role if _is_run(said) else RENDERER if "spawn_main" in said else None
                        if role == PRODUCE and "_workspace_supervisor" in said:
                            named = PREPARED
                        if named and lives(child):
                            found.setdefault(named, []).append(child)
        return found

    def cut_off(self, services: Sequence[str]) -> None:
        """Kill services at once, with all that they had started, also before a predecessor died."""
        found = self.victims()
        processes = [process for role in services for process in found.get(role, ())]
        processes += [child for process in processes for child in _offspring(process)]
        processes += self.runs_alive() if len(services) > 1 else []
        for number in (signal.SIGSTOP, signal.SIGKILL):  # so that nobody sees another one die
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)

    def runs_alive(self) -> list[psutil.Process]:
        """Processes of flow runs of this box, also those whose worker is dead."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if _is_run(" ".join(process.cmdline())) and process.environ().get("PORTRAYAL_STORE_URL") == str(
                    self.store
                ):
                    found.append(process)
        return found


def _offspring(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return process.children(recursive=True)
    return []


def _is_run(command: str) -> bool:
    return "prefect.engine" in command or "prefect flow-run execute" in command


@contextmanager
def working(folder: Path) -> Iterator[Box]:
    """A box in a folder, in which a production has been made without a disturbance."""
    folder.chmod(0o755)  # PostgreSQL may be another user
    for part in ("prefect", "store", "home"):
        (folder / part).mkdir()
    database, address = services.postgresql(folder / "database", ("prefect", "portrayal"))
    port = services.free_port()
    quiet = {"PREFECT_LOGGING_LEVEL": "WARNING", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
    common = quiet | {"PREFECT_HOME": str(folder / "prefect"), "PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}
    on_server = common | {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{address}/prefect",
        "PREFECT_UI_ENABLED": "false",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER": "P1D",
    }
    catalog = f"postgresql+psycopg://{address}/portrayal"
    on_workers = common | {
        "PORTRAYAL_DATABASE_URL": catalog,
        "PORTRAYAL_STORE_URL": str(folder / "store"),
        "PORTRAYAL_RENDER_DEPLOYMENT": "render/render",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
    }
    variables = recovery.environment(folder / "home", **on_workers)
    kept = {
        DATABASE: database,
        SERVER: services.prefect_server(folder / "prefect", port, recovery.environment(folder / "home", **on_server)),
        CPU_WORKER: services.worker("cpu", folder / "prefect", variables),
        GPU_WORKER: services.worker("gpu", folder / "prefect", variables, "--limit", "1"),
    }
    os.environ |= common | {"PREFECT_CLIENT_MAX_RETRIES": "0"}  # before this process imports Prefect
    box = Box(folder, kept, catalog)
    box.power.set()
    with services.kept_running([database, kept[SERVER]], box.power):
        set_up = [*recovery.COMMAND, "pools", "setup"]
        subprocess.run(set_up, env=variables, cwd=recovery.ROOT, check=True, stdout=subprocess.DEVNULL)
        _pause_schedules()
        try:
            with services.kept_running([kept[CPU_WORKER], kept[GPU_WORKER]], box.power):
                _make_undisturbed(box)
                yield box
        finally:
            for process in box.runs_alive():  # they outlive their worker
                with suppress(psutil.NoSuchProcess):
                    process.kill()


def _make_undisturbed(box: Box) -> None:
    """Produce once, to learn who is cast, what comes out, and when."""
    out, watch = box.folder / "undisturbed", Watch(box.store)
    with watch.watching():
        began = time.monotonic()
        run = Run(box, "undisturbed", out)
        with run.followed():
            lived = life_of(box.victims, began, run.is_over)
    if not run.is_done():
        sys.exit(f"nothing can be produced even undisturbed: {run.said}")
    record = json.loads((out / "production.json").read_text())
    box.cast = {one["speaker"]: one["portrait"] for one in record["portraits"]}
    box.digests = digests(out)
    box.timeline = Timeline([at - began for at in watch.appeared], lived)
    box.preparing = run.began_running - lived[PREPARED][0]


class Run:
    """One production, as a run of the deployment `produce/produce`, and what the server says of it."""

    def __init__(self, box: Box, name: str, out: Path) -> None:
        script = box.folder / f"{name}.txt"
        script.write_text(SCRIPT)
        request = {"source": str(script), "out": str(out), "languages": list(LANGUAGES), "name": "recovery"}
        cast = [{"speaker": speaker, "portrait": portrait} for speaker, portrait in box.cast.items()]
        self._parameters = {"request": request | {"engines": {"render": "still"}, "cast": cast}}
        self.since = datetime.now(UTC)
        self.runs = 0
        self.states: list[str] = []
        """As they were seen, each with its seconds since the production began."""
        self.said = ""
        self.began_running = 0.0
        """Seconds from the start until it was first seen to run."""
        self.crashes: set[Any] = set()
        self.patience = 0.0
        """Seconds by which everything may take longer."""
        self._began = time.monotonic()
        self.type = "SCHEDULED"
        self._ended: float | None = None
        self.begin()

    def begin(self) -> None:
        """Begin it, or begin it again with the same parameters."""
        from prefect.client.orchestration import get_client

        def create() -> Any:
            with get_client(sync_client=True) as client:
                deployment = client.read_deployment_by_name("produce/produce")
                return client.create_flow_run_from_deployment(deployment.id, parameters=self._parameters).id

        self._id = _persistently(create)
        self.runs += 1
        self.type, self._ended = "SCHEDULED", None

    def followed(self) -> AbstractContextManager[None]:
        def look() -> None:
            with suppress(Exception):  # a server that is dead is asked again
                self._look()

        return repeating(0.5, look)

    def _look(self) -> None:
        from prefect.client.orchestration import get_client

        asked = self._id
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(asked).state
        if state is None or asked != self._id:
            return
        if not self.states or self.states[-1].split(" at ")[0] != state.name:
            self.states.append(f"{state.name} at {time.monotonic() - self._began:.0f} s")
        self.said = state.message or ""
        if state.is_running() and not self.began_running:
            self.began_running = time.monotonic() - self._began
        if state.is_crashed():
            self.crashes.add(state.id)
        if not state.is_final():
            self._ended = None
        elif self._ended is None:
            self._ended = time.monotonic()
        self.type = state.type.value

    def is_done(self) -> bool:
        return self.type == "COMPLETED"

    def is_over(self) -> bool:
        """Whether it is done, or failed and nothing of the box's own begins it again."""
        ended = self._ended
        return self.is_done() or (
            ended is not None and time.monotonic() - ended > BEGUN_AGAIN_SECONDS.get(self.type, 20.0) + self.patience
        )

    def unfinished(self) -> list[str]:
        """Runs of this production, also those of `render`, that are in no final state."""
        from prefect.client.orchestration import get_client
        from prefect.client.schemas.filters import (
            FlowRunFilter,
            FlowRunFilterExpectedStartTime,
            FlowRunFilterState,
            FlowRunFilterStateType,
        )
        from prefect.client.schemas.objects import TERMINAL_STATES

        def read() -> list[str]:
            with get_client(sync_client=True) as client:
                runs = client.read_flow_runs(
                    flow_run_filter=FlowRunFilter(
                        state=FlowRunFilterState(type=FlowRunFilterStateType(not_any_=list(TERMINAL_STATES))),
                        expected_start_time=FlowRunFilterExpectedStartTime(after_=self.since),  # type: ignore[arg-type]
                    )
                )
            return [f"{one.name} is left {one.state_name}" for one in runs]

        return list(_persistently(read))


def trial(seed: int, box: Box, victim: str | None = None, dark: float = 0.0) -> Trial:
    """One kill on a box, during a production that starts with an empty store.

    Args:
        victim: of ROLES, TOGETHER or PREPARED; None: of ROLES, as the seed says.
        dark: seconds for which nothing is started again.
    """
    chance = random.Random(seed)
    roles = [role for role in ROLES if role in box.timeline.lived] if victim is None else [victim]
    lived = {role: box.timeline.lived[BUSY.get(role, role)] for role in roles}
    wanted, moment = chosen(chance, replace(box.timeline, lived=lived), roles)
    _empty(box)
    out, watch = box.folder / f"out-{seed}", Watch(box.store)
    with watch.watching():
        began = time.monotonic()
        run = Run(box, f"talk-{seed}", out)
        with run.followed():
            if BUSY.get(wanted) != PREPARED:
                reached(watch, box.timeline, moment, began, run.is_over)
            elif wait_for(lambda: PREPARED in box.victims(), GIVE_UP_SECONDS):
                time.sleep(chance.uniform(0.0, 0.9 * box.preparing))  # its flow begins in the same process
            if dark:
                box.power.clear()
            victim = _kill(box, wanted, chance, run)
            killed = time.monotonic()
            if victim == SERVER or SERVER in TOGETHER.get(victim, ()):
                run.patience = ORDERED_SECONDS
            watch.look()
            load, before = os.getloadavg()[0], dict(watch.versions)
            problems = half_written(box.store, out)
            if dark:
                time.sleep(dark)
                box.power.set()
            if not wait_for(run.is_over, GIVE_UP_SECONDS + run.patience):
                problems.append(f"not over after {GIVE_UP_SECONDS + run.patience:.0f} s ({'; '.join(run.states)})")
            elif not run.is_done():
                problems += [] if run.said else ["its run failed without a word"]
                run.begin()
                wait_for(run.is_over, GIVE_UP_SECONDS)
            seconds = time.monotonic() - killed
            finished = run.is_done()
            silent = time.monotonic()
            if not wait_for(lambda: not run.unfinished(), SILENT_SECONDS + run.patience):
                problems += run.unfinished()
            waited = time.monotonic() - silent
        if not wait_for(lambda: not box.runs_alive(), 60.0):
            problems += [f"process {one.pid} of a run goes on" for one in box.runs_alive()]
    if not finished:
        problems.append(f"not finished after {run.runs} runs: {run.said[:500]}")
    problems += wrong(out, box.digests, box.store, watch, before, box.database_url)
    notes = ["; ".join(run.states)]
    if waited > 5:
        notes.append(f"the last of its runs ended {waited:.0f} s after the production")
    return Trial(
        seed,
        wanted,
        victim,
        round(killed - began, 1),
        round(seconds, 1),
        round(load, 1),
        run.runs,
        len(before),
        len(watch.versions) - len(before),
        tuple(dict.fromkeys(problems)),
        tuple(notes),
    )


def _kill(box: Box, wanted: str, chance: random.Random, run: Run) -> str:
    """Kill who is wanted as soon as there is somebody; returns who died."""
    # A flow begins in the process that prepared it.
    busy = {BUSY.get(wanted), PRODUCE if BUSY.get(wanted) == PREPARED else None}
    if wanted in TOGETHER:
        while not busy & box.victims().keys():
            if run.is_over():
                return NOBODY
            time.sleep(0.02)
        box.cut_off(TOGETHER[wanted])
        return wanted
    if wanted == PREPARED:
        found = [process for role, group in box.victims().items() if role in busy for process in group]
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return wanted if found else NOBODY
    victim, family = kill_one(box.victims, wanted, chance, run.is_over)
    if victim == DATABASE:  # a machine's database dies with all of its processes
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
    return victim


def broken(seed: int, box: Box) -> Trial:
    """Nobody is killed, but `produce` cannot be imported: its run has to fail after so many attempts, and say why."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import DeploymentUpdate

    def lead_to(entrypoint: str) -> None:
        with get_client(sync_client=True) as client:
            deployment = client.read_deployment_by_name("produce/produce")
            client.update_deployment(deployment.id, DeploymentUpdate(entrypoint=entrypoint))

    lead_to("flows.nowhere.produce")
    try:
        began = time.monotonic()
        run = Run(box, f"broken-{seed}", box.folder / f"out-{seed}")
        with run.followed():
            wait_for(run.is_over, GIVE_UP_SECONDS)
    finally:
        lead_to("flows.produce.produce")
    problems = []
    if run.type != "FAILED" or not run.said:
        problems.append(f"it is {run.type} ({run.said})")
    if len(run.crashes) != pools.ATTEMPTS:
        problems.append(f"it was begun {len(run.crashes)} times, not {pools.ATTEMPTS}")
    seconds, load = time.monotonic() - began, os.getloadavg()[0]
    notes = ("; ".join(run.states), run.said)
    return Trial(
        seed, INSTALLATION, INSTALLATION, 0.0, round(seconds, 1), round(load, 1), 1, 0, 0, tuple(problems), notes
    )


def _empty(box: Box) -> None:
    for prefix in PREFIXES:
        shutil.rmtree(box.store / prefix, ignore_errors=True)


def _pause_schedules() -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        for deployment in client.read_deployments():
            for schedule in deployment.schedules:
                client.update_deployment_schedule(deployment.id, schedule.id, active=False)


def _persistently(ask: Any) -> Any:
    """What a server answers, as soon as it does."""
    deadline = time.monotonic() + services.START_SECONDS
    while True:
        try:
            return ask()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(1.0)
