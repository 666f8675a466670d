"""The flow `render`: renders segments that are still missing, with the weights loaded once for all of them.

It is what a worker on a machine with GPUs runs. Segments come as references into the artifact store, which that machine
shares with whoever asks: `render_on_pool` sends them from the flow `produce`.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from typing import Annotated, Any, cast

from prefect import Task, flow, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.deployments import run_deployment
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from pydantic import Field

from media.errors import InputError, PortrayalError, RenderError
from media.segment import Clip, Segment
from media.settings import Settings
from tasks import domains, metrics, rendering, workspace
from tasks.dispatch import in_window
from tasks.progress import part
from tasks.rendering import RendererLostError, RenderJob
from tasks.request import Form, RenderOptions, asked

ATTEMPTS = 3
CHUNK_SEGMENTS = 200
"""In a chunk at most, however short they are."""
SMALLER = 8
"""What is sent again goes in chunks so many times smaller, so that a segment that kills its worker takes few others along."""
POLL_SECONDS = 2.0
REMEMBERED_RUNS = 500
"""Task runs that Prefect keeps at most."""

# Threads only wait for renderers, of which there are few.
MOST_THREADS = 32
THREADS: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=MOST_THREADS)


class SegmentOrder(Form):
    """One segment to render, as references."""

    portrait: str = Field(title="Portrait", description="Slug in the catalog")
    audio: str = Field(title="Sound", description="Artifact key of a 16 kHz mono WAV")
    frames: int = Field(title="Frames", description="How many the clip has", ge=1, le=1_000_000)
    checkpoint: str = Field(default="auto", title="Checkpoint", description="Name or folder; auto: the starter")
    fingerprint: str | None = Field(
        default=None, title="Fingerprint", description="Refuse to render with a checkpoint that has another one"
    )
    render: RenderOptions = Field(
        default_factory=RenderOptions, title="Rendering", description="Whatever is left out is the checkpoint's own"
    )
    purpose: str | None = Field(default=None, title="Purpose", description="What it is for; the consent must cover it")
    region: str | None = Field(
        default=None, title="Region", description="Where it is shown, as a country code; empty: everywhere"
    )
    language: str | None = Field(default=None, title="Language", description="Which is spoken; empty for idle clips")


class RenderOrder(Form):
    """Segments to render; best all with one checkpoint."""

    segments: list[SegmentOrder] = Field(title="Segments", description="At least one", min_length=1, max_length=10_000)


def _may_work_next_time(_task: Any, _run: Any, state: Any) -> bool:
    """A renderer's process that was killed is replaced; anything else would only fail again."""
    return isinstance(state.result(raise_on_failure=False), RendererLostError)


@task(
    name=rendering.STAGE,
    task_run_name="Render {job.label}",
    cache_policy=NO_CACHE,
    retries=ATTEMPTS - 1,
    retry_condition_fn=_may_work_next_time,
)
def render_clip(job: RenderJob) -> Clip:
    """One segment becomes a clip, on whichever renderer of this machine is free."""
    return rendering.render(job, lambda frames: part(rendering.STAGE, job.segment.key, frames))


@flow(
    name="render",
    flow_run_name="render segments of {order.segments[0].portrait}",
    description="Renders segments that are missing from the artifact store.",
    task_runner=THREADS,
    persist_result=False,
)
def render(
    order: Annotated[RenderOrder, asked("Order", "What `produce` sends to the pool; seldom filled in by hand")],
) -> list[str]:
    """Render what is missing; returns the artifact keys of all clips, in the order of the segments.

    Raises:
        RenderError: some could not be rendered, and which; the others are in the store.
    """
    metrics.start()
    store = workspace.store()
    jobs = [_job(number, one) for number, one in enumerate(order.segments, 1)]
    missing = {job.segment.key: job for job in jobs if rendering.find_clip(store, job.segment.key) is None}
    problems: list[str] = []
    if missing:
        problems = [str(named(job, made)) for job, made in render_here(missing.values()) if isinstance(made, Exception)]
    if problems:
        raise RenderError(f"{len(problems)} of {len(missing)} segments could not be rendered: {'; '.join(problems)}")
    return [rendering.clip_key(job.segment.key) for job in jobs]


