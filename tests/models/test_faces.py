"""Faces in still pictures: which can be animated, and what is said about those that cannot."""

import numpy as np
import pytest
from matplotlib import cbook
from PIL import Image, ImageFilter

from media.errors import InputError
from media.video import Picture
from models.avatars.drawing import Pose, draw, reference_pose
from models.avatars.presenters import STARTER_CAST
from models.faces import Face, FaceFinder, find_faces, head_yaw, is_drawn, portrait_face


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    """512 x 600, in the public domain; the face is 232 pixels high."""
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        return Image.open(file).convert("RGB")


@pytest.fixture(scope="module")
def face(finder: FaceFinder, photograph: Image.Image) -> Face:
    [found] = find_faces(finder, np.asarray(photograph))
    return found


def turned(photograph: Image.Image, face: Face, degrees: float) -> Picture:
    """The head as a crude solid, an ellipsoid with a nose, turned to the viewer's right before a grey ground."""
    picture = np.asarray(photograph)
    middle, extent = (face.box[:2] + face.box[2:]) / 2, face.box[2:] - face.box[:2]
    half = extent * (0.62, 0.72)
    axis = np.linspace(-0.98, 0.98, 500)
    across, down = (one[np.add(*np.meshgrid(axis**2, axis**2)) < 0.96] for one in np.meshgrid(axis, axis))
    x, y = across * half[0], down * half[1]
    e = np.linalg.norm(face.points[1] - face.points[0])
    nose = face.points[2] - middle
    depth = 1.05 * half[0] * np.sqrt(1 - across**2 - down**2)
    depth += 0.38 * e * np.exp(-(((x - nose[0]) / (0.22 * e)) ** 2) - ((y - nose[1]) / (0.3 * e)) ** 2)
    angle = np.radians(degrees)
    seen, near = x * np.cos(angle) + depth * np.sin(angle), depth * np.cos(angle) - x * np.sin(angle)
    side = int(2.6 * half[1])
    made = np.full((side, side, 3), 110, np.uint8)
    order = np.argsort(near)
    colours = picture[(y + middle[1]).astype(int), (x + middle[0]).astype(int)][order]
    for row, column in np.ndindex(2, 2):
        made[(y[order] + side / 2).astype(int) + row, (seen[order] + side / 2).astype(int) + column] = colours
    return made


def refusal(finder: FaceFinder, picture: Picture, **options: tuple[float, float, float, float]) -> str:
    with pytest.raises(InputError) as error:
        portrait_face(finder, picture, find_faces(finder, picture), options.get("region"))
    assert "\n" not in str(error.value) and str(error.value).endswith(".")
    return str(error.value)


def test_the_face_of_a_photograph_is_found_with_its_points(finder: FaceFinder, photograph: Image.Image) -> None:
    picture = np.asarray(photograph)
    found = portrait_face(finder, picture, find_faces(finder, picture))
    assert found.region == pytest.approx((0.333, 0.183, 0.693, 0.570), abs=0.02)
    assert abs(found.yaw) < 20 and found.score > 0.97 and found.warnings == ()
    left, right, nose, mouth, _ = found.points
    assert left[0] < nose[0] < right[0] and left[1] < nose[1] < mouth[1]
    large = photograph.resize((2048, 2400))
    assert portrait_face(finder, np.asarray(large), find_faces(finder, np.asarray(large))).region == pytest.approx(
        found.region, abs=0.02
    )


@pytest.mark.parametrize("degrees", [-90, -75, -70, -60, 60, 75])
def test_a_profile_is_refused(finder: FaceFinder, photograph: Image.Image, face: Face, degrees: float) -> None:
    said = refusal(finder, turned(photograph, face, degrees))
    # Of some profiles no face is found at all.
    side = f"degrees to the {'right' if degrees > 0 else 'left'}"
    assert any(text in said for text in (side, "seen from the side", "no face was found"))


def test_a_head_that_is_turned_a_little_is_taken(finder: FaceFinder, photograph: Image.Image, face: Face) -> None:
    yaws = []
    for degrees in (-30, 0, 30):
        picture = turned(photograph, face, degrees)
        yaws.append(portrait_face(finder, picture, find_faces(finder, picture)).yaw)
    assert -45 < yaws[0] < -12 and abs(yaws[1]) < 12 and 12 < yaws[2] < 45


def test_the_turn_of_drawn_heads_is_told(finder: FaceFinder) -> None:
    for degrees, least, most in ((-30, -48, -25), (0, -10, 10), (30, 25, 48)):
        picture = draw(STARTER_CAST[0], Pose(yaw=degrees), 512)
        assert least < head_yaw(finder.find(picture)[0].points) < most


def test_no_face_several_faces_and_small_ones_are_refused(finder: FaceFinder, photograph: Image.Image) -> None:
    picture = np.asarray(photograph)
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    assert "no face was found in it" in refusal(finder, noise)
    both = np.concatenate([picture, picture], axis=1)
    assert "2 faces were found (left, top, right, bottom: " in refusal(finder, both)
    chosen = portrait_face(finder, both, find_faces(finder, both), (0.5, 0.0, 1.0, 1.0))
    assert chosen.region[0] > 0.5
    assert "no face was found where face= says" in refusal(finder, both, region=(0.0, 0.8, 0.2, 1.0))
    small = np.asarray(photograph.resize((256, 300)))
    assert "is 116 pixels high" in refusal(finder, small) or "and 128 are needed" in refusal(finder, small)


def test_somebody_far_behind_is_no_second_person(finder: FaceFinder, photograph: Image.Image) -> None:
    together = Image.new("RGB", (800, 600), (90, 110, 120))
    together.paste(photograph, (0, 0))
    together.paste(photograph.resize((128, 150)), (620, 60))
    faces = find_faces(finder, np.asarray(together))
    assert len(faces) == 2
    assert portrait_face(finder, np.asarray(together), faces).region[2] < 0.5


def test_a_dark_or_blurred_photograph_is_only_warned_about(finder: FaceFinder, photograph: Image.Image) -> None:
    for changed, said in (
        (photograph.point(lambda level: level // 4), "dark"),
        (photograph.filter(ImageFilter.GaussianBlur(6)), "blurred"),
    ):
        picture = np.asarray(changed)
        [warning] = portrait_face(finder, picture, find_faces(finder, picture)).warnings
        assert said in warning


def test_drawings_are_told_from_photographs(photograph: Image.Image) -> None:
    region = (0.333, 0.183, 0.693, 0.570)
    for changed in (photograph, photograph.point(lambda level: level // 5), photograph.resize((256, 300))):
        assert not is_drawn(np.asarray(changed), region)
    for presenter in STARTER_CAST[::6]:
        assert is_drawn(draw(presenter, reference_pose(), 256), (0.29, 0.25, 0.71, 0.78))
