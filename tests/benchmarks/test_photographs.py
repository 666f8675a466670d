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


def test_every_saving_costs_no_picture_and_operations_are_those_of_a_real_run():
    pipeline = untrained.photographs("least", "base")
    work = Work.of(untrained.LEAST, FRAMES, STEPS)
    rows = compared(pipeline, "base", work, 1)
    assert [row["saving"] for row in rows] == [one.name for one in SAVINGS]
    assert all(row["apart"] <= SAME and row["with"] > 0 and row["without"] > 0 for row in rows)

    half = SAVINGS[3]
    flops = operations("least", "base", FRAMES, STEPS, [half])
    with listening_once(pipeline, work):
        taken = counted(lambda: rendered(pipeline, work)) / FRAMES
        with half.without(pipeline):
            more = counted(lambda: rendered(pipeline, work)) / FRAMES - taken
    assert taken == pytest.approx(flops["with all"], rel=0.01)
    assert more == pytest.approx(flops[half.name] - flops["with all"], rel=0.1) and more > 0
