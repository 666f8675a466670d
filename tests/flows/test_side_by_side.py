"""Processes of long work end with the one that began them."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

SCRIPT = """
import signal, time
from flows.side_by_side import side_by_side
if __name__ == "__main__":
    # Whoever runs tests in the background may have switched off what Ctrl-C does.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    side_by_side(time.sleep, [(90,), (90,)], [1, 1], 2, print)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_nothing_goes_on_after_the_end(how: signal.Signals, tmp_path) -> None:
    script = tmp_path / "long.py"
    script.write_text(SCRIPT)
    command = subprocess.Popen([sys.executable, str(script)], start_new_session=True, stderr=subprocess.DEVNULL)
    process = psutil.Process(command.pid)
    deadline = time.monotonic() + 60
    while len(workers := [one for one in process.children() if "spawn_main" in " ".join(one.cmdline())]) < 2:
        assert command.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    while not all("torch" in "".join(part.path for part in one.memory_maps()) for one in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    command.send_signal(how)
    command.wait(30)
    assert psutil.wait_procs(workers, timeout=30)[1] == []


def test_jobs_are_done_and_their_share_is_told() -> None:
    from flows.side_by_side import side_by_side

    done: list[int] = []
    shares: list[float] = []
    side_by_side(done.append, [(1,), (2,), (3,)], [1, 1, 2], 1, shares.append)
    assert done == [1, 2, 3]
    assert shares == [0.25, 0.5, 1.0]
