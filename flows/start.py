"""Runs a flow from the command line: input is checked while the embedded Prefect server starts, then the flow is called."""

import dataclasses
import json
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flows import embedded
from media.errors import InputError, PortrayalError, StorageError
from media.settings import Settings
from tasks.progress import Advance, stage
from tasks.request import ProductionRequest
from tasks.sources import read_source

STAGE = "Start Prefect"
NO_ROOM_BYTES = 1 << 20
"""A disk with less room than this is taken for full, when something went wrong."""

if TYPE_CHECKING:
    from catalog.campaigns import Claim
    from tasks.bookkeeping import Production
    from tasks.campaign_runner import Drained


def produce_here(*requests: ProductionRequest) -> "list[Production]":
    """Produce sources one after another, on this machine, with the Prefect server that `flows.embedded` finds or starts.

    What is wrong with any of them is said before work on the first begins. One that stays incomplete does not keep the
    next from being produced.

    Raises:
        PortrayalError: a request cannot be met.
        StoppedError: it was told to stop (SIGTERM).
    """
    from tasks.bookkeeping import IncompleteError
    from tasks.campaign_runner import stopped_by_signals

    with stopped_by_signals(), _prefect() as server:
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


def campaign_here(
    names: Sequence[str], limit: int | None, lease_seconds: float, on_row: "Callable[[Claim, str], None]"
) -> "Drained":
    """Be a runner of campaigns on this machine, until nothing is left that could be begun.

    Raises:
        InputError: there is no campaign of one of these names.
        StoppedError: it was told to stop (SIGTERM), or Prefect's server is gone; its row is in the queue again.
    """
    from tasks import workspace
    from tasks.campaign_runner import nothing_to_do, stopped_by_signals

    if (idle := nothing_to_do(workspace.catalog(), names)) is not None:
        return idle
    with stopped_by_signals(), _prefect() as server:
        with stage(STAGE):
            from flows.campaign import run_here

            server.join()
        return run_here(names, limit=limit, lease_seconds=lease_seconds, on_row=on_row)


def train_here(run: Path, plan: dict[str, str], *, processes: int, checkpoint: str | None = None) -> Path:
    """Train the starter checkpoint in the folder `run`; returns the checkpoint's folder.

    Args:
        plan: fields of `models.emo.training.plan.Plan` that differ from the default, as they were written.
        checkpoint: name or folder of one to begin with; from nothing when None.

    Raises:
        InputError: there is no such field, its value is not a number, or the checkpoint is of another size.
        MissingEngineError: there is no such checkpoint.
    """
    with _prefect() as server, ExitStack() as stages:
        fields = _plan_fields(plan)
        from flows.train import train_with_progress
        from models.emo.renderer import checkpoint_folder

        begun = None if checkpoint is None else checkpoint_folder(checkpoint, Settings().models_dir)
        advances: dict[str, Advance] = {}

        def report(name: str, share: float) -> None:
            if name not in advances:
                advances[name] = stages.enter_context(stage(name.capitalize(), 1.0))
            advances[name](share)

        with stage(STAGE):
            server.join()
        return train_with_progress(run, report, plan=fields, processes=processes, checkpoint=begun)


def train_emo_here(
    data: Path,
    run: Path,
    *,
    name: str,
    size: str,
    autoencoder: Path | None,
    plan: dict[str, str],
    demands: dict[str, str],
    processes: int,
) -> Path:
    """Train a checkpoint on the videos in `data`; it appears among the installed ones as `name`. Returns its folder.

    Args:
        plan, demands: fields of `models.emo.training.plan.Plan` and `models.emo.training.videos.cuts.Demands` that differ
            from the default, as they were written.

    Raises:
        PortrayalError: something that was given cannot be used, or the name is taken.
    """
    with _prefect() as server:
        from models.emo.training.videos.cuts import Demands
        from models.emo.training.videos.films import films_in

        films_in(data)
        steps = _plan_fields(plan)
        wanted = {
            field: _number("--demand", field, value, {known.name for known in dataclasses.fields(Demands)} - {"size"})
            for field, value in demands.items()
        }
        folder = _free_folder(name, run)
        with stage(STAGE):
            from flows.train_emo import train_emo

            server.join()
        return train_emo(data, run, folder, size, autoencoder, steps, wanted, processes)


def _free_folder(name: str, run: Path) -> Path:
    """Where a checkpoint of this name goes; that of the same run is replaced, no other."""
    from models.emo.renderer import SHIPPED

    folder, begun = Settings().models_dir / name, run / "options.json"
    ours = begun.is_file() and json.loads(begun.read_text(encoding="utf-8")).get("checkpoint") == str(folder)
    if (SHIPPED / name).exists() or (folder.exists() and not ours):
        raise InputError(f"--name {name}: there is a checkpoint of that name already; choose another one.")
    return folder


def _plan_fields(plan: dict[str, str]) -> dict[str, int]:
    from models.emo.training.plan import Plan

    known = {field.name for field in dataclasses.fields(Plan)}
    for name, value in plan.items():
        _number("--plan", name, value, known)
        if not value.isdecimal():
            raise InputError(f"--plan {name}={value}: the value must be a whole number.")
    return {name: int(value) for name, value in plan.items()}


def _number(option: str, name: str, value: str, known: set[str]) -> float:
    """
    Raises:
        InputError: there is no such field, or its value is not a number above zero.
    """
    if name not in known:
        raise InputError(f"{option} {name}={value}: there is no such field; there are {', '.join(sorted(known))}.")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise InputError(f"{option} {name}={value}: the value must be a number.")
    return number


@contextmanager
def _prefect() -> Iterator[embedded.EmbeddedServer]:
    home = Settings().home.resolve()
    server = embedded.start(home)
    try:
        yield server
    except PortrayalError:
        raise
    except Exception as error:
        # Prefect's server keeps its database there, and says no more than that something is wrong with it.
        if home.exists() and shutil.disk_usage(home).free < NO_ROOM_BYTES:
            raise StorageError(f"{home}: the disk is full; free some space and run the same command again.") from error
        raise
    finally:
        server.stop()
