"""EMO's three stages (arXiv 2402.17485, section 3.3): images, video with motion frames, speed layers.

One deviation: the audio layers learn in the first stage already, at first on crops around the mouth. Joined later, they are
ignored for a long time, because the noisy input shows the mouth well enough. A gate stops training that ignores the sound.
"""

import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from media.errors import RenderError
from models.emo import networks
from models.emo.attention import Conditioning
from models.emo.audio import MelAudioEncoder
from models.emo.backbone import no_motion, read_motion
from models.emo.denoising import Spread, precondition, signal_and_noise
from models.emo.face_locator import face_mask
from models.emo.training.codec import fill
from models.emo.training.plan import CLIP_FRAMES, MOTION_FRAMES, SCENE_FRAMES, SHARD_SCENES, Plan
from models.emo.training.scenes import Scenes
from models.emo.training.stage import Stage, mixed_precision
from models.idle import IDLE

GATE = 0.3
"""By how much the correlation of mouths with their own sound must exceed that with another's, at the end of the crops."""


BLINKS = 8.0
"""By how much a moment with closed eyes is likelier to be taken than another, less one."""
EYE_CROPS = 0.35
"""Share of the crops that are around eyes rather than mouths."""

LOOK_EVERY = 250
"""Steps between two sample strips."""
Look = Callable[[str, int, dict[str, Any], list[float], Spread], None]
"""Stage, step, networks and scheduler, latent scale and spread."""


class AudioIgnoredError(RenderError):
    """Training that does not listen; going on would be a waste."""


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
    # Not quite nothing anywhere, since other faces are drawn a little differently; but what is left open here, the network has
    # no reason to keep still: at 0.04 backgrounds flickered.
    places = torch.stack([shares[:2].mean(0), shares[2:].mean(0)]).sqrt().clamp(min=0.015)
    rounded = tuple(tuple(tuple(round(v, 3) for v in row) for row in grid) for grid in places.tolist())
    return scale.tolist(), Spread(tuple((spread / scale).tolist()), rounded, tuple(face.tolist()))


@dataclass(frozen=True, slots=True)
class Batch:
    """(B, ...) tensors of one step; latents and past are scaled."""

    latents: Tensor
    past: Tensor | None
    portrait: Tensor
    windows: Tensor
    idle: Tensor
    speed: Tensor
    mask: Tensor
    weight: Tensor
    opening: Tensor
    spread: Tensor
    still: Tensor
    """Latents of the portrait itself, scaled."""

    def to(self, device: torch.device) -> "Batch":
        tensors = {field.name: getattr(self, field.name) for field in fields(self)}
        return Batch(**{name: tensor if tensor is None else tensor.to(device) for name, tensor in tensors.items()})


