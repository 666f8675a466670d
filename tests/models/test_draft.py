"""Drafts: presenters of the starter cast drawn to the sound, and nobody else."""

import numpy as np
import pytest

from media.errors import InputError
from media.segment import RenderSettings
from models.avatars.drawing import draw, mouth_region, reference_pose
from models.avatars.presenters import STARTER_CAST, random_presenter
from models.draft import SIZE, DraftRenderer, can_draw, draft_info
from models.emo.corpus import training_utterance

DANIEL = STARTER_CAST[1]
FACE = (0.2, 0.2, 0.8, 0.8)


@pytest.fixture(scope="module")
def renderer() -> DraftRenderer:
    return DraftRenderer()


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return draw(DANIEL, reference_pose(), 512)


def dark_of_mouth(pictures: list[np.ndarray]) -> np.ndarray:
    left, top, right, bottom = (round(v * SIZE) for v in mouth_region(DANIEL))
    return np.array([(p[top:bottom, left:right].mean(-1) < 50).mean() for p in pictures])


def test_the_mouth_opens_when_somebody_speaks_and_rests_in_silence(renderer, portrait):
    speech = training_utterance(3).samples[:32_000]
    speaking = dark_of_mouth(list(renderer.render(portrait, speech, FACE, RenderSettings(), 50)))
    silent = dark_of_mouth(list(renderer.render(portrait, np.zeros(32_000, np.float32), FACE, RenderSettings(), 50)))
    assert speaking.max() > 5 * silent.max() + 0.005


def test_the_same_seed_draws_the_same_and_pictures_are_counted(renderer, portrait):
    sound, done = np.zeros(16_000, np.float32), []
    one, same, other = (
        np.stack(list(renderer.render(portrait, sound, FACE, RenderSettings(seed=seed), 30, done.append)))
        for seed in (1, 1, 2)
    )
    assert one.shape == (30, SIZE, SIZE, 3)
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert done == 3 * list(range(1, 31))


def test_a_picture_of_anybody_else_is_refused(renderer, portrait):
    stranger = draw(random_presenter(np.random.default_rng(1)), reference_pose(), 512)
    for picture in (stranger, portrait + 1):
        with pytest.raises(InputError, match="starter cast only"):
            list(renderer.render(picture, np.zeros(16_000, np.float32), FACE, RenderSettings(), 5))
    assert can_draw(DANIEL.slug) and not can_draw("photo-1")


def test_a_draft_never_has_the_key_of_a_checkpoint():
    from models.emo.renderer import checkpoint_info

    assert draft_info().fingerprint != checkpoint_info("starter").fingerprint
