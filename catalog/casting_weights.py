"""What a portrait earns for meeting what is asked for a speaker, and how one of these is made to count more or less."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from media.errors import InputError

POINTS = {"gender": 7680, "age": 2560, "voice": 640, "language": 160, "tags": 48, "style": 12}
"""Of each weight at 1. One step of a line outweighs everything after it together, so that hints are not traded for a voice's
pitch, nor pitch for language. A near miss earns half; tags are for all of them, a part for some."""
MAX_WEIGHT = 1000.0


@dataclass(frozen=True, slots=True)
class CastingWeights:
    """By what the points are multiplied; 0 is for what shall not count."""

    gender: float = 1.0
    age: float = 1.0
    voice: float = 1.0
    language: float = 1.0
    tags: float = 1.0
    style: float = 1.0

    def points(self, name: str) -> int:
        return round(POINTS[name] * getattr(self, name))

    @property
    def changed(self) -> dict[str, float]:
        """Those that are not 1."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name)) != 1.0}


AS_A_RULE = CastingWeights()


def read_weights(given: Mapping[str, Any], where: str) -> dict[str, float]:
    """Weights by name, as numbers: for `CastingWeights`.

    Args:
        given: numbers, or texts that are numbers, by name.
        where: option or column, for the message.

    Raises:
        InputError: there is no such weight, or it is no number of 0 to 1000.
    """
    found = {}
    for name, value in given.items():
        if name not in POINTS:
            raise InputError(f"{where}: there is no weight '{name}'; there are {', '.join(POINTS)}.")
        try:
            found[name] = float(value)
        except (TypeError, ValueError):
            found[name] = math.nan
        if isinstance(value, bool) or not 0 <= found[name] <= MAX_WEIGHT:
            raise InputError(
                f"{where}: {name}={value}: a weight is a number from 0 to {MAX_WEIGHT:g}, such as {name}=2."
            )
    return found
