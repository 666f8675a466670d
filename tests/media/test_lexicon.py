"""Lexicons as campaigns write them, and what is wrong with those that cannot be read."""

import csv
import io
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from media.errors import InputError
from media.lexicon import Pronunciation, read_lexicon


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def plain(found: dict[str, Pronunciation]) -> dict[str, tuple[str, str]]:
    return {term: (one.respelling, one.ipa) for term, one in found.items()}


def test_yaml_and_csv_say_the_same(tmp_path: Path) -> None:
    one = read_lexicon(
        written(
            tmp_path,
            "a.yaml",
            "Portrayal: por tray al\nNguyen:\n  en: win /wɪn/\n  fr: /ŋwiɛn/\nno: {pt-BR: enn oh}\n",
        )
    )
    other = read_lexicon(
        written(
            tmp_path,
            "a.csv",
            "term,language,say\nPortrayal,*,por tray al\nNguyen,en,win /wɪn/\nNguyen,fr,/ŋwiɛn/\n\nno,pt-br,enn oh\n",
        )
    )
    for language in ("en", "fr", "pt-BR", "hi", "en-GB"):
        assert plain(one.pronunciations(language)) == plain(other.pronunciations(language))
    assert plain(one.pronunciations("en-GB")) == {"Portrayal": ("por tray al", ""), "Nguyen": ("win", "wɪn")}
    assert plain(one.pronunciations("fr"))["Nguyen"] == ("", "ŋwiɛn")
    assert "no" not in one.pronunciations("pt") and "no" in one.pronunciations("pt-BR")
    assert other.entries["Nguyen"]["fr"].where.endswith("a.csv:4")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.yaml", "- one\n- two\n", "a.yaml:1: a lexicon maps terms"),
        ("a.yaml", "Ann: {en: [x]}\n", "a.yaml:1: 'Ann' needs a text"),
        ("a.yaml", "Ann: //\n", "a.yaml:1: '//' does not say how 'Ann'"),
        ("a.yaml", "Ann: {xx-klingon: win}\n", "a.yaml:1.*language tag"),
        ("a.yaml", "'!!': win\n", "'!!' is not a term"),
        ("a.csv", "Ann,en,win\nann,en,wen\n", "a.csv:2: 'ann' is there twice for 'en'"),
        ("a.csv", "Ann,win\n", "a.csv:1: the line has 2 columns"),
        ("a.csv", '"Ann,en,win\n', "a.csv:1: this is not CSV"),
        ("a.txt", "Ann: win\n", r"suffix is .yaml or .csv"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_lexicon(written(tmp_path, name, text))


WORDS = st.text(st.characters(categories=["Ll", "Lu"]), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        WORDS.map(str.lower), st.dictionaries(st.sampled_from(["en", "es", "hi"]), WORDS, min_size=1), min_size=1
    )
)
def test_whatever_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, lexicon: dict[str, dict[str, str]]
) -> None:
    import unicodedata

    folded = {unicodedata.normalize("NFC", term).casefold() for term in lexicon}
    if len(folded) < len(lexicon):
        return
    folder = tmp_path_factory.mktemp("lexicon")
    rows = io.StringIO()
    csv.writer(rows).writerows([term, tag, say] for term, by_tag in lexicon.items() for tag, say in by_tag.items())
    for name, text in (("a.csv", rows.getvalue()), ("a.yaml", yaml.safe_dump(lexicon, allow_unicode=True))):
        read = read_lexicon(written(folder, name, text))
        got = {term: {tag: one.respelling for tag, one in by.items()} for term, by in read.entries.items()}
        normal = unicodedata.normalize
        assert got == {
            normal("NFC", term): {tag: normal("NFC", say) for tag, say in by.items()} for term, by in lexicon.items()
        }
