"""The flow `localize`: makes the videos that are still missing in languages which people have translated a source into.

It runs every night. Whoever adds a translation to a script that was produced once, or imports one for a script or a
recording, finds the video in the morning: the one that `produce` would make if it were asked as it was the last time.
Nothing is machine-translated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger

from flows.produce import produce
from media import results
from media.errors import PortrayalError, RenderError
from media.languages import closest
from tasks import workspace
from tasks.bookkeeping import stored_request
from tasks.request import ProductionRequest
from tasks.sources import translations_beside, written_languages


@dataclass(frozen=True, slots=True)
class MissingRendition:
    """A production that people have translated into languages which have no finished video."""

    production_id: str
    source: str
    out: str
    """Folder of its last finished video, where its record is."""
    name: str
    languages: tuple[str, ...]
    kind: str = "script"
    """`script` or `recording`."""

    def request(self, engines: Mapping[str, str] | None = None) -> ProductionRequest:
        """What was asked for when the production was last made, but in the languages that are missing.

        Args:
            engines: by kind, instead of those that it was made with.

        Raises:
            InputError: its record is gone, or cannot be understood.
        """
        asked = stored_request(self.out, self.name, self.production_id).model_dump()
        now: dict[str, Any] = {"source": self.source, "out": self.out, "languages": list(self.languages)}
        if self.kind == "recording" and asked["source_language"] is None:
            now["source_language"] = _spoken(asked, Path(self.source))
        return ProductionRequest.model_validate(asked | now | {"engines": asked["engines"] | dict(engines or {})})


def missing_renditions(limit: int = 100) -> list[MissingRendition]:
    """Productions with a finished video, and the languages that people have translated them into which have none.

    Sources that are gone or cannot be read any more are left out.
    """
    from catalog.productions import list_productions
    from catalog.session import session_factory

    found: list[MissingRendition] = []
    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        for production in list_productions(session):
            if len(found) == limit:
                break
            finished = [one for one in production.renditions if one.video_path]
            done = {one.language: results.parted(str(one.video_path)) for one in finished}
            if not done:
                continue
            try:
                languages = written_languages(Path(production.source_name), production.source_kind)
            except PortrayalError:
                continue
            missing = tuple(tag for tag in languages if tag not in done or not results.exists(*done[tag]))
            if not missing:
                continue
            last = max(finished, key=lambda one: one.started_at).language
            out, name = done[last]
            found.append(
                MissingRendition(
                    production_id=production.id,
                    source=production.source_name,
                    out=out,
                    name=name.removesuffix(".mp4").removesuffix(f".{last}"),
                    languages=missing,
                    kind=production.source_kind,
                )
            )
    return found


def _spoken(asked: Mapping[str, Any], recording: Path) -> str | None:
    """The language of a recording, where the one language that was asked for was the one that is spoken in it."""
    named = asked["languages"]
    if len(named) != 1 or "translation" in asked["engines"] or closest(named[0], translations_beside(recording)):
        return None
    return str(named[0])


@flow(
    name="localize",
    description="Makes the videos that are still missing in languages which people have translated a source into.",
    persist_result=False,
)
def localize(limit: int = 100, engines: dict[str, str] | None = None) -> list[str]:
    """Produce what is missing, one production after another; returns the paths of the new videos.

    Args:
        limit: productions in one run, the last changed first.
        engines: engine by kind, instead of those that a production was made with.

    Raises:
        RenderError: some could not be produced, and which; the others are done.
    """
    log = get_run_logger()
    videos: list[str] = []
    problems: list[str] = []
    for one in missing_renditions(limit):
        log.info("%s: %s", one.source, ", ".join(one.languages))
        try:
            made = produce(one.request(engines))
        except PortrayalError as error:
            problems.append(f"{one.source}: {error}")
            continue
        videos += [rendition.video for rendition in made.renditions if rendition.video]
    if problems:
        raise RenderError(f"{len(problems)} productions could not be localized: {'; '.join(problems)}")
    return videos
