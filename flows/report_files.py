"""The figures of the catalog as CSV, JSON, and one HTML page that needs nothing else: no script, no font, no address."""

import html
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from catalog.figures import VIEWS, read_view
from media.translation_csv import defused

Rows = list[dict[str, Any]]

_STATES = {
    "done": "#2e7d5b",
    "awaiting_approval": "#7a5fb5",
    "running": "#2f6fb3",
    "queued": "#b7c0c9",
    "incomplete": "#d98e2b",
    "failed": "#c0392b",
    "cancelled": "#6b7280",
}
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1c2329;background:#fff}
h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2.5rem}
table{border-collapse:collapse;width:100%;font-size:.875rem}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #dde2e7}
th{font-weight:600}td.number{text-align:right;font-variant-numeric:tabular-nums}.scroll{overflow-x:auto}
svg{max-width:100%;height:auto;margin:.5rem 0}.key span{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 1em}
.none{color:#5b6670}
@media(prefers-color-scheme:dark){body{background:#14181c;color:#e4e8ec}
th,td{border-color:#333b43}svg text{fill:#e4e8ec}.none{color:#9aa5b0}}
"""


def figures() -> dict[str, Rows]:
    """The rows of every view of the catalog, by the view's name."""
    from catalog.session import session_factory
    from tasks import workspace

    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        return {name: read_view(session, name) for name in VIEWS}


def flat(productions: Sequence[Mapping[str, Any]]) -> Rows:
    """Productions with one row a rendition."""
    return [
        {name: value for name, value in one.items() if name != "renditions"}
        | {name if name not in one else f"rendition_{name}": value for name, value in rendition.items()}
        for one in productions
        for rendition in one["renditions"]
    ]


def as_csv(rows: Rows) -> str:
    """A table with a byte order mark, which Excel needs. Cells that a spreadsheet would run begin with an apostrophe."""
    import pandas as pd

    frame = pd.DataFrame(rows)
    for column in frame.columns:
        frame[column] = [defused(value) if isinstance(value, str) else value for value in frame[column]]
    return "\ufeff" + str(frame.to_csv(index=False, lineterminator="\r\n"))


def as_json(tables: Mapping[str, Rows]) -> str:
    return json.dumps(tables, ensure_ascii=False, indent=2) + "\n"


def as_html(tables: Mapping[str, Rows], at: datetime | None = None) -> str:
    """One page with every table, and plots of those that say more as one."""
    at = at or datetime.now(UTC)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>Portrayal: report</title><style>{_STYLE}</style></head><body>",
        f"<h1>Portrayal: report</h1><p>{at:%Y-%m-%d %H:%M} UTC</p>",
    ]
    for name, rows in tables.items():
        parts.append(f'<section id="{html.escape(name)}"><h2>{html.escape(VIEWS.get(name, name.capitalize()))}</h2>')
        if not rows:
            parts.append('<p class="none">Nothing yet.</p></section>')
            continue
        parts.append(_plot(name, rows))
        parts.append(_html_table(rows))
        parts.append("</section>")
    return "\n".join([*parts, "</body></html>", ""])


def _plot(name: str, rows: Rows) -> str:
    match name:
        case "campaign_progress":
            lines = [(one["campaign"], [(one[state], state) for state in _STATES]) for one in rows]
            key = "".join(
                f'<span style="background:{color}"></span>{state.replace("_", " ")}' for state, color in _STATES.items()
            )
            return _bars("Productions by state", lines) + f'<p class="key">{key}</p>'
        case "cost_per_minute":
            costs = [(f"{one['language']} ({one['kind']})", one["gpu_minutes_per_minute"]) for one in rows]
            return _bars("GPU-minutes for a finished minute", [(label, [(cost, "running")]) for label, cost in costs])
        case "cache_hits":
            shares = [(one["language"], 100 * one["hit_rate"]) for one in rows]
            return _bars("Turns whose clip was there, %", [(label, [(share, "done")]) for label, share in shares], 100)
        case "failures":
            counts = [(f"{one['campaign']} {one['cause']}".strip(), one["productions"], one["state"]) for one in rows]
            return _bars("Productions", [(label, [(count, state)]) for label, count, state in counts])
        case "portrait_usage":
            return _bars("Videos", [(one["portrait"], [(one["videos"], "done")]) for one in rows[:20]])
    return ""


def _bars(title: str, lines: Sequence[tuple[str, Sequence[tuple[float, str]]]], most: float = 0.0) -> str:
    """Horizontal bars, each of parts of a length and a state's colour."""
    most = max([most, *(sum(length or 0 for length, _ in parts) for _, parts in lines)]) or 1.0
    height = 26 * len(lines) + 8
    drawn = [f'<svg role="img" viewBox="0 0 900 {height}" width="900" height="{height}">']
    drawn.append(f"<title>{html.escape(title)}</title>")
    for index, (label, parts) in enumerate(lines):
        top, left = 26 * index + 4, 220.0
        short = label if len(label) <= 28 else label[:27] + "…"
        drawn.append(f'<text x="212" y="{top + 15}" text-anchor="end" font-size="14">{html.escape(short)}</text>')
        for length, state in parts:
            width = 580 * (length or 0) / most
            drawn.append(f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="20" fill="{_STATES[state]}"/>')
            left += width
        total = sum(length or 0 for length, _ in parts)
        drawn.append(f'<text x="{left + 8:.1f}" y="{top + 15}" font-size="14">{_number(total)}</text>')
    return f"<p>{html.escape(title)}</p>" + "".join([*drawn, "</svg>"])


def _html_table(rows: Rows) -> str:
    columns = list(rows[0])
    head = "".join(f'<th scope="col">{html.escape(column.replace("_", " "))}</th>' for column in columns)
    body = "".join("<tr>" + "".join(_cell(row[column]) for column in columns) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return f'<td class="number">{_number(value)}</td>'
    return f"<td>{html.escape('' if value is None else str(value))}</td>"


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, int) else f"{value:.2f}".rstrip("0").rstrip(".")
