"""The queue of campaigns: rows are added whole or not at all, claimed by one runner at a time, and never lost.

A runner holds a row by a lease that it renews. When it dies, the lease ends and the row returns to the queue; a runner
that comes back late cannot record anything for it any more. Every change of state is written down in the same transaction,
together with the webhook that tells about it.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, func, or_, select, update
from sqlalchemy.orm import Session

from catalog.campaign_tables import ROW_STATES, SETTLED, Campaign, CampaignRow, CampaignTransition, WebhookDelivery
from catalog.session import clock, insert_into
from catalog.tables import Rendition, Segment, now
from media.errors import InputError

MOST_LOST = 3
"""A row that so many runners in a row died with is failed, so that it does not end the next one, too."""
RETRIED = ("incomplete", "failed")
CAUSES = ("input", "rights", "engine", "translation", "rendering", "runner lost", "unexpected")


@dataclass(frozen=True, slots=True)
class NewRow:
    """A production to be queued; the fields are those of `CampaignRow`."""

    request_id: str
    number: int
    digest: str
    request: dict[str, Any]
    out: str
    script: str | None = None
    priority: int = 0
    deadline: datetime | None = None
    estimated_work_s: float = 0.0
    estimated_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Claim:
    """A row that a runner works on now. `runner` and `attempt` together prove it."""

    row_id: int
    runner: str
    attempt: int
    campaign: str
    request_id: str
    request: dict[str, Any]
    script: str | None
    out: str
    approval: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How work on a row ended."""

    state: str
    """done, awaiting approval, incomplete or failed."""
    cause: str | None = None
    error: str | None = None
    seconds_of_video: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a campaign stands, and what keeps its queued rows from being begun."""

    campaign: str
    states: dict[str, int]
    """How many rows are in each state."""
    overdue: int
    """Queued rows whose deadline is over."""
    paused: bool
    over_budget: bool
    """No queued row fits into what is left of the budget."""
    budget_gpu_minutes: float | None

    @property
    def may_begin(self) -> bool:
        """Whether a runner would find a row here."""
        return self.states["queued"] > 0 and not self.paused and not self.over_budget


def open_campaign(
    session: Session,
    name: str,
    *,
    owner: str = "",
    source_name: str = "",
    budget_gpu_minutes: float | None = None,
    approval: bool = False,
    webhook_url: str | None = None,
) -> Campaign:
    """The campaign of this name: made when it is new. One that is there keeps its owner, budget, gate and webhook.

    Raises:
        InputError: the name or the budget cannot be used.
    """
    if not 1 <= len(name) <= 100 or any(not char.isprintable() for char in name):
        raise InputError(f"--name '{name[:100]}': a campaign's name has 1 to 100 printable characters.")
    _check_budget(budget_gpu_minutes)
    statement = insert_into(session, Campaign).values(
        name=name,
        owner=owner,
        source_name=source_name,
        budget_gpu_minutes=budget_gpu_minutes,
        approval=approval,
        webhook_url=webhook_url,
        created_at=now(),
    )
    session.execute(statement.on_conflict_do_nothing(index_elements=["name"]))
    return find_campaign(session, name, lock=True)


def _check_budget(gpu_minutes: float | None) -> None:
    if gpu_minutes is not None and not 0 < gpu_minutes < float("inf"):
        raise InputError(f"--budget {gpu_minutes}: it must be a number of minutes above zero.")


def change_budget(campaign: Campaign, gpu_minutes: float | None) -> None:
    """Give a campaign another budget; None: none at all.

    Raises:
        InputError: it cannot be one.
    """
    _check_budget(gpu_minutes)
    campaign.budget_gpu_minutes = gpu_minutes


def find_campaign(session: Session, name: str, *, lock: bool = False) -> Campaign:
    """
    Raises:
        InputError: there is none of this name; the message names those that there are.
    """
    query = select(Campaign).where(Campaign.name == name)
    found = session.scalar(query.with_for_update(key_share=True) if lock else query)
    if found is None:
        names = session.scalars(select(Campaign.name).order_by(Campaign.created_at.desc()).limit(8)).all()
        there = f"there are {', '.join(names)}" if names else "nothing is queued yet"
        raise InputError(f"there is no campaign '{name}'; {there}.")
    return found


def kept_settings(
    session: Session, name: str, budget_gpu_minutes: float | None, approval: bool, webhook_url: str | None
) -> list[str]:
    """In which ways a campaign that is there already differs from what is asked for, for people."""
    campaign = session.scalar(select(Campaign).where(Campaign.name == name))
    if campaign is None:
        return []
    found = []
    if budget_gpu_minutes not in (None, campaign.budget_gpu_minutes):
        has = "no budget" if campaign.budget_gpu_minutes is None else f"a budget of {campaign.budget_gpu_minutes:g}"
        found.append(f"{has} GPU-minutes" if campaign.budget_gpu_minutes else has)
    if approval and not campaign.approval:
        found.append("no approval before publishing")
    if webhook_url not in (None, campaign.webhook_url):
        found.append(f"the webhook {campaign.webhook_url}" if campaign.webhook_url else "no webhook")
    return found


def queued_before(session: Session, name: str) -> dict[str, str]:
    """Digests by request id of what a campaign holds already; nothing when there is no such campaign."""
    query = select(CampaignRow.request_id, CampaignRow.digest).join(Campaign).where(Campaign.name == name)
    return dict(session.execute(query).tuples().all())


def requests_before(session: Session, name: str) -> list[dict[str, Any]]:
    """What the rows of a campaign ask for, the first queued last."""
    query = select(CampaignRow.request).join(Campaign).where(Campaign.name == name).order_by(CampaignRow.id.desc())
    return list(session.scalars(query))


def queue(session: Session, campaign: Campaign, rows: Sequence[NewRow]) -> int:
    """Add rows to a campaign, all in this transaction; those that are in it already are left alone. Returns how many are new.

    Raises:
        InputError: a request id was queued before and asked for something else. Roll back, then.
    """
    there = queued_before(session, campaign.name)
    changed = [one.request_id for one in rows if there.get(one.request_id, one.digest) != one.digest]
    if changed:
        raise InputError(
            f"campaign '{campaign.name}': request_id {', '.join(changed[:5])} was queued before and asked for something "
            "else; give what is new another request_id."
        )
    at = clock(session)
    new = [
        CampaignRow(
            campaign_id=campaign.id,
            request_id=one.request_id,
            number=one.number,
            digest=one.digest,
            request=one.request,
            script=one.script,
            out=one.out,
            priority=one.priority,
            deadline=one.deadline,
            estimated_work_s=one.estimated_work_s,
            estimated_s=one.estimated_s,
            state="queued",
            state_since=at,
        )
        for one in rows
        if one.request_id not in there
    ]
    session.add_all(new)
    session.flush()
    for row in new:
        _note(session, campaign, row, None, "queued", at, None, "queued")
    return len(new)


def claim(session: Session, runner: str, lease_seconds: float, campaigns: Sequence[str] = ()) -> Claim | None:
    """The most urgent row that may be begun, for this runner alone; None when there is none now.

    Higher priority goes first, then the earlier deadline, then the one that was queued first. Rows of paused campaigns
    wait, and rows that would go beyond their campaign's budget. Rows whose runner died return first. Commit at once.
    """
    at = clock(session)
    return_lost(session, at)
    open_ = _open_campaigns(session, campaigns)
    if not open_:
        return None
    free = [one.id for one in open_ if one.budget_gpu_minutes is None]
    within = [
        and_(CampaignRow.campaign_id == one.id, CampaignRow.estimated_work_s <= _allowance(session, one))
        for one in open_
        if one.budget_gpu_minutes is not None
    ]
    query = (
        select(CampaignRow)
        .where(CampaignRow.state == "queued", or_(CampaignRow.campaign_id.in_(free), *within))
        .order_by(CampaignRow.priority.desc(), CampaignRow.deadline.asc().nulls_last(), CampaignRow.id)
        .limit(1)
        # SQLite's dialect leaves this out: there, the transaction holds the only write lock from its beginning.
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    row = session.scalar(query)
    if row is None:
        return None
    campaign = next(one for one in open_ if one.id == row.campaign_id)
    if campaign.budget_gpu_minutes is not None:
        # Two runners may each have seen room for one more: whoever comes second looks again.
        session.execute(select(Campaign.id).where(Campaign.id == campaign.id).with_for_update(key_share=True))
        if row.estimated_work_s > _allowance(session, campaign):
            return None
    row.attempts += 1
    row.runner, row.lease_until = runner, at + timedelta(seconds=lease_seconds)
    _move(session, campaign, row, "running", at, runner, f"attempt {row.attempts}")
    return Claim(
        row_id=row.id,
        runner=runner,
        attempt=row.attempts,
        campaign=campaign.name,
        request_id=row.request_id,
        request=row.request,
        script=row.script,
        out=row.out,
        approval=campaign.approval,
    )


def renew(session: Session, mine: Claim, lease_seconds: float) -> bool:
    """Keep a row for longer. False: it is not this runner's any more (cancelled, or it was taken for dead)."""
    until = clock(session) + timedelta(seconds=lease_seconds)
    changed = session.execute(update(CampaignRow).where(_held(mine)).values(lease_until=until))
    return bool(changed.rowcount)  # type: ignore[attr-defined]


