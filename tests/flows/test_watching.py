"""What a Prefect server and a collector of metrics are told about a production, read back from both."""

import base64
import importlib
import io
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tasks import metrics

pytestmark = pytest.mark.slow


@pytest.fixture
def told(
    prefect_server: str,
    portrayal: Callable[..., Any],
    script: Path,
    tmp_path: Path,
    collector: Any,
    caplog: pytest.LogCaptureFixture,
) -> Callable[..., Any]:
    """Produces a script of which one portrait is damaged, and mends it; gives what the server knows afterwards."""
    slugs = {one["speaker"]: one["portrait"] for one in portrayal("catalog", "cast", script, "--json").json}
    picture = Path(portrayal("catalog", "show", slugs["Bob"], "--json").json["picture"].removeprefix("file://"))
    whole = picture.read_bytes()

    importlib.import_module("prefect.main")  # which sets the log up, once
    caplog.set_level(logging.INFO, "prefect")  # as `flows.embedded` has it where a server is there already
    for content, code in ((b"not a picture", 2), (whole, 0)):
        picture.write_bytes(content)
        answer = portrayal("produce", script, "--out", tmp_path / "out", "--engine", "render=still", "--json")
        assert answer.code == code and "Prefect server was not told" not in answer.err, answer
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterId,
        LogFilter,
        LogFilterFlowRunId,
    )
    from prefect.client.schemas.sorting import FlowRunSort
    from prefect.events.filters import EventFilter, EventNameFilter

    with get_client(sync_client=True) as client:
        of_flow = FlowFilter(name=FlowFilterName(any_=["produce"]))
        produced = client.read_flow_runs(flow_filter=of_flow, sort=FlowRunSort.START_TIME_DESC)
        runs = sorted(
            (run for run in produced if run.parameters["request"]["source"] == str(script)),
            key=lambda run: run.start_time,
        )
        assert len(runs) == 2
        of_runs = FlowRunFilter(id=FlowRunFilterId(any_=[run.id for run in runs]))
        in_log = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id for run in runs]))

        def artifacts(run: Any) -> dict[str, Any]:
            found = [
                one for one in client.read_artifacts(flow_run_filter=of_runs) if one.key and one.flow_run_id == run.id
            ]
            return {one.key.removeprefix("talk-").split("-", 1)[1]: one for one in found}

        def events() -> list[Any]:
            wanted = EventFilter(event=EventNameFilter(prefix=["portrayal."]))
            found = client.read_events(wanted, limit=50).events
            ours = {f"prefect.flow-run.{run.id}" for run in runs}
            return sorted(
                (one for one in found if ours & {related.id for related in one.related}), key=lambda one: one.occurred
            )

        def logs() -> list[str]:
            return [one.message for one in client.read_logs(in_log)]

        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not (len(events()) == 7 and any("finished" in one for one in logs())):
            time.sleep(0.3)
        return artifacts(runs[0]), artifacts(runs[1]), events(), logs()


