"""pyannote.audio, loaded as its own weights would be, from a folder of random ones: what it finds means nothing."""

import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from media.audio import resample
from media.errors import MissingEngineError
from media.long_sound import LongSound
from media.settings import Settings
from models.speech.protocols import Diarization, Samples, SpeakerTurn
from models.speech.pyannote import PyannoteDiarizer

SECONDS = 6


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, one_torch_thread: None) -> Path:
    """27 MB: the architectures of community-1, smaller where they can be, with a bias towards one speaker speaking."""
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "0")
    import torch
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from pyannote.audio.models.embedding import WeSpeakerResNet34
    from pyannote.audio.models.segmentation import PyanNet

    folder = tmp_path_factory.mktemp("community-1")
    torch.manual_seed(0)
    small = {"hidden_size": 8, "num_layers": 1}
    segmentation = PyanNet(sample_rate=16000, num_channels=1, lstm=small, linear=small)
    segmentation.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION, resolution=Resolution.FRAME, duration=10.0,
        classes=["speaker#1", "speaker#2", "speaker#3"], powerset_max_classes=2, permutation_invariant=True,
    )  # fmt: skip
    embedding = WeSpeakerResNet34(sample_rate=16000, num_channels=1)
    embedding.specifications = Specifications(problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0)
    for name, model in (("segmentation", segmentation), ("embedding", embedding)):
        model.build()
        if name == "segmentation":
            with torch.no_grad():
                model.classifier.bias[1] = 3.0
        checkpoint = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
        checkpoint |= {"pytorch-lightning_version": "2.0.0", "epoch": 0, "global_step": 0}
        model.on_save_checkpoint(checkpoint)
        (folder / name).mkdir()
        torch.save(checkpoint, folder / name / "pytorch_model.bin")
    random = np.random.default_rng(0)
    (folder / "plda").mkdir()
    np.savez(folder / "plda/xvec_transform.npz", mean1=np.zeros(256), mean2=np.zeros(128),
             lda=random.normal(size=(256, 128)))  # fmt: skip
    np.savez(folder / "plda/plda.npz", mu=np.zeros(128), tr=np.eye(128), psi=np.linspace(2.0, 0.1, 128))
    parts = {part: f"$model/{part}" for part in ("segmentation", "embedding", "plda")}
    config = {
        "dependencies": {"pyannote.audio": "4.0.0"},
        "pipeline": {
            "name": "pyannote.audio.pipelines.SpeakerDiarization",
            "params": {"clustering": "VBxClustering", "embedding_exclude_overlap": True, **parts},
        },
        "params": {
            "clustering": {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8},
            "segmentation": {"min_duration_off": 0.0},
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture(scope="module")
def shares() -> list[float]:
    return []


@pytest.fixture(scope="module")
def found(weights: Path, shares: list[float], dialogue: tuple[Samples, int, list[SpeakerTurn]]) -> Diarization:
    samples, rate, _ = dialogue
    sound = resample(samples[: SECONDS * rate], rate, 8000)
    return PyannoteDiarizer(str(weights)).diarize(sound, 8000, max_speakers=2, progress=shares.append)


def test_where_no_speech_is_heard_there_are_no_turns_whatever_the_network_says(weights: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, SECONDS * 8000).astype(np.float32)
    found = PyannoteDiarizer(str(weights)).diarize(noise, 8000, max_speakers=2)
    assert found == Diarization((), (), {}, "No speech was found.")


def test_a_local_folder_diarizes_samples_of_any_rate(found: Diarization) -> None:
    assert found.turns and "1 speaker found by pyannote.audio" in found.note
    assert all(0 <= turn.start < turn.end <= SECONDS for turn in (*found.turns, *found.exclusive))


def test_sound_on_disk_is_heard_as_sound_in_memory(
    found: Diarization, weights: Path, dialogue: tuple[Samples, int, list[SpeakerTurn]], tmp_path: Path
) -> None:
    samples, rate, _ = dialogue
    with LongSound(tmp_path) as sound:
        sound.append(resample(samples[: SECONDS * rate], rate, 8000))
        assert PyannoteDiarizer(str(weights)).diarize(sound, 8000, max_speakers=2) == found


def test_the_exclusive_diarization_never_overlaps(found: Diarization) -> None:
    times = [time for turn in found.exclusive for time in (turn.start, turn.end)]
    assert times and times == sorted(times)


def test_speakers_have_voices_of_unit_length(found: Diarization) -> None:
    assert {turn.speaker for turn in found.turns} == set(found.embeddings)
    assert all(np.linalg.norm(vector) == pytest.approx(1) for vector in found.embeddings.values())


def test_progress_grows_to_one(found: Diarization, shares: list[float]) -> None:
    assert found and len(shares) > 3 and shares == sorted(shares) and shares[-1] == 1


def test_telemetry_is_off(found: Diarization) -> None:
    from pyannote.audio.telemetry.metrics import is_metrics_enabled

    assert found and not is_metrics_enabled()


def test_silence_has_no_turns(weights: Path) -> None:
    import torch
    from pyannote.audio import Pipeline

    from models.speech.pyannote import _pipeline

    pipeline: Pipeline = _pipeline(str(weights), None)
    bias = pipeline._segmentation.model.classifier.bias
    with torch.no_grad():
        bias[0] += 9.0
    try:
        silent = PyannoteDiarizer(str(weights)).diarize(np.zeros(16000, np.float32), 16000)
    finally:
        with torch.no_grad():
            bias[0] -= 9.0
    assert silent == Diarization((), (), {}, "No speech was found.")


def test_a_folder_that_is_no_pipeline_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("pipeline: {name: pyannote.audio.pipelines.SpeakerDiarization}")
    with pytest.raises(MissingEngineError, match="cannot load"):
        PyannoteDiarizer(str(tmp_path)).diarize(np.zeros(16000, np.float32), 16000)


def test_without_weights_and_token_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORTRAYAL_HF_TOKEN", raising=False)
    with pytest.raises(MissingEngineError, match=r"no-such/model.*PORTRAYAL_HF_TOKEN.*models/pyannote"):
        PyannoteDiarizer("no-such/model", settings=Settings(home=tmp_path))
