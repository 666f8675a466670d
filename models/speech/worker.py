"""Synthesis engines that need an environment of their own: a program beside this one, spoken to over its stdin and stdout.

docs/synthesis-workers.md describes the protocol. The program is started when it is first needed, kept for the whole
run, replaced once when it dies or hangs in the middle of a request, and ended with the run.
"""

import atexit
import hashlib
import json
import os
import queue
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import langcodes

from media.audio import read_audio
from media.errors import InputError, MissingEngineError, PortrayalError, RenderError
from models.speech.protocols import Speech, Voice

PROTOCOLS = (1,)
"""Versions of the protocol that are spoken here."""

START_SECONDS = 120.0
"""Within which a worker must say hello."""
BYE_SECONDS = 5.0
LONGEST_LINE = 1 << 20
SAMPLE_RATES = range(8000, 192_001)

_OTHERS_SETTINGS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
"""What would lead another environment's python to this one's packages."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a worker says about itself."""

    protocol: int
    engine: str
    version: str
    languages: tuple[str, ...]
    sample_rate: int
    voices: tuple[tuple[str, str | None], ...]
    """Name and gender (`feminine`, `masculine`, `neutral` or None)."""
    can_clone: bool = False
    reads_digits: bool = False
    reads_ipa: bool = False


class WorkerEngine:
    """A worker program behind the `Synthesizer` protocol. Safe to use from several threads: one speaks at a time.

    Args:
        command: the program and its arguments.
        name: what the engine is called; `worker:` and what the worker calls itself when None.
        silent_seconds: within which it must say something while it speaks, if only how far it is.
        start_seconds: within which it must say hello.
    """

    reads_kanji = True

    def __init__(
        self,
        command: Sequence[str],
        name: str | None = None,
        *,
        silent_seconds: float = 600.0,
        start_seconds: float = START_SECONDS,
    ) -> None:
        self._command = tuple(command)
        self._name = name
        self._start_seconds, self._silent_seconds = start_seconds, silent_seconds
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._hello: Hello | None = None
        self._requests = 0

    @property
    def name(self) -> str:
        return self._name or f"worker:{self.hello.engine}"

    @property
    def version(self) -> str:
        return self.hello.version

    @property
    def can_clone(self) -> bool:
        return self.hello.can_clone

    @property
    def reads_digits(self) -> bool:
        return self.hello.reads_digits

    @property
    def reads_ipa(self) -> bool:
        return self.hello.reads_ipa

    @property
    def hello(self) -> Hello:
        """What the worker says about itself; starts it.

        Raises:
            MissingEngineError: it cannot be started.
            InputError: it does not speak a protocol that is spoken here.
        """
        with self._lock:
            self._running()
            assert self._hello is not None
            return self._hello

    def languages(self) -> Sequence[str]:
        return sorted(self.hello.languages)

    def voices(self, language: str, count: int, genders: Sequence[str | None] = ()) -> tuple[Voice, ...]:
        """The worker's own voices, those of the gender that is asked for first first; fewer than `count` if it has fewer.

        Raises:
            InputError: it does not speak the language.
        """
        self._tag(language)
        wanted = next((gender for gender in genders if gender), None)
        # Sorting is stable: voices of one kind keep the worker's order.
        known = sorted(self.hello.voices, key=lambda voice: {wanted: 0, None: 1}.get(voice[1], 2) if wanted else 0)
        return tuple(Voice(name) for name, _ in known[:count])

    def speak(self, text: str, language: str, voice: Voice) -> Speech:
        """Speaks `text`; mono float32 at whatever rate the worker says.

        Equal arguments give an equal seed, so that a worker that keeps to it says the same sentence the same way again.

        Raises:
            InputError: it cannot do what is asked, or does not keep to the protocol.
            RenderError: it failed, or died or fell silent twice.
        """
        tag = self._tag(language)
        self.check_voice(voice)
        facts = [text, tag, voice.name, voice.pitch, voice.rate, Path(voice.reference).name]
        seed = int.from_bytes(hashlib.sha256(json.dumps(facts).encode()).digest()[:4], "big") >> 1
        with self._lock:
            request = {
                "type": "speak",
                "text": text,
                "language": tag,
                "voice": voice.name or None,
                "reference": str(Path(voice.reference).absolute()) if voice.reference else None,
                "seed": seed,
            }
            try:
                return self._spoken(request)
            except _LostError:
                pass  # it may have been the machine: once more, with a new one
            try:
                return self._spoken(request)
            except _LostError as error:
                raise RenderError(f"{self._shown()} {error}, and did so again after it was restarted.") from None

    def check_voice(self, voice: Voice) -> None:
        """
        Raises:
            InputError: the worker has no such voice, or cannot clone.
        """
        if voice.reference and not self.can_clone:
            raise InputError(f"{self.name} cannot clone a voice; use an engine that can, or leave the recording out.")
        names = [name for name, _ in self.hello.voices]
        if voice.name and voice.name not in names:
            raise InputError(f"{self.name} has no voice '{voice.name[:40]}'; it has {', '.join(names) or 'none'}.")

    def check_ipa(self, ipa: str, language: str) -> None:
        """The worker alone knows which sounds it has; it refuses others when it is asked to speak them."""

    def close(self) -> None:
        """End the worker, after the request that it is at, or in the midst of a long one; the next starts a new one."""
        held = self._lock.acquire(timeout=BYE_SECONDS)
        try:
            if self._process is not None:
                self._process.end()
                self._process = None
        finally:
            if held:
                self._lock.release()

    def _spoken(self, request: dict[str, Any]) -> Speech:
        process = self._running()
        assert self._hello is not None
        self._requests += 1
        id_ = str(self._requests)
        out = process.folder / f"{id_}.wav"
        try:
            process.send(request | {"id": id_, "out": str(out)})
            while True:
                answer = process.receive(self._silent_seconds)
                if answer.get("id") != id_:
                    raise self._broken(f"answered request {id_} with the id {json.dumps(answer.get('id'))}")
                kind = answer.get("type")
                if kind == "error":
                    message = " ".join(str(answer.get("message") or "it does not say why").split())[:500].rstrip(".")
                    if answer.get("kind") == "refused":
                        raise InputError(f"{self._shown()} cannot speak this: {message}.")
                    raise RenderError(f"{self._shown()} failed: {message}.")
                if kind == "speech":
                    break
                if kind != "progress":
                    raise self._broken(f"sent '{str(kind)[:40]}', which is no answer to 'speak'")
            if not out.is_file():
                raise self._broken(f"says that it spoke, but wrote no {out.name}")
            try:
                samples = read_audio(out, self._hello.sample_rate)
            except InputError as error:
                raise self._broken(f"wrote a file that is not sound ({error})") from None
            if not len(samples):
                raise self._broken("wrote a sound of no length")
            return Speech(samples, self._hello.sample_rate)
        finally:
            out.unlink(missing_ok=True)

    def _running(self) -> "_Process":
        """The process, started if need be; the caller holds the lock."""
        if self._process is not None and self._process.is_alive:
            return self._process
        if self._process is not None:
            self._process.end()
        process = _Process(self._command)
        try:
            process.send({"type": "hello", "protocols": list(PROTOCOLS)})
            hello = self._understood(process.receive(self._start_seconds))
        except _LostError as error:
            process.end()
            raise MissingEngineError(
                f"{self._shown()} {error} before it said hello; run it by hand to see why."
            ) from None
        except PortrayalError:
            process.end()
            raise
        if self._hello not in (None, hello):
            process.end()
            raise InputError(f"{self._shown()} is another one after a restart; start again when it no longer changes.")
        self._process, self._hello = process, hello
        return process

    def _understood(self, answer: dict[str, Any]) -> Hello:
        if answer.get("type") == "error":
            raise MissingEngineError(f"{self._shown()}: {' '.join(str(answer.get('message')).split())[:500]}")
        if answer.get("type") != "hello":
            raise self._broken(f"began with '{str(answer.get('type'))[:40]}', not with 'hello'")
        protocol = answer.get("protocol")
        if protocol not in PROTOCOLS:
            ours = ", ".join(map(str, PROTOCOLS))
            raise InputError(
                f"{self._shown()} speaks version {json.dumps(protocol)} of the protocol, and only {ours} is spoken here; "
                "install a worker and a Portrayal that fit together."
            )
        try:
            voices = tuple((str(one["name"]), one.get("gender")) for one in answer.get("voices", []))
            hello = Hello(
                protocol=protocol,
                engine=str(answer["engine"]),
                version=str(answer["version"]),
                languages=tuple(langcodes.standardize_tag(str(tag)) for tag in answer["languages"]),
                sample_rate=int(answer["sample_rate"]),
                voices=voices,
                can_clone=answer.get("can_clone") is True,
                reads_digits=answer.get("reads_digits") is True,
                reads_ipa=answer.get("reads_ipa") is True,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._broken(f"says hello without a proper {error}") from None
        if not hello.engine or not hello.version or not hello.languages or hello.sample_rate not in SAMPLE_RATES:
            raise self._broken("says hello without an engine, a version, a language, or a usable sample_rate")
        return hello

    def _tag(self, language: str) -> str:
        """The worker's own tag of a language; `es-MX` is content with `es`, not with `pt`.

        Raises:
            InputError: it has none.
        """
        known = self.hello.languages
        standard = langcodes.standardize_tag(language)
        # `no` and `nb` are 1 apart, other languages more than 10.
        same = [
            tag for tag in known if _primary(tag) == _primary(standard) or langcodes.tag_distance(standard, tag) < 10
        ]
        if standard in known:
            return standard
        if not same:
            raise InputError(
                f"{self.name} does not speak '{language}'; it speaks {', '.join(sorted(known)[:40])}. "
                "Use another engine, or leave the language out."
            )
        closest, _ = langcodes.closest_match(standard, same, max_distance=1000)
        return closest if closest in same else same[0]

    def _broken(self, what: str) -> InputError:
        if self._process is not None:
            self._process.end()
            self._process = None
        return InputError(f"{self._shown()} {what}; it does not keep to the protocol (docs/synthesis-workers.md).")

    def _shown(self) -> str:
        return f"worker {self._name or shlex.join(self._command)[:120]}"


def _primary(tag: str) -> str | None:
    return langcodes.get(tag).language


class _LostError(Exception):
    """The worker ended, or said nothing in time. The message goes on from its name."""


class _Process:
    """One running worker, its folder, and what it says."""

    def __init__(self, command: Sequence[str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="portrayal-worker-"))
        environment = {key: value for key, value in os.environ.items() if key not in _OTHERS_SETTINGS}
        environment |= {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                start_new_session=True,  # so that it can be ended with everything that it started
            )
        except OSError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise MissingEngineError(
                f"worker {shlex.join(command)[:120]} cannot be started ({error.strerror}); check the command."
            ) from None
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._said: deque[str] = deque(maxlen=20)
        self._readers = [
            threading.Thread(target=self._read_stdout, daemon=True),
            threading.Thread(target=self._read_stderr, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message, ensure_ascii=False).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:  # it is gone
            raise self._lost() from None

    def receive(self, seconds: float) -> dict[str, Any]:
        """The next message.

        Raises:
            _LostError: it ended, or said nothing for so long.
            InputError: what it said is not a message.
        """
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise self._lost(f"said nothing for {seconds:.0f} s") from None
        if not line:
            raise self._lost()
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            self.end()
            shown = line[:60].decode("utf-8", "replace").strip()
            raise InputError(
                f"a synthesis worker wrote '{shown}' to stdout, where only messages may go; let it print to stderr "
                "(docs/synthesis-workers.md)."
            )
        return message

    def end(self) -> None:
        """Say bye, and end it and whatever it started."""
        process = self._process
        with suppress(OSError, ValueError):
            assert process.stdin is not None
            process.stdin.write(b'{"type": "bye"}\n')
            process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            if process.poll() is None and not self._hangs:
                process.wait(BYE_SECONDS)
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(BYE_SECONDS)
        for reader in self._readers:
            reader.join(1.0)
        shutil.rmtree(self.folder, ignore_errors=True)

    _hangs = False

    def _lost(self, what: str = "") -> _LostError:
        """Why it is gone, with the last thing that it wrote to stderr; it is ended."""
        self._hangs = bool(what)
        if not what:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(BYE_SECONDS)
            code = self._process.poll()
            what = f"ended with signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
        self.end()
        last = next((line for line in reversed(self._said) if line.strip()), "")
        return _LostError(f"{what} (stderr: {last.strip()[:300]})" if last else what)

    def _read_stdout(self) -> None:
        assert self._process.stdout is not None
        with suppress(ValueError, OSError):
            while line := self._process.stdout.readline(LONGEST_LINE):
                if line.strip():
                    self._lines.put(line)
        self._lines.put(b"")

    def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        with suppress(ValueError, OSError):
            while line := self._process.stderr.readline(LONGEST_LINE):
                self._said.append(line.decode("utf-8", "replace"))


@lru_cache(maxsize=8)
def _engine(command: tuple[str, ...], name: str | None, silent_seconds: float) -> WorkerEngine:
    engine = WorkerEngine(command, name, silent_seconds=silent_seconds)
    atexit.register(engine.close)
    return engine


def own_worker(command: str, silent_seconds: float = 600.0) -> WorkerEngine:
    """The engine of `worker:COMMAND`; one process for the whole run.

    Raises:
        InputError: there is no command.
        MissingEngineError: there is no such program.
    """
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise InputError(f"worker:{command}: the command cannot be read ({error}); correct its quotes.") from None
    if not words:
        raise InputError("worker: names no program; write synthesis=worker:COMMAND.")
    if shutil.which(words[0]) is None:
        raise MissingEngineError(f"worker {command[:120]}: there is no program '{words[0]}'; check the command.")
    return _engine(words, None, silent_seconds)


CHATTERBOX_VERSION = "0.1.7"


def how_to_get_chatterbox() -> str:
    """The commands that make the environment, and the setting that names it."""
    return (
        "python3.11 -m venv ~/chatterbox && ~/chatterbox/bin/pip install 'setuptools<81' "
        f"chatterbox-tts=={CHATTERBOX_VERSION} && export PORTRAYAL_CHATTERBOX_PYTHON=~/chatterbox/bin/python"
    )


def chatterbox(python: Path | None, silent_seconds: float = 600.0) -> WorkerEngine:
    """Chatterbox Multilingual in the environment of `python`; one process for the whole run.

    Raises:
        MissingEngineError: no environment is set, or there is no such program.
    """
    if python is None:
        raise MissingEngineError(
            f"chatterbox runs in an environment of its own, and none is set; run {how_to_get_chatterbox()}"
        )
    program = shutil.which(str(python.expanduser()))
    if program is None:
        raise MissingEngineError(
            f"PORTRAYAL_CHATTERBOX_PYTHON: there is no program '{python}'; run {how_to_get_chatterbox()}"
        )
    return _engine((program, str(CHATTERBOX_WORKER)), "chatterbox", silent_seconds)


CHATTERBOX_WORKER = Path(__file__).with_name("workers") / "chatterbox_worker.py"


if __name__ == "__main__":  # `python -m models.speech.worker COMMAND`: try a worker out, and hear what it says
    engine = own_worker(shlex.join(sys.argv[1:]))
    print(engine.hello)
    engine.close()
