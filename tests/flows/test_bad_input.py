"""Bad input gets one clear sentence and exit code 1, and nothing is left behind."""

import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.audio import wav_bytes

RATE = 16_000


def refused(answer: Any, out: Path, *words: str, code: int = 1) -> None:
    assert answer.code == code, answer
    assert answer.out == ""
    assert answer.err.count("\n") == 1, answer.err
    assert answer.err.startswith("portrayal: ")
    assert "Traceback" not in answer.err
    for word in words:
        assert word in answer.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("talk.txt:1", "empty")),
        ("\n# nothing but a remark\n", ("talk.txt",)),
        ("just some prose without any colon\n", ("talk.txt:1", "speaker")),
        ("language: klingonish\nAnn: Hello.\n", ("talk.txt:1", "klingonish", "language tag")),
        ("Ann: Hello.\n  xx: Hallo.\n", ("talk.txt:2", "xx")),
        ("cast: Bob = maya-okafor\n\nAnn: Hello.\n", ("talk.txt:1", "Bob")),
        ("cast: Ann = nobody-at-all\n\nAnn: Hello.\n", ("Ann", "nobody-at-all")),
    ],
)
def test_a_script_that_cannot_be_used(
    portrayal: Callable[..., Any], tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    (tmp_path / "talk.txt").write_text(text, encoding="utf-8")
    out = tmp_path / "out"
    refused(portrayal("produce", "talk.txt", "--out", out, "--engine", "render=still"), out, *words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--lang", "nonsense"), ("--lang", "nonsense", "language tag")),
        (("--lang", "fr"), ("--lang fr", "en, es")),
        (("--cast", "Zoe=maya-okafor"), ("Zoe", "Ann, Bob")),
        (("--cast", "Ann"), ("--cast Ann", "NAME=PORTRAIT")),
        (("--cast", "Ann=a", "--cast", "Ann=b"), ("Ann", "twice")),
        (("--cast", "Ann=nobody-at-all"), ("Ann", "nobody-at-all")),
        (("--draft",), ("--draft", "render=still")),
        (("--engine", "cooking=pan"), ("cooking", "diarization")),
        (("--engine", "synthesis=loud"), ("synthesis=loud", "espeak")),
        (("--voice", "Ann"), ("--voice Ann", "NAME=VOICE")),
        (("--voice", "Zoe=f3"), ("--voice Zoe=f3", "Ann, Bob")),
        (("--voice", "Ann=nobody"), ("--voice Ann=nobody", "espeak")),
        (("--voice", "Ann=ann.wav", "--engine", "synthesis=espeak"), ("--voice Ann=ann.wav", "cannot clone")),
        (("--voice-consent", "Ann=Ann Lee"), ("--voice-consent Ann", "--voice")),
        (("--lexicon", "names.yaml"), ("names.yaml",)),
        (("--rttm", "who.rttm"), ("--rttm", "is a script")),
        (("--name", "../up"), ("--name", "../up")),
        (("--steps", "0"), ("--steps",)),
        (("--layout", "pyramid"), ("--layout",)),
    ],
)
def test_an_option_that_cannot_be_met(
    portrayal: Callable[..., Any], script: Path, tmp_path: Path, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    refused(portrayal("produce", script, "--out", out, "--engine", "render=still", *options), out, *words)


def test_two_speakers_for_one_portrait(portrayal: Callable[..., Any], script: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    slug = a_portrait(portrayal)
    answer = portrayal("produce", script, "--out", out, "--cast", f"Ann={slug}", "--cast", f"Bob={slug}", *STILL)
    refused(answer, out, "Ann", "Bob", slug)


def test_a_retired_portrait(portrayal: Callable[..., Any], script: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    slug = a_portrait(portrayal)
    assert portrayal("catalog", "retire", slug).code == 0
    refused(portrayal("produce", script, "--out", out, "--cast", f"Ann={slug}", *STILL), out, "Ann", slug, "retired")


def test_a_portrait_whose_consent_has_expired(portrayal: Callable[..., Any], script: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    slug = a_portrait(portrayal)
    facts = portrayal("catalog", "show", slug, "--json").json
    assert portrayal("catalog", "consent", "revoke", facts["consents"][0]["id"], "--at", "2020-01-01").code == 0
    added = portrayal(
        "catalog", "consent", "add", slug, "--subject", "Jo Doe", "--from", "2019-01-01", "--until", "2021-06-30"
    )
    assert added.code == 0
    answer = portrayal("produce", script, "--out", out, "--cast", f"Ann={slug}", *STILL)
    refused(answer, out, "Ann", "Jo Doe", "expired", "2021-06-30")


def test_a_source_that_is_not_there(portrayal: Callable[..., Any], tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused(portrayal("produce", tmp_path / "nothing.mp3", "--out", out, *STILL), out, "nothing.mp3")
    refused(portrayal("produce", tmp_path, "--out", out, *STILL), out, "folder")


def test_a_result_folder_that_cannot_be_written(portrayal: Callable[..., Any], script: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "out"
    refused(portrayal("produce", script, "--out", out, *STILL), out, "file")


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a file system that takes no files")
def test_a_result_folder_on_a_file_system_that_takes_no_files(portrayal: Callable[..., Any], script: Path) -> None:
    out = Path("/sys/kernel/portrayal")
    refused(portrayal("produce", script, "--out", out, *STILL), out, "/sys/kernel")


def test_a_full_disk(portrayal: Callable[..., Any], script: Path, tmp_path: Path) -> None:
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode != 0:
        pytest.skip("a small disk can only be made by an administrator")
    try:
        (disk / "filler").write_bytes(bytes(1 << 20))
        refused(portrayal("produce", script, "--out", disk / "out", *STILL), disk / "out", "disk", code=2)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def tone(seconds: float, level: float = 0.3) -> bytes:
    time = np.arange(round(seconds * RATE)) / RATE
    return wav_bytes((level * np.sin(2 * np.pi * 220 * time)).astype(np.float32), RATE)


RECORDINGS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "not audio": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "not audio"),
    "too short": (tone(0.2), "0.20 s"),
    "silent": (wav_bytes(np.zeros(3 * RATE, np.float32), RATE), "silent"),
    "cut short": (tone(5.0)[:60_000], "cut short"),
    "only a header": (b"RIFF" + struct.pack("<I", 36) + b"WAVE", "cut short"),
}


@pytest.mark.parametrize("kind", RECORDINGS)
def test_a_recording_that_cannot_be_used(portrayal: Callable[..., Any], tmp_path: Path, kind: str) -> None:
    content, word = RECORDINGS[kind]
    (tmp_path / "talk.wav").write_bytes(content)
    out = tmp_path / "out"
    refused(portrayal("produce", tmp_path / "talk.wav", "--out", out, *STILL), out, "talk.wav", word)


def test_a_recording_with_options_that_contradict_one_another(portrayal: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "talk.wav").write_bytes(tone(2.0))
    out = tmp_path / "out"
    call = ("produce", tmp_path / "talk.wav", "--out", out, *STILL)
    refused(portrayal(*call, "--speakers", "2", "--min-speakers", "3"), out, "--speakers")
    refused(portrayal(*call, "--min-speakers", "4", "--max-speakers", "3"), out, "--min-speakers 4")
    refused(portrayal(*call, "--transcript", "said.vtt"), out, "--transcript", "said.vtt")


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("diarization=pyannote", ("diarization=pyannote", "weights")),
        ("transcription=whisper", ("transcription=whisper", "weights")),
        ("synthesis=chatterbox", ("synthesis=chatterbox", "chatterbox-tts==", "PORTRAYAL_CHATTERBOX_PYTHON")),
        ("synthesis=worker:no-such-program", ("no-such-program", "check the command")),
        ("render=echomimic", ("echomimic",)),
    ],
)
def test_an_engine_without_its_weights_ends_with_3_and_what_to_do(
    portrayal: Callable[..., Any], script: Path, tmp_path: Path, engine: str, words: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    others = () if engine.startswith("render=") else STILL
    answer = portrayal("produce", script, "--out", out, "--engine", engine, *others)
    assert answer.code == 3, answer
    assert answer.out == "" and answer.err.count("\n") == 1
    assert all(word in answer.err for word in words)
    assert not out.exists()


STILL = ("--engine", "render=still")


def a_portrait(portrayal: Callable[..., Any]) -> str:
    return str(portrayal("catalog", "list", "--json").json[0]["slug"])
