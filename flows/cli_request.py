"""The options that say what is wanted of a source: each is defined once, for all commands that take it."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from media.errors import InputError

if TYPE_CHECKING:
    from tasks.request import ProductionRequest

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
    str,
    typer.Option(
        help="Name of the show: who speaks in several episodes keeps portrait and voice (see `catalog people`)."
    ),
]
Style = Annotated[str | None, typer.Option(help="Style of the portraits, e.g. photo, where there are such.")]
Tags = Annotated[
    list[str] | None,
    typer.Option(
        "--tag", metavar="TAG", help="Tag of the portraits, e.g. a brand's, where there are such (repeatable)."
    ),
]
Exclude = Annotated[
    list[str] | None, typer.Option(metavar="PORTRAIT", help="Portrait that nobody shall have (repeatable).")
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        "--weight",
        metavar="NAME=NUMBER",
        help="How much gender, age, voice, language, tags or style count when portraits are chosen (repeatable): 1 as a rule, "
        "2 twice as much, 0 not at all.",
    ),
]
Purpose = Annotated[
    str | None,
    typer.Option(
        metavar="WORD",
        help="What the videos are for, such as advertising: nobody is shown whose consent or licence does not cover it.",
    ),
]
Region = Annotated[
    str | None,
    typer.Option(metavar="CODE", help="Where they are shown, as a country code such as DE. Default: everywhere."),
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
Priority = Annotated[
    Literal["urgent", "normal", "batch"] | None,
    typer.Option(
        help="Urgent clips are rendered before all others that wait, batch ones after. Default: what PORTRAYAL_PRIORITY says, or "
        "normal."
    ),
]


def request_of(
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
    style: Style = None,
    tag: Tags = None,
    exclude: Exclude = None,
    weight: Weights = None,
    purpose: Purpose = None,
    region: Region = None,
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
    priority: Priority = None,
) -> "ProductionRequest":
    """What `produce` is asked for, but for the folder.

    Raises:
        InputError: an option cannot be used, or two of them contradict each other.
    """
    from tasks.request import checked_request

    engines = pairs("--engine", engine)
    if draft and engines.setdefault("render", "draft") != "draft":
        raise InputError(f"--draft and --engine render={engines['render']}: give one of them.")
    return checked_request(
        source=str(source),
        name=name,
        languages=lang or [],
        layout=layout,
        aspect=aspect,
        cast=pairs("--cast", cast),
        voices=pairs("--voice", voice),
        voice_consents=pairs("--voice-consent", voice_consent),
        lexicon=_text(lexicon),
        show=" ".join(show.split()),
        style=style,
        tags=tag or [],
        exclude=exclude or [],
        weights=pairs("--weight", weight),
        purpose=purpose,
        region=region,
        engines=engines,
        timeline=timeline,
        captions=captions,
        render={"steps": steps, "head_speed": head_speed, "fps": fps, "seed": seed},
        speakers={"exactly": speakers, "at_least": min_speakers, "at_most": max_speakers},
        transcript=_text(transcript),
        rttm=_text(rttm),
        source_language=source_lang,
        glossary=_text(glossary),
        priority=priority,
    )


def dialogue_request_of(
    source: Source,
    source_lang: SourceLanguage = None,
    transcript: Transcript = None,
    rttm: Rttm = None,
    engine: Engines = None,
) -> "ProductionRequest":
    """What says which dialogue a source holds; a recording is listened to. What renders plays no part.

    Raises:
        InputError: an option cannot be used.
    """
    asked = request_of(source, source_lang=source_lang, transcript=transcript, rttm=rttm, engine=engine)
    return asked.model_copy(update={"engines": asked.engines | {"render": "still"}})  # the preview is always there


def takes(request: Callable[..., "ProductionRequest"]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of `request`, a function of this module; it gets the request they make.

    Example:
        >>> @app.command()
        ... @takes(request_of)
        ... def plan(request: "ProductionRequest", json: JsonOption = False) -> None: ...
    """
    options = inspect.signature(request).parameters

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        first, *own = inspect.signature(command).parameters.values()

        @functools.wraps(command)
        def run(**given: Any) -> None:
            command(**{first.name: request(**{name: given.pop(name) for name in options})}, **given)

        source, *others = options.values()
        needed = [one for one in own if one.default is inspect.Parameter.empty]
        shown = [source, *needed, *others, *(one for one in own if one not in needed)]
        # Keywords may come in any order, with or without a default: this is the order of the help.
        run.__signature__ = inspect.Signature([one.replace(kind=one.KEYWORD_ONLY) for one in shown])  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in shown}
        del run.__wrapped__
        return run

    return decorated


_PAIRS = {
    "--cast": "NAME=PORTRAIT",
    "--voice": "NAME=VOICE",
    "--voice-consent": "NAME=WHO, WHEN",
    "--set": "COLUMN=VALUE",
    "--weight": "NAME=NUMBER",
}


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


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
