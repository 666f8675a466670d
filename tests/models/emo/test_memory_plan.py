"""What is held in memory, and how, on cards of many sizes, in containers, and where memory runs out."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.segment import RenderSettings, Segment
from models.emo import memory
from models.emo.memory import Device, MemoryPlan, Needs
from models.emo.renderer import SHIPPED, Renderer

GB = 10**9
FULL = Needs(
    {
        "backbone": 1_303_145_604,
        "reference_net": 815_521_280,
        "codec": 83_653_863,
        "face_locator": 1_086_192,
        "audio_encoder": 8_210_000,
    },
    size=512,
    frames=12,
    width=320,
)
"""EchoMimic v1."""


@pytest.mark.parametrize(
    "gigabytes, bfloat16, expected",
    [
        (80, True, "bfloat16, 4 pictures decoded at once"),
        (24, True, "bfloat16, 4 pictures decoded at once"),
        (16, False, "float16, 4 pictures decoded at once"),
        (12, True, "bfloat16, 4 pictures decoded at once"),
        (8, False, "float16, 4 pictures decoded at once"),
        (6, True, "bfloat16, 1 picture decoded at once, reference_net off the device while unused"),
        (4, True, "bfloat16, 1 picture decoded at once, reference_net and codec off the device while unused"),
    ],
)
def test_cards(gigabytes: int, bfloat16: bool, expected: str) -> None:
    device = Device("cuda", gigabytes * GB, gigabytes * GB - GB // 2, bfloat16)
    assert str(memory.planned_memory(FULL, memory.chosen_precision(FULL, device), device)) == expected


@pytest.mark.parametrize("gigabytes, expected", [(64, "float32"), (24, "float32"), (12, "float32"), (10, "bfloat16")])
def test_a_processor_rounds_only_where_it_must(gigabytes: int, expected: str) -> None:
    assert memory.chosen_precision(FULL, Device("cpu", gigabytes * GB, gigabytes * GB)) == expected


@given(st.integers(0, 100 * GB), st.integers(0, 100 * GB), st.sampled_from(["cpu", "cuda"]), st.booleans())
def test_more_memory_never_makes_a_slower_plan(one: int, other: int, kind: Any, bfloat16: bool) -> None:
    less, more = sorted((one, other))
    devices = [Device(kind, free, free, bfloat16) for free in (less, more)]
    precisions = [memory.chosen_precision(FULL, device) for device in devices]
    assert kind == "cuda" or precisions != ["float32", "bfloat16"]
    plans = [memory.planned_memory(FULL, precisions[1], device) for device in devices]
    assert plans[0].pictures_at_once <= plans[1].pictures_at_once
    assert set(plans[0].resting) >= set(plans[1].resting)


def test_a_plan_is_made_smaller_until_nothing_can_be() -> None:
    plan, seen = MemoryPlan("float16", 4), []
    while smaller := plan.smaller("cuda"):
        plan = smaller
        seen.append((plan.pictures_at_once, plan.resting))
    assert seen == [(2, ()), (1, ()), (1, ("reference_net",)), (1, ("reference_net", "codec"))]
    assert MemoryPlan("float32", 1).smaller("cpu") is None


def test_a_containers_limit_is_seen_without_the_files_it_can_drop(tmp_path: Path) -> None:
    for folder, limit in (("a", 8 * GB), ("a/b", "max")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "memory.max").write_text(f"{limit}\n")
        (tmp_path / folder / "memory.current").write_text(f"{3 * GB}\n")
        (tmp_path / folder / "memory.stat").write_text(f"anon 5\ninactive_file {GB}\n")
    (tmp_path / "membership").write_text("0::/a/b\n")
    assert memory._limits(tmp_path, tmp_path / "membership") == [(8 * GB, 2 * GB)]
    assert memory._limits(tmp_path, tmp_path / "nothing") == []


def test_what_a_checkpoint_needs_is_read_without_loading_it() -> None:
    needs = memory.needs_of(SHIPPED / "starter")
    renderer = Renderer("starter", "cpu")
    parts = renderer._pipeline.components
    for name, count in needs.parameters.items():
        held = [*parts[name].parameters(), *parts[name].buffers()]
        assert sum(p.numel() for p in parts[name].parameters()) <= count <= sum(tensor.numel() for tensor in held)
    assert renderer.plan.precision == "float32" and renderer._pipeline.pictures_at_once == needs.frames


def test_precision_is_part_of_a_key_and_its_absence_is_not() -> None:
    keys = [
        Segment("p", "a", (0.2, 0.2, 0.8, 0.8), "starter", "f" * 64, RenderSettings(precision=precision)).key
        for precision in (None, "bfloat16", "float16")
    ]
    assert keys[0] == "eb0f12946adb0a3fcc3969a6aa857fadf6bc73a9327b54cfa99bb009c8fe3d18" and len(set(keys)) == 3


@pytest.fixture(scope="module")
def photographs(published: Path, micro: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from models.emo.convert import convert_echomimic

    out = tmp_path_factory.mktemp("converted") / "tiny"
    convert_echomimic(published, out, "acc", micro)
    return out


def _frames(renderer: Renderer, count: int = 10) -> Iterator[Any]:
    portrait = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    sound = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
    return renderer.render(portrait, sound, (0.2, 0.2, 0.8, 0.8), RenderSettings(steps=1), count)


def test_rounded_weights_give_nearly_the_same_frames(photographs: Path) -> None:
    whole, rounded = (
        np.stack(list(_frames(Renderer(str(photographs), "cpu", precision=precision)))).astype(int)
        for precision in ("float32", "bfloat16")
    )
    apart = np.abs(whole - rounded)
    assert 0 < apart.mean() < 2


_LIMITED = """
import resource, sys
from pathlib import Path

import numpy as np
import torch

from media.errors import RenderError
from media.segment import RenderSettings
from models.emo.renderer import Renderer

torch.set_num_threads(1)
checkpoint = sys.argv[1]
portrait = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
sound = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)


def frames():
    return np.stack(list(renderer.render(portrait, sound, (0.2, 0.2, 0.8, 0.8), RenderSettings(steps=1), 10)))


def limited_to(extra):
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + extra, resource.RLIM_INFINITY))


renderer = Renderer(checkpoint, "cpu")
whole = frames()
for extra in (100, 40, 24, 0):  # MB
    limited_to(extra * 2**20)
    try:
        made = frames()
    except RenderError as error:
        print(error)
        break
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    at_once = renderer._pipeline.pictures_at_once
    print(extra, at_once, np.abs(made.astype(int) - whole).max(), flush=True)
"""


def test_where_memory_runs_out_it_goes_on_with_less_and_then_says_so(photographs: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(photographs)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "MALLOC_MMAP_THRESHOLD_": "65536"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    *lines, sentence = done.stdout.splitlines()
    sizes = [int(line.split()[1]) for line in lines]
    assert sizes[0] == 4 and sizes[-1] < 4 and sizes == sorted(sizes, reverse=True)
    assert all(int(line.split()[2]) <= 1 for line in lines)
    assert sentence.startswith(
        f"Checkpoint '{photographs.name}' needs more memory than is free on cpu (float32, 1 picture"
    )
