"""What the defaults of a challenge do: the same as those of the Rust SDK."""

import sqlite3
import unittest

from proctor_sdk import (
    CannotSolve,
    Challenge,
    Commit,
    Comparison,
    ComparisonLog,
    Context,
    DatabaseError,
    Evaluated,
    Evaluation,
    Internal,
    InvalidSolution,
    InvalidSubmission,
    Miner,
    ScoringLog,
    SolveFailed,
    Solver,
    Standing,
    Submission,
    Unavailable,
    Verdict,
    calls,
)
from proctor_sdk.testing import Harness


class Halving(Challenge):
    name = "halving"

    def task_count(self) -> int:
        return 2

    def make_task(self, context, index):
        return index

    def score(self, task: int, solution: float) -> float:
        if solution < 0.0:
            raise InvalidSolution("negative")
        return solution

    def baseline(self, task):
        return 0.5


def fails(error):
    def solve(task):
        raise error

    return solve


def first(answer, challenge=Halving):
    solve = answer if callable(answer) else lambda task: answer
    log = Harness(challenge, solver=solve).evaluate()[0]
    return log.score, log.error


class TestEvaluate(unittest.TestCase):
    def test_failing_does_not_pay_more_than_answering_badly(self):
        self.assertEqual(first("0.3"), (0.3 - 0.5, None))
        self.assertEqual(first("-1"), (-0.5, "negative"))
        self.assertEqual(first("{")[0], -0.5)
        failed = first(fails(SolveFailed("out_of_fuel", "no fuel")))
        self.assertEqual(failed, (-0.5, "out_of_fuel: no fuel"))
        silent = first(fails(SolveFailed("out_of_fuel", "")))
        self.assertEqual(silent, (-0.5, "out_of_fuel"))

    def test_a_solution_of_another_shape_is_malformed(self):
        for answer in ['"x"', "null", "[1]", "true", "1e999", "NaN", "[" * 100_000]:
            score, error = first(answer)
            self.assertEqual(score, -0.5)
            self.assertTrue(error.startswith("malformed solution: "), error)

    def test_a_hostile_answer_costs_little_and_is_told_shortly(self):
        class Lists(Halving):
            def score(self, task: int, solution: list[int]) -> float:
                return 1.0

        class More(Lists):
            max_solution_bytes = 2_000_000

        class Unions(More):
            def score(self, task: int, solution: list[list[int] | str]) -> float:
                return 1.0

        hostile, valid = "[" + "[]," * 340_000 + "1]", "[" + "1," * 500_000 + "1]"
        prefix = "malformed solution: "
        for answer, challenge, error in [
            (hostile, Lists, "1020003 bytes, at most 65536"),
            (valid, Lists, "1000003 bytes, at most 65536"),
            ('"' + "é" * 40000 + '"', Lists, "80002 bytes, at most 65536"),
            # Where the challenge takes more, it is read up to the first problem.
            (hostile, More, "[0]: expected a whole number, got an array"),
            (hostile, Unions, "[340000]: expected list or str, got the number 1"),
        ]:
            log = Harness(challenge, solver=lambda task: answer).evaluate()[0]
            self.assertEqual((log.score, log.error), (-0.5, prefix + error))
            self.assertEqual(log.solution is None, "bytes" in error)
        self.assertEqual(first(valid, More), (0.5, None))

    def test_the_error_of_a_log_is_cut(self):
        class Long(Halving):
            def score(self, task: int, solution: int) -> float:
                raise InvalidSolution("x" * 5000)

        for answer in ["1", fails(SolveFailed("trap", "x" * 5000))]:
            _, error = first(answer, Long)
            self.assertEqual(len(error), 1000)
            self.assertTrue(error.endswith("x…"))

    def test_seed_tasks_come_first_and_count(self):
        harness = Harness(Halving, solver=lambda task: task)
        for seeds, tasks in [(["7"], ["7", "1"]), (["7", "8", "9"], ["7", "8", "9"])]:
            self.assertEqual([log.task for log in harness.evaluate(seeds)], tasks)
        for bad in ["x", '"x"']:
            with self.assertRaisesRegex(Internal, "seed task"):
                harness.evaluate([bad])

    def test_nothing_is_scored_while_the_runner_is_away(self):
        with self.assertRaises(Unavailable):
            Harness(Halving).evaluate()

    def test_an_exception_of_the_author_is_the_challenges_fault_and_says_where(self):
        class Broken(Halving):
            def make_task(self, context, index):
                return 1 // index

        with self.assertRaisesRegex(Internal, r"ZeroDivisionError.*test_challenge.py:\d+ in make"):
            Harness(Broken, solver=lambda task: "1").evaluate()

        class Texts(Halving):
            def score(self, task: int, solution: float):
                return "x"

        with self.assertRaisesRegex(Internal, "score returned 'x', must be a finite number"):
            Harness(Texts, solver=lambda task: "1").evaluate()

    def test_a_number_that_no_log_can_have_is_the_challenges_fault(self):
        for value, shown in [
            (float("inf"), "inf"),
            (float("nan"), "nan"),
            (True, "True"),
            (10**400, "a number of 1329 bits"),
            (10**5000, "a number of 16610 bits"),
        ]:

            class Wrong(Halving):
                def score(self, task: int, solution: int, value=value):
                    return value

                def similarity(self, context, candidate, reference, value=value):
                    of = reference.submission.digest
                    return ComparisonLog(of, value) if of == "log" else value

            class WrongBaseline(Halving):
                def baseline(self, task, value=value):
                    return value

            for method, cls in [("score", Wrong), ("baseline", WrongBaseline)]:
                with self.assertRaisesRegex(
                    Internal, f"{method} returned {shown}, must be a finite number"
                ):
                    Harness(cls, solver=lambda task: "1").evaluate()
            for digest in ["number", "log"]:
                of = Evaluation(Submission(digest), [])
                with self.assertRaisesRegex(Internal, f"similarity returned {shown}"):
                    Harness(Wrong).compare(of, [of])

    def test_a_traceback_has_the_authors_frames_only(self):
        def broken():
            raise KeyError("x")

        try:
            calls.call(Halving, "{}", Context(1, 0.0, None), lambda c, x: broken())
        except KeyError as error:
            told = calls.in_full(error)
        self.assertRegex(told, r"test_challenge.py:\d+ in broken\nKeyError: 'x'$")
        self.assertNotIn("proctor_sdk/", told)
        self.assertEqual(calls._mounted("/0/lib/rules.py"), "lib/rules.py")

    def test_invalid_settings_are_the_challenges_fault(self):
        with self.assertRaisesRegex(Internal, "settings: x: unknown field"):
            Harness(Halving, settings={"x": 1}).evaluate()

    def test_what_an_author_raises_reaches_the_host(self):
        for error in [InvalidSubmission("bad"), Unavailable("later")]:

            class Raises(Halving):
                def make_task(self, context, index, error=error):
                    raise error

            with self.assertRaises(type(error)):
                Harness(Raises, solver=lambda task: "1").evaluate()

    def test_the_seed_decides(self):
        class Random(Halving):
            def make_task(self, context, index):
                return context.rng(index).randrange(2**32)

        def tasks(seed):
            logs = Harness(Random, seed=seed, solver=lambda task: "1").evaluate()
            return [log.task for log in logs]

        self.assertEqual(tasks(1), tasks(1))
        self.assertEqual(len({*tasks(1), *tasks(2)}), 4)
        # A golden number: other ones would change what a seed means.
        self.assertEqual(tasks(7)[0], GOLDEN_TASK)

    def test_a_task_reaches_score_as_it_would_from_json(self):
        class Pairs(Challenge):
            name = "pairs"

            def task_count(self):
                return 1

            def make_task(self, context, index):
                return (1, 2)

            def score(self, task: list[int], solution: int) -> float:
                return float(task == [1, 2])

        self.assertEqual(first("1", Pairs), (1.0, None))


