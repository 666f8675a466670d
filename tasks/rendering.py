"""Segments become clips: in one process per processor share or GPU, with the weights loaded once in each.

A renderer process that dies, hangs or grows is replaced, and only the clip that it was working on is lost. Nothing is rendered
that the artifact store holds already.
"""

import io
import json
import multiprocessing
import os
import queue
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from media.errors import InputError, LostArtifactError, RenderError
from media.memory import is_out_of_memory
from media.segment import Clip, Precision, RenderSettings, Segment
from media.store import ArtifactStore
from models import draft, still
from tasks import metrics, workspace
from tasks.child_process import end_with_parent
from tasks.dispatch import Priority, give_way, standing
from tasks.speeds import record_speed, seconds_per_unit

if TYPE_CHECKING:
    from models.emo.renderer import CheckpointInfo, Renderer

STAGE = "Render the clips"
DEFAULT_CHECKPOINT = "starter"
PHOTO_CHECKPOINTS = ("echomimic", "echomimic-acc")
"""Folders of the models directory in which checkpoints for photographs are looked for, the first one first."""
PATIENCE = 10.0
"""A renderer hangs when it finishes no frame for so many times as long as the whole segment should take, and a while more."""
LAPTOP_SECONDS_PER_FRAME = 0.2
STILL_SECONDS_PER_FRAME = 0.005
STARTING_SECONDS = 10.0
"""Until a renderer's weights are in memory."""
CPU = "cpu"
_POLL_SECONDS = 0.2


class RendererLostError(RenderError):
    """A renderer process died, hung or ran out of memory in the middle of a clip. The next attempt gets a new one."""


@dataclass(frozen=True, slots=True)
class RenderJob:
    """A segment to render, and how to speak of it."""

    segment: Segment
    frames: int
    fps: int
    label: str
    """For people: `turn 3 (Ann) in es`."""
    portrait: str
    """Slug, for the question whether it may be used."""
    purpose: str | None = None
    """What it is used for; with region and language, part of that question."""
    region: str | None = None
    language: str | None = None
    """None for an idle clip, which speaks none."""
    priority: Priority | None = None
    """None: PORTRAYAL_PRIORITY."""


def engine_info(name: str, models_dir: Path | None = None) -> "CheckpointInfo | still.StillInfo | draft.DraftInfo":
    """What is needed to plan with a rendering engine: a checkpoint's name or folder, `still`, `draft`, or `auto`.

    Raises:
        MissingEngineError: there is no such checkpoint.
        InputError: the folder is not a checkpoint.
    """
    if name == still.NAME:
        return still.StillInfo()
    if name == draft.NAME:
        return draft.draft_info()
    from models.emo.renderer import checkpoint_info

    return checkpoint_info(DEFAULT_CHECKPOINT if name == "auto" else name, models_dir)


def is_made_for(info: "CheckpointInfo | still.StillInfo | draft.DraftInfo", style: str) -> bool:
    """Whether an engine renders portraits of this style. Only `photo` is told apart: all others are drawn."""
    return info.domain == "any" or (info.domain == "photo") == (style == "photo")


def effective_settings(
    settings: RenderSettings, info: "CheckpointInfo | still.StillInfo | draft.DraftInfo"
) -> RenderSettings:
    """What is asked for; what the checkpoint does anyway counts as not asked, so that equal clips have equal keys."""
    precision = (settings.precision if info.domain == "photo" else None) or _precision(info)
    return replace(
        settings,
        precision=None if precision == "float32" else precision,
        steps=None if settings.steps == info.steps else settings.steps,
        fps=None if settings.fps == info.fps else settings.fps,
    )


def _precision(info: "CheckpointInfo | still.StillInfo | draft.DraftInfo") -> Precision:
    """PORTRAYAL_PRECISION, or what is best on this machine. It is part of what is planned, not of where it is rendered."""
    if info.domain != "photo":
        return "float32"
    wished = workspace.settings().precision
    if wished != "auto":
        return wished
    from models.emo.renderer import CheckpointInfo, precision_for

    assert isinstance(info, CheckpointInfo)
    first = devices()[0]
    return precision_for(info, CPU if first == CPU else "cuda", devices().count(first))


def clip_key(segment_key: str) -> str:
    """Artifact key of a segment's clip."""
    return f"clips/{segment_key}.mp4"


def find_clip(store: ArtifactStore, segment_key: str, *, just_made: bool = False) -> Clip | None:
    """The clip of a segment if it is in the store. It costs nothing (`seconds_of_work` is 0), unless it was `just_made`."""
    if not store.has(clip_key(segment_key)):
        return None
    try:
        record = json.loads(store.fetch(_record_key(segment_key)).read_text())
        clip = replace(Clip(**record), uri=store.uri(clip_key(segment_key)))
    except (LostArtifactError, TypeError, ValueError):
        return None  # a clip without its record is rendered again
    return clip if just_made else replace(clip, seconds_of_work=0.0)


