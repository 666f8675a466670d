"""The `whisper` audio encoder: what every layer of Whisper's encoder hears around a video frame, as EchoMimic v1 has it."""

from collections import OrderedDict
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor

from media.long_sound import Sound
from models.emo.audio import held

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

    def listen(self, samples: Sound, frames: int, fps: int) -> "Hearing":
        """What is heard at each of `frames` frames; sound that is missing at the end is silence.

        Args:
            samples: (N,) mono at 16 kHz, [-1, 1].
        """
        return Hearing(self, samples, frames, fps)


class Hearing:
    """Whisper's features of one recording; a few chunks of 30 s are held at a time, however long it is."""

    def __init__(self, encoder: WhisperAudioEncoder, samples: Sound, frames: int, fps: int):
        from whisper.audio import HOP_LENGTH, N_FFT, SAMPLE_RATE, mel_filters

        self._encoder, self._samples, self._fps = encoder, samples, fps
        self._length = frames * SAMPLE_RATE // fps
        self._moments = self._length // HOP_LENGTH
        self._window, self._filters = torch.hann_window(N_FFT), mel_filters("cpu", encoder.config.n_mels)
        # The level is relative to the loudest moment of all of the sound.
        chunks = range(-(-self._moments // (2 * CHUNK)))
        self._loudest = torch.stack([self._level(number).max() for number in chunks]).max()
        self._chunks: OrderedDict[int, Tensor] = OrderedDict()
        self.rows = max(1, self._moments // 2)
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
        return held(self._chunks, number, self._hear, _KEPT_CHUNKS)

    def _hear(self, number: int) -> Tensor:
        first = next(self._encoder.parameters())
        mel = self._mel(number)
        mel = F.pad(mel, (0, 2 * CHUNK - mel.shape[-1])).to(first)
        return self._encoder(mel[None])[0]

    def _mel(self, number: int) -> Tensor:
        """Whisper's log-mel spectrogram of a chunk, (n_mels, 3000), or fewer at the end."""
        return self._level(number).clamp_(min=self._loudest - 8.0).add_(4.0).div_(4.0)

    def _level(self, number: int) -> Tensor:
        from whisper.audio import HOP_LENGTH, N_FFT

        start, half = 2 * CHUNK * number, N_FFT // 2
        end = min(start + 2 * CHUNK, self._moments)
        first, last = start * HOP_LENGTH - half, (end - 1) * HOP_LENGTH + half
        part = torch.from_numpy(self._samples[max(0, first) : min(last, self._length)].copy())
        part = F.pad(part, (0, min(last, self._length) - max(0, first) - len(part)))
        # Beyond both ends the sound is reflected.
        beyond = (max(0, -first), max(0, last - self._length))
        part = F.pad(part[None], beyond, mode="reflect")[0]
        spectrum = torch.stft(part, N_FFT, HOP_LENGTH, window=self._window, center=False, return_complex=True)
        return (self._filters @ spectrum.abs() ** 2).clamp_(min=1e-10).log10_()
