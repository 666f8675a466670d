"""Migrations: up, down, up again, and the same tables as the models describe."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sample_catalog import facts, furnish, key_of
from sqlalchemy import Engine, create_engine, func, inspect, select

from catalog.campaigns import NewRow, open_campaign, queue
from catalog.casting import CastingRequest, cast_speakers, list_castings
from catalog.migrations import HEAD, VERSION_TABLE
from catalog.portraits import ConsentFacts, add_consent, add_portrait, find_portrait, list_portraits
from catalog.productions import record_segment, start_rendition
from catalog.rights import Shown, record_appearances
from catalog.session import _MIGRATIONS, current_revision, downgrade, open_catalog, session_factory, upgrade
from catalog.tables import Base, Consent, Portrait, ShowMember, ShowSpeaker, now


def revisions() -> list[str]:
    """Every revision, the newest first."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]


def furnish_every_table(engine: Engine) -> None:
    with session_factory(engine).begin() as session:
        furnish(session)
        cast_speakers(session, "talk", [CastingRequest("Ann"), CastingRequest("Bob")])
        rendition = start_rendition(session, "talk", "en")
        record_segment(session, rendition.id, turn_index=0, speaker="Ann", key=key_of("a"), state="planned")
        shown = [Shown(one.speaker, one.portrait_slug) for one in list_castings(session, "talk")]
        record_appearances(
            session, shown, production_id="talk", language="en", video="talk.mp4", video_key="videos/1.mp4"
        )
        member = ShowMember(show="news", name="Ann", portrait_id=find_portrait(session, shown[0].portrait).id)
        session.add(member)
        session.flush()
        session.add(
            ShowSpeaker(
                production_id="talk", speaker="Ann", member_id=member.id, how="new", embedding=[0.6, 0.8],
                embedding_model="dvector", seconds=3.0,
            )
        )  # fmt: skip
        campaign = open_campaign(session, "spring", webhook_url="https://example.org/hook")
        queue(session, campaign, [NewRow("a", 1, key_of("a"), {"source": "talk.txt"}, "out")])


def rows(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


def test_the_newest_revision_is_the_one_that_the_program_expects() -> None:
    assert revisions()[0] == HEAD


def test_migrations_make_what_the_models_describe(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "version_table": VERSION_TABLE}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_migrations_make_the_same_constraints_as_the_models(engine: Engine, empty_url: str) -> None:
    """Alembic's comparison does not look at checks and delete rules; two databases side by side show them."""
    direct = create_engine(empty_url.replace("postgresql://", "postgresql+psycopg://"))
    Base.metadata.create_all(direct)
    for table in Base.metadata.tables:
        for look in ("get_check_constraints", "get_foreign_keys", "get_unique_constraints", "get_pk_constraint"):
            migrated, described = (getattr(inspect(one), look)(table) for one in (engine, direct))
            assert sorted(map(repr, migrated)) == sorted(map(repr, described)), f"{look} of {table}"
        assert inspect(engine).get_check_constraints(table), f"{table} has no checks"
    direct.dispose()


def test_every_revision_can_be_left_and_reached_again_with_data_in_the_tables(empty_url: str) -> None:
    engine = open_catalog(empty_url)
    furnish_every_table(engine)
    before = rows(engine)
    assert min(before.values()) > 0
    upgrade(engine)
    assert rows(engine) == before
    for revision in [*revisions()[1:], "base"]:
        downgrade(engine, revision)
        assert current_revision(engine) == (None if revision == "base" else revision)
    assert set(inspect(engine).get_table_names()) <= {VERSION_TABLE}
    for revision in reversed(revisions()):
        upgrade(engine, revision)
        assert current_revision(engine) == revision
    assert set(rows(engine).values()) == {0}
    furnish_every_table(engine)
    assert rows(engine) == before
    engine.dispose()


def test_a_migration_that_fails_midway_leaves_nothing_of_itself(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import op

    create_index = op.create_index
    calls = []

    def fail_late(*arguments: object, **options: object) -> object:
        calls.append(arguments)
        if len(calls) == 4:
            raise OSError("No space left on device")
        return create_index(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(op, "create_index", fail_late)
    with pytest.raises(Exception, match="No space left on device"):
        open_catalog(empty_url)
    monkeypatch.undo()
    bare = create_engine(empty_url.replace("postgresql://", "postgresql+psycopg://"))
    assert inspect(bare).get_table_names() == []
    bare.dispose()
    open_catalog(empty_url).dispose()


def test_every_revision_is_reached_from_every_other_with_its_data(empty_url: str) -> None:
    """What both revisions know stays; what only the newer one knows is never taken for a wider permission."""
    engine = open_catalog(empty_url)
    furnish_every_table(engine)
    with session_factory(engine).begin() as session:
        for slug, limits in (
            ("narrow", {"purposes": ["training"]}),
            ("in-german", {"languages": ["de"]}),
            ("wide", {}),
        ):
            portrait = add_portrait(session, facts(slug, consent=None))
            add_consent(session, portrait, ConsentFacts(subject=slug, **limits))
        add_portrait(session, facts("licensed", licence_regions=["DE"]))
    before = rows(engine)
    downgrade(engine, "0001")
    upgrade(engine)
    kept = {"portraits", "consents", "productions", "castings", "renditions", "segments"}
    assert {name: count for name, count in rows(engine).items() if name in kept} == {
        name: count for name, count in before.items() if name in kept
    }
    with session_factory(engine)() as session:
        revoked = select(Portrait.slug).join(Consent).where(Consent.revoked_at.is_not(None)).order_by(Portrait.slug)
        assert session.scalars(revoked).all() == ["in-german", "narrow"]
        assert find_portrait(session, "licensed").retired_at is not None
        assert "wide" in [one.slug for one in list_portraits(session, usable_at=now())]
    engine.dispose()
