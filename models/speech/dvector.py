"""The diarizer that is always there: who spoke when, from voice embeddings and clustering; 29x real time on one core.

silero-vad finds the speech, d-vectors say how it sounds, Ward clustering groups what sounds alike, and a Viterbi pass
decides frame by frame. It hears one speaker at a time, so it misses overlapping speech.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from media.errors import InputError
from models.speech import vad, voice_embedding
from models.speech.protocols import Diarization, Progress, Sound, SpeakerTurn

_WINDOW, _STEP = 1.6, 0.4
"""What is clustered: the length the model was trained on."""
_FINE_WINDOW, _FINE_STEP = 0.7, 0.2
"""What decides who speaks: uncertain one by one, but in quick exchanges 1.6 s confuses six times as much."""
_CLEAR_REGION = 0.8
"""Shorter stretches of speech are left out of clustering: their embeddings are too uncertain."""
_MOST_SPEAKERS = 8
_ALIKE = 0.86
"""Cosine of two clusters' centroids from which on they are taken for one voice."""
_STILL_ALIKE = 0.82
"""The same, once the windows in which two people speak are left out."""
_PURE = 0.9
_CLUSTERED = 3000
"""Windows that are clustered at most (20 minutes of speech); the rest is assigned to the clusters found."""

_BLOCK = 4096

_FRAME = 0.1
_SHARPNESS = 10.0
_SWITCH = 1.5
"""What changing the speaker costs, against `_SHARPNESS` x cosine a frame."""
_LATE_END = 0.057
_BRIDGED = 0.3
"""A pause within one speaker's speech that does not end the turn, seconds."""


class DvectorDiarizer:
    """The embedded diarizer, behind the `Diarizer` protocol."""

    name = "dvector"

    @property
    def version(self) -> str:
        return f"silero-vad {version('silero-vad')}, resemblyzer {version('resemblyzer')}"

    def diarize(
        self,
        samples: Sound,
        sample_rate: int,
        *,
        speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        progress: Progress | None = None,
    ) -> Diarization:
        """Who spoke when in a recording: mono float32 at any rate.

        Without a number of speakers it looks for 2 to 8, and takes one when no split is clear. Silence has no turns.

        Raises:
            InputError: the numbers of speakers contradict one another.
        """
        least, most = _speaker_range(speakers, min_speakers, max_speakers)
        report = progress or (lambda share: None)
        heard = vad.heard_at_16_khz(samples, sample_rate)
        regions = vad.speech_regions(heard, lambda share: report(0.3 * share))
        if not regions:
            return Diarization((), (), {}, "No speech was found.")
        coarse = [window for region in regions for window in _windows(region, _WINDOW, _STEP)]
        vectors = voice_embedding.embed(heard, coarse, lambda share: report(0.3 + 0.3 * share), kind=np.float16)
        fine = [window for region in regions for window in _windows(region, _FINE_WINDOW, _FINE_STEP)]
        fine_vectors = voice_embedding.embed(heard, fine, lambda share: report(0.6 + 0.4 * share), kind=np.float16)
        recording = _Recording(regions, np.array(coarse), vectors, np.array(fine), fine_vectors)
        voices, note = _voices(recording, least, most)
        turns, labels = _turns(regions, *_decoded(recording, voices))
        embeddings = {label: tuple(voices[voice].tolist()) for voice, label in labels.items()}
        return Diarization(turns, turns, embeddings, note)


@dataclass(frozen=True, slots=True)
class _Recording:
    """Where there is speech, and how it sounds there."""

    regions: Sequence[tuple[float, float]]
    coarse: NDArray[np.float64]
    """Windows (start, end) for clustering, shape (windows, 2)."""
    coarse_vectors: NDArray[np.float16]
    """Their voice embeddings, shape (windows, 256)."""
    fine: NDArray[np.float64]
    fine_vectors: NDArray[np.float16]

    @property
    def seconds(self) -> float:
        return sum(end - start for start, end in self.regions)


def _speaker_range(speakers: int | None, least: int | None, most: int | None) -> tuple[int, int]:
    for name, number in (("speakers", speakers), ("min-speakers", least), ("max-speakers", most)):
        if number is not None and number < 1:
            raise InputError(f"{name} is {number}; give at least 1, or leave it out.")
    if speakers is not None:
        return speakers, speakers
    low = least or 1
    high = most or max(_MOST_SPEAKERS, low)
    if low > high:
        raise InputError(f"min-speakers ({low}) is above max-speakers ({high}); swap them, or leave one out.")
    return low, high


def _windows(region: tuple[float, float], length: float, step: float) -> list[tuple[float, float]]:
    """Windows of `length` every `step` seconds, the last flush with the region's end; a short region is one window."""
    start, end = region
    if end - start <= length:
        return [(start, end)]
    starts = [*np.arange(start, end - length, step).tolist(), end - length]
    return [(begin, begin + length) for begin in starts]


def _voices(recording: _Recording, least: int, most: int) -> tuple[NDArray[np.float32], str]:
    """Centroids of the speakers' voices, shape (speakers, 256), and how sure their number is."""
    from scipy.cluster.hierarchy import fcluster, linkage

    length = recording.coarse[:, 1] - recording.coarse[:, 0]
    vectors = recording.coarse_vectors[length >= min(_CLEAR_REGION, length.max())]
    chosen = np.linspace(0, len(vectors) - 1, min(len(vectors), _CLUSTERED)).round().astype(int)
    vectors = vectors[chosen].astype(np.float32)
    together = _unit(vectors.mean(axis=0, keepdims=True))
    if most == 1:
        return together, _note(1, True, 1.0)
    most, least = min(most, len(vectors)), min(least, len(vectors))
    if most == 1:
        return together, "1 speaker; there is too little speech to tell voices apart."
    tree = linkage(vectors, "ward")
    enough = float(np.clip(0.1 * recording.seconds, 3.0, 4.0))
    closest = 1.0
    for count in range(most, 1, -1):
        labels = fcluster(tree, count, "maxclust")
        sizes = np.bincount(labels)[1:]
        centroids = np.array([_unit(vectors[labels == label].mean(axis=0)) for label in range(1, len(sizes) + 1)])
        clear = _closest(centroids) < _ALIKE and sizes.min() / len(vectors) * recording.seconds >= enough
        purer = _purified(recording, centroids) if clear or count <= least else None
        closest = _closest(centroids if purer is None else purer)
        if count <= least or (clear and purer is not None and closest < _STILL_ALIKE):
            return centroids if purer is None else purer, _note(len(centroids), least == most, closest)
    return together, _note(1, False, closest)


