"""The network's parts, at a size that learns nothing but runs in milliseconds."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from media.long_sound import LongSound
from models.emo import networks
from models.emo.attention import Conditioning, motion_blocks, transformer_blocks
from models.emo.audio import MelAudioEncoder, frame_windows, log_mel
from models.emo.backbone import no_motion
from models.emo.codec import POSE, PortraitCodec, added_up, enlarged, moved, window, windowed_patches
from models.emo.denoising import Spread, precondition, signal_and_noise
from models.emo.face_locator import face_mask
from models.emo.pipeline import EMOPipeline
from models.idle import IDLE

FACE = (0.25, 0.2, 0.75, 0.8)


def tiny_pipeline(seed: int = 0) -> EMOPipeline:
    torch.manual_seed(seed)
    size, encoder = networks.TINY, MelAudioEncoder(channels=32)
    parts = networks.networks(size, encoder)
    for module in parts["backbone"].modules():  # motion modules that do something, unlike before training
        if hasattr(module, "proj_out") and hasattr(module, "transformer_blocks"):
            torch.nn.init.normal_(module.proj_out.weight, std=0.1)
    torch.nn.init.normal_(parts["face_locator"].conv_out.weight, std=0.1)
    return EMOPipeline(
        codec=networks.codec(size),
        audio_encoder=encoder,
        **parts,
        image_size=size.image,
        latent_scale=[1.0] * size.latent_channels,
        latent_spread={
            "channels": [1.0] * size.latent_channels,
            "places": [[[1.0] * 4] * 4] * 2,
            "face": [0.27, 0.25, 0.73, 0.77],
        },
    )


@pytest.fixture(scope="module")
def pipeline() -> EMOPipeline:
    return tiny_pipeline()


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    t = np.arange(16_000) / 16_000
    return (0.3 * np.sin(2 * np.pi * 200 * t) * (np.sin(2 * np.pi * 3 * t) > 0)).astype(np.float32)


@pytest.mark.parametrize("frames", [1, 12, 13, 30])
def test_a_segment_has_exactly_the_frames_asked_for(pipeline, portrait, voice, frames):
    assert pipeline(portrait, voice, FACE, frames).frames.shape == (frames, 64, 64, 3)


def test_frames_come_clip_by_clip(pipeline, portrait, voice):
    assert [len(clip) for clip in pipeline.stream(portrait, voice, FACE, 30)] == [12, 12, 6]


def test_equal_seeds_give_equal_frames_and_others_do_not(pipeline, portrait, voice):
    one, two, other = (pipeline(portrait, voice, FACE, 14, seed=seed).frames for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_a_saved_pipeline_generates_the_same(pipeline, portrait, voice, tmp_path):
    pipeline.save_pretrained(tmp_path)
    loaded = EMOPipeline.from_pretrained(tmp_path)
    expected = pipeline(portrait, voice, FACE, 14).frames.astype(int)
    assert np.abs(loaded(portrait, voice, FACE, 14).frames - expected).max() <= 1


def test_what_is_left_to_chance_does_not_flicker(pipeline, portrait):
    """In silence, with nothing to do, frames differ by what their place in the clip does, and clips not at all."""
    pipeline = tiny_pipeline()
    for module in pipeline.backbone.modules():  # as image models: no place in time, no motion frames
        if hasattr(module, "proj_out") and hasattr(module, "transformer_blocks") and hasattr(module, "in_channels"):
            torch.nn.init.zeros_(module.proj_out.weight)
            torch.nn.init.zeros_(module.proj_out.bias)
    frames = pipeline(portrait, np.zeros(16_000, np.float32), FACE, 20, idle=np.zeros((20, 7), np.float32)).frames
    assert np.abs(frames.astype(int) - frames[:1]).max() <= 1


@pytest.mark.parametrize("column", range(len(IDLE)))
def test_idle_motion_is_heard_beside_the_sound(pipeline, column):
    windows, idle = torch.randn(3, 5, pipeline.audio_encoder.feature_size), torch.zeros(3, len(IDLE))
    tokens, embedding = pipeline.audio_projector(windows, idle)
    idle[1, column] = 1.0
    others, changed = pipeline.audio_projector(windows, idle)
    assert tokens.shape == (3, 6, networks.TINY.tokens)
    for before, after in ((tokens, others), (embedding, changed)):
        assert torch.equal(before[0], after[0])
        assert not torch.allclose(before[1], after[1], atol=1e-4)


def test_a_portrait_that_is_not_square_is_refused(pipeline, voice):
    with pytest.raises(ValueError, match="side"):
        pipeline(np.zeros((64, 48, 3), np.uint8), voice, FACE, 4)


def backbone_output(pipeline, **changes):
    generator = torch.Generator().manual_seed(5)
    size = networks.TINY
    rand = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    side, channels = size.latent, size.latent_channels
    reference = pipeline.reference_net.read(rand(1, channels + size.appearance_channels, side, side))
    inputs = {
        "sample": rand(1, channels + size.appearance_channels, 12, side, side),
        "tokens": rand(12, 6, size.tokens),
        "face": pipeline.face_locator(face_mask(FACE, size.image)),
        "embedding": rand(12, 4 * size.blocks[0]),
        "speed": pipeline.speed_layers(torch.full((1, 12), 5.0)),
        "motion": no_motion(reference, 4),
        "reference": reference,
        "cache": None,
        "kept": None,
        **changes,
    }
    names = ("reference", "motion", "speed", "cache", "kept")
    pipeline.backbone.attend_to(Conditioning(**{name: inputs[name] for name in names}))
    return pipeline.backbone(
        inputs["sample"], torch.tensor([500]), inputs["tokens"], inputs["face"], inputs["embedding"]
    ).detach()


def test_everything_that_conditions_the_backbone_changes_its_output(pipeline):
    plain = backbone_output(pipeline)
    size = networks.TINY
    past = {
        name: torch.randn(1, 4, value.shape[1], value.shape[2])
        for name, value in pipeline.reference_net.features.items()
    }
    for change in (
        {"tokens": torch.randn(12, 6, size.tokens)},
        {"face": pipeline.face_locator(face_mask((0.0, 0.0, 0.4, 0.4), size.image))},
        {"embedding": torch.zeros(12, 4 * size.blocks[0])},
        {"speed": pipeline.speed_layers(torch.full((1, 12), 25.0))},
        {"motion": past},
        {"reference": {name: torch.randn_like(value) for name, value in pipeline.reference_net.features.items()}},
    ):
        assert not torch.allclose(backbone_output(pipeline, **change), plain, atol=1e-5), list(change)


def test_keys_and_values_that_are_kept_are_the_ones_computed_anew(pipeline):
    cache: dict = {}
    kept: dict = {}
    first = backbone_output(pipeline, cache=cache, kept=kept)
    assert len(cache) == len(kept) == len(list(transformer_blocks(pipeline.backbone)))
    assert torch.equal(backbone_output(pipeline, cache=cache, kept=kept), first)
    assert torch.allclose(first, backbone_output(pipeline), atol=1e-6)


def test_backbone_and_reference_net_name_their_blocks_alike(pipeline):
    spatial = [name for name, _ in transformer_blocks(pipeline.backbone)]
    assert spatial == [name for name, _ in transformer_blocks(pipeline.reference_net)]
    assert set(spatial) <= {name for name, _ in motion_blocks(pipeline.backbone)}


def test_the_codec_keeps_a_portrait_exactly_where_nothing_changes(pipeline):
    portrait = torch.rand(2, 3, 64, 64) * 2 - 1
    latents = pipeline.codec.encode(portrait, portrait, torch.zeros(2, 2, 4, 4))
    assert latents.abs().max() < 1e-5
    assert torch.allclose(pipeline.codec.decode(torch.zeros_like(latents), portrait), portrait, atol=1e-4)


def test_the_codec_takes_faint_changes_for_noise(pipeline):
    portrait = torch.rand(1, 3, 64, 64) * 2 - 1
    latents = torch.zeros(1, networks.TINY.latent_channels, 4, 4)
    for size, kept in ((0.01, 0.01), (1.0, 0.99)):
        latents[:, 2:] = size
        change = (pipeline.codec.decode(latents, portrait) - portrait).norm()
        full = pipeline.codec._synthesised(latents[:, 2:]).norm()
        assert (change / full < kept) if size < 0.1 else (change / full > kept)


def test_the_codec_moves_pixels_by_hundredths_of_the_side():
    portrait = torch.zeros(1, 3, 100, 100)
    portrait[..., 50, 40] = 1.0
    shifted = moved(portrait, enlarged(torch.tensor([10.0, -5.0]).view(1, 2, 1, 1).expand(1, 2, 4, 4), 100))
    assert shifted[0, 0].argmax() == 55 * 100 + 30


def test_a_displacement_settles_on_what_a_head_can_do():
    codec = networks.codec(networks.TINY)
    torch.nn.init.normal_(codec.movements)
    possible = codec.displacement(torch.randn(3, len(POSE)))
    assert torch.allclose(codec.settled(possible), possible, atol=1e-4)
    noise = torch.randn(3, 2, 4, 4)
    assert codec.settled(noise).norm() < noise.norm()


def test_places_with_components_of_their_own_hold_more():
    """Frames whose changes are all of one kind in one place come back from the place's own component, and only there."""
    torch.manual_seed(0)
    codec = PortraitCodec(4, 8, 4, own_places=1)
    codec.requires_grad_(False)
    codec.places[0] = 5  # second row, second column: pixels 8 to 40
    change = torch.zeros(1, 3, 64, 64)
    change[..., 20:28, 20:28] = torch.randn(1, 3, 8, 8)
    patch = windowed_patches(change)[0, 5]
    codec.own.zero_()[0, 0] = patch / patch.norm()
    codec.changes.zero_()
    portrait, still = torch.rand(1, 3, 64, 64), torch.zeros(1, 2, 4, 4)
    latents = codec.encode(portrait + change, portrait, still)
    assert latents[0, 2, 1, 1] == pytest.approx(float(patch.norm()), rel=1e-4)
    latents[0, 2, 1, 1] = 0
    assert latents.abs().max() == 0
    latents[0, 2, 1, 1] = patch.norm()
    back = codec.decode(latents, portrait) - portrait
    inside = torch.zeros(64, 64, dtype=torch.bool)
    inside[8:40, 8:40] = True
    assert back[..., ~inside].abs().max() < 1e-5
    assert torch.nn.functional.cosine_similarity(back.flatten(), change.flatten(), dim=0) > 0.95


