"""The accepted commits that later ones are compared with."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class UniqueCommit:
    """A commit in the `UniquePool`. Ordered by score, then commit, then artifact."""

    score: float
    """The score, penalty applied."""
    commit: str
    """What the commit is known by, as the miner published it."""
    artifact: str
    """What it points to."""


class UniquePool:
    """The best accepted commits of a challenge, at most `capacity` of them. With a
    capacity of 0 it stays empty."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._commits: list[UniqueCommit] = []

    def offer(self, offered: UniqueCommit) -> bool:
        """Offers an accepted commit, and says whether it was taken.

        A full pool gives up its lowest commit for one with a strictly higher score. A
        commit that is in the pool already, or whose score is not finite, is not taken.
        """
        known = any(each.commit == offered.commit for each in self._commits)
        if known or not math.isfinite(offered.score):
            return False
        if len(self._commits) >= self._capacity:
            if not self._commits or offered.score <= self._commits[0].score:
                return False
            del self._commits[0]
        bisect.insort_left(self._commits, offered)
        return True

    def commits(self) -> list[UniqueCommit]:
        """The commits, the lowest first."""
        return list(self._commits)
