"""The ranking rules that challenges share: pure functions from logs to score, penalty
and acceptance, and from standings to shares. The same rules, with the same numbers, as
the module `ranking` of the Rust SDK, whose documentation says where they come from and
where Proctor differs from the system that they were taken from.

| rule | item |
|---|---|
| score of a commit, from its scoring logs | `mean_score`, `max_score` |
| penalty, from its comparison logs | `similarity_penalty` |
| what is held against it, and what makes it a copy | `Screening`, `SameScore` |
| whether it is accepted | `Acceptance` |
| what the penalty takes off the score | `Easing`, `ease_circle_in_out` |
| all of these in one | `VerdictRules` |
| a miner's best commit | `update_best_commit` |
| references for later commits | `UniquePool` |
| shares of the best commits | `EmissionRules`, `softmax_nonzero` |
| weights of rewards over time | `FoldRules` |
| one miner behind several hotkeys | `exclude_same_miner`, `repository_owner` |

The time is always an argument, sums run in the order of the input, and nothing raises:
what is not a finite number is worth nothing. The rules are dataclasses with defaults, and
can be fields of a challenge's settings.
"""

from .acceptance import Acceptance
from .best_commit import BestCommit, update_best_commit
from .emission import EmissionRules, Scored
from .fold import Average, FoldRules
from .same_miner import Contender, exclude_same_miner, repository_owner
from .score import max_score, mean_score
from .screening import SameScore, Screening
from .similarity import Easing, ease_circle_in_out, similarity_penalty
from .softmax import softmax_nonzero
from .unique_pool import UniqueCommit, UniquePool
from .verdict import Aggregate, Judgement, VerdictRules

__all__ = [
    "Acceptance",
    "Aggregate",
    "Average",
    "BestCommit",
    "Contender",
    "Easing",
    "EmissionRules",
    "FoldRules",
    "Judgement",
    "SameScore",
    "Scored",
    "Screening",
    "UniqueCommit",
    "UniquePool",
    "VerdictRules",
    "ease_circle_in_out",
    "exclude_same_miner",
    "max_score",
    "mean_score",
    "repository_owner",
    "similarity_penalty",
    "softmax_nonzero",
    "update_best_commit",
]
