"""The flow `produce`: one source becomes one video per language.

It reads as the list of its stages. Every stage is a Prefect task under the name that a person sees; what a stage does is
a plain function in `tasks`, which `portrayal plan` and the tests call without Prefect.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

from prefect import flow, runtime, task
from prefect.cache_policies import NO_CACHE

from flows import watching
from flows.render import ATTEMPTS, THREADS, named, render_here, render_on_pool
from media.errors import InputError, LostArtifactError, PortrayalError, RightsError, StorageError
from media.results import is_url
from media.segment import Clip
from tasks import (
    assembling,
    bookkeeping,
    casting,
    domains,
    hearing,
    metrics,
    rendering,
    segments,
    sources,
    speaking,
    translating,
    workspace,
)
from tasks.bookkeeping import CatalogNotes, IncompleteError, Production
from tasks.interruption import go_on
from tasks.progress import Advance, note, part, stage
from tasks.request import ProductionRequest, asked
from tasks.segments import PlannedSegment
from tasks.sources import Source

Made = TypeVar("Made")

# Prefect's own cache is not used: clips, speech and what is heard have content keys in the artifact store.
read_source = task(name=sources.STAGE, task_run_name=sources.STAGE, cache_policy=NO_CACHE)(sources.read_source)
hear = task(name=hearing.STAGE, task_run_name=hearing.STAGE, cache_policy=NO_CACHE)(hearing.hear)
translate = task(name=translating.STAGE, task_run_name=translating.STAGE, cache_policy=NO_CACHE)(translating.translate)
cast_portraits = task(name=casting.STAGE, task_run_name=casting.STAGE, cache_policy=NO_CACHE)(casting.cast_portraits)
speak = task(name=speaking.STAGE, task_run_name=speaking.STAGE + " in {language}", cache_policy=NO_CACHE)(
    speaking.speak
)
assemble = task(
    name=assembling.STAGE, task_run_name=assembling.STAGE + " in {performance.language}", cache_policy=NO_CACHE
)(assembling.assemble)
write_record = task(name=bookkeeping.STAGE, task_run_name=bookkeeping.STAGE, cache_policy=NO_CACHE)(
    bookkeeping.write_record
)


@flow(
    name="produce",
    flow_run_name="produce {request.source}",
    description="One source (a script or a recording) becomes one video per language.",
    task_runner=THREADS,
    persist_result=False,
)
def produce(
    request: Annotated[ProductionRequest, asked("Production", "One source, and what is wanted of it")],
) -> Production:
    """Make one video per language of a script or a recording, and `production.json` beside them.

    Nothing that was made before is made again: whatever is killed, run it again, and only what is missing is done.

    Raises:
        InputError, RightsError, MissingEngineError: the request cannot be met; nothing is left in the result folder.
        RightsError: also when a consent is revoked while work goes on; what it does not concern is kept.
        IncompleteError: some segments could not be rendered; everything else is kept.
    """
    metrics.start()
    began = time.perf_counter()
    timings: dict[str, float] = defaultdict(float)
    try:
        _require_lasting_place(request.out)
        with _timed(timings, sources.STAGE):
            source = _again_when_cut_off(lambda: read_source(request))
        request = domains.settled(request, source)
        with watching.watched(source, str(request.out)) as watch:
            return _again_when_cut_off(lambda: _produced(request, source, watch, timings, began))
    except Exception as error:
        if not isinstance(error, IncompleteError):  # its segments are counted
            metrics.failed("production", error)
        raise
    finally:
        metrics.flush()


def _require_lasting_place(out: str | None) -> None:
    """Refuse to make videos that nobody would find: a worker runs each production in a folder that is removed afterwards."""
    if out is None:
        raise InputError("out: name a folder for the videos, or s3://bucket/folder.")
    if runtime.deployment.id is not None and not (is_url(out) or Path(out).is_absolute()):
        raise InputError(
            f"out: {out} is not a whole path, and what a worker writes into its own folder is removed after the run; "
            f"give one that begins with /, or s3://bucket/folder."
        )


def _again_when_cut_off(work: Callable[[], Made]) -> Made:
    """Do what finds everything again that it has made, and once more whenever the catalog's database server died meanwhile."""
    from catalog.session import is_cut_off

    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except Exception as error:
            if attempt == ATTEMPTS or not is_cut_off(error):
                raise
            note("The catalog's database went away; what was made is kept, and the rest is done when it is back.")
    raise AssertionError("the last attempt returns or raises")


