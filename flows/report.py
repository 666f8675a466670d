"""What was made, as tables: one run of `produce`, or everything that is in the catalog."""

from pathlib import Path
from typing import Any

from flows.console import print_table, stdout_console
from tasks import workspace
from tasks.bookkeeping import Production


def productions(name: str | None = None) -> list[dict[str, Any]]:
    """Every production of the catalog with its renditions, the last changed first.

    Args:
        name: only productions with this id, title, or beginning of the id.
    """
    from catalog.productions import list_productions, rendition_state
    from catalog.session import session_factory

    rows = []
    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        for production in list_productions(session):
            if name is not None and name != production.title and not production.id.startswith(name):
                continue
            renditions = []
            for rendition in production.renditions:
                state = rendition_state(session, production.id, rendition.language)
                if state is None:
                    continue
                renditions.append(
                    {
                        "language": rendition.language,
                        "state": state.state,
                        "video": state.video_path,
                        "seconds": state.duration_s,
                        "segments": state.planned + state.rendered + len(state.failures),
                        "rendered": state.rendered,
                        "failed": len(state.failures),
                        "seconds_of_work": round(state.seconds_of_work, 3),
                        "finished_at": state.finished_at.isoformat() if state.finished_at else None,
                        "error": state.error,
                    }
                )
            rows.append(
                {
                    "id": production.id,
                    "title": production.title,
                    "source": production.source_name,
                    "kind": production.source_kind,
                    "state": production.state,
                    "layout": production.layout,
                    "aspect": production.aspect,
                    "updated_at": production.updated_at.isoformat(),
                    "renditions": renditions,
                }
            )
    return rows


def print_productions(rows: list[dict[str, Any]]) -> None:
    """Print what `productions` found."""
    print_table(
        f"{len(rows)} productions",
        ("Production", "Language", "State", "Length", "Clips", "Missing", "Work", "Video"),
        [
            (
                row["title"],
                one["language"],
                one["state"],
                duration(one["seconds"]),
                str(one["rendered"]),
                str(one["segments"] - one["rendered"]),
                duration(one["seconds_of_work"]),
                one["video"] or one["error"] or "",
            )
            for row in rows
            for one in row["renditions"]
        ],
    )


def print_production(production: Production) -> None:
    """Print what one run made and where."""
    print_table(
        f"{production.name}: {production.status} in {duration(production.seconds)}",
        ("Language", "State", "Length", "Clips", "Rendered now", "Video"),
        [
            (
                one.language,
                one.status,
                duration(one.seconds),
                str(one.segments),
                str(one.rendered),
                relative(one.video) if one.video else "",
            )
            for one in production.renditions
        ],
    )
    stdout_console().print(f"Everything about it: {relative(production.record_path)}", soft_wrap=True, markup=False)


def duration(seconds: float | None) -> str:
    """`75.2` as `1:15`, `4.21` as `4.2 s`."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def relative(path: str | Path) -> str:
    """A path as it is written from here, if it lies below."""
    path = Path(path)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
