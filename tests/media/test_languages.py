"""Language tags: normalised once at the edge, and mapped to each engine's own codes."""

import pytest

from media.dialogue import language_tag
from media.errors import InputError
from media.languages import base_language, closest, public_tags, script_of
from models.speech import espeak
from models.speech.languages import WHISPER

TABLE = [
    # as written, as kept, espeak's voice, whisper's code
    ("en", "en", "gmw/en", "en"),
    ("EN_gb", "en-GB", "gmw/en", "en"),
    ("pt-br", "pt-BR", "roa/pt-BR", "pt"),
    ("pt_BR", "pt-BR", "roa/pt-BR", "pt"),
    ("pt-AO", "pt-AO", "roa/pt", "pt"),
    ("es-419", "es-419", "roa/es-419", "es"),
    ("es-MX", "es-MX", "roa/es-419", "es"),
    ("iw", "he", "sem/he", "he"),
    ("he", "he", "sem/he", "he"),
    ("in", "id", "poz/id", "id"),
    ("mo", "ro", "roa/ro", "ro"),
    ("jv", "jv", None, "jw"),
    ("tl", "fil", None, "tl"),
    ("no", "no", "gmq/nb", "no"),
    ("nb", "nb", "gmq/nb", "no"),
    ("nn", "nn", "gmq/nb", "nn"),
    ("cmn", "zh", "sit/cmn", "zh"),
    ("zh-TW", "zh-TW", "sit/cmn", "zh"),
    ("zh_hant_tw", "zh-Hant-TW", "sit/cmn", "zh"),
    ("zh-HK", "zh-HK", "sit/yue", "zh"),
    ("yue", "yue", "sit/yue", "yue"),
    ("sr-Latn", "sr-Latn", "zls/sr", "sr"),
    ("arb", "ar", "sem/ar", "ar"),
    ("hi", "hi", "inc/hi", "hi"),
    ("tlh", "tlh", None, None),
]


@pytest.mark.parametrize(("written", "kept", "spoken", "heard"), TABLE)
def test_a_tag_means_the_same_everywhere(written: str, kept: str, spoken: str | None, heard: str | None) -> None:
    tag = language_tag(written, "--lang")
    assert tag == kept and language_tag(tag, "--lang") == tag
    assert espeak_voice(tag) == spoken
    assert closest(tag, WHISPER) == heard


def espeak_voice(tag: str) -> str | None:
    try:
        return espeak._identifier(tag)
    except InputError as refusal:
        assert f"'{tag}'; it has af, am" in str(refusal) and " zh" in str(refusal)
        return None


@pytest.mark.parametrize("written", ["", " ", "english", "xx", "und", "e", "de-", "12", "en-US-oops-and-more", "🇩🇪"])
def test_what_is_no_tag_is_refused_by_name(written: str) -> None:
    with pytest.raises(InputError, match="--lang"):
        language_tag(written, "--lang")


def test_whispers_codes_are_those_of_its_package() -> None:
    from whisper.tokenizer import LANGUAGES

    assert tuple(LANGUAGES) == WHISPER


@pytest.mark.parametrize(
    ("tag", "known", "found"),
    [
        ("zh-TW", ["zh", "en"], None),
        ("zh-TW", ["zh", "zh-Hant"], "zh-Hant"),
        ("zh-HK", ["cmn_Hans", "cmn_Hant"], "cmn_Hant"),
        ("zh", ["zh-TW", "zh-CN"], "zh-CN"),
        ("sr", ["sr-Latn"], None),
        ("de-AT", ["en", "de"], "de"),
        ("de", ["nl", "gsw", "af"], None),
        ("eu", ["es"], None),
        ("pt", ["pt_br", "pt_PT"], "pt_br"),
    ],
)
def test_what_is_read_must_be_in_the_same_script(tag: str, known: list[str], found: str | None) -> None:
    assert closest(tag, known, same_script=True) == found


def test_codes_are_shown_as_tags() -> None:
    assert public_tags(["pt_br", "iw", "jw", "cmn", "not a tag"]) == ["he", "jv", "pt-BR", "zh"]
    assert base_language("not a tag") is None and script_of("zh-TW") == "Hant"
