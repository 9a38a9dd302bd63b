"""Writes `proctor_sdk/bindings`: what componentize-py generates of the contracts, for type
checkers and for `tests/test_contract.py`. A component gets its own when it is built.

    python3 regenerate.py [componentize-py]
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import tempfile

PACKAGE = pathlib.Path(__file__).parent / "proctor_sdk"
WORLDS = ["info", "controller", "comparer", "weights"]


def generate(tool: str, into: pathlib.Path) -> None:
    """Generates the bindings of both contracts into a directory."""
    version = (PACKAGE / "wit/challenge/types.wit").read_text().split("@", 1)[1].split(";")[0]
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        shutil.copytree(PACKAGE / "wit/challenge", work / "wit/deps/challenge")
        includes = [f"  include proctor:challenge/{w}-plugin@{version};\n" for w in WORLDS]
        world = "package proctor:project;\n\nworld plugin {\n" + "".join(includes) + "}\n"
        (work / "wit/world.wit").write_text(world)
        for wit, world in ((work / "wit", "plugin"), (PACKAGE / "wit/solver", "solver")):
            made = work / world
            command = [tool, "-d", str(wit), "-w", world, "bindings", str(made)]
            subprocess.run(command, check=True)
            for kept in ("wit_world", "componentize_py_types.py"):
                target = into / world / kept
                if (made / kept).is_dir():
                    shutil.copytree(made / kept, target)
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(made / kept, target)


def main() -> None:
    bindings = PACKAGE / "bindings"
    for world in ("plugin", "solver"):
        shutil.rmtree(bindings / world, ignore_errors=True)
    generate(sys.argv[1] if len(sys.argv) > 1 else "componentize-py", bindings)


if __name__ == "__main__":
    main()
