"""What a person sees in the terminal: progress bars on stderr, results on stdout, one sentence for an error."""

import json
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


def stderr_console() -> "Console":
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def stdout_console() -> "Console":
    from rich.console import Console

    # A file or a pipe has no width, and tables cannot be read when they are folded to 80 columns.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


def print_json(value: object) -> None:
    """Write one JSON document to stdout."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")
    sys.stdout.flush()


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on stdout."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_escaped(cell) for cell in row))
    stdout_console().print(table)


class Bars:
    """One progress bar per stage. A `tasks.progress.Listener`; safe to call from several threads."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def begin(self, stage: str, total: float | None) -> None:
        with self._lock:
            if stage in self._bars:
                self._progress.reset(self._bars[stage], total=total)
            else:
                self._bars[stage] = self._progress.add_task(stage, total=total)

    def advance(self, stage: str, done: float) -> None:
        self._progress.update(self._bars[stage], completed=done)

    def end(self, stage: str) -> None:
        bar = self._bars[stage]
        total = self._progress.tasks[self._progress.task_ids.index(bar)].total
        self._progress.update(bar, total=total or 1, completed=total or 1)

    def note(self, text: str) -> None:
        self._progress.console.print(f"[dim]{_escaped(text)}[/dim]", soft_wrap=True)


class Lines:
    """The same for a stderr that is not a terminal: one line when a stage begins, and every note."""

    def begin(self, stage: str, total: float | None) -> None:
        print(f"{stage} ...", file=sys.stderr, flush=True)

    def advance(self, stage: str, done: float) -> None:
        pass

    def end(self, stage: str) -> None:
        pass

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


@contextmanager
def progress_on_stderr(*, show: bool = True) -> Iterator[None]:
    """Show the progress of every stage that runs inside. `show=False` keeps notes only (for `--json` in scripts)."""
    from tasks import progress

    console = stderr_console()
    if not show or not console.is_terminal:
        with progress.listening(Lines() if show else progress.Silent()):
            yield
        return
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    with Progress(*columns, console=console) as bars, progress.listening(Bars(bars)):
        yield


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
