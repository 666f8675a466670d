"""The worker program for chatterbox, run as a process, on a stand-in for the package: its weights are 3 GB.

The stand-in has what the program uses of chatterbox-tts 0.1.7 (`mtl_tts.py` there), prints to stdout as the package does, and
sings at the pitch of the recording that it was given. Torch is real.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from media.audio import wav_bytes
from media.errors import InputError, RenderError
from models.speech.protocols import Voice
from models.speech.voice_profile import voice_profile
from models.speech.worker import CHATTERBOX_WORKER, WorkerEngine

PACKAGE = """
import wave
import numpy as np
import torch

class ChatterboxMultilingualTTS:
    sr = 24000

    def __init__(self, conds):
        self.conds = conds

    @classmethod
    def get_supported_languages(cls):
        return {"en": "English", "es": "Spanish"}

    @classmethod
    def from_local(cls, ckpt_dir, device):
        print("loaded PerthNet (Implicit) at step 250,000")
        return cls(110.0 if ckpt_dir.endswith("weights") else None)

    def prepare_conditionals(self, wav_fpath, exaggeration=0.5):
        with wave.open(wav_fpath) as file:
            heard = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
            self.conds = ((heard[:-1] < 0) & (heard[1:] >= 0)).sum() / len(heard) * file.getframerate()

    def generate(self, text, language_id, audio_prompt_path=None, exaggeration=0.5, cfg_weight=0.5, temperature=0.8):
        if len(text) > 300:
            raise RuntimeError("more than 1000 tokens")
        if "fire" in text:
            raise RuntimeError("CUDA out of memory")
        time = torch.arange(int(self.sr * 0.02 * len(text))) / self.sr
        return (0.4 * torch.sin(2 * torch.pi * self.conds * time) + 0.01 * torch.randn(len(time))).unsqueeze(0)
"""


@pytest.fixture(scope="module")
def chatterbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerEngine]:
    site = tmp_path_factory.mktemp("site")
    (site / "chatterbox").mkdir()
    (site / "chatterbox" / "__init__.py").write_text("")
    (site / "chatterbox" / "mtl_tts.py").write_text(PACKAGE)
    (site / "chatterbox_tts-0.1.7.dist-info").mkdir()
    (site / "chatterbox_tts-0.1.7.dist-info" / "METADATA").write_text("Name: chatterbox-tts\nVersion: 0.1.7\n")
    program = [sys.executable, str(CHATTERBOX_WORKER), "--weights", "weights"]
    engine = WorkerEngine(
        ("env", f"PYTHONPATH={site}", "OMP_NUM_THREADS=1", *program), "chatterbox", silent_seconds=120
    )
    yield engine
    engine.close()


def test_it_says_what_it_is_and_what_it_can(chatterbox: WorkerEngine) -> None:
    assert (chatterbox.name, chatterbox.version, chatterbox.can_clone) == ("chatterbox", "0.1.7", True)
    assert not chatterbox.reads_digits and not chatterbox.reads_ipa
    assert len(chatterbox.languages()) == 23 and [voice.name for voice in chatterbox.voices("es-MX", 3)] == ["default"]


def test_a_turn_is_spoken_whole_and_the_same_again(chatterbox: WorkerEngine) -> None:
    text = "This is a sentence of a long turn, and it goes on. " * 20
    first = chatterbox.speak(text, "en", Voice("default"))
    assert first.sample_rate == 24_000
    assert len(first.samples) > 0.95 * len(text) * 0.02 * 24_000  # the spaces between parts are left out
    chatterbox.speak("Something else.", "en", Voice("default"))
    assert np.array_equal(first.samples, chatterbox.speak(text, "en", Voice("default")).samples)


def test_a_voice_is_cloned_and_the_own_one_comes_back(chatterbox: WorkerEngine, tmp_path: Path) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 230 * np.arange(24_000) / 24_000)
    recording = tmp_path / "ann.wav"
    recording.write_bytes(wav_bytes(tone.astype(np.float32), 24_000))
    pitches = []
    for voice in (Voice("default"), Voice("", reference=str(recording)), Voice("default")):
        samples = chatterbox.speak("How do I sound now, and for long enough to tell?", "en", voice).samples
        pitches.append(voice_profile(samples, 24_000).median_hz)
    assert pitches == [pytest.approx(110, abs=3), pytest.approx(230, abs=5), pytest.approx(110, abs=3)]


def test_what_it_refuses_and_what_fails_are_told_apart_and_it_goes_on(chatterbox: WorkerEngine) -> None:
    with pytest.raises(InputError, match="this version of chatterbox does not speak 'fr'"):
        chatterbox.speak("Bonjour.", "fr", Voice("default"))
    with pytest.raises(RenderError, match="RuntimeError: CUDA out of memory"):
        chatterbox.speak("There is a fire.", "en", Voice("default"))
    assert len(chatterbox.speak("Good morning.", "en", Voice("default")).samples)
