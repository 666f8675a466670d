"""A synthesis worker in pure Python, run by another environment's python: it sings every letter as a vowel.

It follows docs/synthesis-workers.md, and misbehaves as the words after its name tell it.
"""

import json
import math
import os
import pathlib
import struct
import sys
import time
import wave

RATE = 16000
VOWELS = {"a": (800, 1200), "e": (500, 1900), "i": (300, 2300), "o": (500, 900), "u": (320, 800)}
HABITS = set(sys.argv[1:])
NOTES = pathlib.Path(os.environ["WORKER_NOTES"])


def say(**message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def pitch_of(request):
    """A clone takes its pitch from the recording: the crossings of zero in it."""
    if request.get("reference"):
        with wave.open(request["reference"], "rb") as file:
            frames = struct.unpack(f"<{file.getnframes()}h", file.readframes(file.getnframes()))
            crossings = sum(frames[at - 1] < 0 <= frames[at] for at in range(1, len(frames)))
            return crossings * file.getframerate() / len(frames)
    return {"deep": 100.0, "high": 220.0}[request["voice"] or "deep"]


def sing(request):
    samples = []
    phase = 0.0
    pitch = pitch_of(request) * (1 + (request["seed"] % 7) / 1000)
    for letter in request["text"].lower():
        formants = VOWELS.get(letter) or VOWELS["aeiou"[ord(letter) % 5]]
        for _ in range(RATE // 12):
            phase += 2 * math.pi * pitch / RATE
            value = 0.4 * math.sin(phase)
            for formant in formants:
                value += 0.2 * math.sin(round(formant / pitch) * phase)  # the harmonic nearest to it
            samples.append(int(20000 * max(-1, min(1, value))))
    with wave.open(request["out"], "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def once(name):
    """True the first time that any worker of this test asks."""
    try:
        (NOTES / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def note(text):
    with (NOTES / "log").open("a") as file:
        file.write(text + "\n")


note("start " + sys.prefix + " " + os.environ.get("PYTHONPATH", "-"))
sys.stderr.write("warming up\n")
for line in sys.stdin:
    request = json.loads(line)
    if request["type"] == "bye":
        note("bye")
        say(type="bye")
        break
    if request["type"] == "hello":
        if "mute" in HABITS:
            time.sleep(60)
        if "chatty" in HABITS:
            print("Loading weights ...", flush=True)
        hello = {"protocol": 7 if "future" in HABITS else 1, "engine": "vowels", "version": "1.2", "sample_rate": RATE}
        hello |= {"languages": ["en", "es", "no"], "can_clone": "clones" in HABITS}
        hello["voices"] = [{"name": "deep", "gender": "masculine"}, {"name": "high", "gender": "feminine"}]
        say(type="hello", **hello)
        continue
    note("speak " + request["text"] + " " + str(request["seed"]))
    if "crash" in HABITS or ("crash-once" in HABITS and once("crashed")):
        sys.stderr.write("CUDA error: out of memory\n")
        sys.stderr.flush()
        os._exit(9)
    if "hang" in HABITS or ("hang-once" in HABITS and once("hung")):
        time.sleep(60)
    if "refuse" in HABITS:
        say(type="error", id=request["id"], kind="refused", message="I do not know the letter 'q'")
        continue
    if "fail" in HABITS:
        say(type="error", id=request["id"], kind="failed", message="no memory left")
        continue
    if "slow" in HABITS:
        for share in range(6):
            time.sleep(0.3)
            say(type="progress", id=request["id"], share=share / 6)
    if "silent" not in HABITS:
        sing(request)
    say(type="speech", id="99" if "wrong-id" in HABITS else request["id"])
