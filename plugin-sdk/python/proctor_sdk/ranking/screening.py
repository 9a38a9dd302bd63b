"""Copies are found before they are paid: what is held against a commit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Screening:
    """Which similarities are held against a commit, and from where on it is a copy, whose
    score counts as 0 whatever it solves.

    Nothing found is nothing held against it: without a reference, or with similarities
    of 0, a commit is scored like any other.
    """

    copy_from: float = 0.6
    """Similarity, 0 to 1, from which a commit is a copy. This limit is refused and
    `Acceptance.max_penalty` is admitted. Where both are the same number, screening
    decides."""
    own_from: float = 0.8
    """Similarity, 0 to 1, from which a miner's own earlier commit is held against it: to
    improve on one's own work is no copying."""

    def counts(self, similarity: float, own: bool) -> bool:
        """Whether a similarity is held against a commit; `own` if the reference is an
        earlier commit of the same miner. One with another miner always is."""
        return not own or similarity >= self.own_from

    def is_copy(self, similarity: float) -> bool:
        """Whether a similarity that counts makes the commit a copy. Never, if it is
        NaN."""
        return similarity >= self.copy_from


@dataclass(frozen=True)
class SameScore:
    """When a commit is compared once more, with a reference that does as well as it does:
    a copy that was rewritten until it looked different still scores like its source."""

    above: float = 0.9
    """Score above which a commit is compared."""
    within: float = 0.1
    """Most that the scores may differ, before any penalty."""
    counts_from: float = 0.6
    """Similarity, 0 to 1, from which this comparison counts. It is not a reason to leave
    the commit unscored."""

    def applies(self, score: float, reference: float) -> bool:
        """Whether a commit and a reference with these scores are compared. Never, if
        either is NaN."""
        return score > self.above and abs(reference - score) <= self.within

    def counts(self, similarity: float) -> bool:
        """Whether what the comparison found is held against the commit. Never, if it is
        NaN."""
        return similarity >= self.counts_from
