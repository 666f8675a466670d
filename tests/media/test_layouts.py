"""Finished videos: who is seen when, in step with the sound, with names, captions and disclosure; whole or not at all."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from media.audio import write_wav
from media.captions import Cue
from media.contact_sheet import contact_sheet
from media.errors import InputError, RenderError
from media.framing import SIZES, Aspect, Layout, framing
from media.layouts import Composition, Screen, Shot, _spotlight_turns, compose
from media.provenance import read_metadata, video_metadata
from media.video import Picture, probe_video, read_frames, write_video

FPS = 25
RED, GREEN, BLUE = (200, 30, 30), (30, 160, 40), (40, 60, 200)
SPEAKERS = {"Ann": RED, "Ben": GREEN, "Cleo": BLUE}


def clip_of(colour: tuple[int, int, int], count: int) -> Iterator[Picture]:
    """A clip of one colour, whose upper part tells its frame number by its brightness."""
    for number in range(count):
        frame = np.full((64, 64, 3), colour, np.uint8)
        frame[4:28, 16:48] = 20 + 10 * number
        yield frame


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for name, colour in SPEAKERS.items():
        Image.new("RGB", (64, 64), colour).save(folder / f"{name}.png")
        write_video(clip_of(colour, 16), folder / f"{name}.mp4", FPS)
        write_video(
            (np.full((64, 64, 3), (250, 250, 10 * n), np.uint8) for n in range(8)), folder / f"{name}-idle.mp4", FPS
        )
    seconds = np.arange(48000 * 3) / 48000
    write_wav(folder / "sound.wav", (0.2 * np.sin(2 * np.pi * 220 * seconds)).astype(np.float32), 48000)
    return folder


def composition(folder: Path, layout: Layout = "spotlight", aspect: Aspect = "16:9", idle: bool = False) -> Composition:
    """Ann on frames 6-21, Ben on 22-37, of 42."""
    return Composition(
        layout,
        aspect,
        FPS,
        42,
        tuple(
            Screen(name, folder / f"{name}.png", folder / f"{name}-idle.mp4" if idle else None)
            for name in ("Ann", "Ben")
        ),
        (Shot(0, 6, 16, folder / "Ann.mp4"), Shot(1, 22, 16, folder / "Ben.mp4")),
        folder / "sound.wav",
    )


def composed(wanted: Composition, out: Path) -> list[Picture]:
    compose(wanted, out)
    return list(read_frames(out))


@pytest.fixture(scope="module")
def spotlight(folder: Path) -> list[Picture]:
    return composed(composition(folder), folder / "spotlight.mp4")


def colour_at(frame: Picture, x: float, y: float) -> tuple[int, ...]:
    height, width = frame.shape[:2]
    return tuple(
        frame[int(y * height) - 2 : int(y * height) + 3, int(x * width) - 2 : int(x * width) + 3]
        .mean((0, 1))
        .astype(int)
    )


def is_close(colour: tuple[int, ...], wanted: tuple[int, ...], tolerance: int = 16) -> bool:
    return all(abs(int(a) - int(b)) <= tolerance for a, b in zip(colour, wanted, strict=True))


@pytest.mark.parametrize("layout", get_args(Layout))
@pytest.mark.parametrize("aspect", get_args(Aspect))
def test_every_layout_and_aspect_has_the_promised_form(
    tmp_path: Path, folder: Path, layout: Layout, aspect: Aspect
) -> None:
    wanted = replace(
        composition(folder, layout, aspect),
        frames=12,
        cues=(Cue(0.1, 0.4, ("A caption of two", "lines at most"), "Ann"),),
        title="Form",
    )
    compose(wanted, tmp_path / "a.mp4")
    info = probe_video(tmp_path / "a.mp4")
    assert (info.width, info.height) == SIZES[aspect]
    assert (info.frames, info.fps) == (12, FPS)
    assert info.audio_duration == pytest.approx(info.duration, abs=0.04)


def test_the_spotlight_is_cut_on_the_first_frame_of_a_turn(spotlight: list[Picture]) -> None:
    on_screen = [next(n for n, c in SPEAKERS.items() if is_close(colour_at(f, 0.5, 0.65), c)) for f in spotlight]
    assert on_screen == ["Ann"] * 22 + ["Ben"] * 20


def test_each_frame_of_a_clip_is_shown_at_its_time(spotlight: list[Picture]) -> None:
    brightness = [colour_at(frame, 0.5, 0.25)[0] for frame in spotlight]
    np.testing.assert_allclose(brightness[6:22], 20 + 10 * np.arange(16), atol=6)
    np.testing.assert_allclose(brightness[22:38], 20 + 10 * np.arange(16), atol=6)


def test_after_a_clip_the_speaker_softly_returns_to_listening(tmp_path: Path, folder: Path) -> None:
    wanted = replace(composition(folder, idle=True), shots=(Shot(0, 6, 16, folder / "Ann.mp4"),))
    red_to_yellow = [colour_at(frame, 0.5, 0.65)[1] for frame in composed(wanted, tmp_path / "a.mp4")]
    speaking, fading, listening = red_to_yellow[6:22], red_to_yellow[22:26], red_to_yellow[26:]
    assert max(speaking) < 50
    assert all(50 < value < 235 for value in fading)
    assert fading == sorted(fading)
    assert min(listening) > 235


def test_a_listener_idles_forwards_and_backwards(tmp_path: Path, folder: Path) -> None:
    wanted = replace(composition(folder, idle=True), shots=())
    blue = [colour_at(frame, 0.5, 0.65)[2] for frame in composed(wanted, tmp_path / "a.mp4")]
    there_and_back = [*range(8), *range(6, 0, -1)] * 3
    np.testing.assert_allclose(blue, 10 * np.array(there_and_back), atol=8)


def test_in_a_gallery_overlapping_speakers_both_play_and_both_are_framed(tmp_path: Path, folder: Path) -> None:
    wanted = replace(
        composition(folder, "gallery"), shots=(Shot(0, 4, 16, folder / "Ann.mp4"), Shot(1, 10, 16, folder / "Ben.mp4"))
    )
    frames = composed(wanted, tmp_path / "a.mp4")
    panels = framing("gallery", "16:9", 2, captions=False).panels

    def playing(number: int, panel: int) -> bool:
        square = panels[panel].square
        value = frames[number][square.top + square.height // 4, square.left + square.width // 2]
        return is_close(tuple(value), (value[0],) * 3, 8)  # the grey patch of a clip, not the colour of a portrait

    def framed(number: int, panel: int) -> bool:
        tile = panels[panel].visible
        return is_close(tuple(frames[number][tile.top + tile.height // 2, tile.left - 3]), (255, 196, 61), 40)

    assert [(playing(n, 0), playing(n, 1)) for n in (0, 8, 15, 24, 40)] == [
        (False, False),
        (True, False),
        (True, True),
        (False, True),
        (False, False),
    ]
    assert [(framed(n, 0), framed(n, 1)) for n in (0, 8, 15, 25, 40)] == [
        (False, False),
        (True, False),
        (True, True),
        (False, True),
        (False, False),
    ]


def test_listeners_do_not_move_in_step(tmp_path: Path, folder: Path) -> None:
    frames = composed(replace(composition(folder, "gallery", idle=True), shots=()), tmp_path / "a.mp4")
    panels = framing("gallery", "16:9", 2, captions=False).panels
    first, second = ([int(frame[p.mouth.top, p.mouth.left, 2]) for frame in frames] for p in panels)
    assert np.abs(np.array(first) - np.array(second)).mean() > 10


def test_captions_change_nothing_but_their_own_band(tmp_path: Path, folder: Path, spotlight: list[Picture]) -> None:
    captioned = replace(
        composition(folder), frames=24, cues=(Cue(0.4, 0.8, ("Hello, this is a caption", "of two lines"), "Ann"),)
    )
    with_captions = composed(captioned, tmp_path / "b.mp4")
    band = framing("spotlight", "16:9", 2, captions=True).captions
    shown = []
    for number, (before, after) in enumerate(zip(spotlight[:24], with_captions, strict=True)):
        difference = np.abs(before.astype(int) - after.astype(int)).max(axis=2) > 60
        if difference.any():
            shown.append(number)
            rows, columns = np.nonzero(difference)
            assert band.top <= rows.min() and rows.max() < band.bottom
            assert band.left <= columns.min() and columns.max() < band.right
    assert shown == list(range(10, 20)), "from 0.4 s to 0.8 s"


def test_the_name_comes_with_the_turn(spotlight: list[Picture]) -> None:
    name = framing("spotlight", "16:9", 2, captions=False).panels[0].name

    def bright_letters(frame: Picture) -> int:
        return int((frame[name.top : name.bottom, name.left : name.right].min(axis=2) > 225).sum())

    assert bright_letters(spotlight[20]) > 50, "Ann has been there for a while"
    assert bright_letters(spotlight[22]) == 0, "Ben's name begins to appear"
    assert bright_letters(spotlight[36]) > 50


def test_a_video_says_that_it_is_ai_generated(tmp_path: Path, folder: Path) -> None:
    tags = video_metadata('Dogs & "cats"', "es-419", "production-7")
    compose(replace(composition(folder), frames=5, metadata=tags), tmp_path / "a.mp4")
    found = read_metadata(tmp_path / "a.mp4")
    assert found == tags
    assert found["comment"].startswith("AI-generated")
    assert found["digital_source_type"].endswith("/trainedAlgorithmicMedia")


def test_progress_is_told_frame_by_frame(tmp_path: Path, folder: Path) -> None:
    told: list[int] = []
    compose(replace(composition(folder), frames=9), tmp_path / "a.mp4", told.append)
    assert told == list(range(1, 10))


def test_stopping_in_the_middle_leaves_nothing(tmp_path: Path, folder: Path) -> None:
    def stop(frames: int) -> None:
        if frames == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compose(composition(folder), tmp_path / "a.mp4", stop)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_clip_is_named_and_nothing_is_left(tmp_path: Path, folder: Path) -> None:
    wanted = replace(composition(folder), shots=(Shot(0, 6, 16, folder / "gone.mp4"),))
    with pytest.raises(RenderError, match=r"gone.mp4 does not exist.*run the command again"):
        compose(wanted, tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_clip_of_another_frame_rate_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(RenderError, match="has 25 frames a second, the video has 30"):
        compose(replace(composition(folder), fps=30), tmp_path / "a.mp4")


def test_captions_that_no_font_can_draw_are_refused_before_any_work(tmp_path: Path, folder: Path) -> None:
    wanted = replace(composition(folder), cues=(Cue(0, 1, ("\U00050000",), "Ann"),))
    with pytest.raises(InputError, match=r"No font on this machine can draw.*--captions sidecar"):
        compose(wanted, tmp_path / "a.mp4")


def test_memory_does_not_grow_with_the_length(tmp_path: Path, folder: Path) -> None:
    script = """
