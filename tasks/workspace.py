"""Where this process keeps things: settings, artifact store and catalog, opened once and shared by all tasks."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from media.atomic import remove_stale_parts
from media.settings import Settings
from media.store import ArtifactStore

if TYPE_CHECKING:
    from sqlalchemy import Engine


def settings() -> Settings:
    """What the environment says now."""
    return _settings(tuple(sorted(one for one in os.environ.items() if one[0].upper().startswith("PORTRAYAL_"))))


def store() -> ArtifactStore:
    """The artifact store of `settings()`."""
    return _store(settings().artifacts_url, settings().home.resolve())


def scratch() -> Path:
    """A folder for what is needed while work goes on; beside the artifacts, since the system's own may be in memory."""
    return settings().home.resolve() / "scratch"


@contextmanager
def scratch_file(suffix: str) -> Iterator[Path]:
    """A path for a file that is gone afterwards; what a killed run left goes after a day."""
    scratch().mkdir(parents=True, exist_ok=True)
    remove_stale_parts(scratch())
    path = scratch() / f".{uuid.uuid4().hex}.part{suffix}"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def catalog() -> "Engine":
    """The catalog of `settings()`, with its tables up to date, and seeded with the starter cast.

    Raises:
        InputError: it cannot be opened.
    """
    return _catalog(settings().catalog_url)


@lru_cache(maxsize=8)
def _settings(environment: tuple[tuple[str, str], ...]) -> Settings:  # reading them takes milliseconds
    return Settings()


@lru_cache(maxsize=8)
def _store(url: str, home: Path) -> ArtifactStore:  # what is kept of a store that is elsewhere is in the home
    return ArtifactStore(url)


@lru_cache(maxsize=8)
def _catalog(url: str) -> "Engine":
    from catalog.session import open_catalog
    from tasks.portraits import seed_starter_cast

    engine = open_catalog(url)
    seed_starter_cast(engine, store())
    return engine
