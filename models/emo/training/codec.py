"""The starter's codec: how pictures move with the head, and the principal components of what is left."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.avatars.drawing import POSE_FIELDS
from models.emo import networks
from models.emo.codec import (
    POSE,
    STRIDE,
    PortraitCodec,
    enlarged,
    leading_components,
    moved,
    undoing,
    windowed_patches,
)
from models.emo.corpus import drawn, training_scene
from models.emo.face_locator import face_mask
from models.emo.training.plan import Plan
from models.emo.training.stage import Stage, save_whole


def train_codec(
    run: Path, plan: Plan, size: networks.Size = networks.STARTER, progress: Callable[[float], None] | None = None
) -> PortraitCodec:
    """How pictures move with the head, by descent on the difference they leave, then the components of what is left.

    A displacement per degree of each angle is learned from pairs of a portrait and a frame whose pose is known; the mouth
    hardly counts, since it does not move as the head does.
    """
    torch.manual_seed(1)
    codec = networks.codec(size)
    pictures, faces, mouths, poses = _pictures(run, plan.pictures, size.image)
    movements = nn.ModuleDict({"codec": codec})
    codec.requires_grad_(False)
    codec.movements.requires_grad_(True)
    stage = Stage(run, "codec", movements, plan.codec_steps, 0.2)
    # About twice the spread of each, so that all learn at one pace.
    unit = torch.tensor([5.0, 4.0, 3.0, 0.01, 0.01, 0.005, 0.005, 0.5, 0.005])
    while not stage.done:
        rng = stage.rng()
        rows, moments = rng.integers(0, len(pictures), 16), rng.integers(1, PICTURES_EACH, 16)
        portraits, frames = (_soft(pictures[rows, k].float() / 127.5 - 1) for k in (0, moments))
        weight = torch.ones(16, 1, *frames.shape[-2:])
        for i, row in enumerate(rows):
            fill(weight[i, 0], tuple(mouths[row].tolist()), 0.1)
        field = torch.einsum("bp,pchw->bchw", poses[rows, moments] / unit, codec.movements)
        difference = (moved(portraits, enlarged(field, frames.shape[-1])) - frames).abs() * weight
        rough = _differences(codec.movements).square().mean() * 1e-3
        copied = ((portraits - frames).abs() * weight).mean().item()
        stage.update(difference.mean() + rough, moved=difference.mean().item(), copied=copied)
        if progress:
            progress(stage.step / stage.steps)
    stage.finish()
    codec.movements.data /= unit.view(-1, 1, 1, 1)
    components = run / "components.pt"
    if not components.exists():
        save_whole(_components(codec, pictures, faces, poses, size), components)
    codec.load_state_dict(torch.load(components, weights_only=True), strict=False)
    return codec.eval()


def _soft(images: Tensor) -> Tensor:
    """At half the size and a little blurred, so that edges some pixels apart still pull at each other."""
    return F.avg_pool2d(F.pad(F.avg_pool2d(images, 2), (1, 1, 1, 1), mode="replicate"), 3, stride=1)


@torch.no_grad()
def _components(
    codec: PortraitCodec, pictures: Tensor, faces: Tensor, poses: Tensor, size: networks.Size
) -> dict[str, Tensor]:
    """The codec's components: of changes, those on the face counted three times; of the places where most changes, each its
    own; and of portraits."""
    dimensions = 3 * (2 * STRIDE) ** 2
    change, still = (torch.zeros(dimensions, dimensions) for _ in range(2))
    seen = []
    for row in range(0, len(pictures), max(1, len(pictures) // 220)):
        portrait = pictures[row, :1].float() / 127.5 - 1
        frames = pictures[row, 1:].float() / 127.5 - 1
        stilled = moved(frames, undoing(codec.displacement(poses[row, 1:]), size.image))
        patches = windowed_patches(stilled - portrait)
        seen.append(patches.half())
        weight = 1 + 2 * face_mask(tuple(faces[row].tolist()), size.latent).reshape(1, -1, 1)
        patches = (patches * weight.sqrt()).flatten(0, 1)
        patches = patches[patches.square().mean(1) > 1e-5]
        change += patches.T @ patches
        patches = windowed_patches(portrait)[0]
        still += patches.T @ patches
    shape = (-1, 3, 2 * STRIDE, 2 * STRIDE)
    found = {
        "changes": leading_components(change, size.latent_channels - 2).view(shape),
        "appearances": leading_components(still, size.appearance_channels).view(shape),
    }
    found["places"], found["own"] = _own_components(torch.cat(seen), size.own_places, size.latent_channels - 2)
    return found


def _own_components(patches: Tensor, places: int, count: int) -> tuple[Tensor, Tensor]:
    """The `places` (K,) where (N, h * w, D) patches vary most, the liveliest first, and their `count` components (K, count, D).

    A component's sign is free. It is chosen so that the places agree: what grows in the liveliest place grows in the others.
    """
    energy = patches.float().square().sum(2).mean(0)
    chosen = energy.argsort(descending=True)[:places]
    components, first = [], None
    for place in chosen.tolist():
        rows = patches[:, place].float()
        basis = torch.svd_lowrank(rows, q=min(count + 10, *rows.shape), niter=4)[2][:, :count]
        basis = F.pad(basis, (0, count - basis.shape[1]))
        along = rows @ basis
        first = along if first is None else first
        components.append((basis * torch.where((along * first).sum(0) < 0, -1.0, 1.0)).T)
    return chosen, torch.stack(components)


def _differences(x: Tensor) -> Tensor:
    return (x[..., 1:, :-1] - x[..., :-1, :-1]).abs() + (x[..., :-1, 1:] - x[..., :-1, :-1]).abs()


PICTURES_EACH = 6
"""The portrait, and five moments of speech."""


def _pictures(run: Path, count: int, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pictures (count, PICTURES_EACH, 3, size, size) uint8, face and mouth regions (count, 4), poses (count, ..., P)."""
    path = run / f"pictures-{size}.pt"
    if not path.exists():
        pictures = torch.empty(count, PICTURES_EACH, 3, size, size, dtype=torch.uint8)
        faces, mouths, heads = (
            torch.empty(count, 4),
            torch.empty(count, 4),
            torch.empty(count, PICTURES_EACH, len(POSE)),
        )
        for index in range(count):
            scene = training_scene(index)
            moments = np.linspace(0, len(scene.poses) - 1, PICTURES_EACH + 1).astype(int)[1:-1]
            poses = np.concatenate([np.zeros_like(scene.poses[:1]), scene.poses[moments]])
            pictures[index] = torch.from_numpy(drawn(scene.presenter, poses, size)).permute(0, 3, 1, 2)
            faces[index], mouths[index] = torch.tensor(scene.face), torch.tensor(scene.mouth)
            heads[index] = head_pose(poses)
        save_whole({"pictures": pictures, "faces": faces, "mouths": mouths, "poses": heads}, path)
    saved = torch.load(path, weights_only=True, mmap=True)
    return saved["pictures"], saved["faces"], saved["mouths"], saved["poses"]


def head_pose(poses: np.ndarray) -> Tensor:
    """The columns of (F, 23) poses that move the portrait's pixels, (F, P)."""
    return torch.from_numpy(poses[:, [POSE_FIELDS.index(field) for field in POSE]].astype(np.float32))


def fill(grid: Tensor, box: tuple[float, float, float, float], value: float) -> None:
    height, width = grid.shape
    left, top, right, bottom = box
    grid[int(top * height) : -int(-bottom * height // 1), int(left * width) : -int(-right * width // 1)] = value
