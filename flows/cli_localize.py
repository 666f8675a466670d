"""`portrayal localize`: the way to a human translator and back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from media.errors import InputError

if TYPE_CHECKING:
    from tasks.request import ProductionRequest

app = typer.Typer(help="Send a dialogue to a translator, and take the translation back.", no_args_is_help=True)

Source = Annotated[Path, typer.Argument(help="A script or a recording.")]
Language = Annotated[str, typer.Option("--lang", metavar="TAG", help="Language to translate into.")]
SourceLanguage = Annotated[
    str | None, typer.Option("--source-lang", metavar="TAG", help="Language of the source. Default: what it says.")
]
Transcript = Annotated[Path | None, typer.Option(help="What is said in a recording. Default: a file beside it.")]
Rttm = Annotated[Path | None, typer.Option(help="Who speaks when in a recording (.rttm).")]
Engines = Annotated[
    list[str] | None, typer.Option("--engine", metavar="KIND=NAME", help="Engine to listen with (repeatable).")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]


@app.command("export")
def export(
    source: Source,
    out: Annotated[Path, typer.Option(help="File to write.")],
    lang: Language,
    format_: Annotated[Literal["xliff", "csv"], typer.Option("--format", help="XLIFF 2.1, or a table.")] = "xliff",
    source_lang: SourceLanguage = None,
    transcript: Transcript = None,
    rttm: Rttm = None,
    engine: Engines = None,
    json: Json = False,
) -> None:
    """Write every turn for a translator: source text, speaker, surroundings, and how long it may be."""
    from flows.console import print_json, progress_on_stderr
    from media.dialogue import language_tag
    from tasks import localizing

    tag = language_tag(lang, "--lang")
    if out.resolve() == source.resolve():
        raise InputError(f"--out {out}: that is the source itself; choose another file.")
    with progress_on_stderr(show=not json):
        script = localizing.source_script(_request(source, source_lang, transcript, rttm, engine))
        units = localizing.export(script, tag, format_, out, source.name)
    translated = sum(bool(unit.target) for unit in units)
    if json:
        print_json({"file": str(out), "language": tag, "turns": len(units), "translated": translated})
    else:
        print(f"{out}: {len(units)} turns for translation into {tag}, {translated} of them translated already.")


@app.command("import")
def import_(
    source: Source,
    file: Annotated[Path, typer.Argument(help="What came back: XLIFF 2 or CSV.")],
    lang: Language,
    out: Annotated[Path | None, typer.Option(help="File to write. Default: NAME.LANG.xlf beside the source.")] = None,
    source_lang: SourceLanguage = None,
    transcript: Transcript = None,
    rttm: Rttm = None,
    engine: Engines = None,
    json: Json = False,
) -> None:
    """Take a translation back, whole or not at all; `produce` finds it beside the source."""
    from flows.console import print_json, progress_on_stderr
    from media.dialogue import language_tag
    from tasks import localizing

    tag = language_tag(lang, "--lang")
    with progress_on_stderr(show=not json):
        script = localizing.source_script(_request(source, source_lang, transcript, rttm, engine))
        place, longer = localizing.import_(script, source, file, tag, out)
    if json:
        print_json({"file": str(place), "language": tag, "turns": len(script.source.turns), "too_long": longer})
    else:
        print(f"{place}: {len(script.source.turns)} turns in {tag}.")
        for one in longer:
            print(f"Longer than it should be: {one}.")


def _request(
    source: Path, source_lang: str | None, transcript: Path | None, rttm: Path | None, engine: list[str] | None
) -> "ProductionRequest":
    from flows.cli import pairs
    from tasks.request import checked_request

    # What renders plays no part; the preview is always there.
    return checked_request(
        source=str(source),
        source_language=source_lang,
        transcript=str(transcript) if transcript else None,
        rttm=str(rttm) if rttm else None,
        engines=pairs("--engine", engine) | {"render": "still"},
    )
