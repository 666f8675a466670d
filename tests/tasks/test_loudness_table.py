"""Whatever comes in, the video's sound is at -16 LUFS and its true peaks are under -1 dBTP.

`python -m pytest tests/tasks/test_loudness_table.py -s` prints the table of docs/quality.md.
"""

from pathlib import Path

import numpy as np
import pytest

from media.audio import read_audio, resample
from media.dialogue import Dialogue
from media.hygiene import check_sound
from media.loudness import measure
from media.timeline import from_times
from media.video import write_video
from models.speech.espeak import EspeakSynthesizer
from tasks.assembling import _write_sound
from tasks.performance import SOUND_RATE, Performance
from tasks.sources import Source

RATE = 48_000
LINES = (
    "Good morning, and welcome to our little programme about the weather in the mountains.",
    "Thank you very much for having me, I have been looking forward to it for a long time.",
)


def speech(rate: int = RATE) -> np.ndarray:
    engine = EspeakSynthesizer()
    said = []
    for voice, text in zip(engine.voices("en", 2, ["feminine", "masculine"]), LINES, strict=True):
        spoken = engine.speak(text, "en", voice)
        said += [resample(spoken.samples, spoken.sample_rate, rate), np.zeros(rate // 2, np.float32)]
    return np.concatenate(said)


def music(count: int) -> np.ndarray:
    time = np.arange(count) / RATE
    beat = time % 0.5
    chord = sum(np.sin(2 * np.pi * hertz * time) for hertz in (220, 277.2, 329.6))
    hit = np.random.default_rng(1).standard_normal(count) * np.exp(-40 * beat)
    return 0.1 * (chord * np.exp(-4 * beat) + hit)


def sine_bursts() -> np.ndarray:
    time = np.arange(8 * RATE) / RATE
    return 0.5 * np.sin(2 * np.pi * 997 * time) * (time % 1.0 < 0.2)


def recordings() -> dict[str, tuple[np.ndarray, int]]:
    """What is recorded, shape (samples,) or (samples, channels), and its sample rate."""
    said = speech()
    silence = np.zeros(30 * RATE, np.float32)
    surround = np.zeros((len(said), 6))
    surround[:, 2] = said  # the centre; the others are ambience
    surround[:, [0, 1, 4, 5]] = 0.01 * np.random.default_rng(2).standard_normal((len(said), 4))
    return {
        "speech, mono": (said, RATE),
        "speech, stereo, one side louder": (np.stack([said, 0.4 * said], axis=1), RATE),
        "quiet speech (-40 dB)": (0.01 * said, RATE),
        "loud speech (+24 dB, limited at full scale)": (np.tanh(16 * said), RATE),
        "clipped speech (+20 dB)": ((10 * said).clip(-1, 1), RATE),
        "speech over music": (said + music(len(said)), RATE),
        "telephone, 8 kHz": (speech(8_000), 8_000),
        "5.1, speech in the centre": (surround, RATE),
        "sine bursts": (sine_bursts(), RATE),
        "half a minute of silence around it": (np.concatenate([silence, said, silence]), RATE),
        "very short (0.6 s)": (said[: round(0.6 * RATE)], RATE),
        "DC offset of 20 %": (0.5 * said + 0.2, RATE),
    }


def video_of(samples: np.ndarray, rate: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The sound track as it is assembled from a recording, and a video with it, as small as can be."""
    from scipy.io import wavfile

    monkeypatch.setenv("PORTRAYAL_HOME", str(folder / "home"))
    recording, sound, video = folder / "in.wav", folder / "out.wav", folder / "out.mp4"
    wavfile.write(recording, rate, np.asarray(samples * 32767).clip(-32768, 32767).astype(np.int16))
    length = round(len(samples) / rate * SOUND_RATE)
    performance = Performance(
        dialogue=Dialogue("en", ()),
        timeline=from_times([], length, SOUND_RATE, 25),
        audio=(),
        dc_offset=check_sound(recording).removed_offset,
    )
    source = Source(
        path=str(recording), kind="recording", name="in", production_id="in", title="in", sha256="", languages=("en",)
    )
    _write_sound(source, performance, sound)
    picture = np.zeros((16, 16, 3), np.uint8)
    write_video((picture for _ in range(performance.timeline.frames)), video, 25, sound=sound, preset="ultrafast")
    return sound, video


def test_any_recording_comes_out_at_minus_16_lufs_with_peaks_under_minus_1_dbtp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    print("\n| recording | in: LUFS | dBTP | sound track: LUFS | dBTP | in the video (AAC): LUFS | dBTP |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, (samples, rate) in recordings().items():
        folder = tmp_path / name.split(",")[0].replace(" ", "_")
        folder.mkdir(exist_ok=True)
        sound, video = video_of(samples, rate, folder, monkeypatch)
        before = measure(read_audio(folder / "in.wav", RATE), RATE)
        written, heard = measure(read_audio(sound, RATE), RATE), measure(read_audio(video, RATE), RATE)
        figures = " | ".join(f"{loudness:.1f} | {peak:.1f}" for loudness, peak in (before, written, heard))
        print(f"| {name} | {figures} |")
        for loudness, peak in (written, heard):
            assert loudness == pytest.approx(-16, abs=0.5), name
            assert peak < -1, name


def test_silence_stays_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound, video = video_of(np.zeros(RATE), RATE, tmp_path, monkeypatch)
    assert not read_audio(sound, RATE).any() and np.abs(read_audio(video, RATE)).max() < 1e-3
