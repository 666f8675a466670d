"""The artifact store: files under keys, on a local folder or at a URL such as `s3://bucket/folder`.

Keys are content hashes or are derived from them, so an artifact never changes once it is there, and caching is safe.
What is stored elsewhere is kept on this machine, too, as far as there is room for it, and checked when it arrives.
"""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from upath import UPath

from media.atomic import whole_file
from media.errors import InputError, LostArtifactError
from media.remote import Remote
from media.settings import Settings

ORIGINALS = ("portraits/",)
"""Beginnings of keys whose artifacts cannot be made anew: damaged ones are left where they are."""
IN_USE_SECONDS = 6 * 3600.0
"""What was used so recently stays on this machine, however full the cache is."""
_measuring = threading.Lock()
_added: dict[Path, int] = {}
"""Bytes that went into a cache since it was measured."""
_log = logging.getLogger("portrayal.store")


class ArtifactStore:
    """Keyed files at `url`: a local path, or a URL that fsspec understands (`s3://bucket/folder`).

    Access keys come from the environment, never from the URL.

    Args:
        cache: where local copies are kept of what is stored elsewhere; a folder in PORTRAYAL_HOME when not given.
        cache_bytes: how large that folder may become; PORTRAYAL_STORE_CACHE_GB when not given.
        patience: seconds for which a store that does not answer is asked again; PORTRAYAL_STORE_PATIENCE when not given.

    Whoever asks it for anything may meet, besides what is said there, InputError where the store cannot be used
    (bucket, credentials) and StorageError where it does not answer or a disk is full.

    Example:
        >>> store = ArtifactStore("/tmp/artifacts")
        >>> with store.writing("clips/abc.mp4") as path:
        ...     write_video(frames, path, fps=25)
        >>> store.has("clips/abc.mp4")
        True
    """

    def __init__(
        self,
        url: str | Path,
        cache: Path | None = None,
        cache_bytes: int | None = None,
        patience: float | None = None,
    ) -> None:
        try:
            root = UPath(url)
            self.local = root.protocol in ("", "file", "local")
        except (ValueError, ImportError) as error:
            raise InputError(
                f"PORTRAYAL_STORE_URL: '{url}' is not a place to keep artifacts in ({error}); "
                "use a folder or a URL such as s3://bucket/folder."
            ) from error
        self.root = UPath(Path(root.path).absolute()) if self.local else root
        if not self.local:
            if not str(url).partition("://")[2].partition("/")[0]:
                raise InputError(f"PORTRAYAL_STORE_URL: '{url}' names no bucket; use a URL such as s3://bucket/folder.")
            settings = Settings()
            name = hashlib.sha256(str(self.root).encode()).hexdigest()[:16]
            self._remote = Remote(root, settings.store_patience if patience is None else patience)
            self._cache = cache or settings.home.resolve() / "cache" / name
            self._cache_bytes = int(settings.store_cache_gb * 1e9) if cache_bytes is None else cache_bytes

    def path(self, key: str) -> UPath:
        """Where the artifact is, or would be."""
        return self.root / _checked(key)

    def uri(self, key: str) -> str:
        """The artifact's full address: `file:///...` for local ones."""
        return Path(self.path(key).path).as_uri() if self.local else str(self.path(key))

    def check(self) -> None:
        """Make sure that the store answers; whether it can be written to is seen when it is.

        Raises:
            InputError: there is no such bucket, or the credentials are wrong.
            StorageError: it does not answer.
        """
        if not self.local:
            self._remote.check()

    def has(self, key: str) -> bool:
        """Whether the artifact is there, whole. Whether its bytes are still the right ones is seen when they are read."""
        return self.path(key).is_file() if self.local else self._remote.find(_checked(key)) is not None

    def find(self, key: str) -> Path | None:
        """As `fetch`, but None where the artifact is not there or damaged, so that it has to be made anew."""
        try:
            return self.fetch(key)
        except LostArtifactError:
            return None

    def fetch(self, key: str) -> Path:
        """A local file with the artifact's bytes; downloaded once, and checked, if the store is not local.

        Whoever needs it for longer than `IN_USE_SECONDS` must open it, or fetch it again.

        Raises:
            LostArtifactError: there is no such artifact, or it was damaged; then it is removed, to be made anew.
            InputError: it is damaged, and nobody can make it anew.
        """
        if self.local:
            source = Path(self.path(key).path)
            if not source.is_file():
                raise self._missing(key)
            return source
        copy = self._cache / _checked(key)
        try:
            os.utime(copy)  # when it was used last
            return copy
        except OSError:
            pass
        with whole_file(copy) as temporary:
            self._download(key, temporary)
        self._bound(copy.stat().st_size)
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
            InputError: the store cannot be written to.
            StorageError: its disk is full, or it does not answer.
        """
        if self.local:
            with whole_file(Path(self.path(key).path)) as temporary:
                yield temporary
            return
        with whole_file(self._cache / _checked(key)) as temporary:
            yield temporary
            self._remote.upload(temporary, key)
            size = temporary.stat().st_size
        self._bound(size)

    def _download(self, key: str, path: Path) -> None:
        found = self._remote.download(key, path)
        if found is None:
            raise self._missing(key)
        stored, is_whole = found
        if is_whole:
            return
        said = f"{key} at {self.root} is damaged: its checksum is not the one that it was stored with"
        if key.startswith(ORIGINALS):
            raise InputError(f"{said}, and nobody can make it anew; import it again, or restore it from a copy.")
        self._remote.remove(key, stored.tag)
        _log.warning("%s; it was removed, to be made anew", said)
        raise LostArtifactError(f"{said}; it was removed, run the same command again to make it anew.")

    def _bound(self, added: int) -> None:
        """Remove what was not used for longest from the cache, once it is too large."""
        with _measuring:
            _added[self._cache] = _added.get(self._cache, self._cache_bytes) + added
            if _added[self._cache] < self._cache_bytes / 50:
                return  # measuring takes a while where there are many files
            _added[self._cache] = 0
        found = []
        for path in self._cache.rglob("*"):
            with suppress(OSError):  # another process removed it
                state = path.stat()
                if path.is_file() and not path.name.startswith("."):
                    found.append((state.st_mtime, state.st_size, path))
        too_many = sum(size for _, size, _ in found) - self._cache_bytes
        for used, size, path in sorted(found):
            if too_many <= 0 or time.time() - used < IN_USE_SECONDS:
                return
            with suppress(OSError):
                path.unlink()
            too_many -= size

    def _missing(self, key: str) -> LostArtifactError:
        return LostArtifactError(
            f"{key} is not in the artifact store at {self.root}; run the command again to make it anew."
        )


def _checked(key: str) -> str:
    parts = PurePosixPath(key).parts
    if not parts or key.startswith("/") or ".." in parts or any(part.startswith(".") for part in parts):
        raise ValueError(f"an artifact key is a relative path without dots in front, not {key!r}")
    return key
