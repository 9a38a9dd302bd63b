"""A challenge after the peer's `ab_sniffer`, as its author would port it, and a day of
commits put through it as the host does. The same as `plugin-sdk/tests/controller_golden`,
which says more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proctor_sdk import (
    Challenge,
    ChallengeError,
    Commit,
    Comparison,
    ComparisonLog,
    Context,
    Evaluated,
    Evaluation,
    Internal,
    Miner,
    ScoringLog,
    SolveFailed,
    Submission,
    Unavailable,
    Verdict,
    jsontext,
    setting,
)
from proctor_sdk.ranking import SameScore, Screening, VerdictRules, similarity_penalty
from proctor_sdk.testing import Harness

ALIKE = 0.6
"""Similarity to any other miner's script from which nothing else is looked at."""
INVALID = "Invalid submission"
DAY = 86_400.0

ALL, ONE, SAME_SCORE = "compare/all", "compare", "same-score"
"""What a comparison log was taken from, by the names of the default answers."""
POOR = "below the least score"
"""The mark of a reference that scored too little to be copied."""
KINDS = (ALL, ONE, SAME_SCORE, POOR)


@dataclass
class Services:
    """The peer's services: answers by script or pair of scripts, and what is answered to
    all others."""

    answers: dict[str, Any]
    defaults: dict[str, Any]

    def answer(self, service: str, key: str, by_default: str) -> Any:
        return self.answers.get(service, {}).get(key, self.defaults[by_default])


@dataclass
class Settings:
    tasks: int
    identifier: str = setting(doc="Name of the script in a solution.")
    rules: VerdictRules = setting()
    screening: Screening = setting()
    same_score: SameScore = setting()
    least_score: float = setting(doc="Score from which a commit of the same day is a reference.")
    max_references: int | None = setting(doc="References that `compare` is asked about.")
    services: Services = setting()


