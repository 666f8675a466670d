"""Diarization error rate, exact, from the boundaries; agrees with pyannote.metrics, whose import takes seconds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.speech.protocols import SpeakerTurn


@dataclass(frozen=True, slots=True)
class DiarizationErrors:
    """What is wrong with a diarization, each as a share of all speech of the reference."""

    missed: float
    """Speech that was not found; where two speak and one was found, the other's."""
    false_alarm: float
    """Speech that was found where there is none, or a second speaker where there is one."""
    confusion: float
    """Speech that was given to another speaker."""

    @property
    def rate(self) -> float:
        """Diarization error rate: 0 is perfect, more than 1 possible."""
        return self.missed + self.false_alarm + self.confusion


def diarization_error_rate(
    reference: Sequence[SpeakerTurn], hypothesis: Sequence[SpeakerTurn], collar: float = 0.0
) -> float:
    """The sum of `diarization_errors`."""
    return diarization_errors(reference, hypothesis, collar).rate


def diarization_errors(
    reference: Sequence[SpeakerTurn], hypothesis: Sequence[SpeakerTurn], collar: float = 0.0
) -> DiarizationErrors:
    """Missed, falsely found and confused speech over all speech of the reference.

    Overlapping speech counts once for each speaker. The labels of the hypothesis are matched to those of the reference
    so that the fewest seconds are confused.

    Args:
        collar: seconds left unscored on each side of every boundary in the reference (0.25 is usual; pyannote.metrics
            calls that 0.5).
    """
    edges = {edge for turn in (*reference, *hypothesis) for edge in (turn.start, turn.end)}
    spared = [(edge - collar, edge + collar) for turn in reference for edge in (turn.start, turn.end)]
    if collar > 0:
        edges.update(edge for pair in spared for edge in pair)
    bounds = np.array(sorted(edges))
    if len(bounds) < 2:
        return DiarizationErrors(0.0, 0.0, 0.0)
    middles, seconds = (bounds[:-1] + bounds[1:]) / 2, np.diff(bounds)
    if collar > 0:
        seconds = np.where(_covered(spared, middles), 0.0, seconds)
    said, found = _activity(reference, middles), _activity(hypothesis, middles)
    speaking, heard = said.sum(axis=0), found.sum(axis=0)
    total = float((speaking * seconds).sum())
    missed = float((np.maximum(speaking - heard, 0) * seconds).sum())
    too_much = float((np.maximum(heard - speaking, 0) * seconds).sum())
    confused = float((np.minimum(speaking, heard) * seconds).sum()) - _matched(said @ (found * seconds).T)
    if total == 0:
        return DiarizationErrors(0.0, 0.0 if too_much == 0 else float("inf"), 0.0)
    return DiarizationErrors(missed / total, too_much / total, max(confused, 0.0) / total)


def _matched(together: NDArray[np.float64]) -> float:
    """Most seconds that a one-to-one matching of rows and columns can have."""
    if not together.size:
        return 0.0
    from scipy.optimize import linear_sum_assignment

    return float(together[linear_sum_assignment(together, maximize=True)].sum())


def _activity(turns: Sequence[SpeakerTurn], moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 where a speaker speaks, shape (speakers, moments)."""
    speakers = dict.fromkeys(turn.speaker for turn in turns)
    rows = [
        _covered([(turn.start, turn.end) for turn in turns if turn.speaker == speaker], moments) for speaker in speakers
    ]
    return np.array(rows, np.float64).reshape(len(speakers), len(moments))


def _covered(stretches: Sequence[tuple[float, float]], moments: NDArray[np.float64]) -> NDArray[np.bool_]:
    covered = np.zeros(len(moments), bool)
    for start, end in stretches:
        covered[np.searchsorted(moments, start, "left") : np.searchsorted(moments, end, "right")] = True
    return covered