def find_clips(store: ArtifactStore, segment_keys: Iterable[str]) -> dict[str, Clip]:
    """The clips that are in the store, by segment key; looked for side by side, since a store elsewhere takes its time."""
    keys = list(segment_keys)
    with ThreadPoolExecutor(1 if store.local else 16) as pool:
        found = pool.map(lambda key: find_clip(store, key), keys)
        return {key: clip for key, clip in zip(keys, found, strict=True) if clip is not None}


def renderer_count(missing: int) -> int:
    """How many renderers to start for so many clips: one per device of `devices`; 0: in this process.

    PORTRAYAL_RENDERERS decides if it is set.
    """
    wished = workspace.settings().renderers
    return min(len(devices()) if wished is None else wished, missing)


def devices() -> tuple[str, ...]:
    """What to render on: PORTRAYAL_DEVICES, or all GPUs, or `cpu` once per processor (8 at most).

    Raises:
        InputError: PORTRAYAL_DEVICES names nothing.
    """
    wished = workspace.settings().devices
    if wished is None:
        return gpus() or (CPU,) * min(8, processors())
    names = tuple(name.strip() for name in wished.split(","))
    if not all(names):
        raise InputError(
            f"PORTRAYAL_DEVICES={wished!r}: a device has no name; give GPUs and `cpu`, such as 0,1 or cpu,cpu."
        )
    return names


def gpus() -> tuple[str, ...]:
    """The GPUs that may be used, as CUDA_VISIBLE_DEVICES names them. Found without loading torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(one.strip() for one in visible.split(",") if one.strip() and one.strip() != "-1")
    cards = sorted(
        Path("/dev").glob("nvidia[0-9]*"),
        key=lambda card: int(card.name.removeprefix("nvidia")),
    )
    return tuple(str(index) for index in range(len(cards)))


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def render_clip(
    job: RenderJob, store_url: str, models_dir: Path, on_frame: Callable[[int], None]
) -> tuple[Clip, float]:
    """Render one segment into the store, whatever is there; returns the clip and the seconds that passed.

    Raises:
        InputError: its picture, its sound or its settings cannot be used.
        RenderError: its picture is damaged.
    """
    import numpy as np
    from PIL import Image

    from media.audio import audio_blocks
    from media.long_sound import LongSound
    from media.video import write_video
    from tasks.framed import framed

    store = ArtifactStore(store_url)
    segment = job.segment
    renderer = _renderer(segment.checkpoint, models_dir, segment.settings.precision or "float32")
    if renderer.info.fingerprint != segment.fingerprint:
        raise InputError(
            f"{job.label}: checkpoint '{segment.checkpoint}' is not the one that this was planned with; run again."
        )
    picture = store.fetch(segment.portrait).read_bytes()
    try:
        portrait = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
    except OSError as error:
        raise RenderError(
            f"{job.label}: the picture of portrait '{job.portrait}' is damaged ({store.uri(segment.portrait)}); "
            "put it back from a backup, or import the portrait again."
        ) from error
    began, work_began = time.perf_counter(), time.process_time()
    key = segment.key
    with LongSound(workspace.scratch()) as samples, store.writing(clip_key(key)) as path:
        for piece in audio_blocks(store.fetch(segment.audio), 16_000):
            samples.append(piece)
        size, pictures = framed(renderer, portrait, samples, segment, job.frames, on_frame)
        write_video(pictures, path, job.fps)
        passed = time.perf_counter() - began
        work = passed if getattr(renderer, "device", "cpu") != "cpu" else time.process_time() - work_began
        clip = Clip(
            key,
            store.uri(clip_key(key)),
            job.frames,
            job.fps,
            size,
            size,
            round(work, 3),
            str(renderer.plan) if hasattr(renderer, "plan") else None,
        )
        # The record comes first: once the clip is there, so is what is known about it.
        with store.writing(_record_key(key)) as record:
            record.write_text(json.dumps(asdict(clip)))
    return clip, passed


class Renderers:
    """Renderer processes, each with its weights in memory. `render` may be called from several threads."""

    def __init__(self, count: int) -> None:
        """`count` 0: render in this process, one clip at a time."""
        places = devices()
        threads = max(1, processors() // max(count, 1))
        used = [places[index % len(places)] for index in range(count)]
        self._slots = [_Slot(place, threads, used.count(place)) for place in used]
        self._free: queue.SimpleQueue[_Slot] = queue.SimpleQueue()
        for slot in self._slots:
            self._free.put(slot)
        self._here = threading.Lock()

    def render(self, job: RenderJob, on_frame: Callable[[int], None] | None = None) -> Clip:
        """Render a segment as soon as a renderer is free and nothing more urgent goes on, into the artifact store.

        Args:
            on_frame: called now and then with the number of frames done.

        Raises:
            RendererLostError: the renderer's process died, hung, or ran out of memory; try again.
            PortrayalError: the segment cannot be rendered.
        """
        settings = workspace.settings()
        report = on_frame or (lambda frames: None)
        where = (settings.artifacts_url, settings.models_dir)
        shared = settings.home.resolve() / "priorities"
        priority = job.priority or settings.priority
        with standing(shared, priority):
            if not self._slots:
                with self._here:
                    give_way(shared, priority)
                    clip, passed = render_clip(job, *where, report)
            else:
                slot = self._free.get()
                try:
                    give_way(shared, priority)
                    clip, passed = slot.render(job, *where, report)
                    slot.replace_if_above(settings.renderer_memory_mb)
                finally:
                    self._free.put(slot)
        report(job.frames)
        on_gpu = bool(gpus()) and job.segment.checkpoint not in (still.NAME, draft.NAME)
        metrics.rendered(clip.frames / clip.fps, clip.seconds_of_work, "gpu" if on_gpu else "cpu")
        record_speed(_speed_name(job.segment.fingerprint, job.segment.settings.steps), clip.frames, passed)
        record_speed(_work_name(job.segment.fingerprint, job.segment.settings.steps), clip.frames, clip.seconds_of_work)
        return clip

    def close(self) -> None:
        """End the processes, also those in the middle of a clip."""
        for slot in self._slots:
            slot.stop()


def estimated_seconds(fingerprint: str, steps: int | None, frames: int, renderers: int) -> float:
    """How long so many frames will take, by what was measured here, or else by what a laptop takes."""
    if frames == 0:
        return 0.0
    # `renderers` clips are in work at once, as they were when the speed was measured.
    return STARTING_SECONDS + frames * seconds_per_frame(fingerprint, steps) / max(renderers, 1)


def seconds_per_frame(fingerprint: str, steps: int | None) -> float:
    """Seconds that one renderer takes for a frame, by what was measured here, or else by what a laptop takes."""
    default = STILL_SECONDS_PER_FRAME if fingerprint == still.FINGERPRINT else LAPTOP_SECONDS_PER_FRAME
    return seconds_per_unit(_speed_name(fingerprint, steps), default)


def longest_silence(job: RenderJob) -> float:
    """Seconds without a finished frame after which a segment's renderer hangs; more for longer segments."""
    expected = job.frames * seconds_per_frame(job.segment.fingerprint, job.segment.settings.steps)
    return workspace.settings().renderer_timeout + PATIENCE * expected


