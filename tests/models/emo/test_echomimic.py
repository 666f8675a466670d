"""EchoMimic's published keys and shapes against networks that are built at full size without memory."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from media.errors import InputError
from models.emo import echomimic

KEYS = json.loads((Path(__file__).parents[2] / "data/echomimic_v1_keys.json").read_text())
PARTS = {
    "reference_unet": (echomimic.reference_unet, echomimic.reference_keys),
    "denoising_unet": (echomimic.denoising_unet, echomimic.denoising_keys),
    "face_locator": (echomimic.face_locator, echomimic.face_locator_keys),
}


def _published(part: str) -> dict[str, torch.Tensor]:
    return {key: torch.empty(shape, device="meta") for key, shape in KEYS[part].items()}


@pytest.mark.parametrize("part", PARTS)
def test_full_size_network_has_exactly_the_published_keys_and_shapes(part: str) -> None:
    build, rename = PARTS[part]
    with torch.device("meta"):
        ours = build().state_dict()
    renamed = rename(_published(part), ours, "weights.pth")
    assert {key: value.shape for key, value in renamed.items()} == {key: value.shape for key, value in ours.items()}


@pytest.mark.parametrize("rename", [rename for _, rename in PARTS.values()])
def test_missing_and_left_over_keys_are_named(rename: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=r"weights\.pth: lacks a\.weight and has the unknown b\.weight;"):
        rename({"b.weight": torch.zeros(1)}, {"a.weight": torch.zeros(1)}, "weights.pth")


@pytest.mark.parametrize("rename", [rename for _, rename in PARTS.values()])
def test_another_shape_is_named(rename: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=r"weights\.pth: has a\.weight of shape \(2,\) instead of \(1,\);"):
        rename({"a.weight": torch.zeros(2)}, {"a.weight": torch.zeros(1)}, "weights.pth")


def test_unknown_motion_key_is_named() -> None:
    key = "mid_block.motion_modules.0.temporal_transformer.extra.weight"
    with pytest.raises(InputError, match=r"has the unknown mid_block\.motion_modules\.0\.extra\.weight"):
        echomimic.denoising_keys({key: torch.zeros(1)}, {}, "weights.pth")
