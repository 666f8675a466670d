"""Which checkpoint renders a production: the one whose domain its portraits are in, illustrated presenters or photographs.

One video is rendered by one checkpoint. Where none is asked for (`auto`), the portraits that are settled beforehand
decide: those that were wished for, else those that the production or its show has already, else the style that is asked for.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from media.errors import InputError, MissingEngineError
from tasks import rendering, sources, workspace
from tasks.request import ProductionRequest
from tasks.sources import Source

if TYPE_CHECKING:
    from models.draft import DraftInfo
    from models.emo.renderer import CheckpointInfo
    from models.still import StillInfo

PHOTO = "photo"
PULL = "run `portrayal models pull echomimic`"


def settled(request: ProductionRequest, source: Source) -> ProductionRequest:
    """The request with the checkpoint that `auto` stands for, where that is not the usual one.

    Raises:
        MissingEngineError: a portrait is a photograph, and there is no checkpoint for photographs.
        InputError: a portrait that is wished for is not of the checkpoint's domain, or two are of different ones.
    """
    wished = _styles(slugs=tuple(sources.wishes(request, source).values()))
    asked = request.engine("render")
    models_dir = workspace.settings().models_dir
    if asked != "auto":
        info = rendering.engine_info(asked, models_dir)
        for slug, style in wished.items():
            require_domain(info, slug, style, asked, models_dir)
        return request
    photographs = [slug for slug, style in wished.items() if style == PHOTO]
    drawn = [slug for slug, style in wished.items() if style != PHOTO]
    if photographs and drawn:
        raise InputError(
            f"portrait '{photographs[0]}' is a photograph and '{drawn[0]}' is drawn, and one video is rendered by one "
            "checkpoint; cast portraits of one kind."
        )
    if not wished:
        kept = _kept(request, source)
        photographs = [slug for slug, style in kept.items() if style == PHOTO]
        if not photographs and not kept and request.style == PHOTO and photograph_checkpoint(models_dir):
            photographs = _usable_photographs()
    if not photographs:
        return request
    checkpoint = photograph_checkpoint(models_dir)
    if checkpoint is None:
        info = rendering.engine_info(asked, models_dir)
        require_domain(info, photographs[0], PHOTO, asked, models_dir)
    return request.model_copy(update={"engines": {**request.engines, "render": checkpoint}})


def photograph_checkpoint(models_dir: Path) -> str | None:
    """Name of the checkpoint that `auto` renders photographs with: EchoMimic, else any other one that is made for them."""
    from models.emo.renderer import checkpoint_info

    others = sorted(one.name for one in models_dir.iterdir()) if models_dir.is_dir() else []
    for name in dict.fromkeys((*rendering.PHOTO_CHECKPOINTS, *others)):
        if (models_dir / name / "model_index.json").is_file():
            try:
                if checkpoint_info(name, models_dir).domain == PHOTO:
                    return name
            except (InputError, KeyError, ValueError):
                continue  # `portrayal models list` says what is wrong with it
    return None


def require_domain(
    info: "CheckpointInfo | StillInfo | DraftInfo", slug: str, style: str, asked: str, models_dir: Path
) -> None:
    """Do nothing when a rendering engine is made for portraits of this style.

    Args:
        asked: the engine that is asked for; `auto` when none is.

    Raises:
        MissingEngineError: the portrait is a photograph, and there is no checkpoint for photographs.
        InputError: the engine is made for the others.
    """
    if rendering.is_made_for(info, style):
        return
    if style != PHOTO:
        raise InputError(
            f"portrait '{slug}' is drawn, and checkpoint '{info.name}' renders photographs; cast a photograph, or leave "
            f"--engine render={asked} out."
        )
    what = "the draft engine" if info.name == "draft" else f"checkpoint '{info.name}'"
    there = photograph_checkpoint(models_dir)
    if there is not None:
        raise InputError(
            f"portrait '{slug}' is a photograph, and {what} draws illustrated presenters only; use --engine render={there}, "
            "or cast an illustrated portrait."
        )
    raise MissingEngineError(
        f"Portrait '{slug}' is a photograph, and {what} draws illustrated presenters only: {PULL} to get a checkpoint for "
        "photographs, or cast an illustrated portrait."
    )


def castable_style(request: ProductionRequest) -> str | None:
    """The style that every portrait of a settled request must have: photo, illustrated (any other one), or None for any."""
    info = rendering.engine_info(request.engine("render"), workspace.settings().models_dir)
    return None if info.domain == "any" else info.domain


def _styles(slugs: tuple[str, ...]) -> Mapping[str, str]:
    """Style by slug; whoever is not in the catalog is left to those who check the cast."""
    if not slugs:
        return {}
    from sqlalchemy import select

    from catalog.session import session_factory
    from catalog.tables import Portrait

    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        found = session.execute(select(Portrait.slug, Portrait.style).where(Portrait.slug.in_(slugs)))
        return {row.slug: row.style for row in found}


def _kept(request: ProductionRequest, source: Source) -> Mapping[str, str]:
    """Style by slug of the portraits that speakers keep: of the production's earlier runs, and of the show."""
    from catalog import shows
    from catalog.casting import list_castings
    from catalog.session import session_factory

    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        slugs = [one.portrait_slug for one in list_castings(session, source.production_id)]
        if request.show:
            slugs += shows.reserved(session, request.show).values()
    return _styles(tuple(slugs))


def _usable_photographs() -> list[str]:
    from catalog.portraits import list_portraits
    from catalog.session import session_factory
    from catalog.tables import now

    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        return [one.slug for one in list_portraits(session, usable_at=now(), limit=1, style=PHOTO)]
