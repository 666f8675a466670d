"""How fast this machine has been, so that a plan can say how long the next production will take."""

import json
import tempfile
from pathlib import Path

from tasks import workspace

_HALF_LIFE = 2000.0
"""Old measurements count half after so many newer units: a machine that was busy is forgiven."""


def seconds_per_unit(what: str, default: float) -> float:
    """Measured seconds per unit (a frame, a second of video) of a kind of work; `default` when it was never done here."""
    entry = _read().get(what)
    return entry["seconds"] / entry["units"] if entry else default


def record_speed(what: str, units: float, seconds: float) -> None:
    """Note that `units` of a kind of work took `seconds`. What cannot be written is not worth failing for."""
    if units <= 0 or seconds <= 0:
        return
    speeds = _read()
    before = speeds.get(what, {"units": 0.0, "seconds": 0.0})
    fade = 0.5 ** (units / _HALF_LIFE)
    speeds[what] = {
        "units": before["units"] * fade + units,
        "seconds": before["seconds"] * fade + seconds,
    }
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".speeds", delete=False) as draft:
            json.dump(speeds, draft, indent=1)
        Path(draft.name).replace(path)
    except OSError:
        return


def _path() -> Path:
    return workspace.settings().home / "speeds.json"


def _read() -> dict[str, dict[str, float]]:
    try:
        speeds = json.loads(_path().read_text())
    except (OSError, ValueError):
        return {}
    return {
        what: {"units": float(one["units"]), "seconds": float(one["seconds"])}
        for what, one in speeds.items()
        if one.get("units", 0) > 0
    }
