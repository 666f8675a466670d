"""What `produce` would do with a source, and how long it would take. Renders nothing and decides nothing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from flows.console import print_table, stdout_console
from flows.report import duration
from tasks import casting, domains, hearing, rendering, segments, sources, speaking, translating, workspace
from tasks.assembling import COMPOSING_SPEED, DEFAULT_COMPOSING
from tasks.casting import CastSpeaker
from tasks.performance import Performance
from tasks.progress import stage
from tasks.request import ProductionRequest
from tasks.segments import PlannedSegment
from tasks.sources import Source
from tasks.speeds import seconds_per_unit

LISTENED_TO = 20 * 60.0
"""Seconds up to which a plan listens to a recording; a longer one is planned by its length."""


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """A clip that a video needs."""

    language: str | None
    turn: int | None
    speaker: str
    portrait: str
    seconds: float
    frames: int
    cached: bool
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done."""

    name: str
    kind: str
    title: str
    layout: str
    languages: tuple[str, ...]
    seconds: float
    """Of video, all languages together."""
    castings: tuple[CastSpeaker, ...]
    """Empty for a long recording that nobody has listened to yet."""
    clips: tuple[PlannedClip, ...]
    """Empty for a long recording that nobody has listened to yet."""
    stages: dict[str, float]
    """Estimated seconds of each stage."""
    renderers: int
    engine: str
    notes: tuple[str, ...]

    @property
    def estimated_seconds(self) -> float:
        return sum(self.stages.values())

    @property
    def missing(self) -> tuple[PlannedClip, ...]:
        """The clips to render, each once."""
        return tuple({one.key: one for one in self.clips if not one.cached}.values())

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "title": self.title,
            "layout": self.layout,
            "languages": list(self.languages),
            "seconds_of_video": round(self.seconds, 3),
            "segments": len({one.key for one in self.clips}),
            "cached": len({one.key for one in self.clips if one.cached}),
            "to_render": len(self.missing),
            "frames_to_render": sum(one.frames for one in self.missing),
            "engine": self.engine,
            "renderers": self.renderers,
            "estimated_seconds": round(self.estimated_seconds, 1),
            "stages": {name: round(seconds, 1) for name, seconds in self.stages.items()},
            "castings": [one.as_json() for one in self.castings],
            "clips": [asdict(one) for one in self.clips],
            "notes": list(self.notes),
        }


def make_plan(request: ProductionRequest) -> Plan:
    """Read, cast and speak a source as `produce` would, and look up which clips are there.

    Raises:
        InputError, RightsError, MissingEngineError: `produce` would refuse the request, too.
    """
    request = request.model_copy(update={"out": None})
    with stage(sources.STAGE):
        source = sources.read_source(request)
    request = domains.settled(request, source)
    fps = segments.frames_per_second(request)
    heard: hearing.Heard | None = None
    if source.kind == "recording":
        heard = hearing.heard_before(source, request, fps)
        if heard is None and (source.duration or 0.0) > LISTENED_TO:
            return _plan_of_length(request, source, fps)
        with stage(hearing.STAGE, 1.0) as advance:
            heard = heard or hearing.hear(source, request, fps, advance)
        source = translating.dubbed(request, source, heard.performance)
    # A plan pays for nothing: what was not translated before is not translated for it.
    source = translating.translate(request, source, only_kept=True)
    dialogue = heard.performance.dialogue if heard else source.dialogue
    cast = casting.cast_portraits(request, source, dialogue, heard.pitch if heard else None, heard=heard, keep=False)
    own = heard.performance.language if heard else source.dialogue.language
    waiting = [tag for tag in source.languages if source.untranslated(tag)]
    spoken = [tag for tag in source.languages if tag not in waiting and not (heard and tag == own)]
    performances = [heard.performance] if heard and own in source.languages else []
    to_speak = [*spoken, own] if waiting and heard is None else spoken
    made: dict[str, Performance] = {}
    if to_speak:
        with stage(speaking.STAGE, len(to_speak)) as advance:
            for tag in to_speak:
                made[tag] = speaking.speak(request, source, tag, cast, fps, keep=False)
                advance(len(made))
    performances += [made[tag] for tag in spoken]
    like = heard.performance if heard else made.get(own)
    notes = [*(heard.notes if heard else ()), *(text for tag in spoken for text in made[tag].notes)]
    for tag in waiting:
        count, engine = len(source.untranslated(tag)), source.translations[tag]
        notes.append(
            f"{tag}: {count} turns are to be translated by {engine.engine} ({engine.version}) first; "
            f"the time goes by their length in {own}."
        )
    estimated = [(tag, like) for tag in waiting if like]
    return _plan(request, source, performances, cast, tuple(notes), estimated)


