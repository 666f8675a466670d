"""`portrayal models`: the EMO checkpoints that are here, training the starter, and measuring one."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="List, train and evaluate EMO checkpoints.", no_args_is_help=True)


@app.command("list")
def list_checkpoints(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """List the checkpoints that can render, and the speech engines."""
    from flows.console import print_json
    from flows.models import checkpoints, print_checkpoints

    rows = checkpoints()
    if json:
        print_json(rows)
    else:
        print_checkpoints(rows)
