"""Sound in and out of files, in every format a user brings, and one clear sentence for what cannot be used."""

import subprocess
import time
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imageio_ffmpeg import get_ffmpeg_exe

from media.audio import (
    probe_audio,
    read_audio,
    require_usable,
    resample,
    wav_bytes,
    write_wav,
)
from media.errors import InputError

FORMATS = [
    ("speech.wav", 8000, 1, "pcm_s16le"),
    ("studio.wav", 48000, 2, "pcm_s24le"),
    ("surround.wav", 44100, 6, "pcm_f32le"),
    ("telephone.wav", 8000, 1, "pcm_mulaw"),
    ("podcast.mp3", 44100, 2, "libmp3lame"),
    ("phone.m4a", 44100, 2, "aac"),
    ("archive.flac", 22050, 1, "flac"),
    ("music.ogg", 48000, 2, "libvorbis"),
    ("message.ogg", 48000, 1, "libopus"),
    ("film.mp4", 48000, 6, "aac"),
]


def ffmpeg(*arguments: str) -> None:
    subprocess.run(
        [get_ffmpeg_exe(), "-y", "-loglevel", "error", *arguments],
        check=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    for name, rate, channels, codec in FORMATS:
        tone = "|".join(["0.3*sin(2*PI*440*t)"] * channels)
        ffmpeg(
            "-f",
            "lavfi",
            "-i",
            f"aevalsrc={tone}:s={rate}:d=3.7",
            "-c:a",
            codec,
            str(folder / name),
        )
    return folder


@pytest.mark.parametrize(("name", "rate", "channels", "codec"), FORMATS)
def test_any_format_rate_and_channel_count_is_read_as_16_khz_mono(
    folder: Path, name: str, rate: int, channels: int, codec: str
) -> None:
    info = require_usable(folder / name)
    assert (info.sample_rate, info.channels) == (rate, channels)
    assert info.duration == pytest.approx(3.7, abs=0.02)

    samples = read_audio(folder / name)
    assert samples.dtype == np.float32
    assert len(samples) / 16000 == pytest.approx(3.7, abs=0.02)
    spectrum = np.abs(np.fft.rfft(samples[8000:24000]))  # one second: a bin is 1 Hz
    assert spectrum.argmax() == 440
    assert np.abs(samples[8000:-8000]).max() == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize(("name", "rate", "channels", "codec"), FORMATS)
def test_a_part_is_what_lies_there_in_the_whole(folder: Path, name: str, rate: int, channels: int, codec: str) -> None:
    whole, part = (
        read_audio(folder / name),
        read_audio(folder / name, start=1.2, end=2.7),
    )
    assert len(part) == pytest.approx(24000, abs=2)
    np.testing.assert_allclose(part[100:-100], whole[19200:43200][100 : len(part) - 100], atol=2e-3)


@pytest.mark.parametrize(("name", "rate", "channels", "codec"), FORMATS)
def test_a_truncated_file_is_refused(
    folder: Path, tmp_path: Path, name: str, rate: int, channels: int, codec: str
) -> None:
    whole = (folder / name).read_bytes()
    cut = tmp_path / name
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(InputError, match=r"cut short.*copy or export it again"):
        require_usable(cut)


@settings(max_examples=40, deadline=None)
@given(
    data=st.binary(max_size=300),
    beginning=st.sampled_from([b"", b"RIFF", b"OggS", b"fLaC", b"ID3\x04", b"\0\0\0 ftypM4A "]),
)
def test_no_bytes_raise_anything_but_the_projects_own_error(
    data: bytes, beginning: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.bin"
    path.write_bytes(beginning + data)
    with pytest.raises(InputError, match=r"noise.bin"):
        require_usable(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"talk.mp3 does not exist; check the path"):
        require_usable(tmp_path / "talk.mp3")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; name one audio or video file"):
        require_usable(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "talk.mp3").touch()
    with pytest.raises(InputError, match=r"talk.mp3 is empty"):
        require_usable(tmp_path / "talk.mp3")


def test_text_is_not_audio(tmp_path: Path) -> None:
    (tmp_path / "talk.mp3").write_text("Ann: this is a script, not a recording\n" * 20)
    with pytest.raises(InputError, match="is not audio that can be read"):
        require_usable(tmp_path / "talk.mp3")


def test_a_picture_is_not_audio(tmp_path: Path) -> None:
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "color=red:s=64x64",
        "-frames:v",
        "1",
        str(tmp_path / "face.png"),
    )
    with pytest.raises(InputError, match="is not audio that can be read"):
        require_usable(tmp_path / "face.png")


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64:d=1", str(tmp_path / "mute.mp4"))
    with pytest.raises(InputError, match="is a video without sound"):
        require_usable(tmp_path / "mute.mp4")


def test_a_silent_recording_is_refused(tmp_path: Path) -> None:
    write_wav(tmp_path / "quiet.wav", np.full(32000, 0.0005, np.float32), 16000)
    with pytest.raises(InputError, match=r"silent.*-60 dBFS"):
        require_usable(tmp_path / "quiet.wav")


def test_a_word_between_long_silences_is_heard(tmp_path: Path) -> None:
    samples = np.zeros(16000 * 30, np.float32)
    samples[16000 * 20 : 16000 * 20 + 4000] = 0.1
    write_wav(tmp_path / "shy.wav", samples, 16000)
    assert require_usable(tmp_path / "shy.wav").duration == 30.0


def test_a_recording_of_a_fifth_of_a_second_is_refused(tmp_path: Path) -> None:
    write_wav(tmp_path / "short.wav", np.full(3200, 0.2, np.float32), 16000)
    with pytest.raises(InputError, match=r"0.20 s long, which is too short"):
        require_usable(tmp_path / "short.wav")


def test_six_hours_are_accepted_at_once(tmp_path: Path) -> None:
    six_hours = tmp_path / "day.wav"
    second = (0.2 * np.sin(np.arange(8000) / 3)).astype(np.float32)
    header = bytearray(wav_bytes(second, 8000)[:44])
    size = 6 * 3600 * 8000 * 2
    header[4:8], header[40:44] = (
        (size + 36).to_bytes(4, "little"),
        size.to_bytes(4, "little"),
    )
    with six_hours.open("wb") as file:  # sparse: silence but for a minute in the middle
        file.write(header)
        file.seek(44 + size // 2)
        file.write(wav_bytes(np.tile(second, 400), 8000)[44:])
        file.truncate(44 + size)
    start = time.process_time()
    assert require_usable(six_hours).duration == 6 * 3600
    assert time.process_time() - start < 5
    assert len(read_audio(six_hours, start=3 * 3600, end=3 * 3600 + 10)) == 160000


def test_equal_samples_give_equal_wav_bytes(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).uniform(-1.5, 1.5, 5000).astype(np.float32)
    write_wav(tmp_path / "a.wav", samples, 24000)
    assert (tmp_path / "a.wav").read_bytes() == wav_bytes(samples, 24000)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (
            file.getnchannels(),
            file.getsampwidth(),
            file.getframerate(),
            file.getnframes(),
        ) == (1, 2, 24000, 5000)
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav", 24000), np.clip(samples, -1, 1), atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(
    rates=st.tuples(
        st.sampled_from([8000, 16000, 22050, 44100, 48000]),
        st.sampled_from([8000, 16000, 22050, 44100, 48000]),
    ),
    count=st.integers(0, 3000),
)
def test_resampling_keeps_the_duration(rates: tuple[int, int], count: int) -> None:
    resampled = resample(np.zeros(count, np.float32), *rates)
    assert len(resampled) == -(-count * rates[1] // rates[0])
    assert resampled.dtype == np.float32


def test_the_probe_reads_the_header_only(folder: Path) -> None:
    info = probe_audio(folder / "film.mp4")
    assert (info.codec, info.channels, info.sample_rate) == ("aac", 6, 48000)
