"""`portrayal models`: the checkpoints that are here, how good one is, and training the starter."""

from typing import Annotated

import typer

app = typer.Typer(help="List, train and evaluate EMO checkpoints.", no_args_is_help=True)
train_app = typer.Typer(help="Train a checkpoint.", no_args_is_help=True)
app.add_typer(train_app, name="train")

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]


@app.command("list")
def list_(json: JsonOption = False) -> None:
    """List the rendering engines that are on this machine."""
    from flows.console import print_json
    from flows.models import checkpoints, print_checkpoints

    rows = checkpoints()
    if json:
        print_json(rows)
    else:
        print_checkpoints(rows)


@app.command()
def evaluate(
    checkpoint: Annotated[str, typer.Argument(help="Name or folder of the checkpoint.")] = "starter",
    clips: Annotated[int, typer.Option(min=2, max=200, help="How many clips to render and measure.")] = 12,
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps. Default: the checkpoint's.")] = None,
    json: JsonOption = False,
) -> None:
    """Measure a checkpoint on presenters and sentences that it was not trained on."""
    from flows.console import print_json, progress_on_stderr
    from flows.models import evaluate as measure
    from flows.models import print_evaluation

    with progress_on_stderr(show=not json):
        figures = measure(checkpoint, clips, steps)
    if json:
        print_json(figures)
    else:
        print_evaluation(figures)
