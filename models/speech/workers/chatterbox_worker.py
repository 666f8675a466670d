"""Chatterbox Multilingual behind the protocol of docs/synthesis-workers.md: many languages, and cloned voices.

Run by the python of an environment that has `chatterbox-tts`; nothing of Portrayal is there. Weights are fetched once
by the package itself, or read from a folder: `chatterbox_worker.py --weights FOLDER`.
"""

import argparse
import importlib.util
import json
import os
import re
import sys
import threading
import wave
from importlib.metadata import version
from typing import Any, BinaryIO

PROTOCOL = 1
SAMPLE_RATE = 24_000
LANGUAGES = "ar da de el en es fi fr he hi it ja ko ms nl no pl pt ru sv sw tr zh"
"""Of 0.1.7. The package itself takes seconds to import, so that hello does not ask it; `speak` does."""
LONGEST_PART = 280
"""Letters said at once: the model makes 40 s of speech at most, and loses its way before that."""
PAUSE = 0.15
"""Seconds between two parts of a turn."""


class RefusedError(Exception):
    """A request that cannot be met; the worker goes on with the next."""


class Worker:
    def __init__(self, weights: str | None, out: BinaryIO) -> None:
        self.weights, self.out = weights, out
        self.model: Any = None
        self.reference: str | None = None
        self.own_voice: Any = None

    def send(self, **message: object) -> None:
        self.out.write(json.dumps(message).encode() + b"\n")
        self.out.flush()

    def load(self, id_: str) -> None:
        """Load the model at the first request. That can take long, when the weights are still to be fetched."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(10):
                self.send(type="progress", id=id_, share=0.0)

        beating = threading.Thread(target=beat, daemon=True)
        beating.start()
        try:
            import torch
            from chatterbox.mtl_tts import ChatterboxMultilingualTTS

            device = "cuda" if torch.cuda.is_available() else "cpu"
            if self.weights:
                self.model = ChatterboxMultilingualTTS.from_local(self.weights, device)
            else:
                self.model = ChatterboxMultilingualTTS.from_pretrained(device)
            self.own_voice = self.model.conds
        finally:
            done.set()
            beating.join()

    def speak(self, request: dict[str, Any]) -> None:
        import numpy
        import torch

        id_, language = request["id"], request["language"].lower()
        if self.model is None:
            self.load(id_)
        if language not in self.model.get_supported_languages():
            raise RefusedError(f"this version of chatterbox does not speak '{language}'")
        if request.get("voice") not in (None, "", "default"):
            raise RefusedError(f"chatterbox has no voice '{request['voice']}', only 'default' and those that it clones")
        self.follow(request.get("reference"))
        torch.manual_seed(request.get("seed", 0))
        sounds: list[Any] = []
        parts = parts_of(request["text"])
        for done, part in enumerate(parts):
            self.send(type="progress", id=id_, share=done / len(parts))
            sound = self.model.generate(part, language_id=language)
            sounds += [numpy.zeros(round(PAUSE * self.model.sr), numpy.float32)] if sounds else []
            sounds.append(sound.detach().cpu().numpy().reshape(-1).astype(numpy.float32))
        samples = numpy.clip(numpy.nan_to_num(numpy.concatenate(sounds)), -1, 1)
        with wave.open(request["out"], "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self.model.sr)
            file.writeframes((samples * 32767).round().astype("<i2").tobytes())

    def follow(self, reference: str | None) -> None:
        """Speak like a recording, or with the built-in voice; what was learnt from a recording is kept until the next."""
        if reference == self.reference and self.model.conds is not None:
            return
        if reference is None:
            if self.own_voice is None:
                raise RefusedError("these weights have no voice of their own; give a recording")
            self.model.conds = self.own_voice
        else:
            self.model.prepare_conditionals(reference)
        self.reference = reference


def parts_of(text: str) -> list[str]:
    """Sentences, and clauses of long ones, put together up to `LONGEST_PART` letters; nothing is lost but spaces."""
    pieces = [piece for piece in re.split(r"(?<=[.!?…।。！？])\s*(?=\S)|(?<=[,;:，、；：])\s+", text) if piece.strip()]
    parts: list[str] = []
    for piece in pieces:
        words = re.findall(rf"\S.{{0,{LONGEST_PART - 1}}}(?!\S)|\S{{1,{LONGEST_PART}}}", piece.strip())
        for words_ in words:
            if parts and len(parts[-1]) + 1 + len(words_) <= LONGEST_PART:
                parts[-1] += " " + words_.strip()
            else:
                parts.append(words_.strip())
    return parts or [text]


def main() -> None:
    # Libraries print to stdout: the messages get a descriptor of their own, and stdout becomes stderr.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", help="folder with the weights; fetched from the hub when not given")
    worker = Worker(parser.parse_args().weights, out)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        kind = request.get("type")
        if kind == "bye":
            break
        try:
            if kind == "hello":
                if PROTOCOL not in request.get("protocols", []):
                    raise RefusedError(f"this worker speaks version {PROTOCOL} of the protocol only")
                missing = [name for name in ("chatterbox", "torch", "numpy") if importlib.util.find_spec(name) is None]
                if missing:
                    raise RefusedError(f"{', '.join(missing)} is not installed for {sys.executable}")
                worker.send(
                    type="hello",
                    protocol=PROTOCOL,
                    engine="chatterbox",
                    version=version("chatterbox-tts"),
                    languages=LANGUAGES.split(),
                    sample_rate=SAMPLE_RATE,
                    voices=[{"name": "default"}],
                    can_clone=True,
                    reads_digits=False,
                    reads_ipa=False,
                )
            elif kind == "speak":
                worker.speak(request)
                worker.send(type="speech", id=request["id"])
            else:
                raise RefusedError(f"there is no request '{kind}'")
        except RefusedError as error:
            worker.send(type="error", id=request.get("id"), kind="refused", message=str(error))
        except Exception as error:  # one bad request does not end the others; whoever asked is told
            worker.send(type="error", id=request.get("id"), kind="failed", message=f"{type(error).__name__}: {error}")
    worker.send(type="bye")


if __name__ == "__main__":
    main()
