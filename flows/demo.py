"""The main job on what is shipped: a script becomes a video per language, and a telephone conversation becomes another."""

import importlib.util
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flows.console import print_table
from flows.report import duration, relative
from flows.start import produce_here
from media.errors import MissingEngineError
from media.scripts import read_script, write_script
from tasks import workspace
from tasks.bookkeeping import Production
from tasks.request import ProductionRequest, checked_request

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SCRIPT = "launch.txt"
LANGUAGES = ("en", "es")
RECORDING_NAME = "telephone-call"

SHORT_TURNS = 2
SHORT_RECORDING = (12.4, 20.4)
"""Seconds of the conversation that the short demo uses: both say a sentence or two."""
COLLAR = 0.25
"""Seconds around every boundary that the usual diarization error rate does not score."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A real recording with what is known about it."""

    sound: Path
    transcript: Path
    reference: Path
    """RTTM: who speaks when."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo made."""

    script: Production
    recording: Production
    error_rate: float
    """Of the diarization, everything scored; 0 is perfect."""
    error_rate_with_collar: float
    seconds: float

    @property
    def problems(self) -> tuple[str, ...]:
        return self.script.problems + self.recording.problems

    def as_json(self) -> dict[str, Any]:
        return {
            "script": self.script.as_json(),
            "recording": self.recording.as_json(),
            "diarization_error_rate": round(self.error_rate, 4),
            "diarization_error_rate_with_collar": round(self.error_rate_with_collar, 4),
            "collar_seconds": COLLAR,
            "seconds": round(self.seconds, 1),
        }


def run_demo(out: Path, languages: Sequence[str] | None, engines: dict[str, str], *, short: bool) -> Demo:
    """Produce the shipped script and the conversation into one folder.

    Args:
        languages: of the script; None: English and Spanish.
        short: only the first turns in the first language, and a few seconds of the conversation.

    Raises:
        PortrayalError: something that is needed is missing, or the folder cannot be written to.
    """
    began = time.perf_counter()
    script = EXAMPLES / SCRIPT
    conversation = telephone_conversation()
    wanted = list(languages or LANGUAGES)
    if short:
        place = workspace.settings().home.resolve() / "demo"
        wanted = wanted[:1]
        script = _short_script(script, place)
        conversation = _short_conversation(conversation, place)
    common: dict[str, Any] = {"out": str(out), "engines": engines}
    script_request = checked_request(source=str(script), languages=wanted, layout="spotlight", **common)
    recording_request: ProductionRequest = checked_request(
        source=str(conversation.sound),
        name=RECORDING_NAME,
        layout="gallery",
        transcript=str(conversation.transcript),
        speakers={"exactly": 2},
        **common,
    )
    of_script, of_recording = produce_here(script_request, recording_request)
    found = [tuple(turn) for turn in of_recording.record["diarization"]]
    return Demo(
        script=of_script,
        recording=of_recording,
        error_rate=_error_rate(conversation.reference, found, 0.0),
        error_rate_with_collar=_error_rate(conversation.reference, found, COLLAR),
        seconds=time.perf_counter() - began,
    )


def telephone_conversation() -> Conversation:
    """The two-speaker conversation that pyannote.audio carries in its wheel, found without importing it.

    Raises:
        MissingEngineError: it is not installed.
    """
    spec = importlib.util.find_spec("pyannote.audio") if importlib.util.find_spec("pyannote") else None
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place) / "sample"
        if (folder / "sample.wav").is_file():
            return Conversation(folder / "sample.wav", folder / "sample.stm", folder / "sample.rttm")
    raise MissingEngineError(
        "The demo's conversation comes with pyannote.audio, which is not installed: run `make setup`."
    )


def print_demo(demo: Demo) -> None:
    """Print what was made, where, and how long everything took."""
    rows = []
    for production in (demo.script, demo.recording):
        for one in production.renditions:
            rows.append(
                (
                    relative(one.video) if one.video else f"{production.name} ({one.language})",
                    one.language,
                    one.status,
                    duration(one.seconds),
                    f"{one.rendered} of {one.segments}",
                )
            )
    print_table("The demo made", ("Video", "Language", "State", "Length", "Clips rendered now"), rows)
    stages: dict[str, float] = {}
    for production in (demo.script, demo.recording):
        for name, seconds in production.record["figures"]["stages"].items():
            stages[name] = stages.get(name, 0.0) + seconds
    print_table("Time", ("Stage", "Took"), [(name, duration(seconds)) for name, seconds in stages.items()])
    print(
        f"Diarization error rate of the telephone call: {demo.error_rate:.1%}, "
        f"or {demo.error_rate_with_collar:.1%} with a collar of ±{COLLAR} s (told that there are two speakers)."
    )
    places = sorted({relative(one.record_path) for one in (demo.script, demo.recording)})
    print(f"Everything about them: {', '.join(places)}")
    print(f"Done in {duration(demo.seconds)}.")


def _error_rate(reference: Path, found: Sequence[tuple[str, float, float]], collar: float) -> float:
    from media.rttm import read_rttm
    from models.speech.error_rate import diarization_error_rate
    from models.speech.protocols import SpeakerTurn

    truth = [SpeakerTurn(turn.speaker, turn.start or 0.0, turn.end or 0.0) for turn in read_rttm(reference)]
    return diarization_error_rate(truth, [SpeakerTurn(*turn) for turn in found], collar)


def _short_script(path: Path, place: Path) -> Path:
    """The first turns of a script, as a file."""
    script = read_script(path)
    dialogues = {tag: one.with_turns(one.turns[:SHORT_TURNS]) for tag, one in script.dialogues.items()}
    spoken = {turn.speaker for one in dialogues.values() for turn in one.turns}
    hints = {name: hint for name, hint in script.speakers.items() if name in spoken}
    return _written(
        place / path.name, write_script(replace(script, dialogues=dialogues, speakers=hints), "text").encode()
    )


def _short_conversation(whole: Conversation, place: Path) -> Conversation:
    """A few seconds of a conversation, as files."""
    from media.audio import read_audio, wav_bytes
    from media.rttm import read_rttm, write_rttm
    from media.transcripts import read_transcript

    start, end = SHORT_RECORDING
    samples = read_audio(whole.sound, 16_000, start, end)
    said = [
        f"call 1 {turn.speaker} {turn.start - start:.3f} {turn.end - start:.3f} {turn.text}"
        for turn in read_transcript(whole.transcript)
        if turn.start is not None and turn.end is not None and start <= turn.start and turn.end <= end
    ]
    heard = [
        replace(turn, start=max(turn.start, start) - start, end=min(turn.end, end) - start)
        for turn in read_rttm(whole.reference)
        if turn.start is not None and turn.end is not None and turn.start < end and turn.end > start
    ]
    return Conversation(
        sound=_written(place / f"{RECORDING_NAME}.wav", wav_bytes(samples, 16_000)),
        transcript=_written(place / f"{RECORDING_NAME}.stm", "\n".join([*said, ""]).encode()),
        reference=_written(place / f"{RECORDING_NAME}.rttm", write_rttm(heard, "call").encode()),
    )


def _written(path: Path, content: bytes) -> Path:
    from media.atomic import whole_file

    with whole_file(path) as draft:
        draft.write_bytes(content)
    return path