def render_here(jobs: Iterable[RenderJob]) -> Iterator[tuple[RenderJob, Clip | Exception]]:
    """Clips as they are finished by the renderers of this machine, or what went wrong: one bad segment stops no other.

    Two segments per renderer are in flight, so that none waits for the next; all others only wait in `jobs`.
    """
    jobs = list(jobs)
    count = rendering.renderer_count(len(jobs))
    # Runs end after the renderers: when something else goes wrong, none is waited for that is in the middle of a clip.
    with ExitStack() as runs, rendering.renderers(count):
        for start in range(0, len(jobs), REMEMBERED_RUNS):
            submit = runs.enter_context(forgotten_runs(render_clip))
            some = jobs[start : start + REMEMBERED_RUNS]
            for job, future in in_window(some, submit, min(MOST_THREADS, 2 * max(count, 1))):
                try:
                    clip = future.result()
                except Exception as error:
                    yield job, error
                else:
                    yield job, clip
            runs.close()


@contextmanager
def forgotten_runs(of: Task[..., Any]) -> Iterator[Callable[[Any], PrefectFuture[Any]]]:
    """Submits runs of a task, and forgets them at the end of the block.

    Prefect keeps about 5 kB of every task run until its flow run ends: state, assets, a way to cancel it. Here they are kept by
    a task runner and a context that are let go of earlier.
    """
    flow_run = FlowRunContext.get()
    assert flow_run is not None, "tasks are submitted within a flow"
    with flow_run.task_runner.duplicate() as runner:
        context = copy_context()  # what is entered in it is not seen by whoever works on the results
        kept = flow_run.model_copy(update={"task_runner": runner, "run_results": {}, "task_run_assets": {}})
        context.run(kept.__enter__)
        yield lambda argument: context.run(of.submit, argument)


def named(job: RenderJob, error: Exception) -> PortrayalError:
    """The error with the turn and the speaker it is about."""
    kind = type(error) if isinstance(error, PortrayalError) else RenderError
    sentence = str(error) if isinstance(error, PortrayalError) else f"{type(error).__name__}: {error}"
    return kind(sentence if job.label in sentence else f"{job.label}: {sentence}")


@task(name="Render on the pool", task_run_name="Render {count} segments on the pool", cache_policy=NO_CACHE)
def render_chunk(
    deployment: str, order: RenderOrder, count: int, idempotency_key: str, work_queue: str | None = None
) -> str | None:
    """Have a worker render a few segments; returns what it says went wrong, or None.

    Args:
        work_queue: of the deployment's pool; the deployment's own when None.
    """
    run = cast(
        FlowRun,
        run_deployment(
            deployment,
            parameters={"order": order.model_dump(mode="json")},
            idempotency_key=idempotency_key,
            poll_interval=POLL_SECONDS,
            work_queue_name=work_queue,
        ),
    )
    if run.state is None or not run.state.is_completed():
        return (run.state.message if run.state else None) or "the worker did not finish"
    return None


