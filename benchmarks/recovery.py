"""Kills a process with SIGKILL at a random moment of a production, starts again what died, and checks what is left.

    python -m benchmarks.recovery                       25 kills of a command: of its flow, of a renderer, of its server
    python -m benchmarks.recovery --box                 25 kills on a box: of runs, workers, renderers, server and database
    python -m benchmarks.recovery --box --victim box    a power cut; see --help for the others
    python -m benchmarks.recovery --clock               nobody is killed, but the wall clock jumps by twelve hours
    python -m benchmarks.recovery --seeds 17            one that was seen before, again
    python -m benchmarks.recovery --out kills.jsonl     goes on where it was interrupted

A production is a script in two languages with the engine `still`, which costs next to nothing and is the same every time. The
seed says who is killed and when: at a moment of a production that nobody disturbed, found again by the artifacts that had
appeared by then. Afterwards the production has to be finished, and the same, frame by frame and sample by sample, as the one
that nobody disturbed; no artifact that was there whole may have been made again; no file may be half written; and nothing may
be left `running` in the catalog.

A command has a home of its own for every kill, and is run again until it is done. What a box is, is in `benchmarks.box`.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from benchmarks.aftermath import IN_FLIGHT, LANGUAGES, PREFIXES, Timeline, Watch, digests, half_written, wrong
from benchmarks.clock import wall_clock

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "flows.cli"]
NOBODY = "nobody"
GIVE_UP_SECONDS = 600.0
RUNS_AT_MOST = 4

SCRIPT = """\
title: Recovery
speaker: Ann = feminine
speaker: Bob = masculine
ANN: The morning train was late again, so we walked along the river.
  es: El tren llegó tarde y caminamos junto al río.
BOB: Nobody had expected so many boats there.
  es: Nadie esperaba tantos barcos allí.
ANN: What did you say to the captain?
  es: ¿Qué le dijiste al capitán?
BOB: I asked how far it is to the harbour.
  es: Pregunté cuánto falta para llegar al puerto.
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """One kill and what came of it."""

    seed: int
    wanted: str
    """Who was to be killed."""
    victim: str
    """Who was; `nobody` when the production was over before there was such a process."""
    after: float
    """Seconds from the start of the production to the kill."""
    seconds: float
    """From the kill to the end of the production."""
    load: float
    """Load average of the machine at the kill."""
    runs: int
    """How often somebody started the production, the first time included."""
    finished: int
    """Artifacts that were whole when the kill came."""
    made: int
    """Artifacts that were made after it."""
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """What all trials of a command share: a home that has worked before, and a production that nobody disturbed."""

    folder: Path
    home: Path
    script: Path
    digests: dict[str, str]
    timeline: Timeline


def trial(seed: int, work: Work, *, clock: bool = False) -> Trial:
    """One kill of a command that produces, in a home of its own; with `clock`, its clock jumps instead."""
    chance = random.Random(seed)
    wanted, moment = chosen(chance, work.timeline, ("flow",) if clock else ("flow", "renderer", "server"))
    with tempfile.TemporaryDirectory(prefix="trial-", dir=work.folder) as name:
        home, out = Path(name) / "home", Path(name) / "out"
        shutil.copytree(work.home, home)
        command, log = [*COMMAND, *produce_arguments(work.script, out)], Path(name) / "log"
        watch, variables = Watch(home / "artifacts"), environment(home)
        if clock:
            shown = wall_clock(Path(name))
            variables |= shown.variables
        with watch.watching():
            began = time.monotonic()
            run = start(command, variables, log)
            process = psutil.Process(run.pid)
            reached(watch, work.timeline, moment, began, lambda: run.poll() is not None)
            if clock and run.poll() is None:
                hours = chance.choice((-12, 12))
                shown.jump(hours * 3600)
                wanted = victim = f"clock, {hours:+d} h"
            else:
                victim, family = kill_one(lambda: victims_of(process), wanted, chance, lambda: run.poll() is not None)
            killed = time.monotonic()
            if victim == "flow":
                wait_for(lambda: not any(map(lives, family)), 20.0)
            watch.look()
            load, before = os.getloadavg()[0], dict(watch.versions)
            problems = half_written(home / "artifacts", out)
            runs, said = 1, ended(run)
            while said not in ("0", f"still works after {GIVE_UP_SECONDS:.0f} s") and runs < RUNS_AT_MOST:
                runs += 1
                said = ended(start(command, variables, log))
            seconds = time.monotonic() - killed
        if said != "0":
            problems.append(f"not finished after {runs} runs (exit code {said}): {log.read_text()[-500:]}")
        database = f"sqlite:///{home / 'catalog.db'}"
        problems += wrong(out, work.digests, home / "artifacts", watch, before, database)
    return Trial(
        seed,
        wanted,
        victim,
        round(killed - began, 1),
        round(seconds, 1),
        round(load, 1),
        runs,
        len(before),
        len(watch.versions) - len(before),
        tuple(dict.fromkeys(problems)),
    )


