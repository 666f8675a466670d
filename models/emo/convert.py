"""EchoMimic v1's published files into the diffusers folder of a checkpoint, one network at a time."""

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from media.atomic import cannot_write
from media.errors import InputError
from models.emo import echomimic
from models.emo.autoencoder import read_autoencoder, require_autoencoder
from models.emo.pipeline import EMOPipeline
from models.emo.published import read_weights
from models.emo.whisper_audio import WhisperAudioEncoder

AUTOENCODER = "sd-vae-ft-mse"
WHISPER = "audio_processor/whisper_tiny.pt"
FILES: dict[str, tuple[str, ...]] = {
    variant: (
        "reference_unet.pth",
        f"denoising_unet{end}.pth",
        f"motion_module{end}.pth",
        "face_locator.pth",
        WHISPER,
    )
    for variant, end in (("base", ""), ("acc", "_acc"))
}
"""What is read for each variant, besides the folder of the autoencoder; each may also end in `.safetensors`."""

Rename = Callable[[Mapping[str, Tensor], Mapping[str, Tensor], str], dict[str, Tensor]]


def convert_echomimic(
    source: Path,
    out: Path,
    variant: str = "base",
    size: echomimic.Size = echomimic.PUBLISHED,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Write the checkpoint of a variant into the folder `out`, which appears when it is complete.

    Weights keep the precision in which they were published. One network at a time is read: at most 5.4 GB at full size.

    Args:
        source: folder with the published files, named as on the hub.
        variant: base or acc.
        progress: is told the share that is done, 0..1.

    Raises:
        InputError: a file is missing, damaged, holds code, or lacks keys or has others; or `out` cannot be written to.
        StorageError: the disk is full.
    """
    told = progress or (lambda share: None)
    reference, denoising, motion, locator, whisper = (_found(source, name) for name in FILES[variant])
    require_autoencoder(source / AUTOENCODER, 8, 4)
    if out.exists():
        raise InputError(f"{out}: it is there already; remove it or choose another folder.")
    for left in out.parent.glob(f".{out.name}.*.part"):  # of a conversion that was killed: gigabytes
        shutil.rmtree(left, ignore_errors=True)
    aside = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        aside.mkdir(parents=True)
        with torch.device("meta"):
            parts: dict[str, Any] = {
                "reference_net": echomimic.reference_unet(size),
                "backbone": echomimic.denoising_unet(size),
                "face_locator": echomimic.face_locator(size),
                "audio_encoder": WhisperAudioEncoder(),
            }
        autoencoder = read_autoencoder(source / AUTOENCODER)
        sources: dict[str, tuple[tuple[Path, ...], Rename, str | None]] = {
            "reference_net": ((reference,), echomimic.reference_keys, None),
            "backbone": ((denoising, motion), echomimic.denoising_keys, None),
            "face_locator": ((locator,), echomimic.face_locator_keys, None),
            "audio_encoder": ((whisper,), echomimic.whisper_keys, "model_state_dict"),
        }
        _write(autoencoder, aside / "codec")
        EMOPipeline(
            codec=autoencoder, **parts, scheduler=echomimic.scheduler(), **echomimic.settings(size, variant)
        ).save_config(aside)
        echomimic.scheduler().save_pretrained(aside / "scheduler")
        for done, (name, (files, rename, key)) in enumerate(sources.items(), 1):
            _write(_filled(parts.pop(name), files, rename, key), aside / name)
            told(done / len(sources))
        os.replace(aside, out)
    except OSError as error:
        raise cannot_write(out, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _found(folder: Path, name: str) -> Path:
    for path in (folder / name, (folder / name).with_suffix(".safetensors")):
        if path.is_file():
            return path
    raise InputError(f"{folder / name}: there is no such file; download it from the hub and put it there.")


def _filled(network: nn.Module, files: tuple[Path, ...], rename: Rename, key: str | None) -> nn.Module:
    """The network with the weights of the files, which stay on the disk until they are written."""
    weights: dict[str, Tensor] = {}
    for file in files:
        part = read_weights(file, key)
        if twice := weights.keys() & part.keys():
            raise InputError(f"{file}: {min(twice)} is in {files[0].name}, too; download both files again.")
        weights |= part
    label = " and ".join([str(files[0]), *(file.name for file in files[1:])])
    network.load_state_dict(rename(weights, network.state_dict(), label), assign=True)
    return network


def _write(network: Any, folder: Path) -> None:
    try:
        network.save_pretrained(folder, max_shard_size="20GB")
    except SafetensorError as error:  # a full disk is told in words
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
    config = folder / "config.json"  # where a part was loaded from means nothing elsewhere
    kept = {name: value for name, value in json.loads(config.read_text()).items() if name != "_name_or_path"}
    config.write_text(json.dumps(kept, indent=2))
