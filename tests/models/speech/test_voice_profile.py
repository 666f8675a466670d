"""Pitch as a hint for casting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.speech.protocols import Samples
from models.speech.voice_profile import pitch_track, voice_profile


def hum(hertz: float, seconds: float = 2.0, rate: int = 16000) -> Samples:
    """A buzz with the overtones of a voice."""
    time = np.arange(round(seconds * rate)) / rate
    tones = [np.sin(2 * np.pi * hertz * n * time + n) / n for n in range(1, 8) if hertz * n < rate / 2]
    return (0.1 * np.sum(tones, axis=0)).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(st.floats(75, 350), st.sampled_from([8000, 16000, 22050, 44100, 48000]))
def test_the_median_is_the_pitch_at_every_rate(hertz: float, rate: int) -> None:
    assert voice_profile(hum(hertz, rate=rate), rate).median_hz == pytest.approx(hertz, abs=3)


@pytest.mark.parametrize(("hertz", "pitch_class"), [(100, "low"), (150, "mid"), (210, "high")])
def test_the_pitch_has_a_class(hertz: float, pitch_class: str) -> None:
    assert voice_profile(hum(hertz), 16000).pitch_class == pitch_class


def test_the_range_leaves_out_the_extremes() -> None:
    profile = voice_profile(np.concatenate([hum(hertz, 1.0) for hertz in (100, 120, 140)]), 16000)
    assert profile.low_hz == pytest.approx(100, abs=3)
    assert profile.median_hz == pytest.approx(120, abs=3)
    assert profile.high_hz == pytest.approx(140, abs=3)


def test_pauses_and_noise_have_no_pitch() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 16000).astype(np.float32)
    track = pitch_track(np.concatenate([hum(120, 1.0), np.zeros(16000, np.float32), noise]), 16000)
    voiced = track > 0
    assert voiced[5:90].mean() > 0.95 and not voiced[105:195].any() and voiced[205:].mean() < 0.05


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.3])
def test_too_little_voice_gives_no_profile(seconds: float) -> None:
    profile = voice_profile(hum(120, seconds), 16000)
    assert (profile.median_hz, profile.pitch_class) == (None, None)
    assert voice_profile(np.zeros(32000, np.float32), 16000).median_hz is None
