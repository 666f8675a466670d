"""A plain backdrop is found wherever there is one, and never where anybody is or moves."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.avatars.drawing import Pose, draw, face_region
from models.avatars.presenters import BACKGROUNDS, STARTER_CAST, random_presenter
from models.emo import corpus
from models.emo.backdrop import kept_backdrop, matte_of, matted, plain_backdrop
from models.emo.codec import PortraitCodec
from models.emo.renderer import SHIPPED
from models.emo.training.codec import head_pose


@pytest.mark.parametrize("seed", range(10))
def test_nothing_that_moves_is_kept(seed: int) -> None:
    presenter = random_presenter(np.random.default_rng([1, seed])) if seed % 2 else STARTER_CAST[seed]
    scene = corpus.scene_of(presenter, corpus.training_utterance(seed), seed)
    portrait = draw(presenter, Pose(), 256)
    kept = kept_backdrop(plain_backdrop(portrait, face_region(presenter)), scene.speed)
    frames = corpus.drawn(presenter, scene.poses[:: len(scene.poses) // 8], 256)
    change = np.abs(frames.astype(int) - portrait).max(axis=(0, 3))
    assert ((kept * change) > 8).sum() == 0


def test_most_of_the_backdrop_of_most_presenters_is_found() -> None:
    shares = []
    for presenter in STARTER_CAST[:24]:
        light, dark = (draw(replace(presenter, background=name), Pose(), 256).astype(int) for name in ("mist", "dusk"))
        behind = np.abs(light - dark).sum(-1) > 60
        kept = kept_backdrop(plain_backdrop(draw(presenter, Pose(), 256), face_region(presenter)), 6.0)
        assert kept[~behind].max() == 0
        shares.append(kept[behind].mean())
    assert np.median(shares) > 0.6


def test_both_kinds_of_background_are_found() -> None:
    kinds = {kind for kind, _, _ in BACKGROUNDS.values()}
    for kind in kinds:
        name = next(name for name, (of, _, _) in BACKGROUNDS.items() if of == kind)
        presenter = replace(STARTER_CAST[0], background=name)
        assert (
            kept_backdrop(plain_backdrop(draw(presenter, Pose(), 256), face_region(presenter)), 6.0)[:40, :40].min()
            > 0.99
        ), name


def test_a_backdrop_that_is_not_plain_is_left_alone() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (128, 128, 3), dtype=np.uint8)
    assert not plain_backdrop(noise, (0.25, 0.2, 0.75, 0.8)).any()
    assert matte_of(noise, plain_backdrop(noise, (0.25, 0.2, 0.75, 0.8))) is None


def test_a_face_that_fills_the_picture_is_not_a_backdrop() -> None:
    assert not plain_backdrop(np.full((128, 128, 3), 180, np.uint8), (0.0, 0.0, 1.0, 1.0)).any()


def test_beside_the_person_is_the_backdrop_or_the_person_or_between() -> None:
    presenter = STARTER_CAST[3]
    portrait = draw(presenter, Pose(), 128)
    matte = matte_of(portrait, plain_backdrop(portrait, face_region(presenter)))
    assert matte is not None
    frames = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    made = matted(frames, *(part.expand(2, -1, -1, -1) for part in (matte.person, matte.colours)), matte.ground)
    inside = matte.person.expand_as(frames) == 1
    assert torch.equal(made[inside], frames[inside])
    low, high = torch.minimum(matte.colours, matte.ground) - 1e-5, torch.maximum(matte.colours, matte.ground) + 1e-5
    assert (((made >= low) & (made <= high)) | inside).all()


def test_a_portrait_that_does_not_move_stays_as_it_is_and_frames_come_nearer_to_what_is_drawn() -> None:
    codec = PortraitCodec.from_pretrained(SHIPPED / "starter" / "codec", torch_dtype=torch.float32).eval()
    before, after = [], []
    for seed in (0, 3, 5):
        scene = corpus.training_scene(seed + 10_000_000)
        moments = scene.poses[10::40]
        drawn = corpus.drawn(scene.presenter, np.concatenate([np.zeros_like(moments[:1]), moments]), 256)
        pictures = torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 127.5 - 1
        portrait, frames = pictures[:1], pictures[1:]
        matte = matte_of(drawn[0], plain_backdrop(drawn[0], scene.face))
        with torch.no_grad():
            assert (codec.decode(codec.still(portrait), portrait, matte) - portrait).abs().max() < 0.02
            latents = codec.encode(frames, portrait, codec.displacement(head_pose(moments)))
            before.append((codec.decode(latents, portrait) - frames).square().mean().item())
            after.append((codec.decode(latents, portrait, matte) - frames).square().mean().item())
    assert all(new <= old for old, new in zip(before, after, strict=True))
    assert np.mean(after) < 0.98 * np.mean(before)
