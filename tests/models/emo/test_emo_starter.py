"""The shipped checkpoint: what its model card promises, measured again on a few clips."""

import numpy as np
import pytest

from media.errors import InputError, MissingEngineError
from media.segment import RenderSettings
from models.emo.corpus import frames_of, held_out_scenes
from models.emo.evaluate import MouthReader, evaluate, fitted_reader, mouth_crops, opening, portrait_of
from models.emo.renderer import SHIPPED, Renderer, checkpoint_info


def test_the_starter_fits_into_the_repository():
    size = sum(path.stat().st_size for path in (SHIPPED / "starter").rglob("*") if path.is_file())
    assert size <= 40e6


def test_the_starter_says_what_it_is_without_being_loaded():
    info = checkpoint_info("starter")
    assert (info.fps, info.size) == (25, 256)
    assert len(info.fingerprint) == 64
    assert (SHIPPED / "starter" / "README.md").read_text().startswith("---")


def test_a_checkpoint_that_is_not_there_is_missing(tmp_path):
    with pytest.raises(MissingEngineError, match="'echomimic' is not there"):
        checkpoint_info("echomimic", tmp_path)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(InputError, match="model_index"):
        checkpoint_info(str(tmp_path))


@pytest.mark.slow
def test_the_starter_talks_in_sync_and_hears_only_its_own_voice():
    figures = evaluate("starter", clips=4, seconds=2.4)
    assert figures["mouth_reader_ceiling"] >= 0.95
    assert figures["mouth_correlation"] >= 0.7
    assert figures["mouth_correlation_wrong_audio"] <= 0.4  # noisier than over the twelve clips of the card
    assert figures["full_frame_error"] < figures["full_frame_error_copy"]
    assert abs(figures["av_offset_frames"]) <= 1


@pytest.mark.slow
def test_in_silence_the_starter_keeps_its_mouth_closed():
    scene = held_out_scenes(1)[0]
    portrait = portrait_of(scene, 256)
    frames = list(Renderer("starter").render(portrait, np.zeros(16_000, np.float32), scene.face, RenderSettings(), 24))
    read = fitted_reader(256, scenes=40).read(mouth_crops(frames, portrait, scene.mouth))
    assert np.abs(read).max() < 0.25


def test_the_mouth_reader_reads_drawings_of_people_it_never_saw():
    reader = fitted_reader(128, scenes=40)
    scene = held_out_scenes(2)[1]
    drawn = frames_of(scene, 0, 40, 128)
    read = reader.read(mouth_crops(list(drawn), portrait_of(scene, 128), scene.mouth))
    assert isinstance(reader, MouthReader)
    assert np.corrcoef(read, opening(scene.poses[:40]))[0, 1] > 0.9
