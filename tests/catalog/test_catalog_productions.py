"""Productions, renditions and segments: what is on record after a run, a second run, and a run that was killed."""

from typing import Any

import pytest
from sample_catalog import furnish, key_of, produce
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.casting import CastingRequest, cast_speakers, list_castings
from catalog.productions import (
    FailedTurn,
    finish_rendition,
    list_productions,
    record_segment,
    rendition_state,
    start_rendition,
)
from catalog.tables import Production, Rendition, Segment
from media.errors import InputError


def render(session: Session, rendition: Rendition, turn: int, **changes: Any) -> Segment:
    values: dict[str, Any] = {
        "turn_index": turn,
        "speaker": "Ann",
        "key": key_of(f"turn {turn}"),
        "state": "rendered",
        "frames": 25,
        "seconds_of_work": 2.0,
    }
    return record_segment(session, rendition.id, **(values | changes))


def test_a_production_is_made_once_and_brought_up_to_date_after(session: Session) -> None:
    first = produce(session, "talk", title="Draft")
    created, updated = first.created_at, first.updated_at
    again = produce(session, "talk", title="Final", layout="gallery", aspect="9:16", source_language="hi")
    assert again is first
    assert (again.title, again.layout, again.aspect, again.source_language) == ("Final", "gallery", "9:16", "hi")
    assert again.created_at == created
    assert again.updated_at > updated
    assert session.scalar(select(func.count()).select_from(Production)) == 1


