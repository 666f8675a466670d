"""The checkpoints that are on this machine, and how good one is."""

from pathlib import Path
from typing import Any

from flows.console import print_table
from media.errors import PortrayalError
from models import still
from tasks import workspace
from tasks.progress import stage

EVALUATION_STAGE = "Evaluate the checkpoint"


def checkpoints() -> list[dict[str, Any]]:
    """Every rendering engine that is here: shipped checkpoints, those in the models folder, and the preview."""
    from models.emo.renderer import SHIPPED

    rows = []
    models_dir = workspace.settings().models_dir
    for place in (SHIPPED, models_dir):
        for index in sorted(place.glob("*/model_index.json")):
            rows.append(_facts(index.parent, shipped=place == SHIPPED))
    preview = still.StillInfo()
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


def evaluate(checkpoint: str, clips: int, steps: int | None = None) -> dict[str, Any]:
    """Measure a checkpoint on presenters and sentences that it was not trained on; see `models.emo.evaluate`.

    Raises:
        MissingEngineError, InputError: there is no such checkpoint.
    """
    from models.emo.renderer import checkpoint_info

    models_dir = workspace.settings().models_dir
    checkpoint_info(checkpoint, models_dir)
    from models.emo.evaluate import evaluate as measure

    with stage(EVALUATION_STAGE, 1.0) as advance:
        return dict(measure(checkpoint, clips=clips, steps=steps, models_dir=models_dir, progress=advance))


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
    """Print what `evaluate` measured; the clips one by one below."""
    per_clip = figures.get("per_clip", [])
    print_table(
        f"Checkpoint {figures.get('checkpoint', '')}",
        ("Figure", "Value"),
        [
            (key.replace("_", " "), str(value))
            for key, value in figures.items()
            if key not in ("per_clip", "checkpoint")
        ],
    )
    if per_clip:
        columns = tuple(per_clip[0])
        print_table(
            "Clips",
            tuple(column.replace("_", " ") for column in columns),
            [tuple(str(row.get(column, "")) for column in columns) for row in per_clip],
        )


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
