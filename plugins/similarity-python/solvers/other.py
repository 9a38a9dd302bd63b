"""Another way: the examples of the task decide where the line is."""

from proctor_sdk import Solver, export


class Other(Solver):
    def solve(self, task: dict[str, list]) -> dict[str, object]:
        pauses = {True: [0.3], False: [0.8]}
        for example in task["examples"]:
            pauses[example["bot"]].append(example["values"]["pause"])
        means = [sum(values) / len(values) for values in pauses.values()]
        line = round(sum(means) / 2, 3)
        return {"files": {"rules.py": f"bot = max(pause, jitter * 1.5) < {line}\n"}}


export(Other)
