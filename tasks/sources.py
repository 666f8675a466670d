"""The first stage: read the source and refuse, before any work is done, what cannot become a video."""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from media import results
from media.dialogue import Dialogue, Glossary, Script, language_tag, speaker_key, tidy
from media.errors import InputError, MissingEngineError, PortrayalError
from media.glossary import read_glossary
from media.languages import base_language, closest
from media.localization import translated
from media.scripts import SCRIPT_SUFFIXES, read_script
from media.textfile import read_text
from media.xliff import read_xliff
from tasks import filled_scripts, workspace
from tasks.request import RECORDING_SUFFIXES, ProductionRequest, check_counts
from tasks.voices import check_speech

STAGE = "Read the source"

TRANSLATION_SUFFIX = ".xlf"
"""`talk.de.xlf` beside `talk.txt` holds its German translation."""


@dataclass(frozen=True, slots=True)
class MachineTranslation:
    """What an engine translated of a dialogue."""

    engine: str
    version: str
    turns: tuple[int, ...]
    """Indices of the turns; the others were translated by people."""
    now: int = 0
    """How many of them were translated in this run, not found in the store."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source that was read and checked, and the languages to produce."""

    path: str
    kind: Literal["script", "recording"]
    name: str
    """Name of the result files."""
    production_id: str
    """Equal on every run with this file and name, also after the file was edited."""
    title: str
    sha256: str
    languages: tuple[str, ...]
    """To be produced; empty for a recording in whatever language it turns out to be."""
    script: Script | None = None
    """What is to be spoken, one dialogue a language. A turn without text in a translation is still to be translated."""
    spoken: str | None = None
    """The language of a recording, where it is said beforehand."""
    glossary: Glossary = field(default_factory=Glossary)
    translations: Mapping[str, MachineTranslation] = field(default_factory=dict)
    """By language, where an engine translated anything."""
    duration: float | None = None
    """Seconds, for a recording: what its file says, and once it was heard, the length of its video."""
    transcript: str | None = None
    """File with what is said in the recording."""

    @property
    def dialogue(self) -> Dialogue:
        """The script's own dialogue."""
        if self.script is None:
            raise ValueError(f"{self.path} is not a script")
        return self.script.source

    @property
    def spoken_anew(self) -> tuple[str, ...]:
        """The languages that a synthesizer speaks, as far as they are known: not those in which a recording is heard."""
        if self.kind == "script":
            return self.languages
        if self.spoken is None:
            return ()
        return tuple(tag for tag in self.languages if base_language(tag) != base_language(self.spoken))

    def untranslated(self, language: str) -> tuple[int, ...]:
        """Indices of the turns that have no text in a language yet."""
        dialogue = self.script.dialogues.get(language) if self.script else None
        return tuple(index for index, turn in enumerate(dialogue.turns) if not turn.text) if dialogue else ()


def read_source(request: ProductionRequest) -> Source:
    """Read a script, or the head of a recording, and check everything that is asked for.

    Raises:
        InputError: the source, a language, a name in the cast, a portrait or the result folder cannot be used, or an
            engine lacks a language.
        RightsError: a portrait that is asked for may not be used.
        MissingEngineError: an engine that is asked for is not there.
        StorageError: the artifact store or the result folder does not answer, or its disk is full.
    """
    from tasks.domains import settled

    path = Path(request.source)
    if path.is_dir():
        raise InputError(f"{path} is a folder; name one script or recording in it.")
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path.")
    source = _read_script(path, request) if _is_script(path) else _read_recording(path, request)
    check_engines(request, source)
    check_speech(request, source)
    check_languages(request, source)
    if request.out is not None:
        workspace.store().check()
        results.check(request.out)
    check_cast(request, source)
    settled(request, source)
    return source


def result_name(request: ProductionRequest) -> str:
    """What the result files are called."""
    return request.name or Path(request.source).stem.lstrip(".") or "video"


def production_id(name: str, path: Path, sha256: str) -> str:
    """The production's name, or, where the catalog has another source under it, the name and a hash of the path.

    A name decides who is cast where portraits suit equally well, so it must not depend on the machine. A file that was
    moved stays the same production.
    """
    from catalog.session import session_factory
    from catalog.tables import Production

    place = filled_scripts.place_of(path)
    plain, hashed = name[:80], f"{name[:80]}-{hashlib.sha256(place.encode()).hexdigest()[:10]}"
    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        for candidate in (hashed, plain):
            known = session.get(Production, candidate)
            if known is not None and known.source_name in (place, str(path.resolve())):
                return candidate
        taken = session.get(Production, plain)
        if taken is None or (taken.source_sha256 == sha256 and not filled_scripts.exists(taken.source_name)):
            return plain
    return hashed


