"""Webhooks that are owed: taken one by one, tried until they are delivered, given up after days.

A delivery is postponed before it is tried, so that a runner that dies in between only delays it: at least once.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from catalog.campaign_tables import Campaign, WebhookDelivery
from catalog.session import clock

BACKOFF_SECONDS = (5.0, 30.0, 120.0, 600.0, 3600.0, 4 * 3600.0, 12 * 3600.0, 24 * 3600.0)
"""From each failed attempt to the next, up to a fifth longer; after the last one it is given up."""
IN_WORK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Due:
    """A message to be sent now."""

    id: str
    url: str
    payload: dict[str, Any]


def take(session: Session, at: datetime | None = None) -> Due | None:
    """The message that is due for the longest time, for this process alone; None when none is due. Commit at once."""
    at = at or clock(session)
    found = session.scalar(
        select(WebhookDelivery)
        .where(WebhookDelivery.next_attempt_at <= at)
        .order_by(WebhookDelivery.next_attempt_at, WebhookDelivery.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if found is None:
        return None
    found.next_attempt_at = at + timedelta(seconds=IN_WORK_SECONDS)
    return Due(found.id, found.url, found.payload)


def settle(session: Session, id_: str, error: str | None, at: datetime | None = None) -> None:
    """Note how sending went: delivered when there is no error; else it is due again later, or given up."""
    at = at or clock(session)
    found = session.get_one(WebhookDelivery, id_, with_for_update=True)
    if found.delivered_at is not None:
        return  # somebody else, who was taken for dead, delivered it after all
    found.attempts += 1
    found.last_error = error
    if error is None:
        found.delivered_at, found.next_attempt_at = at, None
    elif found.attempts > len(BACKOFF_SECONDS):
        found.next_attempt_at = None
    else:
        wait = BACKOFF_SECONDS[found.attempts - 1] * random.uniform(1.0, 1.2)
        found.next_attempt_at = at + timedelta(seconds=wait)


def outstanding(session: Session, campaign: Campaign) -> tuple[int, int, str | None]:
    """How many messages are still to be delivered, how many were given up, and the last thing that went wrong."""
    of_it = (WebhookDelivery.campaign_id == campaign.id, WebhookDelivery.delivered_at.is_(None))
    waiting = session.scalar(select(func.count()).where(*of_it, WebhookDelivery.next_attempt_at.is_not(None)))
    given_up = session.scalar(select(func.count()).where(*of_it, WebhookDelivery.next_attempt_at.is_(None)))
    error = session.scalar(
        select(WebhookDelivery.last_error)
        .where(*of_it, WebhookDelivery.last_error.is_not(None))
        .order_by(WebhookDelivery.created_at.desc())
        .limit(1)
    )
    return int(waiting or 0), int(given_up or 0), error


def send_again(session: Session, campaign: Campaign) -> int:
    """Make everything that is not delivered due now, also what was given up. Returns how many messages that are."""
    changed = session.execute(
        update(WebhookDelivery)
        .where(WebhookDelivery.campaign_id == campaign.id, WebhookDelivery.delivered_at.is_(None))
        .values(next_attempt_at=clock(session), attempts=0)
    )
    return int(changed.rowcount)  # type: ignore[attr-defined]
