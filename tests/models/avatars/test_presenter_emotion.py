"""Emotions show in the face and in how the head is held, and leave speech readable."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.avatars.drawing import POSE_FIELDS, Pose, draw, mouth_region
from models.avatars.emotion import EMOTIONS, felt, pose_of
from models.avatars.presenters import STARTER_CAST

COLUMN = {field: index for index, field in enumerate(POSE_FIELDS)}


def test_neutral_changes_nothing() -> None:
    poses = np.random.default_rng(0).uniform(0, 1, (4, len(POSE_FIELDS))).astype(np.float32)
    assert np.array_equal(felt(poses, "neutral"), poses)


@pytest.mark.parametrize("presenter", STARTER_CAST[:12], ids=lambda p: p.slug)
def test_every_emotion_looks_different_from_every_other(presenter) -> None:
    pictures = {emotion: draw(presenter, pose_of(emotion), 128).astype(int) for emotion in EMOTIONS}
    left, top, right, bottom = (round(128 * v) for v in mouth_region(presenter))
    for one, other in combinations(EMOTIONS, 2):
        difference = np.abs(pictures[one] - pictures[other])
        assert difference.mean() > 0.8, (one, other)
        assert difference[top:bottom, left:right].mean() > 1.5, (one, other)


def test_the_head_is_held_differently() -> None:
    held = {emotion: (pose_of(emotion).pitch, pose_of(emotion).roll) for emotion in EMOTIONS}
    assert len(set(held.values())) == len(EMOTIONS)


@given(
    st.sampled_from(EMOTIONS),
    st.lists(st.floats(0, 1, width=32), min_size=7, max_size=7),
    st.floats(-1, 1, width=32),
    st.floats(0, 1),
)
def test_every_field_stays_within_its_range(emotion, mouth, brow, strength) -> None:
    poses = np.zeros((3, len(POSE_FIELDS)), np.float32)
    poses[:, :7], poses[:, COLUMN["brow"]] = mouth, brow
    out = felt(poses, emotion, strength)
    assert out.shape == poses.shape and (out[:, :7] >= 0).all() and (out[:, :7] <= 1).all()
    for field in ("brow", "inner_brow", "widen"):
        assert (np.abs(out[:, COLUMN[field]]) <= 1).all()


def test_pressed_lips_stay_closed() -> None:
    poses = np.tile(Pose(press=1.0).to_array(), (2, 1))
    for emotion in EMOTIONS:
        assert (felt(poses, emotion)[:, COLUMN["open"]] == 0).all()


def test_an_onset_is_a_curve() -> None:
    poses = np.zeros((5, len(POSE_FIELDS)), np.float32)
    out = felt(poses, "joy", np.linspace(0, 1, 5, dtype=np.float32))
    assert (np.diff(out[:, COLUMN["smile"]]) > 0).all() and (out[0] == 0).all()


def test_an_unknown_emotion_is_refused() -> None:
    with pytest.raises(ValueError, match=r"boredom.*joy"):
        felt(np.zeros((1, len(POSE_FIELDS)), np.float32), "boredom")  # type: ignore[arg-type]
