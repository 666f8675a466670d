"""Runs a flow from the command line: input is checked while the embedded Prefect server starts, then the flow is called."""

from typing import TYPE_CHECKING

from flows import embedded
from media.settings import Settings
from tasks.request import ProductionRequest
from tasks.sources import read_source

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

    server = embedded.start(Settings().home)
    try:
        for request in requests:
            read_source(request)
        from flows.produce import produce

        server.join()
        made = []
        for request in requests:
            try:
                made.append(produce(request))
            except IncompleteError as error:
                made.append(error.production)
        return made
    finally:
        server.stop()
