"""openai-whisper, loaded from a file as its own weights would be, but with random ones: what it hears means nothing."""

import hashlib
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.errors import InputError, MissingEngineError
from media.settings import Settings
from models.speech import vad
from models.speech.protocols import Samples, SpeakerTurn, Transcription, Word
from models.speech.weights import shown_name, whisper_weights
from models.speech.whisper import WhisperAligner, WhisperTranscriber, _by_letters
from models.speech.whisper_weights import _SIZES, _openai_key, load, size_of, weights_for
from models.speech.whisper_windows import LONGEST, _stretches, _whole, windows_of, words_in


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, one_torch_thread: None) -> Path:
    """7 MB: whisper's architecture in its smallest form, multilingual."""
    import torch
    from whisper.model import ModelDimensions, Whisper

    torch.manual_seed(0)
    dimensions = ModelDimensions(80, 1500, 32, 2, 1, 51865, 96, 32, 2, 1)
    model = Whisper(dimensions)
    torch.nn.init.normal_(model.decoder.positional_embedding)
    path = tmp_path_factory.mktemp("whisper") / "tiny-random.pt"
    torch.save({"dims": vars(dimensions), "model_state_dict": model.state_dict()}, path)
    return path


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A machine without any downloaded weights, whose hub is nowhere."""
    for variable in ("HF_HUB_CACHE", "HF_HOME", "HF_HUB_OFFLINE", "PORTRAYAL_HF_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Settings(home=tmp_path / "home")


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


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        (["私", "は", " Tok", "yo", "で", "20", "26", "年", "に"], ["私", "は", "Tokyo", "で", "2026", "年", "に"]),
        (["Well,", " it", " is"], ["Well,", "it", "is"]),
        ([" ", "ครับ", "OK"], ["ครับ", "OK"]),
    ],
)
def test_words_that_whisper_tears_apart_are_put_together(pieces: list[str], words: list[str]) -> None:
    found = _whole([(piece, float(place), place + 1.0) for place, piece in enumerate(pieces)])
    assert [word.text for word in found] == words
    assert found[-1].end == len(pieces) and all(one.end <= other.start for one, other in itertools.pairwise(found))


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
        assert size_of("fine-tuned", dims) == size
        heads = np.frombuffer(gzip.decompress(base64.b85decode(whisper._ALIGNMENT_HEADS[size])), bool)
        assert heads.size in (text_layers * count for count in (6, 8, 12, 16, 20))
    assert size_of("large-v1", ModelDimensions(80, 1500, 1280, 20, 32, 51865, 448, 1280, 20, 32)) == "large-v1"


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.floats(0.2, 5.0), st.floats(0.15, 70.0)), min_size=1, max_size=12))
def test_windows_hold_all_speech_and_are_never_longer_than_whisper_hears(spans: list[tuple[float, float]]) -> None:
    regions: list[tuple[float, float]] = []
    for pause, length in spans:
        start = (regions[-1][1] if regions else 0.0) + pause
        regions.append((start, start + length))
    silence = np.zeros(round((regions[-1][1] + 1) * 16000), np.float32)
    windows = windows_of(silence, regions)
    assert all(0 < end - start <= LONGEST + 1e-6 for start, end in windows)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(windows))
    for start, end in regions:
        covered = sum(max(min(end, stop) - max(start, begin), 0.0) for begin, stop in windows)
        assert covered == pytest.approx(end - start)


def test_a_long_stretch_of_speech_is_cut_where_it_is_quietest() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 16000 * 50).astype(np.float32)
    samples[16000 * 26 : 16000 * 27] = 0
    (_, cut), _ = windows_of(samples, [(0.0, 50.0)])
    assert 26 <= cut <= 27


def test_windows_that_are_heard_at_once_have_the_same_words(
    weights: Path, dialogue: tuple[Samples, int, list[SpeakerTurn]]
) -> None:
    samples, rate, _ = dialogue
    heard = vad.at_16_khz(samples[: 3 * rate], rate)
    windows = [(0.5, 1.4), (1.4, 2.0), (2.0, 2.7)]
    one, many = (words_in(load(weights, "cpu"), heard, windows, [(0.0, 3.0)], "en", batch=batch) for batch in (1, 3))
    assert one == many != []


def test_what_whisper_leaves_open_is_heard_again() -> None:
    first, end = 50364, 50257
    text, stamp = [400, 401], [first + 100]
    (whole,), finished = _stretches([first, *text, *stamp], first, 30.0)
    assert finished and (whole["start"], whole["end"]) == (0.0, 2.0)
    stretches, finished = _stretches([first, *text, *stamp, *stamp, *text], first, 30.0)
    assert not finished and [one["tokens"] for one in stretches] == [[first, *text, *stamp]]
    (open_,), finished = _stretches([first, *text], first, 12.5)
    assert not finished and open_["end"] == 12.5 and end not in open_["tokens"]


def published(folder: Path, checkpoint: Path) -> Path:
    """The same weights as the hub has them, by way of transformers' own model."""
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    state = torch.load(checkpoint, weights_only=True)["model_state_dict"]
    config = WhisperConfig(
        vocab_size=51865, num_mel_bins=80, encoder_layers=1, encoder_attention_heads=2, decoder_layers=1,
        decoder_attention_heads=2, d_model=32, encoder_ffn_dim=128, decoder_ffn_dim=128, max_source_positions=1500,
        max_target_positions=96,
    )  # fmt: skip
    model = WhisperForConditionalGeneration(config)
    theirs = {key: _openai_key(key) for key in model.state_dict() if key != "proj_out.weight"}
    assert set(theirs.values()) == set(state)
    model.load_state_dict({key: state[own] for key, own in theirs.items()}, strict=False)
    model.save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps({"alignment_heads": [[0, 1]]}))
    return folder


