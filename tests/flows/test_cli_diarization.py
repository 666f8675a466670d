"""Diarizations come out as files that can be corrected, and engines are measured on recordings whose speakers are known."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.demo import telephone_conversation
from media.rttm import read_rttm

MORE_THAN_MOST = ("--min-speakers", "3", "--max-speakers", "2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    call = telephone_conversation()
    shutil.copy(call.sound, tmp_path / "call.wav")
    shutil.copy(call.reference, tmp_path / "call.rttm")
    return tmp_path


def test_an_engine_is_measured_with_and_without_a_collar(folder: Path, portrayal: Callable[..., Any]) -> None:
    answer = portrayal("diarization", "benchmark", folder, "--engine", "dvector", "--told", "--json").json
    (score,) = answer["recordings"]
    assert (answer["engine"], answer["told"]) == ("dvector", True)
    assert (score["recording"], score["speakers"], score["speakers_found"]) == ("call.wav", 2, 2)
    assert score["seconds"] == pytest.approx(30.0, abs=0.1)
    assert 0 < score["error_rate_with_collar"] < 0.09 < score["error_rate"] < 0.25
    assert score["times_real_time"] > 3
    for collar in ("", "_with_collar"):
        assert sum(score[f"errors{collar}"].values()) == pytest.approx(score[f"error_rate{collar}"])
        assert set(score[f"errors{collar}"]) == {"missed", "false_alarm", "confusion"}


def test_what_was_heard_is_written_as_rttm_and_read_again(folder: Path, portrayal: Callable[..., Any]) -> None:
    out = folder / "heard.rttm"
    answer = portrayal(
        "diarization", "run", folder / "call.wav", "--out", out, "--engine", "dvector", "--speakers", "2"
    )
    assert answer.code == 0 and "of 2 speakers, by dvector" in answer.out
    turns = read_rttm(out)
    assert {turn.speaker for turn in turns} == {"SPEAKER_00", "SPEAKER_01"}
    assert len(turns) > 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("benchmark", "{folder}/none"), "no recording with an annotation"),
        (("run", "{folder}/none.wav", "--out", "{folder}/x.rttm"), "none.wav does not exist"),
        (("run", "{folder}/call.wav", "--out", "{folder}/no/x.rttm"), "there is no folder"),
        (("run", "{folder}/call.wav", "--out", "{folder}/x.rttm", "--engine", "ears"), "no diarization engine 'ears'"),
        (("run", "{folder}/none.wav", "--out", "{folder}/x.rttm", *MORE_THAN_MOST), "--min-speakers 3 is more than"),
    ],
)
def test_a_mistake_is_one_sentence(
    folder: Path, portrayal: Callable[..., Any], arguments: tuple[str, ...], words: str
) -> None:
    answer = portrayal("diarization", *(one.format(folder=folder) for one in arguments))
    assert answer.code == 1 and words in answer.err and answer.out == ""
    assert not (folder / "x.rttm").exists()
