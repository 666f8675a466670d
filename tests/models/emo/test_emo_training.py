"""Training runs end to end, can be killed anywhere, and its data is the same every time. All at a size that learns nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from media.errors import InputError
from models.emo import corpus, networks
from models.emo.audio import MelAudioEncoder
from models.emo.pipeline import EMOPipeline
from models.emo.training import hearing, stage
from models.emo.training.checkpoint import assembled, begin_with, save_checkpoint
from models.emo.training.codec import train_codec
from models.emo.training.curves import write_curves
from models.emo.training.plan import Plan
from models.emo.training.scenes import Scenes, write_shards
from models.emo.training.stages import batch_of, latent_statistics, train_stages
from models.emo.training.strips import held_out_presenter, write_strip
from models.idle import IDLE

PLAN = Plan(
    utterances=4,
    audio_steps=4,
    pictures=2,
    codec_steps=4,
    scenes=32,
    crop_steps=2,
    image_steps=1,
    video_steps=2,
    speed_steps=1,
)


class KilledError(Exception):
    pass


def killed_at(share: float):
    def progress(done: float) -> None:
        if done >= share:
            raise KilledError

    return progress


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of the whole training."""
    folder = tmp_path_factory.mktemp("run")
    hearing.write_speech(folder, PLAN.utterances)
    encoder = hearing.train_audio_encoder(folder, PLAN.utterances, PLAN.audio_steps)
    codec = train_codec(folder, PLAN, networks.TINY)
    write_shards(folder, range(1), codec, encoder, networks.TINY)

    def look(stage, step, networks_now, scale, spread):
        pipeline = assembled(networks_now, codec, encoder, scale, spread)
        write_strip(pipeline, held_out_presenter(64), folder / "strips" / f"{stage}-{step}.png")

    parts, scale, spread = train_stages(folder, PLAN, encoder, networks.TINY, look=look)
    save_checkpoint(parts, codec, encoder, scale, spread, folder / "checkpoint")
    return folder


def test_every_stage_leaves_a_sample_strip(run):
    strips = sorted((run / "strips").iterdir())
    assert [path.name.split("-")[0] for path in strips] == ["crop", "image", "speed", "video"]
    rows = np.asarray(Image.open(strips[0])).reshape(2, 64, 9, 64, 3)
    truth, made = rows[0].astype(int), rows[1].astype(int)
    assert np.abs(np.diff(truth, axis=1)).max() > 50  # somebody speaks
    assert 0 < np.abs(made - truth).mean() < 60  # and the portrait is there


def test_a_run_leaves_a_checkpoint_that_generates(run):
    pipeline = EMOPipeline.from_pretrained(run / "checkpoint", dtype=torch.float32)
    portrait = np.full((64, 64, 3), 128, np.uint8)
    frames = pipeline(portrait, np.zeros(16_000, np.float32), (0.25, 0.2, 0.75, 0.8), 13).frames
    assert frames.shape == (13, 64, 64, 3)


def test_training_can_begin_with_a_checkpoint(run, tmp_path):
    begin_with(tmp_path, run / "checkpoint", networks.TINY)
    (tmp_path / "scenes").symlink_to(run / "scenes")
    encoder = MelAudioEncoder.from_pretrained(tmp_path / "audio_encoder")
    stayed = replace(PLAN, crop_steps=0, image_steps=0, video_steps=0, speed_steps=0)
    parts, scale, _ = train_stages(tmp_path, stayed, encoder, networks.TINY)
    before = EMOPipeline.from_pretrained(run / "checkpoint", dtype=torch.float32)
    assert scale == before.config.latent_scale
    for name, weight in before.backbone.state_dict().items():
        assert torch.equal(weight, parts["backbone"].state_dict()[name]), name
    moved, _, _ = train_stages(tmp_path, replace(stayed, crop_steps=2), encoder, networks.TINY)
    assert not torch.equal(moved["backbone"].conv_in.weight, before.backbone.conv_in.weight)


def test_a_checkpoint_of_another_size_is_not_begun_with(run, tmp_path):
    with pytest.raises(InputError, match="is not of the size"):
        begin_with(tmp_path, run / "checkpoint", networks.STARTER)
    assert not any(tmp_path.iterdir())


