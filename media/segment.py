"""`Segment`, the unit of rendering, its content key, and `Clip`, what rendering leaves behind."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

Precision = Literal["float32", "bfloat16", "float16"]
"""What weights are rounded to."""


@dataclass(frozen=True, slots=True)
class RenderSettings:
    """Everything besides audio, portrait and checkpoint that changes a pixel of a clip."""

    steps: int | None = None
    """Denoising steps; None: the checkpoint's own."""
    head_speed: float | None = None
    """Head rotation speed asked of the speed layers, degrees a second; None: the checkpoint's own."""
    fps: int | None = None
    """Frames a second; None: the checkpoint's own."""
    seed: int = 0
    precision: Precision | None = None
    """`bfloat16` or `float16`; None: what suits the machine, and in a segment float32."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One portrait, one piece of audio, render settings: what a renderer needs, as references.

    `portrait` and `audio` are keys in the artifact store, which are content hashes of their bytes.
    """

    portrait: str
    """Artifact key of the portrait picture (PNG)."""
    audio: str
    """Artifact key of the audio (16 kHz mono WAV)."""
    face: tuple[float, float, float, float]
    """Face region in the portrait: left, top, right, bottom, as fractions of its width and height."""
    checkpoint: str
    """Name or folder of the EMO checkpoint."""
    fingerprint: str
    """Fingerprint of that checkpoint."""
    settings: RenderSettings = RenderSettings()

    @property
    def key(self) -> str:
        """Content hash (64 hex digits): equal for equal audio, portrait, face, checkpoint and settings, however named."""
        content = asdict(self)
        del content["checkpoint"]
        if self.settings.precision is None:  # clips that were made before there was a choice keep their keys
            del content["settings"]["precision"]
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(b"segment/1\n" + canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Clip:
    """A rendered segment: a silent MP4 in the artifact store (`clips/<key>.mp4`) and its measurements."""

    key: str
    uri: str
    frames: int
    fps: int
    width: int
    height: int
    seconds_of_work: float
    """CPU- or GPU-seconds spent on rendering; 0 when the clip was there already."""
    memory: str | None = None
    """How the renderer held its weights, for people; None where that is not known."""