def check_cast(request: ProductionRequest, source: Source) -> None:
    """Refuse a cast that names nobody of the script, a portrait that may not be used, or one portrait for two speakers.

    Raises:
        InputError, RightsError: as said.
    """
    wished = wishes(request, source)
    if not wished:
        return
    from catalog.portraits import find_portrait
    from catalog.rights import Use, require_rights
    from catalog.session import session_factory

    use = Use(request.purpose, request.region, source.languages)
    owners: dict[str, str] = {}
    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        for speaker, slug in wished.items():
            if slug in owners:
                raise InputError(
                    f"--cast: {owners[slug]} and {speaker} would both be '{slug}'; give each their own portrait."
                )
            owners[slug] = speaker
            try:
                require_rights(session, find_portrait(session, slug), use=use)
            except PortrayalError as error:
                raise type(error)(f"{speaker}: {error}") from None


def wishes(request: ProductionRequest, source: Source) -> dict[str, str]:
    """Portrait (slug) by speaker, as far as the script or the request name one.

    Raises:
        InputError: a speaker is nobody of the script.
    """
    if source.script is None:
        return dict(request.cast)
    wished = {name: hint.portrait for name, hint in source.script.speakers.items() if hint.portrait}
    return wished | named_cast(request, source.script.source.speakers)


def named_cast(request: ProductionRequest, speakers: Iterable[str]) -> dict[str, str]:
    """The cast that is asked for, under the names as they are shown.

    Raises:
        InputError: one is nobody of `speakers`.
    """
    shown = {speaker_key(name): name for name in speakers}
    cast = {}
    for name, slug in request.cast.items():
        if speaker_key(name) not in shown:
            raise InputError(
                f"--cast {name}={slug}: nobody called '{name}' speaks in {request.source}; "
                f"the speakers are {', '.join(shown.values())}."
            )
        cast[shown[speaker_key(name)]] = slug
    return cast


def check_engines(request: ProductionRequest, source: Source) -> None:
    """Refuse an engine that is not there, whether or not this source needs it.

    Raises:
        MissingEngineError: it needs something to be installed or downloaded; the sentence says what.
        InputError: there is no engine of that name, or it cannot do what is asked of it.
    """
    from models.speech import engines
    from tasks.rendering import engine_info

    settings = workspace.settings()
    info = engine_info(request.engine("render"), settings.models_dir)
    if info.name != "still" and request.render.fps not in (None, info.fps):
        raise InputError(
            f"--fps {request.render.fps}: checkpoint '{info.name}' renders {info.fps} frames a second; leave --fps out."
        )
    language = source.spoken or (source.languages or ("en",))[0]
    find: dict[str, Callable[[str], object]] = {
        "diarization": engines.diarizer,
        "transcription": engines.transcriber,
        "alignment": lambda name: engines.aligner(name, language),
        "translation": engines.translator,
        "synthesis": engines.synthesizer,
    }
    for kind, name in request.engines.items():
        if kind in find:
            try:
                find[kind](name)
            except PortrayalError as error:
                raise type(error)(f"--engine {kind}={name}: {error}") from None


def check_languages(request: ProductionRequest, source: Source) -> None:
    """Refuse a language that an engine cannot listen to or speak, before anything is done.

    Raises:
        InputError: it cannot; the sentence names the languages that it has.
    """
    from models.speech import engines
    from models.speech.languages import not_known

    heard = source.spoken if source.kind == "recording" else None
    if heard is not None and source.transcript is None:
        listener = engines.transcriber(request.engine("transcription"))
        if listener is not None and closest(heard, listener.languages()) is None:
            raise not_known(
                listener.name, "know", heard, listener.languages(), ", so give a transcript with --transcript"
            )
    if heard is not None and source.transcript is not None:
        aligner = engines.aligner(request.engine("alignment"), heard)
        known = aligner.languages()
        if known is not None and closest(heard, known) is None:
            raise not_known(aligner.name, "align", heard, known)
    synthesizer = engines.synthesizer(request.engine("synthesis"))
    for tag in source.spoken_anew:
        synthesizer.voices(tag, 1, [None])


def translations_beside(path: Path) -> dict[str, Path]:
    """The files with people's translations that lie beside a source (`talk.de.xlf`), by language."""
    found: dict[str, Path] = {}
    beginning = f"{path.stem}."
    try:
        with os.scandir(path.parent) as entries:  # a night does this for every source of a folder of thousands
            names = [one.name for one in entries if one.name.startswith(beginning)]
    except OSError:
        return {}
    for name in sorted(names):
        if tag := translation_named(path, path.parent / name):
            found[tag] = path.parent / name
    return found