import resource, sys
from pathlib import Path
from media.layouts import Composition, Screen, Shot, compose
folder = Path(sys.argv[1])
shots = tuple(Shot(n % 2, n * 16, 16, folder / f"{('Ann', 'Ben')[n % 2]}.mp4") for n in range(12))
screens = tuple(Screen(name, folder / f"{name}.png", folder / f"{name}-idle.mp4") for name in ("Ann", "Ben"))
peak = {}
def note(frames):
    peak[frames] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
compose(Composition("spotlight", "16:9", 25, 140, screens, shots, folder / "sound.wav"), Path(sys.argv[2]), note)
print((peak[140] - peak[80]) / 1024)
"""
    arguments = [sys.executable, "-c", script, str(folder), str(tmp_path / "a.mp4")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=200)
    assert float(done.stdout) < 30, "MiB more for 60 further frames, which would be 158 MiB if they were kept"


def test_a_contact_sheet_shows_stills_from_first_to_last(
    tmp_path: Path, folder: Path, spotlight: list[Picture]
) -> None:
    assert len(spotlight) == 42
    contact_sheet(folder / "spotlight.mp4", tmp_path / "sheet.png", columns=3, rows=2)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (3 * 326 + 6, 2 * 186 + 6)
        pixels = np.asarray(sheet)
    assert is_close(tuple(pixels[6 + 117, 6 + 160]), RED)
    assert is_close(tuple(pixels[-6 - 63, -6 - 160]), GREEN)


def test_in_spotlight_whoever_begins_last_is_seen_and_a_remark_does_not_turn_the_picture() -> None:
    def shown(*shots: tuple[int, int, int]) -> list[tuple[int, int]]:
        return _spotlight_turns(
            [Shot(speaker, start, end - start, Path("clip.mp4")) for speaker, start, end in shots], 25
        )

    assert shown((1, 10, 50), (0, 60, 90), (0, 95, 120), (1, 130, 150)) == [(0, 1), (60, 0), (130, 1)]
    assert shown((0, 0, 100), (1, 80, 200)) == [(0, 0), (80, 1)]
    # A second within somebody else's turn is a remark; two seconds are a turn, after which the other is back.
    assert shown((0, 0, 300), (1, 100, 125), (1, 320, 400)) == [(0, 0), (320, 1)]
    assert shown((0, 0, 300), (1, 100, 150), (1, 320, 400)) == [(0, 0), (100, 1), (150, 0), (320, 1)]
    assert shown() == [(0, 0)]
