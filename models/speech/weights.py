"""Where the weights of downloaded speech models are looked for. Only folders are looked at: no model code is imported."""

import hashlib
import json
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
WHISPER_ALIASES = {"turbo": "large-v3-turbo", "large": "large-v3"}
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


def whisper_weights(name: str | None, settings: Settings) -> Path | None:
    """A whisper by size, hub repository or path; the best size that is there when `name` is None.

    Returns a `.pt` file as openai-whisper writes it, or a folder in transformers' format (`config.json` and weights).
    """
    if name is not None and (own := _whisper_at(Path(name).expanduser())):
        return own
    downloads = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "whisper"
    for wanted in WHISPER_SIZES if name is None else (name,):
        repository = whisper_repository(wanted)
        short = repository.rsplit("/", 1)[-1]
        kept = settings.models_dir / "whisper"
        size = next((one for one in WHISPER_SIZES if whisper_repository(one) == repository), wanted.rsplit("/", 1)[-1])
        places = [kept / f"{size}.pt", downloads / f"{size}.pt"]
        places += [kept / f"{short}.pt", kept / size, kept / short, settings.models_dir / short]
        cached = hub_cache() / f"models--{repository.replace('/', '--')}"
        main = cached / "refs" / "main"
        places += [cached / "snapshots" / main.read_text().strip()] if main.is_file() else []
        places += sorted(cached.glob("snapshots/*"))
        if found := next(filter(None, map(_whisper_at, places)), None):
            return found
    return None


def whisper_repository(name: str) -> str:
    """Where the hub has a size; a repository's own id stays as it is."""
    size = WHISPER_ALIASES.get(name, name)
    return size if "/" in size else f"openai/whisper-{'large' if size == 'large-v1' else size}"


def shown_name(place: Path) -> str:
    """What a file or folder of weights is called: `small`, `whisper-small`; in the hub's cache, its repository."""
    if place.parent.name == "snapshots":
        return place.parent.parent.name.rpartition("--")[2]
    return place.stem if place.is_file() else place.name


def _whisper_at(place: Path) -> Path | None:
    """The weights in a file or folder; None where there are none, or not all of them."""
    if place.is_file():
        return place.parent if place.name in ("config.json", "model.safetensors") else place
    if not place.is_dir():
        return None
    if (place / "config.json").is_file() and whole_weights(place):
        return place
    checkpoints = sorted(place.glob("*.pt"))
    return checkpoints[0] if len(checkpoints) == 1 else None


def whole_weights(folder: Path) -> list[Path]:
    """The files of a model in transformers' format: one, or all that its index names; none where one of them is missing."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if index.is_file():
            try:
                names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
            except (OSError, ValueError, KeyError, AttributeError):
                continue
            shards = [folder / Path(str(one)).name for one in names]
            if shards and all(shard.is_file() for shard in shards):
                return shards
    return []


def hub_cache() -> Path:
    """Where huggingface_hub keeps downloads, by the same environment variables."""
    if direct := os.environ.get("HF_HUB_CACHE"):
        return Path(direct).expanduser()
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return Path(os.environ.get("HF_HOME") or caches / "huggingface").expanduser() / "hub"
