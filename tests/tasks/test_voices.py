"""Voices that are wished for, kept from episode to episode, cloned with consent, or refused before work begins."""

import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.audio import wav_bytes
from media.errors import InputError, MissingEngineError, RenderError
from models.speech import worker
from models.speech.espeak import EspeakSynthesizer
from tasks import casting, speaking, workspace
from tasks.performance import Performance
from tasks.request import checked_request
from tasks.sources import read_source

VOWELS = Path(__file__).resolve().parents[1] / "models" / "speech" / "vowel_worker.py"

TALK = """\
language: en
speaker: Ann = feminine
speaker: Bob = masculine

Ann: Call Nguyen.
  es: Llama a Nguyen.
Bob: I will.
  es: Lo haré.
Ann: It costs $20.
  es: Cuesta 20 €.
"""


@pytest.fixture
def spoken(tmp_path: Path, seeded_home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Performance]:
    """Speaks a script; every name is a production of its own."""
    shutil.copytree(seeded_home, tmp_path / "home")
    monkeypatch.setenv("PORTRAYAL_HOME", str(tmp_path / "home"))

    def speak(text: str = TALK, language: str = "en", name: str = "one.txt", **options: Any) -> Performance:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        engines = {"render": "still"} | options.pop("engines", {})
        request = checked_request(source=str(path), languages=[language], engines=engines, **options)
        source = read_source(request)
        people = casting.cast_portraits(request, source, source.dialogue)
        return speaking.speak(request, source, language, people, 25)

    return speak


@pytest.fixture
def vowels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """The engine of the worker with the habits that are named; python -I sees nothing of this environment's packages."""
    monkeypatch.setenv("WORKER_NOTES", str(tmp_path))
    worker._engine.cache_clear()

    def engine(*habits: str) -> dict[str, str]:
        return {"synthesis": "worker:" + shlex.join([sys.executable, "-I", "-S", str(VOWELS), *habits])}

    return engine


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    engine = EspeakSynthesizer()
    text = "My name is Ann, and I have read this sentence so that my voice can be used. " * 2
    speech = engine.speak(text, "en", engine.voices("en", 1, ["feminine"])[0])
    path = tmp_path_factory.mktemp("voices") / "ann.wav"
    path.write_bytes(wav_bytes(speech.samples, speech.sample_rate))
    return path


def test_a_wish_is_met_and_speaks_only_that_speakers_turns_anew(spoken: Callable[..., Performance]) -> None:
    before = spoken()
    assert before.spoken == (True, True, True)
    after = spoken(voices={"bob": "david:30:150"})
    assert after.spoken == (False, True, False)
    voice = {key: after.voices["Bob"][key] for key in ("name", "pitch", "rate", "engine", "reference")}
    assert voice == {"name": "david", "pitch": 30, "rate": 150, "engine": "espeak", "reference": ""}
    assert after.voices["Ann"] == before.voices["Ann"]


def test_a_speaker_keeps_the_voice_in_the_next_episode_whoever_else_speaks(spoken: Callable[..., Performance]) -> None:
    first = spoken(show="Night shift").voices
    zoe = "language: en\nspeaker: Zoe = feminine\nspeaker: Ann = feminine\n\nZoe: Hello.\nAnn: Good evening.\n"
    second = spoken(zoe, name="two.txt", show="Night shift").voices
    assert second["Ann"] == first["Ann"] and second["Zoe"]["name"] != first["Ann"]["name"]
    elsewhere = spoken(zoe, name="three.txt", show="Another show").voices
    assert elsewhere["Zoe"]["name"] == first["Ann"]["name"]  # the first of the palette: that show knows nobody yet
    changed = spoken(voices={"Ann": "f4"}, show="Night shift").voices
    assert spoken(zoe, name="four.txt", show="Night shift").voices["Ann"]["name"] == changed["Ann"]["name"] == "f4"
    assert spoken(zoe, name="two.txt", show="Night shift").voices == second  # what an episode has, it keeps


def test_a_wish_in_one_language_holds_for_the_others(spoken: Callable[..., Performance]) -> None:
    spoken(voices={"Ann": "f4:70"})
    assert spoken(language="es").voices["Ann"]["name"] == "f4"


def test_a_lexicon_speaks_the_turns_with_its_terms_anew(spoken: Callable[..., Performance], tmp_path: Path) -> None:
    before = spoken()
    lexicon = tmp_path / "names.yaml"
    lexicon.write_text("Nguyen: {en: win /ˈwɪn/}\n")
    after = spoken(lexicon=str(lexicon))
    assert after.spoken == (True, False, False)
    assert after.dialogue.turns[0].text == before.dialogue.turns[0].text == "Call Nguyen."
    assert after.audio[1:] == before.audio[1:] and after.audio[0] != before.audio[0]
    assert spoken(language="es", lexicon=str(lexicon)).spoken == (True, True, True)
    lexicon.write_text("Nguyen: {en: win /ˈwɪn/, es: uin}\n")
    assert spoken(language="es", lexicon=str(lexicon)).spoken == (True, False, False)
    lexicon.write_text("Nguyen: {en: /ˈwɪɬ/}\n")
    with pytest.raises(InputError, match=r"names.yaml:1: 'Nguyen'.*'ɬ'"):
        spoken(lexicon=str(lexicon))


