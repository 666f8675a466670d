"""What was made, put on record: rows in the catalog while work goes on, and `production.json` beside the videos."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from media import provenance, results
from media.errors import InputError, RenderError
from media.provenance import production_record
from media.segment import Clip
from tasks import filled_scripts, workspace
from tasks.casting import CastSpeaker, layout_of
from tasks.hearing import Heard
from tasks.performance import Performance
from tasks.rendering import engine_info
from tasks.request import ProductionRequest
from tasks.segments import PlannedSegment
from tasks.sources import Source

if TYPE_CHECKING:
    from tasks.assembling import Assembled

STAGE = "Record what was made"
RECORD = "production.json"


@dataclass(frozen=True, slots=True)
class RenditionOutcome:
    """What became of one video."""

    language: str
    status: Literal["done", "incomplete"]
    seconds: float
    segments: int
    rendered: int
    """Clips rendered in this run."""
    failed: int
    reused: int
    """Clips that were there already."""
    turns_spoken: int
    """Turns spoken in this run; none of a recording are."""
    turns_reused: int
    """Turns whose speech was there already."""
    turns_translated: int
    """Turns that an engine translated in this run."""
    video: str | None = None
    captions: tuple[str, ...] = ()
    """Paths of the .vtt, .srt and .json."""
    assembled_before: bool = False


@dataclass(frozen=True, slots=True)
class Production:
    """What a run of `produce` made. The whole record is in `record_path`, and `as_json()`."""

    name: str
    status: Literal["done", "incomplete"]
    out: str
    renditions: tuple[RenditionOutcome, ...]
    problems: tuple[str, ...]
    """What is missing, one sentence each."""
    seconds: float
    """How long the run took."""
    record_path: str
    record: dict[str, Any] = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """What `production.json` holds, and where everything is."""
        return {
            "status": self.status,
            "name": self.name,
            "out": self.out,
            "record": self.record_path,
            "problems": list(self.problems),
            "seconds": self.seconds,
            **self.record,
        }


class IncompleteError(RenderError):
    """Some segments could not be rendered. What was made is in `production`; running again does the rest."""

    def __init__(self, production: Production) -> None:
        problems = "; ".join(problem.rstrip(".") for problem in production.problems)
        super().__init__(f"{production.name} is incomplete: {problems} (run it again for the rest).")
        self.production = production


class CatalogNotes:
    """The rows of one production's renditions and segments, kept up to date while they are worked on.

    A draft is noted nowhere: a production that was only previewed still lacks its videos.
    """

    def __init__(self, request: ProductionRequest, source: Source, performances: Sequence[Performance]) -> None:
        from catalog.productions import start_rendition
        from catalog.session import session_factory

        self._sessions = session_factory(workspace.catalog())
        self._renditions: dict[str, int] = {}
        with self._sessions.begin() as session:
            for performance in () if request.draft else performances:
                turns = len(performance.dialogue.turns)
                rendition = start_rendition(session, source.production_id, performance.language, turns)
                self._renditions[performance.language] = rendition.id

    def planned(self, segments: Sequence[PlannedSegment], clips: Mapping[str, Clip]) -> None:
        """Note every segment, and whether its clip is there already."""
        from catalog.productions import record_segment

        with self._sessions.begin() as session:
            for segment in segments:
                if segment.turn is None or segment.language not in self._renditions:
                    continue  # idle clips belong to no turn
                found = clips.get(segment.key)
                record_segment(
                    session,
                    self._renditions[segment.language],
                    turn_index=segment.turn,
                    speaker=segment.speaker,
                    key=segment.key,
                    state="rendered" if found else "planned",
                    frames=segment.job.frames,
                    cached=found is not None,
                )

    def rendered(self, segments: Sequence[PlannedSegment], clip: Clip) -> None:
        """Note a clip for the turns that show it; its cost belongs to the first."""
        from catalog.productions import record_segment

        with self._sessions.begin() as session:
            noted = (one for one in segments if one.turn is not None and one.language in self._renditions)
            for index, segment in enumerate(noted):
                record_segment(
                    session,
                    self._renditions[str(segment.language)],
                    turn_index=int(segment.turn or 0),
                    speaker=segment.speaker,
                    key=segment.key,
                    state="rendered",
                    frames=clip.frames,
                    seconds_of_work=clip.seconds_of_work if index == 0 else 0.0,
                )

    def failed(self, segments: Sequence[PlannedSegment], error: str) -> None:
        """Note that a clip could not be rendered."""
        from catalog.productions import record_segment

        with self._sessions.begin() as session:
            for segment in segments:
                if segment.turn is None or segment.language not in self._renditions:
                    continue
                record_segment(
                    session,
                    self._renditions[segment.language],
                    turn_index=segment.turn,
                    speaker=segment.speaker,
                    key=segment.key,
                    state="failed",
                    error=error,
                )

    def finished(self, language: str, video: str, seconds: float) -> None:
        """Note a finished video, by its whole address."""
        from catalog.productions import finish_rendition

        if language not in self._renditions:
            return
        with self._sessions.begin() as session:
            finish_rendition(
                session, self._renditions.pop(language), state="done", video_path=video, duration_s=seconds
            )

    def incomplete(self, language: str, error: str) -> None:
        """Note a video that lacks clips."""
        from catalog.productions import finish_rendition

        if language not in self._renditions:
            return
        with self._sessions.begin() as session:
            finish_rendition(session, self._renditions.pop(language), state="incomplete", error=error)

    def gave_up(self, error: str) -> None:
        """Note that no more work is done on whatever is not finished."""
        from catalog.productions import finish_rendition

        with self._sessions.begin() as session:
            for rendition in self._renditions.values():
                finish_rendition(session, rendition, state="failed", error=error)
        self._renditions.clear()


def write_record(
    request: ProductionRequest,
    source: Source,
    cast: Sequence[CastSpeaker],
    performances: Sequence[Performance],
    planned: Sequence[PlannedSegment],
    clips: Mapping[str, Clip],
    assembled: "Mapping[str, Assembled]",
    problems: Mapping[str, str],
    heard: Heard | None,
    timings: Mapping[str, float],
    seconds: float,
) -> Production:
    """Write `production.json` and say what was made.

    Args:
        clips: by segment key; `seconds_of_work` is 0 for those that were there before.
        assembled: by language.
        problems: by segment key, what went wrong.
        heard: what was found out about a recording.
        timings: seconds by stage.
    """
    out = str(request.out)
    info = engine_info(request.engine("render"), workspace.settings().models_dir)
    outcomes = tuple(_outcome(source, one, planned, clips, assembled, problems) for one in performances)
    file = "production.draft.json" if request.draft else RECORD
    written, before = _record_of(out, source.name, source.production_id, file)
    engines = {"render": f"{info.name} ({info.fingerprint})"}
    for one in performances:
        engines |= one.engines
    if source.translations:
        used = dict.fromkeys(f"{one.engine} ({one.version})" for one in source.translations.values())
        engines["translation"] = "; ".join(used)
    record = production_record(
        production=source.production_id,
        source=filled_scripts.place_of(Path(source.path)),
        portraits=[person.as_json() for person in cast],
        engines=engines,
        renditions=[
            {
                **asdict(outcome),
                "voices": performance.voices,
                "translation": _translation(source, outcome.language),
                "turns": _turns(performance, _turns_of(planned, outcome.language)),
            }
            for outcome, performance in zip(outcomes, performances, strict=True)
        ],
        segments=[_segment(one, clips, problems) for one in {one.key: one for one in planned}.values()],
        figures={
            "segments": len({one.key for one in planned}),
            "rendered": sum(clip.seconds_of_work > 0 for clip in clips.values()),
            "reused": sum(clip.seconds_of_work == 0 for clip in clips.values()),
            "failed": len(problems),
            "heard": list(heard.now) if heard else [],
            "turns_translated": sum(one.turns_translated for one in outcomes),
            "turns_spoken": sum(sum(one.spoken) for one in performances),
            "turns_reused": sum(len(one.spoken) - sum(one.spoken) for one in performances),
            "videos_assembled": sum(not one.cached for one in assembled.values()),
            "seconds_of_work": round(sum(clip.seconds_of_work for clip in clips.values()), 3),
            "seconds": round(seconds, 3),
            "stages": {stage: round(value, 3) for stage, value in timings.items()},
        },
        draft=request.draft,
        title=source.title,
        kind=source.kind,
        source_sha256=source.sha256,
        layout=layout_of(request, source),
        aspect=request.aspect,
        transcript=source.transcript,
        source_sound=asdict(heard.sound) | {"findings": list(heard.sound.findings)} if heard else None,
        diarization=[list(turn) for turn in heard.diarization] if heard else [],
        notes=[*(heard.notes if heard else ()), *(text for one in performances for text in one.notes)],
        request=request.with_whole_paths().model_dump(mode="json"),
    )
    _carry_over(record, before)
    provenance.write_record(out, written, record)
    return Production(
        name=source.name,
        status="incomplete" if problems else "done",
        out=results.place(out),
        renditions=outcomes,
        problems=tuple(problems.values()),
        seconds=round(seconds, 3),
        record_path=results.place(out, written),
        record=record,
    )


def stored_request(out: str, name: str, production: str) -> ProductionRequest:
    """What was asked for when a production was last made in a folder.

    Args:
        name: what its files are called.
        production: its id.

    Raises:
        InputError: its record is gone, or cannot be understood.
    """
    written, record = _record_of(out, name, production, RECORD)
    path = results.place(out, written)
    if not record:
        raise InputError(f"{path}: no record says how {name} was made; run `portrayal produce` for it once more.")
    try:
        return ProductionRequest.model_validate(record["request"])
    except (KeyError, ValueError) as error:
        said = str(error).splitlines()[0]
        raise InputError(
            f"{path}: its request cannot be understood ({said}); run `portrayal produce` for {name} once more."
        ) from None


def _record_of(out: str, name: str, production: str, file: str) -> tuple[str, dict[str, Any]]:
    """The record's file name, and what is there of the same production. Another production's record is left alone."""
    for candidate in (file, f"{name}.{file}"):
        try:
            text = results.read_text(out, candidate)
            if text is None:
                return candidate, {}
            before = json.loads(text)
        except (OSError, ValueError):
            continue
        if isinstance(before, dict) and before.get("production") == production:
            return candidate, before
    return f"{name}.{file}", {}


def _carry_over(record: dict[str, Any], before: Mapping[str, Any]) -> None:
    """Keep what earlier runs made in languages that this one was not asked for."""
    now = {one["language"] for one in record["renditions"]}
    kept = [one for one in before.get("renditions", []) if one["language"] not in now and one["status"] == "done"]
    keys = {turn["segment"] for one in kept for turn in one["turns"]} - {one["key"] for one in record["segments"]}
    record["renditions"] += kept
    record["segments"] += [one | {"cached": True} for one in before.get("segments", []) if one["key"] in keys]


def _outcome(
    source: Source,
    performance: Performance,
    planned: Sequence[PlannedSegment],
    clips: Mapping[str, Clip],
    assembled: "Mapping[str, Assembled]",
    problems: Mapping[str, str],
) -> RenditionOutcome:
    needed = {one.key for one in planned if one.language in (performance.language, None)}
    made = assembled.get(performance.language)
    translation = source.translations.get(performance.language)
    return RenditionOutcome(
        language=performance.language,
        status="done" if made else "incomplete",
        seconds=made.seconds if made else performance.seconds,
        segments=len(needed),
        rendered=sum(key in clips and clips[key].seconds_of_work > 0 for key in needed),
        failed=sum(key in problems for key in needed),
        reused=sum(key in clips and clips[key].seconds_of_work == 0 for key in needed),
        turns_spoken=sum(performance.spoken),
        turns_reused=len(performance.spoken) - sum(performance.spoken),
        turns_translated=translation.now if translation else 0,
        video=str(made.video) if made else None,
        captions=tuple(str(one) for one in made.captions) if made else (),
        assembled_before=made.cached if made else False,
    )


def _turns(performance: Performance, planned: Sequence[PlannedSegment]) -> list[dict[str, Any]]:
    turns = [
        asdict(turn) | {"segment": segment.key}
        for turn, segment in zip(performance.dialogue.turns, planned, strict=True)
    ]
    for turn, fit in zip(turns, performance.fits, strict=False):
        turn["fit"] = asdict(fit) | {"comfortable": fit.comfortable}
    return turns


def _translation(source: Source, language: str) -> dict[str, Any] | None:
    """Which turns (from 1) an engine translated, and which engine; None where nobody but people did."""
    made = source.translations.get(language)
    if made is None:
        return None
    return {"engine": made.engine, "version": made.version, "machine_translated_turns": [one + 1 for one in made.turns]}


def _turns_of(planned: Sequence[PlannedSegment], language: str) -> list[PlannedSegment]:
    return [one for one in planned if one.language == language and one.turn is not None]


def _segment(planned: PlannedSegment, clips: Mapping[str, Clip], problems: Mapping[str, str]) -> dict[str, Any]:
    clip = clips.get(planned.key)
    return {
        "key": planned.key,
        "speaker": planned.speaker,
        "portrait": planned.job.portrait,
        "audio": planned.job.segment.audio,
        "settings": asdict(planned.job.segment.settings),
        "frames": planned.job.frames,
        "fps": planned.job.fps,
        "idle": planned.turn is None,
        "cached": clip is not None and clip.seconds_of_work == 0,
        "clip": clip.uri if clip else None,
        "seconds_of_work": clip.seconds_of_work if clip else 0.0,
        "memory": clip.memory if clip else None,
        "error": problems.get(planned.key),
    }
