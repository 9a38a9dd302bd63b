"""What people and bots do on a page, drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

FEATURES = ("speed", "jitter", "pause", "clicks")
"""Pixels per millisecond, unevenness of the way, seconds between actions, and clicks."""

# Mean and deviation of each feature. They overlap: no rule is always right.
_PEOPLE = ((0.9, 0.4), (0.5, 0.2), (0.8, 0.3), (4.0, 2.0))
_BOTS = ((1.6, 0.5), (0.2, 0.15), (0.3, 0.2), (6.0, 2.0))


@dataclass
class Session:
    """One visit."""

    values: dict[str, float]
    """By feature."""
    bot: bool
    """Who it was."""


def draw(rng: random.Random) -> Session:
    """One session, of a bot in half of the cases."""
    bot = rng.random() < 0.5
    shapes = zip(FEATURES, _BOTS if bot else _PEOPLE)
    values = {name: round(abs(rng.gauss(*shape)), 3) for name, shape in shapes}
    return Session(values, bot)
