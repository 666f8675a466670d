"""The arithmetic of fleets, and the figures that it rests on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.fleet import devices_needed


def test_devices_follow_from_work_and_hours() -> None:
    assert devices_needed(10, 8, 12, 0.85) == 18
    assert devices_needed(10, 8, 6, 0.85) == 9
    assert devices_needed(1, 1, 3, 1.0) == 3 and devices_needed(1, 1, 3.01, 1.0) == 4
    assert devices_needed(0.1, 8, 0.3, 1.0) == 1


def test_a_fleet_is_sized_by_what_videos_have_cost(portrayal: Callable[..., Any], home: Path) -> None:
    from catalog.productions import finish_rendition, open_production, record_segment, start_rendition
    from catalog.session import session_factory
    from tasks import workspace

    nothing = portrayal("fleet", "--video-hours", 10)
    assert nothing.code == 1 and "nothing is measured" in nothing.err and "produce one" in nothing.err
    with session_factory(workspace.catalog()).begin() as session:
        facts = {"title": "Talk", "source_name": "talk.txt", "source_sha256": "0" * 64, "source_kind": "script"}
        open_production(session, id="talk", **facts)
        rendition = start_rendition(session, "talk", "en")
        segment: dict[str, Any] = {"turn_index": 0, "speaker": "Ann", "key": "a" * 64, "state": "rendered"}
        record_segment(session, rendition.id, frames=1500, seconds_of_work=720.0, **segment)
        finish_rendition(session, rendition.id, state="done", video_path="talk.en.mp4", duration_s=60.0)
    found = portrayal("fleet", "--video-hours", 10, "--hours", 8, "--json").json
    assert (found["work_per_second"], found["devices"], found["videos"]) == (12.0, 18, 1)
    shown = portrayal("fleet", "--video-hours", 10).out
    assert "18 GPUs or processors for 10 h of video in 8 h" in shown and "17.65" in shown


def test_metrics_need_a_collector(portrayal: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    answer = portrayal("metrics")
    assert answer.code == 1 and "OTEL_EXPORTER_OTLP_ENDPOINT" in answer.err
