"""The telephone conversation in pyannote.audio's wheel, and a dialogue spoken by two synthetic voices."""

import wave
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from models.speech.espeak import EspeakSynthesizer
from models.speech.protocols import Samples, SpeakerTurn


@pytest.fixture(scope="session")
def one_torch_thread() -> Iterator[None]:
    """For networks this small, threads that wait for a busy machine's cores cost a hundred times what they save."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def telephone() -> Path:
    """Folder with sample.wav, sample.rttm and sample.stm; found without importing the package, which takes 15 s."""
    spec = find_spec("pyannote")
    assert spec is not None
    return next(folder for root in spec.submodule_search_locations if (folder := Path(root) / "audio/sample").is_dir())


@pytest.fixture(scope="session")
def telephone_samples(telephone: Path) -> Samples:
    """30 s at 16 kHz."""
    with wave.open(str(telephone / "sample.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768


@pytest.fixture(scope="session")
def telephone_turns(telephone: Path) -> list[SpeakerTurn]:
    turns = []
    for line in (telephone / "sample.rttm").read_text().splitlines():
        _, _, _, start, length, _, _, speaker, *_ = line.split()
        turns.append(SpeakerTurn(speaker, float(start), float(start) + float(length)))
    return turns


@pytest.fixture(scope="session")
def dialogue() -> tuple[Samples, int, list[SpeakerTurn]]:
    """Ann and Ben in turn, half a second of silence between them."""
    lines = [
        ("Ann", "Good morning, and welcome to our little programme about the weather in the mountains."),
        ("Ben", "Thank you very much for having me, I have been looking forward to it for a long time."),
        ("Ann", "So tell me, what is the strangest thing that you have ever seen up there?"),
        ("Ben", "One winter we saw a rainbow at night, right above the frozen lake, and nobody believed us."),
        ("Ann", "I am not sure that I believe you either, but please do go on with your story."),
        ("Ben", "Well, the moon was full, and there was a fine mist over the water that evening."),
    ]
    engine = EspeakSynthesizer()
    voices = dict(zip(("Ann", "Ben"), engine.voices("en", 2, ["feminine", "masculine"]), strict=True))
    pause = np.zeros(11025, np.float32)
    pieces, turns, time = [pause], [], 0.5
    for speaker, text in lines:
        samples = engine.speak(text, "en", voices[speaker]).samples
        turns.append(SpeakerTurn(speaker, time, time + len(samples) / 22050))
        pieces += [samples, pause]
        time += (len(samples) + len(pause)) / 22050
    return np.concatenate(pieces), 22050, turns
