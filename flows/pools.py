"""The pools that a fleet works from: sets them up on a Prefect server, and says how they are.

`setup` may be run as often as you like. It makes what is missing, changes what differs in what it looks after (queues,
their order and limits, automations, deployments), and leaves everything else alone, such as the type of a pool.
"""

import os
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flows import embedded
from media.errors import InputError, PortrayalError, RenderError

DEPLOYMENTS_FILE = Path(__file__).resolve().parents[1] / "prefect.yaml"
ANSWER_SECONDS = 5.0
HEARTBEATS_LOST_SECONDS = 90
"""Three heartbeats at the 30 s that `prefect.yaml` asks for."""
BEGUN_AGAIN_SECONDS = 60
"""From a crash to the next attempt. A worker reports the same crash twice, the second time half a minute later on a busy machine,
and would take that for the end of an attempt that has begun meanwhile; and one with a limit that is offered a run whose process
it has not put away yet ends itself (https://github.com/PrefectHQ/prefect/issues/16806)."""
PREPARED_SECONDS = 300
"""From the moment in which a worker of processes takes a run to the flow's first line: seconds as a rule, minutes on a machine
that has far too much to do."""
ATTEMPTS = 3
COUNTED_SECONDS = 86_400
"""Crashes that are further apart do not count together."""
LEAST_REMEMBERED = timedelta(hours=1)
"""For so long the server has to know which runs it waited for: as long as a power cut lasts."""
MOST_LISTED = 200
_CREDENTIALS = re.compile(r"//[^/@]*@")


