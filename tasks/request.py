"""What is wanted of one source: the parameters of the `produce` flow, and the form that Prefect's UI makes of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from catalog.casting_weights import MAX_WEIGHT, read_weights
from media.dialogue import language_tag
from media.errors import InputError
from media.results import is_url
from media.segment import RenderSettings
from tasks.dispatch import Priority

ENGINE_KINDS = ("diarization", "transcription", "alignment", "translation", "synthesis", "render")

Layout = Literal["spotlight", "gallery", "duet"]
Aspect = Literal["16:9", "9:16", "1:1"]
Captions = Literal["burn", "sidecar", "both", "none"]
TimelineKind = Literal["elastic", "locked"]


RECORDING_SUFFIXES = frozenset(
    {".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus", ".aac", ".mp4", ".mov", ".webm", ".mkv"}
)


def _plainly(schema: dict[str, Any]) -> None:
    """Make of "this or nothing" a field that may stay empty, and name what may be written in several ways.

    Prefect's form would have switches between `str` and `None` instead. Its server takes null all the same, but not for a choice.
    """
    for field in schema["properties"].values():
        ways = field.get("anyOf", ())
        some = [one for one in ways if one != {"type": "null"}]
        if len(some) == len(ways):
            continue
        del field["anyOf"]
        if field.get("default", ...) is None:
            del field["default"]
        if len(some) > 1:
            field["anyOf"] = [{"title": "From the list" if "enum" in one else "By name"} | one for one in some]
            continue
        field |= some[0]


class Form(BaseModel):
    """What is filled in as a form in Prefect's UI; fields that stay empty are left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_plainly)


def asked(title: str, description: str, *, shown: Mapping[str, Any] = MappingProxyType({}), **bounds: Any) -> Any:
    """How the form asks for a flow's own parameter, for which Prefect would write its name in the code.

    Args:
        shown: keywords of JSON Schema that are for the form alone, such as another default.
    """
    return Field(json_schema_extra={"title": title, "description": description, **shown}, **bounds)


class RenderOptions(Form):
    """How clips are rendered; whatever is left out is the checkpoint's own."""

    steps: int | None = Field(
        default=None, ge=1, le=1000, title="Denoising steps", description="More are slower; empty: the checkpoint's own"
    )
    head_speed: float | None = Field(
        default=None, ge=0, le=360, title="Head speed", description="Degrees a second; empty: the checkpoint's own"
    )
    fps: int | None = Field(
        default=None, ge=1, le=60, title="Frames a second", description="Of the video; empty: the checkpoint's own"
    )
    seed: int = Field(
        default=0,
        ge=0,
        title="Seed",
        description="Seed of the noise; the same seed gives the same clip",
    )
    precision: Literal["float32", "bfloat16", "float16"] | None = Field(
        default=None,
        title="Precision",
        description="Of the weights that animate photographs; empty: what suits the machine that plans",
    )

    @property
    def settings(self) -> RenderSettings:
        return RenderSettings(self.steps, self.head_speed, self.fps, self.seed, self.precision)


class SpeakerCount(Form):
    """How many people speak in a recording, as far as it is known."""

    exactly: int | None = Field(
        default=None, ge=1, le=32, title="Exactly", description="People who speak, if you know how many"
    )
    at_least: int | None = Field(
        default=None, ge=1, le=32, title="At least", description="People who speak, if you know only roughly"
    )
    at_most: int | None = Field(
        default=None, ge=1, le=32, title="At most", description="People who speak, if you know only roughly"
    )


class SpeakerWish(Form):
    """Something that is wished for one speaker."""

    speaker: str = Field(title="Speaker", description="As the script calls them", min_length=1)


class CastWish(SpeakerWish):
    """Who is shown for a speaker."""

    portrait: str = Field(title="Portrait", description="Its name in the catalog, such as tunde-adeyemi", min_length=1)


class VoiceWish(SpeakerWish):
    """How a speaker sounds."""

    voice: str = Field(
        title="Voice",
        description="NAME, NAME:PITCH or NAME:PITCH:RATE of the engine, or the path of a recording to clone",
        min_length=1,
    )


class VoiceConsent(SpeakerWish):
    """Who allowed that a voice is cloned."""

    consent: str = Field(title="Consent", description="Who allowed it, and when", min_length=1)


