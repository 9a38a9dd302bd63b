"""What `export` says to an author who forgot something."""

import unittest

from proctor_sdk import Challenge, ExportError, Solver, export, exporting


class Good(Challenge):
    name = "good"

    def task_count(self):
        return 1

    def make_task(self, context, index):
        return 1

    def score(self, task, solution: int):
        return 1.0


class TestExport(unittest.TestCase):
    def setUp(self):
        exporting._exported.clear()
        self.addCleanup(exporting._exported.clear)

    def test_one_class_is_exported(self):
        with self.assertRaisesRegex(ExportError, "a.py exports nothing"):
            exporting.exported("a.py")
        self.assertIs(export(Good), Good)
        self.assertIs(exporting.exported("a.py"), Good)
        export(Good)
        with self.assertRaisesRegex(ExportError, "Good and Good"):
            exporting.exported("a.py")

    def test_what_is_no_challenge_is_refused(self):
        for other in [int, Good({}), "x"]:
            with self.assertRaisesRegex(ExportError, "takes a Challenge or a Solver"):
                export(other)

    def test_a_name_is_checked(self):
        for bad in ["", "Sum", "-a", "a" * 65, "ä"]:
            with self.assertRaisesRegex(ExportError, "a name is 1 to 64"):
                export(type("Bad", (Challenge,), {"name": bad}))

    def test_a_missing_method_is_named(self):
        for methods, capability, wanted in [
            ({}, "scoring", "no `task_count` and `make_task` and `score`"),
            ({"task_count": 1, "make_task": 1}, "scoring", "no `score`: the capability `scor"),
            ({}, "comparison", "no `similarity`"),
        ]:
            cls = type("Bad", (Challenge,), {"name": "bad", **methods})
            with self.assertRaisesRegex(ExportError, wanted):
                exporting.check_capabilities(cls, [capability])
        exporting.check_capabilities(Good, ["scoring", "get_weights"])
        with self.assertRaisesRegex(ExportError, "no `solve`"):
            export(type("Bad", (Solver,), {}))

    def test_an_annotation_that_is_no_json_is_refused(self):
        class Sets(Good):
            def score(self, task, solution: set):
                return 1.0

        with self.assertRaisesRegex(ExportError, "Sets.score: solution: .*no type"):
            exporting.check_capabilities(Sets, ["scoring"])

    def test_settings_that_are_no_dataclass_are_refused(self):
        class Ints(Good):
            settings: int

        with self.assertRaisesRegex(ExportError, "no dataclass"):
            export(Ints)
