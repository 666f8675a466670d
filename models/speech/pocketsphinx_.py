"""An English draft without downloads: pocketsphinx. It gets a fifth of the words of clean read speech wrong, and most of a
telephone call; it is used only when it is asked for by name."""

import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from media.errors import InputError, MissingEngineError
from media.languages import base_language
from models.speech import vad
from models.speech.protocols import Progress, Samples, Sound, Transcription, Word

if TYPE_CHECKING:
    from pocketsphinx import Decoder

_FRAMES_A_SECOND = 100
_MARGIN = 0.15
_lock = Lock()


class PocketsphinxTranscriber:
    """pocketsphinx with the model of its wheel, behind the `Transcriber` protocol."""

    name = "pocketsphinx"

    @property
    def version(self) -> str:
        return version("pocketsphinx")

    def languages(self) -> Sequence[str]:
        """English only."""
        return ["en"]

    def transcribe(
        self, samples: Sound, sample_rate: int, *, language: str | None = None, progress: Progress | None = None
    ) -> Transcription:
        """A draft of what was said, in lower case without punctuation: mono float32 at any rate.

        Raises:
            InputError: the language is not English.
        """
        if language is not None and base_language(language) != "en":
            raise InputError(f"pocketsphinx knows English only, not '{language}'; give a transcript, or use whisper.")
        heard = vad.heard_at_16_khz(samples, sample_rate)
        regions = vad.speech_regions(heard)
        words: list[Word] = []
        with _lock:
            decoder = _decoder()
            for done, (start, end) in enumerate(regions):
                begin = max(start - _MARGIN, 0.0)
                piece = heard[round(begin * vad.RATE) : round((end + _MARGIN) * vad.RATE)]
                words += [Word(word.text, begin + word.start, begin + word.end) for word in _decoded(decoder, piece)]
                if progress:
                    progress((done + 1) / len(regions))
        return Transcription(language or "en", tuple(words))


def _decoded(decoder: "Decoder", samples: Samples) -> list[Word]:
    decoder.start_utt()
    decoder.process_raw((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), no_search=False, full_utt=True)
    decoder.end_utt()
    return [
        Word(
            re.sub(r"\(\d+\)$", "", segment.word),
            segment.start_frame / _FRAMES_A_SECOND,
            (segment.end_frame + 1) / _FRAMES_A_SECOND,
        )
        for segment in decoder.seg() or ()
        if segment.word[0] not in "<[("
    ]


@cache
def _decoder() -> "Decoder":
    try:
        from pocketsphinx import Decoder
    except ImportError:
        raise MissingEngineError("pocketsphinx is not installed; run 'pip install pocketsphinx>=5.1,<6'.") from None
    return Decoder(samprate=vad.RATE, loglevel="FATAL")
