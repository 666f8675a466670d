"""Of several processes that find the same work, one does it."""

import subprocess
import sys

from sqlalchemy import Engine

from catalog.claims import claimed

HOLD = """
import sys, time
from sqlalchemy import create_engine
from catalog.claims import claimed
with claimed(create_engine(sys.argv[1]), "localize", "talk") as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def test_a_production_is_claimed_by_one_process_until_it_ends_however_it_ends(engine: Engine) -> None:
    url = engine.url.render_as_string(hide_password=False)
    other = subprocess.Popen([sys.executable, "-c", HOLD, url], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None and other.stdout.readline().strip() == "True"
        with claimed(engine, "localize", "talk") as mine, claimed(engine, "localize", "show") as another:
            assert not mine and another
    finally:
        other.kill()
        other.wait(30)
    for _ in range(2):
        with claimed(engine, "localize", "talk") as mine:
            assert mine
