"""How far campaigns are, as tables: once, or kept up to date."""

import shlex
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flows.console import print_table, stdout_console
from flows.report import duration
from tasks import workspace

if TYPE_CHECKING:
    from catalog.campaigns import Standing

REFRESH_SECONDS = 2.0
LEFT = ("queued", "incomplete", "failed")
"""States of rows that somebody has to see to, where no runner can go on by itself."""


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
    from tasks.campaigns import unpublished

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
                "unpublished": str(unpublished(row.out)) if row.state == "awaiting approval" else None,
                "seconds_of_video": row.seconds_of_video,
                "seconds_of_work": round(row.seconds_of_work, 3),
                "cause": row.cause,
                "error": row.error,
            }
            for row in rows_of(session, find_campaign(session, name))
        ]


def notes(names: Sequence[str] = ()) -> list[str]:
    """What keeps the campaigns named, or all, from going on, and what to do about it; nothing for those that go on or are done.

    Raises:
        InputError: there is none of one of these names.
    """
    found = _standings(names)
    if not found:
        return ["Nothing is queued yet: `portrayal campaign queue FILE --out FOLDER` queues a table of productions."]
    return [note for one in found for note in _notes(one)]


def _notes(one: "Standing") -> Iterator[str]:
    name, command = one.campaign, "portrayal campaign"
    states, told = one.states, shlex.quote(one.campaign)
    queued = states["queued"]
    if one.paused:
        waits = f"{_rows(queued)} {'waits' if queued == 1 else 'wait'}" if queued else "nothing of it is queued"
        yield f"{name} is paused, and {waits}: `{command} resume {told}` lets runners begin rows again."
    elif one.over_budget:
        yield (
            f"{name}: {_rows(queued)} would go beyond the budget of {one.budget_gpu_minutes:g} GPU-minutes and "
            f"{'is' if queued == 1 else 'are'} not begun: `{command} budget {told} MINUTES` changes it."
        )
    elif one.overdue:
        them = "it" if one.overdue == 1 else "them"
        yield f"{name}: the deadline of {_rows(one.overdue)} is over; runners begin {them} all the same."
    if waiting := states["awaiting approval"]:
        waits = f"{_rows(waiting)} {'waits' if waiting == 1 else 'wait'}"
        yield f"{name}: {waits} for approval: `{command} approve {told}` publishes."
    if wrong := states["failed"] + states["incomplete"]:
        yield (
            f"{name}: {_rows(wrong)} failed or stayed incomplete: `{command} status {told}` says why, and "
            f"`{command} retry {told} --failed` queues {'it' if wrong == 1 else 'them'} again."
        )
    if states["cancelled"] and states["cancelled"] == sum(states.values()):
        yield f"{name} is cancelled: `{command} retry {told} --cancelled` queues its rows again."


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _standings(names: Sequence[str] = ()) -> "list[Standing]":
    from catalog.campaigns import standings
    from catalog.session import session_factory

    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        return standings(session, names)


def show(name: str | None) -> None:
    """Print the table, and what is to be done."""
    print_table(*_table(name))
    _print_notes(name)


def watch(name: str | None) -> bool:
    """Keep the table up to date until nothing goes on by itself; without a terminal, print it at the end.

    A campaign that is paused, or whose rows do not fit into its budget any more, is waited for while rows of it run.

    Returns:
        Whether no row is left that is queued, incomplete or failed.
    """
    from rich.live import Live
    from rich.markup import escape
    from rich.table import Table

    console = stdout_console()
    names = [name] if name else ()
    if not console.is_terminal:
        while _goes_on(found := _standings(names)):
            time.sleep(REFRESH_SECONDS)
        show(name)
        return not _left(found)
    with Live(console=console, auto_refresh=False) as live:
        while True:
            found = _standings(names)
            title, columns, rows = _table(name)
            table = Table(*columns, title=title, title_justify="left")
            # A terminal shows so many; what runs or went wrong says most.
            quiet = ("done", "queued", "cancelled")
            for cells in sorted(rows, key=lambda cells: cells[1] in quiet)[: max(5, console.height - 6)]:
                table.add_row(*map(escape, cells))
            live.update(table, refresh=True)
            if not _goes_on(found):
                break
            time.sleep(REFRESH_SECONDS)
    _print_notes(name)
    return not _left(found)


def _print_notes(name: str | None) -> None:
    for note in notes([name] if name else ()):
        print(note)


def _goes_on(found: "Sequence[Standing]") -> bool:
    return any(one.states["running"] or one.may_begin for one in found)


def _left(found: "Sequence[Standing]") -> bool:
    return any(one.states[state] for one in found for state in LEFT)


def _table(name: str | None) -> tuple[str, tuple[str, ...], list[tuple[str, ...]]]:
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    if name is None:
        found = progress()
        standing = {one.campaign: _state(one) for one in _standings()}
        columns = ("Campaign", "State", "Done", "Running", "Queued", "Waiting", "Wrong", "GPU-minutes", "Budget", "Due")
        rows = [
            (
                one["campaign"],
                standing.get(one["campaign"], ""),
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
        return f"{len(rows)} campaign{'' if len(rows) == 1 else 's'}", columns, rows
    rows = [
        (
            one["request_id"],
            one["state"],
            _time(one["since"]),
            str(one["attempts"]),
            duration(one["seconds_of_video"]),
            duration(one["seconds_of_work"]),
            one["error"] or one["out"] or one["unpublished"] or one["runner"] or "",
        )
        for one in row_states(name)
    ]
    columns = ("Row", "State", "Since", "Attempts", "Video", "Work", "Reason")
    return f"{name}: {_rows(len(rows))}", columns, rows


def _state(one: "Standing") -> str:
    """One word or two for the table."""
    if one.paused:
        return "paused"
    if one.states["running"] or one.may_begin:
        return "open"
    if one.over_budget:
        return "over budget"
    if one.states["awaiting approval"]:
        return "waiting"
    return "cancelled" if one.states["cancelled"] == sum(one.states.values()) else "settled"


def _time(value: str | None) -> str:
    return "" if value is None else f"{datetime.fromisoformat(value).astimezone():%Y-%m-%d %H:%M}"
