"""Long work in several processes, which end with it, whether it is done, told to stop, or killed."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from typing import Any

from media.errors import RenderError
from tasks.child_process import end_with_parent
from tasks.progress import Advance


def side_by_side(
    work: Callable[..., None], jobs: list[tuple[Any, ...]], weights: list[int], processes: int, advance: Advance
) -> None:
    """Do all jobs, in as many processes; in this one where one is enough.

    Args:
        work: a function of a module, called with each job's arguments.
        weights: of the jobs, for the share done that `advance` is told.

    Raises:
        RenderError: a process was killed.
    """
    done, total = 0, max(1, sum(weights))
    if min(processes, len(jobs)) <= 1:
        for job, weight in zip(jobs, weights, strict=True):
            work(*job)
            done += weight
            advance(done / total)
        return
    others = active_children()
    pool = ProcessPoolExecutor(min(processes, len(jobs)), mp_context=get_context("spawn"), initializer=_begin)
    try:
        waiting = {pool.submit(work, *job): weight for job, weight in zip(jobs, weights, strict=True)}
        for finished in as_completed(waiting):
            finished.result()
            done += waiting[finished]
            advance(done / total)
    except BrokenProcessPool as error:
        raise RenderError(
            "A process was killed, perhaps for want of memory; run it again with fewer --processes."
        ) from error
    except BaseException:
        # Nobody waits for jobs that take minutes; what they leave is whole or not there.
        for child in active_children():
            if child not in others:
                child.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    import torch

    torch.set_num_threads(1)
    end_with_parent()
