"""Whether a commit may earn, and may be a reference for later ones."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Acceptance:
    """What a commit must reach to be accepted."""

    min_score: float = 0.4
    """Lowest score that is accepted, before any penalty is taken off it."""
    max_penalty: float = 0.6
    """Highest penalty that is accepted."""

    def admits(self, score: float, penalty: float) -> bool:
        """Whether 0 ≤ `penalty` ≤ `max_penalty` and `score` ≥ `min_score`, where `score`
        is the one before `Easing.adjust`. Never, if either is NaN."""
        return 0.0 <= penalty <= self.max_penalty and score >= self.min_score
