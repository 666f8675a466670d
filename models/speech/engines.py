"""Which speech engines there are, and the one that is meant by a name. Nothing heavy is imported to find out."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TypeVar

from media.errors import InputError, PortrayalError
from media.languages import base_language, closest
from media.settings import Settings
from models.speech.languages import WHISPER
from models.speech.protocols import Aligner, Diarizer, Synthesizer, Transcriber, Translator
from models.speech.weights import COMMUNITY, opus_folders, pyannote_folder, transformers_folder, whisper_weights

_Engine = TypeVar("_Engine")


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """One line of `portrayal doctor`."""

    kind: str
    """`diarization`, `transcription`, `alignment`, `translation` or `synthesis`."""
    name: str
    available: bool
    detail: str
    """What it is, or what it will use."""
    remedy: str
    """What to do to have it; empty when it is there."""


def diarizer(name: str = "auto", settings: Settings | None = None) -> Diarizer:
    """`auto`: pyannote where its weights are, else dvector. `pyannote:FOLDER` names a model of one's own.

    Raises:
        InputError: there is no such engine.
        MissingEngineError: it is asked for by name, and its weights or package are not there.
    """
    from models.speech.dvector import DvectorDiarizer
    from models.speech.pyannote import PyannoteDiarizer

    settings = settings or Settings()
    name, model = _split(name)
    if name == "auto":
        name = "pyannote" if _installed("pyannote.audio") and pyannote_folder(COMMUNITY, settings) else "dvector"
    engines: dict[str, Callable[[], Diarizer]] = {
        "pyannote": lambda: PyannoteDiarizer(model or COMMUNITY, settings=settings),
        "dvector": DvectorDiarizer,
    }
    return _chosen("diarization", name, engines)


def transcriber(name: str = "auto", settings: Settings | None = None) -> Transcriber | None:
    """`auto`: whisper where its weights are, else None: no embedded engine is good enough for captions.

    `whisper:small`, `whisper:openai/whisper-small` or `whisper:PATH` names a size, a repository on the hub or a checkpoint,
    which is fetched where it is not here; `pocketsphinx` gives an English draft.

    Raises:
        InputError: there is no such engine.
        MissingEngineError: it is asked for by name, and its weights or package are not there.
    """
    from models.speech.pocketsphinx_ import PocketsphinxTranscriber
    from models.speech.whisper import WhisperTranscriber

    settings = settings or Settings()
    name, model = _split(name)
    if name == "auto":
        if not (_installed("whisper") and whisper_weights(None, settings)):
            return None
        name = "whisper"
    engines: dict[str, Callable[[], Transcriber]] = {
        "whisper": lambda: WhisperTranscriber(model, settings),
        "pocketsphinx": PocketsphinxTranscriber,
    }
    return _chosen("transcription", name, engines)


def aligner(name: str = "auto", language: str = "en", settings: Settings | None = None) -> Aligner:
    """`auto`: whisper where its weights are and it knows the language, else pocketsphinx for English, else proportional.

    Raises:
        InputError: there is no such engine.
        MissingEngineError: it is asked for by name, and its weights or package are not there.
    """
    from models.speech.alignment import PocketsphinxAligner, ProportionalAligner
    from models.speech.whisper import WhisperAligner

    settings = settings or Settings()
    name, model = _split(name)
    if name == "auto":
        if _installed("whisper") and whisper_weights(None, settings) and closest(language, WHISPER):
            name = "whisper"
        else:
            name = "pocketsphinx" if base_language(language) == "en" and _installed("pocketsphinx") else "proportional"
    engines: dict[str, Callable[[], Aligner]] = {
        "whisper": lambda: WhisperAligner(model, settings),
        "pocketsphinx": PocketsphinxAligner,
        "proportional": ProportionalAligner,
    }
    return _chosen("alignment", name, engines)


def synthesizer(name: str = "auto", settings: Settings | None = None, *, cloning: bool = False) -> Synthesizer:
    """`auto`: espeak; chatterbox where voices are to be cloned, which espeak cannot. `worker:COMMAND`: one's own engine.

    Raises:
        InputError: there is no such engine.
        MissingEngineError: its environment or program is not there.
    """
    from models.speech import worker
    from models.speech.espeak import EspeakSynthesizer

    settings = settings or Settings()
    if name == "auto":
        name = "chatterbox" if cloning else "espeak"
    kind, command = _split(name)
    engines: dict[str, Callable[[], Synthesizer]] = {
        "espeak": EspeakSynthesizer,
        "chatterbox": lambda: worker.chatterbox(settings.chatterbox_python, settings.synthesis_timeout),
        "worker:COMMAND": lambda: worker.own_worker(command or "", settings.synthesis_timeout),
    }
    return _chosen("synthesis", "worker:COMMAND" if kind == "worker" else name, engines)


def translator(
    name: str = "auto", source: str | None = None, target: str | None = None, settings: Settings | None = None
) -> Translator | None:
    """The engine that translates from `source` into `target`; with None for them, whatever there is for other languages.

    `auto`: marian or madlad, whichever has a model for the two here, else None: a text is sent to a server only by an
    engine that is asked for by name. `marian:FOLDER`, `madlad:FOLDER` and `openai:MODEL` name a model of one's own.

    Raises:
        InputError: there is no such engine, or it does not have these languages.
        MissingEngineError: it is asked for by name, and its weights or its settings are not there.
    """
    from models.speech.translation.chat import ChatTranslator
    from models.speech.translation.madlad import MadladTranslator
    from models.speech.translation.marian import MarianTranslator

    settings = settings or Settings()
    name, model = _split(name)
    engines: dict[str, Callable[[], Translator]] = {
        "marian": lambda: MarianTranslator(model, settings),
        "madlad": lambda: MadladTranslator(model, settings),
        "openai": lambda: ChatTranslator(model, settings),
    }
    for candidate in ("marian", "madlad") if name == "auto" and source and target else ():
        try:
            found = engines[candidate]()
            found.version(str(source), str(target))
        except PortrayalError:
            continue
        return found
    if name == "auto":
        return None
    chosen = _chosen("translation", name, engines)
    if source and target:
        chosen.version(source, target)
    return chosen


def available(settings: Settings | None = None) -> list[EngineStatus]:
    """Every engine, and what is missing; looks at folders only."""
    from models.speech import pyannote
    from models.speech.translation import chat, madlad, marian
    from models.speech.whisper_weights import how_to_get as how_to_get_whisper

    settings = settings or Settings()
    folder, checkpoint = pyannote_folder(COMMUNITY, settings), whisper_weights(None, settings)
    get_whisper = f"ask for it by name (--engine transcription=whisper:small); or {how_to_get_whisper(settings)}"
    if folder:
        pyannote_status = (True, f"weights in {folder}", "")
    elif settings.hf_token:
        pyannote_status = (True, "weights are downloaded at first use, with PORTRAYAL_HF_TOKEN", "")
    else:
        pyannote_status = (False, "weights are missing", pyannote.how_to_get(COMMUNITY, settings))
    whisper_detail = (
        f"weights in {checkpoint}" if checkpoint else "weights are missing; fetched from the hub once asked for"
    )
    opus, large = opus_folders(settings), transformers_folder(madlad.DEFAULT, "madlad", settings)
    server = bool(settings.translation_url and settings.translation_model)
    return [
        _status("diarization", "pyannote", "pyannote.audio", *pyannote_status),
        _status("diarization", "dvector", "silero_vad resemblyzer", True, "embedded; misses overlapping speech", ""),
        _status("transcription", "whisper", "whisper", checkpoint is not None, whisper_detail, get_whisper),
        _status("transcription", "pocketsphinx", "pocketsphinx", True, "embedded; a rough English draft", ""),
        _status("alignment", "whisper", "whisper", checkpoint is not None, whisper_detail, get_whisper),
        _status("alignment", "pocketsphinx", "pocketsphinx", True, "embedded; English", ""),
        EngineStatus("alignment", "proportional", True, "embedded; every language, rough", ""),
        _status(
            "translation",
            "marian",
            "transformers sentencepiece",
            bool(opus),
            f"models: {', '.join(opus)}" if opus else "no model is there",
            marian.how_to_get(settings),
        ),
        _status(
            "translation",
            "madlad",
            "transformers",
            large is not None,
            f"weights in {large}" if large else "weights are missing",
            madlad.how_to_get(settings),
        ),
        EngineStatus(
            "translation",
            "openai",
            server,
            f"{settings.translation_model} at {settings.translation_url}" if server else "no server is set",
            "" if server else chat.HOW_TO_SET,
        ),
        _status("synthesis", "espeak", "espeakng_loader", True, "embedded; about 100 languages, robotic", ""),
        _chatterbox_status(settings),
    ]


def _chatterbox_status(settings: Settings) -> EngineStatus:
    from models.speech import worker

    python = settings.chatterbox_python
    if python is None:
        detail = "no environment is set; natural, 23 languages, clones voices"
        return EngineStatus("synthesis", "chatterbox", False, detail, worker.how_to_get_chatterbox())
    program = python.expanduser()
    if not program.is_file():
        return EngineStatus("synthesis", "chatterbox", False, f"no {program}", worker.how_to_get_chatterbox())
    # Not through links: an environment's python is one to the python it was made with.
    packages = [*program.parent.parent.glob("lib*/python*/site-packages/chatterbox"), None]
    if packages[0] is None:
        remedy = f"{program} -m pip install 'setuptools<81' chatterbox-tts=={worker.CHATTERBOX_VERSION}"
        return EngineStatus("synthesis", "chatterbox", False, f"{program} has no chatterbox-tts", remedy)
    detail = f"in {program.parent.parent}; weights are fetched at first use"
    return EngineStatus("synthesis", "chatterbox", True, detail, "")


_PROJECTS = {
    "pyannote.audio": "pyannote.audio", "silero_vad": "silero-vad", "resemblyzer": "resemblyzer", "whisper":
    "openai-whisper", "pocketsphinx": "pocketsphinx", "espeakng_loader": "espeakng-loader", "transformers": "transformers",
    "sentencepiece": "sentencepiece",
}  # fmt: skip


def _status(kind: str, name: str, packages: str, ready: bool, detail: str, remedy: str) -> EngineStatus:
    missing = [package for package in packages.split() if not _installed(package)]
    if missing:
        projects = " ".join(_PROJECTS[package] for package in missing)
        return EngineStatus(kind, name, False, f"{projects} is not installed", f"pip install {projects}")
    return EngineStatus(kind, name, ready, detail, "" if ready else remedy)


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # the parent of a dotted name is not there
        return False


def _split(name: str) -> tuple[str, str | None]:
    engine, _, model = name.partition(":")
    return engine, model or None


def _chosen(kind: str, name: str, engines: dict[str, Callable[[], _Engine]]) -> _Engine:
    if name not in engines:
        raise InputError(f"There is no {kind} engine '{name}'; use auto, {' or '.join(engines)}.")
    return engines[name]()
