"""Write challenges and submissions for Proctor in Python.

A challenge is a class; `export` makes a component of it::

    from dataclasses import dataclass
    from proctor_sdk import Challenge, Context, export, setting

    @dataclass
    class Settings:
        tasks: int = setting(10, minimum=1, maximum=1000, doc="Tasks per submission.")

    class Sum(Challenge):
        name = "sum"
        summary = "Add two numbers."
        settings: Settings

        def task_count(self) -> int:
            return self.settings.tasks

        def make_task(self, context: Context, index: int) -> list[int]:
            rng = context.rng(index)
            return [rng.randrange(100), rng.randrange(100)]

        def score(self, task: list[int], solution: float) -> float:
            return 1.0 if solution == sum(task) else 0.0

    export(Sum)

`proctor_sdk.ranking` has the rules that challenges share, `proctor_sdk.testing` runs a
challenge without WebAssembly.
"""

from ._version import __version__
from .challenge import Challenge
from .context import Context, Database, Imports, Rows, Value
from .errors import (
    CannotSolve,
    ChallengeError,
    DatabaseError,
    DatabaseUnavailable,
    Internal,
    InvalidSolution,
    InvalidSubmission,
    SolveFailed,
    Unavailable,
)
from .exporting import ExportError, export
from .settings import NoSettings, setting
from .solver import Solver
from .types import (
    Commit,
    Comparison,
    ComparisonLog,
    Description,
    Evaluated,
    Evaluation,
    HotkeyWeight,
    Miner,
    ScoringLog,
    SettingsProblem,
    Standing,
    Submission,
    Verdict,
)

__all__ = [
    "CannotSolve",
    "Challenge",
    "ChallengeError",
    "Commit",
    "Comparison",
    "ComparisonLog",
    "Context",
    "Database",
    "DatabaseError",
    "DatabaseUnavailable",
    "Description",
    "Evaluated",
    "Evaluation",
    "ExportError",
    "HotkeyWeight",
    "Imports",
    "Internal",
    "InvalidSolution",
    "InvalidSubmission",
    "Miner",
    "NoSettings",
    "Rows",
    "ScoringLog",
    "SettingsProblem",
    "SolveFailed",
    "Solver",
    "Standing",
    "Submission",
    "Unavailable",
    "Value",
    "Verdict",
    "__version__",
    "export",
    "setting",
]
