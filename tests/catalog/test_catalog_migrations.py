"""Migrations: up, down, up again, and the same tables as the models describe."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sample_catalog import furnish, key_of
from sqlalchemy import Engine, create_engine, func, inspect, select

from catalog.campaigns import NewRow, open_campaign, queue
from catalog.casting import CastingRequest, cast_speakers
from catalog.migrations import HEAD, VERSION_TABLE
from catalog.productions import record_segment, start_rendition
from catalog.session import _MIGRATIONS, current_revision, downgrade, open_catalog, session_factory, upgrade
from catalog.tables import Base


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
