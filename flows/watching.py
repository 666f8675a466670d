"""What a production shows on a Prefect server while it runs: artifacts, events, and lines in its log.

Where the server is one that lives as long as the command, nobody would see any of it, and none of it is done. A server
that fails to take it never fails a production.
"""

import base64
import contextvars
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from prefect import get_run_logger
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.events import emit_event
from prefect.exceptions import MissingContextError
from prefect.settings import get_current_settings

from flows import embedded
from flows.report import duration
from media.results import is_url
from media.segment import Clip
from tasks import progress, rendering
from tasks.bookkeeping import IncompleteError
from tasks.segments import PlannedSegment
from tasks.sources import Source

UPDATE_SECONDS = 3.0
"""How often progress is told."""
TABLE_ROWS = 1000
"""Of segments that a table shows; those that failed come first."""

TOLD_ERRORS = 20
"""Above that table, in full."""

log = logging.getLogger("portrayal")


class Watch:
    """Told what becomes of a production. This one tells nobody."""

    def planned(self, segments: Sequence[PlannedSegment], clips: Mapping[str, Clip]) -> None:
        """Which segments there are, and by segment key the clips that are there already."""

    def rendered(self, segments: Sequence[PlannedSegment], clip: Clip) -> None:
        """A clip was rendered, for these segments."""

    def failed(self, segments: Sequence[PlannedSegment], error: str) -> None:
        """A clip could not be rendered."""

    def all_rendered(self) -> None:
        """All clips that can be rendered are."""

    def published(self, language: str, video: str, seconds: float) -> None:
        """A video is finished and in its place: a path, or a URL where results are kept elsewhere."""


@contextmanager
def watched(source: Source, out: str) -> Iterator[Watch]:
    """Show a production on the Prefect server as long as the block lasts, and how it ended; or nothing, where nobody looks.

    Args:
        out: where its videos go.
    """
    if not somebody_looks():
        yield Watch()
        return
    watch = _ServerWatch(source, out)
    watch.begin()
    try:
        with progress.listening(watch.listener(progress.current())):
            yield watch
    except IncompleteError as error:
        watch.end("incomplete", str(error))
        raise
    except BaseException as error:
        watch.end("failed", f"{type(error).__name__}: {error}")
        raise
    watch.end("finished")


def somebody_looks() -> bool:
    """Whether this is a run on a server that will still be there when the run is over."""
    url = get_current_settings().api.url
    if url is None or embedded.is_ours(url):
        return False
    try:
        get_run_logger()
    except MissingContextError:
        return False
    return True


class _ServerWatch(Watch):
    def __init__(self, source: Source, out: str) -> None:
        self._name = source.name
        self._source = source
        self._out = out
        self._began = time.monotonic()
        self._log = get_run_logger()
        slug = re.sub(r"[^a-z0-9]+", "-", source.name.lower()).strip("-")[:40]
        # Names may be equal, or in a script of which nothing is left: the id's digest tells them apart.
        self._key = "-".join(part for part in (slug, sha256(source.production_id.encode()).hexdigest()[:8]) if part)
        self._resource = {
            "prefect.resource.id": f"portrayal.production.{source.production_id}",
            "prefect.resource.name": source.name,
        }
        self._rows: dict[tuple[str, int | None, str], dict[str, Any]] = {}
        self._bar: _ProgressArtifact | None = None

    def begin(self) -> None:
        self._log.info("%s: begins, from %s", self._name, self._source.path)
        payload = {"source": self._source.path, "languages": list(self._source.languages), "out": self._out}
        self._emit("production.started", payload)

    def listener(self, before: progress.Listener) -> progress.Listener:
        self._bar = _ProgressArtifact(f"{self._key}-progress", self._name, before)
        return self._bar

    def planned(self, segments: Sequence[PlannedSegment], clips: Mapping[str, Clip]) -> None:
        for one in segments:
            cached = one.key in clips
            self._rows[_row_key(one)] = {
                "turn": "idle" if one.turn is None else one.turn + 1,
                "speaker": one.speaker,
                "language": one.language or "all",
                "frames": one.job.frames,
                "state": "cached" if cached else "waiting",
                "seconds of work": 0.0,
                "error": "",
            }
        keys = {one.key for one in segments}
        self._log.info("%s: %d clips to show, of which %d are there already", self._name, len(keys), len(clips))
        if self._bar is not None:
            self._bar.work_begins()

    def rendered(self, segments: Sequence[PlannedSegment], clip: Clip) -> None:
        for number, one in enumerate(segments):
            work = clip.seconds_of_work if number == 0 else 0.0
            self._rows[_row_key(one)] |= {"state": "rendered", "seconds of work": round(work, 2)}
        self._log.info(
            "%s: %s: %d frames rendered with %.1f s of work",
            self._name,
            segments[0].job.label,
            clip.frames,
            clip.seconds_of_work,
        )

    def failed(self, segments: Sequence[PlannedSegment], error: str) -> None:
        for one in segments:
            self._rows[_row_key(one)] |= {"state": "failed", "error": error.removeprefix(f"{one.job.label}: ")}
            payload = {"turn": None if one.turn is None else one.turn + 1, "speaker": one.speaker}
            self._emit("segment.failed", payload | {"language": one.language, "segment": one.key, "error": error})
        self._log.error("%s: %s", self._name, error)

    def all_rendered(self) -> None:
        order = ("failed", "waiting", "rendered", "cached")
        rows = sorted(self._rows.values(), key=lambda row: order.index(row["state"]))
        counts = [(state, sum(row["state"] == state for row in rows)) for state in order]
        said = f"Segments of {self._name}: " + ", ".join(f"{count} {state}" for state, count in counts if count)
        if len(rows) > TABLE_ROWS:
            said += f"; {len(rows) - TABLE_ROWS} of them are not shown"
        # What went wrong is a sentence each, for which a narrow table has no room.
        wrong = [
            f"- turn {row['turn']}, {row['speaker']}, {row['language']}: {row['error']}" for row in rows if row["error"]
        ]
        if wrong:
            said = "\n".join([said, "", *wrong[:TOLD_ERRORS]])
        self._try(lambda: create_table_artifact(rows[:TABLE_ROWS], key=f"{self._key}-segments", description=said))

    def published(self, language: str, video: str, seconds: float) -> None:
        self._log.info("%s in %s: published, %s long, %s", self._name, language, duration(seconds), video)
        local = None if "://" in video else Path(video).resolve()
        key = f"{self._key}-{language.lower()}"
        title = f"{self._name} in {language}, {duration(seconds)}"
        told = where_it_is(str(local or video))
        self._try(lambda: create_markdown_artifact(told, key=f"{key}-video", description=f"Video: {title}"))
        if local:  # what is far away is not fetched for its stills
            sheet = f"Contact sheet: {title}"
            self._try(lambda: create_markdown_artifact(_stills(local, title), key=f"{key}-sheet", description=sheet))
        self._emit("rendition.published", {"language": language, "video": str(local or video), "seconds": seconds})

    def end(self, how: str, error: str | None = None) -> None:
        if self._bar is not None:
            self._bar.close(how)
        seconds = round(time.monotonic() - self._began, 3)
        states = [row["state"] for row in self._rows.values()]
        counts = {state: states.count(state) for state in ("rendered", "cached", "failed")}
        self._emit(f"production.{how}", {"seconds": seconds, "segments": counts, "error": error})
        self._log.log(
            logging.INFO if error is None else logging.ERROR,
            "%s: %s after %s%s",
            self._name,
            how,
            duration(seconds),
            f": {error}" if error else "",
        )

    def _emit(self, what: str, payload: dict[str, Any]) -> None:
        self._try(lambda: emit_event(f"portrayal.{what}", resource=self._resource, payload=payload))

    def _try(self, tell: Callable[[], object]) -> None:
        _try(tell, self._name)


