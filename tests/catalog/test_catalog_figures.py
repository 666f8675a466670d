"""The views that dashboards read, checked against the raw rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sample_catalog import everybody, facts, key_of, produce
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.campaign_tables import CampaignRow
from catalog.campaigns import NewRow, Outcome, claim, finish, note_production, open_campaign, queue
from catalog.casting import CastingRequest, cast_speakers
from catalog.figures import VIEWS, read_view
from catalog.portraits import ConsentFacts, add_consent, add_portrait, seed
from catalog.productions import finish_rendition, record_segment, start_rendition
from catalog.tables import Casting, Production, Rendition, Segment


@pytest.fixture
def busy(session: Session) -> Session:
    """Twelve productions in three languages, in a campaign of fifteen."""
    seed(session, everybody())
    campaign = open_campaign(session, "spring", owner="Jo", budget_gpu_minutes=90.0)
    due = datetime(2031, 5, 1, 12, tzinfo=UTC)
    queue(
        session,
        campaign,
        [NewRow(f"r{n}", n, key_of(f"r{n}"), {}, "out", deadline=due, estimated_work_s=30.0) for n in range(15)],
    )
    for number in range(12):
        mine = claim(session, "me", 60)
        assert mine is not None
        produce(session, mine.request_id, source_kind="recording" if number % 4 == 0 else "script")
        cast_speakers(session, mine.request_id, [CastingRequest("Ann"), CastingRequest("Bob")])
        note_production(session, mine, mine.request_id)
        for language in ("en", "es", "hi")[: 1 + number % 3]:
            rendition = start_rendition(session, mine.request_id, language)
            for turn in range(4):
                turn_facts: dict[str, Any] = {"turn_index": turn, "speaker": "Ann", "key": key_of(f"{number}{turn}")}
                record_segment(
                    session,
                    rendition.id,
                    **turn_facts,
                    state="failed" if number == 5 and turn == 3 else "rendered",
                    error="out of memory" if number == 5 and turn == 3 else None,
                    cached=turn % 2 == 1,
                    seconds_of_work=0.0 if turn % 2 else 1.5 + number,
                )
            how: dict[str, Any] = {"state": "incomplete", "error": "turn 4"}
            if number != 5:
                how = {"state": "done", "video_path": f"{number}.mp4", "duration_s": 10.0 + number}
            finish_rendition(session, rendition.id, **how)
        outcome = (
            Outcome("incomplete", "rendering", "turn 4") if number == 5 else Outcome("done", seconds_of_video=10.0)
        )
        assert finish(session, mine, outcome)
    session.commit()
    return session


def test_progress_counts_every_row_once_and_sums_their_cost(busy: Session) -> None:
    (found,) = read_view(busy, "campaign_progress")
    rows = busy.scalars(select(CampaignRow)).all()
    for state in ("queued", "running", "done", "incomplete", "failed", "cancelled"):
        assert found[state] == sum(row.state == state for row in rows), state
    assert found["productions"] == len(rows) == 15 and found["owner"] == "Jo" and found["paused"] == "no"
    work = sum(one.seconds_of_work for one in busy.scalars(select(Segment)))
    assert found["gpu_minutes"] == pytest.approx(work / 60) and work > 0
    assert found["gpu_minutes_to_go"] == pytest.approx(3 * 30 / 60)
    assert found["minutes_of_video"] == pytest.approx(11 * 10 / 60)
    assert found["next_deadline"] == "2031-05-01T12:00:00+00:00"


def test_cost_and_cache_hits_are_those_of_the_segments(busy: Session) -> None:
    renditions = busy.scalars(select(Rendition)).all()
    costs = {(one["kind"], one["language"]): one for one in read_view(busy, "cost_per_minute")}
    kinds = {one.id: one.source_kind for one in busy.scalars(select(Production))}
    for (kind, language), found in costs.items():
        done = [
            one
            for one in renditions
            if one.state == "done" and one.language == language and kinds[one.production_id] == kind
        ]
        assert found["videos"] == len(done)
        length = sum(one.duration_s or 0.0 for one in done)
        work = sum(segment.seconds_of_work for one in done for segment in one.segments)
        assert found["minutes_of_video"] == pytest.approx(length / 60)
        assert found["gpu_minutes_per_minute"] == pytest.approx(work / length)
    assert sum(one["videos"] for one in costs.values()) == sum(one.state == "done" for one in renditions)
    for found in read_view(busy, "cache_hits"):
        turns = [
            segment
            for one in renditions
            if one.language == found["language"]
            for segment in one.segments
            if segment.state == "rendered"
        ]
        assert (found["turns"], found["cached"]) == (len(turns), sum(one.cached for one in turns))
        assert found["hit_rate"] == pytest.approx(found["cached"] / found["turns"])


def test_failures_are_counted_once_by_cause(busy: Session) -> None:
    rendition = start_rendition(busy, produce(busy, "alone").id, "en")
    finish_rendition(busy, rendition.id, state="failed", error="no room")
    found = [(one["campaign"], one["cause"], one["state"], one["productions"]) for one in read_view(busy, "failures")]
    assert found == [("", "rendition", "failed", 1), ("spring", "rendering", "incomplete", 1)]


def test_portraits_are_counted_by_productions_and_finished_videos(busy: Session) -> None:
    castings = busy.scalars(select(Casting)).all()
    done = {one.id: one.production_id for one in busy.scalars(select(Rendition)) if one.state == "done"}
    found = {one["portrait"]: one for one in read_view(busy, "portrait_usage")}
    assert set(found) == {one.portrait.slug for one in castings}
    for slug, row in found.items():
        productions = {one.production_id for one in castings if one.portrait.slug == slug}
        assert row["productions"] == len(productions)
        assert row["videos"] == sum(one in productions for one in done.values())


def test_consents_that_end_soon_are_listed_the_first_to_end_first(session: Session) -> None:
    at = datetime.now(UTC)
    for name, days in (("soon", 10), ("over", -3), ("later", 400)):
        portrait = add_portrait(session, facts(name))
        begins, ends = at - timedelta(days=30), at + timedelta(days=days)
        add_consent(session, portrait, ConsentFacts(kind="person", subject=name, valid_from=begins, valid_until=ends))
    found = read_view(session, "expiring_consents")
    assert [one["subject"] for one in found] == ["over", "soon"]
    assert [one["days_left"] for one in found] == pytest.approx([-3, 10], abs=0.01)
    assert found[1]["valid_until"] == (at + timedelta(days=10)).isoformat()


def test_every_view_can_be_read_when_nothing_is_there(session: Session) -> None:
    assert all(read_view(session, name) == [] for name in VIEWS)
