"""One runner of campaigns: claims a row, works on it while it renews its lease, records how it ended, takes the next one.

What the work is, is given to it: the same loop runs the flow `produce`, and the load test's stand-in for a renderer.
"""

import contextlib
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from catalog import campaigns
from catalog.campaigns import Claim, Outcome
from catalog.session import session_factory
from media.errors import InputError, MissingEngineError, PortrayalError, RenderError, RightsError, TranslationError
from tasks.progress import note

if TYPE_CHECKING:
    from sqlalchemy import Engine

LEASE_SECONDS = 60.0
"""How long a runner may be silent before its row returns to the queue; it gives a sign of life three times as often."""
POLL_SECONDS = 2.0
CANCELLED_SECONDS = 1.5
"""A runner looks so often whether its row was cancelled."""


class StoppedError(KeyboardInterrupt):
    """This runner ends now, and its row goes back to the queue. An interrupt, so that nothing takes it for the row's fault."""

    def __init__(self, reason: str, exit_code: int) -> None:
        super().__init__(reason)
        self.exit_code = exit_code


class LeaseLostError(PortrayalError):
    """The row was cancelled, or given to another runner, while this one worked on it."""

    exit_code = 2


@dataclass(slots=True)
class Held:
    """A claimed row, while its lease is renewed."""

    claim: Claim
    lost: threading.Event = field(default_factory=threading.Event)

    def go_on(self) -> None:
        """Do nothing as long as nobody has noticed that the row is lost: asked between two clips.

        Raises:
            LeaseLostError: it is.
        """
        if self.lost.is_set():
            raise LeaseLostError(
                f"{self.claim.campaign} {self.claim.request_id}: cancelled, or taken over by another runner."
            )

    def require(self, engine: "Engine", lease_seconds: float = LEASE_SECONDS) -> None:
        """Do nothing as long as the row is this runner's: asked right before something is published.

        Raises:
            LeaseLostError: it is not any more.
        """
        if not self.lost.is_set():
            with session_factory(engine).begin() as session:
                if campaigns.renew(session, self.claim, lease_seconds):
                    return
        self.lost.set()
        self.go_on()


Work = Callable[[Held], Outcome]
"""Does what a row asks for. Errors become the row's; whatever is made must be safe to make again."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What one runner did."""

    runner: str
    worked_on: int
    by_state: dict[str, int]
    lost: int
    """Rows that were cancelled or taken over while it worked on them."""
    claim_seconds: tuple[float, ...]
    """How long each claim of a row took."""
    left: dict[str, int]
    """Rows by state when it ended, in the campaigns that it drained."""
    over_budget: tuple[str, ...]
    """Campaigns whose budget has no room for any of their queued rows."""


def runner_name() -> str:
    """A name that no other runner has, and that tells a person where it runs."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:6]}"


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM, which stops services and containers, end what is inside of the block with `StoppedError`."""

    def stop(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # once is enough: what follows puts things in order
        raise StoppedError("it was told to (SIGTERM)", 128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def drain(
    engine: "Engine",
    work: Work,
    names: Sequence[str] = (),
    *,
    runner: str | None = None,
    lease_seconds: float = LEASE_SECONDS,
    poll_seconds: float = POLL_SECONDS,
    limit: int | None = None,
    on_row: Callable[[Claim, str], None] = lambda claim, state: None,
) -> Drained:
    """Work on rows of the campaigns named (of all, when none is) until none is left that could be begun.

    It waits for rows that other runners hold: one may die, and its row returns. Whatever ends it early (a signal, Ctrl-C)
    puts its own row back into the queue at once, as if it had not been begun.

    Args:
        limit: end after so many rows.
        on_row: told about each row and its new state.
    """
    runner = runner or runner_name()
    by_state: dict[str, int] = {}
    lost, worked_on, times = 0, 0, []
    sessions = session_factory(engine)
    try:
        while limit is None or worked_on < limit:
            began = time.perf_counter()
            with sessions.begin() as session:
                claim = campaigns.claim(session, runner, lease_seconds, names)
            if claim is None:
                with session_factory(engine, read_only=True).begin() as session:
                    if not campaigns.counts(session, names)["running"]:
                        break
                time.sleep(poll_seconds)
                continue
            times.append(time.perf_counter() - began)
            on_row(claim, "running")
            with _renewing(engine, Held(claim), lease_seconds) as held:
                outcome = _outcome(work, held)
            with sessions.begin() as session:
                recorded = outcome is not None and campaigns.finish(session, claim, outcome)
            worked_on += 1
            if recorded and outcome is not None:
                by_state[outcome.state] = by_state.get(outcome.state, 0) + 1
                on_row(claim, outcome.state)
            else:
                lost += 1
                on_row(claim, "given up")
    except BaseException as error:  # others need not wait for the lease to end
        with sessions.begin() as session:
            campaigns.release(
                session, runner, f"its runner was stopped: {error}" if str(error) else "its runner was stopped"
            )
        raise
    with session_factory(engine, read_only=True).begin() as session:
        left = campaigns.counts(session, names)
        over = campaigns.over_budget(session, names)
    return Drained(runner, worked_on, by_state, lost, tuple(times), left, tuple(over))


def nothing_to_do(engine: "Engine", names: Sequence[str] = ()) -> Drained | None:
    """What a runner of these campaigns (of all, when none is named) would return at once; None: there is something to do.

    Raises:
        InputError: there is no campaign of one of these names.
    """
    with session_factory(engine, read_only=True).begin() as session:
        found = campaigns.standings(session, names)
        left = campaigns.counts(session, names)
    if left["running"] or any(one.may_begin for one in found):
        return None
    over = tuple(one.campaign for one in found if one.over_budget)
    return Drained(runner_name(), 0, {}, 0, (), left, over)


def _outcome(work: Work, held: Held) -> Outcome | None:
    """What became of the work; None when the row is not ours any more."""
    try:
        return work(held)
    except LeaseLostError:
        return None
    except PortrayalError as error:
        incomplete = isinstance(error, RenderError | TranslationError)
        return Outcome("incomplete" if incomplete else "failed", cause=cause_of(error), error=str(error))
    except Exception as error:  # one row never ends a runner
        return Outcome("failed", cause="unexpected", error=f"{type(error).__name__}: {error}")


def cause_of(error: PortrayalError) -> str:
    """What kind of failure an error is, for figures."""
    kinds = {
        InputError: "input",
        RightsError: "rights",
        MissingEngineError: "engine",
        TranslationError: "translation",
        RenderError: "rendering",
    }
    return next((cause for kind, cause in kinds.items() if isinstance(error, kind)), "unexpected")


@contextmanager
def _renewing(engine: "Engine", held: Held, lease_seconds: float) -> Iterator[Held]:
    """Give a sign of life three times a lease, until the block ends or the row is lost."""
    stopped = threading.Event()

    def renew() -> None:
        renewed = time.monotonic()
        while not stopped.wait(min(CANCELLED_SECONDS, lease_seconds / 3)):
            due = time.monotonic() - renewed >= lease_seconds / 3
            # A database that does not answer for a moment is asked again: the lease is longer than one beat.
            with contextlib.suppress(Exception), session_factory(engine, read_only=not due).begin() as session:
                if due:
                    mine = campaigns.renew(session, held.claim, lease_seconds)
                    renewed = time.monotonic()
                else:
                    mine = campaigns.holds(session, held.claim)
                if not mine:
                    held.lost.set()
                    note(f"{held.claim.campaign} {held.claim.request_id}: cancelled, or taken over by another runner.")
                    return

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield held
    finally:
        stopped.set()
        thread.join()
