"""A dialogue with its sound, laid out in time: what a video is made of, but for the pictures."""

from dataclasses import dataclass, field
from typing import Any

from media.dialogue import Dialogue
from media.timeline import Fit, Timeline

RENDER_RATE = 16_000
"""Samples a second of what renderers hear."""
SOUND_RATE = 48_000
"""Samples a second of a video's sound track."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word, when it is heard (seconds), and by whom it is said, if a transcript tells."""

    text: str
    start: float
    end: float
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Performance:
    """One language of a production. `audio`, `sounds`, `words` and `fits` have one entry a turn."""

    dialogue: Dialogue
    """Turns with their times in the video; texts are empty where nobody wrote down what is said."""
    timeline: Timeline
    """At `SOUND_RATE`."""
    audio: tuple[str, ...]
    """Artifact keys: 16 kHz mono WAV, for the renderer."""
    sounds: tuple[str, ...] = ()
    """Artifact keys: 48 kHz mono WAV, for the sound track; empty when the sound track is the recording."""
    words: tuple[tuple[SpokenWord, ...], ...] = ()
    """When each word is heard; empty when nobody knows."""
    spoken: tuple[bool, ...] = ()
    """Whether a turn was spoken in this run, not found in the store; empty for a recording."""
    voices: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The synthesizer's voice by speaker."""
    engines: dict[str, str] = field(default_factory=dict)
    """Engine and version by kind."""
    dc_offset: float = 0.0
    """What is subtracted from a recording's samples before they become the sound track."""
    fits: tuple[Fit, ...] = ()
    """How each turn was brought into its slot; empty when none was locked to one."""
    notes: tuple[str, ...] = ()
    """What the user should know: which turns did not fit into their slots."""

    @property
    def language(self) -> str:
        return self.dialogue.language

    @property
    def seconds(self) -> float:
        """Length of the video."""
        return self.timeline.frames / self.timeline.fps
