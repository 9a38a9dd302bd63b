"""The export of a solver."""

from __future__ import annotations

from typing import Any

from componentize_py_types import Err

from .. import calls
from ..errors import CannotSolve
from ..solver import Solver, solve_json


def classes(cls: type[Solver]) -> dict[str, Any]:
    """The class that the world of a solver wants, by name."""

    class WitWorld:
        def solve(self, task: str) -> str:
            try:
                return solve_json(cls, task)
            except MemoryError:
                # The host says of a trap what it was.
                raise
            except CannotSolve as error:
                raise Err(_text(str(error))) from None
            except (Exception, SystemExit) as error:
                raise Err(_text(calls.in_short(error))) from None

    return {"WitWorld": WitWorld}


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