class Sniffer(Challenge):
    name = "sniffer"
    version = "1.0.0"
    settings: Settings

    def make_task(self, context: Context, index: int) -> dict[str, int]:
        return {"t": index + 1}

    def evaluate(
        self, context: Context, submission: Submission, seed_tasks: Sequence[str]
    ) -> list[ScoringLog]:
        # A failing service is not the submission's fault, so the default is of no use.
        return [self.attempt(context, index) for index in range(self.settings.tasks)]

    def judge(self, context: Context, evaluated: Evaluated) -> Verdict:
        rules, screening = self.settings.rules, self.settings.screening
        commit = evaluated.commit
        references = [
            reference
            for reference in evaluated.comparisons
            if not (same_day(commit, reference) and worthless(reference))
        ]
        others = [r for r in references if r.reference.miner.uid != commit.miner.uid]
        alike = similarity_penalty(s for other in others for s in found(other, ALL))
        errors = [log.error for log in evaluated.scoring_logs if log.error is not None]
        if alike >= ALIKE:
            similarities = [alike]
        elif errors[:1] == [INVALID]:
            similarities = [1.0]
        else:
            similarities = self.similarities(evaluated, references)
        copy = screening.is_copy(similarity_penalty(similarities))
        if not copy:
            # Like the peer, among the references of earlier days only.
            earlier = [r for r in evaluated.comparisons if not same_day(commit, r)]
            again = [s for reference in earlier for s in found(reference, SAME_SCORE)]
            similarities += [s for s in again if self.settings.same_score.counts(s)]
        scores = [0.0 if copy else log.score for log in evaluated.scoring_logs]
        judged = rules.judge(scores, similarities)
        if judged is None:
            raise Internal("judged without scoring logs")
        return Verdict(judged.score, judged.penalty, judged.accepted)

    def compare(
        self, context: Context, candidate: Evaluation, references: Sequence[Evaluation]
    ) -> list[ComparisonLog]:
        services, logs = self.settings.services, []
        for reference in references:
            score, reference_score = best(candidate), best(reference)
            kinds = [(ALL, "all"), (ONE, "cmp")]
            if self.settings.same_score.applies(score, reference_score):
                kinds.append((SAME_SCORE, "same"))
            scripts = [self.script_of(each.scoring_logs) for each in (candidate, reference)]
            pair = "({}, {})".format(*map(python, scripts))
            digest = reference.submission.digest
            for kind, service in kinds:
                answer = services.answer(service, pair, kind)
                similarity = asked(kind, answer, is_number(answer))
                logs.append(ComparisonLog(digest, similarity, kind))
            if reference_score < self.settings.least_score:
                logs.append(ComparisonLog(digest, 0.0, POOR))
        return logs

    def attempt(self, context: Context, index: int) -> ScoringLog:
        task = jsontext.dumps(self.make_task(context, index))
        try:
            solution = context.solve(task)
        except SolveFailed as failure:
            return ScoringLog(task, None, 0.0, error=failure.message)
        invalid = ScoringLog(task, solution, 0.0, error=INVALID)
        script = self.script_of([invalid])
        if script is None or not self.is_valid(script):
            return invalid
        return ScoringLog(task, solution, self.score_of(script))

    def similarities(
        self, evaluated: Evaluated, references: Sequence[Comparison]
    ) -> list[float]:
        """What counts, up to the first reference that the commit copies; with the
        baseline's, if none."""
        screening, services = self.settings.screening, self.settings.services
        similarities = []
        for reference in references[: self.settings.max_references]:
            own = reference.reference.miner.hotkey == evaluated.commit.miner.hotkey
            for similarity in found(reference, ONE):
                if not screening.counts(similarity, own):
                    continue
                similarities.append(similarity)
                if similarity > screening.copy_from:
                    return similarities
        if solved(evaluated.scoring_logs):
            answer = services.answers.get("baseline", services.defaults["baseline"])
            for script in asked("baseline", answer, isinstance(answer, list)):
                similarity = script["similarity_score"]
                similarities.append(asked("baseline", similarity, is_number(similarity)))
        return similarities

    def script_of(self, logs: Sequence[ScoringLog]) -> str | None:
        """The script of the first solution."""
        solution = next((log.read_solution() for log in logs if log.solution is not None), None)
        script = solution.get(self.settings.identifier) if isinstance(solution, dict) else None
        return script if isinstance(script, str) else None

    def is_valid(self, script: str) -> bool:
        if not script:
            return False
        answer = self.settings.services.answer("valid", script, "is_valid")
        return asked("check", answer, isinstance(answer, bool))

    def score_of(self, script: str) -> float:
        answer = self.settings.services.answer("score", script, "score")
        if not is_number(answer):
            raise TypeError(f"a score of {jsontext.dumps(answer)}")
        return answer


def asked(service: str, answer: Any, is_answer: bool) -> Any:
    """A text stands for an exception at the service."""
    if not is_answer:
        raise Unavailable(f"{service} answered {jsontext.dumps(answer)}")
    return answer


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def python(script: str | None) -> str:
    return "None" if script is None else f"'{script}'"


def same_day(commit: Commit, reference: Comparison) -> bool:
    return commit.committed_at // DAY == reference.reference.committed_at // DAY


def worthless(reference: Comparison) -> bool:
    return reference.reference_score == 0.0 or any(log.reason == POOR for log in reference.logs)


def found(reference: Comparison, kind: str) -> list[float]:
    """Similarities of one kind, and what the host itself says of the same artifact."""
    return [
        log.similarity
        for log in reference.logs
        if log.reason == kind or log.reason not in KINDS
    ]


def best(evaluation: Evaluation) -> float:
    return max((log.score for log in evaluation.scoring_logs), default=math.nan)


def solved(logs: Sequence[ScoringLog]) -> bool:
    return any(log.solution is not None for log in logs)


@dataclass
class Judged:
    logs: list[ScoringLog]
    comparisons: list[Comparison]
    verdict: Verdict


@dataclass
class Refused:
    """The commit does not say what it points to by digest. No challenge hears of it."""


@dataclass
class Reference:
    """A commit that later ones are compared with."""

    commit: Commit
    score: float | None
    logs: list[ScoringLog]
    same_day: bool


