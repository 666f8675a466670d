"""What a checkpoint has to reach, figure by figure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from media.errors import InputError
from models.emo.corpus import HELD_OUT_SENTENCES

SECTIONS = ("speech", "speed", "drift", "voice", "work")
"""What can be measured apart from the rest, in this order."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Bounds for a figure, both included. A figure that could not be measured is None and does not pass."""

    section: str
    low: float | None = None
    high: float | None = None
    share_of: str | None = None
    """Another figure that `low` is a share of."""

    def bounds(self, figures: Mapping[str, Any]) -> tuple[float | None, float | None]:
        if self.share_of is None or self.low is None:
            return self.low, self.high
        other = figures.get(self.share_of)
        return (None if other is None else self.low * other), self.high

    def text(self, figures: Mapping[str, Any]) -> str:
        low, high = self.bounds(figures)
        if low is not None and high is not None:
            return f"{low:g} to {high:g}"
        if low is None:
            return f"<= {high:g}" if high is not None else "not known"
        times = f"{self.low:g} x " if self.low != 1 else ""
        return f">= {low:.4g}" + (f" ({times}{self.share_of})" if self.share_of else "")

    def met(self, key: str, figures: Mapping[str, Any]) -> bool:
        value = figures.get(key)
        low, high = self.bounds(figures)
        if value is None or (self.low is not None and low is None):
            return False
        return bool((low is None or value >= low) and (high is None or value <= high))


BARS: dict[str, Bar] = {
    "mouth_correlation": Bar("speech", low=0.85),
    "mouth_correlation_wrong_audio": Bar("speech", high=0.20),
    **{f"mouth_correlation_{language}": Bar("speech", low=0.75) for language in HELD_OUT_SENTENCES},
    "av_offset_frames": Bar("speech", low=-1, high=1),
    "bilabial_closure": Bar("speech", low=0.80),
    "viseme_accuracy": Bar("speech", low=0.75, share_of="viseme_accuracy_ceiling"),
    "identity_top1": Bar("speech", low=1.0),
    "expression_correlation": Bar("speech", low=0.40),
    "psnr_face": Bar("speech", low=1.0, share_of="psnr_face_copy"),
    "ssim_face": Bar("speech", low=1.0, share_of="ssim_face_copy"),
    "seam_ratio": Bar("speech", high=1.15),
    "background_noise_ratio": Bar("speech", high=2.0),
    "speed_spearman": Bar("speed", low=0.90),
    "blinks_per_minute": Bar("speed", low=8, high=30),
    "drift_60s": Bar("drift", high=0.05),
    "real_voice_auc": Bar("voice", low=0.90),
    "seconds_per_second": Bar("work", high=1.5),
}


def sections_for(only: str | None) -> tuple[str, ...]:
    """The sections to measure for a figure or a section; all for None.

    Raises:
        InputError: there is no such figure.
    """
    if only is None:
        return SECTIONS
    if only in SECTIONS:
        return (only,)
    if only not in BARS:
        raise InputError(f"{only}: no figure of the evaluation; choose one of {', '.join([*SECTIONS, *BARS])}.")
    return (BARS[only].section,)


def judged(figures: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """For every figure that was measured and has a bar: its value, the bar in words, and whether it is met."""
    return {
        key: {"value": figures[key], "bar": bar.text(figures), "met": bar.met(key, figures)}
        for key, bar in BARS.items()
        if key in figures
    }
