"""The `whisper` audio encoder: what every layer of Whisper's encoder hears around a video frame, as EchoMimic v1 has it."""

from collections import OrderedDict
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from numpy.typing import NDArray
from torch import Tensor

RATE = 50
"""Rows of features a second."""
CHUNK = 1500
"""Rows that Whisper hears at once: 30 s."""
BEFORE, AFTER = 4, 6
"""Rows around a frame: from 4 before it to 5 behind it."""
_KEPT_CHUNKS = 3


class WhisperAudioEncoder(ModelMixin, ConfigMixin):
    """Whisper's encoder, read before every layer and behind the last one, ahead of the final norm.

    Args: sizes, as `whisper.model.ModelDimensions` names them; those of whisper-tiny when not given.
    """

    @register_to_config
    def __init__(
        self,
        n_mels: int = 80,
        n_audio_ctx: int = CHUNK,
        n_audio_state: int = 384,
        n_audio_head: int = 6,
        n_audio_layer: int = 4,
    ):
        super().__init__()
        from whisper.model import AudioEncoder

        self.encoder = AudioEncoder(n_mels, n_audio_ctx, n_audio_state, n_audio_head, n_audio_layer)

    def forward(self, mel: Tensor) -> Tensor:
        """(B, n_mels, 3000) log-mel spectrograms to (B, 1500, n_audio_layer + 1, n_audio_state)."""
        encoder: Any = self.encoder
        x = F.gelu(encoder.conv2(F.gelu(encoder.conv1(mel)))).transpose(1, 2)
        x = (x + encoder.positional_embedding).to(x.dtype)
        layers = [x]
        for block in encoder.blocks:
            layers.append(x := block(x))
        return torch.stack(layers, 2)

    def listen(self, samples: NDArray[np.float32], frames: int, fps: int) -> "Hearing":
        """What is heard at each of `frames` frames; sound that is missing at the end is silence.

        Args:
            samples: (N,) mono at 16 kHz, [-1, 1].
        """
        from whisper.audio import SAMPLE_RATE

        wanted = frames * SAMPLE_RATE // fps
        heard = torch.from_numpy(samples[:wanted].copy())
        if (missing := wanted - len(heard)) > 0:
            heard = F.pad(heard, (0, missing))
        return Hearing(self, _log_mel(heard, self.config.n_mels), fps)


def _log_mel(samples: Tensor, n_mels: int) -> Tensor:
    """Whisper's log-mel spectrogram of (N,) samples: (n_mels, N // 160), 32 kB a second.

    The level is relative to the loudest moment of all of the sound; what comes before is done in parts of two minutes, since a
    spectrum takes 150 kB a second.
    """
    from whisper.audio import HOP_LENGTH, N_FFT, mel_filters

    window, filters = torch.hann_window(N_FFT), mel_filters("cpu", n_mels)
    padded = F.pad(samples[None], (N_FFT // 2, N_FFT // 2), mode="reflect")[0]
    count, at_once = len(samples) // HOP_LENGTH, 4 * 2 * CHUNK
    parts = []
    for start in range(0, count, at_once):
        end = (min(start + at_once, count) - 1) * HOP_LENGTH + N_FFT
        part = padded[start * HOP_LENGTH : end]
        spectrum = torch.stft(part, N_FFT, HOP_LENGTH, window=window, center=False, return_complex=True)
        parts.append(filters @ spectrum.abs() ** 2)
    level = torch.cat(parts, 1).clamp_(min=1e-10).log10_()
    return level.clamp_(min=level.max() - 8.0).add_(4.0).div_(4.0)


class Hearing:
    """Whisper's features of one recording; a few chunks of 30 s are held at a time, however long it is."""

    def __init__(self, encoder: WhisperAudioEncoder, mel: Tensor, fps: int):
        self._encoder, self._mel, self._fps = encoder, mel, fps
        self._chunks: OrderedDict[int, Tensor] = OrderedDict()
        self.rows = max(1, mel.shape[-1] // 2)
        """Rows of features."""

    def tokens(self, frames: Tensor) -> Tensor:
        """(n,) frame numbers to (n, 10 * layers, n_audio_state): the rows around each frame, row by row."""
        rows, places = self.around(frames)
        return rows[places].flatten(1, 2)

    def around(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """(n,) frame numbers, near each other, to rows (R, layers, n_audio_state), and which of them are around each frame
        (n, 10): neighbours share most of theirs."""
        middle = (frames.cpu().double() * RATE / self._fps).floor().long()
        index = (middle[:, None] + torch.arange(-BEFORE, AFTER)).clamp(0, self.rows - 1)
        first, end = int(index.min()), int(index.max()) + 1
        chunks = range(first // CHUNK, (end - 1) // CHUNK + 1)
        rows = torch.cat([self._chunk(n)[max(0, first - n * CHUNK) : end - n * CHUNK] for n in chunks])
        return rows, (index - first).to(rows.device)

    def _chunk(self, number: int) -> Tensor:
        """(1500, layers, n_audio_state)."""
        if number in self._chunks:
            self._chunks.move_to_end(number)
            return self._chunks[number]
        first = next(self._encoder.parameters())
        mel = self._mel[:, 2 * CHUNK * number : 2 * CHUNK * (number + 1)]
        mel = F.pad(mel, (0, 2 * CHUNK - mel.shape[-1])).to(first)
        self._chunks[number] = self._encoder(mel[None])[0]
        while len(self._chunks) > _KEPT_CHUNKS:
            self._chunks.popitem(last=False)
        return self._chunks[number]
