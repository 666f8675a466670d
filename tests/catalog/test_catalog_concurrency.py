"""Sixteen processes do the same thing at the same moment: nothing is lost, nothing doubled, nobody is turned away."""

from catalog_work import TURNS, cast, open_and_seed, render
from sample_catalog import at_once, everybody, url_of
from sqlalchemy import Engine, func, select

from catalog.casting import list_castings
from catalog.portraits import seed
from catalog.productions import rendition_state
from catalog.session import open_catalog, session_factory
from catalog.tables import Casting, Consent, Portrait, Production, Segment

PROCESSES = 16


def test_a_new_catalog_can_be_opened_and_seeded_by_all_at_once(empty_url: str) -> None:
    added = at_once(PROCESSES, open_and_seed, empty_url)
    assert sum(added) == len(everybody())
    engine = open_catalog(empty_url)
    with session_factory(engine, read_only=True)() as session:
        expected = len(everybody()) + 1 + PROCESSES
        assert session.scalar(select(func.count()).select_from(Portrait)) == expected
        assert session.scalar(select(func.count()).select_from(Consent)) == expected
        assert session.scalar(select(func.count(Consent.portrait_id.distinct()))) == expected
    engine.dispose()


def test_one_production_cast_by_all_at_once_is_cast_once(engine: Engine) -> None:
    with session_factory(engine).begin() as session:
        seed(session, everybody())
    answers = at_once(PROCESSES, cast, url_of(engine))
    with session_factory(engine, read_only=True)() as session:
        stored = list_castings(session, "shared")
        assert all(shared == stored for shared, _ in answers)
        assert session.scalar(select(func.count()).select_from(Casting)) == 5 * (1 + PROCESSES)
        assert session.scalar(select(func.count()).select_from(Production)) == 1 + PROCESSES
    assert len({one.portrait_id for one in stored}) == 5
    assert all(len({one.portrait_id for one in own}) == 5 for _, own in answers)


def test_one_rendition_recorded_by_all_at_once_has_every_turn_once(engine: Engine) -> None:
    at_once(PROCESSES, render, url_of(engine))
    with session_factory(engine, read_only=True)() as session:
        state = rendition_state(session, "shared", "en")
        assert session.scalars(select(Segment.turn_index).order_by(Segment.turn_index)).all() == list(range(TURNS))
    assert state is not None
    assert state.state == "done"
    assert (state.rendered, state.seconds_of_work) == (TURNS, TURNS * 1.0)
