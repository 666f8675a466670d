"""Published files of a tiny EchoMimic v1, as its authors' hub has them at full size."""

import os
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[2] / "data/echomimic"
PARITY = Path(os.environ.get("PORTRAYAL_PARITY", Path(__file__).parents[4] / "shared/parity")) / "echomimic"


@pytest.fixture(scope="session")
def micro() -> Any:
    """Its size."""
    from models.emo import echomimic

    return echomimic.Size(image=128, blocks=(32,) * 4, layers=1, locator=(8, 16, 24, 32), clip_frames=6, overlap=2)


def _weights(name: str) -> dict[str, Any]:
    from safetensors.torch import load_file

    return {key: value.float() for key, value in load_file(DATA / f"{name}.safetensors").items()}


def _whisper() -> dict[str, Any]:
    """Random weights of the recordings where they are at hand (17 MB), and others otherwise."""
    import torch
    from safetensors.torch import load_file

    from models.emo.whisper_audio import WhisperAudioEncoder

    recorded = PARITY / "whisper_random_encoder.safetensors"
    if recorded.is_file():
        return {key: value.float() for key, value in load_file(recorded).items()}
    torch.manual_seed(505)
    return dict(WhisperAudioEncoder().encoder.state_dict())


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as it comes from the hub, with the files of both variants."""
    import torch
    from diffusers import AutoencoderKL

    folder = tmp_path_factory.mktemp("published")
    denoising = _weights("denoising_unet")
    motion = {key: value for key, value in denoising.items() if ".motion_modules." in key}
    rest = {key: value for key, value in denoising.items() if key not in motion}
    (folder / "audio_processor").mkdir()
    for end in ("", "_acc"):
        torch.save(rest, folder / f"denoising_unet{end}.pth")
        torch.save(motion, folder / f"motion_module{end}.pth")
    torch.save(_weights("reference_unet"), folder / "reference_unet.pth")
    torch.save(_weights("face_locator"), folder / "face_locator.pth")
    whisper = {f"encoder.{key}": value for key, value in _whisper().items()}
    whisper["decoder.token_embedding.weight"] = torch.zeros(4, 4)
    torch.save({"dims": {"n_mels": 80}, "model_state_dict": whisper}, folder / "audio_processor/whisper_tiny.pt")
    autoencoder = AutoencoderKL.from_config(AutoencoderKL.load_config(DATA / "vae.json"))
    autoencoder.load_state_dict(_weights("vae"))
    autoencoder.save_pretrained(folder / "sd-vae-ft-mse")
    return folder
