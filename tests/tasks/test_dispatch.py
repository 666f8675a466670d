"""A bounded window of work, and urgent work that passes other work of the same machine."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tasks.dispatch import give_way, in_window

HOLD = """
import sys, time
from pathlib import Path
from tasks.dispatch import standing
with standing(Path(sys.argv[1]), "urgent"):
    print("standing", flush=True)
    time.sleep(600)
"""


def test_never_more_than_the_limit_is_in_flight_and_the_queue_is_drawn_as_there_is_room() -> None:
    drawn, inside, most, ahead = 0, 0, 0, 0
    lock = threading.Lock()

    def numbers() -> Iterator[int]:
        nonlocal drawn
        for number in range(300):
            drawn += 1
            yield number

    def work(number: int) -> int:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.001)
        with lock:
            inside -= 1
        if number == 7:
            raise ValueError(number)
        return number

    finished, failed = [], []
    with ThreadPoolExecutor(32) as pool:
        for number, future in in_window(numbers(), lambda one: pool.submit(work, one), 4):
            ahead = max(ahead, drawn - len(finished) - len(failed))
            (failed if future.exception() else finished).append(number)
    assert failed == [7] and sorted([*finished, 7]) == list(range(300))
    assert most <= 4 and ahead <= 4


def test_other_work_gives_way_to_urgent_work_of_another_process_until_that_ends_even_by_a_kill(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "standing\n"
        give_way(tmp_path, "urgent")  # nothing is above it
        passed = threading.Event()

        def batch() -> None:
            give_way(tmp_path, "batch")
            passed.set()

        threading.Thread(target=batch, daemon=True).start()
        assert not passed.wait(0.6)
        holder.kill()
        assert passed.wait(10)
    finally:
        holder.kill()
        holder.wait()
