"""The audio encoder, trained alone: invented speech to the mouth that says it and the head that follows it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.emo.audio import MelAudioEncoder, log_mel
from models.emo.corpus import augmented, motion_targets, training_utterance
from models.emo.training.stage import Stage, mixed_precision, save_whole

SHARD_UTTERANCES = 500
_LENGTH = 100
"""Frames of a training window."""
_WEIGHT = (2.0, 1, 1, 1, 0.7, 2, 1, 1, 1, 1)
_CLOSURE = 6.0
"""How much more a closed pair of lips weighs than an open one: closures are short, and seen at once when missing."""


def write_speech(run: Path, utterances: int, part: int = 0, parts: int = 1) -> None:
    """Mel spectrograms and what they should move, in shards; those that exist are left alone. Writes every `parts`-th."""
    folder = run / "speech"
    folder.mkdir(parents=True, exist_ok=True)
    for path, seeds in _shards(run, utterances)[part::parts]:
        if path.exists():
            continue
        mels, targets = [], []
        for seed in seeds:
            utterance = training_utterance(seed)
            samples = augmented(utterance.samples, np.random.default_rng([6, seed]))
            track = torch.from_numpy(motion_targets(utterance))
            mel = log_mel(torch.from_numpy(samples))[:, : 4 * len(track)]
            mels.append(mel.half())
            targets.append(track[: mel.shape[1] // 4].half())
        save_whole({"mels": mels, "targets": targets}, path)


def train_audio_encoder(
    run: Path, utterances: int, steps: int, progress: Callable[[float], None] | None = None
) -> MelAudioEncoder:
    """Mel to mouth parameters and prosody, on the shards of `write_speech`. Loss: weighted squared error."""
    torch.manual_seed(0)
    encoder = MelAudioEncoder()
    stage = Stage(run, "audio", nn.ModuleDict({"audio_encoder": encoder}), steps, 1.5e-3)
    if not stage.done:
        mels, targets = _speech(run, utterances)
        weight = torch.tensor(_WEIGHT)
        while not stage.done:
            rng = stage.rng()
            chosen = rng.integers(0, len(mels), 24)
            starts = [int(rng.integers(0, max(1, len(targets[i]) - _LENGTH))) for i in chosen]
            pairs = list(zip(chosen, starts, strict=True))
            mel = torch.stack([_window(mels[i].T, 4 * s, 4 * _LENGTH).T for i, s in pairs])
            wanted = torch.stack([_window(targets[i], s, _LENGTH) for i, s in pairs])
            with mixed_precision(mel.device):
                heard = encoder(mel)[1].float()
            error = (heard - wanted).square() * weight
            error[..., 5] *= 1 + _CLOSURE * wanted[..., 5]
            error = error[:, 5:-5]  # the ends of a window lack context that the whole utterance would have
            stage.update(error.mean(), mouth=error[..., 0].mean().item() / 2, prosody=error[..., 7:].mean().item())
            if progress:
                progress(stage.step / stage.steps)
    stage.finish()
    return encoder.eval()


def _shards(run: Path, utterances: int) -> list[tuple[Path, range]]:
    """Files and the seeds of their utterances."""
    seeds = [
        range(first, min(first + SHARD_UTTERANCES, utterances)) for first in range(0, utterances, SHARD_UTTERANCES)
    ]
    return [(run / "speech" / f"{part.start:06d}-{part.stop:06d}.pt", part) for part in seeds]


def _window(track: Tensor, start: int, length: int) -> Tensor:
    """Rows start .. start + length of (T, C), as float32, the last row repeated where the track is too short."""
    rows = track[start : start + length].float()
    return torch.cat([rows, rows[-1:].expand(length - len(rows), -1)])


def _speech(run: Path, count: int) -> tuple[list[Tensor], list[Tensor]]:
    mels, targets = [], []
    for path, _ in _shards(run, count):
        saved = torch.load(path, weights_only=True)
        mels += saved["mels"]
        targets += saved["targets"]
    return mels, targets