class NoServerError(PortrayalError):
    """No Prefect server answers where one is needed."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Queue:
    """A work queue; the first of a pool is served first."""

    name: str
    limit: int | None
    description: str


@dataclass(frozen=True, slots=True)
class Pool:
    name: str
    description: str
    queues: tuple[Queue, ...]


POOLS = (
    Pool("cpu", "Everything but rendering.", (Queue("default", None, "All that does not render."),)),
    Pool(
        "gpu",
        "Renders clips: one worker for each GPU.",
        (
            Queue("urgent", 64, "Overtakes everything else as soon as a worker is free."),
            Queue("normal", 32, "What people wait for today."),
            Queue("batch", 16, "What has time until tomorrow: campaigns and the night."),
            Queue("default", 16, "What was sent without a queue."),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Change:
    """What `setup` did about one thing: created, changed or left."""

    what: str
    name: str
    done: str


def reach_server() -> str:
    """The address of the server that PREFECT_API_URL names, or of the one at its usual place on this machine.

    Sets PREFECT_API_URL; call it before Prefect is imported.

    Raises:
        NoServerError: none answers.
    """
    url = os.environ.get("PREFECT_API_URL") or embedded.DEFAULT_SERVER
    shown = _CREDENTIALS.sub("//", url)
    if not embedded.answers(url, seconds=ANSWER_SECONDS):
        raise NoServerError(
            f"{shown}: no Prefect server answers; start one (`prefect server start`) and set PREFECT_API_URL to its "
            "address, such as http://127.0.0.1:4200/api."
        )
    os.environ["PREFECT_API_URL"] = url
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "ERROR")
    return shown


def setup(file: Path = DEPLOYMENTS_FILE, *, pool_type: str = "process") -> list[Change]:
    """Create pools, queues and automations, and deploy everything in `file`.

    Args:
        pool_type: of pools that are not there yet; pools of another type are left as they are.

    Raises:
        NoServerError: no server answers.
        InputError: there is no such file, or no such type of pool.
        RenderError: the server refused something.
    """
    if not file.is_file():
        raise InputError(f"{file}: there is no such file; give --file with the project's prefect.yaml.")
    reach_server()
    from prefect.client.orchestration import get_client

    changes: list[Change] = []
    with get_client(sync_client=True) as client:
        for pool in POOLS:
            changes += _set_up_pool(client, pool, pool_type)
        types = {one.name: one.type for one in client.read_work_pools(limit=MOST_LISTED)}
        for automation in _automations([pool.name for pool in POOLS if types.get(pool.name) == "process"]):
            changes.append(_set_up_automation(client, automation))
        before = _deployed(client)
        _deploy(file)
        after = _deployed(client)
    for name, state in after.items():
        done = "created" if name not in before else "left" if before[name] == state else "changed"
        changes.append(Change("deployment", name, done))
    return changes


def _set_up_pool(client: Any, pool: Pool, pool_type: str) -> list[Change]:
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound

    try:
        client.read_work_pool(pool.name)
        changes = [Change("pool", pool.name, "left")]
    except ObjectNotFound:
        client.create_work_pool(
            WorkPoolCreate(
                name=pool.name,
                type=pool_type,
                description=pool.description,
                base_job_template=_job_template(pool_type),
            )
        )
        changes = [Change("pool", pool.name, "created")]
    there = {one.name: one for one in client.read_work_queues(work_pool_name=pool.name)}
    made = [queue for queue in pool.queues if queue.name not in there]
    for queue in made:
        client.create_work_queue(name=queue.name, work_pool_name=pool.name)
    changed = set()
    # The server moves the other queues when one is given a place, so the places are looked at after each change.
    for place, queue in enumerate(pool.queues, 1):
        found = next(one for one in client.read_work_queues(work_pool_name=pool.name) if one.name == queue.name)
        wanted = {"priority": place, "concurrency_limit": queue.limit, "description": queue.description}
        if differing := {field: value for field, value in wanted.items() if getattr(found, field) != value}:
            client.update_work_queue(found.id, **differing)
            changed.add(queue.name)
    for queue in pool.queues:
        done = (
            "created"
            if queue in made or changes[0].done == "created"
            else "changed"
            if queue.name in changed
            else "left"
        )
        changes.append(Change("queue", f"{pool.name}/{queue.name}", done))
    return changes


def _job_template(pool_type: str) -> dict[str, Any]:
    if pool_type == "process":
        from prefect.workers.process import ProcessWorker

        return ProcessWorker.get_default_base_job_template()
    import asyncio

    from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

    template = asyncio.run(get_default_base_job_template_for_infrastructure_type(pool_type))
    if template is None:
        raise InputError(
            f"--type {pool_type}: Prefect knows no such pool; use process, or install its package (prefect-kubernetes)."
        )
    return template


def _automations(process_pools: list[str]) -> list[Any]:
    """Runs that nobody works on are crashed, and productions that crashed are begun again, so often and no more.

    Args:
        process_pools: whose workers begin a run at once; elsewhere, a machine may have to be waited for.
    """
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    def of(*states: str) -> set[str]:
        return {f"prefect.flow-run.{state}" for state in states}

    each_run: dict[str, Any] = {
        "match": {"prefect.resource.id": ["prefect.flow-run.*"]},
        "for_each": {"prefect.resource.id"},
    }
    productions: dict[str, str | list[str]] = {
        "prefect.resource.role": "deployment",
        "prefect.resource.name": "produce",
    }
    # Not the last attempt's. What is killed before its flow begins has the count of the attempt before, or none.
    may_come_again: dict[str, str | list[str]] = {
        "prefect.resource.id": ["prefect.flow-run.*"],
        "prefect.run-count": [str(count) for count in range(ATTEMPTS)],
    }
    heartbeat = of("heartbeat")
    ends = of("Completed", "Failed", "Cancelled", "Crashed", "Suspended", "Paused")
    taken = of("Pending", "Submitting")

    def automation(name: str, description: str, trigger: EventTrigger, action: ChangeFlowRunState) -> AutomationCore:
        return AutomationCore(
            name=f"portrayal: {name}", description=description, enabled=True, trigger=trigger, actions=[action]
        )

    # An event that is expected and starts the time as well starts it anew.
    return [
        automation(
            "runs without a heartbeat are crashed",
            f"Nothing was heard of them for {HEARTBEATS_LOST_SECONDS} s: their process or machine is gone.",
            EventTrigger(
                **each_run,
                after=heartbeat,
                expect=heartbeat | ends,
                posture=Posture.Proactive,
                threshold=1,
                within=timedelta(seconds=HEARTBEATS_LOST_SECONDS),
            ),
            ChangeFlowRunState(
                name=None,
                force=False,
                state=StateType.CRASHED,
                message=f"No heartbeat for {HEARTBEATS_LOST_SECONDS} s: its process or machine is gone.",
            ),
        ),
        automation(
            "runs that their worker never began are crashed",
            f"A worker took them {PREPARED_SECONDS} s ago, and is gone.",
            EventTrigger(
                **each_run,
                match_related=[
                    {"prefect.resource.role": "work-pool", "prefect.resource.name": process_pools},
                    {"prefect.resource.id": "prefect.tag.portrayal"},  # these send heartbeats
                ],
                after=taken,
                # Running has other names in later attempts. A server that was started anew holds back for a quarter of an hour
                # what follows an event that it did not see itself, but not heartbeats.
                expect=taken
                | ends
                | heartbeat
                | of("Running", "Retrying", "Rerunning", "Cancelling", "Scheduled", "AwaitingRetry"),
                posture=Posture.Proactive,
                threshold=1,
                within=timedelta(seconds=PREPARED_SECONDS),
            ),
            ChangeFlowRunState(
                name=None,
                force=False,
                state=StateType.CRASHED,
                message=f"A worker took it {PREPARED_SECONDS} s ago and has not begun it: the worker or its machine is gone.",
            ),
        ),
        automation(
            "crashed productions are begun again",
            f"{BEGUN_AGAIN_SECONDS} s later; they find everything that was finished; {ATTEMPTS} attempts in all.",
            EventTrigger(
                match=may_come_again,
                match_related=productions,
                for_each={"prefect.resource.id"},
                after=of("Crashed"),
                expect=of(
                    "Scheduled", "AwaitingRetry", "Pending", "Running", "Crashed", "Completed", "Failed", "Cancelled"
                ),
                posture=Posture.Proactive,
                threshold=1,
                within=timedelta(seconds=BEGUN_AGAIN_SECONDS),
            ),
            ChangeFlowRunState(
                state=StateType.SCHEDULED,
                name="AwaitingRetry",
                message="It crashed, and is begun again.",
                force=False,
            ),
        ),
        automation(
            "productions that crash again and again are failed",
            f"{ATTEMPTS} times without getting any further: begun again, they would crash for ever.",
            EventTrigger(
                match=may_come_again,
                match_related=productions,
                for_each={"prefect.resource.id", "prefect.run-count"},
                expect=of("Crashed"),
                posture=Posture.Reactive,
                threshold=ATTEMPTS,
                within=timedelta(seconds=COUNTED_SECONDS),
            ),
            ChangeFlowRunState(
                name=None,
                force=False,
                state=StateType.FAILED,
                message=f"It ended {ATTEMPTS} times without getting any further, and is not begun again by itself: read the log "
                "of the worker that took it, run `portrayal doctor` on that machine, and retry the run.",
            ),
        ),
    ]


def _set_up_automation(client: Any, automation: Any) -> Change:
    found = client.read_automations_by_name(automation.name)
    if not found:
        client.create_automation(automation)
        return Change("automation", automation.name, "created")
    (first, *others) = found
    for other in others:
        client.delete_automation(other.id)
    fields = ("description", "trigger", "actions")
    same = all(_plain(getattr(first, name)) == _plain(getattr(automation, name)) for name in fields)
    if same and not others:
        return Change("automation", automation.name, "left")
    # Whoever switched it off meant it.
    client.update_automation(first.id, automation.model_copy(update={"enabled": first.enabled}))
    return Change("automation", automation.name, "changed")


def _plain(value: Any) -> Any:
    """A value as JSON, without the ids that the server gives, and with sets in order."""
    if isinstance(value, list | tuple | set):
        return sorted((_plain(one) for one in value), key=repr)
    if hasattr(value, "model_dump"):
        return _plain(value.model_dump(mode="json"))
    if isinstance(value, dict):
        kept = {key: _plain(one) for key, one in value.items() if key not in ("id", "created", "updated")}
        return {key: one for key, one in kept.items() if one not in (None, [], {})}
    return value


def _deployed(client: Any) -> dict[str, Any]:
    """What the server has of every deployment of ours, by name."""
    left_out = {"id", "created", "updated", "last_polled", "status", "labels", "version_id", "version_info"}
    found = {}
    for one in client.read_deployments(limit=MOST_LISTED):
        if "portrayal" in one.tags:
            state = one.model_dump(mode="json", exclude=left_out | {"global_concurrency_limit", "schedules"})
            limit = one.global_concurrency_limit
            state["limit"] = limit.limit if limit else None
            state["schedules"] = sorted(
                (
                    _plain(schedule.model_dump(mode="json", exclude={"id", "created", "updated", "deployment_id"}))
                    for schedule in one.schedules
                ),
                key=repr,
            )
            found[one.name] = state
    return dict(sorted(found.items()))


def _deploy(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)],
        cwd=file.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise RenderError(f"{file}: it could not be deployed ({said[-1].strip() if said else done.returncode}).")


def status() -> dict[str, Any]:
    """How the pools are: queues, workers, what runs, what is late and what failed in the last day.

    Returns:
        `server`, `pools` (each with `queues` and `workers`), `running`, `late`, `failures` and `advice`; times are ISO 8601,
        ages are seconds.

    Raises:
        NoServerError: no server answers.
    """
    server = reach_server()
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterEndTime,
        FlowRunFilterState,
        FlowRunFilterStateName,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort

    now = datetime.now(UTC)

    def of(*types: StateType) -> FlowRunFilterState:
        return FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))

    with get_client(sync_client=True) as client:
        names = {one.id: one.name for one in client.read_deployments(limit=MOST_LISTED)}
        running = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=of(StateType.RUNNING)),
            sort=FlowRunSort.START_TIME_ASC,
            limit=MOST_LISTED,
        )
        late = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(name=FlowRunFilterStateName(any_=["Late"])),
            ),
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
            limit=MOST_LISTED,
        )
        failed = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                state=of(StateType.FAILED, StateType.CRASHED),
                end_time=FlowRunFilterEndTime(after_=now - timedelta(days=1)),  # type: ignore[arg-type]
            ),
            sort=FlowRunSort.END_TIME_DESC,
            limit=10,
        )
        pools = [_pool_status(client, pool, now) for pool in client.read_work_pools(limit=MOST_LISTED)]
    return {
        "server": server,
        "pools": pools,
        "running": [
            _run(one, names) | {"seconds": round(one.estimated_run_time.total_seconds(), 1)} for one in running
        ],
        "late": [_run(one, names) | {"waits_seconds": _age(one.expected_start_time, now)} for one in late],
        "failures": [
            _run(one, names) | {"ended_at": one.end_time.isoformat() if one.end_time else None, "error": _said(one)}
            for one in failed
        ],
        "advice": advice(),
    }


def _pool_status(client: Any, pool: Any, now: datetime) -> dict[str, Any]:
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterNextScheduledStartTime,
        FlowRunFilterState,
        FlowRunFilterStateType,
        WorkPoolFilter,
        WorkPoolFilterName,
        WorkQueueFilter,
        WorkQueueFilterName,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort

    due = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        next_scheduled_start_time=FlowRunFilterNextScheduledStartTime(before_=now),  # type: ignore[arg-type]
    )
    queues = []
    for queue in sorted(client.read_work_queues(work_pool_name=pool.name), key=lambda one: one.priority):
        place = {
            "flow_runs": due.model_dump(mode="json", exclude_unset=True),
            "work_pools": WorkPoolFilter(name=WorkPoolFilterName(any_=[pool.name])).model_dump(
                mode="json", exclude_unset=True
            ),
            "work_pool_queues": WorkQueueFilter(name=WorkQueueFilterName(any_=[queue.name])).model_dump(
                mode="json", exclude_unset=True
            ),
        }
        answer = client.request("POST", "/flow_runs/count", json=place)
        answer.raise_for_status()
        oldest = client.read_flow_runs(
            flow_run_filter=due,
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool.name])),
            work_queue_filter=WorkQueueFilter(name=WorkQueueFilterName(any_=[queue.name])),
            sort=FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC,
            limit=1,
        )
        queues.append(
            {
                "name": queue.name,
                "priority": queue.priority,
                "limit": queue.concurrency_limit,
                "in_use": queue.active_slots,
                "paused": queue.is_paused,
                "waiting": int(answer.json()),
                "oldest_waits_seconds": _age(oldest[0].next_scheduled_start_time, now) if oldest else None,
            }
        )
    workers = [
        {
            "name": one.name,
            "alive": one.status.value == "ONLINE",
            "heard_seconds_ago": _age(one.last_heartbeat_time, now),
        }
        for one in client.read_workers_for_work_pool(pool.name, limit=MOST_LISTED)
    ]
    return {
        "name": pool.name,
        "type": pool.type,
        "paused": pool.is_paused,
        "limit": pool.concurrency_limit,
        "queues": queues,
        "workers": workers,
    }


def _run(run: Any, names: dict[Any, str]) -> dict[str, Any]:
    return {
        "id": str(run.id),
        "name": run.name,
        "deployment": names.get(run.deployment_id),
        "pool": run.work_pool_name,
        "queue": run.work_queue_name,
        "state": run.state_name,
        "attempt": run.run_count,
    }


def _said(run: Any) -> str:
    return " ".join(((run.state.message if run.state else None) or "").split())


def _age(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else round(max(0.0, (now - at).total_seconds()), 1)


def advice() -> list[str]:
    """What is to be set on the server so that its restart costs no run anything; nothing where it does not tell its settings.

    Raises:
        NoServerError: no server answers.
    """
    reach_server()
    import httpx
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        try:
            answer = client.request("GET", "/admin/settings")
        except httpx.HTTPStatusError:  # not one of one's own
            return []
    return advice_on(answer.json())


def advice_on(settings: dict[str, Any]) -> list[str]:
    """`advice` on Prefect's settings, as its server tells them."""
    from pydantic import TypeAdapter

    server = settings["server"]
    said = []
    if server["concurrency"]["lease_storage"] == "prefect.server.concurrency.lease_storage.memory":
        said.append(
            "A restart of Prefect's server ends every run that is at work for longer than four minutes: set "
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE=prefect.server.concurrency.lease_storage.filesystem on the server, and "
            "keep its PREFECT_HOME."
        )
    if TypeAdapter(timedelta).validate_python(server["events"]["expired_bucket_buffer"]) < LEAST_REMEMBERED:
        said.append(
            "Runs whose machines go down together with Prefect's server, for longer than two and a half minutes, stay Running "
            "for ever: set PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER=P1D on the server."
        )
    return said


def as_rows(changes: list[Change]) -> list[dict[str, str]]:
    return [asdict(one) for one in changes]
