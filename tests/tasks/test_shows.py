"""Two episodes of a show: who is heard in both has the same face and voice, whatever the recordings call them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from catalog import shows
from catalog.casting import record_voice
from catalog.session import session_factory
from flows.console import progress_on_stderr
from media.audio import resample, write_wav
from media.dialogue import Turn
from media.rttm import write_rttm
from models.speech.espeak import EspeakSynthesizer
from tasks import casting, hearing, voices, workspace
from tasks.casting import CastSpeaker
from tasks.request import checked_request
from tasks.sources import read_source

RATE = 16_000
LINES = {
    "one": (
        "I have been thinking about the weather on the coast.",
        "It rained for a week when we were there last summer.",
    ),
    "two": (
        "Today we talk about bread, and why it rises at all.",
        "My grandmother baked every Saturday, in a clay oven.",
    ),
}


@pytest.fixture
def episode(
    tmp_path: Path, seeded_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[CastSpeaker, ...]]:
    """Records an episode in which a woman and a man speak, and casts it; returns who is heard first, and who second."""
    shutil.copytree(seeded_home, tmp_path / "home")
    monkeypatch.setenv("PORTRAYAL_HOME", str(tmp_path / "home"))
    engine = EspeakSynthesizer()
    speakers = engine.voices("en", 2, ["feminine", "masculine"])

    def record(name: str, order: str, *, keep: bool = True) -> tuple[CastSpeaker, ...]:
        pieces, turns, at = [], [], 0.0
        by_sex = dict(zip("wm", speakers, strict=True))
        for place, (who, text) in enumerate(zip(order, LINES[name], strict=True), 1):
            voice = by_sex[who]
            speech = engine.speak(f"{text} {text}", "en", voice)
            sound = resample(speech.samples, speech.sample_rate, RATE)
            turns.append(Turn(f"Voice {place}", "", round(at, 3), round(at + len(sound) / RATE, 3)))
            pieces += [sound, np.zeros(RATE, np.float32)]
            at += len(sound) / RATE + 1
        write_wav(tmp_path / f"{name}.wav", np.concatenate(pieces), RATE)
        (tmp_path / f"{name}.rttm").write_text(write_rttm(turns, name))
        request = checked_request(
            source=str(tmp_path / f"{name}.wav"), rttm=str(tmp_path / f"{name}.rttm"), show="Small talk",
            engines={"render": "still"},
        )  # fmt: skip
        source = read_source(request)
        heard = hearing.hear(source, request, 25)
        return casting.cast_portraits(request, source, heard.performance.dialogue, heard.pitch, heard=heard, keep=keep)

    return record


def test_a_person_keeps_face_and_voice_in_every_episode(
    episode: Callable[..., tuple[CastSpeaker, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    woman, man = episode("one", "wm")
    record = {"engine": "espeak", "name": "f2", "pitch": 55, "rate": 160, "reference": "", "show": "Small talk"}
    with session_factory(workspace.catalog()).begin() as session:
        shows.rename(session, "Small talk", woman.speaker, "Maria")
        record_voice(session, "one", woman.speaker, "en", record)
    asked = episode("two", "mw", keep=False)
    capsys.readouterr()
    with progress_on_stderr(show=True):
        his, hers = second = episode("two", "mw")
    told = capsys.readouterr().err
    assert "Show 'Small talk': " in told and f"{hers.speaker} is 'Maria' of the show (voice 0." in told
    assert "portrayal catalog people correct two SPEAKER --is NAME" in told
    assert asked == second
    assert (hers.portrait, his.portrait) == (woman.portrait, man.portrait)
    assert hers.speaker != woman.speaker, "the recordings call both by the same name"
    assert hers.reason.startswith("'Maria' of the show (voice 0.")
    recorded = list(voices._recorded_voices("two", "en", [his.speaker, hers.speaker], "Small talk"))
    assert recorded[-1] == {hers.speaker: record}
    with session_factory(workspace.catalog(), read_only=True)() as session:
        people = {
            member.name: [one.speaker for one in links] for member, links in shows.list_people(session, "Small talk")
        }
    assert people["Maria"] == [woman.speaker, hers.speaker] and people[man.speaker] == [man.speaker, his.speaker]
