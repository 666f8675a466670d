"""Where the weights of downloaded speech models are looked for. Only folders are looked at: no model code is imported."""

import hashlib
import os
from functools import cache
from pathlib import Path

from media.settings import Settings

COMMUNITY = "pyannote/speaker-diarization-community-1"
WHISPER_SIZES = (
    "large-v3-turbo", "large-v3", "large-v2", "large-v1", "medium", "small", "base", "tiny",
    "medium.en", "small.en", "base.en", "tiny.en",
)  # fmt: skip
"""Best first; those that know English only come last."""
_ENDS = 1 << 20


def pyannote_folder(model: str, settings: Settings) -> Path | None:
    """The folder with a diarization pipeline's `config.yaml`: a path, one in `PORTRAYAL_HOME/models`, or the hub's cache."""
    return _model_folder(model, "pyannote", "config.yaml", settings)


def transformers_folder(model: str, kind: str, settings: Settings) -> Path | None:
    """The folder with a model's `config.json`: a path, one in `PORTRAYAL_HOME/models`, or the hub's cache."""
    return _model_folder(model, kind, "config.json", settings)


def opus_folders(settings: Settings, folder: Path | None = None) -> dict[str, Path]:
    """The OPUS-MT models that are there, by name (`opus-mt-en-de`): in `folder`, or wherever models are kept."""
    places = [folder] if folder else [settings.models_dir / "marian", settings.models_dir]
    found = [path for place in places for path in sorted(place.glob("opus-mt*"))]
    if folder is None:
        for cached in sorted(hub_cache().glob("models--Helsinki-NLP--opus-mt*")):
            found += sorted(cached.glob("snapshots/*"))
    models: dict[str, Path] = {}
    for path in found:
        name = path.parent.parent.name.rpartition("--")[2] if path.parent.name == "snapshots" else path.name
        if (path / "config.json").is_file():
            models.setdefault(name, path)
    return models


def _model_folder(model: str, kind: str, marker: str, settings: Settings) -> Path | None:
    name = model.rsplit("/", 1)[-1]
    candidates = [Path(model).expanduser(), settings.models_dir / kind / name, settings.models_dir / name]
    snapshots = hub_cache() / f"models--{model.replace('/', '--')}" / "snapshots"
    candidates += sorted(snapshots.glob("*")) if snapshots.is_dir() else []
    return next((folder for folder in candidates if (folder / marker).is_file()), None)


@cache
def fingerprint(place: Path) -> str:
    """Tells one set of weights from another, a file or a folder and what is below it: names, sizes, and the first and last
    megabyte of every file; not where it is."""
    below = [one for one in place.rglob("*") if one.is_file() and not one.name.startswith(".")]
    digest = hashlib.sha256()
    for path in [place] if place.is_file() else sorted(below):
        size = path.stat().st_size
        name = path.name if path == place else path.relative_to(place).as_posix()
        with path.open("rb") as file:
            digest.update(f"{name} {size}\n".encode() + file.read(_ENDS))
            file.seek(max(0, size - _ENDS))
            digest.update(file.read(_ENDS))
    return digest.hexdigest()[:12]


def whisper_file(name: str | None, settings: Settings) -> Path | None:
    """A checkpoint by path or size name; the best one that is there when `name` is None."""
    if name is not None and Path(name).expanduser().is_file():
        return Path(name).expanduser()
    downloads = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "whisper"
    aliases = {"turbo": "large-v3-turbo", "large": "large-v3"}
    for size in WHISPER_SIZES if name is None else (aliases.get(name, name),):
        for folder in (settings.models_dir / "whisper", downloads):
            if (folder / f"{size}.pt").is_file():
                return folder / f"{size}.pt"
    return None


def hub_cache() -> Path:
    """Where huggingface_hub keeps downloads, by the same environment variables."""
    if direct := os.environ.get("HF_HUB_CACHE"):
        return Path(direct).expanduser()
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return Path(os.environ.get("HF_HOME") or caches / "huggingface").expanduser() / "hub"
