"""What a best commit earns as it ages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ._float import exp
from .softmax import softmax_nonzero

_SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True)
class Scored:
    """What an emission is computed from: a commit's score, and since when it stands."""

    score: float
    """The score, penalty applied."""
    scored_at: float
    """When the commit was judged, in seconds since the Unix epoch."""


@dataclass(frozen=True)
class EmissionRules:
    """How scores turn into a challenge's emission."""

    stable_period_days: float = 10.0
    """Days for which a score stays whole."""
    expiration_days: float = 15.0
    """Days after which nothing is left of a score."""
    alpha: float = 0.002
    """Rate of the slow exponential loss, per day."""
    t_max: float = 10.0
    """Days after which the exponential loss goes no further."""
    reward_temperature: float = 0.2
    """Temperature of the softmax: the lower, the more goes to the best."""

    def decay(self, age_days: float) -> float:
        """Parabolic decay: 1 through the stable period, then 1 − p² where p is the part
        of the way to expiration that has gone by, then 0. 0 for NaN."""
        if age_days <= self.stable_period_days:
            return 1.0
        if age_days <= self.expiration_days:
            stable = self.stable_period_days
            part = (age_days - stable) / (self.expiration_days - stable)
            return 1.0 - part * part
        return 0.0

    def time_factor(self, age_days: float) -> float:
        """Saturating time factor: e^(−`alpha` · age) up to `t_max` days, constant after.
        Above 1 for a negative age, that is if the clock was set back."""
        # Not `min`, which of NaN and a number gives the first.
        age = age_days if age_days < self.t_max else self.t_max
        return exp(-self.alpha * age)

    def weights(self, best: Iterable[Scored], now: float) -> list[float]:
        """Weights of the best commits at the time `now` (seconds since the Unix epoch),
        in their order: each score times `decay` times `time_factor`, then
        `softmax_nonzero`.

        They sum to 1, or are all 0 if every commit has expired. A commit whose score or
        age is not finite has none.
        """
        current = []
        for each in best:
            age = (now - each.scored_at) / _SECONDS_PER_DAY
            current.append(each.score * self.decay(age) * self.time_factor(age))
        return softmax_nonzero(current, self.reward_temperature)
