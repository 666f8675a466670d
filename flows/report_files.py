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
:root{color-scheme:light dark;--page:#fff;--text:#1c2329;--quiet:#4a545d;--line:#cdd4da;--alarm:#c0392b;--alarm-page:#fdf1ef}
@media(prefers-color-scheme:dark){:root{--page:#14181c;--text:#e6eaee;--quiet:#a9b3bc;--line:#3a444d;--alarm:#ef7a6d;--alarm-page:#33201e}}
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:var(--text);background:var(--page)}
h1{font-size:1.6rem;margin-bottom:0}h2{font-size:1.2rem;margin:2.5rem 0 .25rem;padding-top:.75rem;border-top:2px solid}
.about{color:var(--quiet);margin:.1rem 0 .75rem;max-width:50rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.75rem;margin:1.25rem 0;padding:0;list-style:none}
.tiles li{border:1px solid var(--line);border-radius:.4rem;padding:.6rem .8rem}
.tiles b{display:block;font-size:1.6rem;line-height:1.2;font-variant-numeric:tabular-nums}
.tiles .look{border-color:var(--alarm);background:var(--alarm-page)}
table{border-collapse:collapse;width:100%;font-size:.875rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid var(--line)}
td{overflow-wrap:break-word;max-width:22rem}td.long{overflow-wrap:anywhere;min-width:10rem}
th{font-weight:600;border-bottom-color:currentColor}
td.time{white-space:nowrap;font-variant-numeric:tabular-nums}td:first-child{min-width:8rem}
th.number,td.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.scroll{overflow-x:auto;margin:.75rem 0}figure{margin:.75rem 0}figcaption,.bars,.key{font-size:.875rem}figcaption{font-weight:600}
.bars{display:grid;grid-template-columns:fit-content(14rem) 1fr;gap:.25rem .75rem;margin:.35rem 0;max-width:52rem}
.bars dt{text-align:right;overflow-wrap:anywhere}
.bars dd{display:flex;align-items:center;margin:0;font-variant-numeric:tabular-nums}
.bars dd span{height:1.25rem;flex:none}.bars dd b{font-weight:400;margin-left:.4rem}
.key{display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin:0;padding:0;list-style:none}
.key span{display:inline-block;width:.8em;height:.8em;margin-right:.35em}
.state{border-left:.35rem solid;padding-left:.4rem;white-space:nowrap}.none{color:var(--quiet)}
@media(max-width:40rem){.bars{grid-template-columns:1fr}.bars dt{text-align:left}.bars dd{margin-bottom:.35rem}}
@media print{:root{color-scheme:light}body{margin:0;max-width:none}section{break-inside:avoid-page}}
"""
_MOST_ROWS = 200
"""Of a table on the page: with a year's productions nobody could find anything on it, and CSV has all of them."""
_ABOUT = {
    "failures": "What somebody has to look at: campaign rows that failed or stayed incomplete, and videos outside of campaigns.",
    "expiring_consents": "When a consent ends, its portrait is not shown any more in new videos.",
    "campaign_progress": "Productions by state. GPU minutes are minutes of a renderer's work, on whatever it runs.",
    "cost_per_minute": "GPU minutes for each finished minute of video, by kind of source and language.",
    "cache_hits": "Turns whose clip was in the artifact store already and cost nothing, of all that were rendered.",
    "portrait_usage": "The portraits in most finished videos first.",
    "productions": "Every production and language of this catalog, the last changed first.",
}
"""The sections of the page in their order, and what is in them."""

_COLUMNS = {
    "gpu_minutes": "GPU min spent",
    "gpu_minutes_to_go": "GPU min to go",
    "budget_gpu_minutes": "Budget, GPU min",
    "gpu_minutes_per_minute": "GPU min per min of video",
    "minutes_of_video": "Video, min",
    "seconds": "Video, s",
    "seconds_of_work": "Work, s",
    "hit_rate": "Share, %",
    "cached": "Clips there already",
    "next_deadline": "Next deadline (UTC)",
    "last_at": "Last (UTC)",
    "last_cast_at": "Last cast (UTC)",
    "valid_until": "Ends (UTC)",
    "finished_at": "Finished (UTC)",
    "days_left": "Days left",
    "consent": "Consent no.",
    "rendition_state": "State",
    "segments": "Turns",
    "kind": "Source",
}
_LONG = frozenset({"example", "error", "video", "source"})
_SHOWN: dict[str, tuple[tuple[str, ...], ...]] = {
    "campaign_progress": (
        ("campaign", "owner", "productions", *_STATES, "paused"),
        (
            *("campaign", "minutes_of_video", "gpu_minutes", "gpu_minutes_to_go", "budget_gpu_minutes"),
            "next_deadline",
        ),
    ),
    "productions": (
        (
            *("title", "language", "rendition_state", "seconds", "segments", "failed", "seconds_of_work"),
            *("finished_at", "video", "error"),
        ),
    ),
}
"""Columns, table by table, of figures that have more than a page has room for; CSV and JSON have all of them."""


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
    """One page with every table, what needs attention first, and plots of those that say more as one."""
    at = at or datetime.now(UTC)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>Portrayal on {at:%Y-%m-%d}</title><style>{_STYLE}</style></head><body>",
        f'<h1>Portrayal: campaigns, cost and rights</h1><p class="about">As of {at:%A, %Y-%m-%d %H:%M} UTC.</p>',
        _tiles(tables),
    ]
    for name in [*(one for one in _ABOUT if one in tables), *(one for one in tables if one not in _ABOUT)]:
        rows = tables[name]
        parts.append(f'<section id="{html.escape(name)}"><h2>{html.escape(VIEWS.get(name, name.capitalize()))}</h2>')
        parts.append(f'<p class="about">{html.escape(_ABOUT.get(name, ""))}</p>')
        if not rows:
            parts.append('<p class="none">Nothing yet.</p></section>')
            continue
        parts.append(_plot(name, rows))
        parts += [_html_table(name, rows[:_MOST_ROWS], columns) for columns in _SHOWN.get(name, (None,))]
        if len(rows) > _MOST_ROWS:
            parts.append(
                f'<p class="none">The first {_MOST_ROWS} of {len(rows)}; all of them: '
                f"<code>portrayal report --format csv --figure {html.escape(name)}</code></p>"
            )
        parts.append("</section>")
    return "\n".join([*parts, "</body></html>", ""])


def _tiles(tables: Mapping[str, Rows]) -> str:
    """What one wants to know first, in large figures; those that somebody has to look at stand out."""
    campaigns, tiles = tables.get("campaign_progress"), []
    if campaigns is not None:
        total = {name: sum(one.get(name) or 0 for one in campaigns) for name in (*_STATES, "gpu_minutes_to_go")}
        tiles += [
            ("productions of campaigns done", total["done"], False),
            ("queued or running", total["queued"] + total["running"], False),
            ("GPU minutes to go", total["gpu_minutes_to_go"], False),
            ("wait for approval", total["awaiting_approval"], total["awaiting_approval"] > 0),
        ]
    if (failures := tables.get("failures")) is not None:
        count = sum(one["productions"] for one in failures)
        tiles.append(("failed or incomplete", count, count > 0))
    if (consents := tables.get("expiring_consents")) is not None:
        soon = sum(one["days_left"] < 30 for one in consents)
        tiles.append(("consents over or ending within 30 days", soon, soon > 0))
    items = "".join(
        f"<li{' class=look' if look else ''}><b>{_number(value)}</b>{html.escape(what)}</li>"
        for what, value, look in tiles
    )
    return f'<ul class="tiles">{items}</ul>' if items else ""


def _plot(name: str, rows: Rows) -> str:
    match name:
        case "campaign_progress":
            lines = [(one["campaign"], [(one[state], state) for state in _STATES]) for one in rows]
            key = "".join(
                f'<li><span style="background:{color}"></span>{state.replace("_", " ")}</li>'
                for state, color in _STATES.items()
            )
            return _bars("Productions by state", lines) + f'<ul class="key">{key}</ul>'
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
    drawn = []
    for label, parts in lines:
        bar = "".join(
            # What is left over is for the number.
            f'<span style="width:{85 * length / most:.2f}%;background:{_STATES[state]}" title="{state.replace("_", " ")}"></span>'
            for length, state in parts
            if length
        )
        total = sum(length or 0 for length, _ in parts)
        drawn.append(f"<dt>{html.escape(label)}</dt><dd>{bar}<b>{_number(total)}</b></dd>")
    return f'<figure><figcaption>{html.escape(title)}</figcaption><dl class="bars">{"".join(drawn)}</dl></figure>'


def _html_table(name: str, rows: Rows, shown: Sequence[str] | None = None) -> str:
    columns = [one for one in shown if one in rows[0]] if shown else list(rows[0])
    numbers = {one for one in columns if any(isinstance(row[one], int | float) for row in rows)}
    head = "".join(
        f'<th scope="col"{" class=number" if one in numbers else ""}>'
        f"{html.escape(_COLUMNS.get(one, one.replace('_', ' ').capitalize()))}</th>"
        for one in columns
    )
    body = "".join("<tr>" + "".join(_cell(one, row[one]) for one in columns) + "</tr>" for row in rows)
    label = html.escape(VIEWS.get(name, name.capitalize()))
    # One that is too wide for the page can be moved with the keyboard, too.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(column: str, value: Any) -> str:
    if column == "hit_rate" and value is not None:
        value = 100 * value
    if isinstance(value, bool | int | float):
        return f'<td class="number">{_number(round(value, 1) if column == "days_left" else value)}</td>'
    text = "" if value is None else str(value)
    if "(UTC)" in _COLUMNS.get(column, "") and text:
        text = f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M}"
        return f'<td class="time">{text}</td>'
    key = text.replace(" ", "_")
    if column in ("state", "rendition_state") and key in _STATES:
        return f'<td><span class="state" style="border-color:{_STATES[key]}">{html.escape(text)}</span></td>'
    return f"<td{' class=long' if column in _LONG else ''}>{html.escape(text)}</td>"


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, int) else f"{value:.2f}".rstrip("0").rstrip(".")
