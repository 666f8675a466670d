"""The production transcriber and the aligner for its languages: openai-whisper, with weights that the user fetches once."""

import warnings
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

from langcodes import standardize_tag

from media.errors import InputError, MissingEngineError
from media.languages import base_language, closest, public_tags
from media.settings import Settings
from models.speech import vad
from models.speech.alignment import ProportionalAligner
from models.speech.languages import WHISPER, not_known
from models.speech.protocols import Progress, Samples, Sound, Transcription, Word
from models.speech.weights import fingerprint, whisper_file

if TYPE_CHECKING:
    from whisper import Whisper
    from whisper.model import ModelDimensions

_PIECE = 120.0
"""Seconds that are transcribed in one go, from pause to pause."""
_WINDOW = 30.0
_BESIDE = 0.25
"""Seconds by which a word's times may miss the speech that it is; what lies further away was made up in a pause."""
_SIZES = {
    (80, 4, 4, 51864): "tiny.en",
    (80, 4, 4, 51865): "tiny",
    (80, 6, 6, 51864): "base.en",
    (80, 6, 6, 51865): "base",
    (80, 12, 12, 51864): "small.en",
    (80, 12, 12, 51865): "small",
    (80, 24, 24, 51864): "medium.en",
    (80, 24, 24, 51865): "medium",
    (80, 32, 32, 51865): "large-v2",
    (128, 32, 32, 51866): "large-v3",
    (128, 32, 4, 51866): "large-v3-turbo",
}
"""Mel bands, layers of the encoder and of the decoder, tokens, of every published size; large-v1 has those of large-v2."""


class WhisperTranscriber:
    """openai-whisper behind the `Transcriber` protocol. Loaded at first use, on a GPU if any.

    Args:
        name: a size such as `small`, or a checkpoint's path; the best one that is there when None.

    Raises:
        MissingEngineError: the weights are not there.
    """

    name = "whisper"

    def __init__(self, name: str | None = None, settings: Settings | None = None) -> None:
        settings = settings or Settings()
        path = whisper_file(name, settings)
        if path is None:
            raise MissingEngineError(
                f"The weights of whisper{f' ({name})' if name else ''} are not there; {how_to_get(settings)}."
            )
        self._path = path

    @property
    def version(self) -> str:
        return f"{version('openai-whisper')}, {self._path.stem} {fingerprint(self._path)}"

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
        words: list[Word] = []
        pieces = _pieces(regions)
        for done, (start, end) in enumerate(pieces):
            piece = heard[round(start * vad.RATE) : round(end * vad.RATE)]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # Without a temperature ladder and without earlier text, equal sound gives equal words.
                result = model.transcribe(
                    piece, language=code, word_timestamps=True, temperature=0.0, condition_on_previous_text=False,
                    fp16=model.device.type == "cuda", verbose=None,
                )  # fmt: skip
            code = code or str(result["language"])
            for segment in result["segments"]:
                for word in segment.get("words", ()):
                    begin = start + min(float(word["start"]), end - start)
                    until = start + min(float(word["end"]), end - start)
                    text = str(word["word"]).strip()
                    if text and vad.share_of_speech(regions, begin - _BESIDE, until + _BESIDE) > 0:
                        words.append(Word(text, begin, until))
            if progress:
                progress((done + 1) / len(pieces))
        return Transcription(language or standardize_tag(code or "en"), tuple(words))


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
        if not spread or len(samples) / sample_rate > _WINDOW:
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


def how_to_get(settings: Settings) -> str:
    """What to do to have the weights, as the end of a sentence."""
    return (
        "on a machine with internet access run python -c \"import whisper; whisper.load_model('small', download_root='.')\""
        f" and put small.pt into {settings.models_dir / 'whisper'}"
    )


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


def _pieces(regions: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Stretches of at most two minutes that begin and end in pauses (a region longer than that stays whole)."""
    pieces: list[tuple[float, float]] = []
    for start, end in regions:
        start, end = max(start - 0.2, pieces[-1][1] if pieces else 0.0), end + 0.2
        if pieces and end - pieces[-1][0] <= _PIECE:
            pieces[-1] = (pieces[-1][0], end)
        else:
            pieces.append((start, end))
    return pieces


def _known(path: Path) -> Sequence[str]:
    """whisper's codes of what a checkpoint knows, told by its name; without loading it."""
    return ("en",) if path.stem.endswith(".en") else WHISPER


def _code(language: str, path: Path, model: "Whisper") -> str:
    if not model.is_multilingual and base_language(language) != "en":
        raise InputError(f"{path}: this checkpoint knows English only, not '{language}'; take one without '.en'.")
    known = WHISPER[: model.num_languages]
    code = closest(language, known)
    if code is None:
        raise not_known("whisper", "know", language, known, ", so give a transcript instead")
    return code


@cache
def _model(path: str) -> "Whisper":
    import torch
    import whisper

    try:
        model = whisper.load_model(path, device="cuda" if torch.cuda.is_available() else "cpu")
    except (OSError, EOFError, RuntimeError, KeyError, TypeError, ValueError, UnpicklingError) as error:
        raise MissingEngineError(f"{path}: not a whisper checkpoint; {how_to_get(Settings())}.") from error
    if (heads := whisper._ALIGNMENT_HEADS.get(_size(Path(path).stem, model.dims))) is not None:
        model.set_alignment_heads(heads)  # loading by path leaves them out, and word times are poor without
    return model


def _size(name: str, dims: "ModelDimensions") -> str | None:
    """Which published size a checkpoint has, fine-tuned or not: by its shape, since its file may have any name."""
    size = _SIZES.get((dims.n_mels, dims.n_audio_layer, dims.n_text_layer, dims.n_vocab))
    return name if (size, name) == ("large-v2", "large-v1") else size
