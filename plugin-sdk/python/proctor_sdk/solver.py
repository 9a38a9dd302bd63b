"""The class that a miner writes a submission as."""

from __future__ import annotations

from typing import Any

from . import jsontext, shape
from .challenge import _parameter_shapes
from .errors import CannotSolve


class Solver:
    """A submission: an answer to the tasks of one challenge. Every call starts in a fresh
    sandbox without files, network, time or randomness of its own."""

    def solve(self, task: Any) -> Any:
        """Solves one task. Annotate it, as in `solve(self, task: list[int]) -> int`: it is
        read as that; without an annotation it is what JSON gives. The answer is anything
        that JSON has, or a dataclass.

        Raise `CannotSolve` to say why there is none. The task then scores 0, as for any
        other exception.
        """
        raise NotImplementedError("solve")


_shapes: dict[type[Solver], Any] = {}


def task_shape(cls: type[Solver]) -> Any:
    """The type that `solve` takes. Raises `TypeError` if it cannot be read from JSON."""
    if cls not in _shapes:
        _shapes[cls] = _parameter_shapes(cls.solve, 1, f"{cls.__name__}.solve")[0]
    return _shapes[cls]


def solve_json(cls: type[Solver], task: str) -> str:
    """`solve` between JSON texts. Raises what `solve` does, and `CannotSolve` for what is
    wrong with the JSON."""
    try:
        read = shape.read(task_shape(cls), jsontext.loads(task))
    except ValueError as error:
        raise CannotSolve(f"cannot read the task: {error}") from None
    solution = cls().solve(read)
    try:
        return jsontext.dumps(solution)
    except (TypeError, ValueError) as error:
        raise CannotSolve(f"cannot write the solution: {error}") from None
