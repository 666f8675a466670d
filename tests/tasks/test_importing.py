"""Importing portraits: what goes in, and what is said about everything that cannot."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from catalog.portraits import find_portrait, list_portraits, retire
from catalog.rights import Use
from catalog.session import session_factory
from catalog.tables import now
from media.errors import InputError
from media.likeness import ALIKE, distances, perceptual_hash
from tasks import workspace
from tasks.importing import ImportOutcome, import_portraits
from tasks.portraits import thumbnail_key

ALL = {"licence": "CC0-1.0", "face": "0.2 0.1 0.8 0.9", "consent_kind": "synthetic", "style": "illustrated"}


def picture(seed: int, size: tuple[int, int] = (96, 120)) -> Image.Image:
    """Soft spots, unlike those of any other seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path: Path, seeded_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with three pictures, and a catalog of the test's own."""
    shutil.copytree(seeded_home, tmp_path / "home")
    monkeypatch.setenv("PORTRAYAL_HOME", str(tmp_path / "home"))
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number, name in enumerate(("Ann Lee.png", "bob.jpg", "çelik_2.webp")):
        picture(number).save(pictures / name, quality=95)
    yield pictures
    workspace.catalog().dispose()


def table(folder: Path, *lines: str) -> Path:
    (folder / "portraits.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder / "portraits.csv"


def said(outcome: ImportOutcome) -> list[tuple[int, str]]:
    return [(one.row, one.column) for one in outcome.problems]


def test_a_folder_of_pictures_is_imported_once(folder: Path) -> None:
    assert import_portraits(folder, ALL, dry_run=True).added == ("ann-lee", "bob", "celik-2")
    assert import_portraits(folder, ALL).added == ("ann-lee", "bob", "celik-2")
    again = import_portraits(folder, ALL)
    assert (again.added, again.present, again.problems) == ((), ("ann-lee", "bob", "celik-2"), ())
    with session_factory(workspace.catalog(), read_only=True)() as session:
        ann = find_portrait(session, "ann-lee")
        assert (ann.name, ann.width, ann.height, ann.face) == ("Ann Lee", 96, 120, (0.2, 0.1, 0.8, 0.9))
        assert workspace.store().has(ann.image_key)
        with Image.open(workspace.store().fetch(thumbnail_key(ann.content_sha256))) as small:
            assert small.format == "WEBP" and max(small.size) <= 192
        usable = [one.slug for one in list_portraits(session, usable_at=now(), words=["imported"])]
        assert usable == ["ann-lee", "bob", "celik-2"]


def test_a_table_says_everything_about_a_portrait(folder: Path) -> None:
    source = table(
        folder,
        "file;slug;name;presentation;age_band;languages;tags;licence;licence_until;consent_subject;consent_purposes;"
        "consent_regions;consent_until;attributes.studio",
        "Ann Lee.png;ann;Ann Lee;feminine;senior;en es-MX;news,Brand-X;contract 7;2999-01-01;Ann Lee;training;"
        "DE AT;2999-06-01;Köln",
        ";;;;;;;;;;;;;",
        "bob.jpg;bob;Bob;masculine;young;;;contract 8;;;;;;",
    )
    outcome = import_portraits(source, {"face": "0.2 0.1 0.8 0.9", "style": "illustrated"})
    assert (outcome.added, outcome.without_consent, outcome.problems) == (("ann", "bob"), ("bob",), ())
    with session_factory(workspace.catalog(), read_only=True)() as session:
        ann = find_portrait(session, "ann")
        assert (ann.presentation, ann.age_band, ann.style, ann.licence) == (
            "feminine",
            "senior",
            "illustrated",
            "contract 7",
        )
        assert ann.attributes == {"studio": "Köln", "languages": ["en", "es-MX"], "tags": ["brand-x", "news"]}
        [consent] = ann.consents
        assert (consent.purposes, consent.regions) == (["training"], ["AT", "DE"])
        found = {"words": ["ann", "contract"], "tags": ["Brand-X"], "style": "illustrated"}
        assert [one.slug for one in list_portraits(session, **found)] == ["ann"]  # type: ignore[arg-type]
        assert list_portraits(session, usable_at=now(), **found) == []  # type: ignore[arg-type]
        assert list_portraits(session, usable_at=now(), use=Use("training", "AT"), **found) == [ann]  # type: ignore[arg-type]
        assert list_portraits(session, words=["100%"]) == list_portraits(session, tags=["brand"]) == []


def test_every_problem_is_said_by_row_and_column_and_nothing_is_imported(folder: Path, tmp_path: Path) -> None:
    picture(9).save(tmp_path / "outside.png")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    (folder / "text.png").write_text("not a picture")
    (folder / "half.png").write_bytes((folder / "Ann Lee.png").read_bytes()[:900])
    picture(8, (40, 40)).save(folder / "small.png")
    frames = [picture(6), picture(7)]
    frames[0].save(folder / "moving.webp", save_all=True, append_images=frames[1:])
    source = table(
        folder,
        "file,slug,face,presentation,licence,languages,consent_subject,consent_from,consent_until,consent_purposes",
        "Ann Lee.png,fine,,,CC0,,,,,",
        "bob.jpg,Bob!,1 2 3,female,,klingonese,,2026-13-01,,for fun?!",
        "missing.png,fine,,,CC0,,,,,",
        "../outside.png,,,,CC0,,,,,",
        "link.png,,,,CC0,,,,,",
        "text.png,,,,CC0,,,,,",
        "half.png,,,,CC0,,,,,",
        "small.png,,,,CC0,,,,,",
        "moving.webp,,,,CC0,,,,,",
        ",nobody,,,CC0,,,,,",
        "çelik_2.webp,,,,CC0,,Jo,2026-02-01,2026-01-01,",
    )
    outcome = import_portraits(source, {"face": "0.2 0.1 0.8 0.9", "style": "illustrated"})
    assert outcome.added == ()
    assert said(outcome) == [
        *((3, column) for column in ("slug", "presentation", "face", "licence", "languages", "consent_purposes")),
        *((3, column) for column in ("consent_subject", "consent_from")),
        *((row, "file") for row in range(4, 12)),
        (12, "consent_until"),
    ]
    for one in outcome.problems:
        assert one.problem and "\n" not in one.problem
    with session_factory(workspace.catalog(), read_only=True)() as session:
        assert list_portraits(session, words=["imported"]) == []


def test_duplicates_and_near_duplicates_are_found_in_the_table_and_in_the_catalog(folder: Path) -> None:
    assert import_portraits(folder, ALL).added
    for path in folder.iterdir():
        path.unlink()
    picture(0).save(folder / "same.png")
    picture(0).resize((240, 300)).point(lambda level: min(255, int(level * 1.08))).save(
        folder / "similar.jpg", quality=60
    )
    picture(20).save(folder / "new.png")
    picture(20).save(folder / "new-again.png")
    picture(21).save(folder / "bob.png")
    outcome = import_portraits(folder, ALL)
    problems = {one.row: one.problem for one in outcome.problems}
    assert [one.column for one in outcome.problems] == ["slug", "file", "file", "file"]
    assert "'bob' is another picture in the catalog" in problems[1]
    assert problems[3] == "is the same picture as row 2; leave it out"
    assert problems[4] == "is the same picture as 'ann-lee' of the catalog; leave it out"
    assert "looks like 'ann-lee' of the catalog" in problems[5]
    for name in ("same.png", "bob.png", "new-again.png"):
        (folder / name).unlink()
    assert import_portraits(folder, ALL, allow_similar=True).added == ("new", "similar")


def test_a_retired_picture_may_come_back_under_another_name(folder: Path) -> None:
    import_portraits(folder, ALL)
    with session_factory(workspace.catalog()).begin() as session:
        retire(session, "bob")
    (folder / "bob.jpg").rename(folder / "robert.jpg")
    assert import_portraits(folder, ALL).added == ("robert",)


def test_the_starter_cast_does_not_look_alike(folder: Path) -> None:
    with session_factory(workspace.catalog(), read_only=True)() as session:
        hashes = [one.perceptual_hash for one in list_portraits(session)]
    assert len(hashes) == 48
    for place, one in enumerate(hashes[1:], 1):
        assert distances(one, hashes[:place]).min() > ALIKE


@pytest.mark.parametrize("quality", [30, 90])
def test_a_hash_survives_another_size_format_and_light(quality: int, tmp_path: Path) -> None:
    for seed in range(20):
        changed = picture(seed, (300, 380)).point(lambda level: min(255, int(level * 1.05 + 3)))
        changed.convert("L").save(tmp_path / "changed.jpg", quality=quality)
        with Image.open(tmp_path / "changed.jpg") as again:
            assert distances(perceptual_hash(picture(seed)), [perceptual_hash(again)])[0] <= ALIKE
        assert distances(perceptual_hash(picture(seed)), [perceptual_hash(picture(seed + 100))])[0] > ALIKE


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("file,shoes\na.png,red\n", "no column 'shoes'"),
        ("file,file\na,b\n", "two columns 'file'"),
        ("slug\nann\n", "needs a column 'file'"),
        ("file\n", "no row"),
        ('file\n"a\n', "not a table"),
        ("file,slug\na,b,c\n", "not a table"),
    ],
)
def test_what_is_no_table_of_portraits_is_refused(folder: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        import_portraits(table(folder, content), {})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=300) | st.lists(st.lists(st.text(max_size=12), max_size=4), max_size=4).map(
    lambda rows: "file,slug,face,consent_until\n" + "\n".join(",".join(cells) for cells in rows)
))  # fmt: skip
def test_no_table_crashes_the_import_or_gets_half_of_itself_in(folder: Path, content: str) -> None:
    try:
        outcome = import_portraits(table(folder, content.encode(errors="replace").decode()), ALL)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert outcome.problems and not outcome.added
