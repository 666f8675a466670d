"""What a portrait may be used for, where it was used, and the trail of changes that nobody can change."""

import multiprocessing
import sqlite3
from datetime import timedelta
from typing import Any

import pytest
from sample_catalog import empty, facts, furnish, produce, url_of
from sqlalchemy import Engine, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from catalog.casting import CastingRequest, CastingRules, cast_speakers
from catalog.portraits import (
    ConsentFacts,
    add_consent,
    add_portrait,
    find_portrait,
    list_portraits,
    retire,
    revoke_consent,
)
from catalog.productions import finish_rendition, start_rendition
from catalog.rights import (
    ANY_USE,
    Shown,
    Use,
    changed,
    list_appearances,
    list_changes,
    record_appearances,
    record_moved,
    require_rights,
    use_of,
)
from catalog.session import actor, open_catalog, session_factory
from catalog.tables import Portrait, now
from media.errors import InputError, RightsError


def ann(session: Session, *consents: dict[str, Any], **changes: Any) -> Portrait:
    portrait = add_portrait(session, facts("ann", consent=None, **changes))
    for one in consents or ({},):
        add_consent(session, portrait, ConsentFacts(subject="Ann Lee", **one))
    return portrait


def publish(session: Session, video: str = "out/talk.en.mp4", language: str = "en", use: Use = ANY_USE) -> None:
    record_appearances(
        session, [Shown("Ann", "ann")], production_id="talk", language=language, video=video, video_key="videos/1.mp4",
        use=use,
    )  # fmt: skip


ADVERTISING = {"purposes": ["Advertising"]}


@pytest.mark.parametrize(
    ("consent", "licence", "use", "refusal"),
    [
        ({}, {}, Use("advertising", "DE", ("en", "hi")), None),
        (ADVERTISING, {}, Use("advertising"), None),
        (ADVERTISING, {}, Use("training"), "covers purpose advertising and not training"),
        (ADVERTISING, {}, Use(), "covers only purpose advertising; say with --purpose"),
        ({"regions": ["de", "AT"]}, {}, Use(region="AT"), None),
        ({"regions": ["de", "AT"]}, {}, Use(region="CH"), "covers region AT, DE and not CH"),
        ({"regions": ["de", "AT"]}, {}, Use(), "covers only region AT, DE; say with --region"),
        ({"languages": ["pt", "en-GB"]}, {}, Use(languages=("pt-BR", "en-GB")), None),
        ({"languages": ["pt", "en-GB"]}, {}, Use(languages=("pt-BR", "en")), "covers language en-gb, pt and not en;"),
        ({"languages": ["pt"]}, {}, Use(languages=("und",)), "covers language pt and not und"),
        ({"languages": ["pt"]}, {}, Use(), None),
        ({}, {"licence_purposes": ["editorial"]}, Use("editorial"), None),
        ({}, {"licence_purposes": ["editorial"]}, Use("advertising"), "its licence covers purpose editorial and not"),
        ({}, {"licence_regions": ["US"]}, Use(), "its licence covers only region US"),
        ({}, {"licence_until": now() + timedelta(days=1)}, Use(), None),
        ({}, {"licence_until": now() - timedelta(days=1)}, Use(), "its licence ended on"),
    ],
)  # fmt: skip
def test_a_portrait_is_used_only_for_what_licence_and_consent_cover(
    session: Session, consent: dict[str, Any], licence: dict[str, Any], use: Use, refusal: str | None
) -> None:
    portrait = ann(session, consent, **licence)
    assert [one.slug for one in list_portraits(session, usable_at=now(), use=use)] == ([] if refusal else ["ann"])
    produce(session)
    if refusal is None:
        require_rights(session, portrait, use=use)
        assert cast_speakers(session, "talk", [CastingRequest("Ann")], CastingRules(use=use))[0].portrait_slug == "ann"
        return
    with pytest.raises(RightsError, match=f"'ann' may not be used: .*{refusal}"):
        require_rights(session, portrait, use=use)
    with pytest.raises(RightsError, match=f"casting of 'Ann': .*{refusal}"):
        cast_speakers(session, "talk", [CastingRequest("Ann", wish="ann")], CastingRules(use=use))
    with pytest.raises(InputError, match="only 0 may be used"):
        cast_speakers(session, "talk", [CastingRequest("Ann")], CastingRules(use=use))


