from __future__ import annotations

from proctor_client import Commit, ProctorError, ScoringResult, WaitTimeout, wait_for_result

from .stub import Answer, Answering, StubCase, drop, ok, problem, scoring

SCORED = {"e": {"score": 0.5}}
UNSCORED: dict[str, object] = {"e": {"score": None}}
WAITING = scoring(UNSCORED, False)
DONE = scoring(SCORED, True)


class Waiting(StubCase):
    def setUp(self) -> None:
        super().setUp()
        self.client = self.client_of(self.stub.url, retries=0)
        self.now = 1000.0
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.assertGreater(seconds, 0.0)
        self.pauses.append(seconds)
        self.now += seconds

    def wait(
        self,
        *answers: Answering,
        commits: list[str] | None = None,
        deadline: float | None = None,
        legacy: bool = False,
    ) -> ScoringResult:
        self.answers(*answers)
        return wait_for_result(
            self.client,
            "c",
            ["e"] if commits is None else commits,
            deadline=deadline,
            legacy=legacy,
            clock=lambda: self.now,
            sleep=self.pause,
        )

    def test_it_polls_every_ten_minutes_until_the_server_says_done(self) -> None:
        result = self.wait(WAITING, WAITING, DONE)
        self.assertEqual(result, ScoringResult({"e": Commit(score=0.5)}, True))
        self.assertEqual(self.pauses, [600.0, 600.0])

    def test_it_asks_at_once(self) -> None:
        self.wait(DONE)
        self.assertEqual(self.pauses, [])

    def test_without_commits_there_is_nothing_to_wait_for(self) -> None:
        for legacy in (False, True):
            self.assertEqual(self.wait(commits=[], legacy=legacy), ScoringResult({}, True))
        self.assertEqual(self.stub.asked, [])

    def test_each_poll_asks_for_all_commits(self) -> None:
        self.answers(WAITING, DONE)
        once = iter(["e", "f"])
        wait_for_result(self.client, "c", once, clock=lambda: self.now, sleep=self.pause)
        sent = [asked.json()["encrypted_commits"] for asked in self.stub.asked]
        self.assertEqual(sent, [["e", "f"]] * 2)

    def test_a_known_commit_without_score_is_not_done(self) -> None:
        # Where RedTeam's validators close the day with unscored results.
        self.assertEqual(self.wait(WAITING, DONE).commits["e"], Commit(score=0.5))
        self.assertEqual(len(self.stub.asked), 2)

    def test_legacy_takes_a_known_commit_without_score_for_done(self) -> None:
        result = self.wait(WAITING, legacy=True)
        self.assertEqual(result, ScoringResult({"e": Commit()}, False))

    def test_legacy_waits_for_commits_that_are_unknown(self) -> None:
        both = ["e", "f", "e"]
        partly = scoring(UNSCORED | {"f": None}, False)
        self.wait(partly, scoring(UNSCORED | {"f": {}}, False), commits=both, legacy=True)
        self.assertEqual(self.pauses, [600.0])

    def test_legacy_believes_the_server_that_says_done(self) -> None:
        self.assertTrue(self.wait(scoring({"e": None}, True), legacy=True).is_done)

    def test_an_unknown_commit_does_not_hold_up_what_is_done(self) -> None:
        self.assertEqual(self.wait(scoring({"e": None}, True)).commits, {"e": None})

    def test_failures_that_may_pass_do_not_end_the_wait(self) -> None:
        with self.assertLogs("proctor_client", "WARNING") as logged:
            self.wait(
                drop,
                problem(503, "overloaded", "d"),
                problem(500, "internal", "d"),
                problem(429, "too_many", "d"),
                problem(408, "timeout", "d"),
                # As a host answers that has not loaded its challenges yet.
                problem(404, "unknown_challenge", "d"),
                Answer(200, b"<html>"),
                ok({"data": {}}),
                DONE,
            )
        self.assertEqual(self.pauses, [600.0] * 8)
        self.assertEqual(len(logged.records), 8)

    def test_a_refusal_that_will_not_pass_ends_the_wait(self) -> None:
        for status, code in [(401, "unsigned"), (404, "not_found"), (422, "invalid_request")]:
            with self.subTest(status=status), self.assertRaises(ProctorError):
                self.wait(problem(status, code, "d"))
        self.assertEqual(self.pauses, [])

    def test_legacy_is_ended_by_no_error(self) -> None:
        with self.assertLogs("proctor_client", "WARNING"):
            self.wait(problem(401, "unsigned", "d"), problem(404, "x", "d"), DONE, legacy=True)
        self.assertEqual(self.pauses, [600.0, 600.0])

    def test_it_does_not_poll_sooner_than_the_server_asks_for(self) -> None:
        with self.assertLogs("proctor_client", "WARNING"):
            self.wait(
                problem(503, "overloaded", "d", Retry_After="900"),
                problem(503, "overloaded", "d", Retry_After="5"),
                DONE,
            )
        self.assertEqual(self.pauses, [900.0, 600.0])

    def test_the_last_poll_is_at_the_deadline(self) -> None:
        with self.assertRaises(WaitTimeout) as raised:
            self.wait(WAITING, WAITING, WAITING, deadline=1700.0)
        self.assertEqual(self.pauses, [600.0, 100.0])
        self.assertEqual(raised.exception.last, ScoringResult({"e": Commit()}, False))
        self.assertIsNone(raised.exception.error)
        self.assertIsInstance(raised.exception, TimeoutError)
        self.assertIn("scoring is not done", str(raised.exception))

    def test_a_deadline_tells_why_the_last_poll_failed(self) -> None:
        with self.assertLogs("proctor_client"), self.assertRaises(WaitTimeout) as raised:
            self.wait(WAITING, problem(500, "internal", "d"), deadline=1600.0)
        self.assertEqual(str(raised.exception.error), "500 internal: d")
        self.assertIsNotNone(raised.exception.last)

    def test_a_deadline_that_has_passed_leaves_one_poll(self) -> None:
        self.assertTrue(self.wait(DONE, deadline=0.0).is_done)
        with self.assertRaises(WaitTimeout):
            self.wait(WAITING, deadline=0.0)
        self.assertEqual(self.pauses, [])

    def test_a_text_is_not_a_list_of_commits(self) -> None:
        with self.assertRaises(TypeError):
            wait_for_result(self.client, "c", "gAAAA", sleep=self.pause)
