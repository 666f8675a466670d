"""Metrics cost nothing where nobody collects them, have documented names, and never hold up a command."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from catalog.workload import Backlog
from tasks import metrics

ROOT = Path(__file__).resolve().parents[2]


def test_without_a_collector_opentelemetry_is_not_even_imported() -> None:
    code = (
        "import sys; from tasks import metrics; metrics.start(); metrics.rendered(1, 1, 'cpu');"
        "metrics.failed('segment', ValueError()); metrics.record(metrics.STAGES, 1, stage='a'); metrics.flush();"
        "assert not [one for one in sys.modules if one.startswith(('opentelemetry', 'sqlalchemy'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})


@pytest.mark.parametrize(
    ("metric", "names"),
    [
        (metrics.VIDEO, ("portrayal_video_rendered_seconds_total",)),
        (metrics.LOOKUPS, ("portrayal_cache_lookups_total",)),
        (metrics.WAITING, ("portrayal_segments_waiting",)),
        (metrics.DISK, ("portrayal_disk_free_bytes",)),
        (metrics.STAGES, tuple(f"portrayal_stage_duration_seconds_{one}" for one in ("bucket", "sum", "count"))),
    ],
)
def test_prometheus_names_follow_from_name_unit_and_kind(metric: metrics.Metric, names: tuple[str, ...]) -> None:
    assert metric.prometheus_names == names


def test_every_metric_is_documented_with_its_unit_and_attributes() -> None:
    lines = (ROOT / "docs" / "watching.md").read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("| `portrayal.") and line.count("|") == 6]  # not that of events
    rows = {line.split("|")[1].strip(" `"): line for line in table}
    assert set(rows) == {one.name for one in metrics.METRICS}
    for one in metrics.METRICS:
        assert f"`{one.unit}`" in rows[one.name] and one.kind in rows[one.name]
        assert all(f"`{attribute}`" in rows[one.name] for attribute in one.attributes)


def test_a_collector_that_is_gone_delays_nothing_for_long(seeded_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTRAYAL_HOME", str(seeded_home))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    began = time.monotonic()
    metrics.rendered(1, 1, "cpu")
    metrics.flush()
    metrics.close()
    assert time.monotonic() - began < 5 * metrics.TIMEOUT_SECONDS


@pytest.fixture
def slow_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every gauge that comes from the catalog takes its time."""

    def slow() -> Backlog:
        time.sleep(0.2)
        return Backlog(rows={}, expired_leases=0, running=0, oldest_running_s=0, since_finished_s=None)

    monkeypatch.setattr(metrics, "_backlog", slow)


@pytest.mark.usefixtures("slow_catalog")
def test_counters_begin_at_zero_however_long_the_catalog_takes(collector: Any) -> None:
    metrics.start()
    metrics.add(metrics.RENDITIONS, 1, outcome="done")
    metrics.close()
    assert collector.first["portrayal.renditions", "done"] == 0
    assert collector.values["portrayal.renditions", "done"] == 1


@pytest.mark.usefixtures("slow_catalog")
def test_a_catalog_that_takes_too_long_fails_no_production(
    collector: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(metrics, "CATALOG_SECONDS", 0.1)
    metrics.start()
    metrics.flush()
    assert "Not all metrics were sent: " in caplog.text
