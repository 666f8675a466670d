"""Training of an EMO checkpoint: audio encoder, autoencoder, then the paper's three stages.

Every stage is a loop that can be killed at any moment: its state is written aside and renamed every two minutes, and
running it again goes on from there. Random numbers are drawn from the step, so that a resumed run sees what an
uninterrupted one would have seen. `log.csv` has one line per 20 steps with CPU-seconds, since wall time on shared cores
says little.

Stages, as in EMO section 3.3, with one deviation: the audio layers learn in the first stage already, at first on crops
around the mouth. Joined later, they are ignored for a long time, because the noisy input shows the mouth well enough.
"""

import csv
import json
import os
import resource
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.avatars.drawing import POSE_FIELDS
from models.emo import networks
from models.emo.attention import Conditioning
from models.emo.audio import MelAudioEncoder, frame_windows, log_mel
from models.emo.backbone import no_motion, read_motion
from models.emo.codec import POSE, STRIDE, PortraitCodec, leading_components, moved, windowed_patches
from models.emo.corpus import (
    Scene,
    augmented,
    frames_of,
    motion_targets,
    presenter_of,
    scene_of,
    training_utterance,
)
from models.emo.denoising import Spread, precondition, signal_and_noise
from models.emo.face_locator import face_mask

MOTION_FRAMES = 4
CLIP_FRAMES = 12
SHARD_SCENES = 32
SCENE_FRAMES = 32
SAVE_EVERY = 120.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How long each stage is, in optimiser steps, and on how much data."""

    utterances: int = 4000
    audio_steps: int = 700
    pictures: int = 900
    codec_steps: int = 260
    scenes: int = 768
    crop_steps: int = 300
    image_steps: int = 420
    video_steps: int = 120
    speed_steps: int = 12


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Stage:
    """A resumable optimisation of `modules`: optimiser, averaged weights, step, log."""

    def __init__(self, run: Path, name: str, modules: nn.ModuleDict, steps: int, rate: float, trained: nn.ModuleDict):
        self.run, self.name, self.modules, self.steps, self.rate = run, name, modules, steps, rate
        self.parameters = [p for p in trained.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(self.parameters, lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
        self.average = {k: v.detach().clone() for k, v in modules.state_dict().items()}
        self.step, self.cpu_before, self.started = 0, 0.0, cpu_seconds()
        self.saved = time.monotonic()
        self.losses: list[dict[str, float]] = []
        if self.file.exists():
            state = torch.load(self.file, weights_only=True)
            modules.load_state_dict(state["modules"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.average, self.step, self.cpu_before = state["average"], state["step"], state["cpu"]

    @property
    def file(self) -> Path:
        return self.run / f"{self.name}.pt"

    @property
    def done(self) -> bool:
        return self.step >= self.steps

    def rng(self) -> np.random.Generator:
        return np.random.default_rng([5, sum(map(ord, self.name)), self.step])

    def update(self, loss: Tensor, **figures: float) -> None:
        share = self.step / self.steps
        rate = self.rate * min(1.0, (self.step + 1) / 100, max(0.02, 2 * (1 - share)))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        # Gradients of near-zero layers fall below what floats hold normally; on a CPU that made backward 6 times slower.
        torch.set_flush_denormal(True)
        try:
            loss.backward()
        finally:
            torch.set_flush_denormal(False)
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        self.step += 1
        decay = min(0.998, self.step / (self.step + 10))
        with torch.no_grad():
            for key, value in self.modules.state_dict().items():
                if value.is_floating_point():
                    self.average[key].lerp_(value, 1 - decay)
        self.losses.append({"loss": loss.item(), **figures})
        if self.step % 20 == 0 or self.done:
            self._log()
        if self.done or time.monotonic() - self.saved > SAVE_EVERY:
            self.save()

    def _log(self) -> None:
        path = self.run / "log.csv"
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["stage", "step", "cpu_seconds", "figure", "value"])
            spent = self.cpu_before + cpu_seconds() - self.started
            for figure in sorted({figure for row in self.losses for figure in row}):
                mean = float(np.mean([row[figure] for row in self.losses if figure in row]))
                writer.writerow([self.name, self.step, round(spent, 1), figure, round(mean, 5)])
        self.losses = []

    def save(self) -> None:
        state = {
            "modules": self.modules.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average,
            "step": self.step,
            "cpu": self.cpu_before + cpu_seconds() - self.started,
        }
        _save(state, self.file)
        self.saved = time.monotonic()

    def finish(self) -> None:
        """Put the averaged weights into the modules."""
        self.modules.load_state_dict(self.average)


def _save(state: object, path: Path) -> None:
    aside = path.with_suffix(f".{os.getpid()}")
    torch.save(state, aside)
    os.replace(aside, path)


# --- audio encoder -----------------------------------------------------------------------------------------------------


def train_audio_encoder(run: Path, plan: Plan, progress: Callable[[float], None] | None = None) -> MelAudioEncoder:
    """Mel to mouth parameters and prosody, on invented speech. Loss: squared error, the closures weighted."""
    torch.manual_seed(0)
    encoder = MelAudioEncoder()
    modules = nn.ModuleDict({"audio_encoder": encoder})
    stage = Stage(run, "audio", modules, plan.audio_steps, 1.5e-3, modules)
    if not stage.done:
        mels, targets = _speech(run, plan.utterances)
        weight = torch.tensor([2.0, 1, 1, 1, 0.7, 2, 1, 1, 1, 1])
        length = 100
        while not stage.done:
            rng = stage.rng()
            chosen = rng.integers(0, len(mels), 24)
            starts = [int(rng.integers(0, max(1, len(targets[i]) - length))) for i in chosen]
            mel = torch.stack([_window(mels[i].T, 4 * s, 4 * length).T for i, s in zip(chosen, starts, strict=True)])
            wanted = torch.stack([_window(targets[i], s, length) for i, s in zip(chosen, starts, strict=True)])
            # The ends of a window lack context that the whole utterance would have.
            error = ((encoder(mel)[1] - wanted).square() * weight)[:, 5:-5]
            stage.update(error.mean(), mouth=error[..., 0].mean().item() / 2, prosody=error[..., 7:].mean().item())
            if progress:
                progress(stage.step / stage.steps)
    stage.finish()
    return encoder.eval()


def _window(track: Tensor, start: int, length: int) -> Tensor:
    """Rows start .. start + length of (T, C), as float32, the last row repeated where the track is too short."""
    rows = track[start : start + length].float()
    return torch.cat([rows, rows[-1:].expand(length - len(rows), -1)])


def _speech(run: Path, count: int) -> tuple[list[Tensor], list[Tensor]]:
    path = run / "speech.pt"
    if path.exists():
        saved = torch.load(path, weights_only=True)
        return saved["mels"], saved["targets"]
    mels, targets = [], []
    for seed in range(count):
        utterance = training_utterance(seed)
        samples = augmented(utterance.samples, np.random.default_rng([6, seed]))
        track = torch.from_numpy(motion_targets(utterance))
        mel = log_mel(torch.from_numpy(samples))[:, : 4 * len(track)]
        mels.append(mel.half())
        targets.append(track[: mel.shape[1] // 4].half())
    _save({"mels": mels, "targets": targets}, path)
    return mels, targets


# --- autoencoder -------------------------------------------------------------------------------------------------------


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
    stage = Stage(run, "codec", movements, plan.codec_steps, 0.2, movements)
    unit = torch.tensor([5.0, 4.0, 3.0, 0.01, 0.01])  # about twice the spread of each, so that all learn at one pace
    while not stage.done:
        rng = stage.rng()
        rows, moments = rng.integers(0, len(pictures), 16), rng.integers(1, PICTURES_EACH, 16)
        portraits, frames = (_soft(pictures[rows, k].float() / 127.5 - 1) for k in (0, moments))
        weight = torch.ones(16, 1, *frames.shape[-2:])
        for i, row in enumerate(rows):
            _fill(weight[i, 0], tuple(mouths[row].tolist()), 0.1)
        field = torch.einsum("bp,pchw->bchw", poses[rows, moments] / unit, codec.movements)
        difference = (moved(portraits, field) - frames).abs() * weight
        rough = _differences(codec.movements).square().mean() * 1e-3
        copied = ((portraits - frames).abs() * weight).mean().item()
        stage.update(difference.mean() + rough, moved=difference.mean().item(), copied=copied)
        if progress:
            progress(stage.step / stage.steps)
    stage.finish()
    codec.movements.data /= unit.view(-1, 1, 1, 1)
    components = run / "components.pt"
    if not components.exists():
        _save(_components(codec, pictures, faces, poses, size), components)
    codec.load_state_dict(torch.load(components, weights_only=True), strict=False)
    return codec.eval()


def _soft(images: Tensor) -> Tensor:
    """At half the size and a little blurred, so that edges some pixels apart still pull at each other."""
    return F.avg_pool2d(F.pad(F.avg_pool2d(images, 2), (1, 1, 1, 1), mode="replicate"), 3, stride=1)


@torch.no_grad()
def _components(
    codec: PortraitCodec, pictures: Tensor, faces: Tensor, poses: Tensor, size: networks.Size
) -> dict[str, Tensor]:
    """The codec's two sets of components: of changes, those on the face counted three times, and of portraits."""
    dimensions = 3 * (2 * STRIDE) ** 2
    change, still = (torch.zeros(dimensions, dimensions) for _ in range(2))
    for row in range(0, len(pictures), max(1, len(pictures) // 220)):
        portrait = pictures[row, :1].float() / 127.5 - 1
        frames = pictures[row, 1:].float() / 127.5 - 1
        left = frames - moved(portrait.expand_as(frames), codec.displacement(poses[row, 1:]))
        weight = 1 + 2 * face_mask(tuple(faces[row].tolist()), size.latent).reshape(1, -1, 1)
        patches = (windowed_patches(left) * weight.sqrt()).flatten(0, 1)
        patches = patches[patches.square().mean(1) > 1e-5]
        change += patches.T @ patches
        patches = windowed_patches(portrait)[0]
        still += patches.T @ patches
    shape = (-1, 3, 2 * STRIDE, 2 * STRIDE)
    return {
        "changes": leading_components(change, size.latent_channels - 2).view(shape),
        "appearances": leading_components(still, size.appearance_channels).view(shape),
    }


def _differences(x: Tensor) -> Tensor:
    return (x[..., 1:, :-1] - x[..., :-1, :-1]).abs() + (x[..., :-1, 1:] - x[..., :-1, :-1]).abs()


PICTURES_EACH = 6
"""The portrait, and five moments of speech."""


def _pictures(run: Path, count: int, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pictures (count, PICTURES_EACH, 3, size, size) uint8, face and mouth regions (count, 4), poses (count, ..., 5)."""
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
            drawn = frames_of(Scene(scene.presenter, scene.utterance, poses, scene.speed), 0, PICTURES_EACH, size)
            pictures[index] = torch.from_numpy(drawn).permute(0, 3, 1, 2)
            faces[index], mouths[index] = torch.tensor(scene.face), torch.tensor(scene.mouth)
            heads[index] = head_pose(poses)
        _save({"pictures": pictures, "faces": faces, "mouths": mouths, "poses": heads}, path)
    saved = torch.load(path, weights_only=True, mmap=True)
    return saved["pictures"], saved["faces"], saved["mouths"], saved["poses"]


def head_pose(poses: np.ndarray) -> Tensor:
    """The columns of (F, 17) poses that move the whole head, (F, 5)."""
    return torch.from_numpy(poses[:, [POSE_FIELDS.index(field) for field in POSE]].astype(np.float32))


def _fill(grid: Tensor, box: tuple[float, float, float, float], value: float) -> None:
    height, width = grid.shape
    left, top, right, bottom = box
    grid[int(top * height) : -int(-bottom * height // 1), int(left * width) : -int(-right * width // 1)] = value


def training_scene(seed: int) -> Scene:
    return scene_of(presenter_of(seed), training_utterance(1_000_000 + seed), seed)


# --- scenes as latents -------------------------------------------------------------------------------------------------


def write_shards(run: Path, shards: range, codec: PortraitCodec, encoder: MelAudioEncoder, size: networks.Size) -> None:
    """Scenes as latents, audio features, speeds and boxes; one file a shard, written aside and renamed."""
    folder = run / "scenes"
    folder.mkdir(parents=True, exist_ok=True)
    for shard in shards:
        path = folder / f"{shard:05d}.pt"
        if path.exists():
            continue
        rows = [_encoded(shard * SHARD_SCENES + k, codec, encoder, size) for k in range(SHARD_SCENES)]
        _save({key: torch.stack([row[key] for row in rows]) for key in rows[0]}, path)


@torch.no_grad()
def _encoded(seed: int, codec: PortraitCodec, encoder: MelAudioEncoder, size: networks.Size) -> dict[str, Tensor]:
    scene = training_scene(seed)
    rng = np.random.default_rng([7, seed])
    count = min(SCENE_FRAMES, len(scene.poses))
    start = int(rng.integers(0, len(scene.poses) - count + 1))
    poses = np.concatenate([np.zeros((1, scene.poses.shape[1]), np.float32), scene.poses[start : start + count]])
    pictures = frames_of(Scene(scene.presenter, scene.utterance, poses, scene.speed), 0, count + 1, size.image)
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    latents = codec.encode(images[1:], images[:1], codec.displacement(head_pose(poses[1:])))
    samples = torch.from_numpy(augmented(scene.utterance.samples, rng))
    features = encoder.encode(samples, len(scene.poses))
    windows = frame_windows(features)[start : start + count]
    track = torch.from_numpy(scene.poses[start : start + count].astype(np.float32))
    row = {
        "portrait": codec.appearance(images[:1])[0].half(),
        "latents": latents.half(),
        "windows": windows.half(),
        "poses": track.half(),
        "speed": torch.from_numpy(scene.speed[start : start + count].astype(np.float32)),
        "face": torch.tensor(scene.face),
        "mouth": torch.tensor(scene.mouth),
    }
    short = SCENE_FRAMES - count
    if short:
        for key in ("latents", "windows", "poses", "speed"):
            row[key] = torch.cat([row[key], row[key][-1:].expand(short, *row[key].shape[1:])])
    return row


class Scenes:
    """The shards that exist so far, in memory; `refresh` looks for new ones."""

    def __init__(self, run: Path, limit: int):
        self.folder, self.limit = run / "scenes", limit
        self.parts: dict[str, dict[str, Tensor]] = {}
        self.refresh()

    def refresh(self) -> None:
        for path in sorted(self.folder.glob("*.pt"))[: self.limit // SHARD_SCENES]:
            if path.name not in self.parts:
                self.parts[path.name] = torch.load(path, weights_only=True)
        self.files = sorted(self.parts)

    def __len__(self) -> int:
        return len(self.files) * SHARD_SCENES

    def take(self, indices: np.ndarray) -> dict[str, Tensor]:
        rows = [{k: v[i % SHARD_SCENES] for k, v in self.parts[self.files[i // SHARD_SCENES]].items()} for i in indices]
        return {key: torch.stack([row[key] for row in rows]) for key in rows[0]}


# --- the three stages --------------------------------------------------------------------------------------------------


def latent_statistics(scenes: Scenes) -> tuple[list[float], Spread]:
    """What latents are divided by, per channel, and their spread after that.

    The spreads fall steeply from the first component to the last. They are brought halfway to each other: wholly, the
    faint components would ask as much of the network as the mouth does; not at all, they would never be learned.
    """
    parts = list(scenes.parts.values())[:12]
    face = torch.cat([part["face"] for part in parts]).mean(0)
    energy = torch.stack([part["latents"].float().square().mean((0, 1)) for part in parts]).mean(0)
    mask = face_mask(tuple(face.tolist()), energy.shape[-1])[0]
    spread = ((energy * mask).sum((1, 2)) / mask.sum()).sqrt()
    scale = spread.sqrt() * spread.mean().sqrt()
    shares = energy / spread.square().view(-1, 1, 1)
    # Not quite nothing anywhere: other faces are drawn a little differently.
    places = torch.stack([shares[:2].mean(0), shares[2:].mean(0)]).sqrt().clamp(min=0.04)
    rounded = tuple(tuple(tuple(round(v, 3) for v in row) for row in grid) for grid in places.tolist())
    return scale.tolist(), Spread(tuple((spread / scale).tolist()), rounded, tuple(face.tolist()))


@dataclass(frozen=True, slots=True)
class Batch:
    """(B, ...) tensors of one step; latents and past are scaled."""

    latents: Tensor
    past: Tensor | None
    portrait: Tensor
    windows: Tensor
    blink: Tensor
    speed: Tensor
    mask: Tensor
    weight: Tensor
    opening: Tensor
    spread: Tensor


def batch_of(
    scenes: Scenes, rng: np.random.Generator, scale: Tensor, spread: Spread, size: networks.Size, kind: str
) -> Batch:
    """`kind`: crop (8 x 8 tokens around the mouth), image (4 frames without order), video (12 frames in order)."""
    count = {"crop": 14, "image": 7, "video": 3}[kind]
    rows = scenes.take(rng.integers(0, len(scenes), count))
    if kind == "video":
        starts = rng.integers(0, SCENE_FRAMES - CLIP_FRAMES - MOTION_FRAMES + 1, count) + MOTION_FRAMES
        frames = np.stack([np.arange(s, s + CLIP_FRAMES) for s in starts])
    else:
        frames = np.stack([rng.choice(SCENE_FRAMES, 4, replace=False) for _ in range(count)])
    pick = lambda key, index: torch.stack([rows[key][i][index[i]] for i in range(count)]).float()  # noqa: E731
    portrait = rows["portrait"].float()
    latents = pick("latents", frames).transpose(1, 2) / scale.view(1, -1, 1, 1, 1)
    past = None
    if kind == "video":
        past = pick("latents", np.stack([np.arange(s - MOTION_FRAMES, s) for s in starts])) / scale.view(-1, 1, 1)
    mask = torch.cat([face_mask(tuple(face.tolist()), size.image) for face in rows["face"]])
    side = size.latent
    spreads = spread.map(rows["face"], side)
    weight = torch.ones(count, 1, 1, side, side)
    for i in range(count):
        _fill(weight[i, 0, 0], tuple(rows["face"][i].tolist()), 2.0)
        _fill(weight[i, 0, 0], tuple(rows["mouth"][i].tolist()), 8.0)
    if kind == "crop":
        half, pixels = side // 2, size.image // side
        left = np.clip([int((m[0] + m[2]) / 2 * side) - half // 2 for m in rows["mouth"].tolist()], 0, side - half)
        top = np.clip([int((m[1] + m[3]) / 2 * side) - half // 2 for m in rows["mouth"].tolist()], 0, side - half)
        left = np.clip(left + rng.integers(-1, 2, count), 0, side - half)
        top = np.clip(top + rng.integers(-1, 2, count), 0, side - half)

        def cut(x: Tensor, unit: int = 1) -> Tensor:
            return torch.stack(
                [
                    x[i][..., unit * t : unit * (t + half), unit * l : unit * (l + half)]
                    for i, (t, l) in enumerate(zip(top, left, strict=True))  # noqa: E741
                ]
            )

        latents, portrait, mask, weight = cut(latents), cut(portrait), cut(mask, pixels), cut(weight)
        spreads = cut(spreads)
    poses = pick("poses", frames)
    return Batch(
        latents,
        past,
        portrait,
        pick("windows", frames),
        poses[..., POSE_FIELDS.index("blink")],
        pick("speed", frames),
        mask,
        weight,
        poses[..., POSE_FIELDS.index("open")] * (1 - poses[..., POSE_FIELDS.index("press")]),
        spreads,
    )


def predict(
    parts: nn.ModuleDict,
    scheduler: object,
    batch: Batch,
    x_t: Tensor,
    timestep: Tensor,
    kind: str,
    drift: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The scaled latents (B, C, F, h, w) that the networks believe in, from x_t.

    `drift` is the spread of noise on the motion frames, against errors that add up over clips; None leaves them out.
    """
    audio = parts["audio_projector"](batch.windows.flatten(0, 1), batch.blink.flatten())
    still = torch.zeros_like(batch.latents[:, :, 0])
    conditioning = Conditioning(reference=parts["reference_net"].read(torch.cat([still, batch.portrait], 1)))
    if kind == "video":
        conditioning.speed = parts["speed_layers"](batch.speed)
        conditioning.motion = no_motion(conditioning.reference, MOTION_FRAMES)
        if drift is not None and batch.past is not None:
            past = batch.past + torch.randn(batch.past.shape, generator=generator) * drift
            shown = batch.portrait[:, None].expand(-1, MOTION_FRAMES, -1, -1, -1)
            features = parts["reference_net"].read(torch.cat([past, shown], 2).flatten(0, 1))
            conditioning.motion = read_motion(features, len(past))
    parts["backbone"].attend_to(conditioning)
    face = parts["face_locator"](batch.mask)
    a, b = signal_and_noise(scheduler, timestep)
    scaled, skip, out = precondition(x_t, a, b, batch.spread)
    shown = batch.portrait[:, :, None].expand(-1, -1, x_t.shape[2], -1, -1)
    with nullcontext() if kind == "video" else parts["backbone"].as_image_model():
        predicted = parts["backbone"](torch.cat([scaled, shown], 1), timestep, audio[0], face, audio[1])
    return skip + out * predicted


def step_loss(parts: nn.ModuleDict, scheduler: object, batch: Batch, rng: np.random.Generator, kind: str) -> Tensor:
    """Weighted squared error of the latents at random noise levels: half of them high, where the mouth must be heard."""
    count = batch.latents.shape[0]
    noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
    high = rng.random(count) < 0.5
    u = np.where(high, rng.uniform(0.85, 1.0, count), 1 / (1 + np.exp(-rng.normal(0.4, 1.2, count))))
    timestep = torch.from_numpy((u * 999).astype(np.int64))
    a, b = signal_and_noise(scheduler, timestep)
    x_t = a * batch.latents + b * torch.randn(batch.latents.shape, generator=noise)

    kept = torch.from_numpy((rng.random((count, 1, 1, 1)) > 0.1).astype(np.float32))
    heard = replace(batch, windows=batch.windows * kept)
    drift = None if rng.random() < 0.3 else float(rng.uniform(0, 0.3))  # no motion frames: how a first clip begins
    predicted = predict(parts, scheduler, heard, x_t, timestep, kind, drift, noise)
    error = (predicted - batch.latents).square() * batch.weight / batch.weight.mean()
    return (error.mean((1, 2, 3, 4)) / b.flatten().clamp(min=0.25)).mean()


class AudioGate:
    """Is the audio heard? Mouth opening of one-step predictions from near-pure noise, against the true opening.

    The opening is read from latents by a ridge regression on mouth crops. `own` should rise above `wrong` (the same with
    the sound of other presenters) within the first hundreds of steps; if it does not, nothing later will mend it.
    """

    def __init__(self, scenes: Scenes, scale: Tensor, spread: Spread, size: networks.Size):
        rng = np.random.default_rng(9)
        batches = [batch_of(scenes, rng, scale, spread, size, "crop") for _ in range(24)]
        crops = torch.cat([self._flat(batch.latents) for batch in batches])
        openings = torch.cat([batch.opening.flatten() for batch in batches])
        self.mean, self.offset = crops.mean(0), openings.mean()
        gram = (crops - self.mean) @ (crops - self.mean).T + 100.0 * torch.eye(len(crops))
        self.weights = (crops - self.mean).T @ torch.linalg.solve(gram, openings - self.offset)
        self.held = [batch_of(scenes, rng, scale, spread, size, "crop") for _ in range(6)]

    @staticmethod
    def _flat(latents: Tensor) -> Tensor:
        return latents.transpose(1, 2).flatten(0, 1).flatten(1)

    @torch.no_grad()
    def measure(self, parts: nn.ModuleDict, scheduler: object) -> tuple[float, float]:
        """Correlations (own, wrong) over the held batches."""
        read: dict[int, list[Tensor]] = {0: [], 1: []}
        truth = []
        for batch in self.held:
            truth.append(batch.opening.flatten())
            for shift in (0, 1):
                rolled = replace(batch, windows=batch.windows.roll(shift, 0))
                noise = torch.randn(batch.latents.shape, generator=torch.Generator().manual_seed(3))
                timestep = torch.full((len(noise),), 980)
                predicted = predict(parts, scheduler, rolled, noise, timestep, "crop")
                read[shift].append((self._flat(predicted) - self.mean) @ self.weights)
        wanted = torch.cat(truth)
        own, wrong = (torch.corrcoef(torch.stack([torch.cat(read[k]), wanted]))[0, 1].item() for k in (0, 1))
        return own, wrong


def train_stages(
    run: Path,
    plan: Plan,
    encoder: MelAudioEncoder,
    size: networks.Size = networks.STARTER,
    progress: Callable[[str, float], None] | None = None,
) -> tuple[dict[str, Any], list[float], Spread]:
    """The three stages, on the shards that `write_shards` has made or is making."""
    torch.manual_seed(2)
    built = networks.networks(size, encoder)
    scheduler = built.pop("scheduler")
    parts = nn.ModuleDict(built)
    scenes = Scenes(run, plan.scenes)
    while len(scenes) < min(plan.scenes, 4 * SHARD_SCENES):
        time.sleep(2)
        scenes.refresh()
    statistics = run / "statistics.json"
    if not statistics.exists():
        scale_list, measured = latent_statistics(scenes)
        statistics.write_text(json.dumps({"scale": scale_list, **asdict(measured)}))
    saved = json.loads(statistics.read_text())
    scale = torch.tensor(saved["scale"])
    spread = Spread(saved["channels"], saved["places"], saved["face"])

    speed_only = nn.ModuleDict({"speed_layers": parts["speed_layers"]})
    temporal = nn.ModuleList([m for n, m in parts["backbone"].named_modules() if n.endswith("motion_modules")])
    stages = [
        ("crop", "crop", plan.crop_steps, 1e-3, parts),
        ("image", "image", plan.image_steps, 8e-4, parts),
        ("video", "video", plan.video_steps, 6e-4, parts),
        ("speed", "video", plan.speed_steps, 3e-4, nn.ModuleDict({**speed_only, "temporal": temporal})),
    ]
    gate: AudioGate | None = None
    for name, kind, steps, rate, trained in stages:
        stage = Stage(run, name, parts, steps, rate, trained)
        while not stage.done:
            if stage.step % 50 == 0:
                scenes.refresh()
            rng = stage.rng()
            batch = batch_of(scenes, rng, scale, spread, size, kind)
            figures = {}
            if stage.step % 100 == 99 and kind != "video":
                gate = gate or AudioGate(scenes, scale, spread, size)
                own, wrong = gate.measure(parts, scheduler)
                figures = {"mouth_own": own, "mouth_wrong": wrong}
            stage.update(step_loss(parts, scheduler, batch, rng, kind), **figures)
            if progress:
                progress(name, stage.step / stage.steps)
        stage.finish()
    parts.eval()
    return {**dict(parts.items()), "scheduler": scheduler}, scale.tolist(), spread


def save_checkpoint(
    parts: dict[str, Any],
    codec: PortraitCodec,
    encoder: MelAudioEncoder,
    scale: list[float],
    spread: Spread,
    folder: Path,
) -> None:
    """Write the diffusers folder of a checkpoint, weights in half precision; written aside, then renamed."""
    from models.emo.pipeline import EMOPipeline

    pipeline = EMOPipeline(
        codec=codec,
        audio_encoder=encoder,
        **parts,
        image_size=16 * parts["backbone"].config.sample_size,
        latent_scale=scale,
        latent_spread=asdict(spread),
    )
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    pipeline.to(torch.float16).save_pretrained(aside)
    pipeline.to(torch.float32)
    for path in aside.rglob("config.json"):  # where a part was loaded from means nothing elsewhere
        path.write_text(
            json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "_name_or_path"}, indent=2)
        )
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(aside, folder)
