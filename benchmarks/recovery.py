"""Kills a process with SIGKILL at a random moment of a production, starts again what died, and checks what is left.

    python -m benchmarks.recovery                       25 kills of a command: of its flow, of a renderer, of its server
    python -m benchmarks.recovery --kills 1 --seed 17   one that was seen before, again

Every kill has a home of its own, and produces a script in two languages with the engine `still`, which costs next to nothing and
is the same every time. The seed says who is killed and when. Afterwards the production has to be finished, and the same, frame by
frame and sample by sample, as one that nobody disturbed; no artifact that was there whole may have been made again; no file may
be half written; and nothing may be left `running` in the catalog.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "flows.cli"]
LANGUAGES = ("en", "es")
PREFIXES = ("audio", "speech", "clips", "videos")
"""Of artifacts that a production makes."""
LOOK_SECONDS = 0.02
"""Between two looks at the artifacts."""
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
    victim: str
    after: float
    """Seconds from the start of the production to the kill."""
    runs: int
    """How often the production was started, the killed one included."""
    finished: int
    """Artifacts that were whole when the kill came."""
    made: int
    """Artifacts that were made after it."""
    problems: tuple[str, ...]


@dataclass(slots=True)
class Watch:
    """Sees every version of every artifact that appears; a rename brings a new inode."""

    folder: Path
    versions: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        for prefix in PREFIXES:
            with suppress(FileNotFoundError), os.scandir(self.folder / prefix) as entries:
                for entry in entries:
                    if not entry.name.startswith("."):
                        with suppress(FileNotFoundError):
                            state = entry.stat()
                            seen = self.versions.setdefault(f"{prefix}/{entry.name}", set())
                            seen.add((state.st_ino, state.st_mtime_ns))

    @contextmanager
    def watching(self) -> Iterator[None]:
        def watch() -> None:
            while not self._stop.wait(LOOK_SECONDS):
                self.look()

        self.look()
        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
            self.look()


def produce_arguments(script: Path, out: Path) -> list[str]:
    languages = [part for language in LANGUAGES for part in ("--lang", language)]
    return ["produce", str(script), *languages, "--engine", "render=still", "--out", str(out), "--json"]


def digests(out: Path) -> dict[str, str]:
    """By language, a digest of every decoded frame and sample of its video."""
    import imageio_ffmpeg

    found = {}
    for language in LANGUAGES:
        (video,) = out.glob(f"*.{language}.mp4")
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(video), "-f", "md5", "-"]
        found[language] = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return found


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


def running_rows(database_url: str) -> list[str]:
    """What the catalog says is still in work."""
    from sqlalchemy import text

    from catalog.session import open_catalog, session_factory

    engine = open_catalog(database_url)
    with session_factory(engine, read_only=True).begin() as session:
        renditions = session.scalar(text("SELECT COUNT(*) FROM renditions WHERE state = 'running'"))
    engine.dispose()
    return [f"{renditions} renditions are left running"] if renditions else []


def made_twice(versions: dict[str, set[tuple[int, int]]]) -> list[str]:
    """Artifacts that were whole and were made again all the same."""
    return [f"{name} was made {len(seen)} times" for name, seen in versions.items() if len(seen) > 1]


def victims_of(command: psutil.Process) -> dict[str, psutil.Process]:
    """Those that can be killed now, by their role."""
    found = {"flow": command}
    for child in command.children(recursive=True):
        with suppress(psutil.Error):
            said = " ".join(child.cmdline())
            if "flows.embedded" in said:
                found["server"] = child
            elif "spawn_main" in said:
                found["renderer"] = child
    return found


def trial(seed: int, work: "Work") -> Trial:
    """One kill of a command that produces, in a home of its own."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="trial-", dir=work.folder) as name:
        home, out = Path(name) / "home", Path(name) / "out"
        shutil.copytree(work.home, home)
        variables = environment(home)
        command = [*COMMAND, *produce_arguments(work.script, out)]
        wanted, after = chance.choice(("flow", "renderer", "server")), chance.uniform(0.1, 1.0) * work.seconds
        watch = Watch(home / "artifacts")
        with watch.watching():
            began = time.monotonic()
            run = _start(command, variables)
            victim, family = _kill_one(psutil.Process(run.pid), wanted, began + after)
            after = time.monotonic() - began
            if victim == "flow":
                _wait_for(lambda: not any(map(_lives, family)), 20.0)
            watch.look()
            before = len(watch.versions)
            problems = half_written(home / "artifacts", out)
            code, runs = run.wait(GIVE_UP_SECONDS), 1
            while code != 0 and runs < RUNS_AT_MOST:
                code, runs = _start(command, variables).wait(GIVE_UP_SECONDS), runs + 1
        if code != 0:
            problems.append(f"not finished after {runs} runs (exit code {code})")
        else:
            problems += compared(digests(out), work.digests)
        problems += made_twice(watch.versions) + half_written(home / "artifacts", out)
        problems += running_rows(f"sqlite:///{home / 'catalog.db'}")
    made = len(watch.versions) - before
    return Trial(seed, victim, round(after, 1), runs, before, made, tuple(dict.fromkeys(problems)))


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