def test_a_production_is_seen_on_the_server_and_in_the_metrics(
    told: Any, collector: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken, mended, events, logs = told

    # One artifact each, beside the run that it belongs to.
    assert set(broken) == {"progress", "segments"}
    assert set(mended) == {"progress", "segments", "en-sheet", "en-video"}
    assert mended["progress"].type == "progress" and mended["progress"].data == 100.0
    assert "talk: finished" in mended["progress"].description and "incomplete" in broken["progress"].description
    assert 0 < broken["progress"].data < 100
    rows = {(one["turn"], one["speaker"]): one for one in json.loads(broken["segments"].data)}
    assert set(rows) == {(1, "Ann"), (2, "Bob"), (3, "Ann"), ("idle", "Ann"), ("idle", "Bob")}
    assert rows[1, "Ann"]["state"] == "rendered" and rows[1, "Ann"]["seconds of work"] > 0
    assert (
        rows[1, "Ann"]["language"] == "en" and rows[1, "Ann"]["frames"] > 0 and rows["idle", "Ann"]["language"] == "all"
    )
    assert rows[2, "Bob"]["state"] == "failed" and rows[2, "Bob"]["error"].startswith("the picture of portrait '")
    first, told = json.loads(broken["segments"].data)[0], broken["segments"].description
    assert first["state"] == "failed" and told.startswith("Segments of talk: 2 failed, 3 rendered\n")
    assert "\n- turn 2, Bob, en: the picture of portrait '" in told
    assert mended["segments"].description == "Segments of talk: 2 rendered, 3 cached"
    states = [one["state"] for one in json.loads(mended["segments"].data)]
    assert sorted(states) == ["cached"] * 3 + ["rendered"] * 2
    video = tmp_path / "out" / "talk.en.mp4"
    assert mended["en-video"].data.startswith(f"`{video}`") and "on the machine " in mended["en-video"].data
    picture = base64.b64decode(mended["en-sheet"].data.split("base64,")[1].split(")")[0])
    with Image.open(io.BytesIO(picture)) as sheet:
        assert sheet.format == "JPEG" and sheet.size == (4 * 206 + 6, 3 * 118 + 6)
    assert len(picture) < 100_000

    said = [one.event.removeprefix("portrayal.") for one in events]
    assert said[0] == "production.started" and said[1:4].count("segment.failed") == 2
    assert said[3:] == ["production.incomplete", "production.started", "rendition.published", "production.finished"]
    failed = next(one for one in events if one.event.endswith("segment.failed") and one.payload["turn"])
    assert (failed.payload["turn"], failed.payload["speaker"], failed.payload["language"]) == (2, "Bob", "en")
    assert failed.resource.id.startswith("portrayal.production.") and failed.resource.name == "talk"
    assert events[5].payload["video"] == str(video) and events[5].payload["seconds"] > 0

    assert any(one.startswith("talk: turn 1 (Ann) in en: ") and "frames rendered" in one for one in logs), logs
    assert any(one.startswith("talk: turn 2 (Bob) in en") for one in logs)
    assert any(one.startswith("talk in en: published") for one in logs)

    metrics.flush()
    got = collector.values
    assert set(collector.units) == {one.name for one in metrics.METRICS}, "every metric that is declared is sent"
    for one in metrics.METRICS:
        assert collector.units[one.name] == one.unit
        assert collector.kinds[one.name] == {"gauge": "gauge", "histogram": "histogram"}.get(one.kind, "sum")
    assert got["portrayal.cache.lookups", "clip,miss"] == 5 + 2 and got["portrayal.cache.lookups", "clip,hit"] == 3
    # Every turn is asked for twice; whoever asked who is cast has had all of them spoken before.
    assert got["portrayal.cache.lookups", "hit,speech"] == 6 and got["portrayal.cache.lookups", "miss,speech"] == 0
    assert (
        got["portrayal.failures", "rendering,segment"] == 2 and got["portrayal.failures", "production,rendering"] == 0
    )
    assert got["portrayal.renditions", "done"] == got["portrayal.renditions", "incomplete"] == 1
    assert got["portrayal.segments.waiting", ""] == 0
    assert got["portrayal.stage.duration", "Render the clips"] == 2
    assert got["portrayal.video.rendered", "cpu"] > 1 and got["portrayal.render.work", "cpu"] > 0
    assert got["portrayal.renditions.running", ""] == 0 and 0 <= got["portrayal.finished.age", ""] < 600
    assert got["portrayal.disk.free", ""] > 0 and got["portrayal.campaign.rows", "queued"] == 0
    assert collector.first["portrayal.cache.lookups", "clip,miss"] == 0, "the first value is a zero: increases are seen"
    assert collector.resource["service.name"] == "portrayal" and ":" in collector.resource["service.instance.id"]


def test_what_is_left_is_told_roughly_and_files_as_what_a_browser_can_open() -> None:
    from flows.watching import _roughly, where_it_is

    assert [_roughly(one) for one in (0.2, 42.4, 99, 130, 3599, 3600, 5460)] == [
        *("1 s", "42 s", "99 s", "2 min", "1 h 0 min", "1 h 0 min", "1 h 31 min")
    ]
    assert where_it_is("https://box/out/talk.en.mp4") == "[talk.en.mp4](https://box/out/talk.en.mp4)"
    assert where_it_is("s3://bucket/talk.en.mp4") == "`s3://bucket/talk.en.mp4`"


def test_a_server_that_ends_with_its_command_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows import embedded, watching

    ours = "http://127.0.0.1:9/api"
    monkeypatch.setattr(embedded, "_launched", {ours})
    with temporary_settings({PREFECT_API_URL: ours}):
        assert not watching.somebody_looks()
        with watching.watched(None, "out") as watch:  # type: ignore[arg-type]
            assert type(watch) is watching.Watch, "its methods do nothing at all"
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:8/api"}):
        assert not watching.somebody_looks(), "outside of a run there is nothing to see either"