def note_production(session: Session, mine: Claim, production_id: str) -> None:
    """Note which production a row is, as soon as that is known."""
    session.execute(update(CampaignRow).where(_held(mine)).values(production_id=production_id))


def note_published(session: Session, production_id: str, before: str, after: str) -> None:
    """Note that a production's videos were moved from one folder to another."""
    for one in session.scalars(select(Rendition).where(Rendition.production_id == production_id)):
        if one.video_path is not None and one.video_path.startswith(before.rstrip("/") + "/"):
            one.video_path = after.rstrip("/") + one.video_path.removeprefix(before.rstrip("/"))


def finish(session: Session, mine: Claim, outcome: Outcome) -> bool:
    """Record how work on a row ended. False, and nothing is recorded: it is not this runner's any more."""
    row = session.scalar(select(CampaignRow).where(_held(mine)).with_for_update())
    if row is None:
        return False
    if outcome.state in RETRIED and (outcome.cause not in CAUSES or not outcome.error):
        raise ValueError(f"a row that is {outcome.state} needs a cause and an error")
    row.lost = 0
    if outcome.seconds_of_video is not None:
        row.seconds_of_video = outcome.seconds_of_video
    _settle_work(session, row)
    at = clock(session)
    _move(session, row.campaign, row, outcome.state, at, mine.runner, outcome.error, cause=outcome.cause)
    return True


