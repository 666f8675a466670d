"""Runs campaigns: the flow `campaign` is one runner, and `approve` lets finished videos be published from Prefect's UI.

Start as many runners as there are machines, from the command line or as runs of the deployment; they share the queue.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import httpx
from prefect import flow, get_run_logger

from catalog import campaigns
from catalog.campaigns import Claim, Outcome
from catalog.session import session_factory
from flows.produce import produce
from media.errors import PortrayalError, RenderError
from tasks import casting, rendering, workspace
from tasks.bookkeeping import IncompleteError
from tasks.campaign_runner import LEASE_SECONDS, Drained, Held, StoppedError, drain
from tasks.campaigns import approve_rows, publish, record_speech, request_of
from tasks.interruption import interrupted_by
from tasks.request import asked
from tasks.sources import read_source
from tasks.webhooks import deliver_due, delivering

MANY = 1 << 10
MOST = 1_000_000


def produce_row(held: Held) -> Outcome:
    """Produce what a row asks for, and publish it, or leave it for approval.

    Raises:
        PortrayalError: it could not be produced, or the row is not this runner's any more.
    """
    claim, engine = held.claim, workspace.catalog()
    sessions = session_factory(engine)
    request = request_of(claim.request, claim.script, claim.out)
    source = read_source(request)
    if source.script is not None:
        # Who is cast is decided here already, so that the row's production is known should this runner die.
        casting.cast_portraits(request, source, source.dialogue, reasons=claim.request.get("reasons", {}))
        with sessions.begin() as session:
            campaigns.note_production(session, claim, source.production_id)
    try:
        with interrupted_by(held.go_on):
            made = produce(request)
    except IncompleteError as error:
        made = error.production
    except PortrayalError:
        raise
    except Exception as error:
        if not _unreachable(error):
            raise
        # That is no fault of this row, and the next ones would fail, too.
        raise StoppedError("Prefect's server does not answer any more", 2) from error
    with sessions.begin() as session:
        campaigns.note_production(session, claim, source.production_id)
    seconds = {one.language: one.seconds for one in made.renditions if one.video}
    if source.script is not None:
        record_speech(source.script, seconds)
    if made.problems:
        return Outcome("incomplete", "rendering", "; ".join(made.problems), sum(seconds.values()))
    held.require(engine)
    if claim.approval:
        return Outcome("awaiting approval", seconds_of_video=sum(seconds.values()))
    with sessions.begin() as session:
        publish(session, source.production_id, claim.out)
    return Outcome("done", seconds_of_video=sum(seconds.values()))


def _unreachable(error: BaseException | None) -> bool:
    """Whether Prefect's client could not reach its server: it says so in errors of its own, which have httpx's as their cause."""
    while error is not None:
        if isinstance(error, httpx.TransportError):
            return True
        error = error.__cause__ or error.__context__
    return False


def run_here(
    names: Sequence[str] = (),
    *,
    limit: int | None = None,
    lease_seconds: float = LEASE_SECONDS,
    on_row: Callable[[Claim, str], None] = lambda claim, state: None,
) -> Drained:
    """Be a runner until nothing is left to do, with the renderers' models kept in memory from row to row.

    Raises:
        InputError: there is no campaign of one of these names.
    """
    engine = workspace.catalog()
    with session_factory(engine, read_only=True).begin() as session:
        for name in names:
            campaigns.find_campaign(session, name)
    with delivering(engine, workspace.settings()), rendering.renderers(rendering.renderer_count(MANY)):
        return drain(engine, produce_row, names, limit=limit, lease_seconds=lease_seconds, on_row=on_row)


@flow(
    name="campaign",
    description="Works on queued campaigns until nothing is left that could be begun: one runner of as many as you start.",
    persist_result=False,
)
def campaign(
    names: Annotated[
        list[str], asked("Campaigns", "Their names; none: all that have something to do", max_length=1000)
    ] = [],  # noqa: B006  never changed; a form shows it
    limit: Annotated[int, asked("Productions at most", "End after so many", ge=1, le=MOST)] = MOST,
) -> dict[str, Any]:
    """Drain campaigns; returns what this runner did.

    Args:
        names: campaigns to work on; all when none is named.
        limit: end after so many productions.

    Raises:
        RenderError: some productions stayed incomplete or failed; `portrayal campaign retry --failed` queues them again.
    """
    log = get_run_logger()
    drained = run_here(
        names,
        limit=limit,
        on_row=lambda claim, state: log.info("%s %s: %s", claim.campaign, claim.request_id, state),
    )
    wrong = {state: count for state, count in drained.by_state.items() if state in campaigns.RETRIED}
    if wrong:
        raise RenderError(f"{', '.join(f'{count} {state}' for state, count in wrong.items())}; retry them.")
    return asdict(drained) | {"claim_seconds": len(drained.claim_seconds)}


@flow(
    name="approve",
    description="Publishes what waits for approval in a campaign.",
    persist_result=False,
)
def approve(
    name: Annotated[str, asked("Campaign", "Its name", min_length=1)],
    request_ids: Annotated[
        list[str], asked("Rows", "Their ids, as the table that was queued has them; none: all that wait")
    ] = [],  # noqa: B006  never changed; a form shows it
    by: Annotated[str, asked("Approved by", "Your name; it is put on record", max_length=200)] = "",
) -> int:
    """Let rows go that wait for approval; returns how many videos' rows were published.

    Args:
        name: the campaign.
        request_ids: rows of it; all that wait when none is named.
        by: who approves; it is put on record.

    Raises:
        RenderError: some could not be published, and why.
    """
    engine = workspace.catalog()
    published, problems = approve_rows(engine, name, request_ids, by)
    deliver_due(engine, workspace.settings())
    if problems:
        raise RenderError(f"{len(problems)} rows were not published: {'; '.join(problems)}")
    return published
