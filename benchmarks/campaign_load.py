"""Drains a campaign with several runners of which some are killed midway, and checks that every row is done exactly once.

    python -m benchmarks.campaign_load                      1,000 rows, 4 runners, 2 killed, on a PostgreSQL server of its own
    python -m benchmarks.campaign_load --database URL       on a database of yours, which must be empty

A stand-in for a renderer sleeps and writes one line for every row that it publishes; everything else is what
`portrayal campaign run` does.
"""

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from benchmarks.services import postgresql, running
from catalog.campaigns import NewRow, Outcome, counts, open_campaign, queue
from catalog.session import open_catalog, session_factory
from tasks.campaign_runner import Held, drain

NAME = "load"


def load(url: str, *, rows: int, runners: int, kills: int, seconds: float, lease: float) -> dict[str, Any]:
    """Queue, drain, kill and count; returns the figures.

    Args:
        seconds: mean time of work on a row; each takes between half and one and a half times as long.
        lease: seconds after which a dead runner's row returns.

    Raises:
        AssertionError: a row was lost, or done twice.
    """
    engine = open_catalog(url)
    began = time.monotonic()
    with session_factory(engine).begin() as session:
        wanted = [NewRow(f"r{number}", number, f"{number:064x}", {}, "out") for number in range(rows)]
        queue(session, open_campaign(session, NAME), wanted)
    queueing = time.monotonic() - began
    with tempfile.TemporaryDirectory(prefix="portrayal-load-") as name:
        folder = Path(name)
        arguments = ["--work", str(folder), "--seconds", str(seconds), "--lease", str(lease), "--database", url]
        command = [sys.executable, "-m", "benchmarks.campaign_load", *arguments]
        began = time.monotonic()
        started = [subprocess.Popen(command, cwd=Path(__file__).parents[1]) for _ in range(runners)]
        try:
            # At even intervals over the middle of the work, always one that works on a row at that moment.
            for number in range(kills):
                _wait_until_done(engine, round(rows * (number + 1) / (kills + 1.5)))
                started[number].send_signal(signal.SIGKILL)
                started[number].wait()
            for process in started[kills:]:
                assert process.wait(timeout=600) == 0, "a runner failed"
        finally:
            for process in started:
                process.kill()
                process.wait()
        took = time.monotonic() - began
        published = Counter((folder / "published").read_text().split())
        times = [float(line) for file in folder.glob("*.claims") for line in file.read_text().split()]
    figures = _checked(engine, rows) | {
        "rows": rows,
        "runners": runners,
        "killed": kills,
        "lease_s": lease,
        "mean_work_s": seconds,
        "queueing_s": round(queueing, 2),
        "draining_s": round(took, 1),
        "rows_per_s": round(rows / took, 1),
        "published_more_than_once": sum(count > 1 for count in published.values()),
        "claims_timed": len(times),
        "claim_ms": {
            "p50": round(1000 * statistics.median(times), 1),
            "p95": round(1000 * statistics.quantiles(times, n=20)[-1], 1),
            "max": round(1000 * max(times), 1),
        },
    }
    assert len(published) == rows, f"{rows - len(published)} rows were never published"
    engine.dispose()
    return figures


def work(url: str, folder: Path, seconds: float, lease: float) -> None:
    """Be one runner."""
    engine = open_catalog(url)

    def stand_in(held: Held) -> Outcome:
        time.sleep(seconds * random.uniform(0.5, 1.5))
        held.require(engine, lease)
        with (folder / "published").open("a") as file:  # appended in one write, so that lines of runners do not mix
            file.write(f"{held.claim.request_id}\n")
        return Outcome("done", seconds_of_video=1.0)

    drained = drain(engine, stand_in, [NAME], lease_seconds=lease, poll_seconds=0.1)
    (folder / f"{os.getpid()}.claims").write_text("\n".join(map(str, drained.claim_seconds)))


def _wait_until_done(engine: Engine, count: int) -> None:
    while True:
        with session_factory(engine, read_only=True).begin() as session:
            states = counts(session)
        if states["done"] >= count and states["running"]:
            return
        time.sleep(0.05)


def _checked(engine: Engine, rows: int) -> dict[str, Any]:
    """Counts of what happened, from the transitions.

    Raises:
        AssertionError: a row is not done, or was done twice.
    """
    with session_factory(engine, read_only=True).begin() as session:
        states = counts(session)
        changes = session.execute(
            text(
                "SELECT row_id, SUM(CASE WHEN to_state = 'done' THEN 1 ELSE 0 END) FROM campaign_transitions GROUP BY row_id"
            )
        ).all()
        returned = session.scalar(
            text("SELECT COUNT(*) FROM campaign_transitions WHERE from_state = 'running' AND to_state = 'queued'")
        )
    assert states["done"] == rows, f"not all are done: {states}"
    assert len(changes) == rows and all(done == 1 for _, done in changes), "a row was done twice, or never"
    return {"done": states["done"], "done_twice": 0, "lost": 0, "returned_of_dead_runners": returned}


@contextmanager
def own_database() -> Iterator[str]:
    """URL of an empty database on a server of its own."""
    home = Path(tempfile.mkdtemp(prefix="portrayal-postgresql-"))
    try:
        service, address = postgresql(home)
        with running(service, signal.SIGQUIT):
            yield f"postgresql://{address}/postgres"
    finally:
        shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help="URL of an empty database; a server of its own when not given")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--runners", type=int, default=4)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.1, help="mean time of work on a row")
    parser.add_argument("--lease", type=float, default=5.0)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work is not None:
        work(given.database, given.work, given.seconds, given.lease)
        return
    how = {name: getattr(given, name) for name in ("rows", "runners", "kills", "seconds", "lease")}
    if given.database:
        figures = load(given.database, **how)
    else:
        with own_database() as url:
            figures = load(url, **how)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
