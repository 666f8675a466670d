"""The tables of campaigns: what is queued, who works on it, how its state changed, and which webhooks are owed."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalog.tables import Base, _in, now

ROW_STATES = ("queued", "running", "awaiting approval", "done", "incomplete", "failed", "cancelled")
SETTLED = ("done", "incomplete", "failed", "cancelled")
"""States in which a row stays until somebody does something about it."""


class Campaign(Base):
    """A batch of productions, and what holds for all of them."""

    __tablename__ = "campaigns"
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name"),
        CheckConstraint("budget_gpu_minutes IS NULL OR budget_gpu_minutes > 0", name="budget"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    owner: Mapped[str]
    source_name: Mapped[str]
    """The file that it was queued from first."""
    budget_gpu_minutes: Mapped[float | None]
    """No row is begun that would, by its estimate, go beyond this many minutes of renderers' work."""
    approval: Mapped[bool]
    """Whether finished videos wait for approval before they are published."""
    webhook_url: Mapped[str | None]
    paused_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class CampaignRow(Base):
    """One production of a campaign. Only a running row has a runner and a lease."""

    __tablename__ = "campaign_rows"
    __table_args__ = (
        UniqueConstraint("campaign_id", "request_id"),
        CheckConstraint(_in("state", ROW_STATES), name="state"),
        CheckConstraint(
            "(state = 'running') = (runner IS NOT NULL) AND (state = 'running') = (lease_until IS NOT NULL)",
            name="lease",
        ),
        CheckConstraint("(state IN ('incomplete', 'failed')) = (error IS NOT NULL)", name="error"),
        CheckConstraint("(error IS NULL) = (cause IS NULL)", name="cause"),
        CheckConstraint("length(digest) = 64 AND attempts >= 0", name="digest_and_attempts"),
        CheckConstraint("estimated_work_s >= 0 AND estimated_s >= 0 AND seconds_of_work >= 0", name="seconds"),
        Index(None, "state", "campaign_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"))
    request_id: Mapped[str]
    """Unique in the campaign; queueing the same one again does nothing."""
    number: Mapped[int]
    """Row of the file."""
    digest: Mapped[str]
    """SHA-256 of everything that is asked for, 64 hex digits."""
    request: Mapped[dict[str, Any]]
    """The production request, without its result folder; and `reasons`, why a speaker's portrait was chosen for all rows."""
    script: Mapped[str | None]
    """The script with its blanks filled in (YAML), where the source is a template."""
    out: Mapped[str]
    """Folder that the finished files are published in."""
    priority: Mapped[int]
    """Higher goes first."""
    deadline: Mapped[datetime | None]
    """Of two rows with the same priority, the one that is due earlier goes first."""
    estimated_work_s: Mapped[float]
    """Seconds of renderers' work, as estimated when it was queued."""
    estimated_s: Mapped[float]
    """Seconds from beginning to end, as estimated when it was queued."""
    state: Mapped[str] = mapped_column(default="queued")
    state_since: Mapped[datetime] = mapped_column(default=now)
    attempts: Mapped[int] = mapped_column(default=0)
    """How often it was begun; with `runner`, it says whose work may still be recorded."""
    lost: Mapped[int] = mapped_column(default=0)
    """How many runners in a row died of it, or with it."""
    runner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    production_id: Mapped[str | None] = mapped_column(ForeignKey("productions.id", ondelete="SET NULL"), index=True)
    seconds_of_work: Mapped[float] = mapped_column(default=0.0)
    """CPU- or GPU-seconds that renderers spent on it, all attempts together."""
    seconds_of_video: Mapped[float | None]
    """Length of the finished videos together."""
    cause: Mapped[str | None]
    """Kind of failure: input, rights, engine, translation, rendering, runner lost, unexpected."""
    error: Mapped[str | None]

    campaign: Mapped[Campaign] = relationship()


class CampaignTransition(Base):
    """One change of a row's state. Rows are only ever added."""

    __tablename__ = "campaign_transitions"
    __table_args__ = (
        CheckConstraint(f"from_state IS NULL OR {_in('from_state', ROW_STATES)}", name="from_state"),
        CheckConstraint(_in("to_state", ROW_STATES), name="to_state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    row_id: Mapped[int] = mapped_column(ForeignKey("campaign_rows.id", ondelete="CASCADE"), index=True)
    from_state: Mapped[str | None]
    """None when it is queued for the first time."""
    to_state: Mapped[str]
    at: Mapped[datetime]
    runner: Mapped[str | None]
    reason: Mapped[str | None]


class WebhookDelivery(Base):
    """A message that is owed to whoever asked for it, written in the transaction of the change that it tells about."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("id <> '' AND url <> ''", name="id_and_url"),
        CheckConstraint("attempts >= 0", name="attempts"),
        CheckConstraint("delivered_at IS NULL OR next_attempt_at IS NULL", name="delivered"),
        Index(None, "next_attempt_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    """The same in every attempt, so that the receiver can tell a repetition."""
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"), index=True)
    url: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime | None]
    """None when it is delivered, or was tried so often that it was given up."""
    delivered_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
