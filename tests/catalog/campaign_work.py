"""What the processes of the campaign tests do. In a module of its own, so that they can import it by name."""

from pathlib import Path

from sample_catalog import key_of

from catalog.campaigns import NewRow, Outcome, open_campaign, queue
from catalog.session import open_catalog, session_factory
from tasks.campaign_runner import Held, drain


def new_rows(count: int, **changes: object) -> list[NewRow]:
    return [
        NewRow(
            **({"request_id": f"r{n}", "number": n, "digest": key_of(f"r{n}"), "request": {}, "out": "out"} | changes)
        )  # type: ignore[arg-type]
        for n in range(count)
    ]


def queue_and_drain(number: int, url: str, folder: str) -> tuple[int, int]:
    """Queues what all queue and something of its own, then works on every row by noting it; returns how many of each."""
    engine = open_catalog(url)
    with session_factory(engine).begin() as session:
        added = queue(session, open_campaign(session, "shared"), new_rows(20))
        queue(session, open_campaign(session, f"own {number}"), new_rows(1))

    def work(held: Held) -> Outcome:
        with (Path(folder) / str(number)).open("a") as file:
            file.write(f"{held.claim.campaign}/{held.claim.request_id}\n")
        return Outcome("done", seconds_of_video=1.0)

    drained = drain(engine, work, runner=f"runner {number}", poll_seconds=0.3)
    engine.dispose()
    return added, drained.worked_on
