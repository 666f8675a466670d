"""The `mel` audio encoder: what of the sound moves a face, one vector for every video frame.

A log-mel spectrogram goes through one-dimensional convolutions at 100 Hz and comes out at the frame rate. The encoder is
trained alone, on speech with phoneme times, to predict the seven mouth parameters and the three prosody curves of
`models.avatars.motion`; its hidden state and its predictions are what the diffusion model listens to.
"""

from collections import OrderedDict
from collections.abc import Callable

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from media.long_sound import Sound
from models.idle import IDLE

SAMPLE_RATE = 16_000
MEL_RATE = 100
"""Mel frames a second (hop of 10 ms)."""
_AT_ONCE = 30
"""Seconds of sound that are worked on together."""
_MEL_AT_ONCE = _AT_ONCE * MEL_RATE
_REACH = 2
"""Seconds, more than the encoder sees to either side of a frame."""
MOUTH = ("open", "wide", "round", "teeth", "tongue", "press", "tuck")
PROSODY = ("pitch", "yaw", "roll")


def mel_filters(n_mels: int, n_fft: int, sample_rate: int = SAMPLE_RATE) -> Tensor:
    """Triangular filters on the HTK mel scale, 50 Hz to half the sample rate. Returns (n_mels, n_fft // 2 + 1)."""
    to_mel = lambda hz: 2595.0 * torch.log10(1.0 + hz / 700.0)  # noqa: E731
    edges = torch.linspace(to_mel(torch.tensor(50.0)).item(), to_mel(torch.tensor(sample_rate / 2)).item(), n_mels + 2)
    hz = 700.0 * (10.0 ** (edges / 2595.0) - 1.0)
    bins = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1)
    rising = (bins[None] - hz[:-2, None]) / (hz[1:-1] - hz[:-2])[:, None]
    falling = (hz[2:, None] - bins[None]) / (hz[2:] - hz[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0)


def log_mel(samples: Tensor, n_mels: int = 80, n_fft: int = 512) -> Tensor:
    """Log-mel spectrogram, normalised over the utterance.

    Args:
        samples: (N,) mono at 16 kHz, [-1, 1].

    Returns:
        (n_mels, ceil(N / 160)) with the loudest parts near 1 and everything 60 dB below them at -1.
    """
    return LogMel(samples, samples.shape[0], n_mels, n_fft, samples.device).between(0, -(-samples.shape[0] // 160))


class LogMel:
    """The log-mel spectrogram of a sound of any length, of which only what is looked at is held.

    Args:
        samples: (N,) mono at 16 kHz, [-1, 1]; an array, a tensor, or on disk.
        length: in samples; where `samples` has fewer, the rest is silence.
    """

    def __init__(
        self,
        samples: Sound | Tensor,
        length: int,
        n_mels: int = 80,
        n_fft: int = 512,
        device: torch.device | str = "cpu",
    ):
        self._samples, self._length, self._n_fft, self._device = samples, length, n_fft, device
        self._window = torch.hann_window(400, device=device)
        self._filters = mel_filters(n_mels, n_fft).to(device)
        self._count = length // 160 + 2
        self._held: OrderedDict[int, Tensor] = OrderedDict()
        # Loudness differs between recordings, so the level is relative; silence stays silent through the absolute floor.
        parts = range(-(-self._count // _MEL_AT_ONCE))
        loudest = torch.cat([held(self._held, number, self._decibel).amax(0) for number in parts])[: -(-length // 160)]
        self._top = torch.quantile(loudest, 0.98).clamp(min=-30.0)

    def between(self, first: int, end: int) -> Tensor:
        """(n_mels, end - first) of the moments `first` to `end`, of 10 ms."""
        parts = range(first // _MEL_AT_ONCE, (end - 1) // _MEL_AT_ONCE + 1)
        seen = [
            held(self._held, n, self._decibel)[:, max(0, first - n * _MEL_AT_ONCE) : end - n * _MEL_AT_ONCE]
            for n in parts
        ]
        return ((torch.cat(seen, 1) - self._top) / 30.0 + 1.0).clamp(min=-1.0, max=1.5)

    def _decibel(self, number: int) -> Tensor:
        """(n_mels, n) of a part."""
        start, reach = number * _MEL_AT_ONCE, self._n_fft // 2
        first = 160 * start - reach
        end = 160 * (min(start + _MEL_AT_ONCE, self._count) - 1) + reach
        heard = self._samples[max(0, first) : min(end, self._length)]
        part = heard if isinstance(heard, Tensor) else torch.from_numpy(heard.copy()).to(self._device)
        part = F.pad(part, (max(0, -first), end - max(0, first) - part.shape[0]))
        spectrum = torch.stft(part, self._n_fft, 160, 400, self._window, center=False, return_complex=True)
        mel = self._filters @ spectrum.abs().square()
        return 10.0 * torch.log10(mel.clamp(min=1e-10))


class ChannelNorm(nn.Module):
    """Root-mean-square norm over channels, at each moment alone: a minute and an hour of sound are treated alike."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-6) * self.weight


class ResidualConv(nn.Module):
    def __init__(self, channels: int, kernel_size: int = 3, dilation: int = 1):
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.conv = nn.Conv1d(channels, channels, kernel_size, padding=dilation * (kernel_size // 2), dilation=dilation)
        self.out = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out(F.silu(self.conv(F.silu(self.norm(x)))))


class MelAudioEncoder(ModelMixin, ConfigMixin):
    """Mel spectrogram to one feature vector a video frame.

    The first half sees +-160 ms, enough for the mouth; the second, dilated, sees about +-1 s, for the head.
    """

    @register_to_config
    def __init__(self, n_mels: int = 80, channels: int = 160, fps: int = 25):
        super().__init__()
        self.conv_in = nn.Conv1d(n_mels, channels, 5, padding=2)
        self.near = nn.ModuleList([ResidualConv(channels, 5) for _ in range(5)])
        self.to_frames = nn.Conv1d(channels, channels, MEL_RATE // fps, stride=MEL_RATE // fps)
        self.mouth = nn.Linear(channels, len(MOUTH))
        self.far_in = nn.Conv1d(channels, channels // 2, 1)
        self.far = nn.ModuleList([ResidualConv(channels // 2, 5, dilation) for dilation in (1, 2, 4, 8)])
        self.prosody = nn.Linear(channels // 2, len(PROSODY))

    @property
    def feature_size(self) -> int:
        return self.config.channels + len(MOUTH) + len(PROSODY)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """
        Args:
            mel: (B, n_mels, T) at 100 Hz; T a multiple of 100 / fps.

        Returns:
            features (B, F, feature_size) for the diffusion model, and motion (B, F, 10): mouth parameters in [0, 1],
            then prosody in [-1, 1].
        """
        x = self.conv_in(mel)
        for block in self.near:
            x = block(x)
        frames = self.to_frames(F.silu(x))
        mouth = self.mouth(frames.transpose(1, 2)).sigmoid()
        far = self.far_in(frames)
        for block in self.far:
            far = block(far)
        prosody = self.prosody(far.transpose(1, 2)).tanh()
        motion = torch.cat([mouth, prosody], dim=-1)
        return torch.cat([frames.transpose(1, 2).tanh(), motion], dim=-1), motion

    def encode(self, samples: Sound | Tensor, frames: int) -> Tensor:
        """Features (frames, feature_size) of (N,) samples at 16 kHz; what is missing at the end is silence."""
        hearing = self.listen(samples, frames)
        return torch.cat([hearing.part(number) for number in range(hearing.parts)])

    def listen(self, samples: Sound | Tensor, frames: int) -> "MelHearing":
        """What `encode` returns, a part at a time: memory does not grow with the length."""
        return MelHearing(self, samples, frames)


class MelHearing:
    """Features of one recording; those of a minute are held at a time, however long it is."""

    def __init__(self, encoder: MelAudioEncoder, samples: Sound | Tensor, frames: int):
        config, device = encoder.config, next(encoder.parameters()).device
        length = max(len(samples), frames * SAMPLE_RATE // config.fps)
        self._encoder, self._frames = encoder, frames
        self._mel = LogMel(samples, length, config.n_mels, device=device)
        self._at_once = _AT_ONCE * config.fps
        self._held: OrderedDict[int, Tensor] = OrderedDict()
        self.parts = -(-frames // self._at_once)

    def part(self, number: int) -> Tensor:
        """Features (n, feature_size) of the frames of a part."""
        fps = self._encoder.config.fps
        each, reach, start = MEL_RATE // fps, _REACH * fps, number * self._at_once
        first, end = max(0, start - reach), min(start + self._at_once + reach, self._frames)
        heard = self._encoder(self._mel.between(first * each, end * each)[None])[0][0]
        return heard[start - first :][: self._at_once]

    def windows(self, frames: Tensor, reach: int = 2) -> Tensor:
        """(n,) frame numbers, near each other, to each of them with its neighbours, as `frame_windows`."""
        around = torch.arange(-reach, reach + 1, device=frames.device)
        index = (frames[:, None] + around).clamp(0, self._frames - 1)
        first, end = int(index.min()), int(index.max()) + 1
        parts = range(first // self._at_once, (end - 1) // self._at_once + 1)
        heard = [
            held(self._held, n, self.part)[max(0, first - n * self._at_once) : end - n * self._at_once] for n in parts
        ]
        return torch.cat(heard)[index - first]


def held(parts: "OrderedDict[int, Tensor]", number: int, make: Callable[[int], Tensor], most: int = 2) -> Tensor:
    """A part of something long: one of the few that were looked at last, or made now."""
    if number not in parts:
        parts[number] = make(number)
    parts.move_to_end(number)
    while len(parts) > most:
        parts.popitem(last=False)
    return parts[number]


def frame_windows(features: Tensor, reach: int = 2) -> Tensor:
    """Each frame with its neighbours: (F, C) -> (F, 2 * reach + 1, C); the ends are repeated (EMO, section 3.2)."""
    padded = torch.cat([features[:1].expand(reach, -1), features, features[-1:].expand(reach, -1)])
    return padded.unfold(0, 2 * reach + 1, 1).transpose(1, 2)


IDLE_UNIT = (0.25, 0.2, 0.1, 0.4, 0.3, 0.3, 0.7)
"""About the spread of each column of `models.idle.IDLE`: all of them are heard equally well."""


class AudioProjector(ModelMixin, ConfigMixin):
    """Windows of audio features to cross-attention tokens, and to an embedding that shifts every residual block.

    Idle motion (`models.idle`) takes the same two ways, as one more token and as an embedding of its own: the sound does not
    say when to blink.
    """

    @register_to_config
    def __init__(self, feature_size: int = 170, window: int = 5, token_size: int = 128, embedding_size: int = 384):
        super().__init__()
        self.tokens = _perceptron(feature_size, token_size)
        self.positions = nn.Parameter(torch.randn(window, token_size) * 0.02)
        self.embedding = _perceptron(feature_size * window, embedding_size)
        self.idle_token = _perceptron(len(IDLE), token_size)
        self.idle_embedding = _perceptron(len(IDLE), embedding_size)

    def forward(self, windows: Tensor, idle: Tensor) -> tuple[Tensor, Tensor]:
        """
        Args:
            windows: (N, window, feature_size), one row a frame.
            idle: (N, 7), as `models.idle.idle_motion`.

        Returns:
            tokens (N, window + 1, token_size) and embeddings (N, embedding_size).
        """
        resting = idle / torch.tensor(IDLE_UNIT).to(idle)
        tokens = torch.cat([self.tokens(windows) + self.positions, self.idle_token(resting)[:, None]], 1)
        return tokens, self.embedding(windows.flatten(1)) + self.idle_embedding(resting)


def _perceptron(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.SiLU(), nn.Linear(outputs, outputs))