def holds(session: Session, mine: Claim) -> bool:
    """Whether a row is still this runner's; only asks."""
    return session.scalar(select(CampaignRow.id).where(_held(mine))) is not None


def release(session: Session, runner: str, reason: str) -> int:
    """Put what a runner holds back into the queue at once, as if it had not been begun: it is stopped. Returns how many rows."""
    query = select(CampaignRow).where(CampaignRow.state == "running", CampaignRow.runner == runner).with_for_update()
    rows = session.scalars(query.execution_options(populate_existing=True)).all()
    for row in rows:
        _settle_work(session, row)
        row.attempts -= 1
        _move(session, row.campaign, row, "queued", clock(session), runner, reason)
    return len(rows)


def return_lost(session: Session, at: datetime) -> int:
    """Rows whose lease has ended go back to the queue; those that took too many runners with them are failed."""
    query = (
        select(CampaignRow)
        .where(CampaignRow.state == "running", CampaignRow.lease_until < at)
        .order_by(CampaignRow.id)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    rows = session.scalars(query).all()
    for row in rows:
        runner = row.runner
        row.lost += 1
        _settle_work(session, row)
        if row.lost < MOST_LOST:
            _move(session, row.campaign, row, "queued", at, runner, f"{runner} was not heard from any more")
            continue
        error = f"{row.lost} runners in a row were lost while they worked on it; see what they ran out of."
        _move(session, row.campaign, row, "failed", at, runner, error, cause="runner lost")
    return len(rows)


def retry(session: Session, campaign: Campaign, states: Sequence[str] = RETRIED) -> int:
    """Queue rows again that are in one of these states; what was rendered is not rendered again. Returns how many."""
    rows = _rows(session, campaign, states)
    for row in rows:
        row.lost = 0
        _move(session, campaign, row, "queued", clock(session), None, "retried")
    return len(rows)


def cancel(session: Session, campaign: Campaign, request_ids: Sequence[str] = ()) -> int:
    """Cancel rows that are queued, running or awaiting approval: all, or those named. Returns how many.

    A runner that works on one notices within seconds, begins no more clips of it, and publishes nothing.
    """
    rows = _rows(session, campaign, ("queued", "running", "awaiting approval"), request_ids)
    for row in rows:
        _settle_work(session, row)
        _move(session, campaign, row, "cancelled", clock(session), None, "cancelled")
    return len(rows)


def pause(session: Session, campaign: Campaign, *, paused: bool = True) -> None:
    """Begin no more rows of a campaign, or begin them again. What is running goes on."""
    campaign.paused_at = (campaign.paused_at or now()) if paused else None


def awaiting(session: Session, campaign: Campaign, request_ids: Sequence[str] = ()) -> list[CampaignRow]:
    """Rows that wait for approval, locked until the transaction ends: all, or those named.

    Raises:
        InputError: one that is named does not.
    """
    return _rows(session, campaign, ("awaiting approval",), request_ids)


def approve(session: Session, row: CampaignRow, by: str) -> None:
    """Note that a row of `awaiting` was let go and is published."""
    _move(session, row.campaign, row, "done", clock(session), None, f"approved by {by}" if by else "approved")


def refuse(session: Session, row: CampaignRow, cause: str, error: str) -> None:
    """Note that a row of `awaiting` could not be published."""
    _move(session, row.campaign, row, "failed", clock(session), None, error, cause=cause)


def counts(session: Session, campaigns: Sequence[str] = ()) -> dict[str, int]:
    """How many rows are in each state, in the campaigns named or in all."""
    query = select(CampaignRow.state, func.count()).join(Campaign).group_by(CampaignRow.state)
    if campaigns:
        query = query.where(Campaign.name.in_(campaigns))
    found = dict(session.execute(query).tuples().all())
    return {state: found.get(state, 0) for state in ROW_STATES}


def over_budget(session: Session, campaigns: Sequence[str] = ()) -> list[str]:
    """Names of campaigns with queued rows of which none fits into what is left of the budget."""
    found = []
    for one in _open_campaigns(session, campaigns):
        smallest = session.scalar(
            select(func.min(CampaignRow.estimated_work_s)).where(
                CampaignRow.campaign_id == one.id, CampaignRow.state == "queued"
            )
        )
        if one.budget_gpu_minutes is not None and smallest is not None and smallest > _allowance(session, one):
            found.append(one.name)
    return found


def standings(session: Session, campaigns: Sequence[str] = ()) -> list[Standing]:
    """How the campaigns named stand, or all, by name.

    Raises:
        InputError: there is none of one of these names.
    """
    found = [find_campaign(session, name) for name in campaigns] or list(session.scalars(select(Campaign)))
    overdue = case((and_(CampaignRow.state == "queued", CampaignRow.deadline < clock(session)), 1), else_=0)
    query = select(CampaignRow.campaign_id, CampaignRow.state, func.count(), func.sum(overdue))
    rows = session.execute(query.group_by(CampaignRow.campaign_id, CampaignRow.state)).tuples().all()
    over = over_budget(session, campaigns)
    return [
        Standing(
            campaign=one.name,
            states=dict.fromkeys(ROW_STATES, 0) | {state: count for id_, state, count, _ in rows if id_ == one.id},
            overdue=sum(int(late) for id_, _, _, late in rows if id_ == one.id),
            paused=one.paused_at is not None,
            over_budget=one.name in over,
            budget_gpu_minutes=one.budget_gpu_minutes,
        )
        for one in sorted(found, key=lambda one: one.name)
    ]


def rows_of(session: Session, campaign: Campaign, states: Iterable[str] = ROW_STATES) -> list[CampaignRow]:
    """Rows in the order of the file."""
    query = select(CampaignRow).where(CampaignRow.campaign_id == campaign.id, CampaignRow.state.in_(tuple(states)))
    return list(session.scalars(query.order_by(CampaignRow.number, CampaignRow.id)))


def _rows(
    session: Session, campaign: Campaign, states: Sequence[str], request_ids: Sequence[str] = ()
) -> list[CampaignRow]:
    query = select(CampaignRow).where(CampaignRow.campaign_id == campaign.id, CampaignRow.state.in_(states))
    if request_ids:
        query = query.where(CampaignRow.request_id.in_(request_ids))
    query = query.order_by(CampaignRow.id).with_for_update().execution_options(populate_existing=True)
    rows = list(session.scalars(query))
    missing = set(request_ids) - {row.request_id for row in rows}
    if missing:
        raise InputError(
            f"campaign '{campaign.name}': {', '.join(sorted(missing))} is not {' or '.join(states)}; "
            f"see `portrayal campaign status {campaign.name}`."
        )
    return rows


def _open_campaigns(session: Session, names: Sequence[str]) -> list[Campaign]:
    query = select(Campaign).where(Campaign.paused_at.is_(None)).order_by(Campaign.id)
    if names:
        query = query.where(Campaign.name.in_(names))
    return list(session.scalars(query.execution_options(populate_existing=True)))


def _allowance(session: Session, campaign: Campaign) -> float:
    """Seconds of work that a campaign may still begin: its budget without what was spent and what is being spent."""
    running = case((CampaignRow.state == "running", CampaignRow.estimated_work_s), else_=0.0)
    committed = session.scalar(
        select(func.coalesce(func.sum(CampaignRow.seconds_of_work + running), 0.0)).where(
            CampaignRow.campaign_id == campaign.id
        )
    )
    return float(campaign.budget_gpu_minutes or 0.0) * 60 - float(committed or 0.0)


def _held(mine: Claim) -> Any:
    return and_(
        CampaignRow.id == mine.row_id,
        CampaignRow.state == "running",
        CampaignRow.runner == mine.runner,
        CampaignRow.attempts == mine.attempt,
    )


def _settle_work(session: Session, row: CampaignRow) -> None:
    """What the row's production has cost so far, whoever rendered it; clips of runners that died are counted, too."""
    if row.production_id is None:
        return
    spent = session.scalar(
        select(func.coalesce(func.sum(Segment.seconds_of_work), 0.0))
        .join(Rendition, Rendition.id == Segment.rendition_id)
        .where(Rendition.production_id == row.production_id)
    )
    elsewhere = session.scalar(
        select(func.coalesce(func.sum(CampaignRow.seconds_of_work), 0.0)).where(
            CampaignRow.production_id == row.production_id, CampaignRow.id != row.id
        )
    )
    row.seconds_of_work = max(float(spent or 0.0) - float(elsewhere or 0.0), row.seconds_of_work)


def _move(
    session: Session,
    campaign: Campaign,
    row: CampaignRow,
    state: str,
    at: datetime,
    runner: str | None,
    reason: str | None,
    *,
    cause: str | None = None,
) -> None:
    """Change a row's state; with a cause, `reason` is the error."""
    before, row.state, row.state_since = row.state, state, at
    row.cause, row.error = cause, reason if cause else None
    if state != "running":
        row.runner = row.lease_until = None
    session.flush()
    _note(session, campaign, row, before, state, at, runner, reason)


def _note(
    session: Session,
    campaign: Campaign,
    row: CampaignRow,
    before: str | None,
    state: str,
    at: datetime,
    runner: str | None,
    reason: str | None,
) -> None:
    session.add(
        CampaignTransition(row_id=row.id, from_state=before, to_state=state, at=at, runner=runner, reason=reason)
    )
    if campaign.webhook_url is None:
        return
    data = {
        "campaign": campaign.name,
        "request_id": row.request_id,
        "from": before,
        "to": state,
        "reason": reason,
        "production": row.production_id,
        "out": row.out if state == "done" else None,
    }
    _owe(session, campaign, "production.state", at, data)
    if state in SETTLED:
        _note_finished(session, campaign, at)


def _note_finished(session: Session, campaign: Campaign, at: datetime) -> None:
    """Tell that a campaign is finished when none of its rows is on its way any more."""
    # Of two runners that end the last two rows at once, the second one waits here and sees what the first one did.
    session.execute(select(Campaign.id).where(Campaign.id == campaign.id).with_for_update(key_share=True))
    states = counts(session, [campaign.name])
    if any(count for state, count in states.items() if state not in SETTLED):
        return
    worked, shown = session.execute(
        select(
            func.sum(CampaignRow.seconds_of_work),
            func.sum(case((CampaignRow.state == "done", CampaignRow.seconds_of_video), else_=0.0)),
        ).where(CampaignRow.campaign_id == campaign.id)
    ).one()
    data = {
        "campaign": campaign.name,
        "productions": {state: count for state, count in states.items() if state in SETTLED},
        "gpu_minutes": round(float(worked or 0.0) / 60, 3),
        "minutes_of_video": round(float(shown or 0.0) / 60, 3),
    }
    _owe(session, campaign, "campaign.finished", at, data)


def _owe(session: Session, campaign: Campaign, type_: str, at: datetime, data: dict[str, Any]) -> None:
    """Write down a message for the campaign's webhook."""
    id_ = f"msg_{uuid.uuid4().hex}"
    session.add(
        WebhookDelivery(
            id=id_,
            campaign_id=campaign.id,
            url=campaign.webhook_url,
            payload={"id": id_, "type": type_, "timestamp": at.isoformat(), "data": data},
            created_at=at,
            next_attempt_at=at,
        )
    )
