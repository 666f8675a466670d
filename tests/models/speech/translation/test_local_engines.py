"""OPUS-MT and MADLAD through transformers, with models that are small but real."""

import shutil
from pathlib import Path

import pytest

from media.dialogue import Glossary
from media.errors import InputError, MissingEngineError
from media.settings import Settings
from models.speech import engines
from models.speech.protocols import Line
from models.speech.translation.lines import translate_lines
from models.speech.translation.madlad import MadladTranslator
from models.speech.translation.marian import MarianTranslator, pair_of

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def lines(*texts: str) -> list[Line]:
    return [Line(text) for text in texts]


def test_marian_translates_each_line_in_its_place_and_sentence_by_sentence(opus: Path) -> None:
    engine = MarianTranslator(str(opus))
    told = engine.translate(lines("Good night!", "Who is there? Good morning.", "Good morning."), "en", "de")
    assert told == ("Gute Nacht!", "Wer ist da? Guten Morgen.", "Guten Morgen.")


def test_a_model_of_several_targets_is_told_which_one(opus: Path) -> None:
    engine = MarianTranslator(str(opus))
    assert engine.translate(lines("Good morning."), "en-GB", "es-MX") == ("Buenos días.",)
    assert engine.translate(lines("Good morning."), "en", "pt-BR") == ("Bom dia.",)


def test_a_pair_without_a_model_goes_over_english_and_says_so(opus: Path) -> None:
    engine = MarianTranslator(str(opus))
    assert engine.translate(lines("Gute Nacht!"), "de", "es") == ("¡Buenas noches!",)
    assert "opus-mt-de-en" in engine.version("de", "es") and "over English" in engine.version("de", "es")
    assert "over English" not in engine.version("de", "en")


def test_what_marian_has_is_known_without_loading_a_model(opus: Path) -> None:
    engine = MarianTranslator(str(opus))
    assert engine.languages("en") == ["de", "es", "pt-BR"]
    assert engine.languages("de") == ["en", "es", "pt-BR"]
    assert engine.languages("fr") == []
    with pytest.raises(MissingEngineError, match=r"'fr'.*de, es, pt-BR.*opus-mt-en-fr"):
        engine.version("en", "fr")


def test_one_model_can_be_named_by_its_path_whatever_it_is_called(opus: Path, bare: Settings) -> None:
    named = bare.home / "ours"
    shutil.copytree(opus / "opus-mt-en-de", named)
    assert MarianTranslator(str(named), bare).translate(lines("Good night!"), "en", "de") == ("Gute Nacht!",)
    with pytest.raises(MissingEngineError, match="hf download Helsinki-NLP/opus-mt-en-fi"):
        MarianTranslator("Helsinki-NLP/opus-mt-en-fi", bare)


def test_other_weights_are_another_version(opus: Path, bare: Settings) -> None:
    before = MarianTranslator(str(opus)).version("en", "de")
    copy = bare.home / "models" / "opus-mt-en-de"
    shutil.copytree(opus / "opus-mt-en-de", copy)
    assert MarianTranslator(None, bare).version("en", "de") == before
    changed = bare.home / "other" / "opus-mt-en-de"
    shutil.copytree(opus / "opus-mt-de-en", changed)
    assert MarianTranslator(str(changed.parent), bare).version("en", "de") != before


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("opus-mt-en-de", ("en", "de")),
        ("opus-mt-tc-big-en-pt", ("en", "pt")),
        ("opus-mt_tiny_eng-deu", ("eng", "deu")),
        ("opus-mt-en-jap", ("en", "ja")),
        ("opus-mt-en-ROMANCE", ("en", "ROMANCE")),
        ("opus", ("", "")),
    ],
)
def test_the_languages_of_a_model_are_in_its_name(name: str, pair: tuple[str, str]) -> None:
    assert pair_of(name) == pair


def test_madlad_is_told_the_language_by_a_token(madlad: Path) -> None:
    engine = MadladTranslator(str(madlad))
    assert engine.translate(lines("Good night!", "Who is there?"), "en", "de-AT") == ("Gute Nacht!", "Wer ist da?")
    assert engine.translate(lines("Good night!", "Who is there?"), "en", "es") == (
        "¡Buenas noches!",
        "¿Quién está ahí?",
    )


def test_madlads_own_codes_are_read_from_its_vocabulary(madlad: Path) -> None:
    engine = MadladTranslator(str(madlad))
    assert engine.languages("en") == ["de", "es", "he", "no", "pt", "zh", "zh-Hant"]
    assert [engine._code("en", tag) for tag in ("he", "nb", "zh-TW", "zh-CN", "pt-BR")] == [
        "iw",
        "no",
        "zh_Hant",
        "zh",
        "pt",
    ]
    with pytest.raises(InputError, match=r"'fr'.*de, es, he"):
        engine.version("en", "fr")


def test_terms_stay_in_place_through_a_real_model(opus: Path) -> None:
    engine = MarianTranslator(str(opus))
    glossary = Glossary(("Portrayal",), {"the night shift": {"de": "die Nachtschicht"}})
    told = translate_lines(
        engine, lines("Portrayal is here.", "Good morning. The night shift is here."), "en", "de", glossary
    )
    assert told == ("Portrayal ist hier.", "Guten Morgen. die Nachtschicht ist hier.")


def test_auto_takes_what_has_both_languages(opus: Path, madlad: Path, bare: Settings) -> None:
    assert engines.translator("auto", "en", "de", bare) is None
    shutil.copytree(madlad, bare.models_dir / "madlad" / "madlad400-3b-mt")
    found = engines.translator("auto", "en", "de", bare)
    assert found is not None and found.name == "madlad"
    shutil.copytree(opus, bare.models_dir / "marian")
    assert [getattr(engines.translator("auto", "en", tag, bare), "name", None) for tag in ("de", "he", "fr")] == [
        "marian",
        "madlad",
        None,
    ]


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("marian", MissingEngineError, "hf download Helsinki-NLP/opus-mt-en-de"),
        ("madlad", MissingEngineError, "hf download google/madlad400-3b-mt"),
        ("openai", MissingEngineError, "PORTRAYAL_TRANSLATION_URL"),
        ("babel", InputError, "auto, marian or madlad or openai"),
    ],
)
def test_an_engine_that_is_asked_for_and_cannot_run_says_what_to_do(
    bare: Settings, name: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        engines.translator(name, "en", "de", bare)


def test_a_folder_that_is_no_model_is_refused(bare: Settings) -> None:
    folder = bare.models_dir / "marian" / "opus-mt-en-de"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "vocab.json").write_text("{}")
    with pytest.raises(MissingEngineError, match="opus-mt-en-de"):
        MarianTranslator(None, bare).translate(lines("Hello."), "en", "de")
