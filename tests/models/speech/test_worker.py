"""Engines in an environment of their own: a real second process, run by the python of a real second environment."""

import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from media.audio import wav_bytes
from media.errors import InputError, MissingEngineError, RenderError
from media.settings import Settings
from models.speech import engines, worker
from models.speech.protocols import Voice
from models.speech.voice_profile import voice_profile
from models.speech.worker import WorkerEngine

PROGRAM = Path(__file__).with_name("vowel_worker.py")


@pytest.fixture(scope="session")
def other_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment") / "other"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin" / "python"


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKER_NOTES", str(tmp_path))
    return tmp_path / "log"


@pytest.fixture
def vowels(other_python: Path, notes: Path) -> Iterator[Callable[..., WorkerEngine]]:
    """Makes an engine of the worker with the habits that are named."""
    made = []

    def engine(*habits: str, silent_seconds: float = 20.0, start_seconds: float = 20.0) -> WorkerEngine:
        command = (str(other_python), str(PROGRAM), *habits)
        made.append(WorkerEngine(command, silent_seconds=silent_seconds, start_seconds=start_seconds))
        return made[-1]

    yield engine
    for one in made:
        one.close()


def test_a_worker_speaks_with_the_packages_of_its_own_environment_only(
    vowels: Callable[..., WorkerEngine], notes: Path, other_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    engine = vowels()
    speech = engine.speak("aeiou", "en", Voice("deep"))
    assert speech.sample_rate == 16_000 and len(speech.samples) == 5 * (16_000 // 12)
    assert np.abs(speech.samples).max() > 0.1
    assert (engine.name, engine.version, engine.can_clone) == ("worker:vowels", "1.2", False)
    engine.close()
    log = notes.read_text().splitlines()
    assert log[0] == f"start {other_python.parents[1]} -" and log[-1] == "bye"
    assert sum(line.startswith("start") for line in log) == 1


def test_equal_requests_have_equal_seeds_and_sound_equal(vowels: Callable[..., WorkerEngine], notes: Path) -> None:
    engine = vowels()
    first, other, again = (engine.speak(text, "en", Voice("deep")).samples for text in ("ae", "io", "ae"))
    assert np.array_equal(first, again)
    seeds = [line.split()[2] for line in notes.read_text().splitlines() if line.startswith("speak")]
    assert seeds[0] == seeds[2] != seeds[1] and len(other)


def test_voices_are_those_that_the_worker_names_the_wanted_gender_first(vowels: Callable[..., WorkerEngine]) -> None:
    engine = vowels()
    assert [voice.name for voice in engine.voices("en", 5, ["feminine"])] == ["high", "deep"]
    assert [voice.name for voice in engine.voices("es-MX", 1)] == ["deep"]
    assert len(engine.voices("nb", 2)) == 2  # the worker says `no`, which is Norwegian too
    profiles = [
        voice_profile(engine.speak("a" * 12, "en", voice).samples, 16_000).median_hz for voice in engine.voices("en", 2)
    ]
    assert profiles == [pytest.approx(100, abs=5), pytest.approx(220, abs=8)]


def test_what_it_cannot_do_is_refused_before_it_is_asked(vowels: Callable[..., WorkerEngine], notes: Path) -> None:
    engine = vowels()
    with pytest.raises(InputError, match=r"'hi'.*en, es, no"):
        engine.speak("a", "hi", Voice("deep"))
    with pytest.raises(InputError, match=r"'squeaky'.*deep, high"):
        engine.speak("a", "en", Voice("squeaky"))
    with pytest.raises(InputError, match="cannot clone"):
        engine.speak("a", "en", Voice("", reference="somebody.wav"))
    assert "speak" not in notes.read_text()


def test_a_clone_sounds_like_its_recording(vowels: Callable[..., WorkerEngine], tmp_path: Path) -> None:
    engine = vowels("clones")
    heard = []
    for pitch in (120, 260):
        tone = 0.5 * np.sin(2 * np.pi * pitch * np.arange(16_000) / 16_000)
        recording = tmp_path / f"{pitch}.wav"
        recording.write_bytes(wav_bytes(tone.astype(np.float32), 16_000))
        speech = engine.speak("a" * 12, "en", Voice("", reference=str(recording)))
        heard.append(voice_profile(speech.samples, 16_000).median_hz)
    assert heard == [pytest.approx(120, abs=6), pytest.approx(260, abs=10)]


@pytest.mark.parametrize("habit", ["crash-once", "hang-once"])
def test_a_worker_that_dies_or_hangs_in_a_request_is_replaced_once(
    vowels: Callable[..., WorkerEngine], notes: Path, habit: str
) -> None:
    expected = vowels().speak("ae", "en", Voice("high")).samples
    notes.unlink()
    engine = vowels(habit, silent_seconds=1.0)
    assert np.array_equal(engine.speak("ae", "en", Voice("high")).samples, expected)
    assert sum(line.startswith("start") for line in notes.read_text().splitlines()) == 2


def test_a_worker_that_dies_again_is_an_error_with_its_last_words(vowels: Callable[..., WorkerEngine]) -> None:
    with pytest.raises(RenderError, match=r"ended with exit code 9.*CUDA error: out of memory.*restarted"):
        vowels("crash").speak("ae", "en", Voice("deep"))


def test_a_worker_that_hangs_again_is_an_error_and_is_gone(vowels: Callable[..., WorkerEngine]) -> None:
    engine = vowels("hang", silent_seconds=0.5)
    began = time.monotonic()
    with pytest.raises(RenderError, match=r"said nothing for 0 s|said nothing for 1 s"):
        engine.speak("ae", "en", Voice("deep"))
    assert time.monotonic() - began < 15
    assert engine._process is None or not engine._process.is_alive


def test_progress_keeps_a_slow_worker_alive(vowels: Callable[..., WorkerEngine]) -> None:
    assert len(vowels("slow", silent_seconds=1.2).speak("a", "en", Voice("deep")).samples)


@pytest.mark.parametrize(
    ("habit", "error", "words"),
    [
        ("wrong-id", InputError, 'id "99"'),
        ("silent", InputError, "wrote no 1.wav"),
        ("refuse", InputError, "the letter 'q'"),
        ("fail", RenderError, "no memory left"),
        ("chatty", InputError, "'Loading weights ...' to stdout"),
        ("future", InputError, "version 7 .* only 1 is spoken"),
    ],
)
def test_a_worker_that_does_not_keep_to_the_protocol_is_told_so(
    vowels: Callable[..., WorkerEngine], habit: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        vowels(habit).speak("ae", "en", Voice("deep"))


def test_a_worker_that_never_says_hello(vowels: Callable[..., WorkerEngine]) -> None:
    with pytest.raises(MissingEngineError, match=r"said nothing .*warming up.*before it said hello"):
        vowels("mute", start_seconds=1.0).speak("ae", "en", Voice("deep"))


def test_an_own_engine_is_named_by_its_command(other_python: Path, notes: Path) -> None:
    command = shlex.join([str(other_python), str(PROGRAM)])
    engine = engines.synthesizer(f"worker:{command}")
    assert engine is engines.synthesizer(f"worker:{command}")  # one process for the whole run
    assert engine.name == "worker:vowels" and list(engine.languages()) == ["en", "es", "no"]
    worker._engine.cache_clear()
    with pytest.raises(MissingEngineError, match="no program 'no-such-engine'"):
        engines.synthesizer("worker:no-such-engine --fast")
    with pytest.raises(InputError, match="worker:COMMAND"):
        engines.synthesizer("worker:")


def test_chatterbox_says_how_it_is_installed(
    tmp_path: Path, other_python: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissingEngineError, match=r"venv .*chatterbox-tts==.*PORTRAYAL_CHATTERBOX_PYTHON"):
        engines.synthesizer("chatterbox", Settings(home=tmp_path))
    missing = {one.name: one for one in engines.available(Settings(home=tmp_path))}["chatterbox"]
    assert not missing.available and "chatterbox-tts==" in missing.remedy
    empty = Settings(home=tmp_path, chatterbox_python=other_python)
    status = {one.name: one for one in engines.available(empty)}["chatterbox"]
    assert not status.available and f"{other_python} -m pip install" in status.remedy
    # The program itself, run by an environment that lacks the package, says so and what is missing.
    engine = engines.synthesizer("chatterbox", empty)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises(MissingEngineError, match="chatterbox, torch, numpy is not installed for"):
        engine.languages()
    assert not list(tmp_path.glob("portrayal-worker-*"))  # nothing is left of it


def test_where_nobody_asks_for_cloning_no_worker_is_meant_by_auto() -> None:
    assert engines.synthesizer("auto").name == "espeak"
    with pytest.raises(MissingEngineError, match="chatterbox"):
        engines.synthesizer("auto", Settings(chatterbox_python=None), cloning=True)