def test_changes_are_written_as_if_the_head_had_not_moved():
    """The same mark on a face has the same latents wherever the head is, and is back where the head is."""
    torch.manual_seed(0)
    codec = networks.codec(networks.TINY)
    portrait = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8), size=(64, 64), mode="bilinear")
    marked = portrait.clone()
    marked[..., 28:36, 28:36] += 0.8
    field = torch.full((1, 2, 4, 4), 6.25)  # four pixels of 64
    frame = moved(marked, enlarged(field, 64))
    here = codec.encode(marked, portrait, torch.zeros(1, 2, 4, 4))[:, 2:]
    there = codec.encode(frame, portrait, field)[:, 2:]
    assert torch.nn.functional.cosine_similarity(here.flatten(), there.flatten(), dim=0) > 0.97


def test_patches_and_displacements_are_spread_as_torch_does_it():
    from torch.nn import functional as F

    patches, displacement = torch.randn(2, 4 * 3, 3072), torch.randn(2, 2, 4, 3)
    folded = F.fold(patches.transpose(1, 2), (64, 48), 32, stride=16, padding=8)
    assert torch.allclose(added_up(patches, (4, 3)), folded, atol=1e-6)
    interpolated = F.interpolate(displacement, size=(48, 48), mode="bicubic", align_corners=False)
    assert torch.allclose(enlarged(displacement, 48), interpolated, atol=1e-5)


