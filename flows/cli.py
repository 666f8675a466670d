"""The command line, `portrayal`.

Thin on purpose: it turns options into one call, shows progress, and turns errors into one sentence and an exit code.
Everything heavy is imported inside the commands, so that `--help` answers at once.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from flows import cli_campaign, cli_captions, cli_catalog, cli_diarization, cli_localize, cli_models, cli_pools
from flows.cli_request import Engines, JsonOption, pairs, request_of, takes
from media.errors import InputError, PortrayalError

if TYPE_CHECKING:
    from tasks.request import ProductionRequest


class Program(TyperGroup):
    """All commands. Ctrl-C leaves them as an error with a sentence, where Typer would end without a word."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stopped:
            raise typer.Abort from stopped


app = typer.Typer(
    name="portrayal",
    cls=Program,
    help="Turn scripts and podcasts into finished multi-speaker, multilingual talking-portrait videos.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cli_campaign.app, name="campaign")
app.add_typer(cli_captions.app, name="captions")
app.add_typer(cli_catalog.app, name="catalog")
app.add_typer(cli_diarization.app, name="diarization")
app.add_typer(cli_models.app, name="models")
app.add_typer(cli_localize.app, name="localize")
app.add_typer(cli_pools.app, name="pools")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"portrayal {version('portrayal')}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show a traceback for errors (anywhere on the line)."),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_version,
            is_eager=True,
            help="Print the version and end.",
        ),
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the videos.")] = Path("out/demo"),
    lang: Annotated[
        list[str] | None,
        typer.Option(
            "--lang",
            metavar="TAG",
            help="Languages of the script (repeatable). Default: en, es.",
        ),
    ] = None,
    engine: Engines = None,
    short: Annotated[
        bool,
        typer.Option("--short", help="Only the first seconds of each, for a quick look."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Make a video of the shipped script, and one of a real telephone conversation."""
    from flows.console import print_json, progress_on_stderr
    from flows.demo import print_demo, run_demo

    with progress_on_stderr(show=not json):
        made = run_demo(out, languages=lang, engines=pairs("--engine", engine), short=short)
    if json:
        print_json(made.as_json())
    else:
        print_demo(made)
    _end_incomplete(made.problems)


@app.command()
@takes(request_of)
def produce(
    request: "ProductionRequest",
    out: Annotated[str, typer.Option(help="Folder for the videos, or a URL such as s3://bucket/folder.")],
    json: JsonOption = False,
) -> None:
    """Make one video per language of a script or a recording."""
    from flows.console import print_json, progress_on_stderr
    from flows.report import print_production
    from flows.start import produce_here

    with progress_on_stderr(show=not json):
        production = produce_here(request.model_copy(update={"out": out}))[0]
    if json:
        print_json(production.as_json())
    else:
        print_production(production)
    _end_incomplete(production.problems)


@app.command()
@takes(request_of)
def plan(request: "ProductionRequest", json: JsonOption = False) -> None:
    """Say what `produce` would do: segments, casting, what is cached, how long it takes. Renders nothing."""
    from flows.console import print_json, progress_on_stderr
    from flows.plan import make_plan, print_plan

    with progress_on_stderr(show=not json):
        planned = make_plan(request)
    if json:
        print_json(planned.as_json())
    else:
        print_plan(planned)


@app.command()
def report(
    name: Annotated[str | None, typer.Argument(help="Only the production of this name.")] = None,
    format_: Annotated[
        Literal["table", "csv", "json", "html"] | None,
        typer.Option(
            "--format", help="Figures as tables, one of them as CSV, all as JSON, or one HTML page with plots."
        ),
    ] = None,
    figure: Annotated[
        str | None,
        typer.Option(
            help="Only this one: campaign_progress, cost_per_minute, cache_hits, failures, portrait_usage, "
            "expiring_consents or productions."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write. Default: stdout.")] = None,
    json: JsonOption = False,
) -> None:
    """Show the productions of this catalog and their renditions, or with --format its figures, too."""
    from flows import report as reports
    from flows.console import print_json

    if format_ is None and figure is None and out is None:
        rows = reports.productions(name)
        if json:
            print_json(rows)
        else:
            reports.print_productions(rows)
        return
    if json and format_ not in (None, "json"):
        raise InputError(f"--json and --format {format_}: give one of them.")
    reports.write_figures(reports.productions(name), "json" if json else format_ or "table", figure, out)


@app.command()
def fleet(
    video_hours: Annotated[float, typer.Option(min=0.001, help="Hours of finished video, all languages together.")],
    hours: Annotated[float, typer.Option(min=0.001, help="Hours in which they have to be finished.")] = 8.0,
    days: Annotated[float, typer.Option(min=0.01, help="Go by what was finished in so many days.")] = 30.0,
    busy: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Share of the time in which a renderer really renders.")
    ] = 0.85,
    json: JsonOption = False,
) -> None:
    """Say how many GPUs (or processors) a night's work needs, by what finished videos have cost here."""
    from flows.console import print_json
    from flows.fleet import fleet_for, print_fleet

    found = fleet_for(video_hours, hours, days=days, busy=busy)
    if json:
        print_json(found.as_json())
    else:
        print_fleet(found)


@app.command()
def metrics() -> None:
    """Send the figures of the queue to the collector once a minute, until stopped: also while nothing runs."""
    from flows.fleet import send_metrics

    send_metrics()


@app.command()
def doctor(json: JsonOption = False) -> None:
    """Say what is installed, what is missing, and what each engine needs."""
    from flows.console import print_json
    from flows.doctor import examine, print_findings

    findings = examine()
    if json:
        print_json(findings.as_json())
    else:
        print_findings(findings)
    if not findings.main_job_runs:
        raise typer.Exit(3)


def _end_incomplete(problems: Sequence[str]) -> None:
    for problem in problems:
        print(f"portrayal: {problem}", file=sys.stderr)
    if problems:
        raise typer.Exit(2)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0 done, 1 bad input, 2 try again, 3 something is missing."""
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    if debug:
        os.environ.setdefault("PREFECT_LOGGING_LEVEL", "ERROR")
    try:
        code = typer.main.get_command(app)(args=arguments, prog_name="portrayal", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except PortrayalError as error:
        if debug:
            raise
        return _complain(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort) as stopped:
        code = getattr(stopped.__cause__, "exit_code", 130)  # SIGTERM has another one
        return _complain("stopped; run the same command again to go on from here.", code)
    except BrokenPipeError:
        return 0
    except Exception as error:
        if debug:
            raise
        if hasattr(error, "format_message"):  # wrong usage, as Typer reports it; without words after it showed the help
            if not error.format_message():
                return 1
            message = error.format_message().replace("Value error, ", "").rstrip(".")
            return _complain(f"{message}; see `portrayal --help`.", 1)
        return _complain(
            f"unexpected {type(error).__name__}: {error} (run again with --debug for details).",
            2,
        )


def _complain(sentence: str, code: int) -> int:
    print("portrayal: " + " ".join(sentence.split()), file=sys.stderr)
    return code


def main() -> None:
    """The program `portrayal`."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
