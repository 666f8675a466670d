"""Where somebody speaks: silero-vad, whose wheel carries its weights."""

import warnings
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from media.errors import MissingEngineError
from models.speech.protocols import Progress, Samples
from models.speech.torch_threads import one_thread

if TYPE_CHECKING:
    import torch

RATE = 16000
FRAME = 512 / RATE
"""Seconds between two speech probabilities."""

_ON, _OFF = 0.5, 0.35
_LEAST_SPEECH, _LEAST_SILENCE = 0.15, 0.2
_WARM_UP = 30
"""Frames that a parallel stream hears before its own part: the detector has a memory of about a second."""


def speech_regions(samples: Samples, progress: Progress | None = None) -> list[tuple[float, float]]:
    """Stretches of speech as (start, end) in seconds, in order, apart by at least 0.2 s.

    Args:
        samples: mono float32 at 16 kHz.

    The starts are exact to about 30 ms; the ends come some 60 ms late.
    """
    return _regions(_probabilities(samples, progress), len(samples) / RATE)


def at_16_khz(samples: Samples, sample_rate: int) -> Samples:
    """Mono float32 at any rate -> at 16 kHz, contiguous."""
    samples = np.ascontiguousarray(samples, np.float32)
    if sample_rate == RATE:
        return samples
    import torch
    import torchaudio

    resampled: Samples = torchaudio.functional.resample(torch.from_numpy(samples), sample_rate, RATE).numpy()
    return resampled


def _regions(probabilities: NDArray[np.float32], duration: float) -> list[tuple[float, float]]:
    """Hysteresis: speech begins at `_ON`; it ends where it falls below `_OFF` and is not back at `_ON` soon."""
    regions: list[tuple[float, float]] = []
    start = fell = -1
    for frame, probability in enumerate(probabilities.tolist()):
        if probability >= _ON:
            if start < 0:
                start = frame
            fell = -1
        elif start >= 0 and probability < _OFF:
            if fell < 0:
                fell = frame
            if (frame - fell) * FRAME >= _LEAST_SILENCE:
                regions.append((start * FRAME, fell * FRAME))
                start = fell = -1
    if start >= 0:
        regions.append((start * FRAME, duration if fell < 0 else fell * FRAME))
    return [(start, end) for start, end in regions if end - start >= _LEAST_SPEECH]


def _probabilities(samples: Samples, progress: Progress | None) -> NDArray[np.float32]:
    """Probability of speech in every frame of 32 ms, shape (frames,).

    Recordings longer than two minutes are heard as several streams at once, which is several times faster.
    """
    import torch

    model = _model()
    frames = -(-len(samples) // 512)
    streams = min(max(int(frames * FRAME // 60), 1), 16)
    share = -(-frames // streams)
    padded = np.zeros((streams * share + _WARM_UP) * 512, np.float32)
    padded[_WARM_UP * 512 :][: len(samples)] = samples
    starts = np.arange(streams) * share * 512
    found = np.zeros((streams, share), np.float32)
    # The model keeps state between calls: another thread must not come in between.
    with one_thread(), torch.inference_mode():
        model.reset_states()
        for frame in range(share + _WARM_UP):
            chunk = np.stack([padded[start + frame * 512 : start + (frame + 1) * 512] for start in starts])
            probability = model(torch.from_numpy(chunk), RATE)
            if frame >= _WARM_UP:
                found[:, frame - _WARM_UP] = probability[:, 0].numpy()
            if progress is not None and frame % 500 == 0:
                progress(frame / (share + _WARM_UP))
    return found.reshape(-1)[:frames]


@cache
def _model() -> "torch.jit.ScriptModule":
    """Loaded from its file: importing the package would limit torch to one thread, in the whole process."""
    spec = find_spec("silero_vad")
    if spec is None or spec.submodule_search_locations is None:
        raise MissingEngineError("silero-vad is not installed; run 'pip install silero-vad>=6.2,<7'.")
    import torch

    path = Path(spec.submodule_search_locations[0]) / "data" / "silero_vad.jit"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.load(str(path), map_location="cpu").eval()
