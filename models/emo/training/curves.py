"""The course of a training, drawn from its log."""

from pathlib import Path

import pandas as pd

from media.atomic import whole_file

_STAGES = {
    "audio": "audio encoder",
    "codec": "codec",
    "crop": "images: crops",
    "image": "images",
    "video": "video",
    "speed": "speed layers",
}


def write_curves(log: Path, path: Path) -> None:
    """Write a PNG of `log.csv`: the loss of every stage against CPU-minutes, and how well mouths follow their own sound and
    another's."""
    from matplotlib.figure import Figure

    table = pd.read_csv(log)
    stages = [stage for stage in _STAGES if (table["stage"] == stage).any()]
    figure = Figure(figsize=(2.6 * (len(stages) + 1), 2.8), layout="constrained")
    axes = figure.subplots(1, len(stages) + 1)
    for axis, stage in zip(axes, stages, strict=False):
        rows = table[(table["stage"] == stage) & (table["figure"] == "loss")]
        axis.plot(rows["cpu_seconds"] / 60, rows["value"], color="#9db7cc", linewidth=0.8)
        axis.plot(rows["cpu_seconds"] / 60, rows["value"].rolling(9, 1, center=True).median(), color="#1d4e79")
        axis.set(title=f"{_STAGES[stage]}, loss", xlabel="CPU-minutes")
        axis.set_ylim(bottom=0)
    heard = table[table["figure"].isin(["mouth_own", "mouth_wrong"])]
    for name, label, colour in (("mouth_own", "own sound", "#1d4e79"), ("mouth_wrong", "another's", "#c2571a")):
        rows = heard[heard["figure"] == name]
        axes[-1].plot(range(100, 100 * len(rows) + 1, 100), rows["value"], color=colour, label=label, marker=".")
    axes[-1].set(title="mouth and sound", xlabel="step, crops and images", ylim=(-0.2, 1))
    axes[-1].legend(frameon=False, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as draft:
        figure.savefig(draft, format="png", dpi=110)
