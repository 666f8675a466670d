"""A trained model as a diffusers folder."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from media.errors import InputError
from models.emo import networks
from models.emo.audio import MelAudioEncoder
from models.emo.autoencoder import AutoencoderCodec
from models.emo.codec import PortraitCodec
from models.emo.denoising import Spread
from models.emo.pipeline import EMOPipeline
from models.emo.training.stage import Stage


def assembled(
    parts: dict[str, Any],
    codec: PortraitCodec | AutoencoderCodec,
    encoder: MelAudioEncoder,
    scale: list[float],
    spread: Spread,
    steps: int = 1,
) -> EMOPipeline:
    """The networks, trained or in training, as a pipeline."""
    return EMOPipeline(
        codec=codec,
        audio_encoder=encoder,
        **parts,
        image_size=codec.stride * parts["backbone"].config.sample_size,
        steps=steps,
        latent_scale=scale,
        latent_spread=asdict(spread),
        # Drawn presenters have a codec of their own; what needs an autoencoder is filmed.
        domain="photo" if isinstance(codec, AutoencoderCodec) else "illustrated",
    )


def save_checkpoint(
    parts: dict[str, Any],
    codec: PortraitCodec | AutoencoderCodec,
    encoder: MelAudioEncoder,
    scale: list[float],
    spread: Spread,
    folder: Path,
    steps: int = 1,
) -> None:
    """Write the diffusers folder of a checkpoint, weights in half precision; written aside, then renamed.

    Args:
        steps: denoising steps that it takes unless asked otherwise.
    """
    pipeline = assembled(parts, codec, encoder, scale, spread, steps)
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    pipeline.to(torch.float16).save_pretrained(aside)
    pipeline.to(torch.float32)
    for path in aside.rglob("config.json"):  # where a part was loaded from means nothing elsewhere
        path.write_text(
            json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "_name_or_path"}, indent=2)
        )
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(aside, folder)


def begin_with(run: Path, folder: Path, size: networks.Size) -> None:
    """Put a checkpoint into a run that has not begun: codec and audio encoder, and networks for the first stage to begin with.

    Raises:
        InputError: the checkpoint is of another size.
    """
    if (run / "crop.pt").exists():
        return
    pipeline = EMOPipeline.from_pretrained(folder, dtype=torch.float32)
    built = networks.networks(size, pipeline.audio_encoder)
    del built["scheduler"]
    for name, module in built.items():
        try:
            module.load_state_dict(getattr(pipeline, name).state_dict())
        except (AttributeError, RuntimeError):
            raise InputError(f"{folder}: its {name} is not of the size that is trained; begin without it.") from None
    pipeline.audio_encoder.save_pretrained(run / "audio_encoder")
    pipeline.codec.save_pretrained(run / "codec")
    statistics = {"scale": pipeline.config.latent_scale, **pipeline.config.latent_spread}
    (run / "statistics.json").write_text(json.dumps(statistics))
    # Last, since it says that all of it is there.
    Stage(run, "crop", nn.ModuleDict(built), 1, 0.0).save()
