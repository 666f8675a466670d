"""A segment that kills every renderer that takes it: given up after three, named, and nothing else is lost."""

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def test_a_segment_that_kills_its_renderer_every_time_is_given_up_and_the_others_finish(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect import flow
    from sqlalchemy import select

    from catalog.session import session_factory
    from catalog.tables import Portrait
    from flows.render import THREADS, named, render_here
    from media.audio import wav_bytes
    from media.segment import RenderSettings, Segment
    from models import still
    from tasks import rendering, workspace
    from tasks.rendering import RendererLostError, RenderJob

    monkeypatch.setenv("PORTRAYAL_RENDERERS", "1")
    with session_factory(workspace.catalog()).begin() as session:
        slug, image = session.execute(select(Portrait.slug, Portrait.image_key).limit(1)).one()
    sound = workspace.store().put_bytes(wav_bytes(np.zeros(1600, np.float32), 16_000), "audio", ".wav")
    segment = Segment(image, sound, (0.2, 0.2, 0.8, 0.8), still.NAME, still.FINGERPRINT)
    jobs = [
        RenderJob(replace(segment, settings=RenderSettings(seed=seed)), 2, 25, f"turn {seed} (Ann) in en", slug)
        for seed in range(1, 5)
    ]
    jobs[1] = replace(jobs[1], frames=200_000, label="turn 2 (Bob) in en")
    killed: list[int] = []
    over = threading.Event()

    def poison() -> None:
        while not over.wait(0.01):
            for slot in rendering._current._slots if rendering._current else ():
                pid, frames, _ = slot._shared
                if frames > 10 and pid not in killed:
                    killed.append(pid)
                    os.kill(pid, signal.SIGKILL)

    @flow(task_runner=THREADS, persist_result=False)
    def all_of_them() -> list[object]:
        return [named(job, made) if isinstance(made, Exception) else made for job, made in render_here(jobs)]

    watcher = threading.Thread(target=poison, daemon=True)
    watcher.start()
    began = time.monotonic()
    made = all_of_them()
    over.set()
    watcher.join()
    assert len(killed) == 3
    lost = [one for one in made if isinstance(one, Exception)]
    assert [type(one) for one in lost] == [RendererLostError] and "turn 2 (Bob) in en" in str(lost[0])
    assert sorted(one.key for one in made if not isinstance(one, Exception)) == sorted(
        job.segment.key for job in jobs if job is not jobs[1]
    )
    assert time.monotonic() - began < 240


def test_chunks_are_cut_by_work_and_smaller_when_they_are_sent_again(home: Path) -> None:
    from flows.render import CHUNK_SEGMENTS, SMALLER, _chunks
    from media.segment import RenderSettings, Segment
    from models import still
    from tasks import rendering
    from tasks.rendering import RenderJob

    segment = Segment("portraits/x.png", "audio/x.wav", (0, 0, 1, 1), still.NAME, still.FINGERPRINT)
    each = rendering.seconds_per_frame(still.FINGERPRINT, None)

    def jobs(count: int, seconds: float) -> dict[str, RenderJob]:
        found = (replace(segment, settings=RenderSettings(seed=seed)) for seed in range(count))
        return {one.key: RenderJob(one, round(seconds / each), 25, "turn", "ann") for one in found}

    sizes = [len(chunk) for chunk in _chunks(jobs(20, 100), 400)]
    assert sizes == [4] * 5
    assert [len(chunk) for chunk in _chunks(jobs(3, 100), 400 / SMALLER**2)] == [1, 1, 1]
    assert [len(chunk) for chunk in _chunks(jobs(450, 0.1), 400)] == [CHUNK_SEGMENTS, CHUNK_SEGMENTS, 50]
