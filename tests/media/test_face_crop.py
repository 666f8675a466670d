"""The square of a face, and paste-back: what is not rendered stays as it is, and nobody sees where it begins."""

import os
import time
import tracemalloc
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from media.face_crop import PasteBack, Region, View, cut_square, face_square, region_in, region_mask
from media.framing import Box, shown_square
from media.video import Picture

FACE = (0.35, 0.25, 0.60, 0.60)


def portrait(width: int = 640, height: int = 480) -> Picture:
    """A head before a ground that is bright at one side and dark at the other, with fine grain."""
    ground = np.linspace(60, 190, width)[None, :, None] + np.linspace(-20, 30, height)[:, None, None] * (1, 0.6, 0.3)
    picture = Image.fromarray(ground.clip(0, 255).astype(np.uint8))
    left, top, right, bottom = (value * side for value, side in zip(FACE, (width, height) * 2, strict=True))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((left - 20, top - 40, right + 20, bottom + 8), fill=(70, 50, 40))
    draw.ellipse((left, top, right, bottom), fill=(214, 170, 148))
    grain = np.random.default_rng(1).normal(0, 3, (height, width, 1))
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(2)), float)
    return (soft + grain).clip(0, 255).astype(np.uint8)


def pasting(picture: Picture, width: int, height: int, face: Region = FACE) -> PasteBack:
    whole = Box(0, 0, picture.shape[1], picture.shape[0])
    return PasteBack(picture, face_square(whole.width, whole.height, face), face, View(whole, width, height))


def scaled(picture: Picture, width: int, height: int) -> Picture:
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def test_the_square_is_the_face_and_half_of_it_on_each_side() -> None:
    assert face_square(1000, 1000, (0.4, 0.35, 0.6, 0.65)) == Box(200, 200, 600, 600)
    square = Box(200, 200, 600, 600)
    region = region_in(square, 1000, 1000, (0.4, 0.35, 0.6, 0.65))
    assert region == pytest.approx((180 / 600, 120 / 600, 420 / 600, 480 / 600))
    mask = region_mask(region, 100)
    assert mask.sum() == 255 * 40 * 60 and mask[20:80, 30:70].min() == 255


@pytest.mark.parametrize("face", [(0.0, 0.0, 0.2, 0.3), (0.8, 0.7, 1.0, 1.0), (0.05, 0.4, 0.25, 0.7)])
def test_near_the_border_the_square_is_shifted_inside(face: Region) -> None:
    square = face_square(1000, 1000, face)
    assert Box(0, 0, 1000, 1000).contains(square) and square.width == 600
    picture = np.random.default_rng(0).integers(0, 255, (1000, 1000, 3), np.uint8)
    same = picture[square.top : square.bottom, square.left : square.right]
    assert np.array_equal(cut_square(picture, square, 600), same)


def test_where_the_picture_is_smaller_than_the_square_it_is_mirrored_outwards() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (100, 300, 3), np.uint8)
    square = face_square(300, 100, (0.4, 0.1, 0.6, 0.9))  # 80 pixels high: a square of 160
    assert square == Box(70, -30, 160, 160)
    cut = cut_square(picture, square, 160)
    assert np.array_equal(cut[30:130], picture[:, 70:230])
    assert np.array_equal(cut[:30], picture[30:0:-1, 70:230])
    assert cut_square(picture[:2, :2], face_square(2, 2, (0, 0, 1, 1)), 32).shape == (32, 32, 3)


@pytest.mark.parametrize("size", [(640, 480), (960, 720), (320, 240)])
def test_an_unchanged_square_gives_the_portrait_back(size: tuple[int, int]) -> None:
    picture = portrait()
    paste = pasting(picture, *size)
    made = paste.paste(cut_square(picture, face_square(640, 480, FACE), 512))
    apart = np.abs(made.astype(int) - scaled(picture, *size))
    assert apart.mean() < 0.6 and np.percentile(apart, 99.9) <= 8
    assert np.array_equal(made[paste.replaced == 0], scaled(picture, *size)[paste.replaced == 0])


