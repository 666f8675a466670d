"""prefect.yaml against a real server: everything that it says is read back, because unknown keys are silently ignored."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def prefect(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def deployed(prefect_server: str) -> dict[str, Any]:
    """Every deployment of prefect.yaml by name, as the server has it."""
    for pool in ("cpu", "gpu"):
        prefect("work-pool", "create", pool, "--type", "process", "--overwrite")
    prefect("deploy", "--all")
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = client.read_deployments()
        return {one.name: one for one in found}


def test_every_deployment_is_there_in_its_pool(deployed: dict[str, Any]) -> None:
    pools = {name: (one.entrypoint, one.work_pool_name, one.work_queue_name) for name, one in deployed.items()}
    assert pools == {
        "produce": ("flows.produce.produce", "cpu", "default"),
        "render": ("flows.render.render", "gpu", "default"),
        "localize": ("flows.localize.localize", "cpu", "default"),
        "campaign": ("flows.campaign.campaign", "cpu", "default"),
        "approve": ("flows.campaign.approve", "cpu", "default"),
    }
    assert all(
        one.enforce_parameter_schema and one.description and "portrayal" in one.tags for one in deployed.values()
    )


def test_the_limits_say_what_happens_to_whoever_comes_too_many(deployed: dict[str, Any]) -> None:
    limits = {
        name: (one.global_concurrency_limit.limit, one.concurrency_options.collision_strategy.value)
        for name, one in deployed.items()
    }
    assert limits == {"produce": (2, "ENQUEUE"), "render": (8, "ENQUEUE"), "localize": (1, "CANCEL_NEW")} | {
        "campaign": (8, "ENQUEUE"),
        "approve": (1, "ENQUEUE"),
    }


def test_localize_runs_every_night_in_a_time_zone(deployed: dict[str, Any]) -> None:
    (nightly,) = deployed["localize"].schedules
    assert (nightly.schedule.cron, nightly.schedule.timezone) == ("30 2 * * *", "Europe/Berlin")
    assert nightly.active and nightly.slug == "nightly" and nightly.parameters == {"limit": 100}
    assert deployed["localize"].parameters == {"limit": 100}
    assert not deployed["produce"].schedules and not deployed["render"].schedules


def test_jobs_send_their_log_and_their_heartbeat(deployed: dict[str, Any]) -> None:
    for one in deployed.values():
        assert one.job_variables["env"] == {
            "PREFECT_LOGGING_EXTRA_LOGGERS": "portrayal",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        }


def test_the_form_has_titles_descriptions_and_bounds(deployed: dict[str, Any]) -> None:
    schema = deployed["produce"].parameter_openapi_schema
    definitions = schema["definitions"]
    request = definitions["ProductionRequest"]["properties"]
    assert request["source"]["title"] == "Source" and request["source"]["description"]
    assert request["layout"]["anyOf"][0]["enum"] == ["spotlight", "gallery", "duet"]
    steps = definitions["RenderOptions"]["properties"]["steps"]["anyOf"][0]
    assert (steps["minimum"], steps["maximum"]) == (1, 1000)
    order = deployed["render"].parameter_openapi_schema["definitions"]["SegmentOrder"]["properties"]
    assert order["frames"]["minimum"] == 1


def test_a_run_with_wrong_parameters_is_refused_by_the_server(deployed: dict[str, Any]) -> None:
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError

    with get_client(sync_client=True) as client, pytest.raises(PrefectHTTPStatusError, match="layout"):
        client.create_flow_run_from_deployment(
            deployed["produce"].id, parameters={"request": {"source": "talk.txt", "out": "out", "layout": "pyramid"}}
        )


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
        deadline = time.monotonic() + 180
        while not (state := client.read_flow_run(run.id).state).is_final() and time.monotonic() < deadline:
            time.sleep(0.5)
    assert state.type.value == "COMPLETED", state
    assert (out / "talk.es.mp4").is_file()
    states = {one["language"]: one["state"] for one in portrayal("report", "--json").json[0]["renditions"]}
    assert states == {"en": "done", "es": "done"}


def test_produce_has_its_clips_rendered_by_workers_of_another_pool(
    deployed: dict[str, Any],
    portrayal: Callable[..., Any],
    worker: Callable[..., None],
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker("gpu")
    monkeypatch.setenv("PORTRAYAL_RENDER_DEPLOYMENT", "render/render")
    answer = portrayal("produce", script, "--out", tmp_path / "out", "--engine", "render=still", "--json")
    assert answer.code == 0, answer
    assert answer.json["figures"]["rendered"] == 5 and answer.json["figures"]["seconds_of_work"] > 0
    assert (tmp_path / "out" / "talk.en.mp4").is_file()
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        runs = [run for run in client.read_flow_runs() if run.deployment_id == deployed["render"].id]
    assert [run.state_type.value for run in runs] == ["COMPLETED"]


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
        process.wait(30)
