"""Work handed out without a flood: a bounded number in flight, however long the queue, and urgent work first on a machine.

Several commands may share the renderers of one machine. Each holds a lock file of its priority while it renders, and
whoever has a lower one waits between two segments until that is free. Locks end with their process, however it ends.
"""

import fcntl
import queue
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, Self, TypeVar

Priority = Literal["urgent", "normal", "batch"]
PRIORITIES: tuple[Priority, ...] = ("urgent", "normal", "batch")
"""First come first; also the names of the work queues of the pool `gpu`."""
_POLL_SECONDS = 0.2

Item = TypeVar("Item")


class Pending(Protocol):
    """What a future of Prefect and one of `concurrent.futures` have in common."""

    def add_done_callback(self, fn: Callable[[Self], Any], /) -> None: ...


Future = TypeVar("Future", bound=Pending)


def in_window(items: Iterable[Item], submit: Callable[[Item], Future], limit: int) -> Iterator[tuple[Item, Future]]:
    """Submit items, `limit` at most at once, and yield each with its finished future, in the order in which they finish.

    Items are drawn when there is room for them, so that they may come from a generator.
    """
    done: queue.SimpleQueue[tuple[Item, Future]] = queue.SimpleQueue()
    waiting = iter(items)
    running = 0
    more = True
    while True:
        while more and running < limit:
            try:
                item = next(waiting)
            except StopIteration:
                more = False
                break
            _announce(item, submit(item), done)
            running += 1
        if not running:
            return
        yield done.get()
        running -= 1


def _announce(item: Item, future: Future, done: "queue.SimpleQueue[tuple[Item, Future]]") -> None:
    future.add_done_callback(lambda finished: done.put((item, finished)))


@contextmanager
def standing(folder: Path, priority: Priority) -> Iterator[None]:
    """While inside, work of a lower priority that shares the folder gives way. A folder that cannot be written is not shared."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / priority).open("w")
    except OSError:
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def give_way(folder: Path, priority: Priority) -> None:
    """Return when nothing of a higher priority is waiting or being rendered in this folder's name."""
    for higher in PRIORITIES[: PRIORITIES.index(priority)]:
        while _stands(folder / higher):
            time.sleep(_POLL_SECONDS)


def _stands(path: Path) -> bool:
    try:
        file = path.open("r+")
    except OSError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
