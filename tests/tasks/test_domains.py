"""Photographs are rendered by checkpoints for photographs only, and that is said before anything is done."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib import cbook
from PIL import Image

from catalog.portraits import NO_REAL_PERSON, PortraitFacts, add_portrait, list_portraits
from catalog.session import session_factory
from media.errors import InputError, MissingEngineError
from media.face_crop import cut_square, face_square
from media.framing import shown_square
from media.segment import RenderSettings, Segment
from media.video import probe_video
from models.still import StillInfo
from tasks import domains, rendering, workspace
from tasks.casting import cast_portraits
from tasks.framed import framed
from tasks.importing import import_portraits
from tasks.request import checked_request
from tasks.sources import read_source

FACE = (0.333, 0.183, 0.693, 0.570)


@pytest.fixture
def home(tmp_path: Path, seeded_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with the starter cast, two photographs, and no checkpoint but the starter."""
    shutil.copytree(seeded_home, tmp_path / "home")
    monkeypatch.setenv("PORTRAYAL_HOME", str(tmp_path / "home"))
    with session_factory(workspace.catalog()).begin() as session:
        for number, slug in enumerate(("ada", "grace")):
            picture = io.BytesIO()
            Image.new("RGB", (512, 600), (90 * number, 80, 70)).save(picture, "PNG")
            facts = PortraitFacts(
                slug=slug,
                name=slug,
                image_key=workspace.store().put_bytes(picture.getvalue(), "portraits", ".png"),
                content_sha256=f"{number + 1:064x}",
                width=512,
                height=600,
                face=FACE,
                licence="CC0-1.0",
                source="drawn here",
                style="photo",
                consent=NO_REAL_PERSON,
            )
            add_portrait(session, facts)
    yield tmp_path / "home"
    workspace.catalog().dispose()


def checkpoint(home: Path, name: str = "echomimic") -> None:
    folder = home / "models" / name
    folder.mkdir(parents=True)
    index = {"fps": 25, "image_size": 512, "steps": 6, "domain": "photo"}
    (folder / "model_index.json").write_text(json.dumps(index))


def asked(tmp_path: Path, **options: object):
    script = tmp_path / "talk.txt"
    script.write_text("Ann: Good morning.\nBob: Good evening.\n")
    request = checked_request(source=str(script), **options)
    return request, read_source(request)


def test_a_photograph_without_a_checkpoint_for_it_is_refused_with_the_way_out(home: Path, tmp_path: Path) -> None:
    for engines in ({}, {"render": "starter"}, {"render": "draft"}):
        with pytest.raises(
            MissingEngineError, match=r"'grace' is a photograph.*portrayal models pull echomimic"
        ) as error:
            asked(tmp_path, cast={"Ann": "grace"}, engines=engines)
        assert error.value.exit_code == 3
    request, source = asked(tmp_path, cast={"Ann": "grace"}, engines={"render": "still"})
    assert domains.settled(request, source) == request
    assert {one.speaker: one.portrait for one in cast_portraits(request, source, source.dialogue)}["Ann"] == "grace"


def test_auto_takes_the_checkpoint_of_the_portraits(home: Path, tmp_path: Path) -> None:
    checkpoint(home)
    request, source = asked(tmp_path, cast={"Ann": "grace"})
    settled = domains.settled(request, source)
    assert settled.engine("render") == "echomimic"
    cast = cast_portraits(settled, source, source.dialogue)
    assert [one.portrait for one in cast] == ["grace", "ada"]
    # Who is cast already decides from then on.
    again, source = asked(tmp_path)
    assert domains.settled(again, source).engine("render") == "echomimic"
    plain, other = asked(tmp_path, name="other")
    assert domains.settled(plain, other).engine("render") == "auto"
    assert {one.style for one in cast_portraits(plain, other, other.dialogue, keep=False)} == {"illustrated"}
    wished, other = asked(tmp_path, name="other", style="photo")
    assert domains.settled(wished, other).engine("render") == "echomimic"
    for options, message in (
        ({"cast": {"Ann": "grace"}, "engines": {"render": "starter"}}, "use --engine render=echomimic"),
        ({"cast": {"Ann": "maya-okafor"}, "engines": {"render": "echomimic"}}, "is drawn, and checkpoint 'echomimic'"),
        ({"cast": {"Ann": "maya-okafor", "Bob": "ada"}}, "one video is rendered by one checkpoint"),
    ):
        with pytest.raises(InputError, match=message):
            asked(tmp_path, **options)


def test_where_no_illustrated_portrait_is_left_it_is_said_what_would_render_the_others(
    home: Path, tmp_path: Path
) -> None:
    with session_factory(workspace.catalog(), read_only=True)() as session:
        drawn = [one.slug for one in list_portraits(session) if one.style != "photo"]
    request, source = asked(tmp_path, exclude=drawn)
    with pytest.raises(MissingEngineError, match=r"that are illustrated and only 0 may be used.*models pull echomimic"):
        cast_portraits(request, source, source.dialogue)
    checkpoint(home)
    with pytest.raises(InputError, match="use --style photo"):
        cast_portraits(request, source, source.dialogue)


