"""From the rewards of each round to weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Average:
    """What a miner's rewards have come to."""

    score: float = 0.0
    """The moving average: finite, at least 0, in the unit of the rewards."""
    at: float = 0.0
    """When the last reward was taken in, in seconds since the Unix epoch."""


@dataclass(frozen=True)
class FoldRules:
    """An exponential moving average of each miner's rewards."""

    alpha: float = 0.1
    """The part of a new average that the newest reward makes, 0 (none) to 1 (all of it).
    By 0.1 half of an average is of the last seven rewards."""
    least: float = 1e-9
    """Averages below this are forgotten."""
    forget_after_s: float = 604_800.0
    """Seconds after which a miner without a reward, be it 0, is forgotten."""

    def fold(
        self,
        averages: Mapping[str, Average],
        rewards: Iterable[tuple[str, float]],
        now: float,
    ) -> dict[str, Average]:
        """The averages, by hotkey, once rewards are taken in: `(1 − alpha) · score +
        alpha · reward`, from 0 for a miner that is new. Others keep theirs until they are
        forgotten. `now` is in seconds since the Unix epoch.

        A reward below 0, or that is not finite, counts as 0. `alpha` is clamped to 0 to
        1; NaN is 0. The result is in the order of the hotkeys.
        """
        alpha = 0.0 if math.isnan(self.alpha) else min(max(self.alpha, 0.0), 1.0)
        folded = dict(averages)
        for hotkey, reward in rewards:
            earned = max(reward, 0.0) if math.isfinite(reward) else 0.0
            before = folded.get(hotkey, Average()).score
            folded[hotkey] = Average((1.0 - alpha) * before + alpha * earned, now)
        return {
            hotkey: average
            for hotkey, average in sorted(folded.items())
            if average.score >= self.least and now - average.at <= self.forget_after_s
        }
