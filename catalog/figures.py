"""What dashboards read: the catalog's views, as rows."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

VIEWS = {
    "campaign_progress": "Campaigns",
    "cost_per_minute": "Cost of a finished minute",
    "cache_hits": "Clips that were there already",
    "failures": "Failures by cause",
    "portrait_usage": "Use of portraits",
    "expiring_consents": "Consents that end within 90 days",
}
"""Names of the views, and what people call them."""

_ORDER = {
    "campaign_progress": "campaign",
    "cost_per_minute": "kind, language",
    "cache_hits": "language",
    "failures": "campaign, cause, state",
    "portrait_usage": "videos DESC, portrait",
    "expiring_consents": "days_left, consent",
}
_TIMES = frozenset({"next_deadline", "last_at", "last_cast_at", "valid_until"})


def read_view(session: Session, name: str) -> list[dict[str, Any]]:
    """The rows of a view, by column: text, numbers, and times as ISO 8601 in UTC.

    Args:
        name: one of `VIEWS`.
    """
    found = session.execute(text(f"SELECT * FROM {name} ORDER BY {_ORDER[name]}")).mappings()
    return [{column: _plain(column, value) for column, value in row.items()} for row in found]


def _plain(column: str, value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and column != "hit_rate" else float(value)
    if column in _TIMES and value is not None:
        # SQLite hands out the text that it stores, which is UTC.
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)).isoformat()
    return value