_Weight = Annotated[float | None, Field(default=None, ge=0, le=MAX_WEIGHT)]


class Weights(Form):
    """By what the points of casting are multiplied: empty for 1, 0 not to count."""

    gender: _Weight = Field(title="Gender", description="What the script says of the speaker, or how the voice sounds")
    age: _Weight = Field(title="Age", description="What the script says of the speaker")
    voice: _Weight = Field(title="Voice", description="Portraits whose own voice is as high as the speaker's")
    language: _Weight = Field(title="Language", description="Portraits that are meant for the language")
    tags: _Weight = Field(title="Tags", description="Portraits with the tags that are asked for")
    style: _Weight = Field(title="Style", description="Portraits in the style that is asked for")


SynthesisEngine = Literal["auto", "espeak", "chatterbox"] | str
TranslationEngine = Literal["auto", "marian", "madlad", "openai"] | str
RenderEngine = Literal["auto", "starter", "echomimic", "echomimic-acc", "still", "draft"] | str


class EngineWishes(Form):
    """Engines by kind: one of the list, or any other name that `--engine` takes. What is left out is chosen."""

    render: RenderEngine | None = Field(
        default=None, title="Pictures", description="A checkpoint's name or folder; still and draft are quick previews"
    )
    synthesis: SynthesisEngine | None = Field(
        default=None, title="Speech", description="Or worker:COMMAND, an engine of your own"
    )
    translation: TranslationEngine | None = Field(
        default=None,
        title="Translation",
        description="Of what nobody has translated. Or marian:FOLDER, madlad:FOLDER, openai:MODEL",
    )
    transcription: Literal["auto", "whisper", "pocketsphinx"] | str | None = Field(
        default=None, title="What is said", description="In a recording. Or whisper:SIZE, such as whisper:small"
    )
    diarization: Literal["auto", "pyannote", "dvector"] | str | None = Field(
        default=None, title="Who speaks when", description="In a recording. Or pyannote:FOLDER"
    )
    alignment: Literal["auto", "whisper", "pocketsphinx", "proportional"] | str | None = Field(
        default=None, title="When each word is said", description="In a recording. Or whisper:SIZE"
    )


@dataclass(frozen=True, slots=True)
class FilledInAs:
    """Marks a mapping that forms ask for as something else: speakers as a list, engines as fields."""

    form: Any

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(TypeAdapter(self.form).core_schema)


def _with_a_folder(schema: dict[str, Any]) -> None:
    """Only what is planned, or queued in a campaign, may do without a folder; none of it is filled in as a form."""
    _plainly(schema)
    schema["required"].append("out")


