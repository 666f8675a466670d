"""Productions, their renditions and segments: what was made, what is being made, and what failed.

Everything here may be repeated: a run that was killed is started again, and says the same things about the same rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import and_, case, delete, func, or_, select, update
from sqlalchemy.orm import Session

from catalog.session import insert_into
from catalog.tables import (
    ASPECTS,
    LAYOUTS,
    PRODUCTION_STATES,
    RENDITION_STATES,
    SEGMENT_STATES,
    SOURCE_KINDS,
    Production,
    Rendition,
    Segment,
    now,
)
from media.errors import InputError


@dataclass(frozen=True, slots=True)
class FailedTurn:
    turn_index: int
    speaker: str
    error: str


@dataclass(frozen=True, slots=True)
class RenditionState:
    """How far a rendition is. The counts are of its segments; `cached` of `rendered` were there before the last run."""

    state: str
    video_path: str | None
    duration_s: float | None
    started_at: datetime
    finished_at: datetime | None
    error: str | None
    planned: int
    rendered: int
    cached: int
    seconds_of_work: float
    failures: tuple[FailedTurn, ...]


def open_production(
    session: Session,
    *,
    id: str,
    title: str,
    source_name: str,
    source_sha256: str,
    source_kind: str,
    source_language: str = "und",
    layout: str = "spotlight",
    aspect: str = "16:9",
) -> Production:
    """The production with this id: made when it is new, else brought up to date. Its castings and renditions stay.

    Args:
        source_sha256: SHA-256 of the source, 64 hex digits.
        source_kind: script or recording.
        source_language: BCP 47; `und` when not known yet.
        layout: spotlight, gallery or duet.
        aspect: 16:9, 9:16 or 1:1.

    Raises:
        InputError: a value that is not one of these.
    """
    _one_of("source kind", source_kind, SOURCE_KINDS)
    _one_of("layout", layout, LAYOUTS)
    _one_of("aspect", aspect, ASPECTS)
    at = now()
    facts = {
        "title": title,
        "source_name": source_name,
        "source_sha256": source_sha256,
        "source_kind": source_kind,
        "source_language": source_language,
        "layout": layout,
        "aspect": aspect,
        "updated_at": at,
    }
    statement = insert_into(session, Production).values(id=id, created_at=at, state="planned", **facts)
    session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=facts))
    return session.scalars(_fresh(Production).where(Production.id == id)).one()


def start_rendition(session: Session, production_id: str, language: str, turns: int | None = None) -> Rendition:
    """Note that work on a production in one language begins, or begins again.

    `turns` is how many turns it has now: segments of an earlier, longer version are dropped. A video that was finished
    before stays on record until the new one is.

    Raises:
        InputError: there is no such production.
    """
    lock_production(session, production_id)
    again = {"state": "running", "started_at": now(), "finished_at": None, "error": None}
    statement = insert_into(session, Rendition).values(production_id=production_id, language=language, **again)
    rendition_id = session.scalar(
        statement.on_conflict_do_update(index_elements=["production_id", "language"], set_=again).returning(
            Rendition.id
        )
    )
    if turns is not None:
        session.execute(delete(Segment).where(Segment.rendition_id == rendition_id, Segment.turn_index >= turns))
    _settle(session, production_id)
    return session.scalars(_fresh(Rendition).where(Rendition.id == rendition_id)).one()


def record_segment(
    session: Session,
    rendition_id: int,
    *,
    turn_index: int,
    speaker: str,
    key: str,
    state: str,
    frames: int = 0,
    cached: bool = False,
    seconds_of_work: float = 0.0,
    error: str | None = None,
) -> Segment:
    """Note what became of a turn's segment; a later note about the same turn replaces the earlier one.

    What a clip cost stays on record when the same clip is planned again or found in the store (`cached`).

    Args:
        key: content hash of the segment, 64 hex digits.
        state: planned, rendered or failed; failed needs an `error`.
        seconds_of_work: CPU- or GPU-seconds spent now.
    """
    _one_of("segment state", state, SEGMENT_STATES)
    values: dict[str, Any] = {
        "speaker": speaker,
        "key": key,
        "state": state,
        "frames": frames,
        "cached": cached,
        "seconds_of_work": seconds_of_work,
        "error": error,
    }
    statement = insert_into(session, Segment).values(rendition_id=rendition_id, turn_index=turn_index, **values)
    new = statement.excluded
    costs_nothing_new = and_(Segment.key == new.key, or_(new.cached, new.state == "planned"))
    kept = case((costs_nothing_new, Segment.seconds_of_work), else_=new.seconds_of_work)
    segment_id = session.scalar(
        statement.on_conflict_do_update(
            index_elements=["rendition_id", "turn_index"], set_=values | {"seconds_of_work": kept}
        ).returning(Segment.id)
    )
    return session.scalars(_fresh(Segment).where(Segment.id == segment_id)).one()


def finish_rendition(
    session: Session,
    rendition_id: int,
    *,
    state: str,
    video_path: str | None = None,
    duration_s: float | None = None,
    error: str | None = None,
) -> Rendition:
    """Note how work on a rendition ended: done (needs its video), incomplete or failed. The production's state follows.

    Raises:
        InputError: the state is none of these, or there is no such rendition.
    """
    _one_of("rendition state", state, tuple(one for one in RENDITION_STATES if one != "running"))
    if state == "done" and video_path is None:
        raise InputError(f"rendition {rendition_id}: it cannot be done without a video.")
    production_id = session.scalar(select(Rendition.production_id).where(Rendition.id == rendition_id))
    if production_id is None:
        raise InputError(f"no rendition {rendition_id} in the catalog.")
    lock_production(session, production_id)
    ended: dict[str, Any] = {"state": state, "finished_at": now(), "error": error}
    if video_path is not None:
        ended |= {"video_path": video_path, "duration_s": duration_s}
    session.execute(update(Rendition).where(Rendition.id == rendition_id).values(ended))
    _settle(session, production_id)
    return session.scalars(_fresh(Rendition).where(Rendition.id == rendition_id)).one()


def list_productions(session: Session, *, state: str | None = None, limit: int | None = None) -> list[Production]:
    """Productions, the last changed first."""
    query = select(Production).order_by(Production.updated_at.desc(), Production.id).limit(limit)
    if state is not None:
        _one_of("state", state, PRODUCTION_STATES)
        query = query.where(Production.state == state)
    return list(session.scalars(query))


def finished_videos(
    session: Session, *, production_id: str | None = None
) -> Iterator[tuple[Production, dict[str, str]]]:
    """Productions with a finished video, the last changed first, each with the paths of its videos by language.

    One query finds them all. Of a production's videos, the one that was begun last comes first.

    Args:
        production_id: only this one.
    """
    query = (
        select(Production, Rendition.language, Rendition.video_path)
        .join(Rendition, Rendition.production_id == Production.id)
        .where(Rendition.video_path.is_not(None))
        .order_by(Production.updated_at.desc(), Production.id, Rendition.started_at.desc())
    )
    if production_id is not None:
        query = query.where(Production.id == production_id)
    for _, group in groupby(session.execute(query), key=lambda row: row[0].id):
        rows = list(group)
        yield rows[0][0], {language: str(path) for _, language, path in rows}


def rendition_state(session: Session, production_id: str, language: str) -> RenditionState | None:
    """How far a production is in one language; None when nobody has begun."""
    rendition = session.scalar(
        _fresh(Rendition).where(Rendition.production_id == production_id, Rendition.language == language)
    )
    if rendition is None:
        return None
    of_it = Segment.rendition_id == rendition.id
    planned, rendered, cached, seconds = session.execute(
        select(
            func.count(case((Segment.state == "planned", 1))),
            func.count(case((Segment.state == "rendered", 1))),
            func.count(case((and_(Segment.state == "rendered", Segment.cached), 1))),
            func.coalesce(func.sum(Segment.seconds_of_work), 0.0),
        ).where(of_it)
    ).one()
    failures = session.execute(
        select(Segment.turn_index, Segment.speaker, Segment.error)
        .where(of_it, Segment.state == "failed")
        .order_by(Segment.turn_index)
    )
    return RenditionState(
        state=rendition.state,
        video_path=rendition.video_path,
        duration_s=rendition.duration_s,
        started_at=rendition.started_at,
        finished_at=rendition.finished_at,
        error=rendition.error,
        planned=planned,
        rendered=rendered,
        cached=cached,
        seconds_of_work=float(seconds),
        failures=tuple(FailedTurn(index, speaker, error or "") for index, speaker, error in failures),
    )


def lock_production(session: Session, production_id: str) -> None:
    """Keep other transactions from casting or settling this production until this one ends.

    Raises:
        InputError: there is no such production.
    """
    # SQLite's writers take turns anyway, and its dialect leaves FOR UPDATE out. `key_share` does not hold up the
    # foreign keys of rows that others insert meanwhile.
    query = select(Production.id).where(Production.id == production_id).with_for_update(key_share=True)
    if session.scalar(query) is None:
        raise InputError(f"no production '{production_id}' in the catalog.")


def _settle(session: Session, production_id: str) -> None:
    """A production is running, failed or done when its renditions are; else it is incomplete."""
    states = set(session.scalars(select(Rendition.state).where(Rendition.production_id == production_id)))
    if "running" in states:
        state = "running"
    elif len(states) == 1:
        state = states.pop()
    else:
        state = "incomplete"
    session.execute(update(Production).where(Production.id == production_id).values(state=state, updated_at=now()))


def _fresh(kind: type[Any]) -> Any:
    """A select that also renews what the session holds already, after an upsert that went past it."""
    return select(kind).execution_options(populate_existing=True)


def _one_of(what: str, value: str, allowed: Mapping[str, Any] | tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{what} '{value}' is not one of {', '.join(allowed)}.")
