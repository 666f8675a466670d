"""How well and how fast a diarizer works, on recordings whose speakers are known."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from media.audio import read_audio
from media.rttm import read_rttm
from models.speech.annotated import Recording
from models.speech.error_rate import DiarizationErrors, diarization_errors
from models.speech.protocols import Diarizer, SpeakerTurn

COLLAR = 0.25
"""Seconds left unscored on each side of every boundary."""
_RATE = 16_000


@dataclass(frozen=True, slots=True)
class Score:
    """What a diarizer made of one recording."""

    recording: str
    seconds: float
    """Length of the recording."""
    speakers: int
    speakers_found: int
    error_rate: float
    """Diarization error rate, everything scored, overlapping speech too; 0 is perfect."""
    error_rate_with_collar: float
    """The same with `COLLAR`."""
    errors: DiarizationErrors
    """What `error_rate` is made of."""
    errors_with_collar: DiarizationErrors
    times_real_time: float
    """Seconds of recording for each second of processor time, all cores together."""


def benchmark(
    diarizer: Diarizer,
    recordings: Sequence[Recording],
    *,
    told: bool = False,
    progress: Callable[[float], None] = lambda share: None,
) -> Iterator[Score]:
    """Scores, one recording after the other.

    Args:
        told: whether the diarizer is told how many speakers there are.
        progress: called with the share of the recordings that is done, 0..1.

    Raises:
        InputError: a recording or an annotation cannot be read.
    """
    for done, recording in enumerate(recordings, 1):
        truth = [
            SpeakerTurn(turn.speaker, turn.start, turn.end)
            for turn in read_rttm(recording.annotation)
            if turn.start is not None and turn.end is not None
        ]
        samples = read_audio(recording.sound, _RATE)
        speakers = len({turn.speaker for turn in truth})
        if done == 1:  # the engine loads its weights once, which is no part of its speed
            diarizer.diarize(samples[: 5 * _RATE], _RATE)
        began = time.process_time()
        found = diarizer.diarize(samples, _RATE, speakers=speakers if told else None)
        spent = time.process_time() - began
        errors, with_collar = (diarization_errors(truth, found.turns, collar) for collar in (0.0, COLLAR))
        yield Score(
            recording=recording.sound.name,
            seconds=len(samples) / _RATE,
            speakers=speakers,
            speakers_found=len({turn.speaker for turn in found.turns}),
            error_rate=errors.rate,
            error_rate_with_collar=with_collar.rate,
            errors=errors,
            errors_with_collar=with_collar,
            times_real_time=len(samples) / _RATE / max(spent, 1e-6),
        )
        progress(done / len(recordings))
