"""`EMOPipeline`: a portrait and a voice to frames, clip by clip, as a diffusers pipeline."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, DiffusionPipeline
from diffusers.utils import BaseOutput
from numpy.typing import NDArray
from torch import Tensor

from media.memory import in_batches
from models.emo.attention import Conditioning
from models.emo.audio import AudioProjector, MelAudioEncoder, frame_windows
from models.emo.autoencoder import AutoencoderCodec
from models.emo.backbone import EMOBackbone, no_motion, read_motion
from models.emo.backdrop import kept_backdrop, matte_of, plain_backdrop
from models.emo.codec import PortraitCodec
from models.emo.denoising import Spread, precondition, signal_and_noise
from models.emo.face_locator import FaceLocator, face_mask
from models.emo.reference import ReferenceNet
from models.emo.speed import SpeedLayers
from models.idle import idle_motion


@dataclass
class EMOPipelineOutput(BaseOutput):
    frames: NDArray[np.uint8]
    """(F, H, W, 3)."""


class EMOPipeline(DiffusionPipeline):
    """Generates a talking portrait (arXiv 2402.17485).

    Args:
        codec: frames to latents and back, next to the portrait.
        reference_net, backbone, audio_encoder, audio_projector, face_locator, speed_layers, scheduler: the networks.
        image_size: side of the square picture, pixels.
        fps: frames a second.
        steps: denoising steps unless asked otherwise.
        clip_frames, motion_frames: f and n of the paper.
        head_speed: mean head rotation in speech unless asked otherwise, degrees a second.
        latent_scale: what latents are divided by, per channel.
        latent_spread: fields of `models.emo.denoising.Spread`.
    """

    def __init__(
        self,
        codec: PortraitCodec | AutoencoderCodec,
        reference_net: ReferenceNet,
        backbone: EMOBackbone,
        audio_encoder: MelAudioEncoder,
        audio_projector: AudioProjector,
        face_locator: FaceLocator,
        speed_layers: SpeedLayers,
        scheduler: DDIMScheduler,
        image_size: int = 256,
        fps: int = 25,
        steps: int = 1,
        clip_frames: int = 12,
        motion_frames: int = 4,
        head_speed: float = 6.0,
        latent_scale: list[float] | None = None,
        latent_spread: dict[str, object] | None = None,
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
            latent_spread=latent_spread or {"channels": [1.0], "places": [[[1.0]]] * 2, "face": [0, 0, 1, 1]},
        )

    def __call__(
        self,
        portrait: NDArray[np.uint8],
        samples: NDArray[np.float32],
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
        samples: NDArray[np.float32],
        face: tuple[float, float, float, float],
        frames: int,
        *,
        num_inference_steps: int | None = None,
        head_speed: float | None = None,
        idle: NDArray[np.float32] | None = None,
        seed: int = 0,
        callback_on_clip_end: Callable[[int], None] | None = None,
    ) -> Iterator[NDArray[np.uint8]]:
        """Frames in clips of at most `clip_frames`, as they are done. Memory does not grow with `frames`.

        Args:
            portrait: (H, W, 3), square.
            samples: (N,) mono at 16 kHz, [-1, 1].
            face: left, top, right, bottom as fractions of the portrait.
            frames: how many to generate; sound that is missing is silence.
            num_inference_steps: 1 or more.
            head_speed: mean head rotation in speech, degrees a second, 0..30.
            idle: (frames, 7), as `models.idle.idle_motion`; drawn from the seed when None.
            seed: of the noise and of the idle motion.

        Yields:
            (n, image_size, image_size, 3) uint8.

        Raises:
            ValueError: the portrait is not a square (H, W, 3) picture.
        """
        if portrait.ndim != 3 or portrait.shape[0] != portrait.shape[1] or portrait.shape[2] != 3:
            raise ValueError(f"the portrait must be (side, side, 3), not {portrait.shape}")
        config, device = self.config, self._execution_device
        generator = torch.Generator("cpu").manual_seed(seed)
        picture = self._picture(portrait).to(device)
        appearance = self.codec.appearance(picture)
        if head_speed is None:
            head_speed = config.head_speed
        backdrop = plain_backdrop(_pictures(picture)[0], face)
        kept = torch.from_numpy(kept_backdrop(backdrop, head_speed)).to(device)
        matte = matte_of(_pictures(picture)[0], backdrop)
        mask = face_mask(face, config.image_size).to(device)
        side, channels = appearance.shape[-1], len(config.latent_scale)
        scale = torch.tensor(config.latent_scale, device=device).view(-1, 1, 1)
        still = self.codec.still(picture) / scale
        reference = self.reference_net.read(torch.cat([still, appearance], 1))
        spread = Spread(**config.latent_spread).map(torch.tensor([face], device=device), side)
        located = self.face_locator(mask)
        if idle is None:
            idle = idle_motion(frames, config.fps, np.random.default_rng([8, seed]))
        resting = torch.from_numpy(idle).to(device)

        features = self.audio_encoder.encode(torch.from_numpy(samples.copy()).to(device), frames)
        windows = frame_windows(features)
        speed = torch.full((1, config.clip_frames), head_speed, device=device)
        steps = num_inference_steps or config.steps

        # One noise for all frames: what the model leaves to chance stays as it is, instead of flickering.
        noise = torch.randn((1, channels, 1, side, side), generator=generator).to(device)
        noise = noise.expand(-1, -1, config.clip_frames, -1, -1)

        past: Tensor | None = None
        for start in range(0, frames, config.clip_frames):
            # The last clip is generated at full length too: the networks have seen no other.
            index = torch.arange(start, start + config.clip_frames, device=device).clamp(max=frames - 1)
            tokens, embedding = self.audio_projector(windows[index], resting[index])
            conditioning = Conditioning(reference=reference, speed=self.speed_layers(speed.float()), cache={})
            if past is None:
                conditioning.motion = no_motion(reference, config.motion_frames)
            else:
                shown = appearance.expand(config.motion_frames, -1, -1, -1)
                conditioning.motion = read_motion(self.reference_net.read(torch.cat([past, shown], 1)), 1)
            self.backbone.attend_to(conditioning)
            clip = self._denoise(noise, appearance, spread, tokens, embedding, located, steps)[0].transpose(0, 1)
            past = clip[-config.motion_frames :]
            count = min(config.clip_frames, frames - start)

            def decode(batch: slice, latents: Tensor = clip[:count] * scale) -> NDArray[np.uint8]:
                return _pictures(torch.lerp(self.codec.decode(latents[batch], picture, matte), picture, kept))

            yield from in_batches(count, decode, torch.cuda.empty_cache)
            if callback_on_clip_end is not None:
                callback_on_clip_end(start + count)

    def _denoise(
        self,
        x_t: Tensor,
        appearance: Tensor,
        spread: Tensor,
        tokens: Tensor,
        embedding: Tensor,
        located: Tensor,
        steps: int,
    ) -> Tensor:
        """One clip's scaled latents (1, C, clip_frames, h, w), from noise of that shape."""
        shown = appearance[:, :, None].expand(-1, -1, x_t.shape[2], -1, -1)
        self.scheduler.set_timesteps(steps, device=x_t.device)
        for timestep in self.scheduler.timesteps:
            t = timestep[None]
            a, b = signal_and_noise(self.scheduler, t)
            scaled, skip, out = precondition(x_t, a, b, spread)
            predicted = self.backbone(torch.cat([scaled, shown], 1), t, tokens, located, embedding)
            x_t = self.scheduler.step(skip + out * predicted, timestep, x_t).prev_sample
        return x_t

    def _picture(self, portrait: NDArray[np.uint8]) -> Tensor:
        """(1, 3, image_size, image_size) in [-1, 1]."""
        picture = torch.from_numpy(portrait.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        size = self.config.image_size
        if picture.shape[-1] != size:
            picture = F.interpolate(picture, size=(size, size), mode="bicubic", antialias=True).clamp(-1, 1)
        return picture


def _pictures(frames: Tensor) -> NDArray[np.uint8]:
    """(B, 3, H, W) in [-1, 1] to (B, H, W, 3) uint8."""
    return ((frames.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
