"""`portrayal pools`: sets up what workers work from, and says how it is."""

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli_request import JsonOption

app = typer.Typer(help="Set up the pools of a Prefect server, and see how they are.", no_args_is_help=True)


@app.command("setup")
def setup(
    file: Annotated[Path | None, typer.Option(help="Deployments. Default: this project's prefect.yaml.")] = None,
    pool_type: Annotated[
        str, typer.Option("--type", help="Type of pools that are not there yet: process or kubernetes.")
    ] = "process",
    json: JsonOption = False,
) -> None:
    """Create pools, queues and automations on the server of PREFECT_API_URL, and deploy; run it again at any time."""
    from flows import pools
    from flows.console import print_json, print_table

    changes = pools.setup(file.resolve() if file else pools.DEPLOYMENTS_FILE, pool_type=pool_type)
    if json:
        print_json(pools.as_rows(changes))
        return
    counts = {done: sum(one.done == done for one in changes) for done in ("created", "changed", "left")}
    title = ", ".join(f"{count} {done}" for done, count in counts.items())
    print_table(title, ("What", "Name", ""), [(one.what, one.name, one.done) for one in changes])
    for sentence in pools.advice():
        print(sentence)


@app.command("status")
def status(json: JsonOption = False) -> None:
    """Show queues, workers, what runs, what is late, and what failed in the last day."""
    from flows import pools
    from flows.console import print_json

    found = pools.status()
    if json:
        print_json(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    from flows.console import print_table
    from flows.report import duration

    def of(seconds: float | None) -> str:
        return "" if seconds is None else duration(seconds)

    for pool in found["pools"]:
        alive = sum(one["alive"] for one in pool["workers"])
        paused = ", paused" if pool["paused"] else ""
        print_table(
            f"Pool {pool['name']} ({pool['type']}{paused}): {alive} workers alive, {len(pool['workers']) - alive} gone",
            ("Queue", "Priority", "Waiting", "Oldest", "In use", "Limit", ""),
            [
                (
                    one["name"],
                    str(one["priority"]),
                    str(one["waiting"]),
                    of(one["oldest_waits_seconds"]),
                    "" if one["in_use"] is None else str(one["in_use"]),
                    "" if one["limit"] is None else str(one["limit"]),
                    "paused" if one["paused"] else "",
                )
                for one in pool["queues"]
            ],
        )
    for title, rows, column, value in (
        ("runs in progress", found["running"], "For", lambda one: of(one["seconds"])),
        ("late runs", found["late"], "Waits", lambda one: of(one["waits_seconds"])),
        ("failures in the last day, the latest first", found["failures"], "Error", lambda one: one["error"]),
    ):
        print_table(
            f"{len(rows)} {title}",
            ("Deployment", "Run", "Queue", "State", column),
            [(one["deployment"] or "", one["name"], one["queue"] or "", one["state"], value(one)) for one in rows],
        )
    for sentence in found["advice"]:
        print(sentence)
