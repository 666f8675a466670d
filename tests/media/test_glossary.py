"""Glossaries: what they say, and what is wrong with one that cannot be read."""

from pathlib import Path

import pytest

from media.dialogue import Glossary
from media.errors import InputError
from media.glossary import read_glossary

TEXT = """\
keep: [Portrayal, " Maya  Okafor "]
terms:
  night shift:
    de: Nachtschicht
    pt_br: turno da noite
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "terms.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_glossary_is_read(tmp_path: Path) -> None:
    glossary = read_glossary(written(tmp_path, TEXT))
    assert glossary == Glossary(
        ("Portrayal", "Maya Okafor"), {"night shift": {"de": "Nachtschicht", "pt-BR": "turno da noite"}}
    )
    assert glossary.translations("de-CH") == {"night shift": "Nachtschicht"}
    assert glossary.translations("fr") == {}
    assert read_glossary(written(tmp_path, "")) == Glossary()


def test_the_later_of_two_glossaries_holds() -> None:
    one = Glossary(("A",), {"x": {"de": "1", "es": "2"}})
    other = Glossary(("B", "A"), {"x": {"de": "3"}, "y": {"fr": "4"}})
    assert one.with_more(other) == Glossary(("A", "B"), {"x": {"de": "3", "es": "2"}, "y": {"fr": "4"}})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("- a", 1),
        ("words: {}", 1),
        ("keep: Portrayal", 1),
        ("keep: [[a]]", 1),
        ('keep: [" "]', 1),
        ("terms: [a]", 1),
        ("terms:\n  night: Nacht", 2),
        ("terms:\n  night:\n    deutsch: Nacht", 3),
        ("terms:\n  night:\n    de: Nacht\n    DE: Nacht", 4),
        ("terms:\n  night:\n    de: [Nacht]", 3),
    ],
)
def test_a_fault_is_found_by_its_line(tmp_path: Path, text: str, line: int) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=f"{path}:{line}: "):
        read_glossary(path)