def test_outside_of_the_mask_not_one_bit_changes_whatever_is_rendered() -> None:
    picture = portrait()
    paste = pasting(picture, 960, 720)
    square = cut_square(picture, face_square(640, 480, FACE), 512)
    before = scaled(picture, 960, 720)
    outside = paste.replaced == 0
    assert 0.4 < outside.mean() < 0.9
    for changed in (np.roll(square, 40, axis=1), square // 2 + 120, np.random.default_rng(2).permutation(square)):
        made = paste.paste(changed)
        assert np.array_equal(made[outside], before[outside])
        assert not np.array_equal(made, before)


@pytest.mark.parametrize("shift", [-14, 14])
def test_no_seam_is_seen_where_the_rendered_part_begins(shift: int) -> None:
    """A renderer that is brighter or darker throughout: steps across the border stay those of the portrait."""
    picture = portrait()
    paste = pasting(picture, 640, 480)
    square = cut_square(picture, face_square(640, 480, FACE), 512)
    made = paste.paste(np.clip(square.astype(int) + shift, 0, 255).astype(np.uint8))
    border = (paste.replaced > 0) & (paste.replaced < 1)
    smooth = [np.asarray(Image.fromarray(one).filter(ImageFilter.GaussianBlur(2)), float) for one in (made, picture)]
    steps = [np.abs(np.diff(one, axis=1))[border[:, 1:]] for one in smooth]
    assert np.percentile(steps[0], 99) < np.percentile(steps[1], 99) + 1.0
    assert abs(made.astype(int) - picture)[paste.replaced == 1].mean() < 1.0


def test_colours_that_flicker_are_followed_slowly_and_a_failure_is_not_hidden() -> None:
    picture = portrait()
    paste = pasting(picture, 640, 480)
    square = cut_square(picture, face_square(640, 480, FACE), 512)
    means = [paste.paste(np.clip(square.astype(int) + 10 * (n % 2), 0, 255).astype(np.uint8)).mean() for n in range(8)]
    assert max(abs(np.diff(means))) < 4
    black = pasting(picture, 640, 480).paste(np.zeros_like(square))
    assert black[180:200, 290:310].max() <= 24


def test_frames_stream_through_flat_memory() -> None:
    picture = portrait()
    paste = pasting(picture, 1920, 1080)
    square = cut_square(picture, face_square(640, 480, FACE), 512)
    next(paste.frames([square]))
    tracemalloc.start()
    began = time.process_time()
    peaks = []
    for number, _ in enumerate(paste.frames(repeat(square, 30))):
        if number in (9, 29):
            peaks.append(tracemalloc.get_traced_memory()[1])
    seconds = (time.process_time() - began) / 30
    tracemalloc.stop()
    assert peaks[1] <= 1.05 * peaks[0]
    assert seconds < 0.5  # 30 ms were measured


def test_a_square_portrait_is_shown_whole_and_others_around_the_face() -> None:
    assert shown_square(512, 512, (0.274, 0.255, 0.726, 0.771)) == Box(0, 0, 512, 512)
    for width, height, face in (
        (1600, 900, FACE),
        (600, 1500, (0.3, 0.5, 0.7, 0.7)),
        (900, 900, (0.05, 0.05, 0.2, 0.25)),
    ):
        shown = shown_square(width, height, face)
        assert Box(0, 0, width, height).contains(shown) and shown.width == shown.height
        assert region_in(shown, width, height, face, 0.0)[3] < 1
    # In the middle of a large picture the mouth is where layouts expect it.
    shown = shown_square(3000, 2000, (0.45, 0.4, 0.55, 0.6))
    mouth = (0.4 + 0.74 * 0.2) * 2000
    assert 0.56 < (mouth - shown.top) / shown.height < 0.82


PHOTOGRAPHS = Path(os.environ.get("PORTRAYAL_PHOTOGRAPHS", Path(__file__).parents[3] / "shared" / "portraits"))


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="no ../shared/portraits; name a folder in PORTRAYAL_PHOTOGRAPHS")
def test_photographs_come_back_as_they_were() -> None:
    from models.faces import FaceFinder, find_faces, portrait_face

    finder = FaceFinder()
    for path in sorted(PHOTOGRAPHS.glob("*.jpg")):
        picture = np.asarray(Image.open(path).convert("RGB"))
        height, width = picture.shape[:2]
        found = portrait_face(finder, picture, find_faces(finder, picture))
        paste = pasting(picture, width, height, found.region)
        made = paste.paste(cut_square(picture, face_square(width, height, found.region), 512))
        apart = np.abs(made.astype(int) - picture)
        assert apart.mean() < 1.5 and not apart[paste.replaced == 0].any(), path