def print_plan(plan: Plan) -> None:
    """Print who is cast, the clips, and the time it will take."""
    console = stdout_console()
    if plan.castings:
        print_table(
            "Casting",
            ("Speaker", "Portrait", "Reason"),
            [(one.speaker, f"{one.portrait_name} ({one.portrait})", one.reason) for one in plan.castings],
        )
    if plan.clips:
        print_table(
            "Clips",
            ("Language", "Turn", "Speaker", "Length", "Clip", "Text"),
            [
                (
                    one.language or "all",
                    "idle" if one.turn is None else str(one.turn + 1),
                    one.speaker,
                    duration(one.seconds),
                    "cached" if one.cached else "to render",
                    one.text if len(one.text) <= 48 else one.text[:47] + "…",
                )
                for one in plan.clips
            ],
        )
    for text in plan.notes:
        console.print(text, markup=False, soft_wrap=True)
    print_table("Time", ("Stage", "About"), [(name, duration(seconds)) for name, seconds in plan.stages.items()])
    frames = sum(one.frames for one in plan.missing)
    count = len({one.key for one in plan.clips})
    clips = f"{len(plan.missing)} of {count} clips ({frames} frames) to render, " if plan.clips else ""
    console.print(
        f"{plan.name}: {duration(plan.seconds)} of video in {', '.join(plan.languages)}; {clips}"
        f"with {plan.engine} on {plan.renderers or 1} renderer{'s' if plan.renderers > 1 else ''}: "
        f"about {duration(plan.estimated_seconds)}.",
        markup=False,
        soft_wrap=True,
    )


def _plan(
    request: ProductionRequest,
    source: Source,
    performances: Sequence[Performance],
    cast: tuple[CastSpeaker, ...],
    notes: tuple[str, ...],
    estimated: Sequence[tuple[str, Performance]] = (),
) -> Plan:
    """The plan of `performances`, and of languages that are not translated yet, as if they were like another one."""
    store = workspace.store()
    listeners = casting.shows_listeners(request, source)
    likely = [
        segment
        for _, performance in estimated
        for segment in segments.plan_segments(request, performance, cast, listeners=listeners)
    ]
    planned = list(
        dict.fromkeys(
            segment
            for performance in performances
            for segment in segments.plan_segments(request, performance, cast, listeners=listeners)
        )
    )
    cached = set(rendering.find_clips(store, {one.key for one in planned}))
    texts = {
        (performance.language, index): turn.text
        for performance in performances
        for index, turn in enumerate(performance.dialogue.turns)
    }
    clips = tuple(
        PlannedClip(
            language=one.language,
            turn=one.turn,
            speaker=one.speaker,
            portrait=one.job.portrait,
            seconds=one.job.frames / one.job.fps,
            frames=one.job.frames,
            cached=one.key in cached,
            key=one.key,
            text="" if one.language is None or one.turn is None else texts[one.language, one.turn],
        )
        for one in planned
    )
    seconds = sum(one.seconds for one in [*performances, *(like for _, like in estimated)])
    missing: dict[str, PlannedSegment] = {one.key: one for one in planned if one.key not in cached}
    unknown = [one for one in likely if one.turn is not None]
    frames = sum(one.job.frames for one in [*missing.values(), *unknown])
    renderers = rendering.renderer_count(len(missing) + len(unknown))
    first = (planned or likely)[0].job.segment
    return Plan(
        name=source.name,
        kind=source.kind,
        title=source.title,
        layout=casting.layout_of(request, source),
        languages=(*(one.language for one in performances), *(tag for tag, _ in estimated)),
        seconds=seconds,
        castings=cast,
        clips=clips,
        stages={
            rendering.STAGE: rendering.estimated_seconds(first.fingerprint, first.settings.steps, frames, renderers),
            "Assemble the videos": seconds * seconds_per_unit(COMPOSING_SPEED, DEFAULT_COMPOSING),
        },
        renderers=renderers,
        engine=first.checkpoint,
        notes=notes,
    )


def _plan_of_length(request: ProductionRequest, source: Source, fps: int) -> Plan:
    """The plan of a recording that is too long to listen to for a plan: as if somebody spoke all the time."""
    info = rendering.engine_info(request.engine("render"), workspace.settings().models_dir)
    seconds = (source.duration or 0.0) * max(len(source.languages), 1)
    frames = round(seconds * fps)
    renderers = rendering.renderer_count(max(1, frames // round(hearing.LONGEST_TURN * fps)))
    steps = None if request.render.steps == info.steps else request.render.steps
    return Plan(
        name=source.name,
        kind=source.kind,
        title=source.title,
        layout=casting.layout_of(request, source),
        languages=source.languages or (hearing.UNKNOWN_LANGUAGE,),
        seconds=seconds,
        castings=(),
        clips=(),
        stages={
            hearing.STAGE: (source.duration or 0.0) * seconds_per_unit(hearing.SPEED, hearing.DEFAULT_SPEED),
            rendering.STAGE: rendering.estimated_seconds(info.fingerprint, steps, frames, renderers),
            "Assemble the videos": seconds * seconds_per_unit(COMPOSING_SPEED, DEFAULT_COMPOSING),
        },
        renderers=renderers,
        engine=info.name,
        notes=(
            f"The recording is {duration(source.duration or 0.0)} long: this plan goes by its length, as if somebody "
            "spoke all the time; speakers and portraits are settled when it is produced.",
        ),
    )
