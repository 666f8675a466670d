"""Translations at the command line: by an engine, and by people through `localize export` and `localize import`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.localization import Unit
from media.translation_csv import read_csv, write_csv
from media.xliff import read_xliff, write_xliff

STILL = ("--engine", "render=still")


@pytest.fixture
def server(translation_server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PORTRAYAL_TRANSLATION_URL", translation_server.url)
    monkeypatch.setenv("PORTRAYAL_TRANSLATION_MODEL", "polyglot")
    return translation_server


def test_what_goes_out_comes_back_as_a_language_of_the_script(
    portrayal: Callable[..., Any], script: Path, tmp_path: Path
) -> None:
    out = tmp_path / "to-translate.csv"
    answer = portrayal("localize", "export", script, "--lang", "DE_at", "--format", "csv", "--out", out, "--json")
    assert answer.code == 0 and answer.json == {"file": str(out), "language": "de-AT", "turns": 3, "translated": 0}
    units = read_csv(out.read_text(encoding="utf-8-sig"), "csv")
    assert [(one.id, one.speaker, one.source) for one in units][1] == ("t2", "Bob", "No.")
    told = [Unit(one.id, one.source, f"Ja {one.id}") for one in reversed(units)]
    out.write_text(write_csv(told), encoding="utf-8")
    assert portrayal("plan", script, *STILL, "--lang", "de-AT").code == 1
    answer = portrayal("localize", "import", script, out, "--lang", "de-AT")
    assert answer.code == 0 and "talk.de-AT.xlf: 3 turns in de-AT." in answer.out, answer
    planned = portrayal("plan", script, *STILL, "--lang", "de", "--json")
    assert [one["text"] for one in planned.json["clips"] if one["turn"] is not None] == ["Ja t1", "Ja t2", "Ja t3"]
    exported = portrayal("localize", "export", script, "--lang", "de-AT", "--out", tmp_path / "again.xlf")
    assert "3 of them translated already" in exported.out
    (source, target, again) = read_xliff((tmp_path / "again.xlf").read_text(), "again")
    assert (source, target) == ("en", "de-AT") and [one.target for one in again] == ["Ja t1", "Ja t2", "Ja t3"]


def test_an_import_with_faults_is_refused_with_all_of_them_and_changes_nothing(
    portrayal: Callable[..., Any], script: Path, tmp_path: Path
) -> None:
    back = tmp_path / "back.xlf"
    units = [Unit("t1", "Yes.", "Ja."), Unit("t1", "Yes.", "Ja."), Unit("t3", "How?", "Wie?"), Unit("t7", "?", "?")]
    back.write_text(write_xliff(units, "en", "de", "talk.txt"), encoding="utf-8")
    answer = portrayal("localize", "import", script, back, "--lang", "de")
    assert answer.code == 1 and answer.out == "" and answer.err.count("\n") == 1
    for words in (
        "4 faults",
        "t1 is there more than once",
        "source of t3 (Ann) has changed",
        "t7",
        "t2 (Bob) is missing",
    ):
        assert words in answer.err
    assert not (tmp_path / "talk.de.xlf").exists()
    answer = portrayal("localize", "import", script, back, "--lang", "fr")
    assert answer.code == 1 and "into 'de', not 'fr'" in answer.err
    answer = portrayal("localize", "export", script, "--lang", "en-US", "--out", tmp_path / "x.xlf")
    assert answer.code == 1 and "language of the source" in answer.err and not (tmp_path / "x.xlf").exists()
    answer = portrayal("localize", "export", script, "--lang", "de", "--out", script)
    assert answer.code == 1 and "Ann: Yes." in script.read_text()


def test_a_translation_that_is_too_long_is_taken_and_named(
    portrayal: Callable[..., Any], script: Path, tmp_path: Path
) -> None:
    back = tmp_path / "back.csv"
    longer = "Das ist viel zu lang."
    told = [Unit("t1", "Yes.", longer), Unit("t2", "No.", "Nein."), Unit("t3", "Why?", "Warum?")]
    back.write_text(write_csv(told), encoding="utf-8")
    answer = portrayal("localize", "import", script, back, "--lang", "de", "--json")
    assert answer.code == 0 and answer.json["too_long"] == ["t1 (Ann) has 21 characters of 12"]
    assert answer.json["reads_like"] is None


def test_a_table_that_reads_like_another_language_is_taken_and_named(
    portrayal: Callable[..., Any], script: Path, tmp_path: Path
) -> None:
    back = tmp_path / "back.csv"
    lines = "Das ist leider noch nicht fertig.", "Nein, aber morgen früh bestimmt.", "Warum ist das so wichtig?"
    told = [
        Unit(f"t{number}", *both) for number, both in enumerate(zip(("Yes.", "No.", "Why?"), lines, strict=True), 1)
    ]
    back.write_text(write_csv(told), encoding="utf-8")
    for language, like in (("fr", "de"), ("de", None)):
        answer = portrayal("localize", "import", script, back, "--lang", language, "--json")
        assert answer.code == 0 and answer.json["reads_like"] == like


def test_an_export_does_not_take_the_name_of_another_languages_translation(
    portrayal: Callable[..., Any], script: Path, tmp_path: Path
) -> None:
    answer = portrayal("localize", "export", script, "--lang", "de", "--out", script.with_suffix(".to.xlf"))
    assert answer.code == 1 and "means a translation into 'to'" in answer.err
    assert not script.with_suffix(".to.xlf").exists()
    assert portrayal("localize", "export", script, "--lang", "de", "--out", script.with_suffix(".de.xlf")).code == 0


def test_a_plan_says_what_is_to_be_translated_and_asks_nobody(
    portrayal: Callable[..., Any], script: Path, server: Any
) -> None:
    arguments = ("plan", script, *STILL, "--engine", "translation=openai", "--lang", "en", "--lang", "de", "--json")
    planned = portrayal(*arguments).json
    assert server.asked == [] and planned["languages"] == ["en", "de"]
    assert {one["language"] for one in planned["clips"]} == {"en", None}
    assert any("de: 3 turns are to be translated by openai (polyglot" in text for text in planned["notes"])
    english = portrayal("plan", script, *STILL, "--lang", "en", "--json").json
    assert planned["seconds_of_video"] == pytest.approx(2 * english["seconds_of_video"], abs=0.01)
    assert planned["estimated_seconds"] > english["estimated_seconds"]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--lang", "jv", "--engine", "translation=openai"), 1, ("espeak does not speak 'jv'", "it has af, am")),
        (("--lang", "fr", "--engine", "translation=madlad"), 3, ("madlad", "hf download")),
        (("--lang", "fr"), 1, ("--lang fr", "en, es", "--engine translation=NAME", "localize export")),
        (("--glossary", "none.yaml"), 1, ("none.yaml",)),
    ],
)
def test_plan_refuses_what_produce_would(
    portrayal: Callable[..., Any],
    script: Path,
    server: Any,
    options: tuple[str, ...],
    code: int,
    words: tuple[str, ...],
) -> None:
    answer = portrayal("plan", script, *STILL, *options)
    assert answer.code == code and answer.err.count("portrayal: ") == 1
    assert all(word in answer.err for word in words), answer.err
    assert server.asked == []


def test_the_doctor_knows_the_translators(portrayal: Callable[..., Any], server: Any) -> None:
    found = {
        one["name"]: one for one in portrayal("doctor", "--json").json["findings"] if one["subject"] == "translation"
    }
    assert found["marian"]["state"] == "missing" and "hf download" in found["marian"]["remedy"]
    assert found["openai"]["state"] == "ok" and "polyglot" in found["openai"]["detail"]


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_an_edit_of_a_dubbed_recording_makes_only_what_it_changes(
    portrayal: Callable[..., Any], tmp_path: Path, server: Any
) -> None:
    from media.audio import resample, wav_bytes
    from models.speech.engines import synthesizer

    engine = synthesizer("espeak")
    sounds, who, at = [], [], 0.0
    for name, text in (("Ann", "How are you today?"), ("Bob", "Fine."), ("Ann", "Good.")):
        speech = engine.speak(text, "en", engine.voices("en", 1)[0])
        sounds.append(resample(speech.samples, speech.sample_rate, 16_000))
        length = len(sounds[-1]) / 16_000
        who.append((name, text, at, at + length))
        at += length
    call, rttm, transcript = tmp_path / "call.wav", tmp_path / "who.rttm", tmp_path / "call.vtt"
    call.write_bytes(wav_bytes(np.concatenate(sounds), 16_000))
    rttm.write_text(
        "".join(f"SPEAKER call 1 {start:.3f} {end - start:.3f} - - {name} - -\n" for name, _, start, end in who)
    )
    cues = (f"00:{start:06.3f} --> 00:{end:06.3f}\n<v {name}>{text}\n" for name, text, start, end in who)
    transcript.write_text("\n".join(["WEBVTT\n", *cues]))
    common = ("--rttm", rttm, "--source-lang", "en", "--lang", "en", "--lang", "de", "--engine", "translation=openai")
    common += (
        "--engine",
        "alignment=proportional",
        *STILL,
        "--json",
        "--layout",
        "spotlight",
        "--aspect",
        "1:1",
        "--captions",
        "none",
    )

    def made(*options: object) -> Any:
        answer = portrayal("produce", call, "--out", tmp_path / "out", *common, *options)
        assert answer.code == 0, answer
        return answer.json

    def counts(made: Any) -> list[tuple[int, ...]]:
        """Of English and German: turns translated and spoken, clips rendered (of three turns and two idle speakers)."""
        figures = ("turns_translated", "turns_spoken", "rendered")
        rows = [tuple(one[figure] for figure in figures) for one in made["renditions"]]
        assert all(one["rendered"] + one["reused"] == 5 for one in made["renditions"])
        return rows

    first = made()
    assert counts(first) == [(0, 0, 5), (3, 3, 5)]
    english, german = first["renditions"]
    assert english["turns"][0]["text"] == "How are you today?" and english["voices"] == {}
    assert german["turns"][0]["text"] == "<How are you today?>" and set(german["voices"]) == {"Ann", "Bob"}
    assert english["translation"] is None
    assert german["translation"]["engine"] == "openai"
    assert german["translation"]["machine_translated_turns"] == [1, 2, 3]
    assert first["engines"]["translation"].startswith("openai (polyglot at 127.0.0.1")
    # What is written of a line: its sound in the recording stays as it is.
    transcript.write_text(transcript.read_text().replace("Fine.", "Well."))
    assert counts(made()) == [(0, 0, 0), (1, 1, 1)]
    # How a term is translated, and how one is pronounced.
    options: tuple[object, ...] = ("--glossary", tmp_path / "terms.yaml")
    (tmp_path / "terms.yaml").write_text("terms: {today: {de: heute}}\n")
    assert counts(made(*options)) == [(0, 0, 0), (1, 1, 1)]
    options += ("--lexicon", tmp_path / "names.yaml")
    (tmp_path / "names.yaml").write_text("well: {de: uell, en: wal}\n")
    assert counts(made(*options)) == [(0, 0, 0), (0, 1, 1)]
    # The voice of somebody with two lines.
    assert counts(made(*options, "--voice", "Ann=f4")) == [(0, 0, 0), (0, 2, 2)]
