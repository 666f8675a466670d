"""Running out of memory: how it is told from other errors, and how work goes on in smaller batches."""

from collections.abc import Callable, Iterator
from typing import TypeVar

Result = TypeVar("Result")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python or torch, on a GPU or a processor, says that memory was not enough."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and any(text in str(error) for text in ("out of memory", "can't allocate memory", "not enough memory"))
    )


def in_batches(
    count: int, work: Callable[[slice], Result], release: Callable[[int], None], at_most: int | None = None
) -> Iterator[Result]:
    """Results of `work` on 0..count, at first on all of it at once; whenever memory is not enough, on half as much.

    Args:
        release: called with how many are tried next, before they are, to give back what is held.
        at_most: how many at first; all when None.

    Raises:
        RuntimeError, MemoryError: memory is not enough for one, either.
    """
    size, start = min(count, at_most or count), 0
    while start < count:
        try:
            result = work(slice(start, min(start + size, count)))
        except (MemoryError, RuntimeError) as error:
            if size == 1 or not is_out_of_memory(error):
                raise
            size = (size + 1) // 2
        else:
            start += size
            yield result
            continue
        release(size)  # after the error is gone, whose frames hold tensors
