"""Parts of videos as the networks are trained on them: the rows that `models.emo.training.scenes` writes for drawn scenes.

A part is cut into rows of `SCENE_FRAMES` pictures, one after the other; the last one ends with the part, so it may overlap.
Each row has a portrait of its own: another picture of the same part, by chance, outside of the row where the part is long
enough. Idle motion is zero: nobody knows it of a real person.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from media.atomic import whole_file
from models.emo.audio import MelAudioEncoder, frame_windows
from models.emo.autoencoder import AutoencoderCodec
from models.emo.training.plan import SCENE_FRAMES, SHARD_SCENES
from models.emo.training.stage import save_whole
from models.emo.training.videos.prepare import part_pictures, part_sound, read_part
from models.idle import IDLE


@dataclass(frozen=True, slots=True)
class Row:
    part: Path
    """Its measurements."""
    start: int
    """First picture."""
    portrait: int
    """The picture that serves as portrait."""


def rows_of(parts: Sequence[Path]) -> list[Row]:
    """All rows of all parts, parts in an order by chance; as many as fill whole shards, so some come twice.

    The same parts give the same rows.
    """
    rng = np.random.default_rng([11, len(parts)])
    rows = []
    for index in rng.permutation(len(parts)):
        count = len(read_part(parts[index]))
        for start in range(0, count, SCENE_FRAMES):
            start = max(0, min(start, count - SCENE_FRAMES))
            others = np.r_[0:start, start + SCENE_FRAMES : count] if count > SCENE_FRAMES else np.arange(count)
            rows.append(Row(parts[index], start, int(rng.choice(others))))
    missing = -len(rows) % SHARD_SCENES
    return rows + [rows[index % len(rows)] for index in range(missing)]


def begin_shards(folder: Path, rows: Sequence[Row], codec: str) -> list[Path]:
    """The files that `write_shard` is to write, one for every `SHARD_SCENES` rows. Those of other rows or another codec go.

    Args:
        codec: what tells it from others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / "rows.json"
    content = {
        "codec": codec,
        "rows": [
            [os.path.relpath(row.part, folder), row.part.stat().st_mtime_ns, row.start, row.portrait] for row in rows
        ],
    }
    text = json.dumps(content)
    if not index.exists() or index.read_text(encoding="utf-8") != text:
        for old in folder.glob("*.pt"):
            old.unlink()
        with whole_file(index) as aside:
            aside.write_text(text, encoding="utf-8")
    return [folder / f"{shard:05d}.pt" for shard in range(len(rows) // SHARD_SCENES)]


def write_shard(path: Path, rows: Sequence[Row], codec: AutoencoderCodec, encoder: MelAudioEncoder) -> None:
    """The rows of one shard, stacked; nothing if it is there."""
    if path.exists():
        return
    done = [row for _, same in groupby(rows, key=lambda row: row.part) for row in encoded(list(same), codec, encoder)]
    save_whole({key: torch.stack([row[key] for row in done]) for key in done[0]}, path)


@torch.no_grad()
def encoded(rows: Sequence[Row], codec: AutoencoderCodec, encoder: MelAudioEncoder) -> list[dict[str, Tensor]]:
    """What training reads of some rows of one part.

    Each has `latents` (F, C, h, w) and `still` (C, h, w), which are those of the portrait; `portrait` (A, h, w), its
    appearance; `windows` (F, 5, feature), `idle` (F, 7), `opening` (F,) 0..1, `speed` in degrees a second, and `face` and
    `mouth` (4,) in fractions of the picture. F is `SCENE_FRAMES`.
    """
    part = read_part(rows[0].part)
    pictures = np.stack(list(part_pictures(rows[0].part)))
    windows = frame_windows(encoder.encode(torch.from_numpy(part_sound(rows[0].part)), len(part)))
    found = []
    for row in rows:
        inside = np.minimum(np.arange(row.start, row.start + SCENE_FRAMES), len(part) - 1)
        portrait = _images(pictures[row.portrait : row.portrait + 1], codec)
        found.append(
            {
                "latents": codec.encode(_images(pictures[inside], codec), portrait).cpu().half(),
                "still": codec.still(portrait)[0].cpu().half(),
                "portrait": codec.appearance(portrait)[0].cpu().half(),
                "windows": windows[inside].half(),
                "idle": torch.zeros(SCENE_FRAMES, len(IDLE), dtype=torch.float16),
                "opening": torch.from_numpy(part.opening[inside]).half(),
                "speed": torch.tensor(part.speed),
                "face": torch.from_numpy(part.face),
                "mouth": torch.from_numpy(part.mouth),
            }
        )
    return found


def _images(pictures: np.ndarray, codec: AutoencoderCodec) -> Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) in [-1, 1], where the codec is."""
    return torch.from_numpy(pictures).to(codec.device).permute(0, 3, 1, 2).float() / 127.5 - 1
