"""What the processes of the concurrency tests do. In a module of its own, so that they can import it by name."""

import random

from sample_catalog import everybody, facts, key_of, produce

from catalog.casting import CastingDecision, CastingRequest, cast_speakers
from catalog.portraits import add_portrait, seed
from catalog.productions import finish_rendition, record_segment, start_rendition
from catalog.session import open_catalog, session_factory

TURNS = 16


def open_and_seed(number: int, url: str) -> int:
    engine = open_catalog(url)
    some = everybody()
    random.Random(number).shuffle(some)
    with session_factory(engine).begin() as session:
        added = seed(session, some)
    with session_factory(engine).begin() as session:
        add_portrait(session, facts("everybodys"))
        add_portrait(session, facts(f"my-own-{number}"))
    engine.dispose()
    return added


def cast(number: int, url: str) -> tuple[list[CastingDecision], list[CastingDecision]]:
    engine = open_catalog(url)
    speakers = [CastingRequest(name) for name in ("Ann", "Bob", "Cy", "Dee", "Eve")]
    random.Random(number).shuffle(speakers)
    with session_factory(engine).begin() as session:
        produce(session, "shared")
        shared = cast_speakers(session, "shared", speakers)
    with session_factory(engine).begin() as session:
        produce(session, f"own {number}")
        own = cast_speakers(session, f"own {number}", speakers)
    engine.dispose()
    return sorted(shared, key=lambda one: one.speaker), own


def render(number: int, url: str) -> None:
    engine = open_catalog(url)
    for turn in (number, (number + 7) % TURNS):
        with session_factory(engine).begin() as session:
            produce(session, "shared")
            rendition = start_rendition(session, "shared", "en", turns=TURNS)
            record_segment(
                session,
                rendition.id,
                turn_index=turn,
                speaker="Ann",
                key=key_of(f"turn {turn}"),
                state="rendered",
                frames=10,
                seconds_of_work=1.0,
            )
    with session_factory(engine).begin() as session:
        finish_rendition(session, rendition.id, state="done", video_path="out/shared.en.mp4", duration_s=8.0)
    engine.dispose()
