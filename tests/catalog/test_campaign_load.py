"""Runners that are killed while they work, at a small size; `python -m benchmarks.campaign_load` does it at full size."""

import pytest

from benchmarks.campaign_load import load


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_runner_that_is_killed_loses_nothing_and_nothing_is_done_twice(empty_url: str) -> None:
    figures = load(empty_url, rows=24, runners=2, kills=1, seconds=0.05, lease=3.0)
    assert (figures["done"], figures["done_twice"], figures["lost"]) == (24, 0, 0)
    assert figures["returned_of_dead_runners"] <= 1
