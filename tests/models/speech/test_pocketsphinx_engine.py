"""The English draft."""

import numpy as np
import pytest

from media.errors import InputError
from models.speech.engines import transcriber
from models.speech.espeak import EspeakSynthesizer
from models.speech.pocketsphinx_ import PocketsphinxTranscriber
from models.speech.protocols import Voice


def test_it_gets_some_words_of_a_robot_right_and_knows_when_they_were_said() -> None:
    text = "please tell your mother that dinner will be ready at seven"
    speech = EspeakSynthesizer().speak(text, "en-US", Voice("f5", 65))
    heard = PocketsphinxTranscriber().transcribe(speech.samples, speech.sample_rate)
    assert heard.language == "en"
    assert len({word.text for word in heard.words} & set(text.split())) >= 4
    times = [time for word in heard.words for time in (word.start, word.end)]
    assert times == sorted(times)
    (mother,) = [word for word in heard.words if word.text == "mother"]
    begins = [phoneme.start for phoneme in speech.phonemes if phoneme.ipa == "m"]
    assert mother.start == pytest.approx(begins[0], abs=0.08)


def test_it_is_never_chosen_unless_asked_for() -> None:
    chosen = transcriber("auto")
    assert chosen is None or chosen.name != "pocketsphinx"
    asked = transcriber("pocketsphinx")
    assert asked is not None and asked.name == "pocketsphinx"


def test_it_knows_english_only() -> None:
    with pytest.raises(InputError, match="'fr'"):
        PocketsphinxTranscriber().transcribe(np.zeros(16000, np.float32), 16000, language="fr")
