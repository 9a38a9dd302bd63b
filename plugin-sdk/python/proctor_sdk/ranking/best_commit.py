"""Which of a miner's commits stands."""

from __future__ import annotations

import math
from dataclasses import dataclass

_PERFECT = 1.0
"""The score that nothing can beat."""


@dataclass(frozen=True)
class BestCommit:
    """A miner's best accepted commit of one challenge."""

    commit: str
    """What the commit is known by, as the miner published it."""
    score: float
    """The score, penalty applied."""
    scored_at: float
    """When the commit was judged, in seconds since the Unix epoch."""


def update_best_commit(
    best: BestCommit | None, judged: BestCommit, accepted: bool
) -> BestCommit | None:
    """A miner's best commit, once another has been judged.

    An accepted commit becomes the best if there is none, or if its score is higher. One
    with a score of exactly 1 always does: its miner could not improve on it, and the
    decay must not punish that. If the best commit itself is no longer accepted, there is
    none until the next. A score that is not finite never becomes the best.
    """
    if not accepted:
        return None if best is not None and best.commit == judged.commit else best
    if not math.isfinite(judged.score):
        return best
    if best is None or judged.score > best.score or judged.score == _PERFECT:
        return judged
    return best