@dataclass(frozen=True, slots=True)
class Work:
    """What all trials share: a home that has worked before, the script, and what nobody disturbed makes of it."""

    folder: Path
    home: Path
    script: Path
    digests: dict[str, str]
    seconds: float


def prepare(folder: Path) -> Work:
    """Make a home, with portraits and databases in it, and produce once without a disturbance."""
    home, script, warm_up = folder / "home", folder / "trial.txt", folder / "warm-up.txt"
    warm_up.write_text("Ann: Yes.\n  es: Sí.\n")
    script.write_text(SCRIPT)
    for one in (warm_up, script):
        used = home if one is warm_up else folder / "undisturbed"
        if one is script:
            shutil.copytree(home, used)
        began = time.monotonic()
        if code := _start([*COMMAND, *produce_arguments(one, folder / one.stem)], environment(used)).wait(
            GIVE_UP_SECONDS
        ):
            sys.exit(f"{one.name} cannot be produced even undisturbed (exit code {code})")
    for prefix in PREFIXES:
        shutil.rmtree(home / "artifacts" / prefix, ignore_errors=True)
    return Work(folder, home, script, digests(folder / script.stem), time.monotonic() - began)


def _kill_one(command: psutil.Process, wanted: str, at: float) -> tuple[str, list[psutil.Process]]:
    """Kill who is wanted at that moment, or whoever comes closest; returns its role, and who has to be gone after it."""
    time.sleep(max(0.0, at - time.monotonic()))
    while True:
        try:
            family = [command, *command.children(recursive=True)]
            victims = victims_of(command)
            if not command.is_running() or command.status() == psutil.STATUS_ZOMBIE:
                return "nobody", []
            role = wanted if wanted in victims else "flow"
            victims[role].kill()
            return role, family
        except psutil.NoSuchProcess:
            if not psutil.pid_exists(command.pid):
                return "nobody", []


def compared(made: dict[str, str], reference: dict[str, str]) -> list[str]:
    return [f"the video in {tag} is another one" for tag in LANGUAGES if made.get(tag) != reference[tag]]


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "PORTRAYAL_"))}
    # Every trial has a server of its own, not one that happens to run at the usual place.
    return kept | {"PORTRAYAL_HOME": str(home), "PORTRAYAL_RENDERERS": "2", "PYTHONPATH": str(ROOT)} | more


def _start(command: Sequence[str], variables: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        list(command), env=variables, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return met


def table(trials: Sequence[Trial]) -> str:
    """Markdown: one row for every victim."""
    lines = [
        "| killed | kills | finished, identical | runs needed | whole before, made after | with problems |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for victim in sorted({one.victim for one in trials}):
        group = [one for one in trials if one.victim == victim]
        problems = sum(bool(one.problems) for one in group)
        runs = sorted(one.runs for one in group)
        before, made = sum(one.finished for one in group), sum(one.made for one in group)
        lines.append(
            f"| {victim} | {len(group)} | {len(group) - problems} | {runs[0]} to {runs[-1]} | {before}, {made} | {problems} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1, help="of the first trial; the next ones count on")
    parser.add_argument("--out", type=Path, help="a file that gets one JSON line a trial")
    given = parser.parse_args()
    trials: list[Trial] = []

    def note(trial: Trial) -> None:
        trials.append(trial)
        line = json.dumps({name: getattr(trial, name) for name in Trial.__slots__})
        print(line, flush=True)
        if given.out:
            with given.out.open("a") as file:
                file.write(line + "\n")

    work = Path(tempfile.mkdtemp(prefix="portrayal-recovery-homes-"))
    try:
        shared = prepare(work)
        for number in range(given.kills):
            note(trial(given.seed + number, shared))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(table(trials))
    if any(one.problems for one in trials):
        sys.exit(1)


if __name__ == "__main__":
    main()