def test_the_log_counts_cpu_seconds_of_every_stage(run):
    lines = (run / "log.csv").read_text().splitlines()
    assert lines[0] == "stage,step,cpu_seconds,figure,value"
    assert {line.split(",")[0] for line in lines[1:]} == {"audio", "codec", "crop", "image", "video", "speed"}


def test_the_log_can_be_seen_as_curves(run, tmp_path):
    write_curves(run / "log.csv", tmp_path / "new" / "curves.png")
    picture = np.asarray(Image.open(tmp_path / "new" / "curves.png").convert("L"))
    assert picture.shape[1] > 4 * picture.shape[0]
    assert picture.std() > 5


def test_training_that_was_killed_ends_with_the_weights_of_training_that_was_not(run, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "SAVE_EVERY", 0.0)
    (tmp_path / "speech").symlink_to(run / "speech")
    with pytest.raises(KilledError):
        hearing.train_audio_encoder(tmp_path, PLAN.utterances, PLAN.audio_steps, killed_at(0.5))
    resumed = hearing.train_audio_encoder(tmp_path, PLAN.utterances, PLAN.audio_steps)
    straight = MelAudioEncoder()
    straight.load_state_dict(_weights(run / "audio.pt", "audio_encoder."))
    for (name, one), two in zip(resumed.state_dict().items(), straight.state_dict().values(), strict=True):
        assert torch.equal(one, two), name


def test_moments_with_closed_eyes_are_taken_more_often_than_they_come(run):
    scenes = Scenes(run, PLAN.scenes)
    scale, spread = latent_statistics(scenes)
    rng = np.random.default_rng(0)
    blink = IDLE.index("blink")
    everywhere = scenes.take(np.arange(len(scenes)))["idle"][..., blink].float().mean().item()
    for kind in ("crop", "image"):
        batches = [batch_of(scenes, rng, torch.tensor(scale), spread, networks.TINY, kind) for _ in range(12)]
        assert np.mean([batch.idle[..., blink].mean().item() for batch in batches]) > 1.3 * everywhere, kind


def test_compiled_networks_learn_what_they_learn_otherwise(run, tmp_path):
    (tmp_path / "scenes").symlink_to(run / "scenes")
    plan = replace(PLAN, crop_steps=0, image_steps=1, video_steps=1, speed_steps=0)
    encoder = MelAudioEncoder()
    straight, _, _ = train_stages(tmp_path, plan, encoder, networks.TINY)
    for path in tmp_path.glob("*.pt"):
        path.unlink()
    compiled, _, _ = train_stages(tmp_path, plan, encoder, networks.TINY, compiler="eager")
    for one, two in zip(straight["backbone"].parameters(), compiled["backbone"].parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-3)


def _weights(path, prefix):
    return {k.removeprefix(prefix): v for k, v in torch.load(path, weights_only=True)["average"].items()}


def test_a_finished_stage_is_not_trained_again(run):
    before = (run / "log.csv").read_text()
    train_codec(run, PLAN, networks.TINY)
    assert (run / "log.csv").read_text() == before


def test_shards_that_exist_are_not_drawn_again(run):
    path = run / "scenes" / "00000.pt"
    before = path.stat().st_mtime_ns
    write_shards(run, range(1), None, None, networks.TINY)
    assert path.stat().st_mtime_ns == before


def test_a_scene_is_the_same_every_time():
    one, two = corpus.training_scene(5), corpus.training_scene(5)
    assert np.array_equal(one.poses, two.poses)
    assert np.array_equal(one.utterance.samples, two.utterance.samples)
    assert np.array_equal(
        corpus.drawn(one.presenter, one.poses[3:4], 64), corpus.drawn(two.presenter, two.poses[3:4], 64)
    )


def test_evaluation_uses_presenters_and_sentences_that_training_does_not():
    scenes = corpus.held_out_scenes(5)
    trained = {corpus.training_scene(seed).presenter for seed in range(64)}
    assert not trained & {scene.presenter for scene in scenes}
    assert corpus.HELD_OUT_LANGUAGE not in corpus.LANGUAGES


def test_augmentation_changes_the_sound_and_keeps_its_length():
    samples = corpus.training_utterance(1).samples
    changed = corpus.augmented(samples, np.random.default_rng(0))
    assert changed.shape == samples.shape
    assert np.abs(changed).max() <= 4
    assert not np.allclose(changed, samples)
