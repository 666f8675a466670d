"""What waits and what videos have cost, on both databases."""

from datetime import timedelta

import pytest
from sample_catalog import key_of, produce
from sqlalchemy import update
from sqlalchemy.orm import Session

from catalog.campaign_tables import CampaignRow
from catalog.campaigns import NewRow, claim, open_campaign, queue
from catalog.productions import finish_rendition, record_segment, start_rendition
from catalog.tables import Rendition, now
from catalog.workload import backlog, measured_work


def finished(session: Session, name: str, work: float, seconds: float = 60.0) -> Rendition:
    produce(session, name)
    rendition = start_rendition(session, name, "en")
    for turn in range(2):
        facts = {"turn_index": turn, "speaker": "Ann", "key": key_of(f"{name}{turn}"), "state": "rendered"}
        record_segment(session, rendition.id, frames=750, seconds_of_work=work / 2, **facts)
    return finish_rendition(session, rendition.id, state="done", video_path=f"{name}.mp4", duration_s=seconds)


def test_a_catalog_without_work_says_so(session: Session) -> None:
    found = backlog(session)
    assert (found.expired_leases, found.running, found.oldest_running_s) == (0, 0, 0.0)
    assert found.since_finished_s is None and set(found.rows.values()) == {0}
    assert measured_work(session, 30).videos == 0


def test_what_waits_and_what_nobody_works_on_any_more(session: Session) -> None:
    campaign = open_campaign(session, "spring", owner="Jo")
    queue(session, campaign, [NewRow(f"r{n}", n, key_of(f"r{n}"), {}, "out", estimated_work_s=1.0) for n in range(3)])
    claimed = claim(session, "me", 60)
    assert claimed is not None and backlog(session).expired_leases == 0
    session.execute(
        update(CampaignRow).where(CampaignRow.state == "running").values(lease_until=now() - timedelta(minutes=5))
    )
    produce(session, "talk")
    rendition = start_rendition(session, "talk", "en")
    session.execute(update(Rendition).where(Rendition.id == rendition.id).values(started_at=now() - timedelta(hours=2)))
    found = backlog(session)
    assert found.rows["queued"] == 2 and found.rows["running"] == 1 and found.expired_leases == 1
    assert found.running == 1 and found.oldest_running_s == pytest.approx(7200, abs=60)
    assert found.since_finished_s == pytest.approx(7200, abs=60), "nothing was ever finished since work began"
    finish_rendition(session, rendition.id, state="done", video_path="a.mp4", duration_s=4.0)
    assert 0 <= (backlog(session).since_finished_s or -1) < 60 and backlog(session).running == 0


def test_work_is_measured_on_videos_that_took_any_and_are_not_too_old(session: Session) -> None:
    finished(session, "new", work=300.0)
    finished(session, "reused", work=0.0)
    old = finished(session, "old", work=6000.0)
    session.execute(update(Rendition).where(Rendition.id == old.id).values(finished_at=now() - timedelta(days=40)))
    found = measured_work(session, 30)
    assert (found.videos, found.seconds_of_video, found.seconds_of_work) == (1, 60.0, 300.0)
    assert measured_work(session, 60).seconds_of_work == 6300.0
