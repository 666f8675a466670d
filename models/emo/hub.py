"""EchoMimic v1 from the hub: its published files are fetched, checked and converted."""

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from media.atomic import cannot_write
from media.errors import DownloadError, InputError, MissingEngineError, PortrayalError
from models.emo import echomimic
from models.emo.convert import AUTOENCODER, FILES, convert_echomimic

REPOSITORY = "BadToBest/EchoMimic"
"""Apache-2.0."""
NAMES = {"base": "echomimic", "acc": "echomimic-acc"}
"""What the checkpoint of each variant is called."""
_PATIENCE = 20.0
"""Seconds for which the hub may be silent when it is asked what there is."""
_AUTOENCODER_FILES = ("config.json", "diffusion_pytorch_model.safetensors")


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file on the hub."""

    name: str
    bytes: int
    sha256: str | None
    """None for small files, of which the hub only tells the size."""


@dataclass(frozen=True, slots=True)
class Published:
    """What is to be fetched, at one revision."""

    revision: str
    files: tuple[PublishedFile, ...]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


def wanted_files(variant: str) -> tuple[str, ...]:
    """Names on the hub of all that a variant is made from."""
    return (*FILES[variant], *(f"{AUTOENCODER}/{name}" for name in _AUTOENCODER_FILES))


def published_files(variant: str, models_dir: Path, token: str | None = None) -> Published:
    """Ask the hub for sizes and checksums.

    Args:
        models_dir: where checkpoints are, for the message.
        token: of the hub; none is needed as long as the files are public.

    Raises:
        MissingEngineError: the hub cannot be reached; the message says what to download by hand, and where to put it.
        DownloadError: the hub is reached, but fails.
        InputError: the hub does not have the files.
    """
    from huggingface_hub import HfApi

    try:
        found = HfApi(endpoint=_endpoint()).model_info(
            REPOSITORY, files_metadata=True, token=token or False, timeout=_PATIENCE
        )
    except _network_errors() as error:
        raise _not_fetched(f"The list of files of {REPOSITORY}", error, variant, models_dir) from error
    known: dict[str, Any] = {one.rfilename: one for one in found.siblings or []}
    if missing := [name for name in wanted_files(variant) if name not in known]:
        raise InputError(f"{REPOSITORY} on the hub has no {', '.join(missing)}; its files may have been renamed.")
    files = tuple(
        PublishedFile(name, known[name].size or 0, known[name].lfs.sha256 if known[name].lfs else None)
        for name in wanted_files(variant)
    )
    return Published(str(found.sha), files)


def pull_echomimic(
    variant: str,
    published: Published,
    models_dir: Path,
    *,
    token: str | None = None,
    keep_files: bool = False,
    size: echomimic.Size = echomimic.PUBLISHED,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Fetch the files and convert them; returns the checkpoint's folder. What was fetched before a kill is not fetched again.

    Args:
        keep_files: leave the published files, for the other variant, which shares half of them.
        progress: is told the bytes that are here.

    Raises:
        MissingEngineError: the hub cannot be reached any more.
        DownloadError: the hub fails, or ends the connection; run again.
        InputError: a file is another one than was announced, the disk is full, or as `convert_echomimic`.
    """
    told = progress or (lambda done: None)
    folder, out = models_dir / ".echomimic-files", models_dir / NAMES[variant]
    if out.exists():
        raise InputError(f"{out}: it is there already; remove it to fetch it anew.")
    done = 0
    for file in published.files:
        _fetch(file, published.revision, folder, variant, models_dir, token)
        done += file.bytes
        told(done)
    convert_echomimic(folder, out, variant, size)
    if not keep_files:
        shutil.rmtree(folder, ignore_errors=True)
    return out


def _fetch(file: PublishedFile, revision: str, folder: Path, variant: str, models_dir: Path, token: str | None) -> None:
    from huggingface_hub import hf_hub_download

    path = folder / file.name
    checked = path.with_name(f".{path.name}.checked")  # hashing gigabytes again at every start would take minutes
    if path.is_file() and path.stat().st_size == file.bytes and checked.is_file():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (room := shutil.disk_usage(folder).free) < file.bytes:
            raise InputError(
                f"{folder}: {file.name} needs {file.bytes / 1e9:.1f} GB and {room / 1e9:.1f} GB are free; free some space."
            )
        hf_hub_download(
            REPOSITORY,
            file.name,
            revision=revision,
            local_dir=folder,
            endpoint=_endpoint(),
            token=token or False,
            etag_timeout=_PATIENCE,
        )
    except _network_errors() as error:
        raise _not_fetched(f"{file.name} of {REPOSITORY}", error, variant, models_dir) from error
    except OSError as error:
        if error.errno is None:  # less came than was announced
            raise _not_fetched(f"{file.name} of {REPOSITORY}", error, variant, models_dir) from error
        raise cannot_write(path, error) from error
    if path.stat().st_size != file.bytes or (file.sha256 is not None and _sha256(path) != file.sha256):
        path.unlink()
        raise InputError(f"{path}: what was fetched is not what the hub announced; run again.")
    checked.touch()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT")


def _network_errors() -> tuple[type[Exception], ...]:
    from huggingface_hub.errors import HTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    return HTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, ConnectionError


def _not_fetched(what: str, error: Exception, variant: str, models_dir: Path) -> PortrayalError:
    """No way to the hub needs files from elsewhere, a hub that fails another try, and a hub that refuses somebody who looks."""
    from httpx2 import ConnectError, ConnectTimeout
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # of a file whose size could not be asked for
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        if status < 500 and status not in (408, 429):
            return InputError(f"{what} is refused by the hub (HTTP {status}); look there whether it has moved.")
        return DownloadError(f"{what} cannot be fetched now: the hub answers HTTP {status}; run again later.")
    if isinstance(error, ConnectError | ConnectTimeout | OfflineModeIsEnabled | LocalEntryNotFoundError):
        return MissingEngineError(_by_hand(variant, models_dir))
    return DownloadError(
        f"{what} was not fetched whole: the hub ended the connection or fell silent; run again, and it goes on from there."
    )


def _by_hand(variant: str, models_dir: Path) -> str:
    name = NAMES[variant]
    return (
        f"The hub cannot be reached: on another machine download {', '.join(wanted_files(variant))} of {REPOSITORY}, put "
        f"them, with their folders, into a folder here, and run `portrayal models convert echomimic FOLDER "
        f"{models_dir / name} --variant {variant}`."
    )