def test_opening_a_production_again_keeps_its_state_castings_and_renditions(session: Session) -> None:
    furnish(session)
    castings = cast_speakers(session, "talk", [CastingRequest("Ann")])
    finish_rendition(session, start_rendition(session, "talk", "en").id, state="failed", error="no reason")
    assert produce(session, "talk").state == "failed"
    assert list_castings(session, "talk") == castings
    assert rendition_state(session, "talk", "en") is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source_kind": "rumour"}, "source kind 'rumour' is not one of script, recording"),
        ({"layout": "sideways"}, "layout 'sideways'"),
        ({"aspect": "4:3"}, "aspect '4:3'"),
    ],
)
def test_a_production_that_cannot_be_is_refused(session: Session, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        produce(session, "talk", **changes)


def test_a_rendition_goes_from_running_to_done(session: Session) -> None:
    produce(session)
    assert rendition_state(session, "talk", "en") is None
    rendition = start_rendition(session, "talk", "en")
    assert session.get_one(Production, "talk").state == "running"
    for turn in range(3):
        render(session, rendition, turn, state="planned", frames=0, seconds_of_work=0.0)
    render(session, rendition, 0)
    render(session, rendition, 1, cached=True, seconds_of_work=0.0)
    state = rendition_state(session, "talk", "en")
    assert state is not None
    assert (state.state, state.planned, state.rendered, state.cached) == ("running", 1, 2, 1)
    assert state.seconds_of_work == 2.0
    render(session, rendition, 2, seconds_of_work=0.5)
    finish_rendition(session, rendition.id, state="done", video_path="out/talk.en.mp4", duration_s=12.5)
    state = rendition_state(session, "talk", "en")
    assert state is not None
    assert (state.state, state.planned, state.rendered, state.cached) == ("done", 0, 3, 1)
    assert (state.video_path, state.duration_s, state.seconds_of_work) == ("out/talk.en.mp4", 12.5, 2.5)
    assert state.finished_at is not None
    assert state.finished_at >= state.started_at
    assert session.get_one(Production, "talk").state == "done"


def test_an_incomplete_rendition_names_the_turns_that_failed(session: Session) -> None:
    produce(session)
    rendition = start_rendition(session, "talk", "en")
    render(session, rendition, 4, state="failed", error="out of memory", frames=0)
    render(session, rendition, 0)
    render(session, rendition, 2, state="failed", error="no face", speaker="Bob", frames=0)
    finish_rendition(session, rendition.id, state="incomplete", error="2 of 3 segments failed")
    state = rendition_state(session, "talk", "en")
    assert state is not None
    assert state.failures == (FailedTurn(2, "Bob", "no face"), FailedTurn(4, "Ann", "out of memory"))
    assert (state.state, state.error, state.video_path) == ("incomplete", "2 of 3 segments failed", None)


def test_starting_again_after_a_kill_goes_on_from_what_is_on_record(session: Session) -> None:
    produce(session)
    rendition = start_rendition(session, "talk", "en", turns=2)
    render(session, rendition, 0)
    session.commit()
    again = start_rendition(session, "talk", "en", turns=2)
    assert again.id == rendition.id
    for turn in range(2):
        render(session, again, turn, state="planned", frames=0, seconds_of_work=0.0)
    render(session, again, 0, cached=True, seconds_of_work=0.0)
    render(session, again, 1, seconds_of_work=3.0)
    state = rendition_state(session, "talk", "en")
    assert state is not None
    assert (state.rendered, state.cached, state.planned) == (2, 1, 0)
    assert state.seconds_of_work == 5.0, "what the first run spent on the clip is not forgotten"


def test_a_clip_that_is_rendered_anew_counts_anew(session: Session) -> None:
    produce(session)
    rendition = start_rendition(session, "talk", "en")
    render(session, rendition, 0)
    changed = render(session, rendition, 0, key=key_of("another line"), seconds_of_work=1.0)
    assert (changed.seconds_of_work, changed.key) == (1.0, key_of("another line"))
    assert render(session, rendition, 0, key=key_of("a third"), cached=True, seconds_of_work=0.0).seconds_of_work == 0


def test_segments_of_turns_that_are_gone_are_dropped(session: Session) -> None:
    produce(session)
    rendition = start_rendition(session, "talk", "en", turns=5)
    for turn in range(5):
        render(session, rendition, turn)
    start_rendition(session, "talk", "en", turns=3)
    assert session.scalars(select(Segment.turn_index).order_by(Segment.turn_index)).all() == [0, 1, 2]


def test_the_last_video_stays_on_record_until_there_is_a_new_one(session: Session) -> None:
    produce(session)
    rendition = start_rendition(session, "talk", "en")
    finish_rendition(session, rendition.id, state="done", video_path="out/talk.en.mp4", duration_s=9.0)
    again = start_rendition(session, "talk", "en")
    assert (again.state, again.video_path, again.finished_at) == ("running", "out/talk.en.mp4", None)
    failed = finish_rendition(session, rendition.id, state="failed", error="disk full")
    assert (failed.state, failed.video_path, failed.duration_s) == ("failed", "out/talk.en.mp4", 9.0)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["done", "done"], "done"),
        (["done", "failed"], "incomplete"),
        (["incomplete", "done"], "incomplete"),
        (["failed", "failed"], "failed"),
        (["done", "running"], "running"),
        (["running", "failed"], "running"),
    ],
)
def test_the_state_of_a_production_follows_its_renditions(session: Session, states: list[str], expected: str) -> None:
    produce(session)
    for language, state in zip(("en", "hi"), states, strict=True):
        rendition = start_rendition(session, "talk", language)
        if state != "running":
            finish_rendition(session, rendition.id, state=state, video_path="talk.mp4" if state == "done" else None)
    assert session.get_one(Production, "talk", populate_existing=True).state == expected


def test_what_does_not_fit_is_refused_in_one_sentence(session: Session) -> None:
    produce(session)
    rendition = start_rendition(session, "talk", "en")
    with pytest.raises(InputError, match="no production 'nothing'"):
        start_rendition(session, "nothing", "en")
    with pytest.raises(InputError, match="rendition state 'running' is not one of done, incomplete, failed"):
        finish_rendition(session, rendition.id, state="running")
    with pytest.raises(InputError, match="cannot be done without a video"):
        finish_rendition(session, rendition.id, state="done")
    with pytest.raises(InputError, match="no rendition 4711"):
        finish_rendition(session, 4711, state="failed")
    with pytest.raises(InputError, match="segment state 'done'"):
        render(session, rendition, 0, state="done")


def test_productions_are_listed_with_the_last_changed_first(session: Session) -> None:
    for name in ("a", "b", "c"):
        produce(session, name)
    start_rendition(session, "a", "en")
    assert [one.id for one in list_productions(session)] == ["a", "c", "b"]
    assert [one.id for one in list_productions(session, limit=2)] == ["a", "c"]
    assert [one.id for one in list_productions(session, state="planned")] == ["c", "b"]
    with pytest.raises(InputError, match="state 'asleep'"):
        list_productions(session, state="asleep")
