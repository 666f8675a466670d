"""Memory by the length of a segment: the most that a renderer's process holds, from a portrait and a sound to an MP4.

    python -m benchmarks.long_segments                          1, 3 and 10 minutes, both ways to go on
    python -m benchmarks.long_segments --minutes 1 --way windows --fps 5

Tiny models with random weights go through `tasks.rendering.render_clip`, as a segment of a production does: `motion` is the
starter's architecture, which continues each clip from the last frames of the one before; `windows` is EchoMimic's, a photograph
that is pasted back into its picture. One denoising step, since memory does not depend on their number. Every row is a process
of its own.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

WAYS = ("motion", "windows")
FACE = (0.3, 0.25, 0.7, 0.75)
_RATE = 16_000


def measure(way: str, minutes: float, folder: Path, fps: int | None = None) -> dict[str, Any]:
    """Render a segment in this process; returns the figures.

    Args:
        fps: frames a second, for windows only, in loops of as many seconds; None: the model's own.
    """
    import torch

    from benchmarks import untrained
    from media.segment import RenderSettings, Segment
    from media.store import ArtifactStore
    from models.emo.renderer import checkpoint_info
    from tasks import rendering

    torch.set_num_threads(1)
    pipeline = untrained.starter() if way == "motion" else untrained.photographs("least", "acc")
    if way == "windows":  # faint pictures: the encoder would take most of the time for loud noise
        pipeline.codec.vae.decoder.conv_out.weight.data.mul_(0.05)
        if fps is not None:
            stretch = pipeline.config.stretch_frames * fps // pipeline.config.fps
            pipeline.register_to_config(fps=fps, stretch_frames=stretch)
    pipeline.save_pretrained(folder / "models" / way)
    del pipeline
    store = ArtifactStore(str(folder / "artifacts"))
    info = checkpoint_info(way, folder / "models")
    segment = Segment(
        store.put_bytes(_picture(), "portraits", ".png"),
        store.put_file(_write_sound(folder / "sound.wav", minutes), "audio/sound.wav"),
        FACE,
        way,
        info.fingerprint,
        RenderSettings(steps=1),
    )
    job = rendering.RenderJob(segment, round(60 * minutes * info.fps), info.fps, way, way)
    ready = rendering.resident_bytes()
    began = time.perf_counter()
    clip, _ = rendering.render_clip(job, str(folder / "artifacts"), folder / "models", lambda done: None)
    return {
        "way": way,
        "minutes": minutes,
        "frames": clip.frames,
        "mb_before": round(ready / 1e6),
        "mb_peak": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
        "mb_file": round(store.fetch(rendering.clip_key(segment.key)).stat().st_size / 1e6, 1),
        "seconds": round(time.perf_counter() - began, 1),
        "load_average": round(os.getloadavg()[0], 1),
    }


def _picture() -> bytes:
    import io

    from PIL import Image

    rng = np.random.default_rng(0)
    made = io.BytesIO()
    coarse = Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8))
    coarse.resize((256, 256), Image.Resampling.BICUBIC).save(made, "PNG")
    return made.getvalue()


def _write_sound(path: Path, minutes: float) -> Path:
    """Noise in bursts, as the level of speech goes; a second at a time."""
    import wave

    rng = np.random.default_rng(1)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_RATE)
        left = round(60 * minutes * _RATE)
        while left > 0:
            count = min(left, _RATE)
            level = np.abs(np.sin(np.arange(count) / _RATE * 4 * np.pi))
            out.writeframes((rng.normal(0, 2000, count) * level).astype(np.int16).tobytes())
            left -= count
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[1.0, 3.0, 10.0])
    parser.add_argument("--way", choices=WAYS, action="append")
    parser.add_argument("--fps", type=int, help="frames a second of `windows`, to save time; 24 otherwise")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        with tempfile.TemporaryDirectory(prefix="portrayal-long-") as folder:
            print(json.dumps(measure(given.way[0], given.minutes[0], Path(folder), given.fps)), flush=True)
        return
    for way in given.way or WAYS:
        for minutes in given.minutes:
            command = [
                sys.executable,
                "-m",
                "benchmarks.long_segments",
                "--alone",
                "--way",
                way,
                "--minutes",
                str(minutes),
            ]
            command += ["--fps", str(given.fps)] if given.fps else []
            subprocess.run(command, check=True, cwd=Path(__file__).parents[1])


if __name__ == "__main__":
    main()
