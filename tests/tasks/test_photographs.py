"""A photograph that is imported and a checkpoint that is converted become a clip, through the renderer."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import cbook
from PIL import Image

from catalog.portraits import find_portrait
from catalog.session import session_factory
from media.audio import wav_bytes
from media.face_crop import cut_square
from media.framing import shown_square
from media.segment import RenderSettings, Segment
from media.video import probe_video, read_frames
from models.emo.convert import convert_echomimic
from tasks import domains, rendering, workspace
from tasks.importing import import_portraits
from tasks.request import checked_request
from tasks.sources import read_source

FRAMES = 10  # two windows of the tiny model, and more


@pytest.fixture
def home(tmp_path: Path, seeded_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    shutil.copytree(seeded_home, tmp_path / "home")
    monkeypatch.setenv("PORTRAYAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    yield tmp_path / "home"
    workspace.catalog().dispose()


def test_a_photograph_speaks_and_its_surroundings_stay(home: Path, tmp_path: Path, published: Path, micro: Any) -> None:
    models_dir = workspace.settings().models_dir
    convert_echomimic(published, models_dir / "echomimic-acc", "acc", micro)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        photograph = Image.open(file).convert("RGB")
    photograph.save(pictures / "grace.png")
    told = {"licence": "public domain", "consent_subject": "Grace Hopper", "style": "photo"}
    assert import_portraits(pictures, told).added == ("grace",)
    with session_factory(workspace.catalog(), read_only=True)() as session:
        grace = find_portrait(session, "grace")
        key, face = grace.image_key, tuple(grace.face)

    (tmp_path / "talk.txt").write_text("Ann: Yes.\n")
    request = checked_request(source=str(tmp_path / "talk.txt"), cast={"Ann": "grace"})
    checkpoint = domains.settled(request, read_source(request)).engine("render")
    assert checkpoint == "echomimic-acc"
    info = rendering.engine_info(checkpoint, models_dir)
    voice = np.random.default_rng(0).normal(0, 0.1, 16_000 * FRAMES // info.fps).astype(np.float32)
    sound = workspace.store().put_bytes(wav_bytes(voice, 16_000), "audio", ".wav")
    segment = Segment(key, sound, face, checkpoint, info.fingerprint, RenderSettings(steps=1))
    job = rendering.RenderJob(segment, FRAMES, info.fps, "turn 1 (Ann) in en", "grace")
    done: list[int] = []
    with rendering.renderers(0):
        clip = rendering.render(job, done.append)

    assert done[-1] == FRAMES and done == sorted(done)
    film = workspace.store().fetch(rendering.clip_key(segment.key))
    probed = probe_video(film)
    assert (probed.frames, probed.width, probed.height) == (FRAMES, 512, 512) == (clip.frames, clip.width, clip.height)
    shown = shown_square(*photograph.size, face)
    still = cut_square(np.asarray(photograph), shown, 512).astype(int)
    left, top, right, bottom = (round(value * side) for value, side in zip(face, photograph.size * 2, strict=True))
    inside = (slice(top - shown.top, bottom - shown.top), slice(left - shown.left, right - shown.left))
    for frame in read_frames(film):
        apart = np.abs(frame.astype(int) - still).mean(axis=2)
        assert apart[-40:].mean() < 4 and apart[:, :20].mean() < 4
        assert apart[inside].mean() > 10  # random weights draw no face
