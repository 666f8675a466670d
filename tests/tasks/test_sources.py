"""What is checked before any work begins, and how requests are read."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from media.errors import InputError
from tasks.request import ProductionRequest, checked_request
from tasks.sources import read_source


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, seeded_home: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORTRAYAL_HOME", str(shutil.copytree(seeded_home, tmp_path_factory.mktemp("own") / "home")))
        yield


def test_a_production_keeps_its_identity_when_its_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"

    def identity(**options: object) -> str:
        return read_source(checked_request(source=str(path), engines={"render": "still"}, **options)).production_id

    path.write_text("language: en\nAnn: One.\n")
    first = identity()
    path.write_text("language: en\nAnn: Two.\n")
    assert identity() == first == "talk"
    assert identity(name="other") == "other"


def test_two_files_of_one_name_are_two_productions_and_a_moved_file_is_the_same(
    tmp_path: Path, seeded_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.casting import cast_portraits

    monkeypatch.setenv("PORTRAYAL_HOME", str(shutil.copytree(seeded_home, tmp_path / "home")))

    def identity(path: Path) -> str:
        request = checked_request(source=str(path), engines={"render": "still"})
        source = read_source(request)
        cast_portraits(request, source, source.dialogue)
        return source.production_id

    paths = [tmp_path / folder / "talk.txt" for folder in "abc"]
    for path in paths:
        path.parent.mkdir()
    for path in paths[:2]:
        path.write_text(f"language: en\nAnn: {path.parent.name}.\n")
    first, second = identity(paths[0]), identity(paths[1])
    assert first == "talk" and second.startswith("talk-")
    assert (identity(paths[0]), identity(paths[1])) == (first, second)
    paths[0].rename(paths[2])
    assert identity(paths[2]) == first


@pytest.mark.parametrize(("asked", "found"), [([], ("en",)), (["es-mx"], ("es",)), (["es", "en", "es"], ("es", "en"))])
def test_languages_are_the_scripts_own(tmp_path: Path, asked: list[str], found: tuple[str, ...]) -> None:
    path = tmp_path / "talk.txt"
    path.write_text("language: en\nAnn: One.\n  es: Uno.\n")
    request = checked_request(source=str(path), languages=asked, engines={"render": "still"})
    assert read_source(request).languages == found


def test_a_script_without_a_known_suffix_is_told_by_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "talk.doc"
    path.write_text("Ann: One.\n")
    with pytest.raises(InputError, match="suffix"):
        read_source(checked_request(source=str(path), engines={"render": "still"}))
    path.write_bytes(bytes(2000))
    with pytest.raises(InputError, match="not audio"):
        read_source(checked_request(source=str(path), engines={"render": "still"}))


def test_a_request_survives_the_way_through_prefects_forms() -> None:
    request = checked_request(source="talk.txt", out="out", languages=["pt-br"], render={"steps": 4}, cast={"Ann": "x"})
    assert request.languages == ["pt-BR"]
    assert ProductionRequest.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"render": {"steps": 0}}, "--render-steps"),
        ({"aspect": "4:3"}, "--aspect"),
        ({"engines": {"cook": "pan"}}, "cook"),
        ({"name": "a/b"}, "a/b"),
        ({"languages": ["english, please"]}, "--lang"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        checked_request(source="talk.txt", **options)
