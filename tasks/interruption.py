"""Whether work is still wanted: asked between one step and the next, so that what is not wanted any more ends soon."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_checks: list[Callable[[], None]] = []


@contextmanager
def interrupted_by(check: Callable[[], None]) -> Iterator[None]:
    """Ask `check` between the steps of what is done inside of the block; it raises what shall end the work.

    For the whole process: a runner works on one thing at a time.
    """
    _checks.append(check)
    try:
        yield
    finally:
        _checks.remove(check)


def go_on() -> None:
    """Do nothing as long as the work is wanted. Called where stopping loses nothing that was made.

    Raises:
        PortrayalError: it is not wanted any more, and why.
    """
    for check in _checks:
        check()
