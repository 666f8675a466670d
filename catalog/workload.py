"""How much work waits, how long ago any was finished, and what a finished minute has cost: for metrics and for sizing fleets."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.campaign_tables import CampaignRow
from catalog.campaigns import counts
from catalog.session import clock
from catalog.tables import Rendition, Segment


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits, and signs that nobody works on it."""

    rows: dict[str, int]
    """Rows of campaigns by state, 0 included."""
    expired_leases: int
    """Rows whose runner has given no sign of life for longer than its lease."""
    running: int
    """Renditions that are being worked on, as far as the catalog knows."""
    oldest_running_s: float
    """Seconds since work on the oldest of them began; 0 when there is none."""
    since_finished_s: float | None
    """Seconds since the last rendition was finished, or since work on the first began; None when none ever did."""


@dataclass(frozen=True, slots=True)
class MeasuredWork:
    """What finished videos have cost in rendering."""

    videos: int
    seconds_of_video: float
    seconds_of_work: float
    """CPU- or GPU-seconds of rendering, as `media.segment.Clip` counts them; clips that were there already cost nothing."""


def backlog(session: Session) -> Backlog:
    """What waits now."""
    at = clock(session)
    running, oldest = session.execute(
        select(func.count(), func.min(Rendition.started_at)).where(Rendition.state == "running")
    ).one()
    last = session.scalar(select(func.max(Rendition.finished_at)).where(Rendition.state == "done"))
    last = last or session.scalar(select(func.min(Rendition.started_at)))
    expired = session.scalar(
        select(func.count())
        .select_from(CampaignRow)
        .where(CampaignRow.state == "running", CampaignRow.lease_until < at)
    )
    return Backlog(
        rows=counts(session),
        expired_leases=expired or 0,
        running=running,
        oldest_running_s=0.0 if oldest is None else _since(oldest, at),
        since_finished_s=None if last is None else _since(last, at),
    )


def measured_work(session: Session, days: float) -> MeasuredWork:
    """What the videos that were finished in the last so many days have cost. Those that cost nothing at all are left out."""
    work = (
        select(Segment.rendition_id, func.sum(Segment.seconds_of_work).label("seconds"))
        .group_by(Segment.rendition_id)
        .subquery()
    )
    videos, of_video, of_work = session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(Rendition.duration_s), 0.0),
            func.coalesce(func.sum(work.c.seconds), 0.0),
        )
        .join(work, work.c.rendition_id == Rendition.id)
        .where(
            Rendition.state == "done",
            Rendition.duration_s.is_not(None),
            Rendition.finished_at >= clock(session) - timedelta(days=days),
            work.c.seconds > 0,
        )
    ).one()
    return MeasuredWork(videos, float(of_video), float(of_work))


def _since(moment: datetime, at: datetime) -> float:
    return max(0.0, (at - moment).total_seconds())
