"""From scores to shares."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ._float import add, exp


def softmax_nonzero(scores: Sequence[float], temperature: float) -> list[float]:
    """Softmax over the non-zero entries: shares that sum to 1, in the order of `scores`.
    An entry of 0 has no score and stays 0; without any score all shares are 0.

    The lower the `temperature`, the more goes to the best. At 0, and for anything else
    that is not positive, it is the limit: the best share all of it equally.

    A negative score counts as present, with the exponent of 0; filter them out if they
    must not be paid. An entry that is not finite is no score.
    """
    best = 0.0
    for score in scores:
        if _present(score) and score > best:
            best = score

    def exponential(score: float) -> float:
        if not _present(score):
            return 0.0
        score = max(score, 0.0)
        # Also for a temperature of 0, where the quotient would be NaN.
        if score == best:
            return 1.0
        if temperature > 0.0:
            return exp((score - best) / temperature)
        return 0.0

    shares = [exponential(score) for score in scores]
    total = add(shares)
    return [share / total for share in shares] if total > 0.0 else shares


def _present(score: float) -> bool:
    return math.isfinite(score) and score != 0.0