def render_on_pool(
    deployment: str,
    missing: Mapping[str, RenderJob],
    on_clip: Callable[[Clip], None],
    on_error: Callable[[str, Exception], None],
) -> None:
    """Have segments rendered by a deployment of `render`, in chunks; what stays missing is asked for again, in smaller ones.

    PORTRAYAL_CHUNKS_IN_FLIGHT chunks are with the pool at most; the next is cut when one comes back. They wait in the work
    queue of the jobs' priority, or else in the one that PORTRAYAL_PRIORITY names.

    Workers may crash, be preempted or lose their machine: what counts is what is in the artifact store afterwards.

    Args:
        deployment: `render/NAME`.
        missing: jobs by segment key.
    """
    store, settings = workspace.store(), workspace.settings()
    left = dict(missing)
    said: dict[str, str] = {}
    queue = next((job.priority for job in missing.values() if job.priority), _queue(settings))
    for key, job in missing.items():
        try:
            rendering.require_rights(job)
        except PortrayalError as error:
            del left[key]
            on_error(key, error)
    for attempt in range(ATTEMPTS):

        def send(keys: list[str], attempt: int = attempt) -> Any:
            order = RenderOrder(segments=[_order(left[key]) for key in keys])
            name = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]
            identity = f"{runtime.flow_run.id}-{name}-{attempt}"
            return render_chunk.submit(deployment, order, len(keys), identity, queue)

        chunks = _chunks(dict(left), settings.chunk_seconds / SMALLER**attempt)
        for keys, future in in_window(chunks, send, min(MOST_THREADS, settings.chunks_in_flight)):
            try:
                problem = future.result()
            except Exception as error:  # a server that did not answer: what it says is asked of the store
                problem = f"{type(error).__name__}: {error}"
            for key in keys:
                if clip := rendering.find_clip(store, key, just_made=True):
                    on_clip(clip)
                    del left[key]
                else:
                    said[key] = problem or "no clip came back; do the workers use the same artifact store?"
        if not left:
            return
    for key in left:
        on_error(key, RenderError(said[key]))


def _queue(settings: Settings) -> str | None:
    """The work queue where nobody asked for a priority; None: the deployment's own."""
    return settings.priority if "priority" in settings.model_fields_set else None


def _chunks(jobs: Mapping[str, RenderJob], seconds_each: float) -> Iterator[list[str]]:
    """Keys of jobs, about so many seconds of work together each, cut as they are asked for."""
    chunk: list[str] = []
    room = seconds_each
    for key, job in jobs.items():
        segment = job.segment
        seconds = job.frames * rendering.seconds_per_frame(segment.fingerprint, segment.settings.steps)
        if chunk and (seconds > room or len(chunk) == CHUNK_SEGMENTS):
            yield chunk
            chunk, room = [], seconds_each
        chunk.append(key)
        room -= seconds
    if chunk:
        yield chunk


def _order(job: RenderJob) -> SegmentOrder:
    settings = job.segment.settings
    return SegmentOrder(
        portrait=job.portrait,
        audio=job.segment.audio,
        frames=job.frames,
        checkpoint=job.segment.checkpoint,
        fingerprint=job.segment.fingerprint,
        render=RenderOptions(
            steps=settings.steps,
            head_speed=settings.head_speed,
            fps=settings.fps,
            seed=settings.seed,
            precision=settings.precision or "float32",  # as it was planned, whatever suits the machine that renders
        ),
        purpose=job.purpose,
        region=job.region,
        language=job.language,
    )


def _job(number: int, order: SegmentOrder) -> RenderJob:
    from catalog.portraits import find_portrait
    from catalog.session import session_factory

    models_dir = workspace.settings().models_dir
    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        portrait = find_portrait(session, order.portrait)
    checkpoint = order.checkpoint
    if checkpoint == "auto" and portrait.style == domains.PHOTO:
        checkpoint = domains.photograph_checkpoint(models_dir) or checkpoint
    info = rendering.engine_info(checkpoint, models_dir)
    domains.require_domain(info, portrait.slug, portrait.style, order.checkpoint, models_dir)
    if order.fingerprint is not None and order.fingerprint != info.fingerprint:
        raise InputError(
            f"segment {number}: checkpoint '{order.checkpoint}' is another one here ({info.fingerprint[:12]}...); "
            "install the same one on every machine."
        )
    segment = Segment(
        portrait=portrait.image_key,
        audio=order.audio,
        face=portrait.face,
        checkpoint=info.name if order.checkpoint == "auto" else checkpoint,
        fingerprint=info.fingerprint,
        settings=rendering.effective_settings(order.render.settings, info),
    )
    fps = order.render.fps or info.fps
    return RenderJob(
        segment=segment,
        frames=order.frames,
        fps=fps,
        label=f"segment {number} ({order.portrait})",
        portrait=order.portrait,
        purpose=order.purpose,
        region=order.region,
        language=order.language,
    )