def test_analysis_and_synthesis_windows_make_a_tight_frame():
    """Every component kept, a picture comes back as it was (but for the border, which one patch alone sees)."""
    image = torch.rand(1, 3, 64, 64)
    patches = windowed_patches(image)
    again = torch.nn.functional.fold(
        (patches * window().reshape(-1)).transpose(1, 2), (64, 64), 32, stride=16, padding=8
    )
    assert torch.allclose(again[..., 8:-8, 8:-8], image[..., 8:-8, 8:-8], atol=1e-5)


@given(st.integers(1, 999), st.floats(0.05, 2.0))
@settings(max_examples=50, deadline=None)
def test_the_skip_gives_back_the_expected_latents_when_nothing_is_predicted(step, spread):
    """With F = 0 the estimate is the best linear one: E[z | x_t] of a normal z with that spread."""
    a, b = signal_and_noise(_scheduler(), torch.tensor([step]))
    x_t = torch.ones(1, 1, 1, 1, 1)
    _, skip, out = precondition(x_t, a, b, torch.tensor(spread))
    gain = (a * spread**2 / (a**2 * spread**2 + b**2)).item()
    assert skip.item() == pytest.approx(gain, rel=1e-4, abs=1e-6)
    assert out.item() <= spread + 1e-4


def _scheduler():
    from diffusers import DDIMScheduler

    return DDIMScheduler(beta_schedule="squaredcos_cap_v2", rescale_betas_zero_snr=True)


