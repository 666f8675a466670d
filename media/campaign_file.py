"""Reads the file of a campaign, CSV or JSON Lines: one production a row. All rows are checked before anything is said.

A problem names its row and column, and a file with one problem gives no rows at all. Paths are followed only to files
inside of the allowed folders. Rows are numbered as a spreadsheet or an editor shows them: the first line of the file is 1.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from media.dialogue import language_tag
from media.errors import InputError
from media.textfile import check_text, read_text

MAX_ROWS = 20_000
MAX_VALUE = 500
"""Characters of a variable's value."""
VARIABLE = "var."
"""What the columns of variables begin with in a CSV table: `var.first_name`."""
PRIORITIES = range(-100, 101)
PRIORITY_WORDS = {"urgent": 50, "normal": 0, "batch": -50}

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_LARGEST_CELL = 1_000_000
_WORD = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_REGION = re.compile(r"[A-Z]{2}|[0-9]{3}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one cell; row 0 is the file as a whole, and no column is the row as a whole."""

    row: int
    column: str
    what: str

    def __str__(self) -> str:
        where = [f"row {self.row}"] if self.row else []
        where += [f"column {self.column}"] if self.column else []
        return f"{', '.join(where)}: {self.what}" if where else self.what


class CampaignFileError(InputError):
    """A file from which nothing is queued, and everything that is wrong with it."""

    def __init__(self, file: str, problems: Sequence[Problem], rows: "Sequence[CampaignRow]" = ()) -> None:
        self.problems = tuple(sorted(problems, key=lambda one: one.row))
        self.rows = tuple(rows)
        """Those that could be read, to be looked at further: whoever corrects the file wants to hear everything at once."""
        self.count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        shown = "; ".join(str(one).rstrip(".") for one in self.problems[:5])
        shown += f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        super().__init__(f"{file}: {self.count}, so nothing is queued: {shown}.")


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """One production that is asked for. What a row leaves out is None or empty."""

    number: int
    source: Path
    """Absolute, without symbolic links, inside of an allowed folder."""
    request_id: str | None = None
    """1..100 letters, digits, dots, hyphens and underscores; unique in the file."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Fields of a production request: `languages` (list of tags), `cast` (name -> portrait), `layout` ..., as written."""
    variables: Mapping[str, str] = field(default_factory=dict)
    priority: int | None = None
    """-100..100; higher goes first. From 50 on clips are urgent on the pool that renders, down from -50 they are batch."""
    deadline: datetime | None = None
    """With a time zone."""


def read_campaign(path: Path, roots: Sequence[Path] = ()) -> tuple[CampaignRow, ...]:
    """The rows of a `.csv`, `.tsv`, `.jsonl` or `.ndjson` file, at most `MAX_ROWS`.

    Args:
        roots: folders that sources may lie in; the file's own when none is given. Relative paths begin at the file's folder.

    Raises:
        CampaignFileError: the rows have problems; all of them are in it.
        InputError: it is not such a file.
    """
    kind = path.suffix.lower()
    if kind not in (".csv", ".tsv", ".jsonl", ".ndjson"):
        raise InputError(f"{path}: '{path.suffix}' is not a campaign's suffix; use .csv, .tsv, .jsonl or .ndjson.")
    return parse_campaign(read_text(path), kind in (".csv", ".tsv"), path, roots)


def parse_campaign(text: str, table: bool, path: Path, roots: Sequence[Path] = ()) -> tuple[CampaignRow, ...]:
    """The rows in `text`: a CSV table or JSON Lines. `path` is where it is from.

    Raises:
        CampaignFileError: the rows have problems.
        InputError: it is not text.
    """
    problems: list[Problem] = []
    raw = list((_csv_rows if table else _json_rows)(check_text(text, str(path)).removeprefix("\ufeff"), problems))
    base = path.absolute().parent
    allowed = [one.resolve() for one in (roots or (base,))]
    rows = [row for number, cells in raw if (row := _row(number, cells, base, allowed, problems)) is not None]
    if not raw and not problems:
        problems.append(Problem(0, "", "there are no rows in it; write one production a row"))
    first: dict[str, int] = {}
    for row in rows:
        if row.request_id is None:
            continue
        earlier = first.setdefault(row.request_id.casefold(), row.number)
        if earlier != row.number:
            problems.append(Problem(row.number, "request_id", f"'{row.request_id}' is also row {earlier}'s"))
    if problems:
        raise CampaignFileError(str(path), problems, rows)
    return tuple(rows)


def _csv_rows(text: str, problems: list[Problem]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a table by column, variables under `variables`; commas, semicolons and tabs between cells are understood."""
    head = re.split(r"[\r\n]", text, maxsplit=1)[0]
    delimiter = max(",;\t", key=head.count)
    before = csv.field_size_limit(_LARGEST_CELL)
    number = 0
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        columns: list[str] = []
        for number, cells in enumerate(reader, 1):
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = [cell.strip() for cell in cells]
                columns = [one if one.startswith(VARIABLE) else one.casefold() for one in columns]
                faults = list(_column_faults(columns))
                problems += [Problem(number, column, what) for column, what in faults]
                if faults:
                    return
                continue
            if number > MAX_ROWS + 1:
                problems.append(Problem(number, "", f"there are more than {MAX_ROWS} rows; split the file"))
                return
            if len(cells) != len(columns):
                problems.append(Problem(number, "", f"it has {len(cells)} cells and the first row has {len(columns)}"))
                continue
            found: dict[str, Any] = {"variables": {}}
            for column, cell in zip(columns, cells, strict=True):
                if column.startswith(VARIABLE):
                    if cell.strip():
                        found["variables"][column.removeprefix(VARIABLE)] = cell
                elif cell.strip():
                    found[column] = cell.strip()
            yield number, found
    except csv.Error as error:
        problems.append(Problem(number + 1, "", f"this is not a CSV table ({error}); save it as CSV, UTF-8"))
    finally:
        csv.field_size_limit(before)


def _column_faults(columns: Sequence[str]) -> Iterator[tuple[str, str]]:
    for index, column in enumerate(columns):
        if column in columns[:index]:
            yield column, "there are two columns of this name"
        elif column.startswith(VARIABLE):
            if not _VARIABLE_NAME.fullmatch(column.removeprefix(VARIABLE)):
                yield column, "a variable's name is made of letters, digits and underscores"
        elif column not in _READERS or column == "variables":
            known = [one for one in _READERS if one != "variables"]
            meant = f"; did you mean {near[0]}?" if (near := get_close_matches(column, known, 1)) else ";"
            yield (
                column,
                f"there is no such column{meant} there are {', '.join(known)}, and {VARIABLE}NAME for variables",
            )
    if "source" not in columns:
        yield "source", "there must be a column of this name"


def _json_rows(text: str, problems: list[Problem]) -> Iterator[tuple[int, dict[str, Any]]]:
    # Only real line ends count: a string may hold other characters that Python splits lines at.
    for count, (number, line) in enumerate(
        (number, line) for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1) if line.strip()
    ):
        if count >= MAX_ROWS:
            problems.append(Problem(number, "", f"there are more than {MAX_ROWS} rows; split the file"))
            return
        try:
            found = json.loads(line, object_pairs_hook=_once_each, parse_constant=_no_constant)
        except RecursionError:
            problems.append(Problem(number, "", "it is nested too deeply"))
            continue
        except ValueError as error:
            problems.append(Problem(number, "", f"this is not a JSON object on one line ({error})"))
            continue
        if not isinstance(found, dict):
            problems.append(Problem(number, "", 'this is not a JSON object; write {"source": "talk.txt"}'))
            continue
        unknown = [name for name in found if name not in _READERS]
        for name in unknown:
            meant = f"; did you mean {near[0]}?" if (near := get_close_matches(name, _READERS, 1)) else ";"
            what = f"there is no such field{meant} there are {', '.join(_READERS)}"
            problems.append(Problem(number, _shown(name), what))
        if not unknown:
            yield number, {name: value for name, value in found.items() if value is not None}


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _row(
    number: int, cells: Mapping[str, Any], base: Path, allowed: Sequence[Path], problems: list[Problem]
) -> CampaignRow | None:
    read: dict[str, Any] = {}
    faults = 0
    if "source" not in cells:
        problems.append(Problem(number, "source", "it is empty; name a script or recording"))
        faults += 1
    for column, value in cells.items():
        try:
            read[column] = _READERS[column](value)
            if column in _PATHS:
                read[column] = _inside(read[column], base, allowed)
        except (ValueError, InputError) as error:
            problems.append(Problem(number, column, str(error).rstrip(".").removeprefix(f"{column}: ")))
            faults += 1
    if faults:
        return None
    own = {name: read.pop(name, None) for name in ("source", "request_id", "priority", "deadline")}
    variables = read.pop("variables", {})
    options = {name: str(value) if isinstance(value, Path) else value for name, value in read.items()}
    return CampaignRow(number=number, options=options, variables=variables, **own)


def _inside(value: str, base: Path, allowed: Sequence[Path]) -> Path:
    if "://" in value:
        raise ValueError(f"'{_shown(value)}' is an address; name a file in {_folders(allowed)}")
    try:
        path = (base / value).resolve()
        inside = any(path.is_relative_to(root) for root in allowed)
        there = inside and path.is_file()
    except (OSError, RuntimeError, ValueError):
        raise ValueError(f"'{_shown(value)}' cannot be a path") from None
    if not inside:
        raise ValueError(f"'{_shown(value)}' lies outside of {_folders(allowed)}; move it there, or allow its folder")
    if not there:
        raise ValueError(f"there is no file '{_shown(value)}'; check the name and the folder")
    return path


def _folders(allowed: Sequence[Path]) -> str:
    return " and ".join(map(str, allowed))


def _shown(value: str) -> str:
    short = value if len(value) <= 60 else value[:59] + "…"
    return short.encode("utf-8", "replace").decode("utf-8")


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"it must be text, not {_kind(value)}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("the text holds half a character") from None
    if _CONTROL.search(value):
        raise ValueError("the text holds a line break or another control character")
    if not value.strip():
        raise ValueError("it is empty; leave it out")
    if len(value) > 4096:
        raise ValueError("it is longer than 4096 characters")
    return value.strip()


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "nothing")


def _request_id(value: Any) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else _string(value)
    if not _REQUEST_ID.fullmatch(text):
        raise ValueError(
            f"'{_shown(text)}' cannot be one; use 1 to 100 letters (A-Z), digits, dots, hyphens and underscores, "
            "and begin with a letter or digit"
        )
    return text


def _languages(value: Any) -> list[str]:
    if isinstance(value, str):
        value = [one for one in re.split(r"[\s,;|]+", value) if one]
    if not isinstance(value, list) or not value:
        raise ValueError("it must be language tags, such as en, es")
    return list(dict.fromkeys(language_tag(_string(one), "languages") for one in value))


def _word(value: Any) -> str:
    text = _string(value).lower()
    if not _WORD.fullmatch(text) or len(text) > 50:
        raise ValueError(f"'{_shown(text)}' must be words joined by dashes, such as advertising or in-house")
    return text


def _region(value: Any) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else _string(value)
    if not _REGION.fullmatch(text.upper()):
        raise ValueError(f"'{_shown(text)}' must be a country code such as DE or US, or a number such as 150")
    return text.upper()


def _listed(read: Callable[[Any], str], example: str) -> Callable[[Any], list[str]]:
    def read_all(value: Any) -> list[str]:
        if isinstance(value, str):
            value = [one for one in re.split(r"[\s,;|]+", value) if one]
        if not isinstance(value, list) or not value:
            raise ValueError(f"it must be words, such as {example}")
        return list(dict.fromkeys(read(one) for one in value))

    return read_all


def _slug(value: Any) -> str:
    text = _string(value).lower()
    if not _SLUG.fullmatch(text):
        raise ValueError(f"'{_shown(text)}' cannot be a portrait's name")
    return text


def _cast(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        value = _pairs(value, "NAME=PORTRAIT")
    if not isinstance(value, dict):
        raise ValueError("it must be an object of speakers and portraits")
    return {_string(name): _string(slug) for name, slug in value.items()}


def _weights(value: Any) -> dict[str, float]:
    """Names and numbers; which names there are is the catalog's to know."""
    if isinstance(value, str):
        value = _pairs(value, "NAME=NUMBER")
    if not isinstance(value, dict):
        raise ValueError('it must be an object of names and numbers, such as {"voice": 2}')
    found = {}
    for name, number in value.items():
        try:
            found[_string(name)] = float(number if not isinstance(number, bool) else "")
        except (TypeError, ValueError):
            raise ValueError(f"{_shown(name)}: '{_shown(str(number))}' is not a number") from None
    return found


def _pairs(text: str, form: str) -> dict[str, str]:
    pairs = [one.partition("=") for one in re.split(r"[;,|]", text) if one.strip()]
    if any(not (name.strip() and value.strip()) for name, _, value in pairs):
        raise ValueError(f"write it as {form}; {form}")
    return _once_each([(name.strip(), value.strip()) for name, _, value in pairs])


def _variables(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError("it must be an object of names and texts")
    found = {}
    for name, one in value.items():
        if not _VARIABLE_NAME.fullmatch(name):
            raise ValueError(f"'{_shown(name)}': a variable's name is made of letters, digits and underscores")
        one = str(one) if isinstance(one, int) and not isinstance(one, bool) else one
        try:
            found[name] = _string(one)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if len(found[name]) > MAX_VALUE:
            raise ValueError(f"{name}: it is longer than {MAX_VALUE} characters")
    return found


def priority(value: Any) -> int:
    """A whole number from -100 to 100, or a word that stands for one.

    Raises:
        ValueError: it is neither.
    """
    text = str(value).strip().lower() if not isinstance(value, bool) else ""
    if text in PRIORITY_WORDS:
        return PRIORITY_WORDS[text]
    if not re.fullmatch(r"-?[0-9]{1,3}", text) or int(text) not in PRIORITIES:
        raise ValueError(
            f"it must be {', '.join(PRIORITY_WORDS)} or a whole number from {PRIORITIES.start} to {PRIORITIES.stop - 1}"
        )
    return int(text)


def deadline(value: Any) -> datetime:
    """A point in time: ISO 8601 with an offset, or a date, which means its end in UTC.

    Raises:
        ValueError: it is neither.
    """
    text = _string(value)
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=1)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ValueError(f"'{_shown(text)}' is not a time; write 2030-12-01 or 2030-12-01T18:00+01:00") from None
    if found.tzinfo is None:
        raise ValueError(f"'{text}' has no time zone; write 2030-12-01T18:00+01:00 or 2030-12-01T17:00Z")
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"'{text}' is out of range") from None


def _one_of(*allowed: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"'{_shown(str(value))}' is not one of {', '.join(allowed)}")
        return str(value)

    return read


_READERS: dict[str, Callable[[Any], Any]] = {
    "request_id": _request_id,
    "source": _string,
    "languages": _languages,
    "source_language": lambda value: language_tag(_string(value), "source_language"),
    "layout": _one_of("spotlight", "gallery", "duet"),
    "aspect": _one_of("16:9", "9:16", "1:1"),
    "captions": _one_of("burn", "sidecar", "both", "none"),
    "timeline": _one_of("elastic", "locked"),
    "cast": _cast,
    "show": _string,
    "purpose": _word,
    "region": _region,
    "style": _string,
    "tags": _listed(_word, "brand-x"),
    "exclude": _listed(_slug, "maya-okafor, leo-brandt"),
    "weights": _weights,
    "transcript": _string,
    "glossary": _string,
    "lexicon": _string,
    "priority": priority,
    "deadline": deadline,
    "variables": _variables,
}
_PATHS = frozenset({"source", "transcript", "glossary", "lexicon"})
