"""openai-whisper, loaded from a file as its own weights would be, but with random ones: what it hears means nothing."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from media.errors import InputError, MissingEngineError
from media.settings import Settings
from models.speech.protocols import Samples, SpeakerTurn, Transcription, Word
from models.speech.whisper import _SIZES, WhisperAligner, WhisperTranscriber, _by_letters, _pieces, _size


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, one_torch_thread: None) -> Path:
    """7 MB: whisper's architecture in its smallest form, multilingual."""
    import torch
    from whisper.model import ModelDimensions, Whisper

    torch.manual_seed(0)
    dimensions = ModelDimensions(80, 1500, 32, 2, 1, 51865, 448, 32, 2, 1)
    model = Whisper(dimensions)
    torch.nn.init.normal_(model.decoder.positional_embedding)
    path = tmp_path_factory.mktemp("whisper") / "tiny-random.pt"
    torch.save({"dims": vars(dimensions), "model_state_dict": model.state_dict()}, path)
    return path


@pytest.fixture(scope="module")
def heard(weights: Path, dialogue: tuple[Samples, int, list[SpeakerTurn]]) -> Transcription:
    samples, rate, _ = dialogue
    return WhisperTranscriber(str(weights)).transcribe(samples[: 8 * rate], rate, language="en-GB")


def test_words_have_times_in_order_within_the_recording(heard: Transcription) -> None:
    assert heard.language == "en-GB" and heard.words
    assert all(word.text == word.text.strip() != "" for word in heard.words)
    assert all(0 <= word.start <= word.end <= 8 for word in heard.words)


def test_equal_sound_gives_equal_words(
    heard: Transcription, weights: Path, dialogue: tuple[Samples, int, list[SpeakerTurn]]
) -> None:
    samples, rate, _ = dialogue
    assert WhisperTranscriber(str(weights)).transcribe(samples[: 8 * rate], rate, language="en-GB") == heard


def test_other_weights_are_another_version(weights: Path, tmp_path: Path) -> None:
    same, other = tmp_path / "a" / weights.name, tmp_path / "b" / weights.name
    for path in (same, other):
        path.parent.mkdir()
        path.write_bytes(weights.read_bytes())
    with other.open("r+b") as file:
        file.seek(-9, 2)
        file.write(b"x")
    versions = [WhisperTranscriber(str(path)).version for path in (weights, same, other)]
    assert versions[0] == versions[1] != versions[2]


def test_silence_is_not_transcribed(weights: Path) -> None:
    assert WhisperTranscriber(str(weights)).transcribe(np.zeros(32000, np.float32), 16000, language="es").words == ()


def test_a_known_text_is_aligned_word_by_word_in_any_language(
    weights: Path, dialogue: tuple[Samples, int, list[SpeakerTurn]]
) -> None:
    samples, rate, turns = dialogue
    piece = samples[round(turns[0].start * rate) : round(turns[0].end * rate)]
    text = "नमस्ते, आप कैसे हैं? ¿Qué tal?"
    words = WhisperAligner(str(weights)).align(piece, rate, text, "hi")
    assert [word.text for word in words] == text.split()
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times) and times[-1] <= len(piece) / rate


def test_pieces_of_words_become_words() -> None:
    spread = (Word("well-known", 0, 0), Word("now", 0, 0))
    timings = [(" well", 0.0, 0.4), ("-known", 0.4, 0.9), (" now", 1.2, 1.5)]
    assert _by_letters(spread, timings, 2.0) == (Word("well-known", 0.0, 0.9), Word("now", 1.2, 1.5))


def test_nothing_is_said_in_a_pause(weights: Path, dialogue: tuple[Samples, int, list[SpeakerTurn]]) -> None:
    samples, rate, turns = dialogue
    first = samples[: round(turns[0].end * rate)]
    quiet = np.concatenate([first, np.zeros(12 * rate, np.float32), first])
    words = WhisperTranscriber(str(weights)).transcribe(quiet, rate, language="en").words
    pause = len(first) / rate + 1, len(first) / rate + 11
    assert words and not any(word.start > pause[0] and word.end < pause[1] for word in words)


def test_the_size_is_told_by_the_shape_and_has_alignment_heads_of_that_shape() -> None:
    import base64
    import gzip

    import whisper
    from whisper.model import ModelDimensions

    for (mels, audio_layers, text_layers, tokens), size in _SIZES.items():
        dims = ModelDimensions(mels, 1500, 384, 6, audio_layers, tokens, 448, 384, 6, text_layers)
        assert _size("fine-tuned", dims) == size
        heads = np.frombuffer(gzip.decompress(base64.b85decode(whisper._ALIGNMENT_HEADS[size])), bool)
        assert heads.size in (text_layers * count for count in (6, 8, 12, 16, 20))
    assert _size("large-v1", ModelDimensions(80, 1500, 1280, 20, 32, 51865, 448, 1280, 20, 32)) == "large-v1"


def test_long_recordings_are_cut_in_pauses() -> None:
    regions = [(float(start), start + 40.0) for start in range(0, 400, 50)]
    pieces = _pieces(regions)
    assert all(end - start <= 120 for start, end in pieces)
    assert all(any(start <= begin and stop <= end for start, end in pieces) for begin, stop in regions)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(pieces))


@pytest.mark.parametrize("language", ["tlh", "xx"])
def test_a_language_that_whisper_does_not_know_is_refused(weights: Path, language: str) -> None:
    with pytest.raises(InputError, match=f"'{language}'"):
        WhisperTranscriber(str(weights)).transcribe(np.zeros(16000, np.float32), 16000, language=language)


def test_a_file_that_is_no_checkpoint_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "broken.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(MissingEngineError, match=r"broken.pt: not a whisper checkpoint"):
        WhisperTranscriber(str(tmp_path / "broken.pt")).transcribe(np.zeros(16000, np.float32), 16000)


def test_without_weights_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(MissingEngineError, match=r"\(small\).*models/whisper") as raised:
        WhisperTranscriber("small", Settings(home=tmp_path))
    assert raised.value.exit_code == 3