def test_two_consents_may_cover_two_languages_but_not_half_a_use_each(session: Session) -> None:
    portrait = ann(session, {"languages": ["en"]}, {"languages": ["es"], "purposes": ["training"]})
    require_rights(session, portrait, use=Use("training", languages=("en", "es")))
    with pytest.raises(RightsError, match="not"):
        require_rights(session, portrait, use=Use("advertising", languages=("en", "es")))


@pytest.mark.parametrize(("purpose", "region"), [("for fun!", None), (None, "Germany"), ("%", None), (None, "_")])
def test_a_use_that_means_nothing_is_refused(session: Session, purpose: str | None, region: str | None) -> None:
    with pytest.raises(InputError, match="must be"):
        use_of(purpose, region)
    with pytest.raises(InputError, match="must be"):
        ann(session, {"purposes": [purpose] if purpose else [], "regions": [region] if region else []})


def test_a_video_is_put_on_record_once_with_the_consent_on_which_it_rests(session: Session) -> None:
    portrait = ann(session, ADVERTISING, {"languages": ["es"]})
    produce(session)
    for _ in range(2):
        publish(session, language="es")
    found = list_appearances(session, portrait="ann")
    assert [(one.video, one.language, one.subject, one.today) for one in found] == [
        ("out/talk.en.mp4", "es", "Ann Lee", "holds")
    ]
    rests_on = portrait.consents[1].id
    assert found[0].consent == rests_on
    assert list_appearances(session, consent=rests_on) == found == list_appearances(session, subject="ann lee")
    assert list_appearances(session, consent=portrait.consents[0].id) == []
    assert list_appearances(session, subject="Bob") == []
    revoke_consent(session, rests_on)
    assert list_appearances(session)[0].today == f"revoked on {now():%Y-%m-%d}"


@pytest.mark.parametrize("stop", ["revoke", "retire"])
def test_nothing_is_published_once_the_right_is_gone(session: Session, stop: str) -> None:
    portrait = ann(session)
    produce(session)
    if stop == "revoke":
        revoke_consent(session, portrait.consents[0].id)
    else:
        retire(session, "ann")
    with pytest.raises(RightsError, match=r"talk\.en\.mp4 is not published: portrait 'ann' may not be used"):
        publish(session)
    assert list_appearances(session) == []


def test_a_video_that_waited_is_recorded_where_it_goes_unless_the_right_is_gone(session: Session) -> None:
    portrait = ann(session, ADVERTISING, {})
    produce(session)
    publish(session, video="out/.unpublished/a/talk.en.mp4")
    assert [one.video for one in list_appearances(session)] == ["out/.unpublished/a/talk.en.mp4"]
    record_moved(session, "talk", "out/.unpublished/a", "out/a")
    assert [one.video for one in list_appearances(session)] == ["out/a/talk.en.mp4"]  # one video, which moved
    revoke_consent(session, portrait.consents[1].id)
    with pytest.raises(RightsError, match=r"out/b/talk\.en\.mp4 is not published"):
        record_moved(session, "talk", "out/.unpublished/a", "out/b")


def test_videos_from_before_appearances_were_recorded_are_listed_too(session: Session) -> None:
    ann(session)
    produce(session)
    cast_speakers(session, "talk", [CastingRequest("Ann")])
    rendition = start_rendition(session, "talk", "en", 1)
    finish_rendition(session, rendition.id, state="done", video_path="old.mp4", duration_s=1.0)
    [found] = list_appearances(session, subject="Ann Lee")
    assert (found.video, found.portrait, found.consent) == ("old.mp4", "ann", None)
    publish(session, video="old.mp4")
    assert [one.consent is not None for one in list_appearances(session, portrait="ann")] == [True]


