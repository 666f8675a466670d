"""The checkpoints that are on this machine, and how good one is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.console import print_table
from media.errors import MissingEngineError, PortrayalError
from models import draft, still
from tasks import workspace
from tasks.progress import note, stage

if TYPE_CHECKING:
    from models.speech.annotated import Recording

EVALUATION_STAGE = "Evaluate the checkpoint"
SHEETS_STAGE = "Draw the contact sheets"
FETCH_STAGE = "Fetch the published files"
CONVERT_STAGE = "Convert the weights"


def checkpoints() -> list[dict[str, Any]]:
    """Every rendering engine that is here: shipped checkpoints, those in the models folder, and the previews."""
    from models.emo.renderer import SHIPPED

    rows = []
    models_dir = workspace.settings().models_dir
    for place in (SHIPPED, models_dir):
        for index in sorted(place.glob("*/model_index.json")):
            rows.append(_facts(index.parent, shipped=place == SHIPPED))
    for preview in (still.StillInfo(), draft.draft_info()):
        rows.append(
            {
                "name": preview.name,
                "kind": "preview",
                "size": preview.size,
                "fps": preview.fps,
                "steps": preview.steps,
                "megabytes": 0.0,
                "fingerprint": preview.fingerprint,
                "folder": None,
                "problem": None,
            }
        )
    return rows


def evaluate(
    checkpoint: str,
    clips: int,
    steps: int | None = None,
    only: str | None = None,
    recordings: Path | None = None,
) -> dict[str, Any]:
    """Measure a checkpoint on presenters and sentences that it was not trained on; see `models.emo.evaluation.evaluate`.

    Args:
        recordings: a folder with recordings of human speech and their RTTM; the demo's telephone call when None.

    Raises:
        MissingEngineError, InputError: there is no such checkpoint, figure or folder of recordings.
    """
    from models.emo.evaluation import evaluate as measure
    from models.emo.evaluation import sections_for
    from models.speech.annotated import recordings_in

    wanted = sections_for(only)
    _require(checkpoint)
    heard = recordings_in(recordings) if recordings else _telephone_call(needed="voice" in wanted)
    with stage(EVALUATION_STAGE, 1.0) as advance:
        return measure(
            checkpoint,
            clips=clips,
            steps=steps,
            models_dir=workspace.settings().models_dir,
            recordings=heard,
            only=only,
            progress=advance,
        )


def write_sheets(checkpoint: str, out: Path, steps: int | None = None) -> list[Path]:
    """Draw contact sheets of what a checkpoint generates into a folder; returns the files.

    Raises:
        MissingEngineError, InputError: there is no such checkpoint, or the folder cannot be written to.
    """
    from models.emo.evaluation.sheets import write_sheets as draw_sheets

    _require(checkpoint)
    with stage(SHEETS_STAGE, 1.0) as advance:
        return draw_sheets(checkpoint, out, steps, workspace.settings().models_dir, advance)


def pull_echomimic(variant: str, *, keep_files: bool = False) -> Path:
    """Fetch a variant of EchoMimic v1 and convert it; returns the checkpoint's folder. The size is announced first.

    Raises:
        MissingEngineError, InputError: as `models.emo.hub.published_files` and `pull_echomimic`.
    """
    from models.emo import hub

    settings = workspace.settings()
    token = settings.hf_token.get_secret_value() if settings.hf_token else None
    published = hub.published_files(variant, settings.models_dir, token)
    note(f"{len(published.files)} files of {hub.REPOSITORY}, {published.bytes / 1e9:.1f} GB in all, are fetched.")
    with stage(FETCH_STAGE, float(published.bytes)) as advance:
        return hub.pull_echomimic(
            variant, published, settings.models_dir, token=token, keep_files=keep_files, progress=advance
        )


def convert_echomimic(source: Path, out: Path, variant: str) -> None:
    """Convert published files of EchoMimic v1; see `models.emo.convert.convert_echomimic`."""
    from models.emo.convert import convert_echomimic as convert

    with stage(CONVERT_STAGE, 1.0) as advance:
        convert(source, out, variant, progress=advance)


def _require(checkpoint: str) -> None:
    """Say that a checkpoint is missing before anything that takes long."""
    from models.emo.renderer import checkpoint_info

    if checkpoint != still.NAME:
        checkpoint_info(checkpoint, workspace.settings().models_dir)


def _telephone_call(*, needed: bool) -> "tuple[Recording, ...]":
    from flows.demo import telephone_conversation
    from models.speech.annotated import Recording

    if not needed:
        return ()
    try:
        call = telephone_conversation()
    except MissingEngineError:
        note(
            "Human speech is not measured: the demo's telephone call comes with pyannote.audio, which is not installed."
        )
        return ()
    return (Recording(call.sound, call.reference),)


def print_checkpoints(rows: list[dict[str, Any]]) -> None:
    """Print what `checkpoints` found."""
    print_table(
        "Rendering engines",
        ("Name", "Kind", "Picture", "Frames/s", "Steps", "Size", "Folder"),
        [
            (
                row["name"],
                row["kind"],
                f"{row['size']} px" if row["size"] else "",
                str(row["fps"] or ""),
                str(row["steps"] or ""),
                f"{row['megabytes']:.1f} MB" if row["megabytes"] else "",
                row["problem"] or row["folder"] or "",
            )
            for row in rows
        ],
    )


def print_evaluation(figures: dict[str, Any]) -> None:
    """Print what `evaluate` measured: what has to be reached first, then everything else, then the clips one by one."""
    bars, per_clip = figures["bars"], figures.get("per_clip", [])
    passed = sum(row["met"] for row in bars.values())
    print_table(
        f"Checkpoint {figures['checkpoint']}: {passed} of {len(bars)} figures pass",
        ("Figure", "Value", "Bar", "", "Ceiling of the instrument"),
        [
            (
                key,
                _shown(row["value"]),
                row["bar"],
                "pass" if row["met"] else "FAIL",
                _shown(figures.get(f"{key}_ceiling", "")),
            )
            for key, row in bars.items()
        ],
    )
    told = {"bars", "per_clip", *bars, *(f"{key}_ceiling" for key in bars)}
    print_table(
        "Also measured",
        ("Figure", "Value"),
        [(key, _shown(value)) for key, value in figures.items() if key not in told],
    )
    if per_clip:
        columns = tuple(per_clip[0])
        print_table(
            "Clips",
            tuple(column.replace("_", " ") for column in columns),
            [tuple(str(row.get(column, "")) for column in columns) for row in per_clip],
        )


def _shown(value: object) -> str:
    if value is None:
        return "not measurable"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {one}" for key, one in value.items())
    return str(value)


def _facts(folder: Path, *, shipped: bool) -> dict[str, Any]:
    from models.emo.renderer import checkpoint_info

    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    row: dict[str, Any] = {
        "name": folder.name,
        "kind": "shipped" if shipped else "installed",
        "size": None,
        "fps": None,
        "steps": None,
        "megabytes": round(size / 1e6, 1),
        "fingerprint": None,
        "folder": str(folder),
        "problem": None,
    }
    try:
        info = checkpoint_info(str(folder))
    except (PortrayalError, KeyError, ValueError) as error:
        return row | {"problem": f"cannot be used: {error}"}
    return row | {"size": info.size, "fps": info.fps, "steps": info.steps, "fingerprint": info.fingerprint}
