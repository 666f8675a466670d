"""How far each stage is, told to whoever listens in this process: bars in a terminal, the log anywhere else.

Stages do not know who listens, so the same task code serves a terminal, a Prefect worker and a test.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

log = logging.getLogger("portrayal")

Advance = Callable[[float], None]
"""Called with how much of a stage's total is done so far."""


class Listener(Protocol):
    """Told about stages by their human names. May be called from several threads."""

    def begin(self, stage: str, total: float | None) -> None: ...

    def advance(self, stage: str, done: float) -> None: ...

    def end(self, stage: str) -> None: ...

    def note(self, text: str) -> None: ...


class Log:
    """Without a terminal, stages and notes go to the `portrayal` logger (which Prefect can be told to collect)."""

    def begin(self, stage: str, total: float | None) -> None:
        log.info("%s: begins", stage)

    def advance(self, stage: str, done: float) -> None:
        pass

    def end(self, stage: str) -> None:
        log.info("%s: done", stage)

    def note(self, text: str) -> None:
        log.warning("%s", text)


class Silent:
    """Says nothing."""

    def begin(self, stage: str, total: float | None) -> None:
        pass

    def advance(self, stage: str, done: float) -> None:
        pass

    def end(self, stage: str) -> None:
        pass

    def note(self, text: str) -> None:
        pass


_listener: Listener = Log()


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell `listener` about everything that happens inside. One at a time for the whole process."""
    global _listener
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before


def current() -> Listener:
    """Whoever listens now."""
    return _listener


_parts: dict[str, dict[str, float]] = {}


@contextmanager
def stage(name: str, total: float | None = None) -> Iterator[Advance]:
    """Announce a stage; call what this yields with how much of `total` is done, or `part` with how much of one piece."""
    listener = _listener
    listener.begin(name, total)
    _parts[name] = {}
    try:
        yield lambda done: listener.advance(name, done)
    finally:
        del _parts[name]
    listener.end(name)


def part(name: str, piece: str, done: float) -> None:
    """Tell how much is done of one of several pieces that a stage works on at once. Does nothing outside of the stage."""
    pieces = _parts.get(name)
    if pieces is not None:
        pieces[piece] = done
        _listener.advance(name, sum(list(pieces.values())))


def note(text: str) -> None:
    """Say one thing that the user should know: a fallback, a speaker count that is a guess."""
    _listener.note(text)
