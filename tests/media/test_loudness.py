"""Finished sound is at -16 LUFS with its true peaks under -1 dBTP."""

import subprocess
import sys
from math import inf

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.loudness import measure, normalise_loudness

RATE = 48000


def speech_like(seconds: float, crest: float, seed: int = 0) -> np.ndarray:
    """Noise in syllables of a random level, with pauses, at about the crest factor of speech."""
    rng = np.random.default_rng(seed)
    count = int(seconds * RATE)
    syllables = rng.random(int(seconds * 5) + 2) ** crest * (rng.random(int(seconds * 5) + 2) > 0.2)
    envelope = np.interp(np.arange(count) / RATE, np.arange(len(syllables)) / 5, syllables)
    tone = np.sin(2 * np.pi * np.cumsum(120 + 40 * rng.random(count)) / RATE) ** 9
    return (0.2 * envelope * (tone + 0.3 * rng.standard_normal(count))).astype(np.float32)


@settings(max_examples=8, deadline=None)
@given(
    seconds=st.floats(0.5, 14),
    crest=st.floats(0.5, 4),
    level=st.sampled_from([0.003, 0.1, 1.0, 20.0]),
    seed=st.integers(0, 99),
)
def test_any_speech_comes_out_at_the_target_and_under_the_ceiling(
    seconds: float, crest: float, level: float, seed: int
) -> None:
    samples = speech_like(seconds, crest, seed) * np.float32(level)
    loudness, peak = measure(normalise_loudness(samples, RATE), RATE)
    if measure(samples, RATE)[0] > -inf:
        assert loudness == pytest.approx(-16, abs=0.3)
    assert peak < -1


@pytest.mark.parametrize("rate", [16000, 22050, 48000])
def test_the_measure_agrees_with_pyloudnorm(rate: int) -> None:
    samples = speech_like(31, 2)[: 20 * rate]
    assert measure(samples, rate)[0] == pytest.approx(pyloudnorm.Meter(rate).integrated_loudness(samples), abs=0.05)


def test_a_full_scale_tone_measures_as_the_standard_says() -> None:
    # BS.1770: a 997 Hz sine at 0 dBFS in one channel reads -3.01 LUFS.
    tone = np.sin(2 * np.pi * 997 * np.arange(5 * RATE) / RATE).astype(np.float32)
    loudness, peak = measure(tone, RATE)
    assert loudness == pytest.approx(-3.01, abs=0.1)
    assert peak == pytest.approx(0, abs=0.1)


def test_peaks_between_the_samples_are_seen() -> None:
    # A quarter of the rate, sampled 45 degrees off its crests: every sample is 3 dB below the true peak.
    tone = np.sin(np.pi / 2 * np.arange(RATE) + np.pi / 4).astype(np.float32)
    assert np.abs(tone).max() < 0.7072
    assert measure(tone, RATE)[1] == pytest.approx(0, abs=0.2)
    assert measure(normalise_loudness(tone, RATE, target=-3), RATE)[1] < -1


def test_silence_stays_silence() -> None:
    assert not normalise_loudness(np.zeros(RATE, np.float32), RATE).any()
    assert measure(np.zeros(RATE, np.float32), RATE) == (-inf, -inf)


def test_a_click_too_short_to_measure_is_only_limited() -> None:
    click = np.zeros(RATE // 5, np.float32)
    click[5000:5010] = 0.2
    np.testing.assert_array_equal(normalise_loudness(click, RATE), click)
    assert measure(normalise_loudness(click * 20, RATE), RATE)[1] < -1
    assert len(normalise_loudness(np.zeros(0, np.float32), RATE)) == 0


def test_blocks_leave_no_seam() -> None:
    tone = (0.01 * np.sin(2 * np.pi * 220 * np.arange(25 * RATE) / RATE)).astype(np.float32)
    result = normalise_loudness(tone, RATE)
    ratio = result[np.abs(tone) > 0.001] / tone[np.abs(tone) > 0.001]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)


def test_memory_stays_near_that_of_the_samples() -> None:
    script = f"""
import resource, numpy as np
from media.loudness import normalise_loudness
normalise_loudness(np.zeros({RATE}, np.float32) + 0.1, {RATE})
samples = np.tile(np.random.default_rng(0).standard_normal({RATE}).astype(np.float32) * 0.2, 120)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
normalise_loudness(samples, {RATE})
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / samples.nbytes)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert float(done.stdout) < 6, "two minutes of sound took several times their own memory"
