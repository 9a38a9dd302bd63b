"""A copy of `honest.py`: other names, other comments, other spacing, two files."""

from proctor_sdk import Solver, export

FIRST = """
a=( jitter<.350 )   # my own idea
b=( pause<0.55 )
"""
SECOND = """
# all my own work
c = a + b + (speed > 1.25)

bot = c >= 2.0
"""


class Renamed(Solver):
    def solve(self, task: dict[str, object]) -> dict[str, object]:
        return {"files": {"a.py": FIRST, "b.py": SECOND}}


export(Renamed)
