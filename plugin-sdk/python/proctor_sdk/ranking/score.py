"""From scoring logs to one score."""

from __future__ import annotations

import math
from collections.abc import Iterable


def mean_score(scores: Iterable[float | None]) -> float | None:
    """Mean of the scores of a commit's scoring logs.

    None if there are no logs, or if one of them has no score: leaving it out would let
    a submission choose its tasks, so such a commit is not judged yet. A task that the
    submission failed is a score of 0, not a missing one.

    0.0 if the mean is not a finite number; one NaN is enough.
    """
    total, count = 0.0, 0
    for score in scores:
        if score is None:
            return None
        total += score
        count += 1
    if count == 0:
        return None
    mean = total / count
    return mean if math.isfinite(mean) else 0.0


def max_score(scores: Iterable[float | None]) -> float | None:
    """Highest score of a commit's scoring logs.

    None if there are no logs. Logs without a finite score are passed over; 0.0 if no log
    has one.
    """
    every = list(scores)
    if not every:
        return None
    finite = [s for s in every if s is not None and math.isfinite(s)]
    return max(finite, default=0.0)
