"""A submission that was thought about."""

from proctor_sdk import Solver, export

RULES = """
# People are uneven, and take their time.
steady = jitter < 0.35
hasty = pause < 0.55
votes = steady + hasty + (speed > 1.25)
bot = votes >= 2
"""


class Honest(Solver):
    def solve(self, task: dict[str, object]) -> dict[str, object]:
        return {"files": {"rules.py": RULES}}


export(Honest)
