"""Idle motion: what a face does whatever it says."""

import numpy as np

from models.idle import IDLE, idle_motion


def test_eyes_blink_a_natural_number_of_times_and_open_again():
    blink = idle_motion(25 * 120, 25, np.random.default_rng(0))[:, IDLE.index("blink")]
    blinks = int(((blink[1:] == 1.0) & (blink[:-1] < 1.0)).sum())
    assert 8 <= blinks / 2 <= 30
    assert blink[:10].max() == 0
    assert blink.min() == 0


def test_it_begins_at_rest_and_stays_small():
    for seed in range(20):
        track = idle_motion(500, 25, np.random.default_rng(seed))
        assert np.abs(track[0]).max() == 0
        assert np.abs(track[:, 1:3]).max() <= 0.5
        assert np.abs(track[:, 3:6]).max() <= 1.3
        assert track[:, 3:6].std(0).min() > 0.01


def test_the_same_seed_moves_the_same_way_and_another_one_does_not():
    one, same, other = (idle_motion(200, 25, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
