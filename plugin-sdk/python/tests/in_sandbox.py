"""Runs the golden cases of the ranking rules inside of a component, in a host's sandbox.

    python3 tests/in_sandbox.py [proctor]

Needs the binary `proctor` and componentize-py. Fails with the cases that differ.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys

TESTS = pathlib.Path(__file__).parent.resolve()
GOLDEN = TESTS.parents[2] / "tests/golden/ranking.json"


def main() -> int:
    proctor = shutil.which(sys.argv[1] if len(sys.argv) > 1 else "proctor")
    if proctor is None:
        print("there is no `proctor`: name it as the argument", file=sys.stderr)
        return 2
    project = TESTS / "sandbox"
    shutil.copy(GOLDEN, project / "ranking.json")
    shutil.copy(TESTS / "golden_ranking.py", project)
    subprocess.run([proctor, "plugin", "build"], cwd=project, check=True)
    command = [proctor, "plugin", "run", "dist/python-golden.wasm"]
    command += ["--artifact", "dist/echo.wasm", "--json"]
    ran = subprocess.run(command, cwd=project, stdout=subprocess.PIPE, check=True)
    logs = json.loads(ran.stdout)["scoring_logs"]
    wrong = [log["error"] for log in logs if log["score"] != 1.0]
    print("\n".join([*wrong, f"{len(logs) - len(wrong)} of {len(logs)} golden cases"]))
    count = len(json.loads(GOLDEN.read_text())["cases"])
    return 0 if not wrong and len(logs) == count else 1


if __name__ == "__main__":
    sys.exit(main())