def chosen(chance: random.Random, timeline: Timeline, roles: Sequence[str]) -> tuple[str, float]:
    """Who is killed, and at which moment of the undisturbed production's time."""
    wanted = chance.choice(roles)
    return wanted, chance.uniform(*timeline.lived[wanted])


def reached(watch: Watch, timeline: Timeline, moment: float, began: float, over: Callable[[], bool]) -> None:
    """Return when a production is as far as the undisturbed one was at that moment, or over."""
    count, rest = timeline.artifacts_before(moment)
    while len(watch.appeared) < count and not over():
        time.sleep(0.02)
    since = watch.appeared[count - 1] if 0 < count <= len(watch.appeared) else began
    # A machine that is quicker now may not pass the moment: it was before the next artifact.
    while time.monotonic() < since + rest and len(watch.appeared) <= count and not over():
        time.sleep(0.02)


def kill_one(
    victims: Callable[[], dict[str, list[psutil.Process]]],
    wanted: str,
    chance: random.Random,
    over: Callable[[], bool],
) -> tuple[str, list[psutil.Process]]:
    """Kill one that is wanted as soon as there is one; returns its role, and it with all that it had started."""
    while not over():
        with suppress(psutil.NoSuchProcess):
            if found := victims().get(wanted):
                victim = chance.choice(found)
                family = [victim, *victim.children(recursive=True)]
                victim.kill()
                return wanted, family
        time.sleep(0.02)
    return NOBODY, []


def victims_of(command: psutil.Process) -> dict[str, list[psutil.Process]]:
    """Processes of a command that can be killed now, by their role."""
    found = {"flow": [command]}
    for child in command.children(recursive=True):
        with suppress(psutil.Error):
            said = " ".join(child.cmdline())
            role = "server" if "flows.embedded" in said else "renderer" if "spawn_main" in said else None
            if role and lives(child):
                found.setdefault(role, []).append(child)
    return found


def lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def prepare(folder: Path) -> Work:
    """Make a home, with portraits and databases in it, and produce once without a disturbance."""
    home, script, warm_up, out = folder / "home", folder / "trial.txt", folder / "warm-up.txt", folder / "out"
    warm_up.write_text("Ann: Yes.\n  es: Sí.\n")
    script.write_text(SCRIPT)
    log = folder / "log"
    if (said := ended(start([*COMMAND, *produce_arguments(warm_up, out)], environment(home), log))) != "0":
        sys.exit(f"nothing can be produced even undisturbed (exit code {said}): {log.read_text()[-2000:]}")
    for prefix in PREFIXES:
        shutil.rmtree(home / "artifacts" / prefix, ignore_errors=True)
    shutil.rmtree(out)
    undisturbed = folder / "undisturbed"
    shutil.copytree(home, undisturbed)
    watch = Watch(undisturbed / "artifacts")
    with watch.watching():
        began = time.monotonic()
        run = start([*COMMAND, *produce_arguments(script, out)], environment(undisturbed), log)
        process = psutil.Process(run.pid)
        lived = life_of(lambda: victims_of(process), began, lambda: run.poll() is not None)
    if run.returncode:
        sys.exit(f"{script.name} cannot be produced even undisturbed: {log.read_text()[-2000:]}")
    return Work(folder, home, script, digests(out), Timeline([at - began for at in watch.appeared], lived))


def life_of(
    victims: Callable[[], dict[str, list[psutil.Process]]], began: float, over: Callable[[], bool]
) -> dict[str, tuple[float, float]]:
    """By role: from when to when processes lived in it, in seconds from the start, watched until the production is over."""
    lived: dict[str, tuple[float, float]] = {}
    while not over():
        with suppress(psutil.Error):
            for role, found in victims().items():
                if found:
                    now = time.monotonic() - began
                    lived[role] = (lived.get(role, (now, now))[0], now)
        time.sleep(0.05)
    return lived


