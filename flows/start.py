"""Runs a flow from the command line: input is checked while the embedded Prefect server starts, then the flow is called."""

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flows import embedded
from media.errors import InputError
from media.settings import Settings
from tasks.progress import Advance, stage
from tasks.request import ProductionRequest
from tasks.sources import read_source

STAGE = "Start Prefect"

if TYPE_CHECKING:
    from tasks.bookkeeping import Production


def produce_here(*requests: ProductionRequest) -> "list[Production]":
    """Produce sources one after another, on this machine, with the Prefect server that `flows.embedded` finds or starts.

    What is wrong with any of them is said before work on the first begins. One that stays incomplete does not keep the
    next from being produced.

    Raises:
        PortrayalError: a request cannot be met.
    """
    from tasks.bookkeeping import IncompleteError

    with _prefect() as server:
        for request in requests:
            read_source(request)
        with stage(STAGE):
            from flows.produce import produce

            server.join()
        made = []
        for request in requests:
            try:
                made.append(produce(request))
            except IncompleteError as error:
                made.append(error.production)
        return made


def train_here(run: Path, plan: dict[str, str], *, processes: int) -> Path:
    """Train the starter checkpoint in the folder `run`; returns the checkpoint's folder.

    Args:
        plan: fields of `models.emo.training.plan.Plan` that differ from the default, as they were written.

    Raises:
        InputError: there is no such field, or its value is not a number.
    """
    with _prefect() as server, ExitStack() as stages:
        fields = _plan_fields(plan)
        from flows.train import train_with_progress

        advances: dict[str, Advance] = {}

        def report(name: str, share: float) -> None:
            if name not in advances:
                advances[name] = stages.enter_context(stage(name.capitalize(), 1.0))
            advances[name](share)

        with stage(STAGE):
            server.join()
        return train_with_progress(run, report, plan=fields, processes=processes)


def _plan_fields(plan: dict[str, str]) -> dict[str, int]:
    from models.emo.training.plan import Plan

    known = {field.name for field in dataclasses.fields(Plan)}
    for name, value in plan.items():
        if name not in known:
            raise InputError(f"--plan {name}={value}: there is no such field; there are {', '.join(sorted(known))}.")
        if not value.isdecimal():
            raise InputError(f"--plan {name}={value}: the value must be a whole number.")
    return {name: int(value) for name, value in plan.items()}


@contextmanager
def _prefect() -> Iterator[embedded.EmbeddedServer]:
    server = embedded.start(Settings().home)
    try:
        yield server
    finally:
        server.stop()
