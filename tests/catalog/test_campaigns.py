"""The queue of campaigns, on SQLite and on PostgreSQL: nothing is lost, nothing done twice, every change written down."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from campaign_work import new_rows, queue_and_drain
from sample_catalog import at_once, furnish, key_of, url_of
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from catalog import campaigns, webhooks
from catalog.campaign_tables import Campaign, CampaignRow, CampaignTransition, WebhookDelivery
from catalog.campaigns import Claim, NewRow, Outcome, claim, finish, open_campaign, queue, renew
from catalog.productions import finish_rendition, record_segment, start_rendition
from catalog.session import session_factory
from catalog.tables import now
from catalog.workload import backlog
from media.errors import InputError, RenderError
from tasks.campaign_runner import Held, drain
from tasks.interruption import go_on, interrupted_by


def queued(session: Session, *rows: NewRow, name: str = "spring", **options: Any) -> Campaign:
    campaign = open_campaign(session, name, **options)
    queue(session, campaign, rows or new_rows(3))
    session.commit()
    return campaign


def take(session: Session, runner: str = "me", seconds: float = 60, *names: str) -> Claim:
    found = claim(session, runner, seconds, names)
    session.commit()
    assert found is not None
    return found


def history(session: Session, request_id: str) -> list[tuple[str | None, str]]:
    query = select(CampaignTransition.from_state, CampaignTransition.to_state).join(
        CampaignRow, CampaignRow.id == CampaignTransition.row_id
    )
    query = query.where(CampaignRow.request_id == request_id).order_by(CampaignTransition.id)
    return [(before, after) for before, after in session.execute(query)]


def expire(session: Session) -> None:
    for row in session.scalars(select(CampaignRow).where(CampaignRow.state == "running")):
        row.lease_until = now() - timedelta(seconds=1)
    session.commit()


def test_queueing_the_same_again_does_nothing(session: Session) -> None:
    campaign = queued(session)
    assert queue(session, campaign, [*new_rows(3), NewRow("new", 4, key_of("new"), {}, "out")]) == 1
    with pytest.raises(InputError, match="r1 was queued before and asked for something else"):
        queue(
            session, campaign, [NewRow("more", 5, key_of("more"), {}, "out"), NewRow("r1", 1, key_of("x"), {}, "out")]
        )
    session.rollback()
    assert session.scalar(select(func.count()).select_from(CampaignRow)) == 3


def test_priority_then_deadline_then_order_decide(session: Session) -> None:
    soon, later = datetime(2030, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
    wishes = {"a": (0, None), "b": (0, later), "c": (0, soon), "d": (5, None), "e": (-5, soon), "f": (0, None)}
    queued(
        session,
        *(NewRow(k, n, key_of(k), {}, "out", priority=p, deadline=d) for n, (k, (p, d)) in enumerate(wishes.items())),
    )
    assert [take(session).request_id for _ in wishes] == list("dcbafe")
    assert claim(session, "me", 60) is None


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_machine_whose_clock_is_wrong_neither_takes_over_nor_keeps_what_it_should_not(
    session: Session, kind: str, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "sqlite":
        pytest.skip("it is of one machine, and has no clock of its own")
    queued(session, *new_rows(1), webhook_url="https://example.com/hook")
    mine = take(session, "me")
    sent = []
    while due := webhooks.take(session):
        sent.append(due)
    session.commit()

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(hours=hours)

    monkeypatch.setattr("catalog.tables.datetime", Wrong)
    assert abs(now() - datetime.now(UTC)) > timedelta(hours=1)
    assert sent and webhooks.take(session) is None, "they are being sent"
    assert claim(session, "other", 60) is None and backlog(session).expired_leases == 0
    assert renew(session, mine, -1.0), "what this machine notes, others understand"
    session.commit()
    assert backlog(session).expired_leases == 1 and take(session, "other").request_id == mine.request_id


def test_a_runner_that_dies_gives_its_row_back_and_cannot_record_anything_later(session: Session) -> None:
    queued(session, *new_rows(1))
    dead = take(session, "dead")
    assert claim(session, "other", 60) is None and renew(session, dead, 60)
    session.commit()
    expire(session)
    alive = take(session, "alive")
    assert (alive.row_id, alive.attempt) == (dead.row_id, 2)
    assert not renew(session, dead, 60) and not finish(session, dead, Outcome("done"))
    assert finish(session, alive, Outcome("done", seconds_of_video=2.0))
    assert history(session, "r0") == [
        (None, "queued"),
        ("queued", "running"),
        ("running", "queued"),
        ("queued", "running"),
        ("running", "done"),
    ]


def test_a_row_that_ends_every_runner_is_failed_and_can_be_retried(session: Session) -> None:
    campaign = queued(session, *new_rows(1))
    for number in range(campaigns.MOST_LOST):
        take(session, f"runner {number}")
        expire(session)
    assert claim(session, "next", 60) is None
    (row,) = campaigns.rows_of(session, campaign)
    assert (row.state, row.cause) == ("failed", "runner lost")
    assert campaigns.retry(session, campaign) == 1 and row.error is None
    assert take(session).attempt == campaigns.MOST_LOST + 1


def test_paused_campaigns_wait_and_others_go_on(session: Session) -> None:
    campaign = queued(session)
    queued(session, name="autumn")
    campaigns.pause(session, campaign)
    assert take(session).campaign == "autumn" and claim(session, "me", 60, ["spring"]) is None
    campaigns.pause(session, campaign, paused=False)
    assert take(session, "me", 60, "spring").campaign == "spring"


def test_no_row_is_begun_beyond_the_budget(session: Session) -> None:
    queued(session, *new_rows(4, estimated_work_s=60.0), budget_gpu_minutes=2.5)
    first, second = take(session), take(session)
    assert claim(session, "me", 60) is None
    assert campaigns.over_budget(session) == ["spring"]
    # One was cheaper than estimated, so that there is room for another one.
    assert finish(session, first, Outcome("done")) and take(session).request_id == "r2"
    assert finish(session, second, Outcome("failed", "input", "broken"))


def test_many_runners_at_once_begin_exactly_what_the_budget_holds(engine: Engine, session: Session) -> None:
    queued(session, *new_rows(12, estimated_work_s=60.0), budget_gpu_minutes=5.5)
    together = threading.Barrier(8)

    def runner(number: int) -> list[str]:
        found = []
        for _ in range(4):
            together.wait()
            with session_factory(engine).begin() as own:
                if mine := claim(own, f"runner {number}", 60):
                    found.append(mine.request_id)
        return found

    with ThreadPoolExecutor(8) as runners:
        begun = [one for found in runners.map(runner, range(8)) for one in found]
    assert len(begun) == len(set(begun)) == 5 and campaigns.over_budget(session) == ["spring"]


def test_a_campaign_is_finished_once_however_many_runners_end_its_last_rows(engine: Engine, session: Session) -> None:
    queued(session, *new_rows(8), webhook_url="https://example.org/hook")
    mine = [take(session, f"runner {number}") for number in range(8)]
    together = threading.Barrier(8)

    def end(one: Claim) -> bool:
        together.wait()
        with session_factory(engine).begin() as own:
            return finish(own, one, Outcome("done", seconds_of_video=30.0))

    with ThreadPoolExecutor(8) as runners:
        assert all(runners.map(end, mine))
    (told,) = (
        one.payload["data"]
        for one in session.scalars(select(WebhookDelivery))
        if one.payload["type"] == "campaign.finished"
    )
    assert told["minutes_of_video"] == 4.0 and told["productions"]["done"] == 8


def test_the_cost_of_a_row_is_that_of_its_clips_also_of_a_runner_that_died(session: Session) -> None:
    furnish(session)
    campaign = queued(session, *new_rows(1))
    for cost in (4.0, 6.0):
        mine = take(session)
        campaigns.note_production(session, mine, "talk")
        rendition = start_rendition(session, "talk", "en")
        record_segment(
            session,
            rendition.id,
            turn_index=int(cost),
            speaker="Ann",
            key=key_of(str(cost)),
            state="rendered",
            seconds_of_work=cost,
        )
        if cost == 4.0:
            expire(session)
    finish_rendition(session, rendition.id, state="done", video_path="talk.mp4", duration_s=30.0)
    assert finish(session, mine, Outcome("done", seconds_of_video=30.0))
    (row,) = campaigns.rows_of(session, campaign)
    assert row.seconds_of_work == 10.0
    assert session.execute(text("SELECT gpu_minutes, minutes_of_video FROM campaign_progress")).one() == (10 / 60, 0.5)
    assert session.execute(text("SELECT gpu_minutes_per_minute FROM cost_per_minute")).scalar_one() == pytest.approx(
        1 / 3
    )


def test_cancelled_rows_are_not_worked_on_and_a_runner_notices(session: Session) -> None:
    campaign = queued(session)
    mine = take(session)
    assert campaigns.cancel(session, campaign, ["r1"]) == 1
    with pytest.raises(InputError, match="r1 is not queued or running"):
        campaigns.cancel(session, campaign, ["r1"])
    assert campaigns.cancel(session, campaign) == 2
    assert not renew(session, mine, 60) and not finish(session, mine, Outcome("done"))
    assert claim(session, "me", 60) is None


def test_a_row_that_waits_for_approval_is_done_when_it_is_let_go(session: Session) -> None:
    campaign = queued(session, approval=True)
    assert finish(session, take(session), Outcome("awaiting approval", seconds_of_video=3.0))
    (row,) = campaigns.awaiting(session, campaign)
    campaigns.approve(session, row, "Jo")
    assert history(session, "r0")[-1] == ("awaiting approval", "done")
    assert campaigns.awaiting(session, campaign) == []


def test_what_goes_wrong_in_one_row_does_not_end_the_runner(engine: Engine, session: Session) -> None:
    queued(session)
    faults: dict[str, Exception] = {"r0": RenderError("turn 3"), "r1": ZeroDivisionError("oh")}

    def work(held: Held) -> Outcome:
        if held.claim.request_id in faults:
            raise faults[held.claim.request_id]
        return Outcome("done")

    drained = drain(engine, work, poll_seconds=0.01)
    assert drained.by_state == {"incomplete": 1, "failed": 1, "done": 1}
    rows = session.execute(text("SELECT cause, state, productions FROM failures ORDER BY cause")).all()
    assert rows == [("rendering", "incomplete", 1), ("unexpected", "failed", 1)]


def test_a_runner_that_is_stopped_puts_its_row_back_at_once(engine: Engine, session: Session) -> None:
    campaign = queued(session, *new_rows(1))

    def work(held: Held) -> Outcome:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drain(engine, work)
    (row,) = campaigns.rows_of(session, campaign)
    assert (row.state, row.lost, row.runner, row.attempts) == ("queued", 0, None, 0)


def test_cancelling_a_running_row_ends_its_work_within_seconds(engine: Engine, session: Session) -> None:
    campaign = queued(session, *new_rows(1))
    clips = []

    def work(held: Held) -> Outcome:
        campaigns.cancel(session, campaign)
        session.commit()
        with interrupted_by(held.go_on):
            for number in range(500):
                clips.append(number)
                time.sleep(0.02)
                go_on()
        return Outcome("done")

    began = time.monotonic()
    drained = drain(engine, work)
    assert (drained.lost, drained.by_state) == (1, {}) and 0 < len(clips) < 500 and time.monotonic() - began < 8
    assert history(session, "r0")[-1] == ("running", "cancelled")


def test_the_database_itself_refuses_what_must_not_be(session: Session) -> None:
    queued(session)
    for wrong in ("state = 'lost'", "state = 'running'", "state = 'failed'", "runner = 'me'", "digest = 'short'"):
        with pytest.raises(Exception, match=r"(?i)check"):
            session.execute(text(f"UPDATE campaign_rows SET {wrong}"))
        session.rollback()


def test_sixteen_processes_queue_and_drain_the_same_and_nothing_is_doubled(engine: Engine, tmp_path: Path) -> None:
    answers = at_once(16, queue_and_drain, url_of(engine), str(tmp_path))
    done = Counter(line for file in tmp_path.iterdir() for line in file.read_text().split("\n") if line)
    assert len(done) == 20 + 16 and set(done.values()) == {1}
    assert sum(added for added, _ in answers) == 20 and sum(count for _, count in answers) == 36
    with session_factory(engine, read_only=True)() as session:
        assert campaigns.counts(session)["done"] == 36
        assert session.scalar(select(func.count()).select_from(CampaignTransition)) == 3 * 36


def test_every_change_owes_one_message_that_is_tried_until_it_is_delivered(session: Session) -> None:
    campaign = queued(session, *new_rows(1), webhook_url="https://example.org/hook")
    finish(session, take(session), Outcome("done"))
    of_rows, of_all = (
        [one for one in session.scalars(select(WebhookDelivery)) if one.payload["type"] == type_]
        for type_ in ("production.state", "campaign.finished")
    )
    owed = sorted(of_rows, key=lambda one: one.created_at)
    assert [one.payload["data"]["to"] for one in owed] == ["queued", "running", "done"]
    (finished,) = (one.payload["data"] for one in of_all)
    assert finished["campaign"] == "spring" and finished["productions"]["done"] == 1
    session.delete(of_all[0])
    session.commit()
    due = webhooks.take(session)
    assert due is not None and due.payload["id"] == due.id
    assert {one.id for _ in range(2) if (one := webhooks.take(session))} == {one.id for one in owed} - {due.id}
    assert webhooks.take(session) is None
    # Whoever took it died: it is due again.
    assert webhooks.take(session, now() + timedelta(seconds=webhooks.IN_WORK_SECONDS + 1)) is not None
    webhooks.settle(session, due.id, "it answered 503")
    row = session.get_one(WebhookDelivery, due.id)
    assert row.attempts == 1 and row.next_attempt_at is not None and row.next_attempt_at > now()
    for _ in webhooks.BACKOFF_SECONDS:
        webhooks.settle(session, due.id, "it answered 503")
    assert row.next_attempt_at is None and webhooks.outstanding(session, campaign)[1] == 1
    assert webhooks.send_again(session, campaign) == 3
    webhooks.settle(session, due.id, None)
    assert webhooks.outstanding(session, campaign)[:2] == (2, 0)
