"""One task for each golden case; the score is 1 if the rules give its numbers."""

import json
import os

import golden_ranking
from proctor_sdk import Challenge, Context, InvalidSolution, export

# Read while the component is made: there are no files later.
with open(os.path.join(os.path.dirname(__file__), "ranking.json"), encoding="utf-8") as file:
    CASES = json.load(file)["cases"]


class Golden(Challenge):
    name = "python-golden"

    def task_count(self) -> int:
        return len(CASES)

    def make_task(self, context: Context, index: int) -> int:
        return index

    def score(self, task: int, solution: int) -> float:
        try:
            golden_ranking.check(CASES[task])
        except AssertionError as error:
            raise InvalidSolution(str(error)) from None
        return 1.0


export(Golden)
