"""What is wanted of one source: the parameters of the `produce` flow, and the form that Prefect's UI makes of them."""

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from media.dialogue import language_tag
from media.errors import InputError
from media.results import is_url
from media.segment import RenderSettings

ENGINE_KINDS = ("diarization", "transcription", "alignment", "translation", "synthesis", "render")

Layout = Literal["spotlight", "gallery", "duet"]
Aspect = Literal["16:9", "9:16", "1:1"]
Captions = Literal["burn", "sidecar", "both", "none"]
TimelineKind = Literal["elastic", "locked"]


_RECORDINGS = frozenset({".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus", ".aac", ".mp4", ".mov", ".webm", ".mkv"})


class RenderOptions(BaseModel):
    """How clips are rendered; whatever is left out is the checkpoint's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int | None = Field(default=None, ge=1, le=1000, title="Denoising steps")
    head_speed: float | None = Field(default=None, ge=0, le=360, title="Head speed", description="Degrees a second")
    fps: int | None = Field(default=None, ge=1, le=60, title="Frames a second")
    seed: int = Field(
        default=0,
        ge=0,
        title="Seed",
        description="Seed of the noise; the same seed gives the same clip",
    )
    precision: Literal["float32", "bfloat16", "float16"] | None = Field(
        default=None,
        title="Precision",
        description="Of the weights that animate photographs; what suits the machine that plans when not given",
    )

    @property
    def settings(self) -> RenderSettings:
        return RenderSettings(self.steps, self.head_speed, self.fps, self.seed, self.precision)


class SpeakerCount(BaseModel):
    """How many people speak in a recording, as far as it is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    exactly: int | None = Field(default=None, ge=1, le=32, title="Exactly")
    at_least: int | None = Field(default=None, ge=1, le=32, title="At least")
    at_most: int | None = Field(default=None, ge=1, le=32, title="At most")


class ProductionRequest(BaseModel):
    """One source plus what is wanted of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(title="Source", description="Path of a script or a recording", min_length=1)
    out: str | None = Field(
        default=None, title="Result folder", description="Folder for the videos, or s3://bucket/folder"
    )
    name: str | None = Field(
        default=None,
        title="Name",
        description="Name of the result files; default: the source's",
    )
    languages: list[str] = Field(
        default_factory=list,
        title="Languages",
        description="BCP 47; none: the source's",
    )
    layout: Layout | None = Field(
        default=None,
        title="Layout",
        description="Default: spotlight for scripts, gallery for recordings",
    )
    aspect: Aspect = Field(default="16:9", title="Shape of the picture")
    captions: Captions = Field(
        default="both",
        title="Captions",
        description="Burnt in, beside the video as .vtt, .srt and .json, both, or none",
    )
    timeline: TimelineKind = Field(
        default="elastic",
        title="Timeline",
        description="Turns as long as they take, or each within its slot in the source language",
    )
    cast: dict[str, str] = Field(
        default_factory=dict,
        title="Cast",
        description="Portrait (slug) for each speaker",
    )
    voices: dict[str, str] = Field(
        default_factory=dict,
        title="Voices",
        description="Voice of the engine (NAME, NAME:PITCH or NAME:PITCH:RATE), or a recording to clone, by speaker",
    )
    voice_consents: dict[str, str] = Field(
        default_factory=dict,
        title="Consent to cloning",
        description="Who allowed a speaker's voice to be cloned, and when, by speaker",
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
        default_factory=list, title="Not these", description="Portraits (slugs) that nobody shall have"
    )
    purpose: str | None = Field(
        default=None,
        title="Purpose",
        description="What the videos are for, such as advertising: portraits whose consent or licence does not cover it "
        "are not used",
    )
    region: str | None = Field(
        default=None, title="Region", description="Where they are shown, as a country code; default: everywhere"
    )
    engines: dict[str, str] = Field(
        default_factory=dict,
        title="Engines",
        description=f"Engine by kind: {', '.join(ENGINE_KINDS)}",
    )
    render: RenderOptions = Field(default=RenderOptions(), title="Rendering")
    speakers: SpeakerCount = Field(default_factory=SpeakerCount, title="Speakers of a recording")
    transcript: str | None = Field(
        default=None, title="Transcript", description="File with what is said in the recording"
    )
    source_language: str | None = Field(
        default=None,
        title="Language of the source",
        description="BCP 47; default: what the script says, or what is heard in the recording",
    )
    glossary: str | None = Field(default=None, title="Glossary", description="YAML file with terms for the translation")
    rttm: str | None = Field(
        default=None,
        title="RTTM",
        description="File with who speaks when, instead of diarization",
    )

    @field_validator("languages")
    @classmethod
    def _tags(cls, tags: list[str]) -> list[str]:
        return list(dict.fromkeys(language_tag(tag, "--lang") for tag in tags))

    @field_validator("source_language")
    @classmethod
    def _tag(cls, tag: str | None) -> str | None:
        return None if tag is None else language_tag(tag, "--source-lang")

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


def names_recording(voice: str) -> bool:
    """Whether a voice that is asked for is a file to clone, not one of the engine's own."""
    return Path(voice).suffix.lower() in _RECORDINGS or "/" in voice


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
        option = "--" + "-".join(str(part) for part in first["loc"]).replace("_", "-")
        raise InputError(f"{option}: {first['msg'].removeprefix('Value error, ')}.") from None


def check_counts(exactly: int | None, at_least: int | None, at_most: int | None) -> None:
    """Refuse numbers of speakers that contradict one another, whichever engine would be given them.

    Raises:
        InputError: as said.
    """
    if exactly is not None and (at_least is not None or at_most is not None):
        raise InputError("--speakers says how many there are; leave out --min-speakers and --max-speakers.")
    if at_least is not None and at_most is not None and at_least > at_most:
        raise InputError(f"--min-speakers {at_least} is more than --max-speakers {at_most}; correct one of them.")
