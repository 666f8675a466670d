"""What every speech engine implements, and the small values they return. Audio is mono float32 in [-1, 1]."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media.long_sound import LongSound

Samples = NDArray[np.float32]
Sound = Samples | LongSound
"""A whole recording: in memory, or on disk where it may be hours long. Slices of either are `Samples`."""
Progress = Callable[[float], None]
"""Called with the share done, 0..1."""


@dataclass(frozen=True, slots=True)
class SpeakerTurn:
    """Who spoke when; `start` and `end` in seconds, `speaker` a label such as `SPEAKER_00`."""

    speaker: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Diarization:
    """Speaker turns in order of start. `turns` may overlap in time; `exclusive` never does."""

    turns: tuple[SpeakerTurn, ...]
    exclusive: tuple[SpeakerTurn, ...]
    embeddings: dict[str, tuple[float, ...]]
    """One unit-length voice embedding a speaker; may be empty."""
    note: str = ""
    """How sure the engine is, in one sentence for the log."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word and when it was said, in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Transcription:
    language: str
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Phoneme:
    """An IPA symbol and when it starts, in seconds; the empty symbol is a pause."""

    ipa: str
    start: float


@dataclass(frozen=True, slots=True)
class Voice:
    """How a synthesizer should sound for one speaker. `name` means something to the engine only."""

    name: str
    pitch: int = 50
    """0 (low) .. 99 (high)."""
    rate: int = 165
    """Words a minute."""
    reference: str = ""
    """A recording to clone, a WAV that is named by its content's hash; empty for a voice of the engine's own."""


@dataclass(frozen=True, slots=True)
class Speech:
    samples: Samples
    sample_rate: int
    phonemes: tuple[Phoneme, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A text to translate, and what an engine that reads its surroundings may use."""

    text: str
    speaker: str = ""
    direction: str = ""
    before: str = ""
    """What is said before it."""
    after: str = ""
    """What is said after it."""
    marks: tuple[tuple[str, str], ...] = ()
    """Marks in the text that must come back as they are, such as `[1]`, and what each stands for."""


class Diarizer(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def diarize(
        self,
        samples: Sound,
        sample_rate: int,
        *,
        speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        progress: Progress | None = None,
    ) -> Diarization: ...


class Transcriber(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def transcribe(
        self, samples: Sound, sample_rate: int, *, language: str | None = None, progress: Progress | None = None
    ) -> Transcription: ...

    def languages(self) -> Sequence[str]:
        """BCP 47 tags, sorted."""
        ...


class Aligner(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def languages(self) -> Sequence[str] | None:
        """BCP 47 tags, sorted; None for every language."""
        ...

    def align(self, samples: Samples, sample_rate: int, text: str, language: str) -> tuple[Word, ...]: ...


class Translator(Protocol):
    @property
    def name(self) -> str: ...

    def languages(self, source: str) -> Sequence[str] | None:
        """BCP 47 tags that it translates `source` into, sorted; None when it cannot say."""
        ...

    def version(self, source: str, target: str) -> str:
        """The model that translates from one language into another, and its version: part of keys and records.

        Raises:
            InputError: the engine does not have these languages.
            MissingEngineError: the model for them is not there.
        """
        ...

    def translate(self, lines: Sequence[Line], source: str, target: str) -> tuple[str | None, ...]:
        """One translation a line, in their order; None where there is none that can be trusted.

        Raises:
            TranslationError: the engine does not answer.
        """
        ...


class Synthesizer(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def can_clone(self) -> bool:
        """Whether a voice's `reference` is followed."""
        ...

    @property
    def reads_digits(self) -> bool:
        """Whether digits and acronyms may be left to the engine."""
        ...

    @property
    def reads_ipa(self) -> bool:
        """Whether IPA between `[[` and `]]` is followed."""
        ...

    @property
    def reads_kanji(self) -> bool:
        """Whether Japanese may be left as it is written; else it comes in kana."""
        ...

    def check_voice(self, voice: Voice) -> None:
        """
        Raises:
            InputError: the engine has no such voice, or cannot clone.
        """
        ...

    def check_ipa(self, ipa: str, language: str) -> None:
        """
        Raises:
            InputError: the engine has not all of these sounds in the language, as far as it can tell beforehand.
        """
        ...

    def languages(self) -> Sequence[str]: ...

    def voices(self, language: str, count: int, genders: Sequence[str | None]) -> tuple[Voice, ...]:
        """Up to `count` voices that are told apart by ear, the same ones for the same arguments every time.

        Raises:
            InputError: the engine does not speak the language.
        """
        ...

    def speak(self, text: str, language: str, voice: Voice) -> Speech: ...
