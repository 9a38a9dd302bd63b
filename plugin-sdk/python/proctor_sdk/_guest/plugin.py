"""The exports of a challenge."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from componentize_py_types import Err
from wit_world.exports import info as wire_info
from wit_world.imports import context as host
from wit_world.imports import types as wire

from .. import calls, settings, shape
from ..challenge import Challenge
from ..context import Context, Rows, Value
from ..errors import (
    DatabaseError,
    DatabaseUnavailable,
    InvalidSubmission,
    SolveFailed,
    Unavailable,
)
from ..types import (
    Commit,
    Comparison,
    ComparisonLog,
    Evaluated,
    Evaluation,
    Miner,
    ScoringLog,
    Standing,
    Submission,
)

try:
    from wit_world.imports import runner
except ImportError:  # Without `scoring` and `comparison`.
    runner = None  # type: ignore[assignment]
try:
    from wit_world.imports import database
except ImportError:
    database = None  # type: ignore[assignment]

T = TypeVar("T")


class _Host:
    """The imports of a call."""

    def solve(self, task: str) -> str:
        if runner is None:
            raise Unavailable("there is no submission to run")
        try:
            return runner.solve(task)
        except Err as error:
            why = error.value
            if isinstance(why, runner.SolveError_Failed):
                failure = why.value
                raise SolveFailed(failure.code.name.lower(), failure.message) from None
            raise Unavailable(why.value) from None

    def execute(self, sql: str, parameters: Sequence[Value]) -> int:
        return int(_database(lambda: database.execute(sql, _parameters(parameters))))

    def query(self, sql: str, parameters: Sequence[Value]) -> Rows:
        found = _database(lambda: database.query(sql, _parameters(parameters)))
        rows = [[getattr(value, "value", None) for value in row] for row in found.rows]
        return Rows(found.columns, rows)


def _database(call: Callable[[], T]) -> T:
    try:
        return call()
    except Err as error:
        # `DatabaseError_TooLarge` is `too_large`.
        name = type(error.value).__name__.split("_", 1)[1]
        kind = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)[1:]
        message = getattr(error.value, "value", "")
        if kind == "unavailable":
            raise DatabaseUnavailable(message) from None
        raise DatabaseError(kind, message) from None


def _parameters(values: Sequence[Value]) -> list[Any]:
    return [_parameter(value) for value in values]


def _parameter(value: Value) -> Any:
    if value is None:
        return database.Value_Null()
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise DatabaseError("invalid", f"{value} has more than 64 bits")
        return database.Value_Integer(int(value))
    if isinstance(value, float):
        return database.Value_Real(value)
    if isinstance(value, str):
        return database.Value_Text(value)
    if isinstance(value, (bytes, bytearray)):
        return database.Value_Blob(bytes(value))
    raise DatabaseError("invalid", f"{type(value).__name__} is no type of SQLite")


def classes(cls: type[Challenge], capabilities: list[str]) -> dict[str, Any]:
    """The classes that a world with these capabilities wants, by name."""

    def call(what: Callable[[Any, Context], T]) -> T:
        try:
            context = Context(host.seed(), host.now(), _Host())
            return calls.call(cls, host.settings(), context, what)
        except MemoryError:
            # The host says of a trap what it was.
            raise
        except (Exception, SystemExit) as error:
            raise Err(_error(error)) from None

    class Info:
        def describe(self) -> Any:
            found = calls.describe(cls)
            return wire_info.Description(
                found.name, found.version, _text(found.summary), found.settings_schema
            )

        def validate_settings(self, text: str) -> None:
            try:
                settings.read(cls, text)
            except shape.ShapeError as error:
                problems = [
                    wire_info.SettingsProblem(_text(p.path), _text(p.message))
                    for p in error.problems
                ]
                raise Err(problems) from None
            except MemoryError:
                raise
            except Exception as error:
                _print(error)
                message = f"check_settings failed: {calls.in_short(error)}"
                raise Err([wire_info.SettingsProblem("", _text(message))]) from None

    class Controller:
        def evaluate(self, submission: Any, seed_tasks: list[str]) -> Any:
            of = Submission(submission.digest)
            return call(
                lambda c, x: [_to_log(g) for g in c.evaluate(x, of, seed_tasks)]
            )

        def judge(self, evaluated: Any) -> Any:
            def judged(challenge: Any, context: Context) -> Any:
                verdict = challenge.judge(context, _evaluated(evaluated))
                return wire.Verdict(
                    float(verdict.score),
                    float(verdict.penalty),
                    bool(verdict.accepted),
                    _optional(verdict.reason),
                )

            return call(judged)

    class Comparer:
        def compare(self, candidate: Any, references: list[Any]) -> Any:
            def compared(challenge: Any, context: Context) -> Any:
                found = challenge.compare(
                    context, _evaluation(candidate), [_evaluation(r) for r in references]
                )
                return [
                    wire.ComparisonLog(
                        log.reference, float(log.similarity), _optional(log.reason)
                    )
                    for log in found
                ]

            return call(compared)

    class Weights:
        def get_weights(self, standings: list[Any]) -> Any:
            def weighed(challenge: Any, context: Context) -> Any:
                found = challenge.get_weights(context, [_standing(s) for s in standings])
                return [
                    wire.HotkeyWeight(each.hotkey, float(each.weight)) for each in found
                ]

            return call(weighed)

    wanted: dict[str, Any] = {"Info": Info}
    for capability, each in (
        ("scoring", Controller),
        ("comparison", Comparer),
        ("get_weights", Weights),
    ):
        if capability in capabilities:
            wanted[each.__name__] = each
    return wanted


def _error(error: BaseException) -> Any:
    found = calls.as_challenge_error(error)
    if found is not error:
        _print(error)
    text = _text(found.message)
    if isinstance(found, InvalidSubmission):
        return wire.ChallengeError_InvalidSubmission(text)
    if isinstance(found, Unavailable):
        return wire.ChallengeError_Unavailable(text)
    return wire.ChallengeError_Internal(text)


def _print(error: BaseException) -> None:
    """The whole traceback, for the challenge's log."""
    sys.stderr.write(f"{_text(calls.in_full(error))}\n")


