"""Every golden case of the ranking rules."""

import json
import pathlib
import unittest

from . import golden_ranking

GOLDEN = pathlib.Path(__file__).parents[3] / "tests/golden/ranking.json"


class TestGolden(unittest.TestCase):
    def test_the_rules_give_the_golden_numbers(self) -> None:
        cases = json.loads(GOLDEN.read_text())["cases"]
        for case in cases:
            with self.subTest(case["id"]):
                golden_ranking.check(case)
        # A family that is not there would not be checked.
        families = {case["family"] for case in cases}
        self.assertEqual(families, set(golden_ranking.families()))