def eyes_of(face: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Where eyes and brows are in a face region, fractions of the picture."""
    left, top, right, bottom = face
    return left, top + 0.2 * (bottom - top), right, top + 0.6 * (bottom - top)


def batch_of(
    scenes: Scenes, rng: np.random.Generator, scale: Tensor, spread: Spread, size: networks.Size, kind: str
) -> Batch:
    """`kind`: mouth and crop (8 x 8 tokens around mouths; around mouths and eyes), image (4 frames without order), video (12
    frames in order).

    Blinks are rare and short: moments with closed eyes are taken more often than they come, if only a little where whole clips
    are taken.
    """
    count = {"mouth": 14, "crop": 14, "image": 7, "video": 3}[kind]
    rows = scenes.take(rng.integers(0, len(scenes), count))
    shut = rows["idle"][..., IDLE.index("blink")].double().numpy()  # (count, SCENE_FRAMES)
    if kind == "video":
        after = np.arange(SCENE_FRAMES - CLIP_FRAMES - MOTION_FRAMES + 1) + MOTION_FRAMES
        within = np.stack([shut[:, s : s + CLIP_FRAMES].max(1) for s in after], 1)
        starts = [rng.choice(after, p=share / share.sum()) for share in 1 + BLINKS * within]
        frames = np.stack([np.arange(s, s + CLIP_FRAMES) for s in starts])
    else:
        shares = 1 + BLINKS * shut
        frames = np.stack([rng.choice(SCENE_FRAMES, 4, replace=False, p=share / share.sum()) for share in shares])
    pick = lambda key, index: torch.stack([rows[key][i][index[i]] for i in range(count)]).float()  # noqa: E731
    portrait = rows["portrait"].float()
    still = torch.zeros_like(rows["latents"][:, 0]).float()  # what `PortraitCodec.still` gives
    if "still" in rows:
        still = rows["still"].float() / scale.view(-1, 1, 1)
    latents = pick("latents", frames).transpose(1, 2) / scale.view(1, -1, 1, 1, 1)
    past = None
    if kind == "video":
        past = pick("latents", np.stack([np.arange(s - MOTION_FRAMES, s) for s in starts])) / scale.view(-1, 1, 1)
    mask = torch.cat([face_mask(tuple(face.tolist()), size.image) for face in rows["face"]])
    side = size.latent
    spreads = spread.map(rows["face"], side)
    weight = torch.ones(count, 1, 1, side, side)
    for i in range(count):
        face = tuple(rows["face"][i].tolist())
        fill(weight[i, 0, 0], face, 2.0)
        fill(weight[i, 0, 0], eyes_of(face), 4.0)
        fill(weight[i, 0, 0], tuple(rows["mouth"][i].tolist()), 8.0)
    if kind in ("mouth", "crop"):
        half, pixels = side // 2, size.image // side
        on_eyes = rng.random(count) < (EYE_CROPS if kind == "crop" else 0.0)
        boxes = np.where(on_eyes[:, None], [eyes_of(face) for face in rows["face"].tolist()], rows["mouth"].numpy())
        left = np.clip(((boxes[:, 0] + boxes[:, 2]) / 2 * side).astype(int) - half // 2, 0, side - half)
        top = np.clip(((boxes[:, 1] + boxes[:, 3]) / 2 * side).astype(int) - half // 2, 0, side - half)
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
        spreads, still = cut(spreads), cut(still)
    return Batch(
        latents,
        past,
        portrait,
        pick("windows", frames),
        pick("idle", frames),
        rows["speed"][:, None].expand(-1, frames.shape[1]),
        mask,
        weight,
        pick("opening", frames),
        spreads,
        still,
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
    audio = parts["audio_projector"](batch.windows.flatten(0, 1), batch.idle.flatten(0, 1))
    conditioning = Conditioning(reference=parts["reference_net"].read(torch.cat([batch.still, batch.portrait], 1)))
    if kind == "video":
        conditioning.speed = parts["speed_layers"](batch.speed)
        conditioning.motion = no_motion(conditioning.reference, MOTION_FRAMES)
        if drift is not None and batch.past is not None:
            past = batch.past + torch.randn(batch.past.shape, generator=generator).to(batch.past) * drift
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
    """Weighted squared error of the latents at random noise levels: many of them pure noise, from which one step samples and in
    which only sound and idle motion tell what is to be seen.

    Errors are divided by the spread that is left open at their place, so that what is nearly still learns to keep still.
    """
    count = batch.latents.shape[0]
    noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
    draw = rng.random(count)
    u = np.where(draw < 0.6, rng.uniform(0.85, 1.0, count), 1 / (1 + np.exp(-rng.normal(0.4, 1.2, count))))
    u = np.where(draw < 0.35, 1.0, u)
    timestep = torch.from_numpy((u * 999).astype(np.int64)).to(batch.latents.device)
    a, b = signal_and_noise(scheduler, timestep)
    added = torch.randn(batch.latents.shape, generator=noise)
    # As `EMOPipeline` begins. Where something of the latents is left, frames must differ in noise too, or their differences
    # would show the mouth.
    alike = torch.from_numpy(draw < 0.35).view(-1, 1, 1, 1, 1)
    added = torch.where(alike, added[:, :, :1], added).to(batch.latents)
    x_t = a * batch.latents + b * added

    kept = torch.from_numpy((rng.random((count, 1, 1, 1)) > 0.1).astype(np.float32)).to(batch.windows)
    heard = replace(batch, windows=batch.windows * kept)
    drift = None if rng.random() < 0.15 else float(rng.uniform(0, 0.1))  # no motion frames: how a first clip begins
    predicted = predict(parts, scheduler, heard, x_t, timestep, kind, drift, noise)
    weight = batch.weight / batch.spread.clamp(min=0.1)
    error = (predicted - batch.latents).square() * weight / weight.mean()
    return (error.mean((1, 2, 3, 4)) / b.flatten().clamp(min=0.25)).mean()


class AudioGate:
    """Is the audio heard? Mouth opening of one-step predictions from near-pure noise, against the true opening.

    The opening is read from latents by a ridge regression on mouth crops. `own` should rise above `wrong` (the same with
    the sound of other presenters) within the first hundreds of steps; if it does not, nothing later will mend it.
    """

    def __init__(self, scenes: Scenes, scale: Tensor, spread: Spread, size: networks.Size, device: torch.device):
        rng = np.random.default_rng(9)
        batches = [batch_of(scenes, rng, scale, spread, size, "mouth").to(device) for _ in range(24)]
        crops = torch.cat([self._flat(batch.latents) for batch in batches])
        openings = torch.cat([batch.opening.flatten() for batch in batches])
        self.mean, self.offset = crops.mean(0), openings.mean()
        gram = (crops - self.mean) @ (crops - self.mean).T + 100.0 * torch.eye(len(crops), device=device)
        self.weights = (crops - self.mean).T @ torch.linalg.solve(gram, openings - self.offset)
        self.held = [batch_of(scenes, rng, scale, spread, size, "mouth").to(device) for _ in range(6)]

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
                noise = torch.randn(batch.latents.shape, generator=torch.Generator().manual_seed(3)).to(batch.latents)
                timestep = torch.full((len(noise),), 980, device=noise.device)
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
    device: torch.device | str = "cpu",
    look: Look | None = None,
    compiler: str | None = None,
) -> tuple[dict[str, Any], list[float], Spread]:
    """The three stages, on the shards that `write_shards` has made or is making.

    Args:
        progress: is told the stage and its share done.
        look: is shown the networks every `LOOK_EVERY` steps.
        compiler: backend of `torch.compile` for reference net and backbone; None: "inductor" on CUDA, none on a CPU.
    """
    device = torch.device(device)
    torch.manual_seed(2)
    built = networks.networks(size, encoder)
    scheduler = built.pop("scheduler")
    parts = nn.ModuleDict(built).to(device)
    if backend := compiler or ("inductor" if device.type == "cuda" else None):
        for name in ("reference_net", "backbone"):
            parts[name].compile(backend=backend)
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
        stage = Stage(run, name, parts, steps, rate * size.rate, trained)
        while not stage.done:
            if stage.step % 50 == 0:
                scenes.refresh()
            rng = stage.rng()
            batch = batch_of(scenes, rng, scale, spread, size, kind).to(device)
            figures = {}
            if stage.step % 100 == 99 and kind != "video":
                gate = gate or AudioGate(scenes, scale, spread, size, device)
                own, wrong = gate.measure(parts, scheduler)
                figures = {"mouth_own": own, "mouth_wrong": wrong}
                if name == "crop" and stage.step + 1 >= plan.gate_after and own - wrong < GATE:
                    raise AudioIgnoredError(
                        f"{run}: the audio is being ignored: after {stage.step + 1} steps, mouths follow their own sound "
                        f"with a correlation of {own:.2f} and another's with {wrong:.2f}; check the audio encoder, then "
                        "train anew in another folder."
                    )
            with mixed_precision(device):
                loss = step_loss(parts, scheduler, batch, rng, kind)
            stage.update(loss, **figures)
            if look and (stage.step % LOOK_EVERY == 0 or stage.done):
                look(name, stage.step, {**dict(parts.items()), "scheduler": scheduler}, scale.tolist(), spread)
            if progress:
                progress(name, stage.step / stage.steps)
        stage.finish()
    parts.eval()
    return {**dict(parts.items()), "scheduler": scheduler}, scale.tolist(), spread
