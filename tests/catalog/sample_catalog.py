"""Portraits and productions for the tests of the catalog, and a way to do one thing in many processes at once."""

import hashlib
import itertools
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog.portraits import NO_REAL_PERSON, PortraitFacts, seed
from catalog.productions import open_production
from catalog.tables import Base, Production


def facts(slug: str, **changes: Any) -> PortraitFacts:
    """A portrait that may be used, unlike any other in content."""
    values: dict[str, Any] = {
        "slug": slug,
        "name": slug.replace("-", " ").title(),
        "image_key": f"portraits/{slug}.png",
        "content_sha256": hashlib.sha256(slug.encode()).hexdigest(),
        "width": 256,
        "height": 256,
        "face": (0.25, 0.125, 0.75, 0.875),
        "licence": "Apache-2.0, drawn by Portrayal",
        "source": "drawn for a test",
        "consent": NO_REAL_PERSON,
    }
    return PortraitFacts(**(values | changes))


def everybody() -> list[PortraitFacts]:
    """27 portraits: three of every presentation and age band, of different looks."""
    skins, hairs, clothes = ("ivory", "olive", "ebony"), ("bob", "afro", "bun", "crop"), ("suit", "tee")
    combinations = itertools.product(("feminine", "masculine", "neutral"), ("young", "adult", "senior"), range(3))
    return [
        facts(
            f"{presentation}-{age}-{number}",
            presentation=presentation,
            age_band=age,
            skin=skins[(count + number) % 3],
            hair=hairs[count % 4],
            clothing=clothes[count % 2],
        )
        for count, (presentation, age, number) in enumerate(combinations)
    ]


def furnish(session: Session, *portraits: PortraitFacts, productions: tuple[str, ...] = ("talk",)) -> None:
    seed(session, portraits or everybody())
    for name in productions:
        produce(session, name)


def produce(session: Session, name: str = "talk", **changes: Any) -> Production:
    values: dict[str, Any] = {
        "id": name,
        "title": name.title(),
        "source_name": f"{name}.txt",
        "source_sha256": hashlib.sha256(name.encode()).hexdigest(),
        "source_kind": "script",
        "source_language": "en",
    }
    return open_production(session, **(values | changes))


def empty(engine: Engine) -> None:
    """Take everything out, also what the catalog itself never lets go of."""
    with engine.begin() as connection:
        triggers = []
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        else:
            found = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
            triggers = [sql for _, sql in found]
            for name, _ in found:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
        for sql in triggers:
            connection.exec_driver_sql(sql)


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def key_of(name: str) -> str:
    """A segment's key."""
    return hashlib.sha256(name.encode()).hexdigest()


_start: Any = None


def _prepare(start: Any) -> None:
    global _start
    _start = start


def _begin_together(work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    _start.wait(timeout=60)
    return work(*arguments)


def at_once(count: int, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What `work(number, *arguments)` returns in each of `count` processes, which all begin in the same moment."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["catalog.casting", "alembic.command", "sqlalchemy.dialects.postgresql.psycopg"])
    with ProcessPoolExecutor(
        count, mp_context=context, initializer=_prepare, initargs=(context.Barrier(count),)
    ) as pool:
        futures = [pool.submit(_begin_together, work, (number, *arguments)) for number in range(count)]
        return [future.result(timeout=90) for future in futures]