class ProductionRequest(Form):
    """One source plus what is wanted of it."""

    model_config = ConfigDict(json_schema_extra=_with_a_folder)

    source: str = Field(
        title="Source", description="Script or recording, as a whole path on the machine of the worker", min_length=1
    )
    out: str | None = Field(
        default=None,
        title="Result folder",
        description="Folder for the videos, as a whole path that begins with /, or s3://bucket/folder",
    )
    name: str | None = Field(
        default=None,
        title="Name",
        description="Name of the result files; empty: the source's",
    )
    languages: list[str] = Field(
        default_factory=list,
        title="Languages",
        description="Codes such as en, es or pt-BR, one video for each; none: the language of the source",
    )
    layout: Layout | None = Field(
        default=None,
        title="Layout",
        description="Who is in the picture; empty: spotlight for scripts, gallery for recordings",
    )
    aspect: Aspect = Field(
        default="16:9", title="Shape of the picture", description="Wide (16:9), for phones (9:16), or square (1:1)"
    )
    captions: Captions = Field(
        default="both",
        title="Captions",
        description="In the picture (burn), beside the video as .vtt, .srt and .json (sidecar), both, or none",
    )
    timeline: TimelineKind = Field(
        default="elastic",
        title="Timeline",
        description="Turns as long as they take (elastic), or each within its slot in the source language (locked)",
    )
    priority: Priority | None = Field(
        default=None,
        title="Priority",
        description="Urgent clips are rendered before all others that wait, batch ones after; empty: the machine's",
    )
    cast: Annotated[dict[str, str], FilledInAs(list[CastWish])] = Field(
        default_factory=dict, title="Cast", description="Portraits for speakers; all others are cast"
    )
    voices: Annotated[dict[str, str], FilledInAs(list[VoiceWish])] = Field(
        default_factory=dict, title="Voices", description="Voices for speakers; all others are given one"
    )
    voice_consents: Annotated[dict[str, str], FilledInAs(list[VoiceConsent])] = Field(
        default_factory=dict, title="Consent to cloning", description="For each speaker whose voice is cloned"
    )
    lexicon: str | None = Field(
        default=None, title="Lexicon", description="File with how names and terms are pronounced (.yaml, .csv)"
    )
    show: str = Field(
        default="",
        title="Show",
        description="Speakers of the same name or voice keep portrait and voice in all episodes",
    )
    style: str | None = Field(
        default=None, title="Style", description="Of the portraits, such as photo, if there are any"
    )
    tags: list[str] = Field(
        default_factory=list, title="Tags", description="Of the portraits, such as a brand's, if there are any"
    )
    exclude: list[str] = Field(
        default_factory=list,
        title="Not these",
        description="Portraits, by their names in the catalog, that nobody shall have",
    )
    purpose: str | None = Field(
        default=None,
        title="Purpose",
        description="What the videos are for, such as advertising: portraits whose consent or licence does not cover it "
        "are not used",
    )
    region: str | None = Field(
        default=None, title="Region", description="Where they are shown, as a country code; empty: everywhere"
    )
    speakers: SpeakerCount = Field(
        default_factory=SpeakerCount,
        title="Speakers of a recording",
        description="How many there are, as far as it is known",
    )
    transcript: str | None = Field(
        default=None, title="Transcript", description="File with what is said in the recording"
    )
    source_language: str | None = Field(
        default=None,
        title="Language of the source",
        description="A code such as en; empty: what the script says, or what is heard in the recording",
    )
    rttm: str | None = Field(
        default=None,
        title="Who speaks when (RTTM)",
        description="File with who speaks when in the recording, instead of an engine that finds out",
    )
    glossary: str | None = Field(default=None, title="Glossary", description="YAML file with terms for the translation")
    engines: Annotated[dict[str, str], FilledInAs(EngineWishes)] = Field(
        default_factory=dict, title="Engines", description="What is left out is chosen by what is installed"
    )
    render: RenderOptions = Field(
        default_factory=RenderOptions, title="Rendering", description="Whatever is left out is the checkpoint's own"
    )
    weights: Annotated[dict[str, float], FilledInAs(Weights)] = Field(
        default_factory=dict, title="Weights of casting", description="What counts more, or less, than as a rule"
    )

    @field_validator("languages")
    @classmethod
    def _tags(cls, tags: list[str]) -> list[str]:
        return list(dict.fromkeys(language_tag(tag, "--lang") for tag in tags))

    @field_validator("source_language")
    @classmethod
    def _tag(cls, tag: str | None) -> str | None:
        return None if tag is None else language_tag(tag, "--source-lang")

    @field_validator("cast", "voices", "voice_consents", mode="before")
    @classmethod
    def _by_speaker(cls, given: Any, info: ValidationInfo) -> Any:
        if not isinstance(given, list):
            return given
        model, wish = _WISHES[str(info.field_name)]
        found: dict[str, str] = {}
        for number, one in enumerate(given, 1):
            try:
                read = model.model_validate(one)
            except ValidationError as error:
                first = error.errors()[0]
                place = ".".join(str(part) for part in first["loc"])
                raise ValueError(f"number {number}: {place}: {first['msg']}") from None
            speaker, value = read.speaker, getattr(read, wish)
            if found.setdefault(speaker, value) != value:
                raise ValueError(f"{speaker} is there twice, as {found[speaker]} and as {value}; give it once")
        return found

    @field_validator("engines", mode="before")
    @classmethod
    def _chosen(cls, given: Any) -> Any:
        given = given.model_dump() if isinstance(given, EngineWishes) else given
        return {kind: name for kind, name in given.items() if name is not None} if isinstance(given, Mapping) else given

    @field_validator("engines")
    @classmethod
    def _known_kinds(cls, engines: dict[str, str]) -> dict[str, str]:
        for kind in engines:
            if kind not in ENGINE_KINDS:
                raise ValueError(f"there is no kind of engine '{kind}'; there are {', '.join(ENGINE_KINDS)}")
        return engines

    @field_validator("name")
    @classmethod
    def _file_name(cls, name: str | None) -> str | None:
        if name is not None and (not name.strip() or Path(name).name != name or name.startswith(".")):
            raise ValueError(f"'{name}' cannot be a file name; use letters, digits and hyphens")
        return name

    @field_validator("tags")
    @classmethod
    def _words(cls, tags: list[str]) -> list[str]:
        tags = list(dict.fromkeys(tag.strip().lower() for tag in tags))
        for tag in tags:
            if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", tag):
                raise ValueError(f"'{tag}' must be words joined by dashes")
        return tags

    @field_validator("weights", mode="before")
    @classmethod
    def _known_weights(cls, weights: Any) -> Any:
        return read_weights(weights, "--weight") if isinstance(weights, dict) else weights

    @field_validator("purpose", "region")
    @classmethod
    def _use(cls, word: str | None, info: ValidationInfo) -> str | None:
        if word is None:
            return None
        if info.field_name == "purpose":
            word = word.strip().lower()
            if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", word):
                raise ValueError(f"'{word}' must be words joined by dashes, such as advertising or in-house")
            return word
        word = word.strip().upper()
        if not re.fullmatch(r"[A-Z]{2}|[0-9]{3}", word):
            raise ValueError(f"'{word}' must be a country code such as DE or US, or a number such as 150")
        return word

    @property
    def draft(self) -> bool:
        """Whether a preview is asked for, drawn without the diffusion model."""
        return self.engine("render") == "draft"

    def engine(self, kind: str) -> str:
        """Name of the engine asked for, `auto` if none was."""
        return self.engines.get(kind, "auto")

    def with_whole_paths(self) -> "ProductionRequest":
        """The same request, to be met from any other folder: paths are whole, those of models (`marian:FOLDER`) too."""
        files = {
            field: getattr(self, field) for field in ("source", "out", "lexicon", "transcript", "glossary", "rttm")
        }
        engines = {}
        for kind, name in self.engines.items():
            engine, colon, folder = name.rpartition(":")
            engines[kind] = engine + colon + _whole(folder) if folder and Path(folder).is_dir() else name
        voices = {speaker: _whole(voice) if names_recording(voice) else voice for speaker, voice in self.voices.items()}
        whole = {field: _whole(path) for field, path in files.items() if path is not None}
        return self.model_copy(update=whole | {"voices": voices, "engines": engines})


