"""`portrayal localize`: the way to a human translator and back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from flows.cli_request import JsonOption, dialogue_request_of, takes
from media.errors import InputError

if TYPE_CHECKING:
    from tasks.request import ProductionRequest

app = typer.Typer(help="Send a dialogue to a translator, and take the translation back.", no_args_is_help=True)

Language = Annotated[str, typer.Option("--lang", metavar="TAG", help="Language to translate into.")]


@app.command("export")
@takes(dialogue_request_of)
def export(
    request: "ProductionRequest",
    out: Annotated[Path, typer.Option(help="File to write.")],
    lang: Language,
    format_: Annotated[Literal["xliff", "csv"], typer.Option("--format", help="XLIFF 2.1, or a table.")] = "xliff",
    json: JsonOption = False,
) -> None:
    """Write every turn for a translator: source text, speaker, surroundings, and how long it may be."""
    from flows.console import print_json, progress_on_stderr
    from media.dialogue import language_tag
    from tasks import localizing
    from tasks.sources import translation_named

    tag, source = language_tag(lang, "--lang"), Path(request.source)
    if out.resolve() == source.resolve():
        raise InputError(f"--out {out}: that is the source itself; choose another file.")
    meant = translation_named(source, out)
    if meant is not None and meant != tag:
        raise InputError(f"--out {out}: beside {source} that name means a translation into '{meant}'; choose another.")
    with progress_on_stderr(show=not json):
        script = localizing.source_script(request)
        units = localizing.export(script, tag, format_, out, source.name)
    translated = sum(bool(unit.target) for unit in units)
    if json:
        print_json({"file": str(out), "language": tag, "turns": len(units), "translated": translated})
    else:
        print(f"{out}: {len(units)} turns for translation into {tag}, {translated} of them translated already.")


@app.command("import")
@takes(dialogue_request_of)
def import_(
    request: "ProductionRequest",
    file: Annotated[Path, typer.Argument(help="What came back: XLIFF 2 or CSV.")],
    lang: Language,
    out: Annotated[Path | None, typer.Option(help="File to write. Default: NAME.LANG.xlf beside the source.")] = None,
    json: JsonOption = False,
) -> None:
    """Take a translation back, whole or not at all; `produce` finds it beside the source."""
    from flows.console import print_json, progress_on_stderr
    from media.dialogue import language_tag
    from tasks import localizing

    tag, source = language_tag(lang, "--lang"), Path(request.source)
    with progress_on_stderr(show=not json):
        script = localizing.source_script(request)
        place, longer, read_as = localizing.import_(script, source, file, tag, out)
    if json:
        print_json(
            {
                "file": str(place),
                "language": tag,
                "turns": len(script.source.turns),
                "too_long": longer,
                "reads_like": read_as,
            }
        )
    else:
        print(f"{place}: {len(script.source.turns)} turns in {tag}.")
        if read_as:
            print(f"It reads like '{read_as}', not '{tag}': check --lang and {file}.")
        for one in longer:
            print(f"Longer than it should be: {one}.")
