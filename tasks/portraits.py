"""The starter cast in the catalog, its pictures in the artifact store, and whether every portrait may be used."""

import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from media.errors import InputError, RightsError
from media.store import ArtifactStore

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from catalog.portraits import PortraitFacts
    from catalog.tables import Portrait
    from models.avatars.presenters import Presenter

PORTRAIT_SIZE = 512
"""Side of the starter portraits in pixels: more than renderers use, so that a better one needs no new portraits."""
STARTER_LICENCE = "Apache-2.0"
STARTER_SOURCE = "drawn by Portrayal (models/avatars)"


@dataclass(frozen=True, slots=True)
class PortraitProblem:
    slug: str
    problem: str
    refuses: bool
    """Whether the portrait cannot be used now; False for a consent that ends soon."""


def seed_starter_cast(engine: "Engine", store: ArtifactStore) -> int:
    """Draw the starter cast into a catalog that lacks it; return how many portraits that were. Quick when none are."""
    from sqlalchemy import select

    from catalog import portraits
    from catalog.session import session_factory
    from catalog.tables import Portrait
    from models.avatars.presenters import STARTER_CAST

    with session_factory(engine, read_only=True).begin() as session:
        present = set(session.scalars(select(Portrait.slug)))
    missing = [presenter for presenter in STARTER_CAST if presenter.slug not in present]
    if not missing:
        return 0
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        facts = list(pool.map(lambda presenter: _starter_facts(presenter, store), missing))
    with session_factory(engine).begin() as session:
        return portraits.seed(session, facts)


def require_picture(portrait: "Portrait", store: ArtifactStore) -> None:
    """Make sure that the portrait's picture is in this store; one of the starter cast is drawn again.

    Raises:
        InputError: it is not, and cannot be.
    """
    if store.has(portrait.image_key):
        return
    from models.avatars.presenters import STARTER_CAST

    for presenter in STARTER_CAST:
        if presenter.slug == portrait.slug:
            png = _starter_png(presenter)
            if hashlib.sha256(png).hexdigest() == portrait.content_sha256:
                with store.writing(portrait.image_key) as path:
                    path.write_bytes(png)
                return
    raise InputError(
        f"portrait '{portrait.slug}': its picture is not in the artifact store at {store.root}; "
        "set PORTRAYAL_STORE_URL to the store it was imported into, or retire the portrait."
    )


def check_portraits(days: int = 30) -> list[PortraitProblem]:
    """What is wrong with portraits that are not retired, and which consents end within `days`."""
    from catalog.portraits import list_portraits
    from catalog.rights import require_rights
    from catalog.session import session_factory
    from catalog.tables import now
    from tasks import workspace

    problems = []
    soon = now() + timedelta(days=days)
    store = workspace.store()
    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        for portrait in list_portraits(session):
            try:
                require_rights(session, portrait)
            except RightsError as error:
                problems.append(PortraitProblem(portrait.slug, str(error), refuses=True))
                continue
            try:
                require_rights(session, portrait, at=soon)
            except RightsError as error:
                problems.append(PortraitProblem(portrait.slug, f"within {days} days: {error}", refuses=False))
            if not store.has(portrait.image_key):
                problems.append(
                    PortraitProblem(
                        portrait.slug,
                        f"no picture at {store.uri(portrait.image_key)}",
                        True,
                    )
                )
    return problems


def _starter_facts(presenter: "Presenter", store: ArtifactStore) -> "PortraitFacts":
    from catalog.portraits import NO_REAL_PERSON, PortraitFacts
    from models.avatars.drawing import face_region

    png = _starter_png(presenter)
    attributes = presenter.attributes()
    columns = {
        key: attributes.pop(key)
        for key in (
            "presentation",
            "age_band",
            "skin",
            "hair",
            "glasses",
            "head_covering",
            "clothing",
            "style",
        )
    }
    return PortraitFacts(
        slug=presenter.slug,
        name=presenter.name,
        image_key=store.put_bytes(png, "portraits", ".png"),
        content_sha256=hashlib.sha256(png).hexdigest(),
        width=PORTRAIT_SIZE,
        height=PORTRAIT_SIZE,
        face=face_region(presenter),
        licence=STARTER_LICENCE,
        source=STARTER_SOURCE,
        attributes=attributes,
        consent=NO_REAL_PERSON,
        **columns,
    )


def _starter_png(presenter: "Presenter") -> bytes:
    from PIL import Image

    from models.avatars.drawing import draw, reference_pose

    buffer = io.BytesIO()
    Image.fromarray(draw(presenter, reference_pose(), PORTRAIT_SIZE)).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()
