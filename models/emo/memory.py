"""How a checkpoint is held in memory: rounded or not, how many pictures are decoded at once, what rests off the device.

What changes a pixel, the precision, depends on the device's size, so that it can be planned and is part of a segment's key.
What changes none depends on what is free when the weights are loaded, and is made smaller when that was not enough.
"""

import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from media.segment import Precision

ROUNDED = ("backbone", "reference_net", "face_locator", "codec")
"""Parts that are rounded where weights are; the others are small, and hear or schedule."""
RESTING = ("reference_net", "codec")
"""Parts that are used before or after the denoising only, the larger one first."""
PICTURES_AT_ONCE = 4
"""Of an autoencoder. The starter's codec, which needs a fraction of that, decodes a whole clip at once."""
WINDOW_BYTES = 120
"""What a call of the backbone needs beside weights, a latent pixel of a frame and a channel of its first stage, in float32. 108
were counted at full size, on tensors without contents, with fused attention; the rest is for what libraries add."""
PICTURE_BYTES, STARTER_PICTURE_BYTES = 3400, 200
"""What decoding one picture needs, a pixel, in float32: with an autoencoder, for which 3089 were counted, and with the starter's
codec, whose patches are as large as a dozen pictures."""
_HELD_BACK = 0.1
"""Share of free memory that is left to what is not counted here: fragments, libraries, the sound."""


