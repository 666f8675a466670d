"""How far campaigns are, as tables: once, or kept up to date."""

import time
from datetime import datetime
from typing import Any

from flows.console import print_table, stdout_console
from flows.report import duration
from tasks import workspace

REFRESH_SECONDS = 2.0
OPEN = ("queued", "running")


def progress() -> list[dict[str, Any]]:
    """One row a campaign: the view `campaign_progress`."""
    from catalog.figures import read_view
    from catalog.session import session_factory

    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        return read_view(session, "campaign_progress")


def row_states(name: str) -> list[dict[str, Any]]:
    """Every row of a campaign, in the order of its file.

    Raises:
        InputError: there is no such campaign.
    """
    from catalog.campaigns import find_campaign, rows_of
    from catalog.session import session_factory

    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        return [
            {
                "request_id": row.request_id,
                "number": row.number,
                "state": row.state,
                "since": row.state_since.isoformat(),
                "attempts": row.attempts,
                "runner": row.runner,
                "priority": row.priority,
                "deadline": row.deadline.isoformat() if row.deadline else None,
                "production": row.production_id,
                "out": row.out if row.state == "done" else None,
                "seconds_of_video": row.seconds_of_video,
                "seconds_of_work": round(row.seconds_of_work, 3),
                "cause": row.cause,
                "error": row.error,
            }
            for row in rows_of(session, find_campaign(session, name))
        ]


def show(name: str | None) -> None:
    """Print the table."""
    title, columns, rows, _ = _table(name)
    print_table(title, columns, rows)


def watch(name: str | None) -> None:
    """Keep the table up to date until nothing is queued or running; without a terminal, print it at the end."""
    from rich.live import Live
    from rich.table import Table

    console = stdout_console()
    if not console.is_terminal:
        while _table(name)[3]:
            time.sleep(REFRESH_SECONDS)
        show(name)
        return
    with Live(console=console, auto_refresh=False) as live:
        while True:
            title, columns, rows, unsettled = _table(name)
            table = Table(*columns, title=title, title_justify="left")
            # A terminal shows so many; what runs or went wrong says most.
            quiet = ("done", "queued", "cancelled")
            for cells in sorted(rows, key=lambda cells: cells[1] in quiet)[: max(5, console.height - 6)]:
                from rich.markup import escape

                table.add_row(*map(escape, cells))
            live.update(table, refresh=True)
            if not unsettled:
                return
            time.sleep(REFRESH_SECONDS)


def _table(name: str | None) -> tuple[str, tuple[str, ...], list[tuple[str, ...]], int]:
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    if name is None:
        found = progress()
        columns = ("Campaign", "State", "Done", "Running", "Queued", "Waiting", "Wrong", "GPU-minutes", "Budget", "Due")
        rows = [
            (
                one["campaign"],
                "paused" if one["paused"] == "yes" else "open" if one["queued"] or one["running"] else "settled",
                f"{one['done']} of {one['productions']}",
                str(one["running"]),
                str(one["queued"]),
                str(one["awaiting_approval"]),
                str(one["incomplete"] + one["failed"]),
                f"{one['gpu_minutes']:.1f}",
                "" if one["budget_gpu_minutes"] is None else f"{one['budget_gpu_minutes']:g}",
                _time(one["next_deadline"]),
            )
            for one in found
        ]
        return f"{len(rows)} campaigns", columns, rows, sum(one["queued"] + one["running"] for one in found)
    states = row_states(name)
    rows = [
        (
            one["request_id"],
            one["state"],
            _time(one["since"]),
            str(one["attempts"]),
            duration(one["seconds_of_video"]),
            duration(one["seconds_of_work"]),
            one["error"] or one["out"] or one["runner"] or "",
        )
        for one in states
    ]
    columns = ("Row", "State", "Since", "Attempts", "Video", "Work", "Reason")
    return f"{name}: {len(rows)} rows", columns, rows, sum(one["state"] in OPEN for one in states)


def _time(value: str | None) -> str:
    return "" if value is None else f"{datetime.fromisoformat(value).astimezone():%Y-%m-%d %H:%M}"
