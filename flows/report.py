"""What was made and what it cost, as tables: one run of `produce`, or everything that is in the catalog."""

from pathlib import Path
from typing import Any

from flows.console import print_table, stdout_console
from media.atomic import whole_file
from media.errors import InputError
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


def write_figures(found: list[dict[str, Any]], format_: str, figure: str | None, out: Path | None) -> None:
    """Print the figures of the catalog, or write them to a file.

    Args:
        found: what `productions` found.
        format_: table, csv (of one figure), json or html.
        figure: only this one.

    Raises:
        InputError: there is no such figure, or the file cannot be written.
    """
    from flows import report_files

    tables = report_files.figures() | {"productions": report_files.flat(found)}
    if figure is not None:
        if figure not in tables:
            raise InputError(f"--figure {figure}: there is none of this name; there are {', '.join(tables)}.")
        tables = {figure: tables[figure]}
    if format_ == "csv" and len(tables) > 1:
        raise InputError(f"--format csv: a CSV file holds one table; give --figure with one of {', '.join(tables)}.")
    if format_ == "table":
        if out is not None:
            raise InputError(f"--out {out}: a table is printed; give --format csv, json or html.")
        for name, rows in tables.items():
            columns = tuple(rows[0]) if rows else ("nothing yet",)
            cells = [tuple("" if one is None else _figure(one) for one in row.values()) for row in rows]
            print_table(name, columns, cells)
        return
    if format_ == "csv":
        text = report_files.as_csv(next(iter(tables.values())))
    else:
        text = report_files.as_json(tables) if format_ == "json" else report_files.as_html(tables)
    if out is None:
        print(text, end="")
        return
    with whole_file(out) as draft:
        draft.write_text(text, encoding="utf-8", newline="")


def _figure(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


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
