"""Voices: one for each speaker, the same ones whenever they speak, and no sentence is spoken twice."""

import itertools
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from models.speech.engines import synthesizer
from tasks import bookkeeping, casting, segments, speaking, workspace
from tasks.performance import Performance
from tasks.request import checked_request
from tasks.sources import read_source


@pytest.fixture
def home(tmp_path: Path, seeded_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(seeded_home, tmp_path / "home")
    monkeypatch.setenv("PORTRAYAL_HOME", str(tmp_path / "home"))


@pytest.fixture
def spoken(tmp_path: Path, home: None) -> Callable[..., Performance]:
    """Speaks a script that is written to the same file each time."""

    def speak(text: str, language: str = "en", *cast: str, timeline: str = "elastic") -> Performance:
        path = tmp_path / ("talk.vtt" if text.startswith("WEBVTT") else "talk.txt")
        path.write_text(text, encoding="utf-8")
        wishes = dict(one.split("=") for one in cast)
        request = checked_request(
            source=str(path), languages=[language], cast=wishes, engines={"render": "still"}, timeline=timeline
        )
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


LONG = (
    "language: en\nspeaker: Ann = feminine\nspeaker: Bob = masculine\n\n"
    "Ann: Welcome to our little programme about mountains.\n"
    "  es: Bienvenidos y bienvenidas a nuestro pequeño programa dedicado a las montañas.\n"
    "Bob: Thank you.\n  es: Gracias.\n"
    "Ann: Why?\n  es: ¿Y por qué motivo le parece a usted que eso es así, si me permite la pregunta?\n"
    "Bob: Because.\n  es: Porque sí.\n"
)


def test_locked_turns_begin_and_end_as_in_the_scripts_own_language(spoken: Callable[..., Performance]) -> None:
    from media.audio import read_audio

    english, spanish = spoken(LONG), spoken(LONG, "es", timeline="locked")
    first, second, third, fourth = spanish.fits
    starts = [turn.start for turn in english.dialogue.turns]
    assert [turn.start for turn in spanish.dialogue.turns][:3] == pytest.approx(starts[:3], abs=1e-6)
    assert spanish.seconds >= english.seconds
    assert first.spoken_pace > 1.05 and first.over == 0 and first.late == 0
    assert second.over == 0
    # Eighty letters in the time of "Why?" cannot be understood, and nobody pretends that they can.
    assert third.over > 0.5 and third.stretch == pytest.approx(1.4, abs=0.01) and fourth.late > 0
    said = (
        f"Turn 3 (Ann) in es is {third.over:.2f} s too long for its slot of {third.slot:.2f} s and the pause after it"
    )
    assert spanish.notes[0].startswith(said)
    assert spanish.notes[1].startswith("Turn 4 (Bob) in es begins ") and "1 turn in es had to be" in spanish.notes[2]
    for span, sound, audio in zip(spanish.timeline.spans, spanish.sounds, spanish.audio, strict=True):
        assert len(read_audio(workspace.store().fetch(sound), 48_000)) == span.samples
        assert len(read_audio(workspace.store().fetch(audio), 16_000)) == -(-span.samples // 3)
    # Every pace and every length is made once.
    before = {path.name for path in workspace.store().root.glob("*/*")}
    again = spoken(LONG, "es", timeline="locked")
    assert not any(again.spoken)
    assert replace(again, spoken=spanish.spoken) == spanish
    assert {path.name for path in workspace.store().root.glob("*/*")} == before
    # In its own language there is nothing to fit.
    assert replace(spoken(LONG, "en", timeline="locked"), spoken=english.spoken) == english


def test_the_record_tells_how_each_turn_was_fitted(tmp_path: Path, home: None) -> None:
    (tmp_path / "talk.txt").write_text(LONG, encoding="utf-8")
    request = checked_request(
        source=str(tmp_path / "talk.txt"), out=str(tmp_path / "out"), languages=["es"], engines={"render": "still"},
        timeline="locked",
    )  # fmt: skip
    source = read_source(request)
    people = casting.cast_portraits(request, source, source.dialogue)
    performance = speaking.speak(request, source, "es", people, 25)
    planned = segments.plan_segments(request, performance, people, listeners=False)
    record = bookkeeping.write_record(request, source, people, [performance], planned, {}, {}, {}, None, {}, 0.0).record
    assert record["request"]["timeline"] == "locked" and record["notes"] == list(performance.notes)
    fits = [turn["fit"] for turn in record["renditions"][0]["turns"]]
    assert [fit["comfortable"] for fit in fits] == [fit.comfortable for fit in performance.fits]
    assert fits[2]["over"] == performance.fits[2].over > 0 and not fits[2]["comfortable"]
    assert set(fits[0]) == {"natural", "slot", "spoken_pace", "stretch", "borrowed", "late", "over", "comfortable"}


TIMED = """WEBVTT
Language: en

00:00:01.000 --> 00:00:02.600
<v Ann>Welcome to our programme.</v>

00:00:04.600 --> 00:00:06.000
<v Bob>Thank you very much.</v>

00:00:10.000 --> 00:00:12.000
<v Ann>Tell us something.</v>
"""


def test_a_script_with_times_is_locked_to_them(spoken: Callable[..., Performance]) -> None:
    performance = spoken(TIMED, timeline="locked")
    assert [turn.start for turn in performance.dialogue.turns] == pytest.approx([1.0, 4.6, 10.0], abs=0.02)
    assert performance.notes == () and all(fit.over == fit.late == 0 for fit in performance.fits)
    assert all(fit.spoken_pace >= 0.8 and fit.stretch >= 0.84 for fit in performance.fits)


def test_an_elastic_timeline_keeps_the_sources_pauses_in_proportion(spoken: Callable[..., Performance]) -> None:
    turns = spoken(TIMED).dialogue.turns
    pauses = [later.start - one.end for one, later in itertools.pairwise(turns)]  # type: ignore[operator]
    assert pauses[1] / pauses[0] == pytest.approx(2.0, abs=0.1)
    said = sum(turn.end - turn.start for turn in turns)  # type: ignore[operator]
    assert pauses[0] / said == pytest.approx(2.0 / 5.0, abs=0.03)


def test_voices_differ_when_many_speak() -> None:
    engine = synthesizer("espeak")
    voices = engine.voices("en", 6, ["feminine"] * 6)
    assert len(set(voices)) == 6
