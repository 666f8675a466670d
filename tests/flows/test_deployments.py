"""prefect.yaml against a real server: everything that it says is read back, because unknown keys are silently ignored."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from catalog.casting_weights import POINTS
from tasks.request import ENGINE_KINDS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def deployed(prefect_server: str) -> dict[str, Any]:
    """Every deployment of prefect.yaml by name, as the server has it after `portrayal pools setup`."""
    from prefect.client.orchestration import get_client

    from flows import pools

    done = {(one.what, one.name): one.done for one in pools.setup()}
    assert done["deployment", "report"] == done["queue", "gpu/urgent"] == "created"
    with get_client(sync_client=True) as client:
        return {one.name: one for one in client.read_deployments()}


def test_a_second_setup_changes_nothing_and_a_third_mends_what_was_changed(deployed: dict[str, Any]) -> None:
    from prefect.client.orchestration import get_client

    from flows import pools

    assert {one.done for one in pools.setup()} == {"left"}
    with get_client(sync_client=True) as client:
        queues = {one.name: one for one in client.read_work_queues(work_pool_name="gpu")}
        client.update_work_queue(queues["batch"].id, priority=1, concurrency_limit=99)
        mended = pools._set_up_pool(client, pools.POOLS[1], "process")
        assert "changed" in {one.done for one in mended}
        found = client.read_work_queues(work_pool_name="gpu")
    assert {one.name: (one.priority, one.concurrency_limit) for one in found} == {
        "urgent": (1, 64),
        "normal": (2, 32),
        "batch": (3, 16),
        "default": (4, 16),
    }


def test_runs_that_nobody_works_on_are_crashed_and_crashed_productions_begun_again(deployed: dict[str, Any]) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = {one.name: one for one in client.read_automations()}
    assert all(one.enabled for one in found.values()) and len(found) == 4
    silent = found["portrayal: runs without a heartbeat are crashed"]
    assert silent.trigger.posture.value == "Proactive" and silent.trigger.within.total_seconds() == 90
    assert silent.trigger.after == {"prefect.flow-run.heartbeat"} and silent.actions[0].state.value == "CRASHED"
    lost = found["portrayal: runs that their worker never began are crashed"]
    assert lost.trigger.posture.value == "Proactive" and lost.trigger.within.total_seconds() == 300
    assert lost.trigger.after == {"prefect.flow-run.Pending", "prefect.flow-run.Submitting"} < lost.trigger.expect
    # What Prefect calls it when a flow begins: for the first time, and later.
    begins = {f"prefect.flow-run.{one}" for one in ("Running", "Retrying", "Rerunning", "heartbeat")}
    assert begins < lost.trigger.expect
    pool, tag = [one.model_dump() for one in lost.trigger.match_related]
    assert pool["prefect.resource.name"] == ["cpu", "gpu"] and tag["prefect.resource.id"] == "prefect.tag.portrayal"
    assert lost.actions[0].state.value == "CRASHED"
    again = found["portrayal: crashed productions are begun again"]
    assert again.trigger.posture.value == "Proactive" and again.trigger.within.total_seconds() == 60
    assert again.trigger.after == {"prefect.flow-run.Crashed"} and "prefect.flow-run.Running" in again.trigger.expect
    assert again.trigger.match["prefect.run-count"] == ["0", "1", "2"]
    assert again.trigger.match_related["prefect.resource.name"] in ("produce", ["produce"])
    assert again.actions[0].state.value == "SCHEDULED"


def test_a_production_that_crashes_three_times_without_getting_further_is_failed(deployed: dict[str, Any]) -> None:
    from prefect.client.orchestration import get_client
    from prefect.states import AwaitingRetry, Crashed

    parameters = {"request": {"source": "talk.txt", "out": "out"}}
    with get_client(sync_client=True) as client:
        run = client.create_flow_run_from_deployment(deployed["produce"].id, parameters=parameters)
        for _ in range(2):
            client.set_flow_run_state(run.id, Crashed(message="Process exited with status code: 1."))
            client.set_flow_run_state(run.id, AwaitingRetry())
        time.sleep(2)
        assert client.read_flow_run(run.id).state.is_scheduled(), "not yet"
        client.set_flow_run_state(run.id, Crashed(message="Process exited with status code: 1."))
        deadline = time.monotonic() + 60
        while (state := client.read_flow_run(run.id).state).is_crashed() and time.monotonic() < deadline:
            time.sleep(0.2)
        client.delete_flow_run(run.id)
    assert state.type.value == "FAILED" and "3 times without getting any further" in state.message


def test_every_deployment_is_there_in_its_pool(deployed: dict[str, Any]) -> None:
    pools = {name: (one.entrypoint, one.work_pool_name, one.work_queue_name) for name, one in deployed.items()}
    assert pools == {
        "produce": ("flows.produce.produce", "cpu", "default"),
        "render": ("flows.render.render", "gpu", "normal"),
        "localize": ("flows.localize.localize", "cpu", "default"),
        "campaign": ("flows.campaign.campaign", "cpu", "default"),
        "approve": ("flows.campaign.approve", "cpu", "default"),
        "report": ("flows.reporting.report", "cpu", "default"),
    }
    assert all(
        one.enforce_parameter_schema and one.description and "portrayal" in one.tags for one in deployed.values()
    )


def test_runs_need_no_folder_of_the_machine_that_deployed(deployed: dict[str, Any]) -> None:
    assert not any(one.pull_steps or one.path for one in deployed.values())


def test_the_limits_say_what_happens_to_whoever_comes_too_many(deployed: dict[str, Any]) -> None:
    limits = {
        name: (one.global_concurrency_limit.limit, one.concurrency_options.collision_strategy.value)
        for name, one in deployed.items()
    }
    assert limits == {"produce": (2, "ENQUEUE"), "render": (64, "ENQUEUE"), "localize": (1, "CANCEL_NEW")} | {
        "campaign": (2, "CANCEL_NEW"),
        "approve": (1, "ENQUEUE"),
        "report": (1, "ENQUEUE"),
    }


def test_what_is_scheduled_is_scheduled_in_a_time_zone(deployed: dict[str, Any]) -> None:
    schedules = {
        name: [(one.slug, one.schedule.cron, one.schedule.timezone, one.active, one.parameters) for one in it.schedules]
        for name, it in deployed.items()
        if it.schedules
    }
    assert schedules == {
        "localize": [("nightly", "30 2 * * *", "Europe/Berlin", True, {"limit": 100})],
        "campaign": [("minutes", "*/5 * * * *", "Europe/Berlin", True, {})],
        "report": [("daily", "0 6 * * *", "Europe/Berlin", True, {})],
    }
    assert deployed["localize"].parameters == {"limit": 100}


def test_what_is_scheduled_gets_runs(deployed: dict[str, Any]) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId

    nightly = deployed["localize"]
    chosen = DeploymentFilter(id=DeploymentFilterId(any_=[nightly.id]))
    with get_client(sync_client=True) as client:
        client.request("POST", f"/deployments/{nightly.id}/schedule", json={}).raise_for_status()
        runs = client.read_flow_runs(deployment_filter=chosen)
        for deployment in deployed.values():  # what follows is about other runs
            for schedule in deployment.schedules:
                client.update_deployment_schedule(deployment.id, schedule.id, active=False)
        left = client.read_flow_runs(deployment_filter=chosen)
    assert runs and all(one.state_name == "Scheduled" and one.auto_scheduled for one in runs)
    nights = {one.expected_start_time.astimezone(ZoneInfo("Europe/Berlin")) for one in runs}
    assert {(night.hour, night.minute) for night in nights} == {(2, 30)} and len(nights) == len(runs)
    assert left == []


def test_jobs_send_their_log_and_their_heartbeat_and_what_has_time_is_batch(deployed: dict[str, Any]) -> None:
    for name, one in deployed.items():
        batch = {"PORTRAYAL_PRIORITY": "batch"} if name in ("localize", "campaign") else {}
        assert (
            one.job_variables["env"]
            == {
                "PREFECT_LOGGING_EXTRA_LOGGERS": "portrayal",
                "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            }
            | batch
        )


def test_no_server_is_one_sentence_and_exit_code_3(
    portrayal: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://ann:secret@127.0.0.1:9/api")
    answer = portrayal("pools", "status")
    assert answer.code == 3 and "no Prefect server answers" in answer.err and "secret" not in answer.err


def test_the_form_has_titles_descriptions_and_bounds(deployed: dict[str, Any]) -> None:
    schema = deployed["produce"].parameter_openapi_schema
    definitions = schema["definitions"]
    request = definitions["ProductionRequest"]["properties"]
    assert request["layout"]["enum"] == ["spotlight", "gallery", "duet"]
    assert request["priority"]["enum"] == ["urgent", "normal", "batch"]
    assert set(definitions["ProductionRequest"]["required"]) == {"source", "out"}
    for field, item, names in (
        ("cast", "CastWish", {"speaker", "portrait"}),
        ("voices", "VoiceWish", {"speaker", "voice"}),
        ("voice_consents", "VoiceConsent", {"speaker", "consent"}),
    ):
        assert request[field]["type"] == "array" and request[field]["items"]["$ref"] == f"#/definitions/{item}"
        asked = definitions[item]["properties"]
        assert set(asked) == names and all(one["title"] and one["description"] for one in asked.values())
    engines = request["engines"]["properties"]
    assert set(engines) == set(ENGINE_KINDS) and not request["engines"]["additionalProperties"]
    listed, named = engines["transcription"]["anyOf"]
    assert "whisper" in listed["enum"] and listed["title"] == "From the list"
    assert named == {"type": "string", "title": "By name"}, "whisper:small is possible, too"
    steps = definitions["RenderOptions"]["properties"]["steps"]
    assert (steps["type"], steps["minimum"], steps["maximum"]) == ("integer", 1, 1000)
    weights = request["weights"]
    assert set(weights["properties"]) == set(POINTS) and weights["properties"]["voice"]["maximum"] == 1000
    nightly = deployed["localize"].parameter_openapi_schema
    assert nightly["properties"]["limit"]["minimum"] == 1 and nightly["properties"]["engines"]["default"] == {}
    assert deployed["campaign"].parameter_openapi_schema["properties"]["limit"]["minimum"] == 1
    order = deployed["render"].parameter_openapi_schema["definitions"]["SegmentOrder"]["properties"]
    assert order["frames"]["minimum"] == 1


def test_every_field_of_every_form_says_what_it_is_and_is_no_json_and_no_choice_of_types(
    deployed: dict[str, Any],
) -> None:
    asked = [
        (f"{name}: {path}", field)
        for name, one in deployed.items()
        for path, field in _fields(one.parameter_openapi_schema, one.parameter_openapi_schema)
    ]
    assert len(asked) > 60
    for where, field in asked:
        title, description = field.get("title", ""), field.get("description", "")
        assert title[:1].isupper() and "_" not in title and description[:1].isupper(), where
        ways = field.get("anyOf", [field])
        assert {"type": "null"} not in ways and field.get("default", ...) is not None, where
        assert len(ways) == 1 or all(way["title"] in ("From the list", "By name") for way in ways), where
        # Prefect's UI has an editor of JSON for objects of which it knows no fields.
        assert all(way.get("type") != "object" or way.get("properties") for way in ways), where


def _fields(part: dict[str, Any], schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """All fields of a form, those of what it is made of too; references are followed."""
    for name, field in part.get("properties", {}).items():
        whole = _defined(field, schema)
        yield path + name, whole
        yield from _fields(whole, schema, f"{path}{name}.")
        yield from _fields(_defined(whole.get("items", {}), schema), schema, f"{path}{name}[].")


def _defined(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = part.get("$ref")
    return dict(schema["definitions"][reference.rsplit("/", 1)[1]]) | part if reference else part


def test_a_worker_makes_no_videos_where_nobody_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.produce import _require_lasting_place
    from media.errors import InputError

    _require_lasting_place("out")
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", "a worker's run has one")
    for place in ("/productions/out", "s3://bucket/out"):
        _require_lasting_place(place)
    for missing in ("out", "~/out", None):
        with pytest.raises(InputError, match=r"^out: "):
            _require_lasting_place(missing)


def test_a_run_with_wrong_parameters_is_refused_by_the_server(deployed: dict[str, Any]) -> None:
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError

    with get_client(sync_client=True) as client, pytest.raises(PrefectHTTPStatusError, match="layout"):
        client.create_flow_run_from_deployment(
            deployed["produce"].id, parameters={"request": {"source": "talk.txt", "out": "out", "layout": "pyramid"}}
        )


def test_a_worker_is_given_urgent_chunks_before_batch_ones_that_wait_longer(deployed: dict[str, Any]) -> None:
    from datetime import UTC, datetime

    from prefect.client.orchestration import get_client

    order = {"order": {"segments": [{"portrait": "ann", "audio": "audio/none.wav", "frames": 1}]}}
    with get_client(sync_client=True) as client:
        sent = [
            client.create_flow_run_from_deployment(deployed["render"].id, parameters=order, work_queue_name=queue).id
            for queue in ("batch", "batch", "normal", "urgent")
        ]
        # What a worker asks for; it begins them in this order, as many as it has room for.
        offered = client.get_scheduled_flow_runs_for_work_pool("gpu", scheduled_before=datetime.now(UTC))
        for run in sent:
            client.delete_flow_run(run)
    offered_ids = [one.flow_run.id for one in offered if one.flow_run.id in sent]
    assert offered_ids == [sent[3], sent[2], sent[0], sent[1]]


def test_a_worker_makes_the_video_that_a_new_translation_lacks(
    deployed: dict[str, Any],
    portrayal: Callable[..., Any],
    worker: Callable[..., None],
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    assert portrayal("produce", script, "--out", out, "--lang", "en", "--engine", "render=still").code == 0
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        run = client.create_flow_run_from_deployment(
            deployed["localize"].id, parameters={"engines": {"render": "still"}}
        )
        worker()
        state = ended(client, run.id)
    assert state.type.value == "COMPLETED", state
    assert (out / "talk.es.mp4").is_file()
    states = {one["language"]: one["state"] for one in portrayal("report", "--json").json[0]["renditions"]}
    assert states == {"en": "done", "es": "done"}


def test_workers_of_two_pools_finish_a_production_of_three_languages(
    deployed: dict[str, Any],
    portrayal: Callable[..., Any],
    worker: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from prefect.client.orchestration import get_client

    from media.video import probe_video

    script = tmp_path / "talk.txt"
    script.write_text("language: en\nspeaker: Ann = feminine\n\nAnn: Yes.\n  es: Sí.\n  fr: Oui.\n", encoding="utf-8")
    monkeypatch.setenv("PORTRAYAL_RENDER_DEPLOYMENT", "render/render")
    out = tmp_path / "out"
    request = {"source": str(script), "out": str(out), "languages": ["en", "es", "fr"], "engines": {"render": "still"}}
    request["priority"] = "urgent"
    with get_client(sync_client=True) as client:
        run = client.create_flow_run_from_deployment(deployed["produce"].id, parameters={"request": request})
        waiting = {one["name"]: one for one in portrayal("pools", "status", "--json").json["pools"]}
        assert waiting["cpu"]["queues"][0]["waiting"] == 1
        worker("cpu")
        worker("gpu")
        state = ended(client, run.id)
        runs = [one for one in client.read_flow_runs() if one.deployment_id == deployed["render"].id]
    assert state.type.value == "COMPLETED", state
    for language in request["languages"]:
        assert probe_video(out / f"talk.{language}.mp4").frames > 0
    assert runs and {(one.state_type.value, one.work_queue_name) for one in runs} == {("COMPLETED", "urgent")}
    found = portrayal("pools", "status", "--json").json
    assert {one["name"]: any(each["alive"] for each in one["workers"]) for one in found["pools"]} == {
        "cpu": True,
        "gpu": True,
    }
    # Other tests leave failed runs of their own on this server, which belong to no deployment.
    assert [one for one in found["failures"] if one["deployment"] == "produce"] == [] == found["running"]
    assert "Pool gpu (process): " in portrayal("pools", "status").out
    assert len(found["advice"]) == 2, "this server has Prefect's own settings"


def test_the_daily_report_is_a_page_whose_run_says_where_it_is(
    prefect_server: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.client.orchestration import get_client

    from flows.reporting import report

    monkeypatch.setenv("PORTRAYAL_REPORTS_DIR", str(tmp_path / "reports"))
    place = Path(report())
    assert place.parent == tmp_path / "reports" and "<h2" in place.read_text(encoding="utf-8")
    with get_client(sync_client=True) as client:
        (artifact,) = [one for one in client.read_artifacts() if one.key == "report"]
    assert artifact.data.startswith(f"`{place}`")


def ended(client: Any, run: Any) -> Any:
    """The state in which a run ended, or is after three minutes."""
    deadline = time.monotonic() + 180
    while not (state := client.read_flow_run(run).state).is_final() and time.monotonic() < deadline:
        time.sleep(0.5)
    return state


@pytest.fixture
def worker(home: Path, prefect_server: str, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Starts a process worker for a pool, and ends it after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(pool: str = "cpu") -> None:
        with (tmp_path / "worker.log").open("wb") as log:
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"],
                    cwd=tmp_path,
                    env=os.environ | {"PREFECT_WORKER_QUERY_SECONDS": "1"},
                    stdout=log,
                    stderr=log,
                )
            )

    yield start
    for process in started:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:  # it waits for a run that is over, where the machine is busy
            process.kill()
            process.wait()
