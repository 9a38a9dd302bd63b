"""A submission whose rules do not end with an answer."""

from proctor_sdk import Solver, export


class Malformed(Solver):
    def solve(self, task: dict[str, object]) -> dict[str, object]:
        return {"files": {"rules.py": "import os\n"}}


export(Malformed)