@dataclass(frozen=True, slots=True)
class Device:
    """Memory of what is rendered on, already divided by those who share it."""

    kind: Literal["cpu", "cuda"]
    total: int
    """Bytes."""
    free: int
    bfloat16: bool = True
    """Whether it computes with bfloat16; all do with float16."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a checkpoint needs, without being loaded."""

    parameters: Mapping[str, int]
    """How many each part has."""
    size: int
    """Side of a picture, pixels."""
    frames: int
    """Frames that are denoised together."""
    width: int
    """Channels of the backbone's first stage."""
    autoencoder: bool = True
    """Whether the codec is one, and not the starter's."""

    def weights(self, precision: Precision, without: tuple[str, ...] = ()) -> int:
        """Bytes of all parts but some."""
        return sum(
            count * (4 if precision == "float32" or part not in ROUNDED else 2)
            for part, count in self.parameters.items()
            if part not in without
        )

    def window(self, precision: Precision) -> int:
        """Bytes that one call of the backbone needs beside the weights."""
        whole = self.frames * (self.size // 8) ** 2 * self.width * WINDOW_BYTES
        return whole if precision == "float32" else whole // 2

    def picture(self, precision: Precision) -> int:
        """Bytes that decoding one picture needs."""
        whole = self.size**2 * (PICTURE_BYTES if self.autoencoder else STARTER_PICTURE_BYTES)
        return whole if precision == "float32" else whole // 2


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """How a checkpoint is held."""

    precision: Precision
    pictures_at_once: int
    """Pictures that are decoded together."""
    resting: tuple[str, ...] = ()
    """Parts that are in the computer's memory while they are not used."""

    def __str__(self) -> str:
        pictures = "1 picture" if self.pictures_at_once == 1 else f"{self.pictures_at_once} pictures"
        rest = f", {' and '.join(self.resting)} off the device while unused" if self.resting else ""
        return f"{self.precision}, {pictures} decoded at once{rest}"

    def smaller(self, kind: str) -> "MemoryPlan | None":
        """The next plan that needs less and gives the same frames; None: there is none."""
        if self.pictures_at_once > 1:
            return replace(self, pictures_at_once=self.pictures_at_once // 2)
        if kind == "cuda" and len(self.resting) < len(RESTING):
            return replace(self, resting=RESTING[: len(self.resting) + 1])
        return None


def chosen_precision(needs: Needs, device: Device) -> Precision:
    """What a checkpoint for photographs is rounded to.

    A GPU multiplies rounded numbers several times as fast. A processor mostly does not: there it is done only where weights
    would not fit otherwise.
    """
    if device.kind == "cuda":
        return "bfloat16" if device.bfloat16 else "float16"
    whole = needs.weights("float32") + max(needs.window("float32"), needs.picture("float32"))
    return "float32" if whole <= device.total * (1 - _HELD_BACK) else "bfloat16"


def planned_memory(needs: Needs, precision: Precision, device: Device) -> MemoryPlan:
    """The fastest plan that fits into what is free, or the smallest there is: an estimate may be wrong, and is tried."""
    plan = MemoryPlan(precision, PICTURES_AT_ONCE if needs.autoencoder else needs.frames)
    while _bytes(needs, plan) > device.free * (1 - _HELD_BACK):
        smaller = plan.smaller(device.kind)
        if smaller is None:
            break
        plan = smaller
    return plan


def _bytes(needs: Needs, plan: MemoryPlan) -> int:
    """At the moment at which most is held: in denoising, or in decoding, for which a codec that rests is called."""
    precision = plan.precision
    denoising = needs.weights(precision, plan.resting) + needs.window(precision)
    awake = tuple(part for part in plan.resting if part != "codec")
    return max(denoising, needs.weights(precision, awake) + plan.pictures_at_once * needs.picture(precision))


def needs_of(folder: Path) -> Needs:
    """What the checkpoint in a folder needs, from configuration and the heads of its files of weights."""
    index = json.loads((folder / "model_index.json").read_text())
    backbone = json.loads((folder / "backbone/config.json").read_text())
    codec = json.loads((folder / "codec/config.json").read_text())
    parameters: dict[str, int] = {}
    for file in sorted(folder.glob("*/*.safetensors")):
        with file.open("rb") as opened:
            head = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
        shapes = (tensor["shape"] for name, tensor in head.items() if name != "__metadata__")
        parameters[file.parent.name] = parameters.get(file.parent.name, 0) + sum(math.prod(shape) for shape in shapes)
    return Needs(
        parameters,
        index["image_size"],
        index["clip_frames"],
        backbone["block_out_channels"][0],
        codec["_class_name"] == "AutoencoderCodec",
    )


def device_memory(kind: str, shared_by: int = 1) -> Device:
    """What a device has, and has free, for one of so many renderers."""
    if kind != "cpu":
        import torch

        free, total = torch.cuda.mem_get_info(kind)
        return Device("cuda", total // shared_by, free // shared_by, torch.cuda.get_device_capability(kind) >= (8, 0))
    free, total = _machine_memory()
    return Device("cpu", total // shared_by, free // shared_by)


def _machine_memory() -> tuple[int, int]:
    """Free and total bytes of this machine, or of the container that this process is in."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    free = total
    with suppress(OSError, StopIteration):  # systems without /proc do not say what is free
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    for limit, used in _limits(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")):
        if limit < total:
            total, free = limit, min(free, limit - used)
    return max(0, free), total


def _limits(root: Path, membership: Path) -> list[tuple[int, int]]:
    """Limits of memory that a process is under, and what is used of each without what can be dropped; cgroup 2 and 1."""
    try:
        lines = [line.split(":", 2) for line in membership.read_text().splitlines()]
    except OSError:
        return []
    found = []
    for _, controllers, path in lines:
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root if controllers == "" else root / "memory"
        names = (
            ("memory.max", "memory.current")
            if controllers == ""
            else (
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
            )
        )
        place = Path(os.path.normpath(top / path.lstrip("/")))
        for folder in (place, *place.parents):
            if not folder.is_relative_to(top):
                break
            try:
                limit, used = ((folder / name).read_text().strip() for name in names)
                stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            except (OSError, ValueError):
                continue
            if limit != "max":
                dropped = int(stat.get("inactive_file", stat.get("total_inactive_file", 0)))
                found.append((int(limit), max(0, int(used) - dropped)))
    return found
