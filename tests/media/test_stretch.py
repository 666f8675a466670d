"""Another pace: the length is exact, the pitch stays, silence stays silent, and nothing clicks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.stretch import stretched

rates = st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000])
paces = st.floats(0.7, 1.5)


def tone(hertz: float, count: int, rate: int) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(count) / rate)).astype(np.float32)


def pitch_of(samples: np.ndarray, rate: int) -> float:
    """Of a sine, in Hz: from its zero crossings, each placed between two samples."""
    at = np.flatnonzero((samples[:-1] < 0) & (samples[1:] >= 0))
    exact = at + samples[at] / (samples[at] - samples[at + 1])
    return float((len(exact) - 1) * rate / (exact[-1] - exact[0]))


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 4_000), st.integers(1, 6_000), rates, st.integers(0, 99))
def test_the_length_is_exact_and_nothing_gets_louder(count: int, length: int, rate: int, seed: int) -> None:
    samples = np.random.default_rng(seed).uniform(-1, 1, count).astype(np.float32)
    result = stretched(samples, length, rate)
    assert result.shape == (length,) and result.dtype == np.float32
    assert np.abs(result).max() <= np.abs(samples).max() + 1e-6


@settings(max_examples=30, deadline=None)
@given(st.floats(70, 1_000), paces, rates)
def test_the_pitch_of_a_tone_stays_within_one_percent_and_it_does_not_click(
    hertz: float, pace: float, rate: int
) -> None:
    samples = tone(hertz, round(0.8 * rate), rate)
    result = stretched(samples, round(len(samples) / pace), rate)
    inner = result[len(result) // 8 : -len(result) // 8]
    assert pitch_of(inner, rate) == pytest.approx(hertz, rel=0.01)
    steepest = np.abs(np.diff(samples)).max()
    assert np.abs(np.diff(inner)).max() <= 1.05 * steepest
    assert np.sqrt(np.mean(inner**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 20_000), paces, rates)
def test_silence_stays_silence(count: int, pace: float, rate: int) -> None:
    assert not stretched(np.zeros(count, np.float32), max(round(count / pace), 1), rate).any()


@pytest.mark.parametrize("pace", [0.85, 1.25, 1.4])
def test_a_pause_stays_where_it_is_and_as_silent_as_it_was(pace: float) -> None:
    rate = 16_000
    samples = np.concatenate([tone(150, rate, rate), np.zeros(rate, np.float32), tone(150, rate, rate)])
    result = stretched(samples, round(3 * rate / pace), rate)
    edge = 0.04 * rate
    assert not result[round(rate / pace + edge) : round(2 * rate / pace - edge)].any()
    assert np.abs(result[: round(rate / pace - edge)]).max() > 0.45


def test_the_same_length_changes_nothing() -> None:
    samples = tone(200, 5_000, 16_000)
    np.testing.assert_array_equal(stretched(samples, 5_000, 16_000), samples)


def test_nothing_cannot_be_stretched() -> None:
    for samples, length in ((np.zeros(0, np.float32), 5), (np.zeros(5, np.float32), 0)):
        with pytest.raises(ValueError, match="cannot be brought"):
            stretched(samples, length, 16_000)
