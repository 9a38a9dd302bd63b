"""From comparison logs to a penalty, and what the penalty takes off a score."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


def similarity_penalty(similarities: Iterable[float | None]) -> float:
    """The penalty of a commit: the highest similarity that any of its comparison logs,
    with whatever reference, has found. 0 if there is none.

    Similarities are 0 (nothing in common) to 1 (the same). None and NaN are passed over.
    A number out of range is not corrected here, so that `Acceptance.admits` refuses it.
    """
    known = [s for s in similarities if s is not None and not math.isnan(s)]
    return max(known, default=0.0)


@dataclass(frozen=True)
class Easing:
    """How a penalty is taken off a score: nothing up to `free_below`, a little and
    linearly up to `break_point`, then along `ease_circle_in_out` to all of it at
    `full_at`."""

    free_below: float = 0.4
    """Penalty below which a score stands as it is."""
    break_point: float = 0.6
    """Penalty up to which the reduction is linear."""
    full_at: float = 1.0
    """Penalty from which nothing is left of the score."""

    def adjust(self, score: float, penalty: float) -> float:
        """The score that is left after `penalty` (0 to 1).

        A penalty of 0, or below, takes nothing. The result is 0 if the score is not
        finite or the penalty is NaN.
        """
        if not math.isfinite(score) or math.isnan(penalty):
            return 0.0
        return score * (1.0 - self._reduction(penalty))

    def _reduction(self, penalty: float) -> float:
        if penalty < self.free_below:
            return 0.0
        if penalty > self.break_point:
            return ease_circle_in_out(_progress(penalty, self.free_below, self.full_at))
        # The line must end where the curve begins.
        line = _progress(penalty, self.free_below, self.break_point)
        end = _progress(self.break_point, self.free_below, self.full_at)
        return line * ease_circle_in_out(end)


def _progress(value: float, start: float, end: float) -> float:
    """How far `value` is on the way between two limits, 0 to 1. An empty way is done."""
    if end > start:
        return _clamp((value - start) / (end - start))
    return 1.0


def _clamp(x: float) -> float:
    """`x` in 0 to 1; NaN stays NaN."""
    return 0.0 if x < 0.0 else 1.0 if x > 1.0 else x


def ease_circle_in_out(x: float) -> float:
    """A circular ease-in-out over y = x^1.5: ½(1−√(1−(2y)²)) for y < ½, else
    ½(1+√(1−(2y−2)²)). From 0 at 0 to 1 at 1; `x` is clamped to that range, and NaN stays
    NaN."""
    y = _clamp(x) ** 1.5
    if y < 0.5:
        return 0.5 * (1.0 - math.sqrt(1.0 - (2.0 * y) * (2.0 * y)))
    back = 2.0 * y - 2.0
    return 0.5 * (math.sqrt(1.0 - back * back) + 1.0)
