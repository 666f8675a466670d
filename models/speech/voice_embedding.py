"""How a voice sounds, as a vector: the GE2E d-vector model whose weights resemblyzer's wheel carries (Apache-2.0).

Wan et al. (2018), "Generalized end-to-end loss for speaker verification". resemblyzer itself is never imported: it asks
for webrtcvad and librosa, which are not needed here.
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from media.errors import MissingEngineError
from models.speech.protocols import Progress, Sound
from models.speech.torch_threads import one_thread

if TYPE_CHECKING:
    import torch

RATE = 16000
HOP = 0.01
"""Seconds between two mel frames."""
SIZE = 256

_LEVEL = 10 ** (-30 / 20)
_MELS = 40
_BATCH = 256
_BLOCK = 1 << 20


def embed(
    samples: Sound,
    windows: Sequence[tuple[float, float]],
    progress: Progress | None = None,
    *,
    kind: type[np.float32] | type[np.float16] = np.float32,
) -> NDArray[Any]:
    """Unit-length voice embeddings, shape (len(windows), 256).

    Args:
        samples: mono float32 at 16 kHz: the whole recording, because its level is brought to -30 dBFS as one.
        windows: (start, end) in seconds; the model was trained on 1.6 s. Those of one length are computed together.
        kind: float16 takes half the memory, and is as good: cosines change by 1e-4.
    """
    import torch

    encoder = _encoder()
    power = sum(
        float(np.square(samples[at : at + _BLOCK], dtype=np.float64).sum()) for at in range(0, len(samples), _BLOCK)
    )
    level = (power / max(len(samples), 1)) ** 0.5
    gain = _LEVEL / level if level > 0 else 1.0
    found = np.zeros((len(windows), SIZE), kind)
    by_length: dict[int, list[int]] = {}
    for place, (start, end) in enumerate(windows):
        by_length.setdefault(max(round((end - start) / HOP), 1), []).append(place)
    done = 0
    for frames, places in by_length.items():
        for first in range(0, len(places), _BATCH):
            batch = places[first : first + _BATCH]
            count = frames * round(HOP * RATE)
            waves = np.zeros((len(batch), count), np.float32)
            for row, place in enumerate(batch):
                begin = round(windows[place][0] * RATE)
                piece = samples[begin : begin + count]
                waves[row, : len(piece)] = piece
            with one_thread(), torch.inference_mode():
                mels = mel_power(torch.from_numpy(waves * np.float32(gain)))[:, :frames]
                found[batch] = encoder(mels).numpy()
            done += len(batch)
            if progress is not None:
                progress(done / len(windows))
    return found


def mel_power(waves: "torch.Tensor") -> "torch.Tensor":
    """Power mel spectrogram, not its logarithm: (batch, samples) at 16 kHz -> (batch, frames, 40); a frame is 10 ms."""
    import torch

    spectrum = torch.stft(
        waves, 400, 160, window=torch.hann_window(400), center=True, pad_mode="constant", return_complex=True
    )
    return (spectrum.abs().square().transpose(1, 2) @ _mel_filters()).contiguous()


@cache
def _mel_filters() -> "torch.Tensor":
    """Slaney's mel scale and normalisation, shape (201, 40)."""
    import torchaudio

    return torchaudio.functional.melscale_fbanks(201, 0.0, RATE / 2, _MELS, RATE, norm="slaney", mel_scale="slaney")


@cache
def _encoder() -> "torch.nn.Module":
    spec = find_spec("resemblyzer")
    if spec is None or spec.submodule_search_locations is None:
        raise MissingEngineError("The weights of the d-vector model are missing; run 'pip install resemblyzer==0.1.4'.")
    import torch
    from torch import nn

    class GE2E(nn.Module):
        """(batch, frames, 40) -> (batch, 256): the last state of three LSTM layers, projected, at unit length."""

        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(_MELS, SIZE, 3, batch_first=True)
            self.linear = nn.Linear(SIZE, SIZE)

        def forward(self, mels: torch.Tensor) -> torch.Tensor:
            _, (hidden, _) = self.lstm(mels)
            return nn.functional.normalize(self.linear(hidden[-1]).relu(), dim=1)

    path = Path(spec.submodule_search_locations[0]) / "pretrained.pt"
    state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    encoder = GE2E()
    encoder.load_state_dict({name: value for name, value in state.items() if name.startswith(("lstm.", "linear."))})
    return encoder.eval().requires_grad_(False)
