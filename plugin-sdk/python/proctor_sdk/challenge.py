"""The class that an author writes a challenge as."""

from __future__ import annotations

import math
import typing
from collections.abc import Iterable, Sequence
from typing import Any

from . import jsontext, shape
from .context import Context
from .errors import Internal, InvalidSolution, SolveFailed
from .ranking import EmissionRules, Scored, VerdictRules
from .types import (
    ComparisonLog,
    Evaluated,
    Evaluation,
    HotkeyWeight,
    ScoringLog,
    SettingsProblem,
    Standing,
    Submission,
    Verdict,
)


class Challenge:
    """A challenge. An object of it lives for one call of the host and is made from the
    settings, so that nothing can leak from one submission to the next.

    What it must define depends on its capabilities:

    | capability | needs | the defaults do |
    |---|---|---|
    | `scoring` | `task_count`, `make_task`, `score` | tasks from the seed, each solved by the submission and scored, a baseline subtracted, a verdict by score and similarity |
    | `comparison` | `similarity` | one `similarity` per reference |
    | `get_weights` | nothing | decay, then softmax over the standings that are worth anything |
    """

    name: typing.ClassVar[str] = ""
    """Name that commits call the challenge by: 1 to 64 of `a-z`, `0-9`, `-`, `_`, first a
    letter or digit."""
    version: typing.ClassVar[str] = "0.1.0"
    """Version of the plugin (semver)."""
    summary: typing.ClassVar[str] = ""
    """One sentence for people."""
    max_solution_bytes: typing.ClassVar[int] = 64 * 1024
    """Most bytes (UTF-8) of a solution. A longer one is not even read, and scores 0."""

    settings: Any
    """The settings of the call. Annotate it in the class, as in `settings: Settings`, with
    a dataclass: that is what the settings are read as. Fields should have defaults, so
    that `{}` is valid."""

    def __init__(self, settings: Any) -> None:
        """Makes the challenge for one call. The settings have passed `check_settings`."""
        self.settings = settings

    @classmethod
    def check_settings(cls, settings: Any) -> Iterable[SettingsProblem]:
        """What the types and ranges of the settings cannot say, as how fields belong
        together. Returns every problem; none by default."""
        return ()

    # Capability `scoring`.

    def task_count(self) -> int:
        """How many tasks a submission gets."""
        raise NotImplementedError("task_count")

    def make_task(self, context: Context, index: int) -> Any:
        """Makes task number `index`, counted from 0, from the context's seed
        (`context.rng(index)`): anything that JSON has, or a dataclass. The same seed and
        index must give the same task."""
        raise NotImplementedError("make_task")

    def score(self, task: Any, solution: Any) -> float:
        """Scores one solution; usually 0 (worthless) to 1 (perfect), and finite.

        Annotate both parameters, as in `score(self, task: list[int], solution: float)`:
        they are read as that, and a solution of another shape is worth nothing. Without
        an annotation they are whatever JSON the submission sent, and an exception
        that it causes is the challenge's fault.

        Raise `InvalidSolution` to say why a solution is worth nothing.
        """
        raise NotImplementedError("score")

    def baseline(self, task: Any) -> float | None:
        """What a reference solution of the challenge's own scores on a task. It is
        subtracted from each submission's score, also from the 0 of a submission that
        failed. None by default."""
        return None

    def verdict_rules(self) -> VerdictRules:
        """How score and similarity become a verdict."""
        return VerdictRules()

    def evaluate(
        self, context: Context, submission: Submission, seed_tasks: Sequence[str]
    ) -> list[ScoringLog]:
        """Evaluates one submission: the seed tasks first, JSON texts, then tasks of its
        own up to `task_count`. A task that the submission fails scores 0 with the failure
        as its error.

        Raises `Unavailable` if the runner is; `Internal` if a seed task cannot be read.
        """
        task_shape, _ = score_shapes(type(self))
        tasks = []
        for text in seed_tasks:
            try:
                tasks.append((text, shape.read(task_shape, jsontext.loads(text))))
            except ValueError as error:
                raise Internal(f"seed task: {error}") from None
        for index in range(len(tasks), self.task_count()):
            made = self.make_task(context, index)
            try:
                text = jsontext.dumps(made)
                # As it will be read if it is a seed task: `[1, 2]`, not `(1, 2)`.
                task = shape.read(task_shape, jsontext.loads(text))
            except (TypeError, ValueError) as error:
                message = f"make_task made no task that `score` takes: {error}"
                raise Internal(message) from None
            tasks.append((text, task))
        return [self._attempt(context, text, task) for text, task in tasks]

    def _attempt(self, context: Context, text: str, task: Any) -> ScoringLog:
        # Failing is worth 0 before the baseline is taken off, like any other worthless
        # answer: to give up must not pay.
        baseline = self.baseline(task)
        if baseline is not None:
            baseline = _finite(baseline, "baseline")

        def log(solution: str | None, score: float, error: str | None) -> ScoringLog:
            if error is not None and len(error) > _MAX_ERROR:
                error = f"{error[: _MAX_ERROR - 1]}…"
            return ScoringLog(text, solution, score - (baseline or 0.0), baseline, error)

        try:
            solution = context.solve(text)
        except SolveFailed as failure:
            return log(None, 0.0, failure.message)
        size = len(solution.encode("utf-8", "surrogatepass"))
        if size > self.max_solution_bytes:
            limit = f"at most {self.max_solution_bytes}"
            return log(None, 0.0, f"malformed solution: {size} bytes, {limit}")
        _, solution_shape = score_shapes(type(self))
        try:
            value = jsontext.loads(solution)
        except ValueError as error:
            # The contract has no place for a solution that is not JSON.
            return log(None, 0.0, f"malformed solution: {error}")
        try:
            parsed = shape.read(solution_shape, value)
        except ValueError as error:
            return log(solution, 0.0, f"malformed solution: {error}")
        try:
            score = self.score(task, parsed)
        except InvalidSolution as error:
            return log(solution, 0.0, str(error))
        return log(solution, _finite(score, "score"), None)

    def judge(self, context: Context, evaluated: Evaluated) -> Verdict:
        """Judges a commit by `verdict_rules`."""
        judgement = self.verdict_rules().judge(
            (log.score for log in evaluated.scoring_logs),
            (log.similarity for each in evaluated.comparisons for log in each.logs),
        )
        if judgement is None:
            raise Internal("judged without scoring logs")
        # Below zero only if the submission did worse than the baseline.
        score = max(judgement.score, 0.0)
        return Verdict(score, judgement.penalty, judgement.accepted)

    # Capability `comparison`.

    def similarity(
        self, context: Context, candidate: Evaluation, reference: Evaluation
    ) -> float | ComparisonLog:
        """How alike a candidate and one reference are: 0 (nothing in common) to 1 (the
        same). A `ComparisonLog` also says what the number was taken from."""
        raise NotImplementedError("similarity")

    def compare(
        self, context: Context, candidate: Evaluation, references: Sequence[Evaluation]
    ) -> list[ComparisonLog]:
        """Compares a candidate with a batch of references; by default one `similarity`
        each. `context.solve` runs the candidate."""
        logs = []
        for reference in references:
            found = self.similarity(context, candidate, reference)
            if isinstance(found, ComparisonLog):
                _finite(found.similarity, "similarity")
            else:
                digest = reference.submission.digest
                found = ComparisonLog(digest, _finite(found, "similarity"))
            logs.append(found)
        return logs

    # Capability `get_weights`.

    def emission_rules(self) -> EmissionRules:
        """How a standing's worth decays and spreads."""
        return EmissionRules()

    def get_weights(
        self, context: Context, standings: Sequence[Standing]
    ) -> list[HotkeyWeight]:
        """Turns standings into weights; by default decay, then softmax over the standings
        that are worth anything, by `emission_rules`."""
        scored = [Scored(each.score, each.scored_at) for each in standings]
        weights = self.emission_rules().weights(scored, context.now)
        return [
            HotkeyWeight(each.commit.miner.hotkey, weight)
            for each, weight in zip(standings, weights)
        ]


