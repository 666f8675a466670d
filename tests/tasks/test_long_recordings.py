"""Memory for recordings of hours: the same as for minutes.

The short test runs always. For the table of docs/quality.md, with real diarization (it takes about 10 minutes):
`PORTRAYAL_MINUTES=10,60,180 python -m pytest tests/tasks/test_long_recordings.py -s --timeout 7200`
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from media.audio import wav_bytes
from models.speech.espeak import EspeakSynthesizer

RATE = 16_000
LONG = os.environ.get("PORTRAYAL_MINUTES")

# Runs in a process of its own, whose peak is then its own. The sound track is muxed with pictures as small as can be.
WORK = """
import json, resource, sys
import numpy as np
from pathlib import Path
from media.video import write_video
from tasks.assembling import _write_sound
from tasks.hearing import hear
from tasks.performance import SOUND_RATE, Performance
from tasks.request import checked_request
from tasks.sources import read_source

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def work(recording, listen):
    request = checked_request(source=str(recording), engines={"render": "still", "diarization": "dvector"})
    source = read_source(request)
    figures = {"read": peak()}
    if listen:
        performance = hear(source, request, 25).performance
        figures["hear"] = peak()
    else:
        from media.dialogue import Dialogue
        from media.hygiene import check_sound
        from media.timeline import from_times
        check_sound(recording)
        length = round(source.duration * SOUND_RATE)
        performance = Performance(Dialogue("en", ()), from_times([], length, SOUND_RATE, 25), ())
    sound = recording.with_suffix(".sound.wav")
    _write_sound(source, performance, sound)
    figures["mix and level"] = peak()
    picture = np.zeros((16, 16, 3), np.uint8)
    write_video((picture for _ in range(performance.timeline.frames)), recording.with_suffix(".mp4"), 25, sound=sound,
                preset="ultrafast")
    figures["mux"] = peak()
    figures["turns"] = len(performance.dialogue.turns)
    return figures

print(json.dumps([work(Path(recording), sys.argv[1] == "listen") for recording in sys.argv[2:]]))
"""


def conversation(path: Path, minutes: float) -> None:
    """Two voices in turn, written piece by piece."""
    import wave

    engine = EspeakSynthesizer()
    lines = [
        "Good morning, and welcome to our little programme about the weather in the mountains.",
        "Thank you very much for having me, I have been looking forward to it for a long time.",
        "So tell me, what is the strangest thing that you have ever seen up there?",
        "One winter we saw a rainbow at night, right above the frozen lake, and nobody believed us.",
    ]
    voices = engine.voices("en", 2, ["feminine", "masculine"])
    said = [engine.speak(text, "en", voices[number % 2]) for number, text in enumerate(lines)]
    pause = np.zeros(round(0.5 * said[0].sample_rate), np.float32)
    piece = np.concatenate([part for speech in said for part in (speech.samples, pause)])
    data = wav_bytes(piece, said[0].sample_rate)[44:]
    wanted = round(minutes * 60 * said[0].sample_rate) * 2
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(said[0].sample_rate)
        for start in range(0, wanted, len(data)):
            file.writeframesraw(data[: wanted - start])


def peaks(folder: Path, *lengths: float, listen: bool) -> list[dict[str, float]]:
    """Megabytes at the end of each stage, the most so far, for recordings of `lengths` minutes, one after the other."""
    folder.mkdir(exist_ok=True)
    recordings = [folder / f"{minutes}.wav" for minutes in lengths]
    for recording, minutes in zip(recordings, lengths, strict=True):
        conversation(recording, minutes)
    done = subprocess.run(
        [sys.executable, "-c", WORK, "listen" if listen else "", *map(str, recordings)],
        capture_output=True,
        text=True,
        check=False,
        timeout=7000,
        env=os.environ | {"PORTRAYAL_HOME": str(folder / "home"), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    figures: list[dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return figures


def test_checking_mixing_levelling_and_muxing_take_no_more_memory_for_ten_times_the_length(tmp_path: Path) -> None:
    short, long = peaks(tmp_path, 0.2, 2, listen=False)
    # Two minutes at 48 kHz are 23 MB of float32, and were held several times over; a block of ten seconds is 2 MB.
    assert long["mux"] - short["mux"] < 10, (short, long)


@pytest.mark.skipif(LONG is None, reason="set PORTRAYAL_MINUTES=10,60,180 to measure")
def test_the_table_of_memory_by_length(tmp_path: Path) -> None:
    stages = ("read", "hear", "mix and level", "mux", "turns")
    print(f"\n| minutes | {' | '.join(stages)} |\n|{' --- |' * (len(stages) + 1)}")
    for minutes in str(LONG).split(","):
        (figures,) = peaks(tmp_path / minutes, float(minutes), listen=True)
        print(f"| {minutes} | {' | '.join(f'{figures[stage]:.0f}' for stage in stages)} |", flush=True)
