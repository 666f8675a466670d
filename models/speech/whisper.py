"""The production transcriber and the aligner for its languages: openai-whisper, with weights from here or from the hub."""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from langcodes import standardize_tag

from media.errors import InputError
from media.languages import base_language, closest, public_tags
from media.settings import Settings
from models.speech import vad
from models.speech.alignment import ProportionalAligner
from models.speech.languages import WHISPER, not_known
from models.speech.protocols import Progress, Samples, Sound, Transcription, Word
from models.speech.weights import fingerprint, shown_name
from models.speech.whisper_weights import knows_english_only, load, weights_for
from models.speech.whisper_windows import LONGEST, language_of, windows_of, words_in

if TYPE_CHECKING:
    from whisper import Whisper

_BATCH = {"cuda": 16}
"""Windows in one pass, by device; where there is no more to gain, `_SMALL_BATCH`."""
_SMALL_BATCH = 4
_BESIDE = 0.25
"""Seconds by which a word's times may miss the speech that it is; what lies further away was made up in a pause."""


class WhisperTranscriber:
    """openai-whisper behind the `Transcriber` protocol. Loaded at first use, on a GPU if any.

    Args:
        name: a size such as `small` or `turbo`, a hub repository such as `openai/whisper-small`, or the path of a `.pt` file
            or of a folder in transformers' format; the best one that is there when None. What is not there is fetched.

    Raises:
        InputError: there is no such model.
        MissingEngineError: the weights are not there, and the hub cannot be reached.
    """

    name = "whisper"

    def __init__(self, name: str | None = None, settings: Settings | None = None) -> None:
        self._path = weights_for(name, settings or Settings())

    @property
    def version(self) -> str:
        return f"{version('openai-whisper')}, {shown_name(self._path)} {fingerprint(self._path)}"

    def languages(self) -> Sequence[str]:
        """What this checkpoint knows: BCP 47, sorted."""
        return public_tags(_known(self._path))

    def transcribe(
        self, samples: Sound, sample_rate: int, *, language: str | None = None, progress: Progress | None = None
    ) -> Transcription:
        """What was said in a recording, mono float32 at any rate, word by word.

        Args:
            language: BCP 47; recognised from the first half minute of speech when None.

        Raises:
            InputError: whisper, or this checkpoint, does not know the language.
        """
        model = _model(str(self._path))
        heard = vad.heard_at_16_khz(samples, sample_rate)
        code = None if language is None else _code(language, self._path, model)
        regions = vad.speech_regions(heard)
        windows = windows_of(heard, regions)
        if windows:
            code = code or language_of(model, heard, windows[0])
            said = words_in(
                model,
                heard,
                windows,
                regions,
                code,
                batch=_BATCH.get(model.device.type, _SMALL_BATCH),
                advance=progress or (lambda share: None),
            )
        else:
            said = []
        words = tuple(
            word for word in said if vad.share_of_speech(regions, word.start - _BESIDE, word.end + _BESIDE) > 0
        )
        if progress:
            progress(1.0)
        return Transcription(language or standardize_tag(code or "en"), words)


class WhisperAligner:
    """Word times of a known text, from the attention of the same model, in every language it knows."""

    name = "whisper"

    def __init__(self, name: str | None = None, settings: Settings | None = None) -> None:
        self._transcriber = WhisperTranscriber(name, settings)

    @property
    def version(self) -> str:
        return self._transcriber.version

    def languages(self) -> Sequence[str]:
        """As `WhisperTranscriber.languages`."""
        return self._transcriber.languages()

    def align(self, samples: Samples, sample_rate: int, text: str, language: str) -> tuple[Word, ...]:
        """As `ProportionalAligner.align`, which stands in for it where a turn is longer than 30 s."""
        spread = ProportionalAligner().align(samples, sample_rate, text, language)
        if not spread or len(samples) / sample_rate > LONGEST:
            return spread
        import torch
        from whisper.audio import N_FRAMES, log_mel_spectrogram, pad_or_trim
        from whisper.timing import find_alignment
        from whisper.tokenizer import get_tokenizer

        path = self._transcriber._path
        model = _model(str(path))
        code = _code(language, path, model)
        tokenizer = get_tokenizer(
            model.is_multilingual, num_languages=model.num_languages, language=code, task="transcribe"
        )
        mel = log_mel_spectrogram(torch.from_numpy(vad.at_16_khz(samples, sample_rate)), model.dims.n_mels)
        tokens = tokenizer.encode(" " + " ".join(word.text for word in spread))
        if len(tokens) > model.dims.n_text_ctx // 2:
            return spread
        timings = find_alignment(
            model, tokenizer, tokens, pad_or_trim(mel, N_FRAMES).to(model.device), min(mel.shape[-1], N_FRAMES)
        )
        return _by_letters(spread, [(str(one.word), one.start, one.end) for one in timings], len(samples) / sample_rate)


def _by_letters(
    words: Sequence[Word], timings: Sequence[tuple[str, float, float]], duration: float
) -> tuple[Word, ...]:
    """The times of what whisper calls words, for what spaces separate: each letter has the time of the piece it is in."""
    letters = [(start, end) for text, start, end in timings for character in text if not character.isspace()]
    placed: list[Word] = []
    position, time = 0, 0.0
    for word in words:
        own = letters[position : position + len(word.text)]
        position += len(word.text)
        start = min(max(own[0][0] if own else time, time), duration)
        end = min(max(own[-1][1] if own else time, start), duration)
        placed.append(Word(word.text, start, end))
        time = end
    return tuple(placed)


def _known(path: Path) -> Sequence[str]:
    """whisper's codes of what a checkpoint knows, without loading it."""
    return ("en",) if knows_english_only(path) else WHISPER


def _code(language: str, path: Path, model: "Whisper") -> str:
    if not model.is_multilingual and base_language(language) != "en":
        raise InputError(f"{path}: this checkpoint knows English only, not '{language}'; take one that knows more.")
    known = WHISPER[: model.num_languages]
    code = closest(language, known)
    if code is None:
        raise not_known("whisper", "know", language, known, ", so give a transcript instead")
    return code


@cache
def _model(path: str) -> "Whisper":
    import torch

    return load(Path(path), "cuda" if torch.cuda.is_available() else "cpu")