def _purified(recording: _Recording, centroids: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """The centroids again, from windows in which one voice speaks throughout; None when a voice has none such.

    In quick exchanges most windows hear two people, which makes clusters that are nobody's voice.
    """
    for _ in range(2):
        frames, path = _decoded(recording, centroids)
        first, last = np.searchsorted(frames.mean(axis=1), recording.coarse.T)
        spoken = np.zeros((len(path) + 1, len(centroids)))
        np.cumsum(np.eye(len(centroids))[path], axis=0, out=spoken[1:])
        share = (spoken[last] - spoken[first]) / np.maximum(last - first, 1)[:, None]
        clear = recording.coarse[:, 1] - recording.coarse[:, 0] >= _CLEAR_REGION
        pure = [clear & (share[:, voice] >= _PURE) for voice in range(len(centroids))]
        if min(int(windows.sum()) for windows in pure) < 2:
            return None
        centroids = np.array(
            [_unit(recording.coarse_vectors[windows].mean(axis=0, dtype=np.float32)) for windows in pure]
        )
    return centroids


def _closest(centroids: NDArray[np.float32]) -> float:
    """Highest cosine of two of them."""
    return float((centroids @ centroids.T - 2 * np.eye(len(centroids))).max())


def _note(count: int, told: bool, closest: float) -> str:
    speakers = "1 speaker" if count == 1 else f"{count} speakers"
    if told:
        if count == 1:
            return "1 speaker, as told."
        return f"{speakers}, as told; told apart {'well' if closest < _STILL_ALIKE else 'with difficulty'}."
    if count == 1:
        sure = "fairly sure" if closest > 0.9 else "not sure"
        return f"1 speaker, {sure}; give the number of speakers if there are more."
    sure = "fairly sure" if closest < _STILL_ALIKE - 0.06 else "not sure"
    return (
        f"{speakers}, {sure} (the closest two voices are alike to {closest:.2f}); give their number if that is wrong."
    )


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _decoded(recording: _Recording, centroids: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The likeliest speaker of each 0.1 s of speech: (start, end) pairs, shape (frames, 2); speakers, (frames,)."""
    alike = _alike(recording.fine_vectors, centroids)
    middles = recording.fine.mean(axis=1)
    frames: list[NDArray[np.float64]] = []
    scores: list[NDArray[np.float64]] = []
    for start, end in recording.regions:
        edges = np.linspace(start, end, max(round((end - start) / _FRAME), 1) + 1)
        moments = (edges[:-1] + edges[1:]) / 2
        here = slice(*np.searchsorted(middles, (start, end)))
        scores.append(np.stack([np.interp(moments, middles[here], column[here]) for column in alike.T], axis=1))
        frames.append(np.stack([edges[:-1], edges[1:]], axis=1))
    return np.concatenate(frames), _viterbi(np.concatenate(scores) * _SHARPNESS, _SWITCH)


def _alike(vectors: NDArray[np.float16], centroids: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosines, shape (vectors, centroids); block by block, since a product needs more digits than they are kept in."""
    alike = np.empty((len(vectors), len(centroids)), np.float32)
    for first in range(0, len(vectors), _BLOCK):
        alike[first : first + _BLOCK] = vectors[first : first + _BLOCK].astype(np.float32) @ centroids.T
    return alike


def _viterbi(scores: NDArray[np.float64], switch: float) -> NDArray[np.int64]:
    """The path of states with the highest sum of `scores`, (steps, states), less `switch` for every change of state."""
    steps, states = scores.shape
    same = np.arange(states)
    came_from = np.empty((steps, states), np.int64)
    value = scores[0]
    for step in range(1, steps):
        best = int(value.argmax())
        jump = value[best] - switch
        came_from[step] = np.where(value >= jump, same, best)
        value = np.maximum(value, jump) + scores[step]
    path = np.empty(steps, np.int64)
    path[-1] = value.argmax()
    for step in range(steps - 1, 0, -1):
        path[step - 1] = came_from[step, path[step]]
    return path


def _turns(
    regions: Sequence[tuple[float, float]], frames: NDArray[np.float64], path: NDArray[np.int64]
) -> tuple[tuple[SpeakerTurn, ...], dict[int, str]]:
    """Joined frames, and the label of every voice, numbered as they are first heard."""
    labels: dict[int, str] = {}
    ends_late = {end for _, end in regions}
    turns: list[SpeakerTurn] = []
    for (start, end), voice in zip(frames.tolist(), path.tolist(), strict=True):
        speaker = labels.setdefault(voice, f"SPEAKER_{len(labels):02d}")
        if end in ends_late:
            end = max(end - _LATE_END, (start + end) / 2)
        if turns and turns[-1].speaker == speaker and start - turns[-1].end < _BRIDGED:
            turns[-1] = SpeakerTurn(speaker, turns[-1].start, end)
        else:
            turns.append(SpeakerTurn(speaker, start, end))
    return tuple(turns), labels