class _ProgressArtifact:
    """Tells a progress artifact how far rendering is, from a thread of its own; everything else goes on to `before`.

    The artifact is made when rendering begins. A production that has nothing to render has one that says so.
    """

    def __init__(self, key: str, name: str, before: progress.Listener) -> None:
        self._key = key
        self._name = name
        self._before = before
        self._total = 0.0
        self._done = 0.0
        self._done_before = 0.0
        self._working_since: float | None = None
        self._artifact: Any = None
        self._said = ""
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, stage: str, total: float | None) -> None:
        self._before.begin(stage, total)
        if stage == rendering.STAGE:
            self._total = total or 0.0

    def advance(self, stage: str, done: float) -> None:
        self._before.advance(stage, done)
        if stage == rendering.STAGE:
            self._done = done

    def end(self, stage: str) -> None:
        self._before.end(stage)

    def note(self, text: str) -> None:
        self._before.note(text)

    def work_begins(self) -> None:
        """What is done so far was there already, and tells nothing about how fast work goes."""
        if self._thread is not None:  # clips that were lost are rendered once more
            return
        self._done_before = self._done
        self._working_since = time.monotonic()
        percent, text = self._now()

        def create() -> None:
            self._artifact = create_progress_artifact(percent, key=self._key, description=text)

        _try(create, self._name)
        # A thread starts without the run that it belongs to.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._keep_telling,), name="progress", daemon=True)
        self._thread.start()

    def close(self, how: str) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._tell(f"{self._name}: {how}; {self._done:.0f} of {self._total:.0f} frames are there")

    def _keep_telling(self) -> None:
        while not self._stopped.wait(UPDATE_SECONDS):
            self._tell(self._now()[1])

    def _now(self) -> tuple[float, str]:
        percent = 100.0 * self._done / self._total if self._total else 100.0
        text = f"{self._name}: {self._done:.0f} of {self._total:.0f} frames"
        made, left = self._done - self._done_before, self._total - self._done
        if self._working_since is not None and made > 0 and left > 0:
            text += f", about {_roughly((time.monotonic() - self._working_since) / made * left)} left"
        return min(round(percent, 1), 100.0), text

    def _tell(self, text: str) -> None:
        if text != self._said and self._artifact is not None:
            self._said = text
            percent, artifact = self._now()[0], self._artifact
            _try(lambda: update_progress_artifact(artifact, percent, description=text), self._name)


def where_it_is(place: str) -> str:
    """Markdown that says where a file is: a link where a browser can follow it, else a path to copy, and whose it is."""
    if place.startswith(("http://", "https://")):
        return f"[{place.rsplit('/', 1)[-1]}]({place})"
    return f"`{place}`" + ("" if is_url(place) else f"\n\non the machine {socket.gethostname()}")


def _roughly(seconds: float) -> str:
    """`130` as `2 min`: what is left is an estimate."""
    if seconds < 99.5:
        return f"{max(seconds, 1):.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _stills(video: Path, title: str) -> str:
    """A contact sheet as Markdown, with the picture inside."""
    from media.contact_sheet import small_sheet

    picture = base64.b64encode(small_sheet(video)).decode()
    return f"### {title}\n\n![Contact sheet of {video.name}](data:image/jpeg;base64,{picture})\n"


def _row_key(one: PlannedSegment) -> tuple[str, int | None, str]:
    return one.language or "", one.turn, one.speaker


def _try(tell: Callable[[], object], name: str) -> None:
    try:
        tell()
    except Exception as error:  # whoever watches misses something, and the production goes on
        log.warning("%s: the Prefect server was not told everything (%s: %s)", name, type(error).__name__, error)
