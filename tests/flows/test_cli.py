"""The command line itself: quick help, exit codes, and what goes to stdout and what to stderr."""

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest


def processor_seconds(arguments: list[str]) -> tuple[float, str]:
    """What a command of its own costs, whatever else this machine does."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-m", "flows.cli", *arguments], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def test_help_answers_at_once() -> None:
    # The best of three: the first may have to compile what was never imported before.
    seconds, text = min(processor_seconds(["--help"]) for _ in range(3))
    for command in ("demo", "produce", "plan", "captions", "catalog", "models", "report", "doctor"):
        assert command in text
    assert seconds < 0.5


def test_the_command_line_imports_nothing_heavy() -> None:
    code = "import sys, flows.cli; print(sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "torch",
        "prefect",
        "sqlalchemy",
        "numpy",
        "pydantic",
        "pandas",
        "scipy",
        "diffusers",
        "av",
        "moviepy",
        "PIL",
    }
    assert not heavy & set(json.loads(done.stdout.replace("'", '"')))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fly",), ("fly",)),
        (("produce",), ("source",)),
        (("produce", "talk.txt"), ("--out",)),
        (("produce", "talk.txt", "--out", "out", "--aspect", "5:4"), ("--aspect",)),
        (("produce", "talk.txt", "--out", "out", "--priority", "soon"), ("--priority", "urgent")),
        (("plan", "talk.txt", "--speed", "high"), ("--speed",)),
        (("catalog", "show", "nobody-at-all"), ("nobody-at-all", "catalog list")),
        (("catalog", "consent", "add", "nobody-at-all", "--subject", "Jo"), ("nobody-at-all",)),
        (("catalog", "consent", "revoke", "4711"), ("4711",)),
        (("catalog", "list", "--where", "tall"), ("TRAIT=VALUE",)),
        (("catalog", "presenters", "--sheet", "cast.jpg"), ("cast.jpg", ".png")),
        (("catalog", "presenters", "--sheet", "cast.png", "--emotion", "boredom"), ("boredom", "joy")),
    ],
)
def test_wrong_usage_is_one_sentence_and_1(
    portrayal: Callable[..., Any], arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    answer = portrayal(*arguments)
    assert answer.code == 1 and answer.out == ""
    assert answer.err.startswith("portrayal: ") and answer.err.count("\n") == 1
    assert all(word in answer.err for word in words)


def test_a_traceback_only_with_debug(portrayal: Callable[..., Any]) -> None:
    from media.errors import InputError

    assert "Traceback" not in portrayal("plan", "nothing.txt").err
    with pytest.raises(InputError):
        portrayal("plan", "nothing.txt", "--debug")


def test_the_catalog_is_seeded_and_can_be_looked_at(portrayal: Callable[..., Any], tmp_path: Path) -> None:
    everybody = portrayal("catalog", "list", "--json").json
    assert len(everybody) >= 24
    feminine = portrayal("catalog", "list", "--where", "presentation=feminine", "--usable", "--json").json
    assert 0 < len(feminine) < len(everybody)
    slug = everybody[0]["slug"]
    facts = portrayal("catalog", "show", slug, "--json").json
    assert Path(facts["picture"].removeprefix("file://")).is_file()
    assert facts["consents"][0]["revoked_at"] is None
    assert slug in portrayal("catalog", "list").out
    assert "Consents" in portrayal("catalog", "show", slug).out
    assert portrayal("catalog", "check").code == 0
    assert portrayal("catalog", "presenters", "--sheet", tmp_path / "cast.png", "--emotion", "joy").code == 0
    assert (tmp_path / "cast.png").read_bytes().startswith(b"\x89PNG")


def test_the_catalog_check_finds_what_may_not_be_used_or_ends_soon(portrayal: Callable[..., Any]) -> None:
    from datetime import UTC, datetime, timedelta

    first, second = (one["slug"] for one in portrayal("catalog", "list", "--json").json[:2])
    for slug in (first, second):
        number = portrayal("catalog", "show", slug, "--json").json["consents"][0]["id"]
        assert portrayal("catalog", "consent", "revoke", number).code == 0
    soon = (datetime.now(UTC) + timedelta(days=10)).date().isoformat()
    assert portrayal("catalog", "consent", "add", second, "--subject", "Jo Doe", "--until", soon).code == 0
    answer = portrayal("catalog", "check", "--json")
    assert answer.code == 1
    found = {one["portrait"]: one for one in answer.json}
    assert found[first]["refuses"] and not found[second]["refuses"] and "30 days" in found[second]["problem"]


def test_casting_can_be_asked_for_without_changing_anything(portrayal: Callable[..., Any], script: Path) -> None:
    first = portrayal("catalog", "cast", script, "--json").json
    assert [one["speaker"] for one in first] == ["Ann", "Bob"]
    assert len({one["portrait"] for one in first}) == 2 and all(one["reason"] for one in first)
    assert portrayal("catalog", "cast", script, "--json").json == first
    assert portrayal("report", "--json").json == []
    other = next(
        one["slug"] for one in portrayal("catalog", "list", "--json").json if one["slug"] != first[0]["portrait"]
    )
    wished = portrayal("catalog", "cast", script, "--cast", f"ann={other}", "--json").json
    assert wished[0]["portrait"] == other and "wished" in wished[0]["reason"]


def test_the_models_are_listed_with_the_preview_engine(portrayal: Callable[..., Any]) -> None:
    names = [one["name"] for one in portrayal("models", "list", "--json").json]
    assert "still" in names
    assert "still" in portrayal("models", "list").out
    assert portrayal("models", "evaluate", "no-such-checkpoint").code == 3
    assert portrayal("models", "sheets", "no-such-checkpoint").code == 3
    assert portrayal("models", "evaluate", "still", "--only", "beauty").code == 1


@pytest.mark.slow
def test_the_preview_engine_is_evaluated_and_does_not_pass(
    portrayal: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.emo.evaluation import measures

    # Instruments fitted on 72 drawings instead of 1,680: good enough for a mouth that never moves.
    monkeypatch.setattr(measures, "fitted_instruments", partial(measures.fitted_instruments, people=12, frames=6))
    answer = portrayal("models", "evaluate", "still", "--only", "speech", "--clips", "2", "--json")
    met = {key for key, row in answer.json["bars"].items() if row["met"]}
    assert met == {"mouth_correlation_wrong_audio"}


def test_the_doctor_says_what_is_there_and_what_to_do(portrayal: Callable[..., Any]) -> None:
    answer = portrayal("doctor", "--json")
    found = {(one["subject"], one["name"]): one for one in answer.json["findings"]}
    for subject, name in (
        ("media", "ffmpeg"),
        ("media", "fonts for captions"),
        ("storage", "catalog"),
        ("storage", "artifact store"),
        ("synthesis", "espeak"),
        ("diarization", "dvector"),
        ("render", "still"),
    ):
        assert found[subject, name]["state"] == "ok", found[subject, name]
    whisper = found["transcription", "whisper"]
    assert whisper["state"] == "ok" or whisper["remedy"]
    assert answer.code == (0 if answer.json["main_job_runs"] else 3)


def test_a_long_recording_is_planned_without_listening_to_it(portrayal: Callable[..., Any], tmp_path: Path) -> None:
    import wave

    # Six hours at a telephone's rate, written as a hole in a sparse file with a second of noise at the beginning.
    path = tmp_path / "long.wav"
    seconds, rate = 6 * 3600, 8000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.setnframes(seconds * rate)
        file.writeframesraw(bytes(range(256)) * (rate // 128))
    size = 44 + seconds * rate * 2
    with path.open("r+b") as file:
        file.truncate(size)
        for offset, value in ((4, size - 8), (40, size - 44)):
            file.seek(offset)
            file.write(value.to_bytes(4, "little"))
    answer = portrayal("plan", path, "--engine", "render=still", "--json")
    assert answer.code == 0, answer
    assert answer.json["seconds_of_video"] == pytest.approx(seconds)
    assert answer.json["estimated_seconds"] > 600
    assert "6:00:00" in portrayal("plan", path, "--engine", "render=still").out


def test_captions_check_lists_what_is_wrong_and_ends_with_one_sentence(
    portrayal: Callable[..., Any], tmp_path: Path
) -> None:
    captions = tmp_path / "talk.en.srt"
    captions.write_text("1\n00:00:01,000 --> 00:00:01,500\nAnn: Yes.\n\n2\n00:00:03,000 --> 00:00:05,000\nNo.\n")
    answer = portrayal("captions", "check", captions)
    assert answer.code == 1
    for shown in (
        "00:00:01.000",
        "too short",
        "0.5 seconds",
        "0.83 seconds",
        "2 cues checked in 'en': 1 error, 0 warnings.",
    ):
        assert shown in answer.out
    assert answer.err.count("\n") == 1 and "talk.en.srt: 1 violation in 2 cues (too short)" in answer.err
    found = portrayal("captions", "check", captions, "--json")
    assert found.code == 1 and found.json["violations"][0]["severity"] == "error"
    assert portrayal("captions", "check", captions, "--lang", "nobody").code == 1
    assert "no such file" in portrayal("captions", "check", tmp_path / "none.vtt").err


def test_captions_check_ends_well_when_only_the_speech_is_too_fast(
    portrayal: Callable[..., Any], tmp_path: Path
) -> None:
    captions = tmp_path / "talk.vtt"
    captions.write_text(
        "WEBVTT\n\n00:01.000 --> 00:02.000\nHe said all of it much too fast.\n\n00:02.080 --> 00:05.000\nThen he was silent.\n"
    )
    answer = portrayal("captions", "check", captions)
    assert answer.code == 0 and "warning: speech is faster than the limit" in answer.out and answer.err == ""
    assert portrayal("captions", "check", captions, "--strict").code == 1


LONG_COMMAND = """
import signal, sys, time
from flows import cli
from tasks.campaign_runner import stopped_by_signals

@cli.app.command()
def wait() -> None:
    with stopped_by_signals():
        print("here", flush=True)
        time.sleep(60)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(cli.run(["wait"]))
"""


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_is_stopped_says_how_to_go_on(how: signal.Signals, code: int) -> None:
    root = Path(__file__).parents[2]
    command = subprocess.Popen(
        [sys.executable, "-c", LONG_COMMAND], cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout is not None and command.stdout.readline() == "here\n"
    command.send_signal(how)
    said = command.communicate(timeout=60)[1]
    assert (command.returncode, said) == (code, "portrayal: stopped; run the same command again to go on from here.\n")
