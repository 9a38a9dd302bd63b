"""Arithmetic of 64-bit floats where Python's own differs."""

from __future__ import annotations

import math
from collections.abc import Iterable


def add(values: Iterable[float]) -> float:
    """The sum in the order of the values. The built-in `sum` of newer versions corrects
    for rounding and comes to another last digit."""
    total = 0.0
    for value in values:
        total += value
    return total


def exp(x: float) -> float:
    """e^x, infinite where it is too large."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf
