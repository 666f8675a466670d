"""The starter cast in the catalog, its pictures in the artifact store, and whether every portrait may be used."""

import hashlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from media.atomic import whole_file
from media.errors import InputError, RightsError
from media.store import ArtifactStore

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from catalog.portraits import PortraitFacts
    from catalog.tables import Portrait
    from models.avatars.presenters import Presenter

PORTRAIT_SIZE = 512
"""Side of the starter portraits in pixels: more than renderers use, so that a better one needs no new portraits."""
THUMBNAIL_SIDE = 192
"""Longer side of a thumbnail in pixels."""
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


def thumbnail_key(content_sha256: str) -> str:
    """Artifact key of a portrait's thumbnail, a WebP of at most 192 x 192 pixels."""
    return f"thumbnails/{content_sha256}.webp"


def store_thumbnail(store: ArtifactStore, content_sha256: str, picture: bytes) -> None:
    """Make the thumbnail of a picture, whatever is there."""
    from PIL import Image

    with Image.open(io.BytesIO(picture)) as opened:
        small = opened.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    with store.writing(thumbnail_key(content_sha256)) as path:
        small.save(path, "WEBP", quality=85)


def require_thumbnail(portrait: "Portrait", store: ArtifactStore) -> str:
    """Artifact key of a portrait's thumbnail, which is made if it is not there.

    Raises:
        InputError: the portrait's picture is not in this store.
    """
    key = thumbnail_key(portrait.content_sha256)
    if not store.has(key):
        require_picture(portrait, store)
        store_thumbnail(store, portrait.content_sha256, store.fetch(portrait.image_key).read_bytes())
    return key


def draw_sheet(portraits: "Sequence[Portrait]", store: ArtifactStore, path: Path, columns: int = 6) -> None:
    """Write the thumbnails of portraits with their slugs to a PNG, in their order.

    Raises:
        InputError: there are none, a picture is missing, or the file cannot be written.
    """
    from PIL import Image, ImageDraw, ImageFont

    if not portraits:
        raise InputError(f"{path}: no portrait was found, so there is nothing to draw; ask for less.")
    band, gap = 20, 6
    columns = min(columns, len(portraits))
    wide, high = THUMBNAIL_SIDE + gap, THUMBNAIL_SIDE + band + gap
    sheet = Image.new("RGB", (columns * wide + gap, -(-len(portraits) // columns) * high + gap), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for place, portrait in enumerate(portraits):
        left, top = gap + place % columns * wide, gap + place // columns * high
        with Image.open(store.fetch(require_thumbnail(portrait, store))) as small:
            sheet.paste(small, (left + (THUMBNAIL_SIDE - small.width) // 2, top + (THUMBNAIL_SIDE - small.height) // 2))
        shown = portrait.slug if len(portrait.slug) <= 30 else portrait.slug[:29] + "…"
        draw.text((left, top + THUMBNAIL_SIDE + 3), shown, fill="black", font=font)
    with whole_file(path) as part:
        sheet.save(part, "PNG", optimize=True)


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
    from PIL import Image

    from catalog.portraits import NO_REAL_PERSON, PortraitFacts
    from media.likeness import perceptual_hash
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
        perceptual_hash=perceptual_hash(Image.open(io.BytesIO(png))),
        **columns,
    )


def _starter_png(presenter: "Presenter") -> bytes:
    from PIL import Image

    from models.avatars.drawing import draw, reference_pose

    buffer = io.BytesIO()
    Image.fromarray(draw(presenter, reference_pose(), PORTRAIT_SIZE)).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()