def _text(text: str) -> str:
    """A text that is UTF-8, whatever the author made it of."""
    return str(text).encode("utf-8", "replace").decode("utf-8")


def _optional(text: str | None) -> str | None:
    return None if text is None else _text(text)


def _to_log(log: Any) -> Any:
    baseline = log.baseline_score
    return wire.ScoringLog(
        log.task,
        log.solution,
        float(log.score),
        None if baseline is None else float(baseline),
        _optional(log.error),
    )


def _log(log: Any) -> ScoringLog:
    return ScoringLog(
        log.task, log.solution, log.score, log.baseline_score, log.error
    )


def _commit(commit: Any) -> Commit:
    miner = commit.miner
    return Commit(
        Miner(miner.uid, miner.hotkey, miner.coldkey, miner.axon_ip),
        commit.committed_at,
        Submission(commit.submission.digest),
    )


def _evaluation(evaluation: Any) -> Evaluation:
    return Evaluation(
        Submission(evaluation.submission.digest),
        [_log(log) for log in evaluation.scoring_logs],
    )


def _evaluated(evaluated: Any) -> Evaluated:
    return Evaluated(
        _commit(evaluated.commit),
        [_log(log) for log in evaluated.scoring_logs],
        [
            Comparison(
                _commit(each.reference),
                each.reference_score,
                [ComparisonLog(g.reference, g.similarity, g.reason) for g in each.logs],
            )
            for each in evaluated.comparisons
        ],
    )


def _standing(standing: Any) -> Standing:
    return Standing(_commit(standing.commit), standing.score, standing.scored_at)