def translation_named(path: Path, file: Path) -> str | None:
    """The language into which a file translates a source by its name and place (`talk.de.xlf` beside `talk.wav`), if any."""
    begin, suffix = f"{path.stem}.", TRANSLATION_SUFFIX
    if file.resolve().parent != path.resolve().parent or not (
        file.name.startswith(begin) and file.name.endswith(suffix)
    ):
        return None
    written = file.name[len(begin) : -len(suffix)]
    return language_tag(written, str(file)) if base_language(written) else None


def with_translations(path: Path, script: Script) -> Script:
    """A script with the translations that lie beside it. Turns that have changed since are without text there.

    Where both hold a translation of a turn, that of the file beside is used: it came back from a translator.

    Raises:
        InputError: such a file cannot be read, or is about other languages.
    """
    dialogues = dict(script.dialogues)
    for tag, file in translations_beside(path).items():
        if base_language(tag) == base_language(script.source.language):
            continue
        source_language, target, units = read_xliff(read_text(file), str(file))
        if closest(script.source.language, [source_language]) is None or closest(tag, [target]) is None:
            raise InputError(
                f"{file}: it translates '{source_language}' into '{target}', not '{script.source.language}' into '{tag}'; "
                "rename or remove it."
            )
        own = closest(tag, list(dialogues)[1:], same_script=True) or tag
        before = dialogues.get(own)
        texts = translated(units, script.source)
        dialogues[own] = Dialogue(
            own,
            tuple(
                replace(turn, text=tidy(text) or (before.turns[index].text if before else ""))
                for index, (turn, text) in enumerate(zip(script.source.turns, texts, strict=True))
            ),
        )
    return replace(script, dialogues=dialogues)


def script_languages(path: Path) -> tuple[str, ...]:
    """The languages that people have written a script in completely, in it or beside it.

    Raises:
        InputError: it cannot be read.
    """
    dialogues = with_translations(path, read_script(path, gaps=True)).dialogues
    return tuple(tag for tag, dialogue in dialogues.items() if all(turn.text for turn in dialogue.turns))


def written_languages(path: Path, kind: str) -> tuple[str, ...]:
    """The languages in which people have written down completely what is said in a source: a recording's lie beside it.

    Whether a recording's turns are still those that were translated is seen when it is produced.

    Raises:
        InputError: it, or what lies beside it, cannot be read.
    """
    if kind == "script":
        return script_languages(path)
    found = []
    for tag, file in translations_beside(path).items():
        spoken, _, units = read_xliff(read_text(file), str(file))
        if base_language(tag) != base_language(spoken) and units and all(unit.target for unit in units):
            found.append(tag)
    return tuple(found)


def require_translations(request: ProductionRequest, path: str, script: Script, languages: Iterable[str]) -> Script:
    """A script in which every language has a dialogue; turns that an engine is to translate are without text in it.

    Raises:
        InputError: turns lack a translation and no engine is there to make one, or it does not have the languages.
        MissingEngineError: the engine that is asked for is not there.
    """
    from models.speech.engines import translator

    dialogues = dict(script.dialogues)
    name, spoken = request.engine("translation"), script.source.language
    for tag in languages:
        known = dialogues.get(tag)
        missing = [number for number, turn in enumerate(known.turns, 1) if not turn.text] if known else None
        if missing == []:
            continue
        try:
            engine = translator(name, spoken, tag)
        except PortrayalError as error:
            raise type(error)(f"--engine translation={name}: {error}") from None
        if engine is None:
            raise InputError(f"--lang {tag}: {_untranslated(path, script, tag, missing)}")
        if known is None:
            dialogues[tag] = Dialogue(tag, tuple(replace(turn, text="") for turn in script.source.turns))
    return replace(script, dialogues=dialogues)


def _untranslated(path: str, script: Script, tag: str, missing: list[int] | None) -> str:
    engine = f"translate them with --engine translation=NAME or `portrayal localize export {path} --lang {tag} ...`"
    if missing:
        turns = f"turn {missing[0]} of {path} has" if len(missing) == 1 else f"turns {_listed(missing)} of {path} have"
        return f"{turns} no translation, or changed since; {engine}."
    there = ", ".join(one for one, dialogue in script.dialogues.items() if all(turn.text for turn in dialogue.turns))
    return (
        f"{path} has no lines in it, only in {there}; write '  {tag}: ...' under every turn, ask for another language, "
        f"or {engine}."
    )


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def _is_script(path: Path) -> bool:
    if path.suffix.lower() in SCRIPT_SUFFIXES:
        return True
    with path.open("rb") as file:
        head = file.read(4096)
    if not head or b"\0" in head:
        return False
    try:
        head[: len(head) - 3 if len(head) == 4096 else None].decode()
    except UnicodeDecodeError:
        return False
    return True


