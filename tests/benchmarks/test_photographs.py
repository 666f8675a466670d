"""The benchmark of photographs, at a size at which it takes seconds."""

import pytest
import torch

from benchmarks import untrained
from benchmarks.photographs import SAME, SAVINGS, Work, compared, counted, listening_once, operations, rendered

FRAMES, STEPS = 8, 1


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_every_saving_costs_no_picture_and_spares_operations():
    pipeline = untrained.photographs("least", "base")
    work = Work.of(untrained.LEAST, FRAMES, STEPS)
    rows = compared(pipeline, "base", work, 1)
    assert [row["saving"] for row in rows] == [one.name for one in SAVINGS]
    assert all(row["apart"] <= SAME and row["with"] > 0 and row["without"] > 0 for row in rows)

    flops = operations("least", "base", FRAMES, STEPS)
    spared = {name: flops[name] - flops["with all"] for name in flops}
    assert all(spared[one.name] > 0 for one in SAVINGS[:-1])
    assert spared[SAVINGS[-1].name] == 0  # decoded together or not, it is as much to compute

    # What is composed of parts without memory is what a real run takes, and the comparison did leave the savings out.
    with listening_once(pipeline, work):
        assert counted(lambda: rendered(pipeline, work)) == pytest.approx(FRAMES * flops["with all"], rel=0.01)
        for saving in SAVINGS[:-1]:
            with saving.without(pipeline):
                more = counted(lambda: rendered(pipeline, work)) / FRAMES - flops["with all"]
            assert more == pytest.approx(spared[saving.name], rel=0.1), saving.name
