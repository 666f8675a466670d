"""When each word is said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.errors import InputError
from models.speech.alignment import PocketsphinxAligner, ProportionalAligner
from models.speech.espeak import EspeakSynthesizer
from models.speech.protocols import Samples, Speech, Voice, Word

PROPORTIONAL, FORCED = ProportionalAligner(), PocketsphinxAligner()
TEXT = "Please tell your mother that dinner will be ready at seven."


@pytest.fixture(scope="module")
def speech() -> Speech:
    return EspeakSynthesizer().speak(TEXT, "en-US", Voice("m3", 45))


def in_order(words: tuple[Word, ...], duration: float) -> bool:
    times = [time for word in words for time in (word.start, word.end)]
    return times == sorted(times) and times[0] >= 0 and times[-1] <= duration + 1e-9


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=80), st.integers(1, 3), st.booleans())
def test_spreading_keeps_every_word_in_order_and_inside(text: str, seconds: int, noisy: bool) -> None:
    samples = np.zeros(seconds * 8000, np.float32)
    if noisy:
        samples[2000:6000] = np.random.default_rng(0).normal(0, 0.1, 4000)
    words = PROPORTIONAL.align(samples, 8000, text, "en")
    assert [word.text for word in words] == text.split()
    assert not words or in_order(words, seconds)


def test_longer_words_take_longer_and_nothing_is_said_in_a_pause() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    samples = np.concatenate([noise, np.zeros(16000, np.float32), noise])
    hello, world = PROPORTIONAL.align(samples, 16000, "hello world", "en")
    assert (hello.start, hello.end, world.start, world.end) == pytest.approx((0, 1, 2, 3), abs=0.03)
    short, long_ = PROPORTIONAL.align(noise, 16000, "a responsibility", "en")
    assert long_.end - long_.start > 5 * (short.end - short.start)


def test_forced_alignment_finds_words_where_they_are_said(speech: Speech) -> None:
    words = FORCED.align(speech.samples, speech.sample_rate, TEXT, "en-US")
    assert [word.text for word in words] == TEXT.split()
    assert in_order(words, len(speech.samples) / speech.sample_rate)
    # The phonemes that begin a word and occur once only say where these words really begin.
    begins = {phoneme.ipa.strip("ˈˌ"): phoneme.start for phoneme in reversed(speech.phonemes)}
    truth = {"Please": begins["p"], "mother": begins["m"], "dinner": begins["d"], "will": begins["w"]}
    for word in words:
        if word.text in truth:
            assert word.start == pytest.approx(truth[word.text], abs=0.08)


def test_words_that_no_dictionary_has_are_aligned_too() -> None:
    text = "Portrayal renders 25 presenters — in Kubernetes, isn't it?"
    speech = EspeakSynthesizer().speak(text, "en-US", Voice("m3", 45))
    words = FORCED.align(speech.samples, speech.sample_rate, text, "en")
    assert [word.text for word in words] == text.split()
    assert words != PROPORTIONAL.align(speech.samples, speech.sample_rate, text, "en")
    kubernetes = words[6]
    assert 0.5 < kubernetes.end - kubernetes.start < 1.6
    dash = words[4]
    assert dash.start == dash.end


def test_a_real_voice_on_the_telephone_is_aligned(telephone_samples: Samples) -> None:
    words = FORCED.align(telephone_samples[round(12.542 * 16000) : round(14.184 * 16000)], 16000,
                         "This is Diane in New Jersey.", "en")  # fmt: skip
    assert [word.text for word in words if word.end - word.start > 0.3] == ["Diane", "Jersey."]


@pytest.mark.parametrize("samples", [np.zeros(16000), np.random.default_rng(0).normal(0, 0.1, 16000), np.zeros(10)])
def test_sound_that_does_not_fit_the_text_still_gets_times(samples: Samples) -> None:
    words = FORCED.align(samples.astype(np.float32), 16000, "hello world, this is something else", "en")
    assert len(words) == 6 and in_order(words, len(samples) / 16000)


def test_no_text_has_no_words(speech: Speech) -> None:
    assert FORCED.align(speech.samples, speech.sample_rate, "  ", "en") == ()


def test_only_english_is_forced() -> None:
    with pytest.raises(InputError, match=r"'es'.*proportional"):
        FORCED.align(np.zeros(16000, np.float32), 16000, "hola", "es")
