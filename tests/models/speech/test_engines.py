"""Which engine is meant, and what `portrayal doctor` can say without loading any."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from media.errors import InputError, MissingEngineError
from media.settings import Settings
from models.speech import engines


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A machine without any downloaded weights."""
    for variable in ("HF_HUB_CACHE", "HF_HOME", "PORTRAYAL_HF_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return Settings(home=tmp_path / "home")


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    return path


def test_on_a_fresh_machine_auto_means_the_embedded_engines(bare: Settings) -> None:
    assert engines.diarizer("auto", bare).name == "dvector"
    assert engines.transcriber("auto", bare) is None
    assert engines.aligner("auto", "en-GB", bare).name == "pocketsphinx"
    assert engines.aligner("auto", "es", bare).name == "proportional"
    assert engines.synthesizer("auto", bare).name == "espeak"


@pytest.mark.parametrize(
    "place",
    [
        "home/models/pyannote/speaker-diarization-community-1/config.yaml",
        "home/models/speaker-diarization-community-1/config.yaml",
        "cache/huggingface/hub/models--pyannote--speaker-diarization-community-1/snapshots/abc/config.yaml",
    ],
)
def test_auto_means_pyannote_once_its_weights_are_there(bare: Settings, tmp_path: Path, place: str) -> None:
    put(tmp_path / place)
    assert engines.diarizer("auto", bare).name == "pyannote"
    assert re.search(rf", {(tmp_path / place).parent.name} [0-9a-f]{{12}}$", engines.diarizer("auto", bare).version)


def test_auto_means_the_best_whisper_that_is_there(bare: Settings, tmp_path: Path) -> None:
    put(tmp_path / "cache/whisper/tiny.pt")
    put(tmp_path / "home/models/whisper/small.pt")
    found = engines.transcriber("auto", bare)
    assert found is not None and found.name == "whisper" and ", small " in found.version
    assert engines.aligner("auto", "hi", bare).name == "whisper"
    tiny = engines.transcriber("whisper:tiny", bare)
    assert tiny is not None and ", tiny " in tiny.version


@pytest.mark.parametrize(
    ("choose", "name", "remedy"),
    [
        (engines.diarizer, "pyannote", "PORTRAYAL_HF_TOKEN"),
        (engines.transcriber, "whisper", "models/whisper"),
        (engines.transcriber, "whisper:large-v3", "large-v3"),
    ],
)
def test_an_engine_without_weights_says_what_to_do(bare: Settings, choose, name: str, remedy: str) -> None:
    with pytest.raises(MissingEngineError, match=remedy) as raised:
        choose(name, settings=bare)
    assert raised.value.exit_code == 3
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("choose", "names"),
    [
        (engines.diarizer, ["pyannote", "dvector"]),
        (engines.transcriber, ["whisper", "pocketsphinx"]),
        (engines.aligner, ["whisper", "pocketsphinx", "proportional"]),
        (engines.synthesizer, ["espeak"]),
    ],
)
def test_an_unknown_engine_is_refused_with_the_names_that_there_are(bare: Settings, choose, names: list[str]) -> None:
    with pytest.raises(InputError) as raised:
        choose("vosk", settings=bare)
    assert all(name in str(raised.value) for name in ["vosk", *names])


def test_the_doctor_sees_every_engine_and_what_is_missing(bare: Settings) -> None:
    found = {(status.kind, status.name): status for status in engines.available(bare)}
    assert found["diarization", "dvector"].available and found["synthesis", "espeak"].available
    missing = found["diarization", "pyannote"]
    assert not missing.available and str(bare.models_dir) in missing.remedy
    assert all(status.available != bool(status.remedy) for status in found.values())


def test_with_a_token_pyannote_can_fetch_its_weights(bare: Settings) -> None:
    with_token = Settings(home=bare.home, hf_token="hf_secret")
    (status,) = [one for one in engines.available(with_token) if one.name == "pyannote"]
    assert status.available and "hf_secret" not in str(status)
    assert engines.diarizer("pyannote", with_token).name == "pyannote"
    assert engines.diarizer("auto", with_token).name == "dvector"


def test_looking_for_engines_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from models.speech import engines\n"
        "engines.available(), engines.diarizer(), engines.transcriber(), engines.aligner(), engines.synthesizer()\n"
        "engines.translator(), engines.translator('auto', 'en', 'de')\n"
        "heavy = ('torch', 'scipy', 'whisper', 'pyannote.audio', 'pocketsphinx', 'transformers', 'httpx')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
