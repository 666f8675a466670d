"""What is installed, what is missing, and what to do about it."""

import platform
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from flows.console import print_table
from media.errors import PortrayalError
from tasks import workspace

State = Literal["ok", "missing", "failed"]

PACKAGES = (
    "portrayal",
    "prefect",
    "torch",
    "torchaudio",
    "diffusers",
    "transformers",
    "pyannote.audio",
    "openai-whisper",
    "moviepy",
    "av",
    "sqlalchemy",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    name: str
    state: State
    detail: str
    remedy: str = ""
    needed: bool = False
    """Whether the main job cannot run without it."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that was looked at."""

    findings: tuple[Finding, ...]

    @property
    def main_job_runs(self) -> bool:
        """Whether a script or a recording can become a video here."""
        return all(one.state == "ok" for one in self.findings if one.needed)

    def as_json(self) -> dict[str, Any]:
        return {"main_job_runs": self.main_job_runs, "findings": [asdict(one) for one in self.findings]}


def examine() -> Findings:
    """Look at everything that the main job needs, and at what it could use."""
    return Findings(
        (
            *_machine(),
            *_packages(),
            _ffmpeg(),
            _codecs(),
            _fonts(),
            _store(),
            _catalog(),
            *_checkpoints(),
            *_speech(),
        )
    )


def print_findings(findings: Findings) -> None:
    """Print the findings, and what to do first."""
    mark = {"ok": "ok", "missing": "-", "failed": "FAILED"}
    print_table(
        "Doctor",
        ("", "What", "State", "Detail", "What to do"),
        [(one.subject, one.name, mark[one.state], one.detail, one.remedy) for one in findings.findings],
    )
    if findings.main_job_runs:
        print("Everything that the main job needs is here: try `portrayal demo`.")
    else:
        missing = [one for one in findings.findings if one.needed and one.state != "ok"]
        print(f"The main job cannot run yet: {'; '.join(f'{one.name}: {one.remedy or one.detail}' for one in missing)}")


def _machine() -> list[Finding]:
    from tasks.rendering import gpus, processors

    settings = workspace.settings()
    home = settings.home.resolve()
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    found = [
        Finding("machine", "Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        Finding("machine", "processors", "ok", str(processors())),
        Finding(
            "machine",
            "free disk",
            "ok" if free > 1 << 30 else "failed",
            f"{free / (1 << 30):.1f} GB at {there}",
            "" if free > 1 << 30 else "free some space, or set PORTRAYAL_HOME",
        ),
    ]
    if not gpus():
        found.append(Finding("machine", "GPU", "missing", "none; clips are rendered on the processors"))
        return found
    import torch

    usable = torch.cuda.is_available()
    names = ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
    found.append(
        Finding(
            "machine",
            "GPU",
            "ok" if usable else "failed",
            names if usable else "there, but torch cannot use it",
            "" if usable else "install the driver that torch asks for",
        )
    )
    return found


def _packages() -> list[Finding]:
    found = []
    for name in PACKAGES:
        try:
            found.append(Finding("package", name, "ok", version(name), needed=True))
        except PackageNotFoundError:
            found.append(Finding("package", name, "missing", "not installed", "run `make setup`", needed=True))
    return found


def _ffmpeg() -> Finding:
    def look() -> str:
        import imageio_ffmpeg

        return f"{imageio_ffmpeg.get_ffmpeg_version()} ({Path(imageio_ffmpeg.get_ffmpeg_exe()).name}, bundled)"

    return _tried("media", "ffmpeg", look, "run `make setup`")


def _codecs() -> Finding:
    def look() -> str:
        import av

        missing = [name for name in ("libx264", "aac") if name not in av.codecs_available]
        if missing:
            raise PortrayalError(f"no encoder {', '.join(missing)}")
        return f"PyAV {version('av')}, libx264, aac"

    return _tried("media", "video encoder", look, "run `make setup`")


def _fonts() -> Finding:
    def look() -> str:
        from media.lettering import can_draw

        scripts = {
            "Latin": "Az é",
            "Greek": "Ωλ",
            "Cyrillic": "Яж",
            "Devanagari": "नमस्ते",
            "Arabic": "سلام",
            "Chinese": "你好",
            "Japanese": "こんにちは",
            "Korean": "안녕",
        }
        lacking = [name for name, text in scripts.items() if not can_draw(text)]
        if lacking:
            raise PortrayalError(f"no letters for {', '.join(lacking)}")
        return ", ".join(scripts)

    return _tried("media", "fonts for captions", look, "run `make setup`")


def _store() -> Finding:
    def look() -> str:
        store = workspace.store()
        key = store.put_bytes(b"doctor", "checks", ".txt")
        if store.fetch(key).read_bytes() != b"doctor":
            raise PortrayalError("what is written does not come back")
        return str(store.root)

    return _tried(
        "storage", "artifact store", look, "set PORTRAYAL_STORE_URL or PORTRAYAL_HOME to a place you may write to"
    )


def _catalog() -> Finding:
    def look() -> str:
        from catalog.portraits import list_portraits
        from catalog.session import session_factory
        from catalog.tables import now

        engine = workspace.catalog()
        with session_factory(engine, read_only=True).begin() as session:
            usable = len(list_portraits(session, usable_at=now()))
        if not usable:
            raise PortrayalError("no portrait may be used")
        return f"{usable} portraits may be used; {engine.url.render_as_string(hide_password=True)}"

    return _tried("storage", "catalog", look, "see `portrayal catalog check`")


def _checkpoints() -> list[Finding]:
    from flows.models import checkpoints
    from tasks.rendering import DEFAULT_CHECKPOINT

    rows = checkpoints()
    found = [
        Finding(
            "render",
            row["name"],
            "failed" if row["problem"] else "ok",
            row["problem"] or f"{row['size']} px, {row['fps']} frames/s, {row['kind']}",
            needed=row["name"] == DEFAULT_CHECKPOINT,
        )
        for row in rows
    ]
    if not any(row["name"] == DEFAULT_CHECKPOINT for row in rows):
        remedy = "it is part of the repository (models/emo/checkpoints); or `portrayal models train starter`"
        found.append(Finding("render", DEFAULT_CHECKPOINT, "missing", "no such checkpoint", remedy, needed=True))
    return found


def _speech() -> list[Finding]:
    from models.speech.engines import available

    statuses = available()
    found = [
        Finding(
            one.kind, one.name, "ok" if one.available else "missing", one.detail, "" if one.available else one.remedy
        )
        for one in statuses
    ]
    for kind in ("diarization", "synthesis"):
        if not any(one.available for one in statuses if one.kind == kind):
            found.append(Finding(kind, "any engine", "missing", "none can run", "run `make setup`", needed=True))
    return found


def _tried(subject: str, name: str, look: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(subject, name, "ok", look(), needed=True)
    except Exception as error:  # whatever is broken is what a doctor is asked about
        sentence = str(error) if isinstance(error, PortrayalError) else f"{type(error).__name__}: {error}"
        return Finding(subject, name, "failed", sentence, remedy, needed=True)
