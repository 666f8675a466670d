"""What a picture looks like, as a short hash: nearly the same for the same picture in another size, format or light.

The difference hash of Krawetz (2013): whether each of 16 x 16 coarse pixels is darker than its right neighbour.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

ALIKE = 16
"""Up to so many different bits of 256, two pictures count as near-duplicates (measured: docs/catalog.md)."""

_SIDE = 16


def perceptual_hash(picture: "Image") -> str:
    """64 hex digits for a picture of any size."""
    from PIL import Image

    small = picture.convert("L").resize((_SIDE + 1, _SIDE), Image.Resampling.LANCZOS)
    levels = np.asarray(small, np.int16)
    return np.packbits(levels[:, 1:] > levels[:, :-1]).tobytes().hex()


def distances(one: str, others: Sequence[str]) -> NDArray[np.int64]:
    """How many of the 256 bits are different, for each of `others`."""
    table = np.frombuffer(bytes.fromhex("".join(others)), np.uint8).reshape(len(others), -1)
    mine = np.frombuffer(bytes.fromhex(one), np.uint8)
    return np.bitwise_count(table ^ mine).sum(axis=1, dtype=np.int64)