class Brighter:
    """A stand-in for a checkpoint for photographs: it gives its square back, a little brighter at the mouth."""

    info = StillInfo(name="stand-in", domain="photo", size=512)
    given: tuple[float, float, float, float] | None = None

    def render(self, portrait, samples, face, settings, frames, progress=None, idle=None):
        assert portrait.shape == (512, 512, 3)
        self.given = face
        for done in range(1, frames + 1):
            changed = portrait.copy()
            changed[300:360, 200:300] = np.minimum(changed[300:360, 200:300], 205) + 50
            yield changed
            if progress:
                progress(done)


def test_a_photograph_is_rendered_in_its_square_and_pasted_back(tmp_path: Path) -> None:
    from media.video import write_video

    with cbook.get_sample_data("grace_hopper.jpg") as file:
        picture = np.asarray(Image.open(file).convert("RGB"))
    segment = Segment("portraits/x.png", "audio/x.wav", FACE, "stand-in", "0" * 64, RenderSettings())
    renderer = Brighter()
    done: list[int] = []
    side, frames = framed(renderer, picture, np.zeros(16_000, np.float32), segment, 5, done.append)
    assert write_video(frames, tmp_path / "clip.mp4", 25) == 5 and done == [1, 2, 3, 4, 5]
    assert (probe_video(tmp_path / "clip.mp4").width, side) == (512, 512)
    square, shown = face_square(512, 600, FACE), shown_square(512, 600, FACE)
    _, frames = framed(renderer, picture, np.zeros(16_000, np.float32), segment, 1, done.append)
    frame = next(frames)
    still = cut_square(picture, shown, side)
    apart = np.abs(frame.astype(int) - still).max(axis=2)
    assert apart[-40:].max() == apart[:, :20].max() == 0 and apart.max() > 30
    left, top, right, bottom = renderer.given or (0, 0, 0, 0)
    assert right - left == pytest.approx(1.2 * 0.36 * 512 / square.width, abs=0.01)
    assert bottom - top == pytest.approx(1.2 * 0.387 * 600 / square.width, abs=0.01)


def test_photographs_are_imported_with_their_faces_or_refused_with_reasons(home: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        photograph = Image.open(file).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    photograph.transpose(Image.Transpose.ROTATE_90).save(pictures / "a-turned.jpg", exif=exif, quality=95)
    clear = photograph.copy()
    clear.putalpha(Image.new("L", clear.size, 255))
    clear.resize((600, 703)).save(pictures / "b-alpha.png")
    deep = np.asarray(photograph.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(pictures / "c-16-bit.png")
    photograph.convert("CMYK").save(pictures / "d-cmyk.jpg", quality=95)
    photograph.quantize(200).save(pictures / "e-palette.png")
    photograph.save(pictures / "f.webp", quality=90)
    options = {"licence": "public domain", "consent_kind": "synthetic"}
    outcome = import_portraits(pictures, options, allow_similar=True)
    assert outcome.problems == () and len(outcome.added) == 6
    with session_factory(workspace.catalog(), read_only=True)() as session:
        for one in list_portraits(session, words=["imported"]):
            assert one.style == "photo" and one.face == pytest.approx(FACE, abs=0.03), one.slug
            assert len(one.attributes["found_face"]["points"]) == 5 and abs(one.attributes["found_face"]["yaw"]) < 30
    for path in pictures.iterdir():
        path.unlink()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)).save(pictures / "a.png")
    Image.fromarray(np.concatenate([np.asarray(photograph)] * 2, 1)).save(pictures / "b.png")
    photograph.resize((200, 234)).save(pictures / "c.png")
    (pictures / "d.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    photograph.rotate(3).save(pictures / "e.png")
    outcome = import_portraits(pictures, options, allow_similar=True)
    assert outcome.added == ()
    found = {one.row: one.problem for one in outcome.problems}
    assert sorted(found) == [1, 2, 3, 4]
    for row, said in ((1, "no face was found"), (2, "2 faces were found"), (3, "128 are needed"), (4, "HEIC or AVIF")):
        assert said in found[row]


def test_an_engine_says_what_it_is_made_for(home: Path) -> None:
    checkpoint(home, "echomimic-acc")
    models = home / "models"
    assert domains.photograph_checkpoint(models) == "echomimic-acc"
    checkpoint(home, "echomimic")
    assert domains.photograph_checkpoint(models) == "echomimic"
    assert rendering.engine_info("starter").domain == rendering.engine_info("draft").domain == "illustrated"
    assert rendering.engine_info("echomimic", models).domain == "photo"
    assert rendering.is_made_for(rendering.engine_info("still"), "photo")
