"""What is left of a production after a process was killed: which artifacts were made, how often, and whether all is whole."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

LANGUAGES = ("en", "es")
PREFIXES = ("audio", "speech", "clips", "videos")
"""Of artifacts that a production makes."""
LOOK_SECONDS = 0.02
"""Between two looks at the artifacts."""
IN_FLIGHT = 2
"""Clips at once: there are two renderers."""

Versions = Mapping[str, set[tuple[int, int]]]


@contextmanager
def repeating(seconds: float, call: Callable[[], None]) -> Iterator[None]:
    """`call` is called in a thread inside, again and again, with so many seconds between."""
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(seconds):
            call()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@dataclass(slots=True)
class Watch:
    """Sees every version of every artifact that appears; a rename brings a new inode."""

    folder: Path
    versions: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    appeared: list[float] = field(default_factory=list)
    """When each artifact was first seen, by `time.monotonic`."""

    def look(self) -> None:
        for prefix in PREFIXES:
            with suppress(FileNotFoundError), os.scandir(self.folder / prefix) as entries:
                for entry in entries:
                    if not entry.name.startswith("."):
                        with suppress(FileNotFoundError):
                            state = entry.stat()
                            name = f"{prefix}/{entry.name}"
                            if name not in self.versions:
                                self.appeared.append(time.monotonic())
                            self.versions.setdefault(name, set()).add((state.st_ino, state.st_mtime_ns))

    @contextmanager
    def watching(self) -> Iterator[None]:
        self.look()
        try:
            with repeating(LOOK_SECONDS, self.look):
                yield
        finally:
            self.look()


@dataclass(frozen=True, slots=True)
class Timeline:
    """How a production went that nobody disturbed; times are in seconds from its start."""

    appeared: Sequence[float]
    """When its artifacts appeared."""
    lived: Mapping[str, tuple[float, float]]
    """By role: from when to when there was a process in it."""

    def artifacts_before(self, moment: float) -> tuple[int, float]:
        """A moment as others can wait for it however fast they are: so many artifacts are there, and for so many seconds."""
        earlier = [at for at in self.appeared if at <= moment]
        return len(earlier), moment - (earlier[-1] if earlier else 0.0)


def digests(out: Path) -> dict[str, str]:
    """By language, a digest of every decoded frame and sample of its video."""
    import imageio_ffmpeg

    found = {}
    for video in sorted(out.glob("*.mp4")):
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(video), "-f", "md5", "-"]
        said = subprocess.run(command, check=False, capture_output=True, text=True)
        found[video.name.split(".")[-2]] = said.stdout.strip() or "it cannot be decoded"
    return found


def compared(made: Mapping[str, str], reference: Mapping[str, str]) -> list[str]:
    """Videos that are not frame by frame and sample by sample what they should be."""
    wrong = [f"the video in {tag} is another one" for tag in made if tag in reference and made[tag] != reference[tag]]
    return wrong + [f"there is no video in {tag}" for tag in reference if tag not in made]


def half_written(folder: Path, out: Path) -> list[str]:
    """Visible media files that do not play to their end, and files in the result folder that do not belong there."""
    import imageio_ffmpeg

    problems = []
    for file in sorted(folder.glob("clips/*.mp4")) + sorted(folder.glob("videos/*.mp4")) + sorted(out.glob("*.mp4")):
        if file.name.startswith("."):
            continue
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(file), "-c", "copy", "-f", "null", "-"]
        said = subprocess.run(command, check=False, capture_output=True, text=True)
        if said.returncode or said.stderr:
            problems.append(f"{file.name} is half written")
    for file in sorted(out.iterdir()) if out.is_dir() else []:
        if file.suffix not in (".mp4", ".json", ".srt", ".vtt") and not file.name.startswith("."):
            problems.append(f"{file.name} does not belong into the result folder")
    return problems


def remade(versions: Versions, finished: Versions) -> list[str]:
    """Artifacts that were made again although they were there when the kill came, or although nobody was making them.

    Args:
        finished: what was there when the kill came.
    """
    again = [name for name, seen in versions.items() if len(seen) > 1]
    # What is written about a clip is there just before the clip is.
    whole = [name for name in again if name in finished and (not _is_note(name) or _clip_of(name) in finished)]
    clips = [name for name in again if name not in whole and name.startswith("clips/") and name.endswith(".mp4")]
    problems = [f"{name} was whole and was made again" for name in sorted(whole)]
    if len(clips) > IN_FLIGHT:
        problems.append(f"{len(clips)} clips were made twice, of which {IN_FLIGHT} at most can have been in flight")
    return problems


def _is_note(name: str) -> bool:
    return name.startswith("clips/") and name.endswith(".json")


def _clip_of(note: str) -> str:
    return note.removesuffix(".json") + ".mp4"


def wrong(
    out: Path, reference: Mapping[str, str], folder: Path, watch: Watch, finished: Versions, database_url: str
) -> list[str]:
    """All that may be wrong after a production that is done.

    Args:
        reference: digests of the production that nobody disturbed.
        folder: of the artifacts.
        finished: what was there when the kill came.
    """
    problems = compared(digests(out), reference)
    return problems + remade(watch.versions, finished) + half_written(folder, out) + running_rows(database_url)


def running_rows(database_url: str) -> list[str]:
    """What the catalog says is still in work."""
    from sqlalchemy import text

    from catalog.session import open_catalog, session_factory

    engine = open_catalog(database_url)
    with session_factory(engine, read_only=True).begin() as session:
        counted = {
            table: session.scalar(text(f"SELECT COUNT(*) FROM {table} WHERE state = 'running'"))
            for table in ("productions", "renditions")
        }
    engine.dispose()
    return [f"{count} {table} are left running" for table, count in counted.items() if count]