GOLDEN_TASK = "300147313"


def commit(digest="b", uid=1):
    return Commit(Miner(uid, f"hk{uid}"), 1.0, Submission(digest))


class TestJudge(unittest.TestCase):
    def judge(self, scores, similarities=()):
        logs = [ScoringLog("1", "1", score) for score in scores]
        found = [ComparisonLog("a", similarity) for similarity in similarities]
        comparisons = [Comparison(commit("a", 2), 0.5, found)]
        return Harness(Halving).judge(Evaluated(commit(), logs, comparisons))

    def test_a_verdict_is_made_by_the_rules(self):
        self.assertEqual(self.judge([0.5, 1.0]), Verdict(0.75, 0.0, True))
        self.assertEqual(self.judge([0.3]), Verdict(0.3, 0.0, False))
        self.assertEqual(self.judge([1.0], [0.2, 1.0]), Verdict(0.0, 1.0, False))

    def test_a_score_below_the_baseline_is_0(self):
        self.assertEqual(self.judge([-0.5]).score, 0.0)

    def test_without_logs_there_is_no_verdict(self):
        with self.assertRaisesRegex(Internal, "judged without scoring logs"):
            self.judge([])


class TestOthers(unittest.TestCase):
    def test_each_reference_is_compared(self):
        class Same(Challenge):
            name = "same"

            def similarity(self, context, candidate, reference):
                if reference.submission.digest == "b":
                    return ComparisonLog("b", 1.0, "why")
                return 0

        references = [Evaluation(Submission(d), []) for d in "ab"]
        logs = Harness(Same).compare(Evaluation(Submission("c"), []), references)
        self.assertEqual(logs, [ComparisonLog("a", 0.0), ComparisonLog("b", 1.0, "why")])

    def test_weights_are_paid_by_score_and_age(self):
        day = 86_400.0
        scores = [(0.5, 20.0), (0.5, 20.0), (0.9, 0.0)]
        standings = [
            Standing(commit(uid=uid), score, at * day) for uid, (score, at) in enumerate(scores)
        ]
        weights = Harness(Halving, now=20 * day).get_weights(standings)
        self.assertEqual([w.hotkey for w in weights], ["hk0", "hk1", "hk2"])
        self.assertEqual([w.weight for w in weights], [0.5, 0.5, 0.0])

    def test_a_database_is_asked(self):
        class Counts(Halving):
            def make_task(self, context, index):
                database = context.database
                database.execute("CREATE TABLE IF NOT EXISTS t (a, b)")
                database.execute("INSERT INTO t VALUES (?1, ?2)", index, "x")
                try:
                    database.query("SELECT nonsense")
                except DatabaseError as error:
                    assert error.kind == "invalid"
                return len(database.query("SELECT * FROM t").rows)

        harness = Harness(Counts, solver=lambda t: "1", database=sqlite3.connect(":memory:"))
        self.assertEqual([log.task for log in harness.evaluate()], ["1", "2"])
        with self.assertRaises(Unavailable):
            Harness(Counts, solver=lambda t: "1").evaluate()

    def test_a_solver_that_returns_no_text_is_a_mistake_of_the_test(self):
        with self.assertRaisesRegex(Exception, "returned dict, must be JSON text"):
            Harness(Halving, solver=lambda _: {"a": 1}).evaluate()

    def test_a_solver_is_a_submission(self):
        class Half(Solver):
            def solve(self, task: int) -> float:
                if task == 1:
                    raise CannotSolve("too hard")
                return 0.5

        logs = Harness(Halving, solver=Half).evaluate()
        self.assertEqual(logs[0].score, 0.0)
        self.assertEqual(logs[1].error, "guest_error: too hard")
