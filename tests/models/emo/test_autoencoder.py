"""A general autoencoder stands where the starter's codec stands, and the paper's networks fit Stable Diffusion's weights."""

from pathlib import Path

import numpy as np
import pytest
import torch

from media.errors import InputError, MissingEngineError
from models.avatars.drawing import Pose, draw
from models.emo import corpus, networks
from models.emo.audio import MelAudioEncoder
from models.emo.autoencoder import AutoencoderCodec, read_autoencoder, require_autoencoder
from models.emo.codec import PortraitCodec
from models.emo.training.videos.pictures import train_autoencoder


@pytest.fixture(scope="module")
def codec() -> AutoencoderCodec:
    torch.manual_seed(0)
    return AutoencoderCodec.around(networks.autoencoder(networks.EMO_TINY)).eval()


@torch.no_grad()
def test_it_answers_as_the_starters_codec_does(codec: AutoencoderCodec) -> None:
    portrait = torch.rand(1, 3, 64, 64) * 2 - 1
    starters = PortraitCodec(4, 8, 4, own_places=6)
    for each, side, appearance in ((codec, 8, 0), (starters, 4, 8)):
        assert each.stride == 64 // side
        assert each.still(portrait).shape == (1, 4, side, side)
        assert each.appearance(portrait).shape == (1, appearance, side, side)
        assert each.decode(each.still(portrait), portrait).shape == portrait.shape


@torch.no_grad()
def test_latents_are_those_of_the_autoencoder_scaled_and_do_not_depend_on_the_batch(codec: AutoencoderCodec) -> None:
    frames = torch.rand(6, 3, 64, 64) * 2 - 1
    latents = codec.encode(frames)
    straight = codec.vae.encode(frames).latent_dist.mode() * codec.vae.config.scaling_factor
    assert torch.allclose(latents, straight, atol=1e-5)
    assert torch.allclose(codec.still(frames[:1]), latents[:1], atol=1e-5)
    assert torch.allclose(codec.decode(latents), codec.vae.decode(latents / 0.18215).sample, atol=1e-5)


def test_it_is_saved_and_loaded_as_a_component_and_from_an_autoencoders_folder(
    codec: AutoencoderCodec, tmp_path: Path
) -> None:
    codec.save_pretrained(tmp_path / "codec")
    codec.vae.save_pretrained(tmp_path / "vae")
    for other in (AutoencoderCodec.from_pretrained(tmp_path / "codec"), read_autoencoder(tmp_path / "vae")):
        for (name, one), two in zip(codec.state_dict().items(), other.state_dict().values(), strict=True):
            assert torch.equal(one, two), name
    require_autoencoder(tmp_path / "vae", 8, 4)
    with pytest.raises(InputError, match="1/8"):
        require_autoencoder(tmp_path / "vae", 16, 4)
    with pytest.raises(InputError, match="not a diffusers AutoencoderKL"):
        require_autoencoder(tmp_path / "codec", 8, 4)
    with pytest.raises(MissingEngineError):
        require_autoencoder(tmp_path / "nowhere", 8, 4)


@pytest.mark.slow
def test_one_that_is_trained_here_learns_pictures_and_scales_its_latents(tmp_path: Path) -> None:
    drawn = np.stack([draw(corpus.presenter_of(seed), Pose(), 64) for seed in range(24)])
    pictures = torch.from_numpy(drawn).permute(0, 3, 1, 2).contiguous()
    torch.save({"parts": [], "pictures": pictures}, tmp_path / "pictures.pt")
    torch.manual_seed(0)
    codec = train_autoencoder(tmp_path, networks.autoencoder(networks.EMO_TINY), 120)
    log = [line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines()[1:]]
    errors = [float(row[4]) for row in log if row[3] == "error"]
    assert errors[-1] < 0.7 * errors[0]
    with torch.no_grad():
        assert codec.encode(pictures.float() / 127.5 - 1).std().item() == pytest.approx(1.0, abs=0.05)


def test_the_papers_networks_take_stable_diffusions_weights_by_name_and_shape() -> None:
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        built = networks.networks(networks.EMO, MelAudioEncoder())
        stable = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
        autoencoder = networks.autoencoder(networks.EMO)
    assert sum(p.numel() for p in stable.parameters()) == 859_520_964
    assert sum(p.numel() for p in autoencoder.parameters()) == 83_653_863
    published = {name: weight.shape for name, weight in stable.state_dict().items()}
    backbone = {name: weight.shape for name, weight in built["backbone"].state_dict().items() if "motion" not in name}
    assert backbone == published
    reference = {name: weight.shape for name, weight in built["reference_net"].state_dict().items()}
    left_out = ("attn2", "transformer_blocks.0.norm2", "conv_norm_out", "conv_out")  # text attention, and output layers
    assert reference == {n: s for n, s in published.items() if not any(part in n for part in left_out)}


def test_what_torch_says_when_memory_is_not_enough_is_understood() -> None:
    from media.memory import is_out_of_memory

    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value) and is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
