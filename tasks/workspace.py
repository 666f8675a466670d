"""Where this process keeps things: settings, artifact store and catalog, opened once and shared by all tasks."""

from functools import lru_cache
from typing import TYPE_CHECKING

from media.settings import Settings
from media.store import ArtifactStore

if TYPE_CHECKING:
    from sqlalchemy import Engine


def settings() -> Settings:
    """What the environment says now."""
    return Settings()


def store() -> ArtifactStore:
    """The artifact store of `settings()`."""
    return _store(settings().artifacts_url)


def catalog() -> "Engine":
    """The catalog of `settings()`, with its tables up to date, and seeded with the starter cast.

    Raises:
        InputError: it cannot be opened.
    """
    return _catalog(settings().catalog_url)


@lru_cache(maxsize=8)
def _store(url: str) -> ArtifactStore:
    return ArtifactStore(url)


@lru_cache(maxsize=8)
def _catalog(url: str) -> "Engine":
    from catalog.session import open_catalog
    from tasks.portraits import seed_starter_cast

    engine = open_catalog(url)
    seed_starter_cast(engine, store())
    return engine