_MAX_ERROR = 1000
"""Most characters of a log's error."""


def _finite(value: Any, method: str) -> float:
    """What a method returned, if it is a number that a log can have. `Internal` if not."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:
            # Python does not write so long a number.
            message = f"{method} returned a number of {value.bit_length()} bits"
            raise Internal(f"{message}, must be a finite number") from None
        if math.isfinite(found):
            return found
    raise Internal(f"{method} returned {shape.short(value)}, must be a finite number")


_shapes: dict[type[Challenge], tuple[Any, Any]] = {}


def score_shapes(cls: type[Challenge]) -> tuple[Any, Any]:
    """What `score` takes: the types of the task and of the solution.

    Raises `TypeError` if one cannot be read from JSON.
    """
    if cls not in _shapes:
        task, solution = _parameter_shapes(cls.score, 2, f"{cls.__name__}.score")
        _shapes[cls] = task, solution
    return _shapes[cls]


def _parameter_shapes(function: Any, count: int, what: str) -> tuple[Any, ...]:
    """The annotations of the first parameters after `self`; `Any` where there is none."""
    hints = typing.get_type_hints(function)
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    if names[:1] in (("self",), ("cls",)):
        names = names[1:]
    if len(names) < count:
        raise TypeError(f"{what} takes too few parameters: {count} are wanted")
    shapes = tuple(hints.get(name, Any) for name in names[:count])
    for name, each in zip(names, shapes):
        try:
            shape.schema(each)
        except TypeError as error:
            raise TypeError(f"{what}: {name}: {error}") from None
    return shapes