_WISHES: dict[str, tuple[type[SpeakerWish], str]] = {
    "cast": (CastWish, "portrait"),
    "voices": (VoiceWish, "voice"),
    "voice_consents": (VoiceConsent, "consent"),
}


def names_recording(voice: str) -> bool:
    """Whether a voice that is asked for is a file to clone, not one of the engine's own."""
    return Path(voice).suffix.lower() in RECORDING_SUFFIXES or "/" in voice


def _whole(path: str) -> str:
    return path if is_url(path) else str(Path(path).expanduser().absolute())


def checked_request(**options: Any) -> ProductionRequest:
    """A `ProductionRequest` of command line options.

    Raises:
        InputError: one of them cannot be used; the sentence names it.
    """
    try:
        return ProductionRequest(**options)
    except ValidationError as error:
        first = error.errors()[0]
        field, *inside = (str(part) for part in first["loc"])
        option = "--" + "-".join([_SINGULAR.get(field, field), *inside]).replace("_", "-")
        raise InputError(f"{option}: {first['msg'].removeprefix('Value error, ')}.") from None


_SINGULAR = {"tags": "tag", "engines": "engine", "weights": "weight"}
"""Options that may be repeated are called so."""


def check_counts(exactly: int | None, at_least: int | None, at_most: int | None) -> None:
    """Refuse numbers of speakers that contradict one another, whichever engine would be given them.

    Raises:
        InputError: as said.
    """
    if exactly is not None and (at_least is not None or at_most is not None):
        raise InputError("--speakers says how many there are; leave out --min-speakers and --max-speakers.")
    if at_least is not None and at_most is not None and at_least > at_most:
        raise InputError(f"--min-speakers {at_least} is more than --max-speakers {at_most}; correct one of them.")