def _read_script(path: Path, request: ProductionRequest) -> Source:
    for option, value in (
        ("--transcript", request.transcript),
        ("--rttm", request.rttm),
    ):
        if value is not None:
            raise InputError(f"{option} {value}: {path} is a script, which needs none; leave the option out.")
    if path.suffix.lower() in RECORDING_SUFFIXES:
        raise InputError(f"{path} holds text, not sound; give the recording itself, or name a script {path.stem}.txt.")
    # Whoever asks for a translator may leave turns to it.
    script = read_script(path, request.source_language, gaps="translation" in request.engines)
    if request.source_language and closest(request.source_language, [script.source.language]) is None:
        raise InputError(
            f"--source-lang {request.source_language}: {path} says that it is in '{script.source.language}'; "
            "leave the option out, or correct the script."
        )
    script = with_translations(path, script)
    languages = _script_languages(script, request.languages)
    script = require_translations(request, str(path), script, languages)
    name, digest = result_name(request), _sha256(path)
    return Source(
        path=str(path),
        kind="script",
        name=name,
        production_id=production_id(name, path, digest),
        title=script.title or name,
        sha256=digest,
        languages=languages,
        script=script,
        glossary=script.glossary.with_more(_glossary(request)),
    )


def _glossary(request: ProductionRequest) -> Glossary:
    return read_glossary(Path(request.glossary)) if request.glossary else Glossary()


def _script_languages(script: Script, wanted: list[str]) -> tuple[str, ...]:
    """The script's own tags of the wanted languages, where it has them; `es-MX` is content with `es`."""
    found = [closest(tag, script.languages, same_script=True) or tag for tag in wanted]
    return tuple(dict.fromkeys(found)) or (script.source.language,)


def _read_recording(path: Path, request: ProductionRequest) -> Source:
    from media.audio import require_usable
    from media.rttm import read_rttm
    from media.transcripts import find_transcript, read_transcript

    count = request.speakers
    check_counts(count.exactly, count.at_least, count.at_most)
    info = require_usable(path)
    for option, value in (
        ("--transcript", request.transcript),
        ("--rttm", request.rttm),
    ):
        if value is not None and not Path(value).is_file():
            raise InputError(f"{option} {value}: there is no such file; check the path.")
    # Whoever asks for an engine wants it to listen.
    beside = find_transcript(path) if request.engine("transcription") == "auto" else None
    transcript = request.transcript or (str(beside) if beside else None)
    if transcript is not None:
        read_transcript(Path(transcript))
    if request.rttm is not None:
        read_rttm(Path(request.rttm))
    spoken = request.source_language
    if _is_dubbed(path, request):
        _require_words(path, request, transcript)
    elif spoken is None and request.languages:
        spoken = request.languages[0]
    name, digest = result_name(request), _sha256(path)
    return Source(
        path=str(path),
        kind="recording",
        name=name,
        production_id=production_id(name, path, digest),
        title=name,
        sha256=digest,
        languages=tuple(request.languages),
        spoken=spoken,
        glossary=_glossary(request),
        duration=info.duration,
        transcript=transcript,
    )


def _is_dubbed(path: Path, request: ProductionRequest) -> bool:
    """Whether a recording's languages are those to produce it in; else the one asked for is what is spoken in it."""
    return (
        "translation" in request.engines
        or request.source_language is not None
        or len(request.languages) > 1
        or any(closest(tag, translations_beside(path)) for tag in request.languages)
    )


def _require_words(path: Path, request: ProductionRequest, transcript: str | None) -> None:
    """Refuse, as far as it is known before anybody listens, what cannot be translated or spoken.

    Raises:
        MissingEngineError: nothing writes down what is said, or the engine that is asked for is not there.
        InputError: an engine does not have a language.
    """
    from media.scripts import guess_language
    from media.transcripts import read_transcript
    from models.speech.engines import synthesizer, transcriber, translator

    spoken = request.source_language
    if spoken is None and transcript is not None:
        spoken = guess_language(turn.text for turn in read_transcript(Path(transcript)))
    others = [tag for tag in request.languages if spoken is None or base_language(tag) != base_language(spoken)]
    if others and transcript is None and transcriber(request.engine("transcription")) is None:
        raise MissingEngineError(
            f"{path}: nothing writes down what is said in it, so it cannot be translated; give --transcript FILE, "
            "or install a transcription engine (see `portrayal doctor`)."
        )
    name = request.engine("translation")
    for tag in others if spoken else ():
        synthesizer(request.engine("synthesis")).voices(tag, 1, [None])
        if closest(tag, translations_beside(path)):
            continue
        try:
            engine = translator(name, spoken, tag)
        except PortrayalError as error:
            raise type(error)(f"--engine translation={name}: {error}") from None
        if engine is None:
            raise InputError(
                f"--lang {tag}: '{spoken}' is spoken in {path}, and no engine is here that translates it; "
                f"add --engine translation=NAME, or `portrayal localize export {path} --lang {tag} ...`."
            )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions.") from None
