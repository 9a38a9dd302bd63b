"""Tests without WebAssembly: `python3 -m unittest discover -s tests` in the project."""

import json
import os
import sys
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [ROOT, os.path.join(ROOT, "solvers"), os.path.join(ROOT, "../../plugin-sdk/python")]

import challenge  # noqa: E402
import honest  # noqa: E402
import malformed  # noqa: E402
import other  # noqa: E402
import renamed  # noqa: E402
import rules  # noqa: E402
import sessions  # noqa: E402
import similarity  # noqa: E402
from proctor_sdk import Evaluation, Submission  # noqa: E402
from proctor_sdk.testing import Harness  # noqa: E402


def evaluated(solver, digest, seed=7):
    harness = Harness(challenge.Similarity, seed=seed, solver=solver)
    return Evaluation(Submission(digest), harness.evaluate())


def compared(candidate, reference):
    harness = Harness(challenge.Similarity)
    (log,) = harness.compare(evaluated(candidate, "a"), [evaluated(reference, "b")])
    return log


class TestScoring(unittest.TestCase):
    def test_better_rules_score_higher(self):
        good = evaluated(honest.Honest, "a").scoring_logs[0]
        self.assertIsNone(good.error)
        self.assertGreater(good.score, 0.6)
        guess = lambda task: json.dumps({"files": {"r": "bot = speed > 1.6"}})  # noqa: E731
        self.assertLess(evaluated(guess, "b").scoring_logs[0].score, good.score)

    def test_what_is_no_rule_is_worth_nothing(self):
        for source, wanted in [
            ("import os", "expected '='"),
            ("x = 1", "nothing sets `bot`"),
            ("bot = y", "nothing sets 'y'"),
            ("jitter = 1\nbot = 1", "cannot be set"),
            ("bot = 1 / 0", "division by zero"),
            ('bot = """', "cannot read"),
            ("bot = 0x10", "no decimal"),
            ("bot = " + "(" * 1000 + "1" + ")" * 1000, "nested"),
            ("bot = __import__('os')", "nothing sets '__import__'"),
            ("x" * 5000, "more than 4000"),
            ("bot = " + "1+" * 1900 + "1", "more than 400 tokens"),
        ]:
            answer = lambda task: json.dumps({"files": {"r": source}})  # noqa: E731
            log = evaluated(answer, "a").scoring_logs[0]
            self.assertEqual(log.score, 0.0, source[:40])
            self.assertIn(wanted, log.error, source[:40])

    def test_a_solution_of_another_shape_is_worth_nothing(self):
        for answer in ['"x"', "{}", '{"files": {"a": 1}}', "[" * 100_000]:
            log = evaluated(lambda task: answer, "a").scoring_logs[0]
            self.assertEqual(log.score, 0.0)
            self.assertIn("malformed solution", log.error)

    def test_rules_mean_what_they_mean_in_python(self):
        values = {"speed": 2.0, "jitter": 0.5, "pause": 0.25, "clicks": 3.0}
        for source in [
            "speed - jitter - pause > 1",
            "not speed < jitter and pause < 1 or clicks == 0",
            "(1 if jitter else 0) * 2 == speed",
            "-speed + abs(-speed) == 0",
            "max(speed, jitter, clicks) / 3 != min(1, 2)",
            "not not clicks",
        ]:
            program = rules.parse(f"bot = {source}", sessions.FEATURES)
            self.assertEqual(program.run(values), bool(eval(source, {}, values)), source)


class TestSimilarity(unittest.TestCase):
    def test_a_renamed_copy_in_two_files_is_a_copy(self):
        log = compared(renamed.Renamed, honest.Honest)
        self.assertEqual(log.reference, "b")
        self.assertGreater(log.similarity, 0.95)

    def test_lines_in_another_order_are_a_copy(self):
        source = "a = jitter < 0.3\nb = pause < 0.5\nbot = 1 if clicks > 3 else speed"
        moved = "b = pause < 0.5\nx = jitter < 0.3\nbot = 1 if clicks > 3 else speed"
        ratio, reason = similarity.compare(source, moved)
        self.assertEqual(ratio, 1.0)
        self.assertIn("another order", reason)

    def test_another_idea_is_no_copy(self):
        self.assertLess(compared(other.Other, honest.Honest).similarity, 0.6)

    def test_what_cannot_be_run_resembles_nothing(self):
        self.assertEqual(compared(malformed.Malformed, honest.Honest).similarity, 0.0)

    def test_a_hostile_pair_costs_little(self):
        # What `difflib` would take minutes for: it finds one token after the other.
        plus, times = ("bot = 1" + f"{sign}1" * 1990 for sign in "+*")
        start = time.process_time()
        ratio, _ = similarity.compare(plus, times)
        self.assertLess(time.process_time() - start, 5.0)
        self.assertAlmostEqual(ratio, 0.5, places=2)
        # The longest that a submission may hand in.
        self.assertEqual(similarity.length("bot = 1" + "+1" * 198), similarity.MAX_TOKENS)
        plus, times = ("bot = 1" + f"{sign}1" * 198 for sign in "+*")
        start = time.process_time()
        similarity.compare(plus, times)
        self.assertLess(time.process_time() - start, 5.0)

    def test_layout_changes_nothing(self):
        self.assertEqual(
            similarity.normalized("bot=(.50)<speed # why"),
            similarity.normalized("\n\nbot = 0.5 < speed\n"),
        )


if __name__ == "__main__":
    unittest.main()
