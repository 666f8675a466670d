"""Music and noise between people who speak are nobody's turn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.audio import resample
from media.long_sound import LongSound
from models.speech import vad
from models.speech.dvector import DvectorDiarizer
from models.speech.espeak import EspeakSynthesizer
from models.speech.protocols import Samples

RATE = vad.RATE
SECONDS = 6.0
TIME = np.arange(round(SECONDS * RATE)) / RATE


def white(rng: np.random.Generator) -> np.ndarray:
    return 0.1 * rng.standard_normal(len(TIME))


def pink(rng: np.random.Generator) -> np.ndarray:
    spectrum = np.fft.rfft(rng.standard_normal(len(TIME)))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), len(TIME))
    return 0.1 * noise / noise.std()


def low_tone(rng: np.random.Generator) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * 120 * TIME)


def siren(rng: np.random.Generator) -> np.ndarray:
    """In the range of a voice, which the bare detector takes for one."""
    return 0.3 * np.sin(2 * np.pi * np.cumsum(250 + 80 * np.sin(2 * np.pi * 5 * TIME)) / RATE)


def organ(rng: np.random.Generator) -> np.ndarray:
    phase = 2 * np.pi * np.cumsum(110 * (1 + 0.02 * np.sin(2 * np.pi * 5 * TIME))) / RATE
    return 0.2 * sum(np.sin(k * phase) / k for k in range(1, 15)) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * TIME))


def chords(rng: np.random.Generator) -> np.ndarray:
    """A plucked accompaniment with drums."""
    sound = np.zeros(len(TIME))
    for beat, root in zip(np.arange(0, SECONDS - 0.5, 0.5), [220.0, 174.6, 261.6, 196.0] * 3, strict=False):
        here = TIME[: len(TIME) - round(beat * RATE)]
        notes = sum(np.sin(2 * np.pi * root * step * k * here) / k**2 for step in (1, 1.26, 1.5) for k in range(1, 6))
        hit = rng.standard_normal(len(here)) * np.exp(-30 * here)
        sound[round(beat * RATE) :] += notes * np.exp(-3 * here) + hit
    return 0.3 * sound / np.abs(sound).max()


def applause(rng: np.random.Generator) -> np.ndarray:
    sound = np.zeros(len(TIME))
    clap = np.exp(-300 * TIME[:200])
    for start in rng.integers(0, len(TIME) - 200, 1800):
        sound[start : start + 200] += rng.uniform(0.1, 1) * rng.standard_normal(200) * clap
    return 0.1 * sound / sound.std()


NOISES = [white, pink, low_tone, siren, organ, chords, applause]


@pytest.fixture(scope="module")
def lines() -> list[Samples]:
    engine = EspeakSynthesizer()
    said = []
    for voice, text in zip(
        engine.voices("en", 2, ["masculine", "feminine"]),
        ("Good morning, and welcome to our little programme.", "Thank you, it is a pleasure to be here today."),
        strict=True,
    ):
        speech = engine.speak(text, "en", voice)
        said.append(resample(speech.samples, speech.sample_rate, RATE))
    return said


@pytest.mark.parametrize("noise", NOISES)
def test_what_is_no_speech_is_nobodys_turn(
    noise: Callable[[np.random.Generator], np.ndarray], lines: list[Samples]
) -> None:
    sound = noise(np.random.default_rng(3)).astype(np.float32)
    assert vad.speech_regions(sound) == []
    pause = np.zeros(RATE // 4, np.float32)
    recording = np.concatenate([pause, lines[0], pause, sound, pause, lines[1], pause])
    begins = len(lines[0]) / RATE + 0.5
    found = DvectorDiarizer().diarize(recording, RATE)
    assert found.turns
    for turn in found.turns:
        # Where it begins at once, the end of a word may reach a little into it.
        assert turn.end <= begins + 0.5 or turn.start >= begins + SECONDS - 0.5, f"{noise.__name__} is a turn: {turn}"
    heard = sum(turn.end - turn.start for turn in found.turns)
    assert heard == pytest.approx(sum(map(len, lines)) / RATE, abs=1.0)


def test_noise_alone_has_no_turns() -> None:
    found = DvectorDiarizer().diarize(white(np.random.default_rng(0)).astype(np.float32), RATE)
    assert found.turns == () and found.note == "No speech was found."


@pytest.mark.parametrize("text", ["Yes.", "No.", "Hmm.", "Mm-hm.", "Ah."])
def test_short_answers_are_speech(text: str) -> None:
    engine = EspeakSynthesizer()
    for voice in engine.voices("en", 2, ["masculine", "feminine"]):
        speech = engine.speak(text, "en", voice)
        said = resample(speech.samples, speech.sample_rate, RATE)
        pause = np.zeros(RATE // 2, np.float32)
        bare = vad._regions(vad._probabilities(np.concatenate([pause, said, pause]), None), len(said) / RATE + 1)
        assert vad.speech_regions(np.concatenate([pause, said, pause])) == bare


def test_a_recording_on_disk_is_heard_as_one_in_memory(lines: list[Samples], tmp_path: Path) -> None:
    # Two minutes and more are heard as several streams.
    recording = np.tile(np.concatenate([lines[0], np.zeros(RATE, np.float32), lines[1]]), 18)
    with LongSound(tmp_path) as sound:
        for start in range(0, len(recording), 100_003):
            sound.append(recording[start : start + 100_003])
        assert vad.speech_regions(sound) == vad.speech_regions(recording)


@given(st.lists(st.tuples(st.floats(0.01, 3), st.floats(0.01, 3)), max_size=12), st.floats(0, 20), st.floats(0.1, 10))
def test_the_share_of_speech_is_that_of_a_count(steps: list[tuple[float, float]], start: float, long: float) -> None:
    regions, at = [], 0.0
    for pause, length in steps:
        regions.append((at + pause, at + pause + length))
        at += pause + length
    moments = start + (np.arange(4000) + 0.5) / 4000 * long
    counted = np.mean([any(begin <= moment < end for begin, end in regions) for moment in moments])
    assert vad.share_of_speech(regions, start, start + long) == pytest.approx(counted, abs=0.01)
