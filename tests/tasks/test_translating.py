"""What a script lacks is translated before it is spoken: once, by a real server on this machine, and on record."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from media.errors import InputError, MissingEngineError, TranslationError
from media.localization import Unit, units_of
from media.xliff import write_xliff
from tasks import casting, hearing, speaking, translating, workspace
from tasks.performance import Performance
from tasks.request import ProductionRequest, checked_request
from tasks.sources import Source, read_source, script_languages

TALK = """\
language: en
speaker: Ann = feminine
speaker: Bob = masculine

Ann: Good morning, Leo.
  de: Guten Morgen, Leo.
Bob (sleepily): Hello {name}.
Ann: Good morning, Leo.
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, seeded_home: Path, monkeypatch: pytest.MonkeyPatch, translation_server: Any) -> None:
    shutil.copytree(seeded_home, tmp_path / "home")
    monkeypatch.setenv("PORTRAYAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for variable in ("HF_HUB_CACHE", "HF_HOME", "PORTRAYAL_TRANSLATION_KEY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PORTRAYAL_TRANSLATION_URL", translation_server.url)
    monkeypatch.setenv("PORTRAYAL_TRANSLATION_MODEL", "polyglot")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def asked(tmp_path: Path) -> Callable[..., ProductionRequest]:
    """A request for the script `talk.txt` in German, translated by the server."""

    def request(text: str = TALK, *, engine: str | None = "openai", **options: Any) -> ProductionRequest:
        path = tmp_path / "talk.txt"
        path.write_text(text, encoding="utf-8")
        engines = {"render": "still"} | ({"translation": engine} if engine else {})
        return checked_request(**{"source": str(path), "languages": ["de"], "engines": engines} | options)

    return request


def texts(source: Source, tag: str = "de") -> list[str]:
    assert source.script is not None
    return [turn.text for turn in source.script.dialogues[tag].turns]


def test_only_what_nobody_translated_is_translated(asked: Callable[..., Any], translation_server: Any) -> None:
    request = asked()
    source = read_source(request)
    assert texts(source) == ["Guten Morgen, Leo.", "", ""] and translation_server.asked == []
    done = translating.translate(request, source)
    assert texts(done) == ["Guten Morgen, Leo.", "<Hello {name}.>", "<Good morning, Leo.>"]
    assert translation_server.sizes() == [2]
    made = done.translations["de"]
    assert (made.engine, made.turns) == ("openai", (1, 2)) and made.version.startswith("polyglot at 127.0.0.1")


def test_nothing_is_paid_twice(asked: Callable[..., Any], translation_server: Any) -> None:
    def run(**options: Any) -> None:
        request = asked(**options)
        translating.translate(request, read_source(request))

    plain = TALK.replace("  de: Guten Morgen, Leo.\n", "")
    run(text=plain)
    assert translation_server.sizes() == [2]  # the same sentence of two turns is one
    run(text=plain)
    run(text=plain.replace("Bob (sleepily)", "Zoe (loudly)").replace("speaker: Bob", "speaker: Zoe"))
    assert translation_server.sizes() == [2]
    run(text=plain.replace("Hello {name}.", "Goodbye."))
    assert translation_server.sizes() == [2, 1]
    Path("terms.yaml").write_text("keep: [Leo]\nterms: {evening: {de: Abend}}\n")
    run(text=plain, glossary="terms.yaml")
    assert translation_server.sizes() == [2, 1, 1]  # only the text with the term in it
    run(text=plain, languages=["fr"])
    assert translation_server.sizes() == [2, 1, 1, 2]


def test_a_plan_asks_no_engine(asked: Callable[..., Any], translation_server: Any) -> None:
    request = asked()
    left = translating.translate(request, read_source(request), only_kept=True)
    assert left.untranslated("de") == (1, 2) and translation_server.asked == []


def test_a_turn_that_cannot_be_translated_is_named_and_the_others_are_kept(
    asked: Callable[..., Any], translation_server: Any
) -> None:
    request = asked()
    translation_server.fault = lambda entries, turn: [one for one in entries if "Hello" not in one["text"]]
    with pytest.raises(TranslationError, match=r"turn 2 \(Bob\) into 'de'") as raised:
        translating.translate(request, read_source(request))
    assert raised.value.exit_code == 2
    kept = translating.translate(request, read_source(request), only_kept=True)
    assert texts(kept) == ["Guten Morgen, Leo.", "", "<Good morning, Leo.>"]


def test_without_an_engine_a_script_must_be_whole(asked: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=r"talk\.txt:7: .*no line in 'de'"):
        read_source(asked(engine=None))
    with pytest.raises(InputError, match=r"--lang fr: .*talk\.txt has no lines in it.*--engine translation=NAME"):
        read_source(asked(TALK.replace("  de: Guten Morgen, Leo.\n", ""), engine=None, languages=["fr"]))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"engine": "marian"}, MissingEngineError, "--engine translation=marian: .*opus-mt-en-de"),
        ({"engine": "babel"}, InputError, "--engine translation=babel: .*marian or madlad or openai"),
        ({"languages": ["jv"]}, InputError, "espeak does not speak 'jv'; it has af, am"),
        ({"glossary": "nothing.yaml"}, InputError, "nothing.yaml"),
        ({"source_language": "nonsense"}, InputError, "--source-lang"),
        ({"source_language": "fr"}, InputError, "--source-lang fr: .*is in 'en'"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_asked(
    asked: Callable[..., Any], translation_server: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        read_source(asked(**options))
    assert translation_server.asked == []


def test_terms_of_the_script_and_of_the_file_hold_together(asked: Callable[..., Any], tmp_path: Path) -> None:
    script = tmp_path / "talk.yaml"
    script.write_text(
        "language: en\nglossary: {keep: [Portrayal], terms: {night: {de: Abend}}}\n"
        "turns:\n- {speaker: Ann, text: Portrayal at night}\n"
    )
    Path("terms.yaml").write_text("terms: {night: {de: Nacht}}\n")
    request = asked(source=str(script), glossary="terms.yaml")
    assert texts(translating.translate(request, read_source(request))) == ["<Portrayal at Nacht>"]


def test_a_translation_beside_the_script_is_used_turn_by_turn(asked: Callable[..., Any], tmp_path: Path) -> None:
    plain = TALK.replace("  de: Guten Morgen, Leo.\n", "")
    request = asked(plain, engine=None, languages=["en"])
    script = read_source(request).script
    assert script is not None
    units = [
        Unit(one.id, one.source, "" if one.speaker == "Bob" else f"{one.id}: ja")
        for one in units_of(script.source, None, "de")
    ]
    (tmp_path / "talk.de.xlf").write_text(write_xliff(units, "en", "de", "talk.txt"), encoding="utf-8")
    with pytest.raises(InputError, match=r"--lang de: turn 2 of .*talk\.txt has no translation"):
        read_source(asked(plain, engine=None))
    assert script_languages(tmp_path / "talk.txt") == ("en",)
    request = asked(plain)
    done = translating.translate(request, read_source(request))
    assert texts(done) == ["t1: ja", "<Hello {name}.>", "t3: ja"] and done.translations["de"].turns == (1,)
    (tmp_path / "talk.de.xlf").write_text(write_xliff(units[1:], "en", "fr", "talk.txt"), encoding="utf-8")
    with pytest.raises(InputError, match=r"talk\.de\.xlf: it translates 'en' into 'fr'"):
        read_source(asked(plain))


def test_a_translated_script_is_spoken_in_its_language(asked: Callable[..., Any]) -> None:
    request = asked()
    source = translating.translate(request, read_source(request))
    people = casting.cast_portraits(request, source, source.dialogue)
    performance = speaking.speak(request, source, "de", people, 25)
    assert [turn.text for turn in performance.dialogue.turns] == texts(source)
    assert performance.language == "de" and len(performance.sounds) == 3


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two voices, with a transcript beside and a file with who speaks when."""
    import numpy as np

    from media.audio import resample, wav_bytes
    from models.speech.engines import synthesizer

    engine = synthesizer("espeak")
    said = (("Ann", 0.2, "How are you today?"), ("Bob", 2.2, "Fine, thank you very much."))
    track = np.zeros(round(4.5 * 16_000), np.float32)
    lines, cues = [], ["WEBVTT", ""]
    for (name, start, text), voice in zip(said, engine.voices("en", 2, ["feminine", "masculine"]), strict=True):
        speech = engine.speak(text, "en", voice)
        samples = resample(speech.samples, speech.sample_rate, 16_000)
        at = round(start * 16_000)
        track[at : at + len(samples)] = samples
        lines.append(f"SPEAKER call 1 {start} {len(samples) / 16_000:.3f} <NA> <NA> {name} <NA> <NA>")
        end = start + len(samples) / 16_000
        cues += [f"00:00:{start:06.3f} --> 00:00:{end:06.3f}", f"<v {name}>{text}</v>", ""]
    (tmp_path / "call.wav").write_bytes(wav_bytes(track, 16_000))
    (tmp_path / "call.vtt").write_text("\n".join(cues))
    (tmp_path / "who.rttm").write_text("\n".join(lines) + "\n")
    return tmp_path / "call.wav"


def dub(recording: Path, **options: Any) -> tuple[ProductionRequest, Source]:
    given = {"source": str(recording), "rttm": str(recording.with_name("who.rttm")), "languages": ["en", "de"]}
    given["engines"] = {"render": "still", "translation": "openai", "alignment": "proportional"}
    request = checked_request(**given | options)
    source = read_source(request)
    return request, translating.dubbed(request, source, hearing.hear(source, request, 25).performance)


def spoken(request: ProductionRequest, source: Source) -> Performance:
    """A dubbed recording in German."""
    heard = hearing.hear(read_source(request), request, 25)
    people = casting.cast_portraits(request, source, heard.performance.dialogue, heard.pitch)
    return speaking.speak(request, source, "de", people, 25)


def test_a_recording_is_dubbed_in_another_language(recording: Path) -> None:
    request, source = dub(recording)
    assert source.languages == ("en", "de") and source.spoken == "en"
    done = translating.translate(request, source)
    assert texts(done) == ["<How are you today?>", "<Fine, thank you very much.>"]
    performance = spoken(request, done)
    assert performance.dialogue.speakers == ("Ann", "Bob") and len(performance.sounds) == 2
    assert performance.voices["Ann"] != performance.voices["Bob"]


def test_a_dubbed_recording_has_the_voices_and_pronunciations_that_are_asked_for(
    recording: Path, tmp_path: Path
) -> None:
    def dubbed(**options: Any) -> Performance:
        request, source = dub(recording, **options)
        return spoken(request, translating.translate(request, source))

    assert dubbed().spoken == (True, True)
    changed = dubbed(voices={"bob": "david:30"})
    assert changed.spoken == (False, True) and changed.voices["Bob"]["pitch"] == 30
    (tmp_path / "names.yaml").write_text("today: {de: heute}\nthank: {en: /ˈwɪɬ/}\n")
    assert dubbed(voices={"Bob": "david:30"}, lexicon="names.yaml").spoken == (True, False)
    # What is said in a translation is known only when it is there.
    (tmp_path / "names.yaml").write_text("today: {de: /ˈwɪɬ/}\n")
    with pytest.raises(InputError, match=r"names.yaml:1: 'today'.*'ɬ'"):
        dubbed(lexicon="names.yaml")


def test_voices_for_nobody_and_of_nobody_are_refused_before_anybody_listens(recording: Path) -> None:
    for options, words in (
        ({"voices": {"Ann": "squeaky"}}, "--voice Ann=squeaky: "),
        ({"voices": {"Ann": "f3:200"}}, "pitch is 0 to 99"),
        ({"voice_consents": {"Ann": "Ann Lee"}}, "no recording of Ann is to be cloned"),
        ({"lexicon": "none.yaml"}, "none.yaml"),
    ):
        with pytest.raises((InputError, MissingEngineError), match=words):
            dub(recording, **options)
    own = {"languages": ["en"], "engines": {"render": "still", "alignment": "proportional"}}
    for options in ({"voices": {"Ann": "f3"}}, {"lexicon": "none.yaml"}, {"voice_consents": {"Ann": "Ann Lee"}}):
        for languages in (own, own | {"source_language": "en"}, {"languages": ["en"], "source_language": "en"}):
            with pytest.raises(InputError, match=r"no turn of .*call\.wav is spoken.*--source-lang and --lang"):
                dub(recording, **options, **languages)
    assert not list(workspace.store().root.glob("hearings/*"))
    # Who speaks, and in what language, is known only when it was heard.
    with pytest.raises(InputError, match=r"--voice Zoe=f3: nobody called 'Zoe'.*Ann, Bob"):
        dub(recording, voices={"Zoe": "f3"})
    with pytest.raises(InputError, match=r"--voice: no turn of .*call\.wav is spoken"):
        dub(recording, voices={"Ann": "f3"}, languages=["en"])


def test_a_locked_translation_lies_where_the_recording_does_and_is_as_long(
    recording: Path, translation_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, source = dub(recording, timeline="locked")
    heard = hearing.hear(read_source(request), request, 25).performance
    german = spoken(request, translating.translate(request, source))
    for own, other, fit in zip(heard.timeline.spans, german.timeline.spans, german.fits, strict=True):
        assert (other.start_frame, other.start_sample) == (own.start_frame, own.start_sample)
        assert fit.late == fit.over == 0 and fit.slot == pytest.approx(own.frames / 25)
    assert german.timeline.frames == heard.timeline.frames and german.seconds == heard.seconds
    # A sentence that does not fit makes the next one late, and the video no longer than it must be.
    translation_server.fault = lambda entries, turn: [
        one | {"text": one["text"] * (12 if "today" in one["text"] else 1)} for one in entries
    ]
    monkeypatch.setenv("PORTRAYAL_TRANSLATION_MODEL", "chatterer")
    request, source = dub(recording, timeline="locked")
    long = spoken(request, translating.translate(request, source))
    assert long.fits[0].over > 0 and long.fits[1].late == pytest.approx(
        (long.timeline.spans[1].start_frame - heard.timeline.spans[1].start_frame) / 25
    )
    assert long.notes[0].startswith("Turn 1 (Ann) in de is ")


def test_a_recording_in_its_own_language_stays_as_it_is(recording: Path) -> None:
    assert dub(recording, languages=["en-GB"])[1].script is None
    _, source = dub(recording, languages=["en"], engines={"render": "still", "alignment": "proportional"})
    assert source.script is None and source.languages == ("en",)


def test_a_recording_that_nobody_wrote_down_cannot_be_dubbed(recording: Path) -> None:
    recording.with_suffix(".vtt").unlink()
    with pytest.raises(MissingEngineError, match=r"call\.wav: nothing writes down what is said"):
        dub(recording)


def test_a_recording_in_a_language_that_no_engine_has_is_refused_before_it_is_heard(recording: Path) -> None:
    engines = {"render": "still", "alignment": "proportional"}
    with pytest.raises(InputError, match=r"'en' is spoken in .*--engine translation=NAME"):
        dub(recording, languages=["de"], source_language="en", engines=engines)
    with pytest.raises(InputError, match="espeak does not speak 'jv'"):
        dub(recording, languages=["jv"])
    assert not list(workspace.store().root.glob("hearings/*"))