def run(case: Any) -> list[Judged | ChallengeError | Refused]:
    """What comes of each commit of a case; an error if there is no verdict."""
    asked_for = {"solve", "valid", "all", "cmp", "same", "baseline", "score"}
    unknown = set(case["input"]["service_answers"]) - asked_for
    assert not unknown, f"nobody asks {unknown}"
    # When they were accepted the case does not say; here it was on the day before.
    known = [
        Reference(commit_of(index, raw, -1.0), raw["score"], logs_of(raw), same_day=False)
        for index, raw in enumerate(case["input"]["reference_commits"])
    ]
    outcomes: list[Judged | ChallengeError | Refused] = []
    for raw in case["input"]["miner_commits"]:
        if not has_digest(raw["docker_hub_id"]):
            outcomes.append(Refused())
            continue
        commit = commit_of(len(known), raw, raw["commit_timestamp"])
        try:
            judged = verdict(case, raw, commit, known)
        except ChallengeError as error:
            outcomes.append(error)
            continue
        known.append(Reference(commit, judged.verdict.score, judged.logs, same_day=True))
        outcomes.append(judged)
    return outcomes


def verdict(case: Any, raw: Any, commit: Commit, known: Sequence[Reference]) -> Judged:
    harness = Harness(Sniffer, settings=settings(case), solver=lambda task: solve(case, raw))
    logs = harness.evaluate()
    comparisons = []
    # What solved nothing resembles nothing.
    if solved(logs):
        references = [
            reference
            for reference in known
            if solved(reference.logs)
            and not (reference.same_day and reference.commit.miner.uid == commit.miner.uid)
        ]
        compared = harness.compare(
            Evaluation(commit.submission, logs),
            [Evaluation(each.commit.submission, each.logs) for each in references],
        )
        for each in references:
            digest = each.commit.submission.digest
            own = [log for log in compared if log.reference == digest]
            comparisons.append(Comparison(each.commit, each.score, own))
    judged = harness.judge(Evaluated(commit, logs, comparisons))
    return Judged(logs, comparisons, judged)


def logs_of(raw: Any) -> list[ScoringLog]:
    return [
        ScoringLog(
            jsontext.dumps(log["miner_input"]),
            None if log["miner_output"] is None else jsontext.dumps(log["miner_output"]),
            given(log["score"], 0.0),
        )
        for log in raw["scoring_logs"]
    ]


def commit_of(index: int, raw: Any, committed_at: float) -> Commit:
    """The digest is made up: the cases have the same for an old and a new commit."""
    miner = Miner(raw["miner_uid"], raw["miner_hotkey"])
    return Commit(miner, committed_at, Submission(f"{index:064x}"))


def has_digest(artifact: str) -> bool:
    return re.fullmatch(r".+@sha256:[0-9a-fA-F]{64}", artifact) is not None


def settings(case: Any) -> dict[str, Any]:
    """The settings that the peer's configuration comes to."""
    info = case["input"]["challenge_info"]
    compare = info.get("comparison_config") or {}
    limit = compare.get("min_acceptable_score")
    return {
        "tasks": given(info.get("num_tasks"), 1),
        "identifier": info["script_path_identifier"],
        "rules": {"aggregate": "max", "acceptance": {"max_penalty": given(limit, 0.7)}},
        "screening": {
            "copy_from": given(limit, 0.6),
            "own_from": given(compare.get("max_self_comparison_score"), 0.9),
        },
        "same_score": {"counts_from": given(limit, 0.6)},
        "least_score": given(info.get("challenge_min_acceptable_score"), 0.6),
        "max_references": compare.get("max_unique_commits"),
        "services": {
            "answers": case["input"]["service_answers"],
            "defaults": case["input"]["defaults"],
        },
    }


def given(value: Any, default: Any) -> Any:
    return default if value is None else value


def solve(case: Any, raw: Any) -> str:
    """What the submission answers. A text stands for an exception, without message for a
    timeout."""
    scripted = case["input"]["service_answers"].get("solve", {}).get(raw["docker_hub_id"])
    if scripted is None:
        answer = jsontext.dumps(case["input"]["defaults"]["solve"])
        return answer.replace("<uid>", str(raw["miner_uid"]))
    if isinstance(scripted, dict):
        return jsontext.dumps(scripted)
    failure = "timeout" if scripted == "" else "guest_error"
    raise SolveFailed(failure, jsontext.dumps(scripted))
