"""When memory is not enough, batches are halved; any other error goes through."""

import numpy as np
import pytest

from media.memory import in_batches, is_out_of_memory


def test_a_batch_that_does_not_fit_is_halved_until_it_does() -> None:
    tried: list[slice] = []
    released: list[int] = []

    def work(batch: slice) -> list[int]:
        tried.append(batch)
        numbers = list(range(10))[batch]
        np.empty(2**60 if len(numbers) > 3 else 1, np.uint8)  # raises MemoryError
        return numbers

    results = list(in_batches(10, work, released.append))
    assert results == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]] and released == [5, 3]
    assert tried[:3] == [slice(0, 10), slice(0, 5), slice(0, 3)]
    assert list(in_batches(5, work, released.append, at_most=2)) == [[0, 1], [2, 3], [4]] and len(released) == 2


def test_what_does_not_fit_alone_and_other_errors_are_raised() -> None:
    def too_much(batch: slice) -> None:
        np.empty(2**60, np.uint8)

    with pytest.raises(MemoryError) as caught:
        list(in_batches(4, too_much, lambda size: None))
    assert is_out_of_memory(caught.value)

    def wrong(batch: slice) -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        list(in_batches(4, wrong, lambda size: None))
