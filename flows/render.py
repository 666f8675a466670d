"""The flow `render`: renders segments that are still missing, with the weights loaded once for all of them.

It is what a worker on a machine with GPUs runs. Segments come as references into the artifact store, which that machine
shares with whoever asks.
"""

from prefect import flow
from prefect.futures import as_completed
from pydantic import BaseModel, ConfigDict, Field

from flows.produce import THREADS, render_clip
from media.errors import InputError, RenderError
from media.segment import Segment
from tasks import rendering, workspace
from tasks.rendering import RenderJob
from tasks.request import RenderOptions


class SegmentOrder(BaseModel):
    """One segment to render, as references."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    portrait: str = Field(title="Portrait", description="Slug in the catalog")
    audio: str = Field(title="Sound", description="Artifact key of a 16 kHz mono WAV")
    frames: int = Field(title="Frames", ge=1, le=1_000_000)
    checkpoint: str = Field(default="auto", title="Checkpoint", description="Name or folder; auto: the starter")
    fingerprint: str | None = Field(
        default=None, title="Fingerprint", description="Refuse to render with a checkpoint that has another one"
    )
    render: RenderOptions = Field(default=RenderOptions(), title="Rendering")


class RenderOrder(BaseModel):
    """Segments to render; best all with one checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    segments: list[SegmentOrder] = Field(title="Segments", min_length=1, max_length=10_000)


@flow(
    name="render",
    flow_run_name="render segments of {order.segments[0].portrait}",
    description="Renders segments that are missing from the artifact store.",
    task_runner=THREADS,
    persist_result=False,
)
def render(order: RenderOrder) -> list[str]:
    """Render what is missing; returns the artifact keys of all clips, in the order of the segments.

    Raises:
        RenderError: some could not be rendered, and which; the others are in the store.
    """
    store = workspace.store()
    jobs = [_job(number, one) for number, one in enumerate(order.segments, 1)]
    missing = {job.segment.key: job for job in jobs if rendering.find_clip(store, job.segment.key) is None}
    problems = []
    if missing:
        with rendering.renderers(rendering.renderer_count(len(missing))):
            futures = {render_clip.submit(job): job for job in missing.values()}
            for future in as_completed(list(futures)):
                try:
                    future.result()
                except Exception as error:  # one bad segment does not stop the others
                    problems.append(f"{futures[future].label}: {error}")
    if problems:
        raise RenderError(f"{len(problems)} of {len(missing)} segments could not be rendered: {'; '.join(problems)}")
    return [rendering.clip_key(job.segment.key) for job in jobs]


def _job(number: int, order: SegmentOrder) -> RenderJob:
    from catalog.portraits import find_portrait
    from catalog.session import session_factory

    info = rendering.engine_info(order.checkpoint, workspace.settings().models_dir)
    if order.fingerprint is not None and order.fingerprint != info.fingerprint:
        raise InputError(
            f"segment {number}: checkpoint '{order.checkpoint}' is another one here ({info.fingerprint[:12]}...); "
            "install the same one on every machine."
        )
    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        portrait = find_portrait(session, order.portrait)
    segment = Segment(
        portrait=portrait.image_key,
        audio=order.audio,
        face=portrait.face,
        checkpoint=info.name if order.checkpoint == "auto" else order.checkpoint,
        fingerprint=info.fingerprint,
        settings=rendering.effective_settings(order.render.settings, info),
    )
    fps = order.render.fps or info.fps
    return RenderJob(segment, order.frames, fps, f"segment {number} ({order.portrait})", order.portrait)
