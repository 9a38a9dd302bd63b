"""Tell bots from people, by rules that the submission hands in as source files.

A submission is asked once, with the features of a session and a few labelled examples, and
answers with its files. The challenge runs the rules on sessions that the submission never
saw, and compares the files with those of earlier submissions.
"""

from __future__ import annotations

from dataclasses import dataclass

from proctor_sdk import (
    Challenge,
    ComparisonLog,
    Context,
    Evaluation,
    InvalidSolution,
    ScoringLog,
    Submission,
    export,
    setting,
)
from proctor_sdk.ranking import Acceptance, VerdictRules

import rules
import sessions
import similarity


@dataclass
class Settings:
    examples: int = setting(20, minimum=0, maximum=200, doc="Labelled sessions in the task.")
    sessions: int = setting(
        400, minimum=10, maximum=5000, doc="Sessions that the rules are measured on."
    )
    max_source: int = setting(
        4000, minimum=100, maximum=20000, doc="Most characters of all files together."
    )
    rules: VerdictRules = setting(
        VerdictRules(acceptance=Acceptance(min_score=0.2)),
        doc="What is accepted, and what a similarity costs.",
    )


@dataclass
class Task:
    features: list[str]
    """Names that the rules may use."""
    examples: list[sessions.Session]
    """Sessions with their labels."""


@dataclass
class Solution:
    files: dict[str, str]
    """Sources by name. They are run as one, in the order of their names."""


class Similarity(Challenge):
    name = "similarity-python"
    version = "0.1.0"
    summary = "Tell bots from people by rules, and be no copy."
    settings: Settings

    def task_count(self) -> int:
        return 1

    def make_task(self, context: Context, index: int) -> Task:
        rng = context.rng(index)
        drawn = [sessions.draw(rng) for _ in range(self.settings.examples)]
        return Task(list(sessions.FEATURES), drawn)

    def evaluate(
        self, context: Context, submission: Submission, seed_tasks: list[str]
    ) -> list[ScoringLog]:
        # From the seed, which the submission is not told, and not from the task.
        rng = context.rng(1_000_000)
        self.hidden = [sessions.draw(rng) for _ in range(self.settings.sessions)]
        return super().evaluate(context, submission, seed_tasks)

    def score(self, task: Task, solution: Solution) -> float:
        source = similarity.joined(solution.files)
        if len(source) > self.settings.max_source:
            raise InvalidSolution(f"more than {self.settings.max_source} characters")
        try:
            if similarity.length(source) > similarity.MAX_TOKENS:
                raise InvalidSolution(f"more than {similarity.MAX_TOKENS} tokens")
            program = rules.parse(source, sessions.FEATURES)
            return accuracy(program, self.hidden)
        except rules.RuleError as error:
            raise InvalidSolution(str(error)) from None

    def verdict_rules(self) -> VerdictRules:
        return self.settings.rules

    def similarity(
        self, context: Context, candidate: Evaluation, reference: Evaluation
    ) -> ComparisonLog:
        ours, theirs = (self.source(each) for each in (candidate, reference))
        ratio, reason = 0.0, "one of them has no sources"
        if ours is not None and theirs is not None:
            ratio, reason = similarity.compare(ours, theirs)
        return ComparisonLog(reference.submission.digest, ratio, reason)

    def source(self, evaluation: Evaluation) -> str | None:
        """The files of a submission; none if it gave none that can be run."""
        for log in evaluation.scoring_logs:
            solution = log.read_solution()
            # An error says that what was handed in is no solution.
            if solution is not None and log.error is None:
                return similarity.joined(solution["files"])
        return None


def accuracy(program: rules.Program, drawn: list[sessions.Session]) -> float:
    """How well the rules tell bots from people: 0 for no better than guessing, 1 for
    always right. Bots and people count the same, however many there are of each."""
    right, of = {True: 0, False: 0}, {True: 0, False: 0}
    for session in drawn:
        of[session.bot] += 1
        right[session.bot] += program.run(session.values) == session.bot
    shares = [right[bot] / of[bot] for bot in (True, False) if of[bot]]
    mean = sum(shares) / max(len(shares), 1)
    return max(0.0, 2.0 * mean - 1.0)


export(Similarity)