def _produced(
    request: ProductionRequest, source: Source, watch: watching.Watch, timings: dict[str, float], began: float
) -> Production:
    fps = segments.frames_per_second(request)
    heard: hearing.Heard | None = None
    if source.kind == "recording":
        with _timed(timings, hearing.STAGE, 1.0) as advance:
            heard = hear(source, request, fps, advance)
        source = translating.dubbed(request, source, heard.performance)
    if untranslated := translating.count_untranslated(source):
        with _timed(timings, translating.STAGE, untranslated) as advance:
            source = translate(request, source, advance)
    with _timed(timings, casting.STAGE):
        cast = cast_portraits(
            request,
            source,
            heard.performance.dialogue if heard else source.dialogue,
            heard.pitch if heard else None,
            heard=heard,
        )
    spoken = [tag for tag in source.languages if heard is None or tag != heard.performance.language]
    performances = [] if heard is None or len(spoken) == len(source.languages) else [heard.performance]
    if spoken:
        with _timed(timings, speaking.STAGE, len(spoken)) as advance:
            performances += [
                speak(request, source, language, cast, fps, _beyond(advance, done))
                for done, language in enumerate(spoken)
            ]
    for found, result in ((False, "miss"), (True, "hit")):
        turns = sum((not now) == found for performance in performances for now in performance.spoken)
        metrics.add(metrics.LOOKUPS, turns, kind="speech", result=result)
    captions = [assembling.cues_of(request, performance) for performance in performances]
    planned = [
        segment
        for performance in performances
        for segment in segments.plan_segments(
            request, performance, cast, listeners=casting.shows_listeners(request, source)
        )
    ]
    record = CatalogNotes(request, source, performances)
    try:
        with _timed(timings, rendering.STAGE, _frames(planned)):
            clips, errors = _render_missing(planned, record, watch)
        for error in errors.values():
            if isinstance(error, StorageError):  # nothing more can be kept, so there is no use in going on
                raise error
        problems = {one.key: str(errors[one.key]) for one in planned if one.key in errors}
        assembled = {}
        refused: dict[str, RightsError] = {}
        seconds = sum(performance.seconds for performance in performances)
        with _timed(timings, assembling.STAGE, seconds) as advance:
            before = 0.0
            for performance, cues in zip(performances, captions, strict=True):
                needed = [one for one in planned if one.language in (performance.language, None)]
                missing = [one for one in needed if one.key in problems]
                if missing:
                    metrics.add(metrics.RENDITIONS, 1, outcome="incomplete")
                    record.incomplete(performance.language, "; ".join(problems[one.key] for one in missing))
                    continue
                parts = (request, source, performance, cues, cast, needed)
                try:
                    try:
                        made = assemble(*parts, clips, _beyond(advance, before))
                    except LostArtifactError:  # clips are damaged in the store, or somebody removed them
                        clips |= _render_missing(needed, record, watch)[0]
                        made = assemble(*parts, clips, _beyond(advance, before))
                except RightsError as error:
                    metrics.add(metrics.RENDITIONS, 1, outcome="refused")
                    refused[performance.language] = error
                    record.incomplete(performance.language, str(error))
                    continue
                assembled[performance.language] = made
                record.finished(performance.language, made.video, made.seconds)
                metrics.add(metrics.RENDITIONS, 1, outcome="done")
                watch.published(performance.language, str(made.video), made.seconds)
                before += performance.seconds
        forbidden = [error for error in (*errors.values(), *refused.values()) if isinstance(error, RightsError)]
        if forbidden and not assembled and len(forbidden) == len(errors) + len(refused):
            raise forbidden[0]
        production = write_record(
            request,
            source,
            cast,
            performances,
            planned,
            clips,
            assembled,
            problems | {f"publishing in {language}": str(error) for language, error in refused.items()},
            heard,
            dict(timings),
            time.perf_counter() - began,
        )
    except Exception as error:
        record.gave_up(str(error))
        raise
    if refused:
        raise RightsError(f"{next(iter(refused.values()))} What else was made is in {production.out}.")
    if problems:
        raise IncompleteError(production)
    return production


def _render_missing(
    planned: Sequence[PlannedSegment], record: CatalogNotes, watch: watching.Watch
) -> tuple[dict[str, Clip], dict[str, PortrayalError]]:
    """All clips by segment key, rendered where they are missing; and what went wrong, by segment key."""
    store = workspace.store()
    shown: dict[str, list[PlannedSegment]] = defaultdict(list)
    for segment in planned:
        shown[segment.key].append(segment)
    clips = rendering.find_clips(store, shown)
    record.planned(planned, clips)
    for clip in clips.values():
        part(rendering.STAGE, clip.key, clip.frames)
    missing = {key: found[0].job for key, found in shown.items() if key not in clips}
    metrics.add(metrics.LOOKUPS, len(clips), kind="clip", result="hit")
    metrics.add(metrics.LOOKUPS, len(missing), kind="clip", result="miss")
    metrics.add(metrics.WAITING, len(missing))
    watch.planned(planned, clips)
    errors: dict[str, PortrayalError] = {}

    def on_clip(clip: Clip) -> None:
        clips[clip.key] = clip
        part(rendering.STAGE, clip.key, clip.frames)
        record.rendered(shown[clip.key], clip)
        metrics.add(metrics.WAITING, -1)
        watch.rendered(shown[clip.key], clip)
        go_on()

    def on_error(key: str, error: Exception) -> None:
        errors[key] = named(missing[key], error)
        record.failed(shown[key], str(errors[key]))
        metrics.add(metrics.WAITING, -1)
        metrics.failed("segment", error)
        watch.failed(shown[key], str(errors[key]))
        go_on()

    deployment = workspace.settings().render_deployment
    if not missing:
        pass
    elif deployment:
        render_on_pool(deployment, missing, on_clip, on_error)
    else:
        for job, made in render_here(missing.values()):
            if isinstance(made, Clip):
                on_clip(made)
            else:
                on_error(job.segment.key, made)
    watch.all_rendered()
    return clips, errors


def _beyond(advance: Advance, before: float) -> Advance:
    """Progress of one part of a stage, of which `before` is done already."""
    return lambda done: advance(before + done)


def _frames(planned: Sequence[PlannedSegment]) -> float:
    return float(sum({one.key: one.job.frames for one in planned}.values()))


@contextmanager
def _timed(timings: dict[str, float], name: str, total: float | None = None) -> Iterator[Any]:
    go_on()
    began = time.perf_counter()
    with stage(name, total) as advance:
        yield advance
    timings[name] += time.perf_counter() - began
    metrics.record(metrics.STAGES, time.perf_counter() - began, stage=name)