def test_a_script_in_yaml_says_whose_voice_is_whose(spoken: Callable[..., Performance], recording: Path) -> None:
    script = (
        "language: en\nspeakers:\n  Ann: {gender: feminine, voice: 'f4:70'}\n  Bob: {voice: david}\n"
        "turns:\n- {speaker: Ann, text: Hello.}\n- {speaker: Bob, text: Hi.}\n"
    )
    voices = spoken(script, name="one.yaml").voices
    assert (voices["Ann"]["name"], voices["Ann"]["pitch"], voices["Bob"]["name"]) == ("f4", 70, "david")
    with pytest.raises(InputError, match=r"one.yaml: voice .*ann.wav of Ann: espeak cannot clone"):
        spoken(script.replace("f4:70", str(recording)), name="one.yaml", engines={"synthesis": "espeak"})


def test_a_clone_needs_an_engine_that_can_a_consent_and_a_usable_recording(
    spoken: Callable[..., Performance], vowels: Callable[..., dict[str, str]], recording: Path, tmp_path: Path
) -> None:
    wish = {"Ann": str(recording)}
    with pytest.raises(MissingEngineError, match="chatterbox"):
        spoken(voices=wish)
    with pytest.raises(InputError, match=r"--voice Ann=.*espeak cannot clone"):
        spoken(voices=wish, engines={"synthesis": "espeak"})
    with pytest.raises(InputError, match="cannot clone"):
        spoken(voices=wish, engines=vowels())
    with pytest.raises(InputError, match=r"only with the consent of the person.*--voice-consent"):
        spoken(voices=wish, engines=vowels("clones"))
    consents = {"Ann": "Ann Lee, 2026-11-02"}
    made = spoken(voices=wish, voice_consents=consents, engines=vowels("clones"))
    voice = made.voices["Ann"]
    assert voice["consent"] == consents["Ann"] and voice["engine"] == "worker:vowels"
    assert workspace.store().has(voice["reference"]) and made.voices["Bob"]["name"] == "deep"
    assert made.engines["synthesis"] == "worker:vowels (1.2)"
    time = np.arange(8 * 16_000) / 16_000
    for name, samples, rate, words in (
        ("short", 0.3 * np.sin(900 * time[:32_000]), 16_000, "2.0 s long, not 5 to 120 s"),
        ("coarse", 0.3 * np.sin(900 * time[: 8 * 8000]), 8000, "8000 samples a second are too few"),
        ("tone", 0.3 * np.sin(900 * time), 16_000, "only 0.. s of speech"),
    ):
        path = tmp_path / f"{name}.wav"
        path.write_bytes(wav_bytes(samples.astype(np.float32), rate))
        with pytest.raises(InputError, match=f"--voice Ann=.*{words}.*that person's consent"):
            spoken(voices={"Ann": str(path)}, voice_consents=consents, engines=vowels("clones"))


def test_a_recording_that_changes_speaks_its_turns_anew(
    spoken: Callable[..., Performance], vowels: Callable[..., dict[str, str]], recording: Path, tmp_path: Path
) -> None:
    options = {"voice_consents": {"Ann": "Ann Lee, 2026-11-02"}, "engines": vowels("clones")}
    moved = tmp_path / "moved.wav"
    moved.write_bytes(recording.read_bytes())
    assert spoken(voices={"Ann": str(recording)}, **options).spoken == (True, True, True)
    assert spoken(voices={"Ann": str(moved)}, **options).spoken == (False, False, False)
    engine = EspeakSynthesizer()
    other = engine.speak(
        "This is another recording of somebody, long enough to be used. " * 2, "en", engine.voices("en", 1)[0]
    )
    moved.write_bytes(wav_bytes(other.samples, other.sample_rate))
    assert spoken(voices={"Ann": str(moved)}, **options).spoken == (True, False, True)


def test_what_an_engine_cannot_do_is_refused_before_work_begins(
    spoken: Callable[..., Performance], vowels: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"one.txt: worker:vowels does not speak 'hi'"):
        spoken(TALK.replace("  es:", "  hi:"), language="hi", engines=vowels())
    three = TALK + "Cleo: And I?\n  es: ¿Y yo?\n"
    with pytest.raises(InputError, match=r"2 voices of its own for 'en', and 3 speakers.*--voice"):
        spoken(three, engines=vowels())
    with pytest.raises(InputError, match=r"--voice Bob=squeaky: .*deep, high"):
        spoken(voices={"Bob": "squeaky"}, engines=vowels())
    assert "speak" not in (tmp_path / "log").read_text()
    for wish, words in (
        ({"Zoe": "f3"}, "Ann, Bob"),
        ({"Ann": "f3:200"}, "pitch is 0 to 99"),
        ({"Ann": "f3:x"}, "NAME:PITCH"),
    ):
        with pytest.raises(InputError, match=words):
            spoken(voices=wish)


def test_a_turn_that_an_engine_fails_at_is_named_and_the_others_are_kept(
    spoken: Callable[..., Performance], vowels: Callable[..., dict[str, str]]
) -> None:
    with pytest.raises(RenderError, match=r"turn 1 \(Ann\) in en: .*CUDA error: out of memory"):
        spoken(engines=vowels("crash"))
    assert spoken(engines=vowels("crash-once")).spoken == (True, True, True)


def test_an_engine_that_reads_no_digits_gets_words(
    spoken: Callable[..., Performance], vowels: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    made = spoken(engines=vowels())
    assert made.dialogue.turns[2].text == "It costs $20."
    assert "speak It costs twenty dollars. " in (tmp_path / "log").read_text()
