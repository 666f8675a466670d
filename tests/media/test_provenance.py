"""What a finished video says about itself, and the record of how it was made."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.errors import InputError
from media.provenance import (
    DIGITAL_SOURCE_TYPE,
    embed,
    file_tags,
    production_record,
    read_metadata,
    video_metadata,
    write_record,
)

# XML 1.0 cannot hold control characters or surrogates; line ends in attributes become spaces.
TEXT = st.text(
    st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp"), blacklist_characters="\ufffe\uffff"), min_size=1
)


@settings(max_examples=60, deadline=None)
@given(title=TEXT, production=TEXT)
def test_whatever_is_embedded_is_read_back(
    title: str, production: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "tagged.mp4"
    path.write_bytes(b"\0\0\0\x08free")
    tags = video_metadata(title, "pt-BR", production)
    embed(path, tags)
    assert read_metadata(path) == tags


def test_control_characters_in_a_title_do_not_spoil_the_packet(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0\0\0\x08free")
    embed(path, video_metadata("One\x00two\nthree", "en", "p"))
    assert read_metadata(path)["title"] == "One two three"


def test_a_tag_with_a_name_that_xml_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not 'production id'"):
        embed(tmp_path / "a.mp4", {"production id": "7"})
    assert not (tmp_path / "a.mp4").exists()


def test_every_video_is_declared_ai_generated() -> None:
    tags = video_metadata("A talk", "hi", "p-1", campaign="spring")
    assert tags["comment"].startswith("AI-generated")
    assert tags["digital_source_type"] == DIGITAL_SOURCE_TYPE
    assert tags["software"].startswith("portrayal ")
    assert tags["campaign"] == "spring"
    with pytest.raises(ValueError, match="AI-generated"):
        video_metadata("A talk", "hi", "p-1", comment="filmed")


@pytest.mark.parametrize(
    ("tag", "code"), [("es-419", "spa"), ("hi", "hin"), ("zh-Hant", "chi"), ("pt-BR", "por"), ("", None)]
)
def test_the_language_is_written_as_mp4_wants_it(tag: str, code: str | None) -> None:
    assert file_tags({"language": tag, "production": "p"}) == ({"language": code} if code else {})


def test_a_file_without_a_packet_has_no_tags(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x08free")
    assert read_metadata(tmp_path / "a.mp4") == {}
    with pytest.raises(InputError, match=r"gone.mp4 cannot be read"):
        read_metadata(tmp_path / "gone.mp4")


def test_a_record_is_written_whole_and_readable(tmp_path: Path) -> None:
    record = production_record(
        production="p-1",
        source="talk.txt",
        portraits=[{"speaker": "Ann", "portrait": "maya-okafor", "consent": None}],
        engines={"synthesis": "espeak 1.52"},
        renditions=[{"language": "हिन्दी", "file": Path("talk.hi.mp4")}],
    )
    write_record(str(tmp_path / "out"), "production.json", record)
    text = (tmp_path / "out" / "production.json").read_text(encoding="utf-8")
    assert "हिन्दी" in text, "readable, not escaped"
    assert json.loads(text)["disclosure"]["digital_source_type"] == DIGITAL_SOURCE_TYPE
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["production.json"]


def test_a_record_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    write_record(str(tmp_path), "production.json", {"run": 1})
    endless: dict[str, object] = {}
    endless["self"] = endless
    with pytest.raises(ValueError, match="Circular"):
        write_record(str(tmp_path), "production.json", endless)
    assert json.loads((tmp_path / "production.json").read_text()) == {"run": 1}
