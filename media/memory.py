"""Running out of memory: how it is told from other errors, how work goes on in smaller batches, and what is given back."""

import ctypes
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, TypeVar

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


def give_back() -> None:
    """Return what was freed to the system, now and then in long work: glibc keeps it, in pieces that fit less and less.

    It takes milliseconds, and is nothing where the C library is another one.
    """
    if trim := _trim():
        trim(0)


@lru_cache(maxsize=1)
def _trim() -> Any:
    """`malloc_trim`, which is glibc's."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
