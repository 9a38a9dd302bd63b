"""From the logs of a commit to what it is worth."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from .acceptance import Acceptance
from .score import max_score, mean_score
from .similarity import Easing, similarity_penalty


class Aggregate(enum.Enum):
    """How the scores of a commit's tasks become one."""

    MEAN = "mean"
    """`mean_score`."""
    MAX = "max"
    """`max_score`."""


@dataclass(frozen=True)
class Judgement:
    """What a commit is worth."""

    score: float
    """The score, penalty applied. Finite; below 0 only if the scores are, as they can be
    where a baseline is subtracted."""
    penalty: float
    """The highest similarity found."""
    accepted: bool
    """Whether the commit may earn. Decided on the score before the penalty."""


@dataclass(frozen=True)
class VerdictRules:
    """The rules by which a commit is judged."""

    aggregate: Aggregate = Aggregate.MEAN
    """From scores to one score."""
    acceptance: Acceptance = Acceptance()
    """What is accepted."""
    easing: Easing = Easing()
    """What a penalty takes off the score."""

    def judge(
        self, scores: Iterable[float | None], similarities: Iterable[float | None]
    ) -> Judgement | None:
        """Judges a commit by the scores of its tasks and its similarities to all
        references. None if it has no score yet, see `mean_score` and `max_score`."""
        aggregate = mean_score if self.aggregate is Aggregate.MEAN else max_score
        score = aggregate(scores)
        if score is None:
            return None
        penalty = similarity_penalty(similarities)
        return Judgement(
            score=self.easing.adjust(score, penalty),
            penalty=penalty,
            accepted=self.acceptance.admits(score, penalty),
        )