def produce_arguments(script: Path, out: Path) -> list[str]:
    languages = [part for language in LANGUAGES for part in ("--lang", language)]
    return ["produce", str(script), *languages, "--engine", "render=still", "--out", str(out), "--json"]


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "PORTRAYAL_"))}
    # Every trial has a server of its own, not one that happens to run at the usual place.
    return kept | {"PORTRAYAL_HOME": str(home), "PORTRAYAL_RENDERERS": str(IN_FLIGHT), "PYTHONPATH": str(ROOT)} | more


def start(command: Sequence[str], variables: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("ab") as file:
        return subprocess.Popen(list(command), env=variables, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=file)


def ended(run: "subprocess.Popen[bytes]") -> str:
    """A run's exit code, when it has one."""
    try:
        return str(run.wait(GIVE_UP_SECONDS))
    except subprocess.TimeoutExpired:
        run.kill()
        run.wait()
        return f"still works after {GIVE_UP_SECONDS:.0f} s"


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return met


def table(trials: Sequence[Trial]) -> str:
    """Markdown: one row for every victim."""
    lines = [
        "| killed | kills | finished, identical | times begun | whole before, made after | s from kill to end | with problems |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for victim in sorted({one.victim for one in trials}):
        group = [one for one in trials if one.victim == victim]
        problems = sum(bool(one.problems) for one in group)
        runs, seconds = sorted(one.runs for one in group), sorted(one.seconds for one in group)
        before, made = sum(one.finished for one in group), sum(one.made for one in group)
        lines.append(
            f"| {victim} | {len(group)} | {len(group) - problems} | {spread(runs)} | {before}, {made} | "
            f"{spread([round(one) for one in seconds])} | {problems} |"
        )
    return "\n".join(lines)


def spread(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if numbers[0] == numbers[-1] else f"{numbers[0]} to {numbers[-1]}"


def seeds(given: Sequence[int] | None, kills: int, trials: Sequence[Trial]) -> Iterator[int]:
    """Those of the trials that are still to be made; one in which nobody was killed does not count as a kill."""
    known = {one.seed for one in trials}
    if given:
        yield from (seed for seed in given if seed not in known)
        return
    seed = 0
    while sum(one.victim != NOBODY for one in trials) < kills:
        seed += 1
        if seed not in known:
            yield seed


def main() -> None:
    from benchmarks import box

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--box", action="store_true", help="on a box with a server, a database and workers")
    parser.add_argument("--victim", choices=box.VICTIMS, help="with --box: who is killed, whatever the seed says")
    parser.add_argument(
        "--dark", type=float, default=0.0, metavar="SECONDS", help="with --box: nothing is started again for so long"
    )
    parser.add_argument("--clock", action="store_true", help="the clock jumps instead")
    parser.add_argument("--kills", type=int, default=25, help="how many; seeds count from 1")
    parser.add_argument("--seeds", type=int, nargs="+", metavar="SEED", help="these and no others")
    parser.add_argument(
        "--out", type=Path, help="a file with one JSON line a trial; those that are in it are not made again"
    )
    given = parser.parse_args()
    trials: list[Trial] = []
    if given.out and given.out.exists():
        for line in given.out.read_text().splitlines():
            read = json.loads(line)
            trials.append(Trial(**read | {name: tuple(read[name]) for name in ("problems", "notes")}))

    def note(trial: Trial) -> None:
        trials.append(trial)
        line = json.dumps(asdict(trial))
        print(line, flush=True)
        if given.out:
            with given.out.open("a") as file:
                file.write(line + "\n")

    if given.clock and not shutil.which("cc"):
        sys.exit("no C compiler here (cc): the clock cannot jump without one")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what was started is ended
    work = Path(tempfile.mkdtemp(prefix="portrayal-recovery-"))
    try:
        if given.box:
            with box.working(work) as shared_box:
                for seed in seeds(given.seeds, given.kills, trials):
                    broken = given.victim == box.INSTALLATION
                    note(
                        box.broken(seed, shared_box)
                        if broken
                        else box.trial(seed, shared_box, given.victim, given.dark)
                    )
        else:
            shared = prepare(work)
            for seed in seeds(given.seeds, given.kills, trials):
                note(trial(seed, shared, clock=given.clock))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(table(trials))
    if any(one.problems for one in trials):
        sys.exit(1)


if __name__ == "__main__":
    main()
