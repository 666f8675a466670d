"""The result folder, on this machine and elsewhere: whole files, and nothing left behind."""

from pathlib import Path

import pytest

from media import results
from media.errors import InputError


def test_a_folder_is_tried_without_leaving_a_trace(tmp_path: Path) -> None:
    results.check(str(tmp_path / "a" / "b"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine.txt").write_text("mine")
    results.check(str(tmp_path / "a"))
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["mine.txt"]


@pytest.fixture(params=["folder", "url"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "out") if request.param == "folder" else f"memory://{tmp_path.name}/out"


def test_a_file_appears_whole_or_not_at_all(out: str) -> None:
    with results.writing(out, "talk.en.vtt") as path:
        path.write_text("half")
        assert not results.exists(out, "talk.en.vtt")
        path.write_text("whole")
    assert results.read_text(out, "talk.en.vtt") == "whole"
    with pytest.raises(ZeroDivisionError), results.writing(out, "talk.es.vtt") as path:
        path.write_text("half")
        raise ZeroDivisionError
    assert results.read_text(out, "talk.es.vtt") is None


def test_a_video_that_may_not_be_published_is_not_seen(out: str, tmp_path: Path) -> None:
    (tmp_path / "artifact").write_bytes(b"video")

    def refuse() -> None:
        raise InputError("revoked")

    with pytest.raises(InputError, match="revoked"):
        results.publish(tmp_path / "artifact", out, "talk.en.mp4", refuse)
    assert not results.exists(out, "talk.en.mp4")
    results.publish(tmp_path / "artifact", out, "talk.en.mp4", lambda: None)
    assert results.exists(out, "talk.en.mp4")


@pytest.mark.parametrize("to_url", [False, True], ids=["to a folder", "to a url"])
def test_files_move_to_another_result_folder_with_the_folders_they_are_in(
    out: str, tmp_path: Path, to_url: bool
) -> None:
    to = f"memory://{tmp_path.name}/published" if to_url else str(tmp_path / "published")
    assert results.names(out) == []
    for name in ("talk.en.mp4", "more/talk.en.vtt"):
        with results.writing(out, name) as path:
            path.parent.mkdir(exist_ok=True)
            path.write_text(name)
    with results.writing(to, "talk.en.mp4") as path:
        path.write_text("an older one")
    assert results.names(out) == ["more/talk.en.vtt", "talk.en.mp4"]
    for name in results.names(out):
        results.move(out, name, to)
    assert results.names(out) == [] and results.names(to) == ["more/talk.en.vtt", "talk.en.mp4"]
    assert [results.read_text(to, name) for name in results.names(to)] == results.names(to)


def test_an_address_is_taken_apart_as_it_was_put_together(out: str) -> None:
    assert results.parted(results.place(out, "talk.en.mp4")) == (results.place(out), "talk.en.mp4")


def test_a_url_where_only_a_folder_is_possible_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only a folder of this machine"):
        results.check(str(Path("s3://bucket/folder")))
