"""When each word of a known text is said: by its share of the letters in any language, by forced alignment in English."""

import re
import string
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from itertools import product
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from media.errors import InputError, MissingEngineError
from media.languages import base_language
from models.speech.protocols import Samples, Speech, Voice, Word
from models.speech.vad import RATE, at_16_khz

if TYPE_CHECKING:
    from pocketsphinx import Decoder

_FRAME = 0.02
_QUIETER = 10 ** (-32 / 20)
"""What is this much below the loud parts (32 dB) counts as a pause."""
_FRAMES_A_SECOND = 100
_MARGINS = (0.0, 0.1, 0.25)
_UNSURE = 2
"""Words before the place where sound and text part that are not trusted."""
_LONGEST = 120.0
"""Seconds that are aligned in one piece; the search grows with the length."""

_lock = Lock()


class ProportionalAligner:
    """Spreads the words over the part of the recording that is not silent, in proportion to their letters."""

    name = "proportional"
    version = "1"

    def languages(self) -> None:
        """Every language."""

    def align(self, samples: Samples, sample_rate: int, text: str, language: str) -> tuple[Word, ...]:
        """Words of `text` (what spaces separate) with times in seconds from the start of `samples`, in order.

        Args:
            samples: mono float32: one speaker saying `text`, nothing else.
            language: BCP 47; not used.
        """
        words = text.split()
        if not words:
            return ()
        edges = np.concatenate([[0.0], np.cumsum([_weight(word) for word in words])])
        starts, ends = _when(edges / edges[-1], samples, sample_rate)
        return tuple(Word(word, float(start), float(end)) for word, start, end in zip(words, starts, ends, strict=True))


class PocketsphinxAligner:
    """Forced alignment with the English acoustic model that pocketsphinx's wheel carries.

    A word that its dictionary lacks is pronounced by espeak-ng. From where the sound no longer fits the text, the words are
    spread in proportion to their letters.
    """

    name = "pocketsphinx"

    @property
    def version(self) -> str:
        return version("pocketsphinx")

    def languages(self) -> Sequence[str]:
        """English only."""
        return ["en"]

    def align(self, samples: Samples, sample_rate: int, text: str, language: str) -> tuple[Word, ...]:
        """As `ProportionalAligner.align`; `text` must be English.

        Raises:
            InputError: another language.
        """
        if base_language(language) != "en":
            raise InputError(
                f"pocketsphinx aligns English only, not '{language}'; use alignment engine 'proportional'."
            )
        spread = ProportionalAligner().align(samples, sample_rate, text, language)
        duration = len(samples) / sample_rate
        if not spread or duration > _LONGEST:
            return spread
        with _lock:
            keys = [_key(word.text) for word in spread]
            found = _forced(_as_pcm(samples, sample_rate), [key for key in keys if key])
        return _filled(spread, keys, found, samples, sample_rate) if found else spread


def _weight(word: str) -> float:
    """How long a word takes to say, roughly, in letters."""
    letters = sum(unicodedata.category(character)[0] == "L" for character in word)
    digits = sum(character.isdigit() for character in word)
    return 1.0 + letters + 3.0 * digits