def work_per_frame(fingerprint: str, steps: int | None) -> float:
    """CPU- or GPU-seconds that a frame costs (`Clip.seconds_of_work`), as measured here, or else as long as it takes."""
    return seconds_per_unit(_work_name(fingerprint, steps), seconds_per_frame(fingerprint, steps))


def _work_name(fingerprint: str, steps: int | None) -> str:
    """What CPU- or GPU-seconds per frame are recorded under."""
    return f"work {fingerprint[:16]} steps={steps or 'default'}"


def _speed_name(fingerprint: str, steps: int | None) -> str:
    """What seconds per frame are recorded under."""
    return f"render {fingerprint[:16]} steps={steps or 'default'}"


_current: Renderers | None = None


@contextmanager
def renderers(count: int) -> Iterator[Renderers]:
    """Renderers for everything inside, which `render` uses. Where there are some already, they go on, with warm models."""
    global _current
    if _current is not None:
        yield _current
        return
    before, _current = _current, Renderers(count)
    try:
        yield _current
    finally:
        _current.close()
        _current = before


def require_rights(job: RenderJob) -> None:
    """Do nothing when the segment's portrait may be used now, for what it is wanted for.

    Raises:
        RightsError: it may not, and why.
    """
    from catalog import portraits, rights
    from catalog.session import session_factory

    use = rights.Use(job.purpose, job.region, () if job.language is None else (job.language,))

    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        rights.require_rights(session, portraits.find_portrait(session, job.portrait), use=use)


def render(job: RenderJob, on_frame: Callable[[int], None] | None = None) -> Clip:
    """The clip of a segment: found in the store, or rendered now. Whether the portrait may be used is asked first.

    Raises:
        RightsError: the portrait may not be used any more.
        RendererLostError, PortrayalError: as `Renderers.render`.
    """
    require_rights(job)
    if found := find_clip(workspace.store(), job.segment.key):
        return found
    if _current is None:
        with renderers(0) as here:
            return here.render(job, on_frame)
    return _current.render(job, on_frame)


