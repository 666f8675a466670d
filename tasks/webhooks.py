"""Delivers the webhooks that campaigns owe: in the background of a runner, and at the end of commands."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from media import webhooks
from media.errors import InputError
from media.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

POLL_SECONDS = 1.0


def require_secret(settings: Settings) -> str:
    """What messages are signed with.

    Raises:
        InputError: there is nothing, or it is too short to protect anything.
    """
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
    if len(secret) < 16:
        raise InputError(
            "PORTRAYAL_WEBHOOK_SECRET: webhooks are signed with it; set it to at least 16 characters that the receiver knows."
        )
    return secret


def deliver_due(engine: "Engine", settings: Settings, seconds: float = 30.0) -> int:
    """Send what is due, for so many seconds at most. Returns how many messages were delivered."""
    from catalog.session import session_factory
    from catalog.webhooks import settle, take

    sessions, delivered, until = session_factory(engine), 0, time.monotonic() + seconds
    while time.monotonic() < until:
        with sessions.begin() as session:
            due = take(session)
        if due is None:
            break
        try:
            secret = require_secret(settings)
            error = webhooks.post(
                due.url, due.id, due.payload, secret, int(time.time()), allow_private=settings.webhook_allow_private
            )
        except InputError as fault:
            error = str(fault)
        with sessions.begin() as session:
            settle(session, due.id, error)
        delivered += error is None
    return delivered


@contextmanager
def delivering(engine: "Engine", settings: Settings) -> Iterator[None]:
    """Send what becomes due while work goes on, and what is due at its end."""
    stopped = threading.Event()

    def deliver() -> None:
        while not stopped.wait(POLL_SECONDS):
            deliver_due(engine, settings)

    thread = threading.Thread(target=deliver, name="webhooks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        deliver_due(engine, settings)
