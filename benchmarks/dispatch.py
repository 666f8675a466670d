"""What it costs to hand segments to renderers, by the length of the queue: time per segment, and memory.

    python -m benchmarks.dispatch                            queues of 100, 1,000 and 10,000, drained
    python -m benchmarks.dispatch --segments 500 --prefect   with a Prefect task per segment, as `produce` has
    python -m benchmarks.dispatch --prefect --work 10        with 10 ms in which nothing else is done for a segment

Every segment goes through the window, a thread and a warm renderer process and back. The renderer is `still` with one frame
that is not encoded, so that nearly all that is measured is the dispatcher. Each length is measured in a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from flows import embedded
from media.segment import RenderSettings, Segment
from models import still
from tasks import rendering
from tasks.dispatch import in_window
from tasks.rendering import Renderers, RenderJob

WINDOW = 2


def measure(count: int, *, prefect: bool, work: float) -> dict[str, Any]:
    """Drain a queue of `count` segments, of `work` seconds each, with one renderer; returns the figures."""
    base = Segment("portraits/x.png", "audio/x.wav", (0.2, 0.2, 0.8, 0.8), still.NAME, still.FINGERPRINT)
    jobs = [_job(base, seed) for seed in range(count)]
    renderers = Renderers(1)
    try:
        pool = renderers._slots[0]._pool
        pool.submit(_one_frame, jobs[0]).result()  # warm
        marks = _drain_with_prefect(jobs, pool, work) if prefect else _drain(jobs, pool, work)
    finally:
        renderers.close()
    tenth = max(1, count // 10)
    return {
        "segments": count,
        "ms_per_segment": round(1000 * (marks[-1][0] - marks[0][0]) / count, 2),
        "ms_first_tenth": round(1000 * (marks[tenth][0] - marks[0][0]) / tenth, 2),
        "ms_last_tenth": round(1000 * (marks[-1][0] - marks[-1 - tenth][0]) / tenth, 2),
        "mb_queue_made": round(marks[0][1] / 1e6, 1),
        "mb_first_tenth": round(marks[tenth][1] / 1e6, 1),
        "mb_end": round(marks[-1][1] / 1e6, 1),
        "load_average": round(os.getloadavg()[0], 1),
    }


def _drain(jobs: list[RenderJob], pool: Any, work: float) -> list[tuple[float, int]]:
    marks = [_mark()]
    with ThreadPoolExecutor(WINDOW) as threads:
        for _, future in in_window(jobs, lambda job: threads.submit(_there_and_back, job, pool, work), WINDOW):
            future.result()
            marks.append(_mark())
    return marks


def _drain_with_prefect(jobs: list[RenderJob], pool: Any, work: float) -> list[tuple[float, int]]:
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE

    from flows.render import REMEMBERED_RUNS, THREADS, forgotten_runs

    @task(cache_policy=NO_CACHE)
    def one(number: int) -> int:
        return _there_and_back(jobs[number], pool, work)

    @flow(task_runner=THREADS, persist_result=False)
    def all_of_them() -> list[tuple[float, int]]:
        one.submit(0).result()
        marks = [_mark()]
        for start in range(0, len(jobs), REMEMBERED_RUNS):
            with forgotten_runs(one) as submit:
                for _, future in in_window(range(start, min(start + REMEMBERED_RUNS, len(jobs))), submit, WINDOW):
                    future.result()
                    marks.append(_mark())
        return marks

    return all_of_them()


def _there_and_back(job: RenderJob, pool: Any, work: float) -> int:
    return int(pool.submit(_one_frame, job, work).result())


def _one_frame(job: RenderJob, work: float = 0.0) -> int:
    """In the renderer's process: the first picture of a segment, 256 x 256."""
    time.sleep(work)
    portrait = np.zeros((256, 256, 3), np.uint8)
    segment = job.segment
    frames = still.StillRenderer().render(portrait, np.zeros(1, np.float32), segment.face, segment.settings, 1)
    return next(frames).shape[0]


def _job(base: Segment, seed: int) -> RenderJob:
    segment = Segment(
        base.portrait, base.audio, base.face, base.checkpoint, base.fingerprint, RenderSettings(seed=seed)
    )
    return RenderJob(segment, 1, 25, f"turn {seed} (Ann) in en", "ann")


def _mark() -> tuple[float, int]:
    return time.perf_counter(), rendering.resident_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--prefect", action="store_true", help="a Prefect task per segment, on a server of its own")
    parser.add_argument("--work", type=float, default=0.0, help="milliseconds that a segment takes at least")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.alone:
        for count in given.segments:
            command = [sys.executable, "-m", "benchmarks.dispatch", "--alone", "--segments", str(count)]
            command += ["--work", str(given.work)]
            subprocess.run(command + ["--prefect"] * given.prefect, check=True, cwd=Path(__file__).parents[1])
        return
    with tempfile.TemporaryDirectory(prefix="portrayal-dispatch-") as home:
        os.environ |= {"PORTRAYAL_HOME": home, "PORTRAYAL_DEVICES": "cpu"}
        server = None
        if given.prefect:
            os.environ["PREFECT_HOME"] = f"{home}/prefect"
            server = embedded.start(Path(home))
            server.join()
        try:
            print(json.dumps(measure(given.segments[0], prefect=given.prefect, work=given.work / 1000)), flush=True)
        finally:
            if server is not None:
                server.stop()


if __name__ == "__main__":
    main()
