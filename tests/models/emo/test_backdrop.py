"""A plain backdrop is found wherever there is one, and never where anybody is or moves."""

from dataclasses import replace

import numpy as np
import pytest

from models.avatars.drawing import Pose, draw, face_region
from models.avatars.presenters import BACKGROUNDS, STARTER_CAST, random_presenter
from models.emo import corpus
from models.emo.backdrop import kept_backdrop


@pytest.mark.parametrize("seed", range(10))
def test_nothing_that_moves_is_kept(seed: int) -> None:
    presenter = random_presenter(np.random.default_rng([1, seed])) if seed % 2 else STARTER_CAST[seed]
    scene = corpus.scene_of(presenter, corpus.training_utterance(seed), seed)
    portrait = draw(presenter, Pose(), 256)
    kept = kept_backdrop(portrait, face_region(presenter), scene.speed)
    frames = corpus.drawn(presenter, scene.poses[:: len(scene.poses) // 8], 256)
    change = np.abs(frames.astype(int) - portrait).max(axis=(0, 3))
    assert ((kept * change) > 8).sum() == 0


def test_most_of_the_backdrop_of_most_presenters_is_found() -> None:
    shares = []
    for presenter in STARTER_CAST[:24]:
        light, dark = (draw(replace(presenter, background=name), Pose(), 256).astype(int) for name in ("mist", "dusk"))
        behind = np.abs(light - dark).sum(-1) > 60
        kept = kept_backdrop(draw(presenter, Pose(), 256), face_region(presenter), 6.0)
        assert kept[~behind].max() == 0
        shares.append(kept[behind].mean())
    assert np.median(shares) > 0.6


def test_both_kinds_of_background_are_found() -> None:
    kinds = {kind for kind, _, _ in BACKGROUNDS.values()}
    for kind in kinds:
        name = next(name for name, (of, _, _) in BACKGROUNDS.items() if of == kind)
        presenter = replace(STARTER_CAST[0], background=name)
        assert kept_backdrop(draw(presenter, Pose(), 256), face_region(presenter), 6.0)[:40, :40].min() > 0.99, name


def test_a_backdrop_that_is_not_plain_is_left_alone() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (128, 128, 3), dtype=np.uint8)
    assert kept_backdrop(noise, (0.25, 0.2, 0.75, 0.8), 6.0).max() == 0


def test_a_face_that_fills_the_picture_is_not_a_backdrop() -> None:
    assert kept_backdrop(np.full((128, 128, 3), 180, np.uint8), (0.0, 0.0, 1.0, 1.0), 6.0).max() == 0
