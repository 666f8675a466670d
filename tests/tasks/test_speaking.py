"""Voices: one for each speaker, the same ones whenever they speak, and no sentence is spoken twice."""

from collections.abc import Callable
from pathlib import Path

import pytest

from models.speech.engines import synthesizer
from tasks import casting, speaking, workspace
from tasks.performance import Performance
from tasks.request import checked_request
from tasks.sources import read_source


@pytest.fixture
def spoken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Performance]:
    """Speaks a script that is written to the same file each time."""
    monkeypatch.setenv("PORTRAYAL_HOME", str(tmp_path / "home"))

    def speak(text: str, language: str = "en", *cast: str) -> Performance:
        path = tmp_path / "talk.txt"
        path.write_text(text, encoding="utf-8")
        wishes = dict(one.split("=") for one in cast)
        request = checked_request(source=str(path), languages=[language], cast=wishes, engines={"render": "still"})
        source = read_source(request)
        people = casting.cast_portraits(request, source, source.dialogue)
        return speaking.speak(request, source, language, people, 25)

    return speak


TALK = (
    "language: en\nspeaker: Ann = feminine\nspeaker: Bob = masculine\n\nAnn: One.\n  es: Uno.\nBob: Two.\n  es: Dos.\n"
)


def test_every_speaker_has_a_voice_of_their_own_in_every_language(spoken: Callable[..., Performance]) -> None:
    english, spanish = spoken(TALK), spoken(TALK, "es")
    assert english.voices["Ann"]["name"] != english.voices["Bob"]["name"]
    assert english.voices["Ann"]["name"] == spanish.voices["Ann"]["name"]
    assert (english.voices["Ann"]["gender"], english.voices["Bob"]["gender"]) == ("feminine", "masculine")


def test_somebody_who_comes_late_takes_nobodys_voice_away(spoken: Callable[..., Performance]) -> None:
    before = spoken(TALK).voices
    late = TALK.replace("Ann: One.", "Zoe: Zero.\n  es: Cero.\nAnn: One.").replace(
        "speaker: Bob", "speaker: Zoe = feminine\nspeaker: Bob"
    )
    after = spoken(late).voices
    assert {name: after[name] for name in before} == before
    assert len({voice["name"] for voice in after.values()}) == 3


def test_turns_begin_with_a_frame_and_keep_their_own_length(spoken: Callable[..., Performance]) -> None:
    performance = spoken(TALK)
    assert [turn.text for turn in performance.dialogue.turns] == ["One.", "Two."]
    for turn, span in zip(performance.dialogue.turns, performance.timeline.spans, strict=True):
        assert turn.start == pytest.approx(span.start_frame / 25)
        assert turn.end is not None and turn.start is not None
        assert turn.end - turn.start == pytest.approx(span.samples / 48_000)
        assert span.frames - 1 < (turn.end - turn.start) * 25 <= span.frames


def test_the_same_sentence_is_spoken_once(spoken: Callable[..., Performance]) -> None:
    spoken(TALK)
    sounds = {path.name for path in workspace.store().root.glob("audio/*")}
    again = spoken(TALK + "Ann: One.\n  es: Uno.\n", "en")
    assert again.audio[0] == again.audio[2]
    assert {path.name for path in workspace.store().root.glob("audio/*")} == sounds


def test_a_voice_follows_the_portrait_that_is_wished_for(spoken: Callable[..., Performance]) -> None:
    from catalog.portraits import list_portraits
    from catalog.session import session_factory

    plain = TALK.replace("speaker: Ann = feminine\n", "")
    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        him = list_portraits(session, presentation="masculine")[0].slug
    assert spoken(plain, "en", f"Ann={him}").voices["Ann"]["gender"] == "masculine"


def test_voices_differ_when_many_speak() -> None:
    engine = synthesizer("espeak")
    voices = engine.voices("en", 6, ["feminine"] * 6)
    assert len(set(voices)) == 6
