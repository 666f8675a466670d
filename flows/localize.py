"""The flow `localize`: makes the videos that are still missing in languages that are wanted, or that people have translated a
source into.

It runs every night. Whoever adds a translation to a script that was produced once, or imports one for a script or a recording,
finds the video in the morning: the one that `produce` would make if it were asked as it was the last time. Only languages that
are wanted by name are machine-translated.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from prefect import flow, get_run_logger
from pydantic import Field

from flows.produce import produce
from media import results
from media.dialogue import language_tag
from media.errors import PortrayalError, RenderError, StorageError
from media.languages import closest
from tasks import filled_scripts, workspace
from tasks.bookkeeping import stored_request
from tasks.request import Form, ProductionRequest, RenderEngine, SynthesisEngine, TranslationEngine, asked
from tasks.sources import translations_beside, written_languages

if TYPE_CHECKING:
    from catalog.tables import Production

VIDEOS_AT_ONCE = 16
"""So many are looked for at a time, where they are kept elsewhere."""


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
        now["priority"] = None  # whoever was in a hurry has their video
        if self.kind == "recording" and asked["source_language"] is None:
            now["source_language"] = _spoken(asked, Path(self.source))
        return ProductionRequest.model_validate(asked | now | {"engines": asked["engines"] | dict(engines or {})})


class EngineChoice(Form):
    """Engines that make what is missing; whatever is left out is as the production was made."""

    translation: TranslationEngine | None = Field(
        default=None, title="Translation", description="Engine that translates what nobody has translated, or auto"
    )
    synthesis: SynthesisEngine | None = Field(default=None, title="Speech", description="Engine that speaks, or auto")
    render: RenderEngine | None = Field(
        default=None, title="Pictures", description="Engine that renders clips, or auto"
    )

    @property
    def chosen(self) -> dict[str, str]:
        return self.model_dump(exclude_none=True)


AS_IT_WAS_MADE = EngineChoice()


def missing_renditions(
    limit: int = 100, languages: Sequence[str] = (), *, production_id: str | None = None
) -> list[MissingRendition]:
    """Productions with a finished video, and the languages that have none.

    These are the languages that people have translated the source into, and the wanted ones. Sources that are gone or cannot be
    read any more are left out, and so are videos that were never finished in any language.

    Args:
        limit: productions at most.
        languages: wanted of every production, whether people have translated it or not.
        production_id: only this one.

    Raises:
        StorageError: a store or result folder does not answer.
    """
    from catalog.productions import finished_videos
    from catalog.session import session_factory

    found: list[MissingRendition] = []
    with (
        session_factory(workspace.catalog(), read_only=True).begin() as session,
        ThreadPoolExecutor(VIDEOS_AT_ONCE) as pool,
    ):
        finished = iter(finished_videos(session, production_id=production_id))
        # In batches: scripts and videos may be far away, and the first few productions may be enough.
        while len(found) < limit and (batch := list(islice(finished, 10 * VIDEOS_AT_ONCE))):
            wished = pool.map(lambda both: _missing(both[0], both[1], languages), batch)
            found += [one for one in wished if one is not None]
    return found[:limit]


def _missing(production: "Production", videos: Mapping[str, str], languages: Sequence[str]) -> MissingRendition | None:
    """The languages that a production lacks, of those that its source holds and those that are wanted; None where it has all."""
    done = {tag: results.parted(path) for tag, path in videos.items()}
    try:
        source = filled_scripts.located(production.source_name)
        held = written_languages(source, production.source_kind)
    except StorageError:
        raise
    except PortrayalError:
        return None
    # `es-MX` is content with `es`.
    wanted = [tag for tag in languages if closest(tag, (*held, *done), same_script=True) is None]
    tags = dict.fromkeys((*held, *(tag for tag in done if tag in languages), *wanted))
    missing = tuple(tag for tag in tags if tag not in done or not results.exists(*done[tag]))
    if not missing:
        return None
    last = next(iter(done))
    out, name = done[last]
    return MissingRendition(
        production_id=production.id,
        source=str(source),
        out=out,
        name=name.removesuffix(".mp4").removesuffix(f".{last}"),
        languages=missing,
        kind=production.source_kind,
    )


def _spoken(asked: Mapping[str, Any], recording: Path) -> str | None:
    """The language of a recording, where the one language that was asked for was the one that is spoken in it."""
    named = asked["languages"]
    if len(named) != 1 or "translation" in asked["engines"] or closest(named[0], translations_beside(recording)):
        return None
    return str(named[0])


@flow(
    name="localize",
    description="Makes the videos that are still missing in a wanted language.",
    persist_result=False,
)
def localize(
    limit: Annotated[int, asked("Productions at most", "In one run, the last changed first", ge=1, le=100_000)] = 100,
    languages: Annotated[
        list[str],
        asked("Languages", "Codes such as es, wanted of everything beside what people have translated", max_length=100),
    ] = [],  # noqa: B006  never changed; a form shows it
    engines: Annotated[
        EngineChoice, asked("Engines", "Empty: those that each production was made with", shown={"default": {}})
    ] = AS_IT_WAS_MADE,
) -> list[str]:
    """Produce what is missing, one production after another; returns the paths of the new videos.

    Several runs may overlap: each production is made by the one that comes to it first.

    Args:
        limit: productions in one run, the last changed first.
        languages: wanted of every production (BCP 47), beside those that its script holds; they are machine-translated.
        engines: instead of those that a production was made with.

    Raises:
        InputError: one of the languages is none.
        RenderError: some could not be produced, and which; the others are done.
    """
    from catalog.claims import claimed

    log = get_run_logger()
    wanted = [language_tag(tag, "languages") for tag in languages]
    videos: list[str] = []
    problems: list[str] = []
    for candidate in missing_renditions(limit, wanted):
        with claimed(workspace.catalog(), "localize", candidate.production_id) as mine:
            if not mine:
                log.info("%s: another run is at it", candidate.source)
                continue
            # Another run may have finished it since.
            for one in missing_renditions(1, wanted, production_id=candidate.production_id):
                log.info("%s: %s", one.source, ", ".join(one.languages))
                try:
                    made = produce(one.request(engines.chosen))
                except PortrayalError as error:
                    problems.append(f"{one.source}: {error}")
                    continue
                videos += [rendition.video for rendition in made.renditions if rendition.video]
    if problems:
        raise RenderError(f"{len(problems)} productions could not be localized: {'; '.join(problems)}")
    return videos