def test_the_trail_says_who_changed_what(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(session, facts("bob"))
    portrait = ann(session)
    cast_speakers(session, "talk", [CastingRequest("Ann", wish="ann")])
    revoke_consent(session, portrait.consents[0].id)
    session.execute(update(Portrait).where(Portrait.slug == "ann").values(name="Ann"))  # nothing new
    session.execute(update(Portrait).where(Portrait.slug == "ann").values(licence="none"))
    session.commit()
    entries = list_changes(session, portrait="ann")
    assert [(one.action, one.table_name) for one in reversed(entries)] == [
        ("insert", "portraits"),
        ("insert", "consents"),
        ("insert", "castings"),
        ("update", "consents"),
        ("update", "portraits"),
    ]
    assert changed(entries[0]) == {"licence": ("Apache-2.0, drawn by Portrayal", "none")}
    assert list(changed(entries[1])) == ["revoked_at"]
    assert all(one.actor.startswith(actor()) and abs(now() - one.at) < timedelta(minutes=5) for one in entries)
    assert entries[-1].after is not None and entries[-1].after["attributes"] == {"languages": []}
    assert len(list_changes(session)) > len(entries) > len(list_changes(session, limit=1)) == 1


@pytest.mark.parametrize("table", ["audit_trail", "appearances"])
@pytest.mark.parametrize("change", ["UPDATE {} SET at = at", "DELETE FROM {}", "all at once"])
def test_what_is_on_record_cannot_be_changed_by_any_program(engine: Engine, table: str, change: str) -> None:
    if change == "all at once":
        sqlite = engine.dialect.name == "sqlite"
        change = "INSERT OR REPLACE INTO {} SELECT * FROM {}" if sqlite else "TRUNCATE {}"
    with session_factory(engine).begin() as session:
        ann(session)
        produce(session)
        publish(session)
    with pytest.raises(IntegrityError, match="never changed or deleted"), engine.begin() as connection:
        connection.execute(text(change.replace("{}", table)))
    with engine.connect() as connection:
        assert connection.scalar(text(f"SELECT count(*) FROM {table}")) > 0


def test_a_portrait_and_a_consent_that_a_video_rests_on_cannot_be_deleted(session: Session) -> None:
    ann(session)
    produce(session)
    publish(session)
    session.commit()
    for table in ("consents", "portraits"):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text(f"DELETE FROM {table}"))


def test_who_does_not_say_who_they_are_cannot_change_rights_on_sqlite(sqlite_engine: Engine) -> None:
    with session_factory(sqlite_engine).begin() as session:
        ann(session)
    stranger = sqlite3.connect(str(sqlite_engine.url.database))
    with pytest.raises(sqlite3.OperationalError, match="portrayal_actor"):
        stranger.execute("UPDATE consents SET revoked_at = NULL, subject = 'me'")
    stranger.close()
    empty(sqlite_engine)


def _revoke(url: str, consent: int, sent: Any) -> None:
    engine = open_catalog(url)
    sent.send("ready")
    with session_factory(engine).begin() as session:
        revoke_consent(session, consent)
    sent.send("revoked")
    engine.dispose()


def test_a_revocation_waits_for_a_video_that_is_being_published_and_then_finds_it(engine: Engine) -> None:
    with session_factory(engine).begin() as session:
        consent = ann(session).consents[0].id
        produce(session)
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=_revoke, args=(url_of(engine), consent, theirs))
    with session_factory(engine).begin() as session:
        publish(session)
        process.start()
        assert ours.poll(60) and ours.recv() == "ready"
        assert not ours.poll(0.5), "revoked while the video was on its way"
    assert ours.poll(60) and ours.recv() == "revoked"
    process.join()
    with session_factory(engine, read_only=True)() as session:
        assert [one.today[:7] for one in list_appearances(session, consent=consent)] == ["revoked"]
        assert find_portrait(session, "ann").consents[0].revoked_at is not None