def test_weights_in_transformers_format_are_the_same_model(weights: Path, tmp_path: Path) -> None:
    folder = published(tmp_path / "whisper-tiny", weights)
    own, theirs = load(weights, "cpu"), load(folder, "cpu")
    assert own.dims == theirs.dims
    ours = own.state_dict()
    assert all(tensor.equal(ours.pop(key)) for key, tensor in theirs.state_dict().items()) and not ours
    transcriber = WhisperTranscriber(str(folder))
    assert "hi" in transcriber.languages() and ", whisper-tiny " in transcriber.version


def test_alignment_heads_are_those_that_the_repository_names(weights: Path, tmp_path: Path) -> None:
    model = load(published(tmp_path / "x", weights), "cpu")
    assert model.alignment_heads.to_dense().tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("home/models/whisper/turbo-is-large.pt", "turbo-is-large"),
        ("home/models/whisper/large-v3-turbo.pt", "turbo"),
        ("cache/whisper/base.pt", "openai/whisper-base"),
        ("home/models/whisper/base/config.json", "base"),
        ("home/models/whisper/whisper-base/config.json", "base"),
        ("home/models/whisper-base/config.json", "openai/whisper-base"),
        ("cache/huggingface/hub/models--openai--whisper-base/snapshots/ab/config.json", "base"),
        ("cache/huggingface/hub/models--someone--fine-tuned/snapshots/ab/config.json", "someone/fine-tuned"),
        ("own/config.json", "own"),
        ("own/fine-tuned.pt", "own"),
    ],
)
def test_weights_are_found_wherever_they_are_kept(
    fresh: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    if path.name == "config.json":
        assert whisper_weights(name, fresh) is None, "a folder whose download was broken off counts for nothing"
        (path.parent / "model.safetensors").write_bytes(b"x")
    found = whisper_weights(name, fresh)
    assert found is not None and found.resolve() == (path.parent if path.suffix == ".json" else path)


def test_a_name_is_fetched_from_the_hub_once(
    fresh: Settings, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = published(tmp_path / "served", weights)
    (served / "flax_model.msgpack").write_bytes(b"not asked for")
    with a_hub("openai/whisper-tiny", served) as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        place = weights_for("tiny", fresh)
        assert shown_name(place) == "whisper-tiny" and load(place, "cpu").dims.n_text_layer == 1
        assert {path.name for path in place.iterdir()} == {"config.json", "generation_config.json", "model.safetensors"}
        with pytest.raises(MissingEngineError, match="does not give out someone/else; check its name") as raised:
            weights_for("someone/else", fresh)
        assert raised.value.exit_code == 3
        count = len(asked)
        assert weights_for("openai/whisper-tiny", fresh) == place and len(asked) == count
    assert whisper_weights(None, fresh) == place
    with pytest.raises(
        MissingEngineError, match=r"hub cannot be reached .*hf download openai/whisper-base .*models/whisper"
    ):
        weights_for("base", fresh)


@pytest.mark.parametrize("language", ["tlh", "xx"])
def test_a_language_that_whisper_does_not_know_is_refused(weights: Path, language: str) -> None:
    with pytest.raises(InputError, match=f"'{language}'"):
        WhisperTranscriber(str(weights)).transcribe(np.zeros(16000, np.float32), 16000, language=language)


def test_a_file_that_is_no_checkpoint_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "broken.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(MissingEngineError, match=r"broken.pt: not a whisper checkpoint"):
        WhisperTranscriber(str(tmp_path / "broken.pt")).transcribe(np.zeros(16000, np.float32), 16000)


def test_without_a_way_to_the_hub_it_says_what_to_download(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        MissingEngineError, match=r"\(small\).*hf download openai/whisper-small.*models/whisper"
    ) as raised:
        WhisperTranscriber("small", fresh)
    assert raised.value.exit_code == 3


@pytest.mark.parametrize("name", ["huge", "./none.pt", "/none/model.safetensors", "empty"])
def test_what_can_be_no_whisper_is_refused(
    fresh: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"{name}.*large-v3.*openai/whisper-small"):
        weights_for(name, fresh)


@contextmanager
def a_hub(repository: str, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A server on this machine that has one repository, as the hub has it: its address, and what it is asked for."""
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = b""
            if self.path.startswith(f"/api/models/{repository}"):
                files = [{"rfilename": path.name} for path in sorted(folder.iterdir())]
                body = json.dumps({"id": repository, "sha": "c" * 40, "siblings": files}).encode()
            elif self.path.startswith(f"/{repository}/resolve/"):
                body = (folder / self.path.rsplit("/", 1)[-1]).read_bytes()
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Repo-Commit", "c" * 40)
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - as the server's class asks

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