def _when(
    shares: NDArray[np.float64], samples: Samples, sample_rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the shares 0 .. 1 of the sounding time lie: starts and ends of what is between them, in seconds.

    A pause between two words belongs to neither.
    """
    duration = len(samples) / sample_rate
    hop = max(round(_FRAME * sample_rate), 1)
    count = len(samples) // hop
    frames = np.asarray(samples[: count * hop], np.float64).reshape(count, hop)
    level = np.sqrt((frames**2).mean(axis=1)) if count else np.zeros(0)
    sounding = np.flatnonzero(level > _QUIETER * np.percentile(level, 95)) if count else np.zeros(0, int)
    if not len(sounding):
        return shares[:-1] * duration, shares[1:] * duration
    step = hop / sample_rate
    place = shares * len(sounding)
    inner = np.minimum(place, len(sounding) - 1e-6)
    starts = (sounding[inner[:-1].astype(int)] + inner[:-1] % 1) * step
    before = np.ceil(place[1:]).astype(int) - 1  # an end is the end of the frame before it, so that pauses stay outside
    ends = (sounding[np.maximum(before, 0)] + (place[1:] - before)) * step
    return starts, np.maximum(np.minimum(ends, duration), starts)


def _as_pcm(samples: Samples, sample_rate: int) -> bytes:
    return (np.clip(at_16_khz(samples, sample_rate), -1, 1) * 32767).astype("<i2").tobytes()


@cache
def _decoder(wide: bool) -> "Decoder":
    """Without a language model, which alignment does not need. It keeps state: hold the lock."""
    try:
        from pocketsphinx import Decoder
    except ImportError:
        raise MissingEngineError("pocketsphinx is not installed; run 'pip install pocketsphinx>=5.1,<6'.") from None
    beams = {"beam": 1e-80, "wbeam": 1e-60, "pbeam": 1e-80} if wide else {}
    return Decoder(lm=None, samprate=RATE, loglevel="FATAL", **beams)


def _key(word: str) -> str | None:
    """The dictionary entry for a word as it is written, made when there is none; None for what has no sound (a dash)."""
    decoders = (_decoder(False), _decoder(True))
    plain = word.lower().replace("’", "'").strip(string.punctuation + "“”‘…—–¿¡")
    if re.fullmatch(r"[a-z']+", plain) and decoders[0].lookup_word(plain):
        return plain
    entry = "".join(character for character in word.lower() if character.isalnum())
    if not entry:
        return None
    entry = f"{entry}_"
    if not decoders[0].lookup_word(entry):
        phones = _pronunciation(word)
        if not phones:
            return None
        for decoder in decoders:
            decoder.add_word(entry, " ".join(phones), False)
    return entry


def _pronunciation(word: str) -> list[str]:
    """ARPABET phones of a word, from espeak-ng's IPA."""
    from models.speech.espeak import EspeakSynthesizer

    speech: Speech = EspeakSynthesizer().speak(word, "en-US", Voice(""))
    phones: list[str] = []
    for phoneme in speech.phonemes:
        rest = "".join(character for character in phoneme.ipa if character not in "ˈˌː̩ʲ̃")
        while rest:
            for length in (3, 2, 1):
                if rest[:length] in _ARPABET:
                    phones += _ARPABET[rest[:length]].split()
                    break
            rest = rest[length:]
    return phones


_ARPABET = {
    "aɪə": "AY AH", "aɪɚ": "AY ER", "aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "oʊ": "OW", "əʊ": "OW", "ɔɪ": "OY", "tʃ": "CH",
    "dʒ": "JH", "ɑɹ": "AA R", "ɛɹ": "EH R", "ɪɹ": "IH R", "ʊɹ": "UH R", "ɔɹ": "AO R", "oːɹ": "AO R", "əl": "AH L",
    "i": "IY", "ɪ": "IH", "e": "EY", "ɛ": "EH", "æ": "AE", "a": "AA", "ɑ": "AA", "ɒ": "AA", "ɔ": "AO", "o": "OW", "ʊ": "UH",
    "u": "UW", "ʌ": "AH", "ə": "AH", "ɐ": "AH", "ɜ": "ER", "ɝ": "ER", "ɚ": "ER", "ᵻ": "IH", "p": "P", "b": "B", "t": "T",
    "d": "D", "k": "K", "ɡ": "G", "g": "G", "f": "F", "v": "V", "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH",
    "ʒ": "ZH", "h": "HH", "x": "K", "m": "M", "n": "N", "ŋ": "NG", "l": "L", "ɫ": "L", "ɹ": "R", "r": "R", "ɾ": "T",
    "ʔ": "T", "j": "Y", "w": "W",
}  # fmt: skip


def _forced(pcm: bytes, keys: list[str]) -> list[tuple[float, float]]:
    """Times of the first dictionary entries, in seconds: of all, or of those before the place where sound and text part.

    The search sometimes loses its way at the very edges of a tightly cut recording, where a little silence helps, or prunes
    the right path, where a wider beam helps.
    """
    best: list[tuple[float, float]] = []
    for wide, margin in product((False, True), _MARGINS) if keys else ():
        decoder = _decoder(wide)
        silence = bytes(2 * round(margin * RATE))
        try:
            decoder.set_align_text(" ".join(keys))
            decoder.start_utt()
            decoder.process_raw(silence + pcm + silence, no_search=False, full_utt=True)
            decoder.end_utt()
        except (RuntimeError, ValueError):
            continue
        said = [segment for segment in decoder.seg() or () if segment.word[0] not in "<[("]
        edges = [
            (segment.start_frame / _FRAMES_A_SECOND - margin, (segment.end_frame + 1) / _FRAMES_A_SECOND - margin)
            for segment, key in zip(said, keys, strict=False)
            if re.sub(r"\(\d+\)$", "", segment.word) == key
        ]
        if len(edges) == len(keys):
            return edges
        if len(edges) == len(said):
            best = max(best, edges[:-_UNSURE], key=len)
    return best


def _filled(
    spread: tuple[Word, ...],
    keys: list[str | None],
    found: list[tuple[float, float]],
    samples: Samples,
    sample_rate: int,
) -> tuple[Word, ...]:
    """Found times where there are any; a word without sound lies between its neighbours; the rest is spread out."""
    duration = len(samples) / sample_rate
    remaining = iter(found)
    words: list[Word] = []
    time = 0.0
    for word, key in zip(spread, keys, strict=True):
        place = next(remaining, None) if key else (time, time)
        if place is None:
            break
        start, end = (min(max(moment, time), duration) for moment in place)
        words.append(Word(word.text, start, end))
        time = end
    rest = " ".join(word.text for word in spread[len(words) :])
    late = ProportionalAligner().align(samples[round(time * sample_rate) :], sample_rate, rest, "en")
    return (*words, *(Word(word.text, time + word.start, min(time + word.end, duration)) for word in late))
