"""Campaigns from file to published video: rows are checked and estimated, queued all or none, and published at the end.

What a row makes goes into `OUT/.unpublished/REQUEST_ID` first and is moved to `OUT/REQUEST_ID` in one go: when it is done, or
when somebody approved it. Rights are asked for once more right before. Where OUT is a URL, what is not published yet is in the
artifact store: a bucket may be one that everybody reads.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from media import results, webhooks
from media.campaign_file import PRIORITY_WORDS, CampaignFileError, CampaignRow, Problem, read_campaign
from media.dialogue import Script
from media.errors import InputError, PortrayalError, RightsError, StorageError
from media.languages import base_language
from media.provenance import write_record
from media.scripts import write_script
from media.templates import fill, is_template
from tasks import casting, domains, filled_scripts, rendering, segments, workspace
from tasks.assembling import COMPOSING_SPEED, DEFAULT_COMPOSING
from tasks.dispatch import Priority
from tasks.request import ProductionRequest, RenderOptions
from tasks.sources import Source, named_cast, read_source
from tasks.speeds import record_speed, seconds_per_unit
from tasks.webhooks import require_secret

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from catalog.campaigns import NewRow

UNPUBLISHED = ".unpublished"
SECONDS_PER_CHARACTER = {"zh": 0.22, "ja": 0.14, "ko": 0.15}
DEFAULT_SECONDS_PER_CHARACTER = 0.075
"""Of spoken text with its pauses, until it was measured on this machine."""


@dataclass(frozen=True, slots=True)
class CampaignOptions:
    """What holds for every row of a file, unless the row says otherwise."""

    name: str
    out: str
    """A folder, or a URL."""
    owner: str = ""
    roots: tuple[Path, ...] = ()
    priority: int | None = None
    """None: 0, and clips are rendered with the runner's priority."""
    deadline: datetime | None = None
    budget_gpu_minutes: float | None = None
    approval: bool = False
    webhook_url: str | None = None
    request: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the production request: engines, render ..."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What queued rows will cost, by the speeds that were measured on this machine. Clips in the store are not looked up."""

    seconds_of_video: float
    work_seconds: float
    """Of renderers: GPU-seconds, or CPU-seconds on a machine without one. What rows share is counted once."""
    shared_seconds: float
    """Of renderers' work that is not done because rows share clips."""
    seconds: float
    """From beginning to end, with one runner on this machine."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A campaign's file after it was checked, and what is or would be queued of it."""

    campaign: str
    rows: int
    new: int
    estimate: Estimate
    """Of the new rows."""
    warnings: tuple[str, ...]
    dry_run: bool

    def as_json(self) -> dict[str, Any]:
        return {
            "campaign": self.campaign,
            "dry_run": self.dry_run,
            "rows": self.rows,
            "new": self.new,
            "queued_before": self.rows - self.new,
            "seconds_of_video": round(self.estimate.seconds_of_video, 1),
            "gpu_minutes": round(self.estimate.work_seconds / 60, 2),
            "gpu_minutes_shared": round(self.estimate.shared_seconds / 60, 2),
            "estimated_seconds": round(self.estimate.seconds, 1),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class _Piece:
    """Something to be rendered; the same piece is the same clip."""

    key: tuple[object, ...]
    seconds: float


def queue_file(path: Path, options: CampaignOptions, *, dry_run: bool = False) -> Queued:
    """Check every row of a file and queue those that are new: all of them, or none.

    Raises:
        CampaignFileError: rows have problems; all are in it, by row and column.
        InputError: the file, the campaign's name, its budget, its webhook or the result folder cannot be used.
    """
    from catalog.campaigns import kept_settings, open_campaign, queue, queued_before
    from catalog.session import session_factory

    settings = workspace.settings()
    if options.webhook_url is not None:
        require_secret(settings)
        webhooks.check_url(options.webhook_url, allow_private=settings.webhook_allow_private)
    results.check(options.out)
    rows, problems = _read(path, options)
    engine = workspace.catalog()
    new, estimate = _prepare(rows, path, options, problems)
    with session_factory(engine, read_only=True).begin() as session:
        there = queued_before(session, options.name)
        kept = kept_settings(session, options.name, options.budget_gpu_minutes, options.approval, options.webhook_url)
    changed = [
        Problem(one.number, "request_id", f"'{one.request_id}' was queued before and asked for something else")
        for one in new
        if there.get(one.request_id, one.digest) != one.digest
    ]
    if changed:
        raise CampaignFileError(str(path), changed)
    count = sum(one.request_id not in there for one in new)
    if count < len(new):
        fresh = {one.request_id for one in new if one.request_id not in there}
        numbers = {one.number for one in new if one.request_id in fresh}
        _, estimate = (
            _prepare([row for row in rows if row.number in numbers], path, options) if fresh else ([], _NOTHING)
        )
    if not dry_run:
        with session_factory(engine).begin() as session:
            campaign = open_campaign(
                session,
                options.name,
                owner=options.owner,
                source_name=str(path.resolve()),
                budget_gpu_minutes=options.budget_gpu_minutes,
                approval=options.approval,
                webhook_url=options.webhook_url,
            )
            count = queue(session, campaign, new)
    warnings = _warnings([one for one in new if one.request_id not in there], estimate, options)
    if kept:
        change = "; `portrayal campaign budget` changes a budget" if "budget" in kept[0] else ""
        warnings += (f"campaign '{options.name}' was there before and keeps {' and '.join(kept)}{change}.",)
    return Queued(options.name, len(new), count, estimate, warnings, dry_run)


_NOTHING = Estimate(0.0, 0.0, 0.0, 0.0)


def _read(path: Path, options: CampaignOptions) -> tuple[Sequence[CampaignRow], Sequence[Problem]]:
    """The rows that can be read, and what is wrong with the others."""
    try:
        return read_campaign(path, options.roots), ()
    except CampaignFileError as error:
        return error.rows, error.problems


def _prepare(
    rows: Sequence[CampaignRow], path: Path, options: CampaignOptions, found_before: Sequence[Problem] = ()
) -> "tuple[list[NewRow], Estimate]":
    """Rows as they are queued, and what they cost together.

    Raises:
        CampaignFileError: rows have problems; all are in it.
    """
    from catalog.campaigns import NewRow

    problems: list[Problem] = list(found_before)
    codes = {InputError.exit_code for _ in problems}
    casts = _casts_before(options.name)
    # Thousands of rows ask the same of a few sources, languages and checkpoints.
    check, speech, rates, settled = _checked_once(), cache(seconds_per_character), cache(_rates), _settled_once()
    seen: set[tuple[object, ...]] = set()
    new: list[NewRow] = []
    ids: dict[str, int] = {}
    video = work = shared = total = 0.0
    for row in rows:
        try:
            base = _request(row, options)
            source = check(base)
            if isinstance(source, PortrayalError):
                raise source
            cast, reasons = _cast(base, source, casts, check)
            script = _filled(source, row)
        except PortrayalError as error:
            # The column says it already where a message begins with an option of the command line alone.
            problems.append(
                Problem(row.number, _column_of(error, row), re.sub(r"^--[a-z-]+: ", "", str(error).rstrip(".")))
            )
            codes.add(error.exit_code)
            continue
        text = None if script is None else write_script(script, "yaml")
        digest = _digest(base, source, text, options.out)
        request_id = row.request_id or f"{row.source.stem[:60].lstrip('.') or 'row'}-{digest[:10]}"
        earlier = ids.setdefault(request_id.casefold(), row.number)
        if earlier != row.number:
            if row.request_id is None:  # the others are found when the file is read
                what = f"it asks for the same as row {earlier}; give both a request_id if that is meant"
                problems.append(Problem(row.number, "request_id", what))
                codes.add(InputError.exit_code)
            continue
        priority = options.priority if row.priority is None else row.priority
        asked = {"name": request_id, "cast": dict(base.cast) | cast, "priority": rendering_priority(priority)}
        request = base.model_copy(update=asked)
        pieces, seconds = _pieces(request, source, script, speech)
        renders = settled(request, source)
        rate = rates(renders.engine("render"), renders.render)
        cost, alone = _rendering(rate, [one for one in pieces if one.key not in seen])
        shared += _rendering(rate, [one for one in pieces if one.key in seen])[0]
        seen |= {one.key for one in pieces}
        takes = alone / max(1, rendering.renderer_count(max(1, len(pieces))))
        takes += seconds * seconds_per_unit(COMPOSING_SPEED, DEFAULT_COMPOSING)
        new.append(
            NewRow(
                request_id=request_id,
                number=row.number,
                digest=digest,
                request=request.model_dump(mode="json") | {"reasons": reasons},
                out=results.place(options.out, request_id),
                script=text,
                priority=priority or 0,
                deadline=row.deadline or options.deadline,
                estimated_work_s=cost,
                estimated_s=takes,
            )
        )
        video, work, total = video + seconds, work + cost, total + takes
    if problems:
        refused = CampaignFileError(str(path), problems)
        refused.exit_code = min(codes)  # 3 only where nothing but something to install is missing
        raise refused
    return new, Estimate(video, work, shared, total + (rendering.STARTING_SECONDS if work else 0.0))


def rendering_priority(number: int | None) -> Priority | None:
    """The queue that a row's clips wait in, by its priority among rows; None where it has none."""
    if number is None:
        return None
    if number >= PRIORITY_WORDS["urgent"]:
        return "urgent"
    return "batch" if number <= PRIORITY_WORDS["batch"] else "normal"


def _request(row: CampaignRow, options: CampaignOptions) -> ProductionRequest:
    try:
        return ProductionRequest(
            **{**options.request, **row.options, "source": str(row.source), "name": row.request_id}
        )
    except ValidationError as error:
        first = error.errors()[0]
        column = str(first["loc"][0]) if first["loc"] else ""
        raise InputError(f"--{column}: {first['msg'].removeprefix('Value error, ')}.") from None


def _check(request: ProductionRequest) -> Source | PortrayalError:
    """What `produce` would read, or why it would not."""
    if request.draft:
        return InputError("--engine render=draft: drafts are not published; use `portrayal produce --draft`.")
    try:
        source = read_source(request)
        _require_portraits(request.exclude)
    except PortrayalError as error:
        return error
    return source


def _memory(request: ProductionRequest) -> str:
    """The same text for rows that ask for the same."""
    return json.dumps(request.model_dump(mode="json", exclude={"name"}), sort_keys=True)


def _checked_once() -> Callable[[ProductionRequest], Source | PortrayalError]:
    """`_check`, asked once for all rows that ask for the same."""
    known: dict[str, Source | PortrayalError] = {}

    def check(request: ProductionRequest) -> Source | PortrayalError:
        memory = _memory(request)
        if memory not in known:
            known[memory] = _check(request)
        return known[memory]

    return check


def _require_portraits(slugs: Sequence[str]) -> None:
    """
    Raises:
        InputError: one of these that nobody shall have is not in the catalog.
    """
    from catalog.portraits import find_portrait
    from catalog.session import session_factory

    if not slugs:
        return
    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        for slug in slugs:
            try:
                find_portrait(session, slug)
            except InputError as error:
                raise InputError(f"--exclude {slug}: {error}") from None


Chosen = tuple[dict[str, str], dict[str, str]]
"""Portrait (slug) by speaker, and the reason by speaker for those whom the row itself does not name."""


def _cast(
    request: ProductionRequest,
    source: Source,
    casts: dict[str, Chosen],
    check: Callable[[ProductionRequest], Source | PortrayalError],
) -> Chosen:
    """Who is shown for whom in a script: the same in all rows of the campaign, so that they share clips.

    Args:
        casts: by what is asked for (`casting_terms`), of rows without a cast of their own; what is decided now is added.

    Raises:
        InputError, RightsError: a wish cannot be met.
    """
    if source.script is None:
        return {}, {}
    asked = casting_terms(request.model_dump())
    if not request.cast and (known := casts.get(asked)):
        if not isinstance(check(request.model_copy(update={"cast": known[0]})), PortrayalError):
            return known
        del casts[asked]
    decided = casting.cast_portraits(request, source, source.dialogue, keep=False)
    own = named_cast(request, source.dialogue.speakers)
    cast = (
        {one.speaker: one.portrait for one in decided},
        {one.speaker: one.reason for one in decided if one.speaker not in own},
    )
    if not own:
        casts[asked] = cast
    return cast


def casting_terms(request: Mapping[str, Any]) -> str:
    """What of a request decides who may be cast; the same for rows that show the same people."""
    lists = {name: sorted(request.get(name) or ()) for name in ("tags", "exclude")}
    return json.dumps(
        lists | {name: request.get(name) for name in ("source", "style", "purpose", "region", "weights")},
        sort_keys=True,
    )


def _casts_before(name: str) -> dict[str, Chosen]:
    """Casts by what was asked for, of the rows without a cast of their own that a campaign holds already."""
    from catalog.campaigns import requests_before
    from catalog.session import session_factory

    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        before = requests_before(session, name)
    chosen = ((one, one["cast"], one.get("reasons", dict.fromkeys(one["cast"], ""))) for one in before)
    return {casting_terms(one): (cast, reasons) for one, cast, reasons in chosen if cast and set(cast) == set(reasons)}


_COLUMNS = {"--lang": "languages", "--source-lang": "source_language", "--weight": "weights"}
_ROW_OPTIONS = (
    *("--layout", "--cast", "--show", "--transcript", "--glossary", "--lexicon", "--timeline", "--captions"),
    *("--purpose", "--region", "--style", "--tags", "--exclude"),
)


def _column_of(error: PortrayalError, row: CampaignRow) -> str:
    """The column that an error is about: errors name the option that `produce` has for it."""
    option = str(error).split(" ", 1)[0].rstrip(":")
    if option in _COLUMNS:
        return _COLUMNS[option]
    if option in _ROW_OPTIONS:
        return option.removeprefix("--")
    if option in row.options.get("cast", {}) or (isinstance(error, RightsError) and row.options.get("cast")):
        return "cast"
    if " asks for {" in str(error):
        return "variables"
    return "" if option.startswith("--") else "source"


def _filled(source: Source, row: CampaignRow) -> Script | None:
    """The script with its blanks filled in; None where it has none, and for recordings.

    Values that it does not ask for are ignored: a table has columns of variables for all its rows.

    Raises:
        InputError: a value is missing, or the template is translated in part.
    """
    script = source.script
    if script is None or not is_template(script):
        return None
    script = fill(script, row.variables, source.path)
    dialogues = {}
    for tag, dialogue in script.dialogues.items():
        empty = [number for number, turn in enumerate(dialogue.turns, 1) if not turn.text]
        if empty and len(empty) < len(dialogue.turns):
            raise InputError(
                f"{source.path}: turn {empty[0]} has no text in '{tag}' and others have; a template is translated whole or not."
            )
        if not empty:  # what an engine is to translate is translated when it is produced
            dialogues[tag] = dialogue
    folder = Path(source.path).parent
    speakers = {
        name: replace(hint, voice=str((folder / hint.voice).resolve()))
        if hint.voice and (folder / hint.voice).is_file()
        else hint
        for name, hint in script.speakers.items()
    }
    return replace(script, dialogues=dialogues, speakers=speakers)


def _digest(request: ProductionRequest, source: Source, script: str | None, out: str) -> str:
    """Of everything that is asked for; the cast that was chosen automatically is no part of it, nor is the priority."""
    asked = request.model_dump(mode="json", exclude={"name", "priority"})
    # Rows that were queued before there were weights and precisions stay what they were.
    if not request.weights:
        del asked["weights"]
    if request.render.precision is None:
        del asked["render"]["precision"]
    content = {"request": asked, "source": source.sha256, "script": script, "out": results.place(out)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _pieces(
    request: ProductionRequest, source: Source, script: Script | None, seconds_per_character: Callable[[str], float]
) -> tuple[list[_Piece], float]:
    """What is to be rendered for a row, and how long its videos are together, in seconds."""
    script = script or source.script
    if script is None:
        languages = source.languages or ("",)
        duration = source.duration or 0.0
        return [_Piece((source.sha256, tag, request.render), duration) for tag in languages], duration * len(languages)
    pieces, total = [], 0.0
    for tag in source.languages:
        own = script.dialogues.get(tag)
        dialogue = own if own and all(turn.text for turn in own.turns) else script.source
        rate = seconds_per_character(tag)
        for turn in dialogue.turns:
            seconds = max(len(turn.text), 4) * rate
            key = (tag, turn.speaker, request.cast.get(turn.speaker), turn.text, request.timeline, request.render)
            pieces.append(_Piece(key, seconds))
            total += seconds
    listening = casting.shows_listeners(request, source)
    idle = segments.IDLE_SECONDS if listening else segments.PAUSE_SECONDS
    for speaker in script.source.speakers:
        pieces.append(_Piece(("idle", request.cast.get(speaker), listening, request.render), idle))
    return pieces, total


def _settled_once() -> Callable[[ProductionRequest, Source], ProductionRequest]:
    """`domains.settled`, asked once for all rows that ask for the same."""
    known: dict[str, dict[str, str]] = {}

    def settled(request: ProductionRequest, source: Source) -> ProductionRequest:
        memory = _memory(request)
        if memory not in known:
            known[memory] = domains.settled(request, source).engines
        return request.model_copy(update={"engines": known[memory]})

    return settled


def _rates(engine: str, render: RenderOptions) -> tuple[float, float]:
    """CPU- or GPU-seconds that a second of video costs, and seconds that one renderer takes for it."""
    info = rendering.engine_info(engine, workspace.settings().models_dir)
    steps = rendering.effective_settings(render.settings, info).steps
    fps = render.fps or info.fps
    return (
        fps * rendering.work_per_frame(info.fingerprint, steps),
        fps * rendering.seconds_per_frame(info.fingerprint, steps),
    )


def _rendering(rates: tuple[float, float], pieces: Sequence[_Piece]) -> tuple[float, float]:
    """CPU- or GPU-seconds that pieces cost, and seconds that one renderer takes for them."""
    work, alone = rates
    seconds = sum({one.key: one.seconds for one in pieces}.values())
    return seconds * work, seconds * alone


def seconds_per_character(language: str) -> float:
    """Seconds of video for a character of a script, as measured here; until then, as people usually speak."""
    base = base_language(language)
    return seconds_per_unit(f"speech {base}", SECONDS_PER_CHARACTER.get(base or "", DEFAULT_SECONDS_PER_CHARACTER))


def record_speech(script: Script, seconds: Mapping[str, float]) -> None:
    """Note how long a script's videos turned out, by language, so that the next estimate knows."""
    for tag, length in seconds.items():
        dialogue = script.dialogues.get(tag)
        if dialogue is not None:
            record_speed(f"speech {base_language(tag)}", sum(len(turn.text) for turn in dialogue.turns), length)


def _warnings(rows: "Sequence[NewRow]", estimate: Estimate, options: CampaignOptions) -> tuple[str, ...]:
    from catalog.tables import now

    found = []
    budget = options.budget_gpu_minutes
    if budget is not None and estimate.work_seconds > budget * 60:
        found.append(f"about {estimate.work_seconds / 60:.1f} GPU-minutes are needed and the budget is {budget:g}.")
    at = now()
    past = sum(one.deadline is not None and one.deadline <= at for one in rows)
    if past:
        found.append(f"{past} rows have a deadline that is over; runners begin them all the same.")
    elapsed, late = 0.0, 0
    for one in sorted(rows, key=_urgency):
        elapsed += one.estimated_s
        late += one.deadline is not None and at < one.deadline < at + timedelta(seconds=elapsed)
    if late:
        found.append(f"{late} rows would miss their deadline with one runner on this machine; start more runners.")
    return tuple(found)


def _urgency(row: "NewRow") -> tuple[int, float, int]:
    return -row.priority, row.deadline.timestamp() if row.deadline else float("inf"), row.number


def unpublished(out: str) -> str:
    """Where a row's files are until they are published in its folder `out`."""
    if results.is_url(out):
        folder, row = results.parted(out)
        return results.place(workspace.settings().artifacts_url, f"unpublished/{filled_scripts.short(folder)}/{row}")
    return results.place(str(Path(out).parent / UNPUBLISHED), Path(out).name)


def request_of(request: Mapping[str, Any], script: str | None, out: str) -> ProductionRequest:
    """The production request of a queued row; a script that was filled in is written first, where it stays.

    Raises:
        InputError, StorageError: it cannot be written.
    """
    source = str(request["source"])
    wanted = {name: value for name, value in request.items() if name != "reasons"}
    if script is not None:
        source = str(filled_scripts.keep(script, out))
    return ProductionRequest(**{**wanted, "source": source, "out": unpublished(out)})


def publish(session: "Session", production_id: str, out: str) -> None:
    """Move what a row made to its folder, when every portrait in it may still be used; that is put on record.

    May be repeated: what was moved before a kill stays, the rest follows.

    Raises:
        RightsError: a portrait may not be used any more; nothing is moved.
        InputError, StorageError: the folder cannot be written, or does not answer.
        LostArtifactError: what was made is gone, or damaged.
    """
    from catalog.campaigns import note_published
    from catalog.rights import record_moved

    staged, final = unpublished(out), results.place(out)
    record_moved(session, production_id, staged, final)
    # Records last: whoever sees one finds the files that it names.
    for name in sorted(results.names(staged), key=lambda one: (_is_record(one), one)):
        if _is_record(name):
            record = json.loads(results.read_text(staged, name) or "{}")
            write_record(final, name, _moved(record, staged, final))
            results.remove(staged, name)
        else:
            results.move(staged, name, final)
    if not results.is_url(staged) and Path(staged).is_dir():
        Path(staged).rmdir()
    note_published(session, production_id, staged, final)


def _is_record(name: str) -> bool:
    return name.endswith("production.json")


def _moved(value: Any, before: str, after: str) -> Any:
    if isinstance(value, str):
        inside = value == before or value.startswith(before + "/")
        return after + value.removeprefix(before) if inside else value
    if isinstance(value, list):
        return [_moved(one, before, after) for one in value]
    if isinstance(value, dict):
        return {name: _moved(one, before, after) for name, one in value.items()}
    return value


def approve_rows(engine: "Engine", name: str, request_ids: Sequence[str] = (), by: str = "") -> tuple[int, list[str]]:
    """Publish rows that wait for approval: all of a campaign, or those named. Returns how many, and why others were not.

    Raises:
        InputError: there is no such campaign, or a row that is named does not wait.
    """
    from catalog.campaigns import approve, awaiting, find_campaign, refuse
    from catalog.session import session_factory
    from tasks.campaign_runner import cause_of

    sessions = session_factory(engine)
    with sessions.begin() as session:
        waiting = [row.request_id for row in awaiting(session, find_campaign(session, name), request_ids)]
    problems, published = [], 0
    for request_id in waiting:
        with sessions.begin() as session:
            campaign = find_campaign(session, name)
            try:
                (row,) = awaiting(session, campaign, [request_id])
            except InputError:
                continue  # somebody else let it go, or cancelled it
            try:
                publish(session, str(row.production_id), row.out)
            except StorageError as error:  # no fault of the row's, which goes on waiting
                session.rollback()
                problems.append(f"{request_id}: {error}")
                continue
            except PortrayalError as error:
                refuse(session, row, cause_of(error), str(error))
                problems.append(f"{request_id}: {error}")
                continue
            approve(session, row, by)
            published += 1
    return published, problems
