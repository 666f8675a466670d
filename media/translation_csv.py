"""A dialogue for a translator who works in a spreadsheet: CSV in UTF-8 with a byte order mark, which Excel needs."""

import csv
import io
import re
from collections.abc import Sequence

from media.errors import InputError
from media.localization import Unit
from media.textfile import check_text

COLUMNS = ("id", "speaker", "direction", "limit", "before", "source", "after", "translation")
_NEEDED = ("id", "source", "translation")
# A spreadsheet runs what begins like this as a formula (full-width signs as well, in some languages).
_FORMULA = re.compile(r"['\s]*[=+\-@＝＋－＠]|['\s]*[\t\r\n]")
_LARGEST_CELL = 1_000_000


def write_csv(units: Sequence[Unit]) -> str:
    """A table with one row a unit. Cells that a spreadsheet would run as a formula begin with an apostrophe."""
    file = io.StringIO(newline="")
    rows = csv.writer(file, quoting=csv.QUOTE_ALL)
    rows.writerow(COLUMNS)
    for unit in units:
        limit = "" if unit.limit is None else str(unit.limit)
        cells = (unit.id, unit.speaker, unit.direction, limit, unit.before, unit.source, unit.after, unit.target)
        rows.writerow([defused(cell) for cell in cells])
    return "\ufeff" + file.getvalue()


def read_csv(text: str, name: str) -> tuple[Unit, ...]:
    """The units of a table with the columns `id`, `source` and `translation` at least, in any order.

    Commas, semicolons and tabs between cells are understood: spreadsheets write what their country uses.

    Raises:
        InputError: it is no such table; the message names the line.
    """
    text = check_text(text, name).removeprefix("\ufeff")
    head = re.split(r"[\r\n]", text, maxsplit=1)[0]
    delimiter = max(",;\t", key=head.count)
    before = csv.field_size_limit(_LARGEST_CELL)
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        columns = [cell.strip().casefold() for cell in next(rows, [])]
        for column in _NEEDED:
            if columns.count(column) != 1:
                raise InputError(
                    f"{name}:1: the table needs one column '{column}', with {', '.join(_NEEDED)} in its first row."
                )
        units = []
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(columns):
                raise InputError(
                    f"{name}:{rows.line_num}: the row has {len(row)} cells, not {len(columns)}; correct it."
                )
            cells = dict(zip(columns, map(_as_written, row), strict=True))
            limit = cells.get("limit", "")
            units.append(
                Unit(
                    id=cells["id"].strip(),
                    source=cells["source"],
                    target=cells["translation"],
                    speaker=cells.get("speaker", ""),
                    direction=cells.get("direction", ""),
                    before=cells.get("before", ""),
                    after=cells.get("after", ""),
                    limit=int(limit) if re.fullmatch("[0-9]{1,6}", limit) else None,
                )
            )
        return tuple(units)
    except csv.Error as error:
        raise InputError(f"{name}: this is not a CSV table ({error}); save it as CSV, UTF-8.") from None
    finally:
        csv.field_size_limit(before)


def defused(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula: one that would be begins with an apostrophe."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _as_written(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell, 1) else cell
