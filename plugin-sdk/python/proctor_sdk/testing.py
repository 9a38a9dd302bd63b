"""Runs a challenge natively, with imports that a test provides::

    harness = Harness(Sum, solver=lambda task: str(sum(json.loads(task))))
    assert all(log.score == 1.0 for log in harness.evaluate())
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from . import calls, jsontext, settings, shape, solver
from .challenge import Challenge
from .context import Context, Rows, Value
from .errors import (
    DatabaseError,
    DatabaseUnavailable,
    Internal,
    ChallengeError,
    SolveFailed,
    Unavailable,
)
from .solver import Solver
from .types import (
    ComparisonLog,
    Description,
    Evaluated,
    Evaluation,
    HotkeyWeight,
    ScoringLog,
    SettingsProblem,
    Standing,
    Submission,
    Verdict,
)

T = TypeVar("T")


class Harness:
    """Calls a challenge as the host would: settings read and checked, a context of its
    own for each call. Imports that the test does not provide are `Unavailable`.

    - `settings`: a dictionary. Default: `{}`.
    - `seed`, `now`: of the context. Default: 0.
    - `solver`: the submission, a `Solver` class or a function from JSON text to JSON
      text. Exceptions of a `Solver` are failures with the code `guest_error`; a function
      raises `SolveFailed` or `Unavailable`.
    - `database`: a connection, as `sqlite3.connect(":memory:")`.

    An exception of the author's code is raised as `Internal`, whose cause it is.
    """

    def __init__(
        self,
        challenge: type[Challenge],
        *,
        settings: dict[str, Any] | None = None,
        seed: int = 0,
        now: float = 0.0,
        solver: type[Solver] | Callable[[str], str] | None = None,
        database: sqlite3.Connection | None = None,
    ) -> None:
        self.challenge = challenge
        self.settings = jsontext.dumps(settings or {})
        self.seed = seed
        self.now = now
        self._imports = _Fake(solver, database)

    def describe(self) -> Description:
        """What the challenge tells of itself."""
        return calls.describe(self.challenge)

    def validate_settings(self) -> list[SettingsProblem]:
        """Checks the settings: every problem found."""
        try:
            settings.read(self.challenge, self.settings)
        except shape.ShapeError as error:
            return error.problems
        return []

    def evaluate(self, seed_tasks: Sequence[str] = ()) -> list[ScoringLog]:
        """Evaluates the submission. Raises a `ChallengeError`."""
        submission = Submission("0" * 64)
        return self._call(lambda c, x: c.evaluate(x, submission, list(seed_tasks)))

    def judge(self, evaluated: Evaluated) -> Verdict:
        """Judges a commit. Raises a `ChallengeError`."""
        verdict: Verdict = self._call(lambda c, x: c.judge(x, evaluated))
        return verdict

    def compare(
        self, candidate: Evaluation, references: Sequence[Evaluation]
    ) -> list[ComparisonLog]:
        """Compares a candidate with references; the submission is the candidate. Raises a
        `ChallengeError`."""
        return self._call(lambda c, x: c.compare(x, candidate, list(references)))

    def get_weights(self, standings: Sequence[Standing]) -> list[HotkeyWeight]:
        """Turns standings into weights. Raises a `ChallengeError`."""
        return self._call(lambda c, x: c.get_weights(x, list(standings)))

    def _call(self, what: Callable[[Any, Context], T]) -> T:
        context = Context(self.seed, self.now, self._imports)
        try:
            return calls.call(self.challenge, self.settings, context, what)
        except ChallengeError:
            raise
        except Exception as error:
            raise Internal(calls.in_short(error)) from error


class _Fake:
    def __init__(self, submission: Any, database: sqlite3.Connection | None) -> None:
        self._submission = submission
        self._database = database

    def solve(self, task: str) -> str:
        if self._submission is None:
            raise Unavailable("the test has no solver")
        if isinstance(self._submission, type) and issubclass(self._submission, Solver):
            try:
                return solver.solve_json(self._submission, task)
            except Exception as error:
                raise SolveFailed("guest_error", str(error)) from error
        solution = self._submission(task)
        if not isinstance(solution, str):
            # Its `str` would be Python, and the challenge would score it as malformed.
            kind = type(solution).__name__
            raise TypeError(f"the test's solver returned {kind}, must be JSON text: json.dumps")
        return solution

    def execute(self, sql: str, parameters: Sequence[Value]) -> int:
        return max(self._run(sql, parameters).rowcount, 0)

    def query(self, sql: str, parameters: Sequence[Value]) -> Rows:
        cursor = self._run(sql, parameters)
        columns = [column[0] for column in cursor.description or ()]
        return Rows(columns, [list(row) for row in cursor.fetchall()])

    def _run(self, sql: str, parameters: Sequence[Value]) -> sqlite3.Cursor:
        if self._database is None:
            raise DatabaseUnavailable("the test has no database")
        try:
            return self._database.execute(sql, tuple(parameters))
        except sqlite3.IntegrityError as error:
            raise DatabaseError("constraint", str(error)) from error
        except sqlite3.Error as error:
            raise DatabaseError("invalid", str(error)) from error
