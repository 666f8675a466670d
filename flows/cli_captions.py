"""`portrayal captions`: whether caption files keep to the rules of professional captions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli_request import JsonOption
from media.errors import InputError

if TYPE_CHECKING:
    from media.caption_check import Report, Violation

app = typer.Typer(help="Check caption files: lines, reading speed, times, line breaks.", no_args_is_help=True)


@app.callback()
def _captions() -> None:
    pass


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Captions (.vtt .srt) or a Podcasting 2.0 transcript (.json).")],
    lang: Annotated[
        str | None,
        typer.Option("--lang", metavar="TAG", help="Language. Default: what the file's header, name or script says."),
    ] = None,
    fps: Annotated[
        float | None, typer.Option(min=1, max=240, help="Frames a second of the video, for gaps. Default: 25.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Count warnings as errors.")] = False,
    json: JsonOption = False,
) -> None:
    """Check captions: line lengths, reading speed, durations, gaps, overlaps, line breaks, direction.

    A warning says that the speech itself is faster than the limit: nothing in the file could be moved to help it.
    """
    from flows.console import print_json
    from media.caption_check import check_captions
    from media.dialogue import language_tag

    report = check_captions(file, language_tag(lang, "--lang") if lang else None, fps)
    if json:
        print_json(report.as_json())
    else:
        _print_report(report)
    failed = report.violations if strict else report.errors
    if failed:
        rules = ", ".join(sorted({one.rule for one in failed}))
        raise InputError(f"{file}: {_counted(len(failed), 'violation')} in {_counted(report.cues, 'cue')} ({rules}).")


def _print_report(report: "Report") -> None:
    from flows.console import print_table
    from media.caption_check import TOO_FAST

    if report.violations:
        print_table(
            f"Captions of {report.file}",
            ("Cue", "Time", "Rule", "Value", "Limit", ""),
            [
                (
                    str(one.cue),
                    _clock(one.start),
                    one.rule,
                    _figure(one.value, one),
                    _figure(one.limit, one),
                    f"warning: {TOO_FAST}" if one.warning else "error",
                )
                for one in report.violations
            ],
        )
    print(
        f"{_counted(report.cues, 'cue')} checked in '{report.language or 'any language'}': "
        f"{_counted(len(report.errors), 'error')}, {_counted(len(report.warnings), 'warning')}."
    )


def _clock(seconds: float) -> str:
    from media.subtitles import format_time

    return format_time(seconds, ".")


def _figure(value: float | str, one: "Violation") -> str:
    return value if isinstance(value, str) else f"{value:g} {one.unit}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
