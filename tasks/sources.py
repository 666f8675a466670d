"""The first stage: read the source and refuse, before any work is done, what cannot become a video."""

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import langcodes

from media.atomic import cannot_write
from media.dialogue import Dialogue, Script, language_tag, speaker_key
from media.errors import InputError, PortrayalError
from media.scripts import SCRIPT_SUFFIXES, read_script
from tasks import workspace
from tasks.request import ProductionRequest
from tasks.voices import check_speech

STAGE = "Read the source"

LEAST_FREE_BYTES = 8 << 20
"""Below this much room in the result folder, no work is begun."""


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
    duration: float | None = None
    """Seconds, for a recording."""
    transcript: str | None = None
    """File with what is said in the recording."""

    @property
    def dialogue(self) -> Dialogue:
        """The script's own dialogue."""
        if self.script is None:
            raise ValueError(f"{self.path} is not a script")
        return self.script.source


def read_source(request: ProductionRequest) -> Source:
    """Read a script, or the head of a recording, and check everything that is asked for.

    Raises:
        InputError: the source, a language, a name in the cast, a portrait or the result folder cannot be used.
        RightsError: a portrait that is asked for may not be used.
        MissingEngineError: an engine that is asked for is not there.
    """
    path = Path(request.source)
    if path.is_dir():
        raise InputError(f"{path} is a folder; name one script or recording in it.")
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path.")
    source = _read_script(path, request) if _is_script(path) else _read_recording(path, request)
    check_engines(request, source)
    check_speech(request, source)
    if request.out is not None:
        check_out(Path(request.out))
    check_cast(request, source)
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

    place = str(path.resolve())
    plain, hashed = name[:80], f"{name[:80]}-{hashlib.sha256(place.encode()).hexdigest()[:10]}"
    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        for candidate in (hashed, plain):
            known = session.get(Production, candidate)
            if known is not None and known.source_name == place:
                return candidate
        taken = session.get(Production, plain)
        if taken is None or (taken.source_sha256 == sha256 and not Path(taken.source_name).exists()):
            return plain
    return hashed


def check_out(out: Path) -> None:
    """Make sure that files can be written to a folder, and leave nothing behind: not even the folder, if it is new.

    Raises:
        InputError: it cannot be made or written to, or its disk is full.
    """
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    probe = out / f".portrayal-{uuid.uuid4().hex[:12]}.part"
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(os.urandom(1 << 16))
        free = shutil.disk_usage(out).free
        if free < LEAST_FREE_BYTES:
            raise InputError(
                f"{out}: only {free / (1 << 20):.1f} MB are free there; free some space or choose another folder."
            )
    except OSError as error:
        raise cannot_write(out / "production.json", error) from None
    finally:
        try:
            probe.unlink(missing_ok=True)
            for folder in made:
                folder.rmdir()
        except OSError:
            pass  # never made, or somebody else uses it already


def check_cast(request: ProductionRequest, source: Source) -> None:
    """Refuse a cast that names nobody of the script, a portrait that may not be used, or one portrait for two speakers.

    Raises:
        InputError, RightsError: as said.
    """
    wishes = dict(request.cast)
    if source.script is not None:
        wishes = {name: hint.portrait for name, hint in source.script.speakers.items() if hint.portrait}
        wishes |= named_cast(request, source.script.source.speakers)
    if not wishes:
        return
    from catalog.portraits import find_portrait, require_rights
    from catalog.session import session_factory

    owners: dict[str, str] = {}
    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        for speaker, slug in wishes.items():
            if slug in owners:
                raise InputError(
                    f"--cast: {owners[slug]} and {speaker} would both be '{slug}'; give each their own portrait."
                )
            owners[slug] = speaker
            try:
                require_rights(session, find_portrait(session, slug))
            except PortrayalError as error:
                raise type(error)(f"{speaker}: {error}") from None


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
    language = (source.languages or ("en",))[0]
    find: dict[str, Callable[[str], object]] = {
        "diarization": engines.diarizer,
        "transcription": engines.transcriber,
        "alignment": lambda name: engines.aligner(name, language),
        "synthesis": engines.synthesizer,
    }
    for kind, name in request.engines.items():
        if kind in find:
            try:
                find[kind](name)
            except PortrayalError as error:
                raise type(error)(f"--engine {kind}={name}: {error}") from None


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
    script = read_script(path)
    name, digest = result_name(request), _sha256(path)
    return Source(
        path=str(path),
        kind="script",
        name=name,
        production_id=production_id(name, path, digest),
        title=script.title or name,
        sha256=digest,
        languages=_script_languages(path, script, request.languages),
        script=script,
    )


def _script_languages(path: Path, script: Script, wanted: list[str]) -> tuple[str, ...]:
    """The script's own tags of the wanted languages; `es-MX` is content with `es`."""
    found = []
    for tag in wanted:
        own = tag if tag in script.languages else None
        primary = langcodes.get(tag).language
        own = own or next(
            (one for one in script.languages if langcodes.get(one).language == primary),
            None,
        )
        if own is None:
            raise InputError(
                f"--lang {tag}: {path} has no lines in it, only in {', '.join(script.languages)}; "
                f"write '  {tag}: ...' under every turn, or ask for another language."
            )
        found.append(own)
    return tuple(dict.fromkeys(found)) or (script.source.language,)


def _read_recording(path: Path, request: ProductionRequest) -> Source:
    from media.audio import require_usable
    from media.rttm import read_rttm
    from media.transcripts import find_transcript, read_transcript

    if len(request.languages) > 1:
        raise InputError(
            f"--lang: {path} is a recording and is produced in the language that is spoken in it; give one --lang."
        )
    _check_counts(request)
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
    name, digest = result_name(request), _sha256(path)
    return Source(
        path=str(path),
        kind="recording",
        name=name,
        production_id=production_id(name, path, digest),
        title=name,
        sha256=digest,
        languages=tuple(language_tag(tag, "--lang") for tag in request.languages),
        duration=info.duration,
        transcript=transcript,
    )


def _check_counts(request: ProductionRequest) -> None:
    count = request.speakers
    if count.exactly is not None and (count.at_least is not None or count.at_most is not None):
        raise InputError("--speakers says how many there are; leave out --min-speakers and --max-speakers.")
    if count.at_least is not None and count.at_most is not None and count.at_least > count.at_most:
        raise InputError(
            f"--min-speakers {count.at_least} is more than --max-speakers {count.at_most}; correct one of them."
        )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions.") from None
