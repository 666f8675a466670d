"""Renderer processes: clips are whole or not there, and a process that is killed is replaced."""

import json
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.audio import wav_bytes
from media.errors import InputError, LostArtifactError, MissingEngineError, PortrayalError, RenderError
from media.segment import RenderSettings, Segment
from media.video import probe_video
from models import still
from tasks import metrics, rendering, workspace
from tasks.rendering import RendererLostError, Renderers, RenderJob, clip_key, find_clip
from tasks.segments import silence


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RenderJob:
    """A second of the preview engine, with its picture and sound in a store of this test's own."""
    import io

    from PIL import Image

    monkeypatch.setenv("PORTRAYAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    store = workspace.store()
    picture = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(picture, "PNG")
    segment = Segment(
        portrait=store.put_bytes(picture.getvalue(), "portraits", ".png"),
        audio=store.put_bytes(wav_bytes(np.zeros(16_000, np.float32), 16_000), "audio", ".wav"),
        face=(0.2, 0.2, 0.8, 0.8),
        checkpoint=still.NAME,
        fingerprint=still.FINGERPRINT,
    )
    return RenderJob(segment, frames=25, fps=25, label="turn 1 (Ann) in en", portrait="ann")


def test_a_clip_has_as_many_frames_as_were_asked_for_and_a_record_of_its_cost(job: RenderJob) -> None:
    store = workspace.store()
    assert find_clip(store, job.segment.key) is None
    with rendering.renderers(0) as renderers:
        seen: list[int] = []
        clip = renderers.render(job, seen.append)
    info = probe_video(store.fetch(clip_key(job.segment.key)))
    assert (info.frames, info.fps, info.width, info.height) == (25, 25, 256, 256)
    assert clip.seconds_of_work > 0 and seen[-1] == 25
    assert find_clip(store, job.segment.key) == replace(clip, seconds_of_work=0.0)


def test_a_renderer_that_is_killed_is_replaced_and_counted(job: RenderJob, collector: Any) -> None:
    long = replace(job, frames=200_000)
    renderers = Renderers(1)
    try:
        caught: list[BaseException] = []

        def render() -> None:
            try:
                renderers.render(long)
            except BaseException as error:
                caught.append(error)

        thread = threading.Thread(target=render)
        thread.start()
        slot = renderers._slots[0]
        deadline = time.monotonic() + 120
        while slot._shared[1] == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(slot._shared[0], signal.SIGKILL)
        thread.join(60)
        assert isinstance(caught[0], RendererLostError) and "turn 1 (Ann)" in str(caught[0])
        assert find_clip(workspace.store(), long.segment.key) is None
        assert renderers.render(job).frames == 25
    finally:
        renderers.close()
    metrics.flush()
    assert collector.values["portrayal.renderer.restarts", "lost"] == 1
    assert collector.values["portrayal.video.rendered", "cpu"] == 1.0


def test_a_renderer_that_is_stopped_ends_at_once_and_nothing_is_rendered_later(job: RenderJob) -> None:
    """Neither right after its start, when nobody knows its process yet, nor by a segment that has waited for it."""
    for seconds in (0.0, 120.0):
        renderers = Renderers(1)
        slot = renderers._slots[0]
        with ThreadPoolExecutor(2) as threads:
            made = [threads.submit(renderers.render, replace(job, frames=200_000)) for _ in range(2)]
            deadline = time.monotonic() + seconds
            while not slot._busy or (slot._shared[1] == 0 and time.monotonic() < deadline):
                time.sleep(0.02)
            began = time.monotonic()
            renderers.close()
            for one in made:
                error = one.exception(60)
                assert isinstance(error, RenderError) and not isinstance(error, RendererLostError)
        assert time.monotonic() - began < 30 and find_clip(workspace.store(), job.segment.key) is None


def test_a_renderer_that_hangs_is_killed_after_a_time_that_grows_with_the_segment_and_one_that_grows_is_replaced(
    job: RenderJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTRAYAL_RENDERER_TIMEOUT", "1.5")
    assert rendering.longest_silence(replace(job, frames=1000)) > rendering.longest_silence(job) > 1.5
    long = replace(job, frames=100_000)
    monkeypatch.setenv("PORTRAYAL_DEVICES", "cpu")
    monkeypatch.setattr(rendering, "PATIENCE", 0.0)  # the segment is long so that it can be stopped midway
    renderers = Renderers(1)
    slot = renderers._slots[0]

    def stop_it() -> None:
        while slot._shared[1] == 0:
            time.sleep(0.02)
        os.kill(slot._shared[0], signal.SIGSTOP)

    try:
        monkeypatch.setenv("PORTRAYAL_RENDERER_TIMEOUT", "60")
        renderers.render(job)  # it has started; from now on silence means that it hangs
        monkeypatch.setenv("PORTRAYAL_RENDERER_TIMEOUT", "1.5")
        hung = slot._shared[0]
        threading.Thread(target=stop_it, daemon=True).start()
        with pytest.raises(RendererLostError, match=r"turn 1 \(Ann\).*no frame in 2 s"):
            renderers.render(long)
        _wait_until_gone(hung)
        monkeypatch.setenv("PORTRAYAL_RENDERER_TIMEOUT", "60")
        assert renderers.render(job).frames == 25
        warm = slot._shared[0]
        assert slot._shared[2] > 20e6  # measured, in bytes
        renderers.render(job)
        assert slot._shared[0] == warm != hung
        monkeypatch.setenv("PORTRAYAL_RENDERER_MEMORY_MB", "20")
        renderers.render(job)
        assert slot._shared[0] != warm
        _wait_until_gone(warm)
    finally:
        renderers.close()


def test_each_device_has_a_process_that_sees_it_before_torch_is_imported(
    job: RenderJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTRAYAL_DEVICES", "GPU-1a2b, cpu")
    assert rendering.devices() == ("GPU-1a2b", "cpu") and rendering.renderer_count(9) == 2
    renderers = Renderers(2)
    try:
        asked = [slot._pool.submit(_what_it_sees) for slot in renderers._slots]
        assert [one.result(120) for one in asked] == [("GPU-1a2b", False), ("", False)]
    finally:
        renderers.close()
    monkeypatch.setenv("PORTRAYAL_DEVICES", "0,,1")
    with pytest.raises(InputError, match="PORTRAYAL_DEVICES"):
        rendering.devices()


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.05)


def _what_it_sees() -> tuple[str | None, bool]:
    return os.environ.get("CUDA_VISIBLE_DEVICES"), "torch" in sys.modules


def test_what_a_renderer_refuses_reaches_the_caller_with_its_sentence(job: RenderJob) -> None:
    renderers = Renderers(1)
    try:
        lost = replace(job, segment=replace(job.segment, audio="audio/nothing.wav"))
        with pytest.raises(LostArtifactError, match=r"audio/nothing\.wav"):
            renderers.render(lost)
        changed = replace(job, segment=replace(job.segment, fingerprint="another"))
        with pytest.raises(InputError, match="planned with"):
            renderers.render(changed)
    finally:
        renderers.close()
    assert not list(workspace.store().root.glob("clips/*"))


def test_a_clip_without_its_record_is_not_trusted(job: RenderJob) -> None:
    store = workspace.store()
    with rendering.renderers(0) as renderers:
        renderers.render(job)
    record = Path(str(store.path(f"clips/{job.segment.key}.json")))
    facts = json.loads(record.read_text())
    record.write_text("{")
    assert find_clip(store, job.segment.key) is None
    record.write_text(json.dumps(facts))
    assert find_clip(store, job.segment.key) is not None


def test_settings_that_the_checkpoint_follows_anyway_do_not_change_a_key() -> None:
    info = still.StillInfo()
    asked = RenderSettings(steps=info.steps, fps=info.fps, seed=3)
    assert rendering.effective_settings(asked, info) == RenderSettings(seed=3)
    other = RenderSettings(steps=7, fps=30)
    assert rendering.effective_settings(other, info) == other


def test_the_precision_of_photographs_is_planned_and_that_of_others_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.render import _order

    drawn = rendering.engine_info("starter")
    photo = replace(drawn, domain="photo")
    monkeypatch.setenv("PORTRAYAL_DEVICES", "cpu")
    assert rendering.effective_settings(RenderSettings(), photo).precision is None  # float32, which fits
    monkeypatch.setenv("PORTRAYAL_PRECISION", "bfloat16")
    assert rendering.effective_settings(RenderSettings(), drawn).precision is None
    rounded = rendering.effective_settings(RenderSettings(), photo)
    assert rounded.precision == "bfloat16"
    for planned in (rounded, RenderSettings()):  # a machine that renders does as was planned elsewhere
        segment = Segment("p", "a", (0.2, 0.2, 0.8, 0.8), photo.name, photo.fingerprint, planned)
        asked = _order(RenderJob(segment, 2, 25, "turn 1", "ann")).render.settings
        assert rendering.effective_settings(asked, photo) == planned


def test_engines_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert rendering.engine_info("still") == still.StillInfo()
    with pytest.raises(MissingEngineError, match="models list"):
        rendering.engine_info("no-such-checkpoint", tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(PortrayalError, match="folder"):
        rendering.engine_info(str(tmp_path / "folder"), tmp_path)


def test_the_number_of_renderers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    monkeypatch.delenv("PORTRAYAL_RENDERERS", raising=False)
    assert rendering.gpus() == ("0", "3")
    assert rendering.renderer_count(100) == 2 and rendering.renderer_count(1) == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert rendering.gpus() == ()
    assert rendering.renderer_count(100) == min(8, rendering.processors())
    monkeypatch.setenv("PORTRAYAL_RENDERERS", "5")
    assert rendering.renderer_count(100) == 5 and rendering.renderer_count(2) == 2
    monkeypatch.setenv("PORTRAYAL_RENDERERS", "0")
    assert rendering.renderer_count(100) == 0


def test_silence_is_stored_once(job: RenderJob) -> None:
    store = workspace.store()
    assert silence(store, 1.0) == silence(store, 1.0) != silence(store, 2.0)


def test_an_estimate_goes_by_what_was_measured_here(job: RenderJob) -> None:
    before = rendering.estimated_seconds("f" * 64, None, 1000, 1)
    from tasks.speeds import record_speed

    record_speed(rendering._speed_name("f" * 64, None), 100, 500.0)
    after = rendering.estimated_seconds("f" * 64, None, 1000, 1)
    assert after == pytest.approx(5000 + rendering.STARTING_SECONDS)
    assert rendering.estimated_seconds("f" * 64, None, 1000, 2) < after
    assert rendering.estimated_seconds("f" * 64, None, 0, 2) == 0 < before