def test_latents_far_from_the_face_are_expected_to_be_still():
    measured = (0.25, 0.25, 0.75, 0.75)
    mouth = tuple(tuple(1.0 if (row, column) == (10, 8) else 0.1 for column in range(16)) for row in range(16))
    spread = Spread((1.0, 1.0, 0.5), (mouth, mouth), measured)
    here = spread.map(torch.tensor([measured]), 16)
    assert here.shape == (1, 3, 1, 16, 16)
    assert here[0, :, 0, 10, 8].tolist() == pytest.approx([1.0, 1.0, 0.5], abs=1e-4)
    assert here[0, :, 0, 0, 0].tolist() == pytest.approx([0.1, 0.1, 0.05], abs=1e-4)
    moved_left = spread.map(torch.tensor([(0.125, 0.25, 0.625, 0.75)]), 16)
    assert moved_left[0, 0, 0, 10].argmax() == 6


@given(st.integers(1, 40_000))
@settings(max_examples=25, deadline=None)
def test_any_sound_gives_one_feature_row_a_frame(samples):
    encoder = _ENCODER
    with torch.no_grad():
        features = encoder.encode(torch.randn(samples) * 0.1, frames := max(1, samples * 25 // 16_000))
    assert features.shape == (frames, encoder.feature_size)
    assert torch.isfinite(features).all()


_ENCODER = MelAudioEncoder(channels=32)


def test_long_sound_is_heard_in_parts_as_it_is_at_once(monkeypatch, tmp_path):
    sound = torch.randn(20 * 16_000) * torch.linspace(0.02, 0.2, 20 * 16_000)
    with torch.no_grad():
        at_once = _ENCODER.encode(sound, 500)
        monkeypatch.setattr("models.emo.audio._AT_ONCE", 7)
        monkeypatch.setattr("models.emo.audio._MEL_AT_ONCE", 900)
        assert torch.allclose(_ENCODER.encode(sound, 500), at_once, atol=1e-5)
        with LongSound(tmp_path) as on_disk:
            on_disk.append(sound.numpy())
            heard = _ENCODER.listen(on_disk, 500)
            for frames in (torch.arange(12), torch.arange(170, 182), torch.tensor([498, 499, 499])):
                assert torch.allclose(heard.windows(frames), frame_windows(at_once)[frames], atol=1e-5)


def test_silence_is_silent_however_long():
    mel = log_mel(torch.zeros(16_000))
    assert mel.shape == (80, 100)
    assert mel.max() == -1


def test_the_level_of_a_recording_hardly_matters():
    sound = torch.randn(16_000) * torch.linspace(0.02, 0.4, 16_000)
    assert (log_mel(sound) - log_mel(sound * 0.5)).abs().mean() < 0.05


def test_a_window_holds_the_frame_and_its_neighbours():
    windows = frame_windows(torch.arange(6.0)[:, None])
    assert windows[3, :, 0].tolist() == [1, 2, 3, 4, 5]
    assert windows[0, :, 0].tolist() == [0, 0, 0, 1, 2]
