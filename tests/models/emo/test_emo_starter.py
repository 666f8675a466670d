"""The shipped checkpoint: what its model card promises, measured again on a few clips."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from media.errors import InputError, MissingEngineError
from media.segment import RenderSettings
from models.emo.corpus import Utterance, held_out_scenes
from models.emo.evaluation import evaluate
from models.emo.evaluation.faces import look, portrait_of
from models.emo.evaluation.measures import fitted_instruments
from models.emo.evaluation.takes import generated
from models.emo.renderer import SHIPPED, Renderer, checkpoint_info


def test_the_starter_fits_into_the_repository():
    size = sum(path.stat().st_size for path in (SHIPPED / "starter").rglob("*") if path.is_file())
    assert size <= 40e6


def test_the_starter_says_what_it_is_without_being_loaded():
    info = checkpoint_info("starter")
    assert (info.fps, info.size) == (25, 256)
    assert len(info.fingerprint) == 64
    assert (SHIPPED / "starter" / "README.md").read_text().startswith("---")


def test_weights_are_read_for_the_fingerprint_only_when_they_change(tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(SHIPPED / "starter", folder)
    assert checkpoint_info(str(folder)).fingerprint == checkpoint_info("starter").fingerprint
    weights = next(folder.rglob("*.safetensors"))
    before = weights.stat()
    weights.write_bytes(bytes(before.st_size))
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert checkpoint_info(str(folder)).fingerprint == checkpoint_info("starter").fingerprint  # it was not read
    os.utime(weights)
    assert checkpoint_info(str(folder)).fingerprint != checkpoint_info("starter").fingerprint


def test_a_checkpoint_that_is_not_there_is_missing(tmp_path):
    with pytest.raises(MissingEngineError, match="'echomimic' is not there"):
        checkpoint_info("echomimic", tmp_path)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(InputError, match="model_index"):
        checkpoint_info(str(tmp_path))


@pytest.mark.slow
def test_the_starter_talks_in_sync_and_hears_only_its_own_voice():
    figures = evaluate("starter", clips=4, seconds=3.0, only="speech")
    assert figures["mouth_correlation_ceiling"] >= 0.95
    assert figures["mouth_correlation"] >= 0.75  # noisier than over the 24 clips of the card, and so are the others
    assert figures["mouth_correlation_wrong_audio"] <= 0.4
    assert abs(figures["av_offset_frames"]) <= 1
    assert figures["identity_top1"] >= 0.95
    assert figures["expression_correlation"] >= 0.3
    assert figures["seam_ratio"] <= 1.3
    for figure in ("full_frame_error", "face_error"):
        assert figures[figure] < figures[f"{figure}_copy"]


@pytest.mark.slow
def test_in_silence_the_starter_keeps_its_mouth_closed():
    scene, size = held_out_scenes(1)[0], checkpoint_info("starter").size
    made = generated(Renderer("starter"), mute(scene), 24, RenderSettings())
    reading = fitted_instruments(size, people=40).reader.read(look(made, portrait_of(scene, size)))
    assert np.abs(reading.opening).max() < 0.25


def mute(scene):
    return replace(scene, utterance=Utterance(np.zeros(16_000, np.float32), ()))
