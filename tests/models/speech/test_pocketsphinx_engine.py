"""The English draft."""

import numpy as np
import pytest

from media.errors import InputError
from models.speech.engines import transcriber
from models.speech.pocketsphinx_ import PocketsphinxTranscriber
from models.speech.protocols import Samples


def test_it_gets_some_words_of_a_telephone_call_right(telephone_samples: Samples) -> None:
    start, end = 12.3, 18.0  # "This is Diane in New Jersey. And I'm Sheila in Texas, originally from Chicago."
    heard = PocketsphinxTranscriber().transcribe(telephone_samples[round(start * 16000) : round(end * 16000)], 16000)
    assert heard.language == "en"
    said = {word.text for word in heard.words}
    assert len(said & {"diane", "new", "jersey", "originally", "from", "chicago", "this", "is", "texas"}) >= 4
    times = [time for word in heard.words for time in (word.start, word.end)]
    assert times == sorted(times)


def test_it_is_never_chosen_unless_asked_for() -> None:
    chosen = transcriber("auto")
    assert chosen is None or chosen.name != "pocketsphinx"
    asked = transcriber("pocketsphinx")
    assert asked is not None and asked.name == "pocketsphinx"


def test_it_knows_english_only() -> None:
    with pytest.raises(InputError, match="'fr'"):
        PocketsphinxTranscriber().transcribe(np.zeros(16000, np.float32), 16000, language="fr")