class _Slot:
    """One renderer process at a time. Its process id, progress and memory are in memory that both sides see."""

    def __init__(self, device: str, threads: int, shared_by: int) -> None:
        self._device = device
        self._threads = threads
        self._shared_by = shared_by
        self._stopped = False
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def _start(self) -> None:
        self._shared: Any = self._context.RawArray("q", 3)
        self._busy = False
        self._pool = ProcessPoolExecutor(
            1,
            mp_context=self._context,
            initializer=_begin,
            initargs=(self._shared, self._device, self._threads, self._shared_by),
        )

    def render(
        self,
        job: RenderJob,
        store_url: str,
        models_dir: Path,
        report: Callable[[int], None],
    ) -> tuple[Clip, float]:
        self._shared[1] = 0
        hung: float | None = None
        self._require_going_on(job)
        try:
            self._busy = True
            future = self._pool.submit(_render_here, job, store_url, models_dir)
            hung = self._watch(future, longest_silence(job), report)
            self._busy = False
            return future.result()
        except BrokenProcessPool:
            self._require_going_on(job)
            self._replace("stalled" if hung else "lost")
            why = f"finished no frame in {hung:.0f} s and was ended" if hung else "was killed (out of memory?)"
            raise RendererLostError(f"{job.label}: the renderer's process {why}") from None
        except RendererLostError:
            self._replace("lost")
            raise

    def _require_going_on(self, job: RenderJob) -> None:
        if self._stopped:
            raise RenderError(f"{job.label}: rendering was stopped.")

    def replace_if_above(self, megabytes: float | None) -> None:
        """Start anew when the process holds more memory than that."""
        if megabytes is not None and self._shared[2] > megabytes * 1e6:
            metrics.add(metrics.RESTARTS, 1, reason="memory")
            self._pool.shutdown(wait=True)
            self._start()

    def _replace(self, reason: str) -> None:
        metrics.add(metrics.RESTARTS, 1, reason=reason)
        self._pool.shutdown(wait=False)
        self._start()

    def _watch(
        self, future: "Future[tuple[Clip, float]]", patience: float, report: Callable[[int], None]
    ) -> float | None:
        """Returns when the future is done; the seconds of silence after which the process was killed, or None."""
        seen, last = 0, time.monotonic()
        hung: float | None = None
        while not future.done():
            try:
                future.exception(timeout=_POLL_SECONDS)
            except TimeoutError:
                frames = self._shared[1]
                if self._stopped:  # when it was, the process may not have said yet which one it is
                    self._kill()
                elif frames != seen:
                    seen, last = frames, time.monotonic()
                    report(frames)
                elif time.monotonic() - last > patience:
                    hung = patience
                    self._kill()
        return hung

    def _kill(self) -> None:
        if pid := self._shared[0]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """End the process: in order when it is idle, so that it cleans up, and at once when it is in the middle.

        Whoever waits for it is told so, and what is rendered later is an error: nothing is tried again that was stopped.
        """
        self._stopped = True
        if self._busy:
            self._kill()
        self._pool.shutdown(wait=not self._busy, cancel_futures=True)


# What follows runs in the renderer's process.

_progress: Any = None
_shared_by = 1
"""Renderers that share this one's device."""


def _begin(shared: Any, device: str, threads: int, shared_by: int) -> None:
    global _progress, _shared_by
    _progress, _shared_by = shared, shared_by
    shared[0] = os.getpid()
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what happens then
    os.environ["CUDA_VISIBLE_DEVICES"] = "" if device == CPU else device
    for library in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(library, str(threads))


def _render_here(job: RenderJob, store_url: str, models_dir: Path) -> tuple[Clip, float]:
    def on_frame(frames: int) -> None:
        _progress[1] = frames

    try:
        return render_clip(job, store_url, models_dir, on_frame)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise RendererLostError(f"{job.label}: the renderer ran out of memory") from None
    finally:
        _progress[2] = resident_bytes()


def resident_bytes() -> int:
    """Memory that this process holds now; on systems without /proc, the most that it has held."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@lru_cache(maxsize=1)
def _renderer(
    checkpoint: str, models_dir: Path, precision: Precision
) -> "Renderer | still.StillRenderer | draft.DraftRenderer":
    if checkpoint == still.NAME:
        return still.StillRenderer()
    if checkpoint == draft.NAME:
        return draft.DraftRenderer()
    from models.emo.renderer import Renderer

    return Renderer(checkpoint, models_dir=models_dir, precision=precision, shared_by=_shared_by)


def _record_key(segment_key: str) -> str:
    return f"clips/{segment_key}.json"
