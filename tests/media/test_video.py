"""Video files: constant frame rate, right colours, equal bytes for equal frames, never half-written."""

import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from media.audio import read_audio, write_wav
from media.errors import InputError
from media.video import Picture, probe_video, read_frames, write_video

COLOURS = [
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 255),
    (0, 0, 0),
    (128, 128, 128),
    (224, 172, 140),
    (90, 50, 30),
]


def moving_square(count: int, width: int = 128, height: int = 96) -> Iterator[Picture]:
    for number in range(count):
        frame = np.full((height, width, 3), 60, np.uint8)
        frame[20:50, number % (width - 30) : number % (width - 30) + 30] = (220, 40, 90)
        yield frame


def test_a_video_has_the_frames_rate_and_size_that_went_in(tmp_path: Path) -> None:
    assert write_video(moving_square(37), tmp_path / "a.mp4", 25) == 37
    info = probe_video(tmp_path / "a.mp4")
    assert (info.frames, info.fps, info.width, info.height) == (37, 25.0, 128, 96)
    assert info.duration == pytest.approx(37 / 25)
    assert (info.has_audio, info.audio_duration) == (False, None)
    assert sum(1 for _ in read_frames(tmp_path / "a.mp4")) == 37


@pytest.mark.parametrize("fps", [12, 25, 30, Fraction(30000, 1001), 23.976])
def test_the_frame_rate_is_constant(tmp_path: Path, fps: float) -> None:
    write_video(moving_square(20), tmp_path / "a.mp4", fps)
    with av.open(str(tmp_path / "a.mp4")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    np.testing.assert_allclose(np.diff(times), 1 / float(fps), atol=1e-3)


def test_equal_frames_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_video(moving_square(30), tmp_path / name, 25)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_colours_survive(tmp_path: Path) -> None:
    frame = np.repeat(np.repeat(np.array(COLOURS, np.uint8)[None], 32, axis=1), 64, axis=0)
    write_video([frame] * 3, tmp_path / "a.mp4", 25)
    decoded = list(read_frames(tmp_path / "a.mp4"))[1]
    middles = decoded[32, 16::32].astype(int)
    assert np.abs(middles - np.array(COLOURS)).max() <= 4
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].codec_context.colorspace == 1, "tagged BT.709, so that players agree"
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"


def test_frames_are_consumed_as_they_are_encoded(tmp_path: Path) -> None:
    script = """
import resource, sys
import numpy as np
from media.video import write_video
peak = {}
def frames():
    for number in range(400):
        peak[number] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        yield np.full((240, 320, 3), number % 256, np.uint8)
write_video(frames(), sys.argv[1], 25, preset="ultrafast")
print((peak[399] - peak[150]) / 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a.mp4")], capture_output=True, text=True, check=True, timeout=120
    )
    assert float(done.stdout) < 15, "MiB more for 250 further frames, which would be 55 MiB if they were kept"


def test_an_error_in_the_middle_leaves_no_file(tmp_path: Path) -> None:
    def frames() -> Iterator[Picture]:
        yield from moving_square(10)
        raise RuntimeError("the renderer failed")

    with pytest.raises(RuntimeError, match="the renderer failed"):
        write_video(frames(), tmp_path / "a.mp4", 25)
    assert list(tmp_path.iterdir()) == []


def test_no_frames_frames_of_odd_size_and_frames_of_changing_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        write_video([], tmp_path / "a.mp4", 25)
    with pytest.raises(ValueError, match=r"even width and height for H.264, not 127x96"):
        write_video(moving_square(3, width=127), tmp_path / "a.mp4", 25)
    with pytest.raises(ValueError, match="frame 1 is"):
        write_video([*moving_square(1), *moving_square(1, width=64)], tmp_path / "a.mp4", 25)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(InputError, match="out is a file, not a folder"):
        write_video(moving_square(3), tmp_path / "out" / "a.mp4", 25)


@pytest.mark.parametrize("sound_seconds", [0.5, 1.2, 3.0])
def test_sound_is_cut_or_filled_to_the_length_of_the_picture(tmp_path: Path, sound_seconds: float) -> None:
    tone = (0.3 * np.sin(np.arange(int(48000 * sound_seconds)) / 10)).astype(np.float32)
    write_wav(tmp_path / "s.wav", tone, 48000)
    write_video(moving_square(30), tmp_path / "a.mp4", 25, sound=tmp_path / "s.wav")
    info = probe_video(tmp_path / "a.mp4")
    assert info.duration == pytest.approx(1.2)
    assert info.audio_duration == pytest.approx(1.2, abs=0.02)


def test_sound_stays_where_it_was(tmp_path: Path) -> None:
    click = np.zeros(48000 * 2, np.float32)
    click[57600:57648] = 0.9  # at 1.2 s
    write_wav(tmp_path / "s.wav", click, 48000)
    write_video(moving_square(50), tmp_path / "a.mp4", 25, sound=tmp_path / "s.wav")
    heard = np.abs(read_audio(tmp_path / "a.mp4", 48000)).argmax() / 48000
    assert heard == pytest.approx(1.2, abs=0.005)


def test_tags_and_an_index_in_front_are_written(tmp_path: Path) -> None:
    write_video(moving_square(5), tmp_path / "a.mp4", 25, metadata={"title": "One", "comment": "AI-generated"})
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.metadata["title"] == "One"
        assert container.metadata["comment"] == "AI-generated"
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.find(b"moov") < content.find(b"mdat")


@pytest.mark.parametrize("content", [b"", b"not a video", b"\0\0\0 ftypisom"])
def test_what_is_not_a_video_is_told_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(InputError, match="not a video that can be read"):
        probe_video(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="does not exist"):
        next(read_frames(tmp_path / "gone.mp4"))
