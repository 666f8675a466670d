"""Published files of weights, and files that only look like them."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from media.errors import InputError
from models.emo.published import read_weights

WEIGHTS = {"a.weight": torch.arange(4000.0), "b.bias": torch.ones(3)}


class _Code:
    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("name", ["new.pth", "old.pth", "w.safetensors"])
def test_pickles_and_safetensors_are_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if path.suffix == ".safetensors":
        save_file(WEIGHTS, path)
    else:
        torch.save(WEIGHTS, path, _use_new_zipfile_serialization=name == "new.pth")
    read = read_weights(path)
    assert read.keys() == WEIGHTS.keys()
    assert all(torch.equal(read[key], WEIGHTS[key]) for key in WEIGHTS)


@pytest.mark.parametrize("name", ["new.pth", "old.pth", "w.safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated_file_is_one_sentence(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    if path.suffix == ".safetensors":
        save_file(WEIGHTS, path)
    else:
        torch.save(WEIGHTS, path, _use_new_zipfile_serialization=name == "new.pth")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match="download"):
        read_weights(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_not_run(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "w.pth"
    torch.save({"a": _Code(tmp_path / "made")}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match="holds code"):
        read_weights(path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("content", [b"<html>not found</html>", b"version https://git-lfs.github.com/spec/v1\n"])
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a file of weights"):
        read_weights(path)


def test_something_else_than_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"step": 3}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="something else than weights"):
        read_weights(tmp_path / "w.pth")
    with pytest.raises(InputError, match="no such file"):
        read_weights(tmp_path / "missing.pth")
