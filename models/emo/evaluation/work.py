"""How long rendering takes: two processes side by side, one per processor core, each as a renderer of production."""

import multiprocessing
import os
import queue
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from media.errors import RenderError
from media.segment import RenderSettings
from models.emo.corpus import SAMPLE_RATE, held_out_scenes
from models.emo.evaluation.takes import given_portrait, renderer_of

PROCESSES = 2
_PATIENCE = 600.0
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
"""Of a process that has one processor core and no GPU; read when it imports its libraries."""


@dataclass(frozen=True, slots=True)
class Work:
    """What rendering took."""

    seconds_per_second: float
    """Wall-clock seconds for each second of finished video, over both processes: model and encoding of the clips, without
    the start of the processes."""
    cpu_seconds_per_second: float
    """The same in processor time, which other programs on the machine change little."""
    cores_used: float
    """How many cores' worth of time was had while it was measured: well below 2, the machine was busy."""


def measure_work(
    checkpoint: str, models_dir: Path | None, steps: int | None, seconds: float, processes: int = PROCESSES
) -> Work:
    """Render and encode a clip of so many seconds in each process, all beginning at the same moment.

    Raises:
        RenderError: a process ended early.
    """
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(processes), context.Queue()
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    try:
        workers = [
            context.Process(
                target=_work, args=(checkpoint, models_dir, steps, seconds, index, barrier, results), daemon=True
            )
            for index in range(processes)
        ]
        for worker in workers:
            worker.start()
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
    found: list[tuple[float, float, float, float]] = []
    try:
        while len(found) < processes:
            try:
                found.append(results.get(timeout=0.5))
            except queue.Empty:
                if any(worker.exitcode for worker in workers):
                    raise RenderError("A process that measures the work ended early; evaluate again.") from None
    finally:
        for worker in workers:
            if len(found) == processes:
                worker.join()
            worker.kill()
    began, ended, cpu, video = zip(*found, strict=True)
    wall = max(ended) - min(began)
    return Work(wall / sum(video), sum(cpu) / sum(video), sum(cpu) / wall)


def _work(
    checkpoint: str,
    models_dir: Path | None,
    steps: int | None,
    seconds: float,
    index: int,
    barrier: Barrier,
    results: "Queue[tuple[float, float, float, float]]",
) -> None:
    """Render and encode one clip; leaves begin, end (of the machine's clock), processor time and seconds of video."""
    from media.video import write_video

    renderer = renderer_of(checkpoint, models_dir)
    fps = renderer.info.fps
    scene = held_out_scenes(index + 1)[index]
    frames = min(len(scene.poses), round(seconds * fps))
    samples = scene.utterance.samples[: frames * SAMPLE_RATE // fps]
    settings = RenderSettings(steps=steps)
    portrait = given_portrait(scene.presenter)
    # A renderer has the weights in memory, and has rendered before.
    for _ in renderer.render(portrait, samples[: SAMPLE_RATE // 2], scene.face, settings, fps // 2):
        pass
    barrier.wait(_PATIENCE)
    began, cpu = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        made = renderer.render(portrait, samples, scene.face, settings, frames)
        write_video(made, Path(folder) / "clip.mp4", fps)
    results.put((began, time.monotonic(), time.process_time() - cpu, frames / fps))
