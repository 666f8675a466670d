"""Training data of the three stages: drawn scenes as latents, in shards that are written once and read many times."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.avatars.drawing import POSE_FIELDS
from models.emo import networks
from models.emo.audio import MOUTH, PROSODY, MelAudioEncoder, frame_windows
from models.emo.codec import PortraitCodec
from models.emo.corpus import augmented, drawn, motion_targets, training_scene
from models.emo.training.codec import head_pose
from models.emo.training.plan import SCENE_FRAMES, SHARD_SCENES
from models.emo.training.stage import save_whole


def write_shards(run: Path, shards: range, codec: PortraitCodec, encoder: MelAudioEncoder, size: networks.Size) -> None:
    """Scenes as latents, audio features, speeds and boxes; one file a shard, written aside and renamed.

    A row has `portrait` (A, h, w), its appearance; `latents` (F, C, h, w), `windows` (F, 5, feature), `idle` (F, 7),
    `opening` (F,) 0..1; `speed` in degrees a second; `face` and `mouth` (4,) in fractions of the picture.
    """
    folder = run / "scenes"
    folder.mkdir(parents=True, exist_ok=True)
    for shard in shards:
        path = folder / f"{shard:05d}.pt"
        if path.exists():
            continue
        rows = [_encoded(shard * SHARD_SCENES + k, codec, encoder, size) for k in range(SHARD_SCENES)]
        save_whole({key: torch.stack([row[key] for row in rows]) for key in rows[0]}, path)


@torch.no_grad()
def _encoded(seed: int, codec: PortraitCodec, encoder: MelAudioEncoder, size: networks.Size) -> dict[str, Tensor]:
    scene = training_scene(seed)
    rng = np.random.default_rng([7, seed])
    count = min(SCENE_FRAMES, len(scene.poses))
    start = int(rng.integers(0, len(scene.poses) - count + 1))
    poses = np.concatenate([np.zeros((1, scene.poses.shape[1]), np.float32), scene.poses[start : start + count]])
    images = torch.from_numpy(drawn(scene.presenter, poses, size.image)).permute(0, 3, 1, 2).float() / 127.5 - 1
    latents = codec.encode(images[1:], images[:1], codec.displacement(head_pose(poses[1:])))
    samples = torch.from_numpy(augmented(scene.utterance.samples, rng))
    features = encoder.encode(samples, len(scene.poses))
    # Not what the encoder believes of mouth and head, but what is so: with estimates, the networks learn the average of all
    # mouths that an estimate may mean, and every mouth is a blur. In use the estimates stand here.
    features[:, -len(MOUTH) - len(PROSODY) :] = torch.from_numpy(motion_targets(scene.utterance))
    windows = frame_windows(features)[start : start + count]
    track = scene.poses[start : start + count]
    opening = track[:, POSE_FIELDS.index("open")] * (1 - track[:, POSE_FIELDS.index("press")])
    row = {
        "portrait": codec.appearance(images[:1])[0].half(),
        "latents": latents.half(),
        "windows": windows.half(),
        "idle": torch.from_numpy(scene.idle[start : start + count]).half(),
        "opening": torch.from_numpy(opening).half(),
        "speed": torch.tensor(scene.speed),
        "face": torch.tensor(scene.face),
        "mouth": torch.tensor(scene.mouth),
    }
    short = SCENE_FRAMES - count
    if short:
        for key in ("latents", "windows", "idle", "opening"):
            row[key] = torch.cat([row[key], row[key][-1:].expand(short, *row[key].shape[1:])])
    return row


class Scenes:
    """The shards that exist so far, mapped into memory; `refresh` looks for new ones."""

    def __init__(self, run: Path, limit: int):
        self.folder, self.limit = run / "scenes", limit
        self.parts: dict[str, dict[str, Tensor]] = {}
        self.refresh()

    def refresh(self) -> None:
        for path in sorted(self.folder.glob("*.pt"))[: self.limit // SHARD_SCENES]:
            if path.name not in self.parts:
                self.parts[path.name] = torch.load(path, weights_only=True, mmap=True)
        self.files = sorted(self.parts)

    def __len__(self) -> int:
        return len(self.files) * SHARD_SCENES

    def take(self, indices: np.ndarray) -> dict[str, Tensor]:
        rows = [{k: v[i % SHARD_SCENES] for k, v in self.parts[self.files[i // SHARD_SCENES]].items()} for i in indices]
        return {key: torch.stack([row[key] for row in rows]) for key in rows[0]}
