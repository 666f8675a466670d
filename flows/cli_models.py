"""`portrayal models`: the checkpoints that are here, how good one is, and training."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli_request import JsonOption

app = typer.Typer(help="List, train and evaluate EMO checkpoints.", no_args_is_help=True)
train_app = typer.Typer(help="Train a checkpoint.", no_args_is_help=True)
app.add_typer(train_app, name="train")
pull_app = typer.Typer(help="Fetch published weights from the hub and convert them.", no_args_is_help=True)
app.add_typer(pull_app, name="pull")
convert_app = typer.Typer(help="Convert published weights that are on this machine.", no_args_is_help=True)
app.add_typer(convert_app, name="convert")

VariantOption = Annotated[
    Literal["base", "acc"],
    typer.Option(help="base: 30 steps with guidance; acc: accelerated, 6 steps without, about a tenth of the work."),
]


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
    clips: Annotated[int, typer.Option(min=2, max=200, help="How many presenters speak; 8 or more: 8 languages.")] = 24,
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps. Default: the checkpoint's.")] = None,
    only: Annotated[
        str | None, typer.Option(metavar="FIGURE", help="Measure only the part that gives this figure.")
    ] = None,
    recordings: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, exists=True, help="Folder of NAME.wav or .flac with NAME.rttm. Default: the demo's call."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Measure a checkpoint on presenters and sentences that it was not trained on. Takes ten minutes or so."""
    from flows.console import print_json, progress_on_stderr
    from flows.models import evaluate as measure
    from flows.models import print_evaluation

    with progress_on_stderr(show=not json):
        figures = measure(checkpoint, clips, steps, only, recordings)
    if json:
        print_json(figures)
    else:
        print_evaluation(figures)


@app.command()
def sheets(
    checkpoint: Annotated[str, typer.Argument(help="Name or folder of the checkpoint.")] = "starter",
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the pictures.")] = Path("docs/starter"),
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps. Default: the checkpoint's.")] = None,
    json: JsonOption = False,
) -> None:
    """Draw contact sheets: presenters who speak, next to the drawn truth, and a strip for every head speed."""
    from flows.console import print_json, progress_on_stderr
    from flows.models import write_sheets

    with progress_on_stderr(show=not json):
        written = write_sheets(checkpoint, out, steps)
    if json:
        print_json([str(path) for path in written])
    else:
        for path in written:
            print(path)


@train_app.command()
def starter(
    run: Annotated[
        Path, typer.Option(help="Folder for data and states; a run that was killed goes on from there.")
    ] = Path("runs/starter"),
    plan: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=NUMBER", help="Field of models.emo.training.plan.Plan that differs (repeatable)."),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Processes that draw scenes side by side.")] = 2,
    begin_with: Annotated[
        str | None,
        typer.Option(
            metavar="CHECKPOINT",
            help="Go on from a checkpoint's networks, and keep its audio encoder and codec. Default: begin with nothing.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Train the starter from nothing: invented speech, drawn presenters, EMO's three stages. Takes hours."""
    from flows.cli_request import pairs
    from flows.console import print_json, progress_on_stderr
    from flows.start import train_here

    with progress_on_stderr(show=not json):
        folder = train_here(run, pairs("--plan", plan), processes=processes, checkpoint=begin_with)
    if json:
        print_json({"checkpoint": str(folder)})
    else:
        print(f"The checkpoint is in {folder}: use it with --engine render={folder}, or measure it with")
        print(f"portrayal models evaluate {folder}")


@train_app.command()
def emo(
    data: Annotated[
        Path,
        typer.Option(help="Folder of videos of people who talk; folders within are searched too.", file_okay=False),
    ],
    run: Annotated[
        Path, typer.Option(help="Folder for parts, states and reports; a run that was killed goes on from there.")
    ] = Path("runs/emo"),
    name: Annotated[
        str | None, typer.Option(help="What the checkpoint is called. Default: the name of the run's folder.")
    ] = None,
    size: Annotated[
        Literal["emo", "tiny"], typer.Option(help="The paper's networks, or tiny ones to try it out.")
    ] = "emo",
    autoencoder: Annotated[
        Path | None,
        typer.Option(help="Folder of a diffusers AutoencoderKL, such as sd-vae-ft-mse. Default: one is trained."),
    ] = None,
    plan: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=NUMBER", help="Field of models.emo.training.plan.Plan that differs (repeatable)."),
    ] = None,
    demand: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=NUMBER", help="Field of models.emo.training.videos.cuts.Demands that differs (repeatable)."
        ),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Processes that prepare videos side by side.")] = 2,
    json: JsonOption = False,
) -> None:
    """Train a checkpoint on real videos: cut, crop and measure them, then EMO's three stages. Needs a GPU at full size."""
    from flows.cli_request import pairs
    from flows.console import print_json, progress_on_stderr
    from flows.start import train_emo_here

    with progress_on_stderr(show=not json):
        folder = train_emo_here(
            data,
            run,
            name=name or run.resolve().name,
            size=size,
            autoencoder=autoencoder,
            plan=pairs("--plan", plan),
            demands=pairs("--demand", demand),
            processes=processes,
        )
    if json:
        print_json({"checkpoint": str(folder), "report": str(run / "videos.csv")})
    else:
        print(f"The checkpoint is in {folder}: use it with --engine render={folder.name}.")
        print(f"What was kept of the videos, and why the rest was not, is in {run / 'videos.csv'}.")


@pull_app.command("echomimic")
def pull_echomimic(
    variant: VariantOption = "base",
    keep_files: Annotated[
        bool, typer.Option("--keep-files", help="Leave the published files, half of which both variants share.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Fetch EchoMimic v1 (Apache-2.0), which makes photographs talk: about 9 GB, for a machine with a GPU."""
    from flows.console import print_json, progress_on_stderr
    from flows.models import pull_echomimic as pull

    with progress_on_stderr(show=not json):
        folder = pull(variant, keep_files=keep_files)
    if json:
        print_json({"checkpoint": str(folder)})
    else:
        print(f"The checkpoint is in {folder}: use it with --engine render={folder.name}.")


@convert_app.command("echomimic")
def convert_echomimic(
    source: Annotated[Path, typer.Argument(help="Folder with the files of EchoMimic v1, named as on the hub.")],
    out: Annotated[Path, typer.Argument(help="Folder of the checkpoint; it must not be there yet.")],
    variant: VariantOption = "base",
    json: JsonOption = False,
) -> None:
    """Turn EchoMimic v1's published files into a checkpoint. Reads one network at a time; needs as much disk as the files."""
    from flows.console import print_json, progress_on_stderr
    from flows.models import convert_echomimic as convert

    with progress_on_stderr(show=not json):
        convert(source, out, variant)
    if json:
        print_json({"checkpoint": str(out)})
    else:
        print(f"The checkpoint is in {out}: use it with --engine render={out}.")
