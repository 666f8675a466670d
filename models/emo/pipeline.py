"""`EMOPipeline`: a portrait and a voice to frames, clip by clip, as a diffusers pipeline."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, DiffusionPipeline
from diffusers.utils import BaseOutput
from numpy.typing import NDArray
from torch import Tensor

from media.face_crop import region_mask
from media.long_sound import Sound
from media.memory import give_back, in_batches
from models.emo.attention import Conditioning
from models.emo.audio import AudioProjector, MelAudioEncoder
from models.emo.autoencoder import AutoencoderCodec
from models.emo.backbone import EMOBackbone, no_motion, read_motion
from models.emo.backdrop import Matte, kept_backdrop, matte_of, plain_backdrop
from models.emo.codec import PortraitCodec
from models.emo.denoising import Spread, precondition, signal_and_noise
from models.emo.face_locator import FaceLocator, face_mask
from models.emo.reference import ReferenceNet
from models.emo.speed import SpeedLayers
from models.emo.whisper_audio import WhisperAudioEncoder
from models.emo.windows import overlapping_windows
from models.idle import idle_motion


@dataclass
class EMOPipelineOutput(BaseOutput):
    frames: NDArray[np.uint8]
    """(F, H, W, 3)."""


class EMOPipeline(DiffusionPipeline):
    """Generates a talking portrait (arXiv 2402.17485).

    What the members of the family do differently is configuration, which is saved with a checkpoint: audio encoder,
    speed layers or none, clips that go on from motion frames or overlapping windows, what the backbone predicts, guidance.

    Args:
        codec: frames to latents and back, next to the portrait.
        reference_net, backbone, audio_encoder, face_locator, scheduler: the networks.
        audio_projector: features to tokens; None where the encoder gives tokens.
        speed_layers: None for a model without a head-speed controller.
        image_size: side of the square picture, pixels.
        fps: frames a second.
        steps: denoising steps unless asked otherwise.
        clip_frames: f of the paper, or the length of a window.
        motion_frames: n of the paper.
        head_speed: mean head rotation in speech unless asked otherwise, degrees a second.
        latent_scale: what latents are divided by, per channel.
        latent_spread: fields of `models.emo.denoising.Spread`; none where the backbone predicts what the scheduler expects,
            without a skip.
        window_overlap: frames that two windows share; 0: clip follows clip, with motion frames.
        window_shift: frames by which windows move at every denoising step.
        stretch_frames: windows go around a loop of at most so many frames; longer sound continues with another loop.
        guidance: weight of the conditions over none (classifier-free guidance); 1 asks the backbone once.
        noise_limit: the first noise is clamped to plus and minus this; None: it is not.
        audio_scale: what the audio attention's output is multiplied by.
        face_region: what the face locator is shown: an `ellipse` within the face region, with soft edges, or all of its `box`.
        domain: the portraits that it knows, `illustrated` or `photo`. Behind illustrated ones the backdrop is kept as it is.
    """

    _optional_components = ["audio_projector", "speed_layers"]  # noqa: RUF012  (a name of diffusers)

    def __init__(
        self,
        codec: PortraitCodec | AutoencoderCodec,
        reference_net: ReferenceNet,
        backbone: EMOBackbone,
        audio_encoder: MelAudioEncoder | WhisperAudioEncoder,
        face_locator: FaceLocator,
        scheduler: DDIMScheduler,
        audio_projector: AudioProjector | None = None,
        speed_layers: SpeedLayers | None = None,
        image_size: int = 256,
        fps: int = 25,
        steps: int = 1,
        clip_frames: int = 12,
        motion_frames: int = 4,
        head_speed: float = 6.0,
        latent_scale: list[float] | None = None,
        latent_spread: dict[str, object] | None = None,
        window_overlap: int = 0,
        window_shift: int = 2,
        stretch_frames: int = 1200,
        guidance: float = 1.0,
        noise_limit: float | None = None,
        audio_scale: float = 1.0,
        face_region: str = "ellipse",
        domain: str = "illustrated",
    ):
        super().__init__()
        self.register_modules(
            codec=codec,
            reference_net=reference_net,
            backbone=backbone,
            audio_encoder=audio_encoder,
            audio_projector=audio_projector,
            face_locator=face_locator,
            speed_layers=speed_layers,
            scheduler=scheduler,
        )
        self.register_to_config(
            image_size=image_size,
            fps=fps,
            steps=steps,
            clip_frames=clip_frames,
            motion_frames=motion_frames,
            head_speed=head_speed,
            latent_scale=latent_scale or [1.0],
            latent_spread=latent_spread,
            window_overlap=window_overlap,
            window_shift=window_shift,
            stretch_frames=stretch_frames,
            guidance=guidance,
            noise_limit=noise_limit,
            audio_scale=audio_scale,
            face_region=face_region,
            domain=domain,
        )
        backbone.follow(audio_scale, speed=speed_layers is not None)
        self.pictures_at_once = clip_frames
        """How many are decoded together; half as many from when memory was not enough."""
        self.resting: tuple[str, ...] = ()
        """Networks that are in the computer's memory while they are not used."""

    def __call__(
        self,
        portrait: NDArray[np.uint8],
        samples: Sound,
        face: tuple[float, float, float, float],
        frames: int | None = None,
        **options: object,
    ) -> EMOPipelineOutput:
        """All frames at once; see `stream`."""
        if frames is None:
            frames = max(1, round(len(samples) / 16_000 * self.config.fps))
        return EMOPipelineOutput(np.concatenate(list(self.stream(portrait, samples, face, frames, **options))))

    @torch.no_grad()
    def stream(
        self,
        portrait: NDArray[np.uint8],
        samples: Sound,
        face: tuple[float, float, float, float],
        frames: int,
        *,
        num_inference_steps: int | None = None,
        head_speed: float | None = None,
        idle: NDArray[np.float32] | None = None,
        seed: int = 0,
        latents: Tensor | None = None,
        callback_on_step_end: Callable[[int, Tensor, Tensor], None] | None = None,
        callback_on_clip_end: Callable[[int], None] | None = None,
    ) -> Iterator[NDArray[np.uint8]]:
        """Frames in clips, as they are done. Memory does not grow with `frames`.

        Args:
            portrait: (H, W, 3), square.
            samples: (N,) mono at 16 kHz, [-1, 1]; one on disk is read as it is needed.
            face: left, top, right, bottom as fractions of the portrait.
            frames: how many to generate; sound that is missing is silence.
            num_inference_steps: 1 or more.
            head_speed: mean head rotation in speech, degrees a second, 0..30. Without speed layers it makes no difference.
            idle: (frames, 7), as `models.idle.idle_motion`; drawn from the seed when None. It is for models with an audio
                projector.
            seed: of the noise and of the idle motion.
            latents: the noise to begin with, (1, C, frames, h, w) for windows and (1, C, 1, h, w) otherwise; at most one loop.
            callback_on_step_end: called with the number of the step, what was predicted, and the latents after it.
            callback_on_clip_end: called with the number of frames done.

        Yields:
            (n, image_size, image_size, 3) uint8.

        Raises:
            ValueError: the portrait is not a square (H, W, 3) picture.
        """
        if portrait.ndim != 3 or portrait.shape[0] != portrait.shape[1] or portrait.shape[2] != 3:
            raise ValueError(f"the portrait must be (side, side, 3), not {portrait.shape}")
        config = self.config
        seen = self._see(portrait, face, config.head_speed if head_speed is None else head_speed)
        listen = self._listen(samples, frames, idle, seed)
        steps = num_inference_steps or config.steps
        generator = torch.Generator("cpu").manual_seed(seed)

        def draw(count: int) -> Tensor:
            return self._noise(seen, count, generator) if latents is None else latents

        told = callback_on_step_end or (lambda step, predicted, after: None)
        clips = self._in_windows if config.window_overlap else self._one_by_one
        done = 0
        for clip in clips(seen, listen, frames, steps, draw, told):
            yield from self._pictures_of(clip, seen)
            done += len(clip)
            if callback_on_clip_end is not None:
                callback_on_clip_end(done)

    def _pictures_of(self, clip: Tensor, seen: "_Seen") -> Iterator[NDArray[np.uint8]]:
        """Scaled latents (n, C, h, w) as pictures, in batches."""

        def release(size: int) -> None:
            self.pictures_at_once = size
            torch.cuda.empty_cache()

        with self._awake("codec"):
            yield from in_batches(len(clip), partial(seen.shown, self.codec, clip), release, self.pictures_at_once)

    def put_to_rest(self, names: tuple[str, ...]) -> None:
        """Keep networks in the computer's memory except while they are used."""
        self.resting = names
        for name in names:
            getattr(self, name).to("cpu")
        torch.cuda.empty_cache()

    @contextmanager
    def _awake(self, name: str) -> Iterator[Any]:
        """A network on the device, wherever it rests."""
        network = getattr(self, name)
        if name not in self.resting:
            yield network
            return
        try:
            yield network.to(self.backbone.device)
        finally:
            network.to("cpu")
            torch.cuda.empty_cache()

    def _read(self, latents: Tensor) -> dict[str, Tensor]:
        with self._awake("reference_net") as reference_net:
            return reference_net.read(latents.to(reference_net.dtype))

    def _see(self, portrait: NDArray[np.uint8], face: tuple[float, float, float, float], head_speed: float) -> "_Seen":
        config, device = self.config, self.backbone.device
        picture = self._picture(portrait).to(device)
        with self._awake("codec") as codec:
            appearance, unscaled = codec.appearance(picture), codec.still(picture)
        kept, matte = None, None
        if config.domain == "illustrated":
            backdrop = plain_backdrop(_pictures(picture)[0], face)
            kept = torch.from_numpy(kept_backdrop(backdrop, head_speed)).to(device)
            matte = matte_of(_pictures(picture)[0], backdrop)
        if config.face_region == "box":
            mask = torch.from_numpy(region_mask(face, config.image_size)).float()[None, None] / 255
        else:
            mask = face_mask(face, config.image_size)
        side = appearance.shape[-1]
        scale = torch.tensor(config.latent_scale, device=device).view(-1, 1, 1)
        still = unscaled / scale
        spread = None
        if config.latent_spread is not None:
            spread = Spread(**config.latent_spread).map(torch.tensor([face], device=device), side)
        speed: dict[str, Tensor] = {}
        if self.speed_layers is not None:
            speed = self.speed_layers(torch.full((1, config.clip_frames), head_speed, device=device))
            speed = {name: value.to(self.backbone.dtype) for name, value in speed.items()}
        reference = self._read(torch.cat([still, appearance], 1))
        located = self.face_locator(mask.to(device, self.face_locator.dtype))
        return _Seen(picture, appearance, still.shape[1:], scale, reference, located, spread, speed, kept, matte)

    def _listen(self, samples: Sound, frames: int, idle: NDArray[np.float32] | None, seed: int) -> "_Listen":
        """What the backbone hears at given frames."""
        config, device = self.config, self.backbone.device
        if self.audio_projector is None:
            hearing = self.audio_encoder.listen(samples, frames, config.fps)
            return lambda index: _Heard(*hearing.around(index))
        if idle is None:
            idle = idle_motion(frames, config.fps, np.random.default_rng([8, seed]))
        resting = torch.from_numpy(idle).to(device)
        features = self.audio_encoder.listen(samples, frames)

        def listen(index: Tensor) -> _Heard:
            tokens, embedding = self.audio_projector(features.windows(index), resting[index])
            return _Heard(tokens, None, embedding)

        return listen

    def _one_by_one(
        self, seen: "_Seen", listen: "_Listen", frames: int, steps: int, draw: "_Draw", told: "_Told"
    ) -> Iterator[Tensor]:
        """Scaled latents (n, C, h, w) of clip after clip, each of which goes on from the last frames of the one before."""
        config, device = self.config, seen.picture.device
        # One noise for all frames: what the model leaves to chance stays as it is, instead of flickering.
        noise = draw(1).expand(-1, -1, config.clip_frames, -1, -1)
        kept: dict[str, tuple[Tensor, Tensor]] = {}
        past: Tensor | None = None
        for start in range(0, frames, config.clip_frames):
            # The last clip is generated at full length too: the networks have seen no other.
            index = torch.arange(start, start + config.clip_frames, device=device).clamp(max=frames - 1)
            heard = listen(index)
            conditioning = Conditioning(seen.reference, speed=seen.speed, places=heard.places, cache={}, kept=kept)
            if past is None:
                conditioning.motion = no_motion(seen.reference, config.motion_frames)
            else:
                shown = seen.appearance.expand(config.motion_frames, -1, -1, -1)
                conditioning.motion = read_motion(self._read(torch.cat([past, shown], 1)), 1)
            x_t = noise
            self.scheduler.set_timesteps(steps, device=device)
            for step, timestep in enumerate(self.scheduler.timesteps):
                predicted = self._predict(x_t, timestep, seen, conditioning, heard.tokens, heard.embedding)
                x_t = self.scheduler.step(predicted, timestep, x_t).prev_sample
                told(step, predicted, x_t)
            clip = x_t[0].transpose(0, 1)
            past = clip[-config.motion_frames :]
            yield clip[: min(config.clip_frames, frames - start)]

    def _in_windows(
        self, seen: "_Seen", listen: "_Listen", frames: int, steps: int, draw: "_Draw", told: "_Told"
    ) -> Iterator[Tensor]:
        """Latents (n, C, h, w) of loops of frames that are denoised together, in overlapping windows.

        Where a loop follows another, it begins with the last `clip_frames` frames of that one, which stay as they are.
        """
        config, device = self.config, seen.picture.device
        kept: dict[str, tuple[Tensor, Tensor]] = {}
        given = torch.empty(1, *seen.shape[:1], 0, *seen.shape[1:], device=device)
        for start in range(0, frames, config.stretch_frames):
            fresh = min(config.stretch_frames, frames - start)
            before = given.shape[2]
            heard = listen(torch.arange(start - before, start + fresh, device=device))
            conditioning = Conditioning(seen.reference, speed=seen.speed, cache={}, kept=kept)
            noise = draw(before + fresh)
            x_t = noise
            self.scheduler.set_timesteps(steps, device=device)
            for step, timestep in enumerate(self.scheduler.timesteps):
                if before:
                    noised = self.scheduler.add_noise(given, noise[:, :, :before], timestep[None])
                    x_t = torch.cat([noised, x_t[:, :, before:]], 2)
                predicted, count = torch.zeros_like(x_t), x_t.new_zeros(before + fresh)
                shift = step * config.window_shift
                for numbers in overlapping_windows(before + fresh, config.clip_frames, config.window_overlap, shift):
                    window = torch.tensor(numbers, device=device)
                    conditioning.places = window if heard.places is None else heard.places[window]
                    embedding = None if heard.embedding is None else heard.embedding[window]
                    predicted[:, :, window] += self._predict(
                        x_t[:, :, window], timestep, seen, conditioning, heard.tokens, embedding
                    )
                    count[window] += 1
                predicted = predicted / count.view(-1, 1, 1)
                x_t = self.scheduler.step(predicted, timestep, x_t).prev_sample
                told(step, predicted, x_t)
            given = x_t[:, :, -config.clip_frames :].clone()
            give_back()
            yield from x_t[0, :, before:].transpose(0, 1).split(config.clip_frames)

    def _noise(self, seen: "_Seen", frames: int, generator: torch.Generator) -> Tensor:
        """(1, C, frames, h, w)."""
        channels, *place = seen.shape
        noise = torch.randn((1, channels, frames, *place), generator=generator)
        if self.config.noise_limit is not None:
            noise = noise.clamp(-self.config.noise_limit, self.config.noise_limit)
        return noise.to(seen.picture.device)

    def _predict(
        self,
        x_t: Tensor,
        timestep: Tensor,
        seen: "_Seen",
        conditioning: Conditioning,
        tokens: Tensor,
        embedding: Tensor | None,
    ) -> Tensor:
        """What the scheduler asks for, of (1, C, F, h, w) latents in noise."""
        t = timestep[None]
        skip, out, scaled = None, None, x_t
        if seen.spread is not None:
            scaled, skip, out = precondition(x_t, *signal_and_noise(self.scheduler, t), seen.spread)
        shown = torch.cat([scaled, seen.appearance[:, :, None].expand(-1, -1, x_t.shape[2], -1, -1)], 1)
        # The networks may be rounded; latents, which many small steps add up to, are not.
        shown, tokens = shown.to(self.backbone.dtype), tokens.to(self.backbone.dtype)
        embedding = None if embedding is None else embedding.to(self.backbone.dtype)
        self.backbone.attend_to(conditioning)
        predicted = self.backbone(shown, t, tokens, seen.located, embedding)
        if self.config.guidance != 1:
            # Without conditions: no reference to attend to, no face, and silence, of which one token says as much as all.
            self.backbone.attend_to(Conditioning())
            silence = tokens.new_zeros(x_t.shape[2], 1, tokens.shape[-1])
            alone = self.backbone(shown, t, silence, None, embedding)
            predicted = alone + self.config.guidance * (predicted - alone)
        predicted = predicted.to(x_t)
        return predicted if skip is None or out is None else skip + out * predicted

    def _picture(self, portrait: NDArray[np.uint8]) -> Tensor:
        """(1, 3, image_size, image_size) in [-1, 1]."""
        picture = torch.from_numpy(portrait.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        size = self.config.image_size
        if picture.shape[-1] != size:
            picture = F.interpolate(picture, size=(size, size), mode="bicubic", antialias=True).clamp(-1, 1)
        return picture


_Draw = Callable[[int], Tensor]
_Told = Callable[[int, Tensor, Tensor], None]


@dataclass(frozen=True, slots=True)
class _Heard:
    """What is heard at n frames."""

    tokens: Tensor
    """(n, L, D), or tokens that frames share, (R, L, D)."""
    places: Tensor | None = None
    """Which of them each frame hears: (n, k)."""
    embedding: Tensor | None = None
    """(n, E)."""


_Listen = Callable[[Tensor], _Heard]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is the same in every frame of a segment."""

    picture: Tensor
    """(1, 3, H, W) in [-1, 1]."""
    appearance: Tensor
    """(1, A, h, w)."""
    shape: torch.Size
    """Of a frame's latents: (C, h, w)."""
    scale: Tensor
    """(C, 1, 1)."""
    reference: dict[str, Tensor]
    located: Tensor
    spread: Tensor | None
    speed: dict[str, Tensor]
    kept: Tensor | None
    """(H, W), how much of the portrait stays as it is."""
    matte: Matte | None

    def shown(self, codec: PortraitCodec | AutoencoderCodec, clip: Tensor, part: slice) -> NDArray[np.uint8]:
        """A part of scaled latents (n, C, h, w) as pictures (m, H, W, 3)."""
        decoded = codec.decode(clip[part] * self.scale, self.picture, self.matte)
        return _pictures(decoded if self.kept is None else torch.lerp(decoded, self.picture, self.kept))


def _pictures(frames: Tensor) -> NDArray[np.uint8]:
    """(B, 3, H, W) in [-1, 1] to (B, H, W, 3) uint8."""
    return ((frames.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
