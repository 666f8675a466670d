"""Recordings with an annotation of who speaks when: what diarization and mouths are measured on."""

from dataclasses import dataclass
from pathlib import Path

from media.errors import InputError


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording of people who speak, and an annotation of who speaks when (RTTM)."""

    sound: Path
    annotation: Path


def recordings_in(folder: Path) -> list[Recording]:
    """Every .wav or .flac of a folder with an .rttm of the same name.

    Raises:
        InputError: there is none.
    """
    sounds = sorted(path for path in folder.glob("*") if path.suffix in (".wav", ".flac"))
    found = [Recording(path, path.with_suffix(".rttm")) for path in sounds if path.with_suffix(".rttm").is_file()]
    if not found:
        raise InputError(f"{folder}: no recording with an annotation; put NAME.wav or NAME.flac and NAME.rttm there.")
    return found
