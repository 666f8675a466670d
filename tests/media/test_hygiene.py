"""DC offset, clipping and silence are found as large as they were made, in any format."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from media.audio import audio_blocks, read_audio, require_usable, write_wav
from media.hygiene import check_sound

RATE = 48_000
RNG = np.random.default_rng(5)

FORMATS = [
    ("telephone.wav", 8_000, 1, "pcm_u8"),
    ("desk.wav", 192_000, 2, "pcm_s32le"),
    ("studio.wav", 96_000, 2, "pcm_s24le"),
    ("float.wav", 44_100, 1, "pcm_f32le"),
    ("old.aiff", 44_100, 2, "pcm_s16be"),
    ("archive.flac", 96_000, 2, "flac"),
    ("podcast.mp3", 22_050, 1, "libmp3lame"),
    ("phone.m4a", 48_000, 2, "aac"),
    ("message.opus", 48_000, 1, "libopus"),
    ("music.ogg", 44_100, 2, "libvorbis"),
    ("film.mp4", 48_000, 6, "aac"),
    ("film.mkv", 48_000, 6, "flac"),
]


def voice(seconds: float, rate: int = RATE) -> np.ndarray:
    """Noise in syllables, which never falls silent."""
    count = round(seconds * rate)
    envelope = 0.3 + 0.7 * np.abs(np.sin(np.pi * 4 * np.arange(count) / rate))
    return (0.1 * envelope * RNG.standard_normal(count)).clip(-0.9, 0.9).astype(np.float32)


@pytest.mark.parametrize(("name", "rate", "channels", "codec"), FORMATS)
def test_every_format_is_read_and_its_offset_is_found(
    tmp_path: Path, name: str, rate: int, channels: int, codec: str
) -> None:
    write_wav(tmp_path / "plain.wav", voice(3.0, rate), rate)
    # Coders that cut off what lies below hearing take an offset away: they are asked for nothing but the format.
    offset = 0.05 if codec.startswith("pcm") or codec == "flac" else 0.0
    subprocess.run(
        [get_ffmpeg_exe(), "-y", "-loglevel", "error", "-i", str(tmp_path / "plain.wav"), "-af",
         f"aeval={'|'.join([f'val(0)+{offset}'] * channels)}:c={channels}c,aformat=channel_layouts="
         f"{ {1: 'mono', 2: 'stereo', 6: '5.1'}[channels]}", "-c:a", codec, "-ar", str(rate), str(tmp_path / name)],
        check=True, timeout=60,
    )  # fmt: skip
    info = require_usable(tmp_path / name)
    assert (info.sample_rate, info.channels) == (rate, channels)
    check = check_sound(tmp_path / name)
    assert check.seconds == pytest.approx(3.0, abs=0.1) and check.channels == channels
    assert check.dc_offset == pytest.approx(offset, abs=0.004)
    assert check.clipped == 0 and check.silent == 0
    assert ("removed" in check.findings[0]) == bool(check.removed_offset)
    cleaned = np.concatenate([block - check.removed_offset for block in audio_blocks(tmp_path / name)])
    assert abs(float(cleaned.mean())) < 0.001


def test_an_array_and_its_blocks_are_the_same(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", voice(2.5, 44_100), 44_100)
    np.testing.assert_array_equal(
        np.concatenate(list(audio_blocks(tmp_path / "a.wav"))), read_audio(tmp_path / "a.wav")
    )


@pytest.mark.parametrize("level", [1.0, 0.99])
def test_flat_tops_are_counted(tmp_path: Path, level: float) -> None:
    tone = np.sin(2 * np.pi * 200 * np.arange(2 * RATE) / RATE)
    write_wav(tmp_path / "a.wav", (level * (2 * tone).clip(-1, 1)).astype(np.float32), RATE)
    check = check_sound(tmp_path / "a.wav")
    # A sine of twice full scale lies above it for two thirds of the time, in two places a period.
    assert check.clipped == pytest.approx(2 / 3, abs=0.02)
    assert check.clipped_places == pytest.approx(800, abs=4)
    assert "67." in check.findings[1] and "cannot be restored" in check.findings[1]


@pytest.mark.parametrize("hertz", [100, 440, 5_000])
def test_a_tone_at_full_scale_is_not_clipped(tmp_path: Path, hertz: int) -> None:
    write_wav(tmp_path / "a.wav", np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE).astype(np.float32), RATE)
    assert check_sound(tmp_path / "a.wav").clipped == 0


def test_silence_is_measured_beside_an_offset(tmp_path: Path) -> None:
    sound = np.concatenate([voice(2.0), np.zeros(3 * RATE, np.float32), voice(1.0), np.zeros(RATE, np.float32)]) + 0.1
    write_wav(tmp_path / "a.wav", sound, RATE)
    check = check_sound(tmp_path / "a.wav")
    assert check.silent == pytest.approx(4 / 7, abs=0.02) and check.longest_silence == pytest.approx(3.0, abs=0.11)
    assert check.dc_offset == pytest.approx(0.1, abs=0.002)
    assert check.findings[2] == (
        f"Silence: {100 * check.silent:.1f} % of 7.0 s are below -60 dBFS, at most {check.longest_silence:.1f} s at a time."
    )


def test_silence_and_next_to_nothing_are_measured_without_fuss(tmp_path: Path) -> None:
    for count in (1, 480, RATE):
        write_wav(tmp_path / "a.wav", np.zeros(count, np.float32), RATE)
        check = check_sound(tmp_path / "a.wav")
        assert check.peak_dbfs == -200 and check.clipped == 0 and check.dc_offset == 0
