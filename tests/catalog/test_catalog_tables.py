"""What the database itself refuses, and what goes when something else goes. Nothing here passes through our checks."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sample_catalog import facts, furnish, key_of, produce
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from catalog.casting import CastingRequest, cast_speakers
from catalog.portraits import add_portrait
from catalog.productions import record_segment, start_rendition
from catalog.tables import Base, Casting, Consent, Portrait, Production, Rendition, Segment

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def furnished(session: Session) -> Session:
    """One row of everything, and a second production, portrait and speaker."""
    furnish(session, facts("ann"), facts("bob"), productions=("talk", "other"))
    cast_speakers(session, "talk", [CastingRequest("Ann", wish="ann")])
    rendition = start_rendition(session, "talk", "en")
    record_segment(session, rendition.id, turn_index=0, speaker="Ann", key=key_of("a"), state="planned")
    return session


def _id(session: Session, slug: str) -> int:
    return session.scalars(select(Portrait.id).where(Portrait.slug == slug)).one()


@pytest.mark.parametrize(
    ("table", "change"),
    [
        (Portrait, {"slug": ""}),
        (Portrait, {"slug": "Ann"}),
        (Portrait, {"slug": None}),
        (Portrait, {"content_sha256": "abc"}),
        (Portrait, {"width": 0}),
        (Portrait, {"height": -1}),
        (Portrait, {"face_left": -0.1}),
        (Portrait, {"face_left": 0.75}),
        (Portrait, {"face_right": 1.01}),
        (Portrait, {"face_top": -0.1}),
        (Portrait, {"face_bottom": 0.1}),
        (Portrait, {"face_bottom": 1.5}),
        (Portrait, {"presentation": "female"}),
        (Portrait, {"age_band": "old"}),
        (Portrait, {"licence": ""}),
        (Portrait, {"lot": -1}),
        (Portrait, {"lot": 2**31 - 1}),
        (Consent, {"kind": "rumour"}),
        (Consent, {"subject": ""}),
        (Consent, {"scope": ""}),
        (Consent, {"portrait_id": 999_999}),
        (Consent, {"valid_from": START, "valid_until": START}),
        (Consent, {"valid_from": START, "valid_until": START - timedelta(days=1)}),
        (Production, {"id": ""}),
        (Production, {"source_sha256": ""}),
        (Production, {"source_kind": "rumour"}),
        (Production, {"layout": "sideways"}),
        (Production, {"aspect": "4:3"}),
        (Production, {"state": "asleep"}),
        (Casting, {"speaker": ""}),
        (Casting, {"reason": ""}),
        (Casting, {"score": 1.1}),
        (Casting, {"score": -0.1}),
        (Casting, {"portrait_id": 999_999}),
        (Casting, {"production_id": "nowhere"}),
        (Rendition, {"state": "asleep"}),
        (Rendition, {"state": "done"}),
        (Rendition, {"state": "done", "finished_at": START}),
        (Rendition, {"state": "running", "finished_at": START}),
        (Rendition, {"duration_s": 0.0}),
        (Rendition, {"production_id": "nowhere"}),
        (Segment, {"turn_index": -1}),
        (Segment, {"key": "abc"}),
        (Segment, {"frames": -1}),
        (Segment, {"seconds_of_work": -1.0}),
        (Segment, {"state": "asleep"}),
        (Segment, {"state": "failed"}),
        (Segment, {"error": "no reason"}),
        (Segment, {"rendition_id": 999_999}),
    ],
)
def test_the_database_refuses(furnished: Session, table: type[Base], change: dict[str, Any]) -> None:
    one = update(table).values(**change)
    if table is Portrait:
        one = one.where(Portrait.slug == "ann")
    if table is Production:
        one = one.where(Production.id == "other")
    if table is Consent:
        one = one.where(Consent.portrait_id == _id(furnished, "ann"))
    with pytest.raises(IntegrityError):
        furnished.execute(one)
        furnished.commit()


def test_two_portraits_cannot_have_one_name(furnished: Session) -> None:
    with pytest.raises(IntegrityError):
        furnished.execute(update(Portrait).where(Portrait.slug == "bob").values(slug="ann"))


def test_one_picture_cannot_be_in_use_twice(furnished: Session) -> None:
    same = {"content_sha256": facts("ann").content_sha256}
    furnished.execute(update(Portrait).where(Portrait.slug == "bob").values(retired_at=START, **same))
    with pytest.raises(IntegrityError):
        furnished.execute(update(Portrait).where(Portrait.slug == "bob").values(retired_at=None))


def test_two_speakers_of_a_production_cannot_have_one_portrait(furnished: Session) -> None:
    row = {"portrait_id": _id(furnished, "ann"), "speaker": "Bob", "voice": {}, "reason": "why not", "score": 1.0}
    furnished.execute(insert(Casting).values(production_id="other", **row))
    with pytest.raises(IntegrityError):
        furnished.execute(insert(Casting).values(production_id="talk", **row))


def test_a_turn_has_one_segment_and_a_language_one_rendition(furnished: Session) -> None:
    for table, names in ((Segment, ("id",)), (Rendition, ("id",))):
        row = dict(furnished.execute(select(table.__table__)).mappings().one())
        with pytest.raises(IntegrityError), furnished.begin_nested():
            furnished.execute(insert(table).values({key: value for key, value in row.items() if key not in names}))


def test_a_production_takes_its_castings_renditions_and_segments_with_it(furnished: Session) -> None:
    furnished.execute(delete(Production).where(Production.id == "talk"))
    for table in (Casting, Rendition, Segment):
        assert furnished.scalar(select(func.count()).select_from(table)) == 0
    assert furnished.scalar(select(func.count()).select_from(Portrait)) == 2


@pytest.mark.parametrize("slug", ["ann", "bob"])
def test_a_portrait_that_is_cast_or_has_a_consent_cannot_be_deleted(furnished: Session, slug: str) -> None:
    if slug == "ann":
        furnished.execute(delete(Consent))
    with pytest.raises(IntegrityError):
        furnished.execute(delete(Portrait).where(Portrait.slug == slug))


def test_text_of_every_script_is_kept(session: Session) -> None:
    title = 'Ünïcode · हिन्दी · 日本語 · 🎬 · it\'s "quoted" · 100% \\ ;--' * 20
    produce(session, title=title)
    portrait = add_portrait(session, facts("ann", name=title, attributes={"note": title, "nested": {"a": [1, None]}}))
    session.commit()
    session.expire_all()
    assert session.get_one(Production, "talk").title == title
    assert portrait.name == title
    assert portrait.attributes == {"note": title, "nested": {"a": [1, None]}, "languages": []}
