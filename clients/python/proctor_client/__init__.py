"""A typed client of Proctor's scoring API, without dependencies."""

from ._version import __version__
from .client import MAX_COMMITS, Client
from .errors import AnswerError, ClientError, ProctorError, TransportError, WaitTimeout
from .events import Event
from .models import Commit, ComparisonLog, ScoringLog, ScoringResult
from .pages import Challenge, Leaderboard, LeaderboardEntry
from .signer import Signer
from .wait import wait_for_result

__all__ = [
    "MAX_COMMITS",
    "AnswerError",
    "Challenge",
    "Client",
    "ClientError",
    "Commit",
    "ComparisonLog",
    "Event",
    "Leaderboard",
    "LeaderboardEntry",
    "ProctorError",
    "ScoringLog",
    "ScoringResult",
    "Signer",
    "TransportError",
    "WaitTimeout",
    "__version__",
    "wait_for_result",
]
