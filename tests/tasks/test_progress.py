"""Progress reaches whoever listens, and nobody has to."""

import logging

import pytest

from tasks import progress
from tasks.speeds import record_speed, seconds_per_unit


class Heard:
    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []

    def begin(self, stage: str, total: float | None) -> None:
        self.said.append(("begin", stage, total))

    def advance(self, stage: str, done: float) -> None:
        self.said.append(("advance", stage, done))

    def end(self, stage: str) -> None:
        self.said.append(("end", stage))

    def note(self, text: str) -> None:
        self.said.append(("note", text))


def test_a_stage_is_announced_and_its_parts_are_added_up() -> None:
    heard = Heard()
    with progress.listening(heard), progress.stage("Render", 10.0) as advance:
        advance(1.0)
        progress.part("Render", "a", 2.0)
        progress.part("Render", "b", 3.0)
        progress.part("Render", "a", 4.0)
        progress.note("as told")
    progress.part("Render", "a", 9.0)
    assert heard.said == [
        ("begin", "Render", 10.0),
        ("advance", "Render", 1.0),
        ("advance", "Render", 2.0),
        ("advance", "Render", 5.0),
        ("advance", "Render", 7.0),
        ("note", "as told"),
        ("end", "Render"),
    ]


def test_a_stage_that_fails_does_not_end() -> None:
    heard = Heard()
    with pytest.raises(ZeroDivisionError), progress.listening(heard), progress.stage("Render"):
        _ = 1 / 0
    assert heard.said == [("begin", "Render", None)]


def test_without_a_terminal_it_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "portrayal"), progress.stage("Render"):
        progress.note("No captions.")
    assert [record.message for record in caplog.records] == ["Render: begins", "No captions.", "Render: done"]


def test_speeds_are_remembered_and_newer_ones_count_more(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTRAYAL_HOME", str(tmp_path_factory.mktemp("home")))
    assert seconds_per_unit("render x", 0.5) == 0.5
    record_speed("render x", 100, 100.0)
    assert seconds_per_unit("render x", 0.5) == pytest.approx(1.0)
    record_speed("render x", 10_000, 20_000.0)
    assert 1.95 < seconds_per_unit("render x", 0.5) < 2.0
    record_speed("render x", 0, 5.0)
    assert seconds_per_unit("other", 3.0) == 3.0
