"""The records of the contract `proctor:challenge`, with its names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import jsontext


@dataclass(frozen=True)
class Miner:
    """Who published a commit, as the metagraph had it."""

    uid: int
    """The miner's slot on the subnet."""
    hotkey: str
    """The miner's hotkey, SS58."""
    coldkey: str | None = None
    """The coldkey that owns the hotkey; none if the metagraph does not say."""
    axon_ip: str | None = None
    """The IP address of the miner's axon; none if it serves none."""


@dataclass(frozen=True)
class Submission:
    """What is evaluated: an artifact by content. It says nothing of who published it."""

    digest: str
    """SHA-256 of the artifact, 64 lower-case hexadecimal digits."""


@dataclass(frozen=True)
class ScoringLog:
    """What one task on one submission came to."""

    task: str
    """The input that the submission got, a JSON text."""
    solution: str | None
    """The submission's answer, a JSON text; none if it gave none."""
    score: float
    """The score of this task, after `baseline_score` was subtracted. Finite."""
    baseline_score: float | None = None
    """What the challenge's baseline scored on this task, if it has one."""
    error: str | None = None
    """Why there is no solution, or why it is worth nothing."""

    def read_task(self) -> Any:
        """The task as a value. Raises `ValueError` if it is not JSON."""
        return jsontext.loads(self.task)

    def read_solution(self) -> Any:
        """The solution as a value; none if there is none, or if it is not JSON."""
        if self.solution is None:
            return None
        try:
            return jsontext.loads(self.solution)
        except ValueError:
            return None


@dataclass(frozen=True)
class Evaluation:
    """A submission with what its evaluation came to."""

    submission: Submission
    """What was evaluated."""
    scoring_logs: list[ScoringLog]
    """One entry per task, in the order of the tasks."""


@dataclass(frozen=True)
class ComparisonLog:
    """How alike a candidate and one reference are."""

    reference: str
    """`submission.digest` of the reference."""
    similarity: float
    """0 (nothing in common) to 1 (the same). Finite."""
    reason: str | None = None
    """What the number was taken from, for people."""


@dataclass(frozen=True)
class Commit:
    """A submission as one miner committed it."""

    miner: Miner
    """Who committed it."""
    committed_at: float
    """When it was first seen on the subnet, in seconds since the Unix epoch."""
    submission: Submission
    """What was committed."""


@dataclass(frozen=True)
class Comparison:
    """A reference that a commit was compared with."""

    reference: Commit
    """The earlier commit."""
    reference_score: float | None
    """The verdict's score of the reference; none if it has no verdict yet."""
    logs: list[ComparisonLog]
    """What the comparison found."""


@dataclass(frozen=True)
class Evaluated:
    """All that is known of a commit when it is judged."""

    commit: Commit
    """The commit to judge."""
    scoring_logs: list[ScoringLog]
    """One entry per task."""
    comparisons: list[Comparison]
    """One entry per reference, by time of commit."""


@dataclass(frozen=True)
class Verdict:
    """What a commit is worth."""

    score: float
    """The score that standings are made of, penalty applied. Finite, at least 0."""
    penalty: float
    """How much the commit resembles earlier ones: 0 not at all, 1 a copy."""
    accepted: bool
    """Whether the commit may earn, and may be a reference for later ones."""
    reason: str | None = None
    """Why not, or what the score was reduced for; for people."""


@dataclass(frozen=True)
class Standing:
    """A miner's best accepted commit of one challenge."""

    commit: Commit
    """The commit."""
    score: float
    """`Verdict.score` of the commit."""
    scored_at: float
    """When the commit was judged, in seconds since the Unix epoch."""


@dataclass(frozen=True)
class HotkeyWeight:
    """What a challenge pays one miner."""

    hotkey: str
    """Who is paid. One entry per hotkey."""
    weight: float
    """The share, in any unit: the host normalizes. Finite, at least 0."""


@dataclass(frozen=True)
class Description:
    """A plugin's own account of itself."""

    name: str
    """Name of the challenge."""
    version: str
    """Version of the plugin (semver)."""
    summary: str
    """One sentence for people."""
    settings_schema: str
    """JSON Schema (2020-12) of the settings, a JSON text."""


@dataclass(frozen=True)
class SettingsProblem:
    """Something wrong with the settings."""

    path: str
    """Path of the setting, as in `batch_size` or `limits.tasks`; empty for the
    settings as a whole."""
    message: str
    """What is wrong, and what is allowed."""
