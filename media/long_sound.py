"""Sound of any length in little memory: kept in a file without a name, and read in slices, as an array would be."""

import mmap
import os
import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np

from media.atomic import cannot_write
from media.audio import Samples

_WIDTH = np.dtype(np.float32).itemsize


class LongSound:
    """Mono float32 samples on disk. Closing it, or the end of the process however it comes, frees the space.

    Args:
        folder: where there is room for it: 4 bytes a sample.

    `np.asarray` of it is the whole sound in memory, for what cannot do with less.

    Example:
        >>> with LongSound(Path("/tmp")) as sound:
        ...     sound.append(np.zeros(16_000, np.float32))
        ...     len(sound), sound[100:200].shape
        (16000, (100,))
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - this class is its context
        except OSError as error:
            raise cannot_write(folder / "sound", error) from error
        self._length = 0
        self._mapping: mmap.mmap | None = None

    def append(self, samples: Samples) -> None:
        """Add samples at the end.

        Raises:
            StorageError: the disk is full.
        """
        self._write(samples, self._length)

    def mix(self, samples: Samples, at: int) -> None:
        """Add `samples` to what is heard from sample `at` on; silence before it where there was nothing.

        Raises:
            StorageError: the disk is full.
        """
        before = self[at : at + len(samples)]
        mixed = samples.astype(np.float32)
        mixed[: len(before)] += before
        self._write(mixed, at)

    def extend_to(self, length: int) -> None:
        """Silence at the end, up to a length in samples; or cut it there."""
        try:
            os.ftruncate(self._file.fileno(), length * _WIDTH)
        except OSError as error:
            raise cannot_write(self._folder / "sound", error) from error
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice) -> Samples:
        start, stop, step = part.indices(self._length)
        if step != 1:
            raise ValueError("a long sound is read in consecutive samples only")
        wanted = max(stop - start, 0) * _WIDTH
        read = bytearray()
        while len(read) < wanted:  # one call reads 2 GB at most
            piece = os.pread(self._file.fileno(), wanted - len(read), start * _WIDTH + len(read))
            if not piece:
                break
            read += piece
        return np.frombuffer(read, np.float32)

    def mapped(self) -> Samples:
        """The whole sound as an array that stays on disk: what is looked at is read, and may be forgotten again.

        It is for what takes nothing but an array. It must not be written to, nor used after the sound was closed.
        """
        if not self._length:
            return np.zeros(0, np.float32)
        self._mapping = mmap.mmap(self._file.fileno(), self._length * _WIDTH, access=mmap.ACCESS_COPY)
        return np.frombuffer(self._mapping, np.float32)

    def forget(self) -> None:
        """Give back the memory of what was looked at in `mapped`; it is read again where it is needed again."""
        if self._mapping is not None and hasattr(self._mapping, "madvise"):
            self._mapping.madvise(mmap.MADV_DONTNEED)

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or np.float32, copy=False)

    def __enter__(self) -> "LongSound":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _write(self, samples: Samples, at: int) -> None:
        data = memoryview(samples.astype(np.float32, copy=False).tobytes())
        place = at * _WIDTH
        try:
            while data:
                written = os.pwrite(self._file.fileno(), data, place)
                data, place = data[written:], place + written
        except OSError as error:
            raise cannot_write(self._folder / "sound", error) from error
        self._length = max(self._length, at + len(samples))


Sound = Samples | LongSound
"""Mono sound, in memory or on disk."""
