"""The SDK's records, and the copies of the contract, are those of the contract."""

import ast
import dataclasses
import filecmp
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

from proctor_sdk import _version, types

HERE = pathlib.Path(__file__).parent.parent
PACKAGE = HERE / "proctor_sdk"


def wire_fields(file):
    """The fields of each record in a generated file."""
    tree = ast.parse((PACKAGE / "bindings/plugin/wit_world" / file).read_text())
    return {
        node.name: [n.target.id for n in node.body if isinstance(n, ast.AnnAssign)]
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }


class TestContract(unittest.TestCase):
    def test_the_records_have_the_fields_of_the_contract(self):
        wire = {**wire_fields("imports/types.py"), **wire_fields("exports/info.py")}
        checked = 0
        for name, cls in vars(types).items():
            if dataclasses.is_dataclass(cls):
                ours = [field.name for field in dataclasses.fields(cls)]
                self.assertEqual(ours, wire[name], name)
                checked += 1
        self.assertEqual(checked, 13)

    def test_the_copies_of_the_contract_are_current(self):
        for name in ("challenge", "solver"):
            theirs = HERE.parent.parent / "wit" / name
            files = sorted(os.listdir(theirs))
            self.assertEqual(sorted(os.listdir(PACKAGE / "wit" / name)), files)
            _, *different = filecmp.cmpfiles(theirs, PACKAGE / "wit" / name, files, False)
            self.assertEqual(different, [[], []])

    def test_the_contract_is_the_one_that_the_sdk_says(self):
        for contract, file in [
            (_version.CHALLENGE_CONTRACT, "challenge/types.wit"),
            (_version.SOLVER_CONTRACT, "solver/solver.wit"),
        ]:
            first = (PACKAGE / "wit" / file).read_text().splitlines()[0]
            self.assertEqual(first, f"package {contract};")

    @unittest.skipUnless(shutil.which("componentize-py"), "componentize-py is not there")
    def test_the_bindings_are_what_componentize_py_makes(self):
        sys.path.insert(0, str(HERE))
        self.addCleanup(sys.path.remove, str(HERE))
        import regenerate

        with tempfile.TemporaryDirectory() as made:
            regenerate.generate("componentize-py", pathlib.Path(made))
            for world in ("plugin", "solver"):
                files = [p for p in pathlib.Path(made, world).rglob("*") if p.is_file()]
                self.assertTrue(files)
                for file in files:
                    kept = PACKAGE / "bindings" / file.relative_to(made)
                    self.assertEqual(kept.read_text(), file.read_text(), str(kept))
