"""Which segments a rendition needs: one per turn, and one idle segment per speaker, for whenever they do not speak."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from media.errors import InputError
from media.segment import RenderSettings, Segment
from media.store import ArtifactStore
from tasks import workspace
from tasks.casting import CastSpeaker
from tasks.domains import require_domain
from tasks.performance import RENDER_RATE, Performance
from tasks.rendering import RenderJob, effective_settings, engine_info
from tasks.request import ProductionRequest

if TYPE_CHECKING:
    from models.draft import DraftInfo
    from models.emo.renderer import CheckpointInfo
    from models.still import StillInfo

IDLE_SECONDS = 5.0
"""Of a listener who is seen all the time."""
PAUSE_SECONDS = 1.0
"""Of a speaker who is seen between two of their turns only."""


@dataclass(frozen=True, slots=True)
class PlannedSegment:
    """A segment, and where its clip is shown."""

    job: RenderJob
    language: str | None
    """None for an idle clip, which every language shares."""
    turn: int | None
    """Index of the turn; None for an idle clip."""
    speaker: str

    @property
    def key(self) -> str:
        return self.job.segment.key


def plan_segments(
    request: ProductionRequest, performance: Performance, cast: Sequence[CastSpeaker], *, listeners: bool
) -> tuple[PlannedSegment, ...]:
    """The segments of a performance, in the order of its turns; idle clips come last.

    Args:
        listeners: whether those who do not speak are shown.

    Raises:
        MissingEngineError, InputError: the rendering engine that is asked for is not there.
        MissingEngineError, InputError: the engine is not made for a portrait of the cast.
        InputError: a draft is asked for of a portrait that cannot be drawn.
    """
    info = engine_info(request.engine("render"), workspace.settings().models_dir)
    for person in cast:
        require_domain(info, person.portrait, person.style, request.engine("render"), workspace.settings().models_dir)
    if request.draft:
        _require_presenters(cast)
    by_name = {one.speaker: one for one in cast}
    settings = effective_settings(request.render.settings, info)
    fps = performance.timeline.fps
    turns = zip(performance.dialogue.turns, performance.timeline.spans, performance.audio, strict=True)
    planned = []
    for index, (turn, span, key) in enumerate(turns):
        person = by_name[turn.speaker]
        job = RenderJob(
            segment=_segment(request, info, person, key, settings),
            frames=span.frames,
            fps=fps,
            label=f"turn {index + 1} ({turn.speaker}) in {performance.language}",
            portrait=person.portrait,
            purpose=request.purpose,
            region=request.region,
            priority=request.priority,
            language=performance.language,
        )
        planned.append(PlannedSegment(job, performance.language, index, turn.speaker))
    seconds = IDLE_SECONDS if listeners else PAUSE_SECONDS
    return (*planned, *_idle_segments(request, info, by_name, settings, fps, seconds))


def _require_presenters(cast: Sequence[CastSpeaker]) -> None:
    from models.draft import can_draw

    for person in cast:
        if not can_draw(person.portrait):
            raise InputError(
                f"{person.speaker}: a draft draws illustrated presenters of the starter cast only, and portrait "
                f"'{person.portrait}' is none; choose one with --cast \"{person.speaker}=PORTRAIT\", or leave --draft out."
            )


def frames_per_second(request: ProductionRequest) -> int:
    """Of the clips and the video: what is asked for, else the checkpoint's own."""
    return request.render.fps or engine_info(request.engine("render"), workspace.settings().models_dir).fps


def silence(store: ArtifactStore, seconds: float) -> str:
    """Artifact key of so much silence."""
    import numpy as np

    from media.audio import wav_bytes

    return store.put_bytes(wav_bytes(np.zeros(round(seconds * RENDER_RATE), np.float32), RENDER_RATE), "audio", ".wav")


def _idle_segments(
    request: ProductionRequest,
    info: "CheckpointInfo | StillInfo | DraftInfo",
    cast: Mapping[str, CastSpeaker],
    settings: RenderSettings,
    fps: int,
    seconds: float,
) -> list[PlannedSegment]:
    quiet = silence(workspace.store(), seconds)
    # A listener's head does not follow what is asked for the speaker's.
    settings = replace(settings, head_speed=None)
    return [
        PlannedSegment(
            job=RenderJob(
                segment=_segment(request, info, person, quiet, settings),
                frames=round(seconds * fps),
                fps=fps,
                label=f"idle clip of {speaker}",
                portrait=person.portrait,
                purpose=request.purpose,
                region=request.region,
                priority=request.priority,
            ),
            language=None,
            turn=None,
            speaker=speaker,
        )
        for speaker, person in cast.items()
    ]


def _segment(
    request: ProductionRequest,
    info: "CheckpointInfo | StillInfo | DraftInfo",
    person: CastSpeaker,
    audio: str,
    settings: RenderSettings,
) -> Segment:
    asked = request.engine("render")
    return Segment(
        portrait=person.picture,
        audio=audio,
        face=person.face,
        checkpoint=info.name if asked == "auto" else asked,
        fingerprint=info.fingerprint,
        settings=settings,
    )
