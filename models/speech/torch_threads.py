"""Small models run on one thread: on a busy machine, threads that wait for one another make them a hundred times slower."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

_lock = RLock()


@contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread, as many as before afterwards. One caller at a time: the number belongs to the whole process."""
    import torch

    with _lock:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
