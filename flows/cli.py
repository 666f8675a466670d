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

from flows import cli_campaign, cli_captions, cli_catalog, cli_diarization, cli_localize, cli_models
from media.errors import InputError, PortrayalError

if TYPE_CHECKING:
    from tasks.request import ProductionRequest

app = typer.Typer(
    name="portrayal",
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

JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document on stdout and nothing else there."),
]
Source = Annotated[
    Path,
    typer.Argument(help="A script (.txt .yaml .vtt .srt) or a recording (.wav .mp3 .m4a .mp4 ...)."),
]
Languages = Annotated[
    list[str] | None,
    typer.Option(
        "--lang",
        metavar="TAG",
        help="Language to produce (repeatable), translated where the source does not have it. Default: the source's.",
    ),
]
Layout = Annotated[
    Literal["spotlight", "gallery", "duet"] | None,
    typer.Option(
        help="The speaker fills the frame, everyone in a grid, or two side by side. "
        "Default: spotlight for scripts, gallery for recordings."
    ),
]
Aspect = Annotated[Literal["16:9", "9:16", "1:1"], typer.Option(help="Shape of the picture.")]
Cast = Annotated[
    list[str] | None,
    typer.Option("--cast", metavar="NAME=PORTRAIT", help="Portrait for a speaker (repeatable)."),
]
Engines = Annotated[
    list[str] | None,
    typer.Option(
        "--engine",
        metavar="KIND=NAME",
        help="Engine for diarization, transcription, alignment, translation, synthesis or render (repeatable). "
        "render=still holds the portraits still: a quick preview of timing and layout; render=draft is --draft.",
    ),
]
Timeline = Annotated[
    Literal["elastic", "locked"],
    typer.Option(help="Turns as long as they take, or each within its slot in the source language."),
]
Voices = Annotated[
    list[str] | None,
    typer.Option(
        "--voice",
        metavar="NAME=VOICE",
        help="A speaker's voice (repeatable): one of the engine's, such as f3 or f3:60:170 (pitch, rate), or a recording "
        "to clone, which needs --voice-consent.",
    ),
]
VoiceConsents = Annotated[
    list[str] | None,
    typer.Option(
        "--voice-consent",
        metavar="NAME=WHO",
        help="Who allowed that a speaker's voice is cloned, and when (repeatable); it is put on record.",
    ),
]
LexiconFile = Annotated[
    Path | None,
    typer.Option("--lexicon", help="How names and terms are pronounced (.yaml .csv); captions stay as written."),
]
Show = Annotated[
    str, typer.Option(help="Speakers of the same name keep their voice in all episodes of a show. Default: one show.")
]
Captions = Annotated[
    Literal["burn", "sidecar", "both", "none"],
    typer.Option(help="Captions in the picture, beside it as .vtt, .srt and .json, or both."),
]
Steps = Annotated[
    int | None,
    typer.Option(min=1, max=1000, help="Denoising steps. Default: the checkpoint's."),
]
HeadSpeed = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=360.0,
        help="Head speed, degrees a second. Default: the checkpoint's.",
    ),
]
Fps = Annotated[
    int | None,
    typer.Option(min=1, max=60, help="Frames a second. Default: the checkpoint's."),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the noise.")]
SpeakerCount = Annotated[
    int | None,
    typer.Option("--speakers", min=1, max=32, help="How many speakers a recording has."),
]
MinSpeakers = Annotated[int | None, typer.Option(min=1, max=32, help="At least so many speakers.")]
MaxSpeakers = Annotated[int | None, typer.Option(min=1, max=32, help="At most so many speakers.")]
SourceLanguage = Annotated[
    str | None,
    typer.Option(
        "--source-lang", metavar="TAG", help="Language of the source. Default: what it says, or what is heard."
    ),
]
Glossary = Annotated[
    Path | None,
    typer.Option(help="YAML file with terms: what is not translated, and what is called how in which language."),
]
Transcript = Annotated[
    Path | None,
    typer.Option(
        help="What is said in a recording (.vtt .srt .stm .json .txt). Default: a file of the same name beside it."
    ),
]
Rttm = Annotated[
    Path | None,
    typer.Option(help="Who speaks when in a recording (.rttm), instead of diarization."),
]
Draft = Annotated[
    bool,
    typer.Option(
        "--draft", help="A quick preview, marked DRAFT: illustrated presenters drawn without the diffusion model."
    ),
]
Name = Annotated[str | None, typer.Option(help="Name of the result files. Default: the source's.")]


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
def produce(
    source: Source,
    out: Annotated[Path, typer.Option(help="Folder for the videos.")],
    lang: Languages = None,
    source_lang: SourceLanguage = None,
    layout: Layout = None,
    aspect: Aspect = "16:9",
    cast: Cast = None,
    engine: Engines = None,
    timeline: Timeline = "elastic",
    glossary: Glossary = None,
    voice: Voices = None,
    voice_consent: VoiceConsents = None,
    lexicon: LexiconFile = None,
    show: Show = "",
    captions: Captions = "both",
    steps: Steps = None,
    head_speed: HeadSpeed = None,
    fps: Fps = None,
    seed: Seed = 0,
    speakers: SpeakerCount = None,
    min_speakers: MinSpeakers = None,
    max_speakers: MaxSpeakers = None,
    transcript: Transcript = None,
    rttm: Rttm = None,
    name: Name = None,
    draft: Draft = False,
    json: JsonOption = False,
) -> None:
    """Make one video per language of a script or a recording."""
    from flows.console import print_json, progress_on_stderr
    from flows.report import print_production
    from flows.start import produce_here

    request = _request(locals())
    with progress_on_stderr(show=not json):
        production = produce_here(request)[0]
    if json:
        print_json(production.as_json())
    else:
        print_production(production)
    _end_incomplete(production.problems)


@app.command()
def plan(
    source: Source,
    lang: Languages = None,
    source_lang: SourceLanguage = None,
    layout: Layout = None,
    aspect: Aspect = "16:9",
    cast: Cast = None,
    engine: Engines = None,
    timeline: Timeline = "elastic",
    glossary: Glossary = None,
    voice: Voices = None,
    voice_consent: VoiceConsents = None,
    lexicon: LexiconFile = None,
    show: Show = "",
    captions: Captions = "both",
    steps: Steps = None,
    head_speed: HeadSpeed = None,
    fps: Fps = None,
    seed: Seed = 0,
    speakers: SpeakerCount = None,
    min_speakers: MinSpeakers = None,
    max_speakers: MaxSpeakers = None,
    transcript: Transcript = None,
    rttm: Rttm = None,
    name: Name = None,
    draft: Draft = False,
    json: JsonOption = False,
) -> None:
    """Say what `produce` would do: segments, casting, what is cached, how long it takes. Renders nothing."""
    from flows.console import print_json, progress_on_stderr
    from flows.plan import make_plan, print_plan

    with progress_on_stderr(show=not json):
        planned = make_plan(_request(locals()))
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


def _request(options: dict[str, Any]) -> "ProductionRequest":
    from tasks.request import checked_request

    engines = pairs("--engine", options["engine"])
    if options["draft"] and engines.setdefault("render", "draft") != "draft":
        raise InputError(f"--draft and --engine render={engines['render']}: give one of them.")
    return checked_request(
        source=str(options["source"]),
        out=str(options["out"]) if "out" in options else None,
        name=options["name"],
        languages=options["lang"] or [],
        layout=options["layout"],
        aspect=options["aspect"],
        cast=pairs("--cast", options["cast"]),
        voices=pairs("--voice", options["voice"]),
        voice_consents=pairs("--voice-consent", options["voice_consent"]),
        lexicon=str(options["lexicon"]) if options["lexicon"] else None,
        show=" ".join(options["show"].split()),
        engines=engines,
        timeline=options["timeline"],
        captions=options["captions"],
        render={key: options[key] for key in ("steps", "head_speed", "fps", "seed")},
        speakers={
            "exactly": options["speakers"],
            "at_least": options["min_speakers"],
            "at_most": options["max_speakers"],
        },
        transcript=str(options["transcript"]) if options["transcript"] else None,
        rttm=str(options["rttm"]) if options["rttm"] else None,
        source_language=options["source_lang"],
        glossary=str(options["glossary"]) if options["glossary"] else None,
    )


_PAIRS = {"--cast": "NAME=PORTRAIT", "--voice": "NAME=VOICE", "--voice-consent": "NAME=WHO, WHEN"}


def pairs(option: str, values: list[str] | None) -> dict[str, str]:
    """`["Ann=olga"]` as `{"Ann": "olga"}`.

    Raises:
        InputError: one is not of this form, or a name is there twice.
    """
    pairs: dict[str, str] = {}
    for value in values or []:
        key, equals, name = (part.strip() for part in value.partition("="))
        if not (key and equals and name):
            raise InputError(f"{option} {value}: write it as {_PAIRS.get(option, 'KIND=NAME')}.")
        if pairs.get(key, name) != name:
            raise InputError(f"{option}: {key} is given twice, as {pairs[key]} and as {name}; give it once.")
        pairs[key] = name
    return pairs


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
    except (KeyboardInterrupt, typer.Abort):
        return _complain("stopped; run the same command again to go on from here.", 130)
    except BrokenPipeError:
        return 0
    except Exception as error:
        if debug:
            raise
        if hasattr(error, "format_message"):  # wrong usage, as Typer reports it; without words after it showed the help
            if not error.format_message():
                return 1
            return _complain(f"{error.format_message().rstrip('.')}; see `portrayal --help`.", 1)
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
