"""Weights as others publish them: pickles, of which nothing but tensors is believed, and safetensors."""

import pickle
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from media.errors import InputError


def read_weights(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """The tensors in a file, by key, on the CPU; a pickle's are mapped from the disk rather than read at once.

    No code in a pickle is run.

    Args:
        path: `.safetensors`, or a pickle that `torch.save` wrote, under any other name.
        key: under which a pickle that holds more than weights has them.

    Raises:
        InputError: there is no such file, it is damaged or another kind of file, it holds code, or it holds anything
            else than tensors by key.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; download it again and put it there.")
    try:
        weights: Any = load_file(path) if path.suffix == ".safetensors" else _unpickled(path)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path}: this is not a file of weights, or holds code besides them, which is not run; "
            "download the published file again."
        ) from error
    except (SafetensorError, RuntimeError, OSError, EOFError, ValueError, BadZipFile) as error:
        raise InputError(f"{path}: the file is damaged or is not a file of weights; download it again.") from error
    if key is not None and isinstance(weights, dict) and key in weights:
        weights = weights[key]
    if (
        not isinstance(weights, dict)
        or not weights
        or not all(isinstance(key, str) and isinstance(value, Tensor) for key, value in weights.items())
    ):
        raise InputError(f"{path}: the file holds something else than weights by key; give the published file.")
    return weights


def _unpickled(path: Path) -> Any:
    with path.open("rb") as file:
        zipped = file.read(2) == b"PK"  # what `torch.save` has written since 1.6; older files cannot be mapped
    return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
