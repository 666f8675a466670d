"""`portrayal campaign`: queue hundreds of productions from a table, run them, and see how far they are."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli_request import JsonOption as Json
from flows.cli_request import Weights
from media.errors import InputError

if TYPE_CHECKING:
    from tasks.campaigns import Queued

app = typer.Typer(help="Queue many productions from a table, run them, and see how far they are.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The campaign.")]
Names = Annotated[list[str] | None, typer.Argument(help="Campaigns. Default: all.")]
Rows = Annotated[
    list[str] | None, typer.Option("--row", metavar="REQUEST_ID", help="Only this row (repeatable). Default: all.")
]


@app.command("queue")
def queue(
    file: Annotated[Path, typer.Argument(help="CSV or JSON Lines: one production a row.")],
    out: Annotated[
        str, typer.Option(help="Folder for the videos, or s3://bucket/folder: one folder in it for each row.")
    ],
    name: Annotated[str | None, typer.Option(help="Name of the campaign. Default: the file's.")] = None,
    owner: Annotated[str, typer.Option(help="Who asks for it. Default: you.")] = "",
    root: Annotated[
        list[Path] | None,
        typer.Option("--root", help="Folder that sources may lie in (repeatable). Default: the file's folder."),
    ] = None,
    priority: Annotated[
        str | None,
        typer.Option(
            help="urgent, normal or batch, or -100 to 100 (50 and above is urgent, -50 and below batch). Higher goes first."
        ),
    ] = None,
    deadline: Annotated[
        str | None, typer.Option(help="2030-12-01 or 2030-12-01T18:00+01:00; what is due earlier goes first.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(help="GPU-minutes; no row is begun that would go beyond them.")
    ] = None,
    approve: Annotated[
        bool, typer.Option("--approve", help="Publish nothing before `campaign approve` lets it go.")
    ] = False,
    webhook: Annotated[str | None, typer.Option(help="URL to be told about every change of a row's state.")] = None,
    engine: Annotated[
        list[str] | None, typer.Option("--engine", metavar="KIND=NAME", help="Engine for all rows (repeatable).")
    ] = None,
    weight: Weights = None,
    steps: Annotated[int | None, typer.Option(min=1, max=1000, help="Denoising steps.")] = None,
    fps: Annotated[int | None, typer.Option(min=1, max=60, help="Frames a second.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the noise.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and estimate; queue nothing.")] = False,
    json: Json = False,
) -> None:
    """Check every row of a file, and queue all of them or none. The same file again changes nothing."""
    from catalog.casting_weights import read_weights
    from flows.cli_request import pairs
    from flows.console import print_json, progress_on_stderr
    from media.campaign_file import CampaignFileError
    from media.campaign_file import deadline as point_in_time
    from media.campaign_file import priority as number
    from tasks.campaigns import CampaignOptions, queue_file

    try:
        due = point_in_time(deadline) if deadline is not None else None
    except ValueError as error:
        raise InputError(f"--deadline: {error}.") from None
    try:
        rank = number(priority) if priority is not None else None
    except ValueError as error:
        raise InputError(f"--priority {priority}: {error}.") from None
    options = CampaignOptions(
        name=file.stem if name is None else name,
        out=out,
        owner=owner or _user(),
        roots=tuple(root or ()),
        priority=rank,
        deadline=due,
        budget_gpu_minutes=budget,
        approval=approve,
        webhook_url=webhook,
        request={
            "engines": pairs("--engine", engine),
            "weights": read_weights(pairs("--weight", weight), "--weight"),
            "render": {"steps": steps, "fps": fps, "seed": seed},
        },
    )
    try:
        with progress_on_stderr(show=not json):
            queued = queue_file(file, options, dry_run=dry_run)
    except CampaignFileError as error:
        if json:
            print_json(
                {"problems": [{"row": one.row, "column": one.column, "problem": one.what} for one in error.problems]}
            )
            raise
        for problem in error.problems:
            print(f"{file}: {problem}")
        short = InputError(f"{file}: {error.count}, so nothing is queued; correct the file and queue it again.")
        short.exit_code = error.exit_code
        raise short from None
    _deliver()
    if json:
        print_json(queued.as_json())
    else:
        _print_queued(queued)


@app.command("run")
def run(
    names: Names = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many rows.")] = None,
    lease: Annotated[
        float, typer.Option(min=3, max=3600, help="Seconds after which the rows of a runner that is silent return.")
    ] = 60.0,
    json: Json = False,
) -> None:
    """Be a runner: work on queued rows until nothing is left. Start as many as there are machines."""
    from dataclasses import asdict

    from flows import campaign_status
    from flows.console import print_json, progress_on_stderr
    from flows.start import campaign_here
    from tasks.campaign_runner import StoppedError
    from tasks.progress import note

    try:
        with progress_on_stderr(show=not json):
            drained = campaign_here(
                names or (), limit, lease, lambda claim, state: note(f"{claim.campaign} {claim.request_id}: {state}")
            )
    except KeyboardInterrupt as stopped:
        told, code = (str(stopped), stopped.exit_code) if isinstance(stopped, StoppedError) else ("Ctrl-C", 130)
        print(f"portrayal: stopped: {told}; what it worked on is in the queue again.", file=sys.stderr)
        raise typer.Exit(code) from None
    notes = campaign_status.notes(names or ())
    if json:
        print_json(asdict(drained) | {"notes": notes})
    else:
        counts = ", ".join(f"{count} {state}" for state, count in drained.by_state.items())
        rows = "1 row" if drained.worked_on == 1 else f"{drained.worked_on} rows"
        print(f"{rows} worked on: {counts}." if counts else f"{rows} worked on; nothing is left that could be begun.")
        for note_ in notes:
            print(note_)
    if drained.by_state.get("incomplete") or drained.by_state.get("failed"):
        raise typer.Exit(2)


@app.command("status")
def status(
    name: Annotated[str | None, typer.Argument(help="One campaign, row by row. Default: all campaigns.")] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep the table up to date until nothing goes on by itself.")
    ] = False,
    json: Json = False,
) -> None:
    """Show how far campaigns are."""
    from flows import campaign_status
    from flows.console import print_json

    if json:
        print_json(campaign_status.row_states(name) if name else campaign_status.progress())
    elif watch:
        if not campaign_status.watch(name):
            raise typer.Exit(2)
    else:
        campaign_status.show(name)


@app.command("retry")
def retry(
    name: Name,
    failed: Annotated[bool, typer.Option("--failed", help="Rows that are failed or incomplete.")] = False,
    cancelled: Annotated[bool, typer.Option("--cancelled", help="Rows that were cancelled.")] = False,
    json: Json = False,
) -> None:
    """Queue rows again that went wrong or were cancelled; what was rendered is not rendered again."""
    from tasks import workspace
    from tasks.campaign_retry import retry_rows

    if not (failed or cancelled):
        raise InputError(
            "retry: say which rows; give --failed for those that are failed or incomplete, --cancelled for those cancelled."
        )
    states = (("failed", "incomplete") if failed else ()) + (("cancelled",) if cancelled else ())
    count, replaced = retry_rows(workspace.catalog(), name, states)
    _deliver()
    _say(name, "queued again", count, json)
    for one in () if json else replaced:
        print(f"{name}: {one}.")


@app.command("cancel")
def cancel(name: Name, row: Rows = None, json: Json = False) -> None:
    """Take rows out of the queue, and give up those that run or wait for approval."""
    count = _change(name, lambda session, campaign, queries: queries.cancel(session, campaign, row or ()))
    _say(name, "cancelled", count, json)


@app.command("pause")
def pause(name: Name, json: Json = False) -> None:
    """Begin no more rows; what runs goes on."""
    _change(name, lambda session, campaign, queries: queries.pause(session, campaign))
    _say(name, "paused", None, json)


@app.command("resume")
def resume(name: Name, json: Json = False) -> None:
    """Begin rows again of a campaign that was paused."""
    _change(name, lambda session, campaign, queries: queries.pause(session, campaign, paused=False))
    _say(name, "resumed", None, json)


@app.command("budget")
def budget(
    name: Name,
    minutes: Annotated[float | None, typer.Argument(help="GPU-minutes that it may spend altogether.")] = None,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="No budget.")] = False,
    json: Json = False,
) -> None:
    """Change what a campaign may spend. Rows that did not fit into the old budget are begun if they fit into the new one."""
    if (minutes is None) == (not unlimited):
        raise InputError("budget: give a number of GPU-minutes, or --unlimited.")
    _change(name, lambda session, campaign, queries: queries.change_budget(campaign, minutes))
    _say(
        name,
        "there is no budget any more" if minutes is None else f"the budget is {minutes:g} GPU-minutes now",
        None,
        json,
    )


@app.command("approve")
def approve(
    name: Name,
    row: Rows = None,
    by: Annotated[str, typer.Option(help="Who approves; it is put on record. Default: you.")] = "",
    json: Json = False,
) -> None:
    """Publish what waits for approval. Rights are asked for once more before."""
    from flows.console import print_json
    from tasks import workspace
    from tasks.campaigns import approve_rows

    published, problems = approve_rows(workspace.catalog(), name, row or (), by or _user())
    _deliver()
    if json:
        print_json({"campaign": name, "published": published, "problems": problems})
    else:
        print(f"{name}: {published} {'row' if published == 1 else 'rows'} published.")
        for problem in problems:
            print(f"{name} {problem}")
    if problems:
        raise typer.Exit(2)


@app.command("webhooks")
def webhooks(
    name: Name,
    again: Annotated[bool, typer.Option("--again", help="Try everything at once that is not delivered.")] = False,
    json: Json = False,
) -> None:
    """Send what is due, and show what is still owed."""
    from catalog import webhooks as owed
    from flows.console import print_json

    if again:
        _change(name, lambda session, campaign, queries: owed.send_again(session, campaign))
    _deliver()
    waiting, given_up, error = _change(name, lambda session, campaign, queries: owed.outstanding(session, campaign))
    if json:
        print_json({"campaign": name, "waiting": waiting, "given_up": given_up, "last_error": error})
    else:
        print(f"{name}: {waiting} messages wait, {given_up} were given up{f' (last: {error})' if error else ''}.")


def _change(name: str, change: Any) -> Any:
    from catalog import campaigns
    from catalog.session import session_factory
    from tasks import workspace

    with session_factory(workspace.catalog()).begin() as session:
        changed = change(session, campaigns.find_campaign(session, name), campaigns)
    _deliver()
    return changed


def _deliver() -> None:
    from tasks import workspace
    from tasks.webhooks import deliver_due

    deliver_due(workspace.catalog(), workspace.settings())


def _say(name: str, what: str, count: int | None, json: bool) -> None:
    from flows.console import print_json

    if json:
        print_json({"campaign": name, "change": what, "rows": count})
    else:
        print(f"{name}: {what}." if count is None else f"{name}: {count} {'row' if count == 1 else 'rows'} {what}.")


def _print_queued(queued: "Queued") -> None:
    from flows.report import duration

    done = "would be queued" if queued.dry_run else "queued"
    before: Sequence[str] = (f"{queued.rows - queued.new} were there before; ",) if queued.new < queued.rows else ()
    print(f"{queued.campaign}: {queued.rows} rows, {''.join(before)}{queued.new} {done}.")
    if queued.new:
        one = queued.estimate
        print(
            f"About {duration(one.seconds_of_video)} of video, {one.work_seconds / 60:.1f} GPU-minutes "
            f"({one.shared_seconds / 60:.1f} more are shared between rows), {duration(one.seconds)} with one runner here."
        )
    for warning in queued.warnings:
        print(warning)


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
