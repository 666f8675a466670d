"""The artifact store: files under keys, on a local folder or any fsspec URL.

Keys are content hashes or are derived from them, so an artifact never changes once it is there, and caching is safe.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from upath import UPath

from media.atomic import whole_file
from media.errors import InputError
from media.settings import Settings

# An upload to these becomes visible only once it is complete; elsewhere it is uploaded aside and renamed.
_WHOLE_UPLOADS = {
    "s3",
    "s3a",
    "gs",
    "gcs",
    "az",
    "abfs",
    "abfss",
    "adl",
    "memory",
    "oci",
    "r2",
}


class ArtifactStore:
    """Keyed files at `url`: a local path, or a URL that fsspec understands (`s3://bucket/folder`).

    `cache` is where `fetch` keeps local copies of what is stored elsewhere; a folder in PORTRAYAL_HOME when not given.
    Access keys come from the environment, never from the URL.

    Example:
        >>> store = ArtifactStore("/tmp/artifacts")
        >>> with store.writing("clips/abc.mp4") as path:
        ...     write_video(frames, path, fps=25)
        >>> store.has("clips/abc.mp4")
        True
    """

    def __init__(self, url: str | Path, cache: Path | None = None) -> None:
        try:
            root = UPath(url)
            self.local = root.protocol in ("", "file", "local")
        except (ValueError, ImportError) as error:
            raise InputError(
                f"PORTRAYAL_STORE_URL: '{url}' is not a place to keep artifacts in ({error}); "
                "use a folder or a URL such as s3://bucket/folder."
            ) from error
        self.root = UPath(Path(root.path).absolute()) if self.local else root
        self._cache = cache

    def path(self, key: str) -> UPath:
        """Where the artifact is, or would be."""
        return self.root / _checked(key)

    def uri(self, key: str) -> str:
        """The artifact's full address: `file:///...` for local ones."""
        return Path(self.path(key).path).as_uri() if self.local else str(self.path(key))

    def has(self, key: str) -> bool:
        """Whether the artifact is there, whole."""
        return self.path(key).is_file()

    def fetch(self, key: str) -> Path:
        """A local file with the artifact's bytes; downloaded once if the store is not local.

        Raises:
            InputError: there is no such artifact.
        """
        source = self.path(key)
        if self.local:
            if not source.is_file():
                raise self._missing(key)
            return Path(source.path)
        copy = self._cache_folder() / key
        if not copy.is_file():
            if not source.is_file():
                raise self._missing(key)
            with whole_file(copy) as temporary:
                source.fs.get_file(source.path, str(temporary))
        return copy

    def put_bytes(self, data: bytes, prefix: str, suffix: str) -> str:
        """Store `data` under its SHA-256; returns the key, `{prefix}/{sha256}{suffix}`."""
        key = f"{prefix}/{hashlib.sha256(data).hexdigest()}{suffix}"
        if not self.has(key):
            with self.writing(key) as temporary:
                temporary.write_bytes(data)
        return key

    def put_file(self, path: Path, key: str) -> str:
        """Store a copy of the file at `path` under `key`; returns the key."""
        with (
            self.writing(key) as temporary,
            Path(path).open("rb") as source,
            temporary.open("wb") as target,
        ):
            while block := source.read(1 << 20):
                target.write(block)
        return key

    @contextmanager
    def writing(self, key: str) -> Iterator[Path]:
        """Give a temporary local path, with the key's suffix; what is written there becomes the artifact on success.

        On failure nothing is left. Two writers of one key are harmless: each writes its own file, and either is right.

        Raises:
            InputError: the store cannot be written to, or its disk is full.
        """
        target = self.path(key)
        if self.local:
            with whole_file(Path(target.path)) as temporary:
                yield temporary
            return
        with tempfile.TemporaryDirectory(prefix="portrayal-") as folder:
            temporary = Path(folder) / PurePosixPath(key).name
            yield temporary
            try:
                self._upload(temporary, target)
            except OSError as error:
                raise InputError(
                    f"Cannot store {key} at {self.root}: {error}; check the store's URL and rights."
                ) from error

    def _upload(self, source: Path, target: UPath) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.protocol in _WHOLE_UPLOADS:
            target.fs.put_file(str(source), target.path)
            return
        aside = target.with_name(f".{target.name}.{os.urandom(6).hex()}.part")
        target.fs.put_file(str(source), aside.path)
        target.fs.mv(aside.path, target.path)

    def _cache_folder(self) -> Path:
        if self._cache is None:
            name = hashlib.sha256(str(self.root).encode()).hexdigest()[:16]
            self._cache = Settings().home.resolve() / "cache" / name
        return self._cache

    def _missing(self, key: str) -> InputError:
        return InputError(f"{key} is not in the artifact store at {self.root}; run the command again to make it anew.")


def _checked(key: str) -> str:
    parts = PurePosixPath(key).parts
    if not parts or key.startswith("/") or ".." in parts or any(part.startswith(".") for part in parts):
        raise ValueError(f"an artifact key is a relative path without dots in front, not {key!r}")
    return key
