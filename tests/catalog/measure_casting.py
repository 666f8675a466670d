"""How long a cast takes in a large catalog: `python -m tests.catalog.measure_casting URL [PORTRAITS] [SPEAKERS]`.

Fills a catalog at URL with portraits and consents, casts new productions, and prints milliseconds: of the clock, which
other programs on the machine make longer, and of this process's own work. A PostgreSQL server works in processes of its own.
"""

import hashlib
import itertools
import os
import statistics
import sys
import time
import uuid

from catalog.casting import CastingRequest, CastingRules, cast_speakers
from catalog.portraits import ConsentFacts, PortraitFacts, seed
from catalog.productions import open_production
from catalog.rights import Use
from catalog.session import open_catalog, session_factory
from catalog.tables import AGE_BANDS, PRESENTATIONS

ROUNDS = 50
LANGUAGES = ([], ["en"], ["es", "pt-BR"], ["hi"])


def portraits(count: int) -> list[PortraitFacts]:
    """All kinds of portraits; every third consent is limited, and every tenth covers nothing asked here."""
    limits = ({}, {}, {"purposes": ["advertising", "training"], "languages": ["en", "es", "hi"]})
    kinds = itertools.cycle(itertools.product(PRESENTATIONS, AGE_BANDS, LANGUAGES, ("photo", "illustrated"), range(5)))
    found = []
    for number, (presentation, age, languages, style, look) in zip(range(count), kinds, strict=False):
        some = {"purposes": ["editorial"]} if number % 10 == 9 else limits[number % 3]
        found.append(
            PortraitFacts(
                slug=f"portrait-{number}",
                name=f"Portrait {number}",
                image_key=f"portraits/{number}.png",
                content_sha256=hashlib.sha256(str(number).encode()).hexdigest(),
                width=512,
                height=512,
                face=(0.2, 0.1, 0.8, 0.9),
                licence="CC0-1.0",
                source="made up",
                presentation=presentation,
                age_band=age,
                skin=f"skin {look}",
                hair=f"hair {number % 7}",
                style=style,
                attributes={"languages": languages, "tags": ["brand-x"] if number % 4 == 0 else []},
                consent=ConsentFacts(subject=f"Person {number}", **some),
            )
        )
    return found


def requests(count: int, round_: int) -> list[CastingRequest]:
    return [
        CastingRequest(
            speaker=f"Speaker {number}",
            gender=(None, *PRESENTATIONS)[(number + round_) % 4],
            age=(None, *AGE_BANDS)[number % 4],
            pitch_class=("low", "mid", "high", None)[number % 4],
            language="en",
            style="photo",
            tags=("brand-x",),
        )
        for number in range(count)
    ]


def measure(url: str, count: int, speakers: int) -> list[tuple[float, float]]:
    """Milliseconds passed and worked in every round: from the beginning of the transaction to after its commit."""
    engine = open_catalog(url)
    with session_factory(engine).begin() as session:
        seed(session, portraits(count))
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
    figures = []
    run = uuid.uuid4().hex
    for round_ in range(ROUNDS + 1):
        name = f"production {run} {round_}"
        with session_factory(engine).begin() as session:
            open_production(
                session, id=name, title=name, source_name=name, source_sha256="0" * 64, source_kind="script"
            )
        began, worked = time.perf_counter(), time.process_time()
        with session_factory(engine).begin() as session:
            rules = CastingRules(Use("training", languages=("en", "es")))
            cast_speakers(session, name, requests(speakers, round_), rules)
        figures.append((1000 * (time.perf_counter() - began), 1000 * (time.process_time() - worked)))
    engine.dispose()
    return figures


if __name__ == "__main__":
    count, speakers = (int(one) for one in [*sys.argv[2:], "10000", "8"][:2])
    first, *others = measure(sys.argv[1], count, speakers)  # the first one also puts the query together
    passed, worked = zip(*others, strict=True)
    print(
        f"{speakers} of {count}: median {statistics.median(passed):.0f} ms, of which {statistics.median(worked):.0f} ms are "
        f"this process's work; quickest {min(passed):.0f} ms, slowest of {len(passed)} {max(passed):.0f} ms, "
        f"first {first[0]:.0f} ms; load {os.getloadavg()[0]:.0f}"
    )
