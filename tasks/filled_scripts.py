"""Scripts that were filled in for rows of campaigns: where they are kept, so that every machine finds them.

They are beside the row's folder. Where that is a URL they are in the artifact store, which all machines share; from a store that
is a URL, too, a copy lies in this machine's home while it is worked with.
"""

import hashlib
from pathlib import Path

from media import results
from media.atomic import whole_file
from media.errors import InputError
from tasks import workspace

SCRIPTS = ".scripts"


def short(folder: str) -> str:
    """A name for a folder elsewhere."""
    return hashlib.sha256(folder.encode()).hexdigest()[:16]


def keep(script: str, out: str) -> Path:
    """Write the script of the row whose videos go to `out`, where it stays; returns where it can be read here.

    Raises:
        InputError, StorageError: it cannot be written.
    """
    path = _path(out)
    with whole_file(path) as draft:
        draft.write_text(script, encoding="utf-8")
    place = place_of(path)
    if results.is_url(place):
        results.publish(path, *results.parted(place), permit=lambda: None)
    return path


def place_of(path: Path) -> str:
    """Where a source is, for whoever asks, on whatever machine: a copy in this home is where it came from."""
    path, copies = path.resolve(), _copies()
    if path.is_relative_to(copies) and results.is_url(workspace.settings().artifacts_url):
        return results.place(_kept(), path.relative_to(copies).as_posix())
    return str(path)


def located(place: str) -> Path:
    """A source as a local file, from what `place_of` said; what is elsewhere is fetched, since people may have changed it.

    Raises:
        InputError: it is gone.
        StorageError: the store does not answer.
    """
    if not results.is_url(place):
        return Path(place)
    name = place.removeprefix(f"{_kept()}/")
    text = results.read_text(*results.parted(place))
    if name == place or text is None:
        raise InputError(f"{place} is gone from the artifact store; give the script's path.")
    with whole_file(_copies() / name) as draft:
        draft.write_text(text, encoding="utf-8")
    return _copies() / name


def exists(place: str) -> bool:
    """Whether there still is a source, from what `place_of` said."""
    return results.exists(*results.parted(place)) if results.is_url(place) else Path(place).exists()


def _path(out: str) -> Path:
    if not results.is_url(out):
        return Path(out).parent / SCRIPTS / f"{Path(out).name}.yaml"
    folder, row = results.parted(out)
    kept = _copies() if results.is_url(workspace.settings().artifacts_url) else Path(_kept())
    return kept / short(folder) / f"{row}.yaml"


def _kept() -> str:
    return results.place(workspace.settings().artifacts_url, "scripts")


def _copies() -> Path:
    return workspace.settings().home.resolve() / "scripts"
