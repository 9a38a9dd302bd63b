"""The peer's newest controller against numbers that its own code gave, through the methods
of the SDK. Where Proctor differs, the test is named after the peer's bug."""

import json
import pathlib
import unittest

from proctor_sdk import ChallengeError, Internal, Unavailable
from proctor_sdk.ranking import Acceptance, Easing
from proctor_sdk.testing import Harness

from .golden_sniffer import (
    ALL,
    ONE,
    SAME_SCORE,
    Judged,
    Refused,
    Sniffer,
    has_digest,
    is_number,
    run,
    settings,
)

GOLDEN = pathlib.Path(__file__).parents[3] / "tests/golden/controller.json"
CASES = json.loads(GOLDEN.read_text())["cases"]
SKIPPED = "Skipped scoring due to high comparison score."


def find(of):
    return next(case for case in CASES if case["id"] == of)


def peer(case, index):
    """What the peer made of the commit at `index`: score, penalty and acceptance."""
    worth = case["expected"]["after_update_miner_scores"][index]
    score, penalty, accepted = worth["score"], worth["penalty"], worth["accepted"]
    # `False == 0` in Python.
    assert is_number(score) and is_number(penalty) and isinstance(accepted, bool), worth
    return score, penalty, accepted


def resembled_nothing(case, index):
    """Whether the peer left the commit unscored because it resembled nothing."""
    logs = case["expected"]["after_controller"][index]["scoring_logs"]
    return bool(logs) and logs[0]["error"] == SKIPPED and peer(case, index)[1] == 0.0


def a_service_fails(case):
    """Whether the case scripts a service that fails, or a score that is no number."""
    for service, answers in case["input"]["service_answers"].items():
        every = answers.values() if isinstance(answers, dict) else [answers]
        if service != "solve" and any(isinstance(answer, str) for answer in every):
            return True
    return False


class TestController(unittest.TestCase):
    def worth(self, ours):
        self.assertIsInstance(ours, Judged)
        return ours.verdict.score, ours.verdict.penalty, ours.verdict.accepted

    def assert_worth(self, ours, expected, about):
        worth = self.worth(ours)
        same = (
            abs(worth[0] - expected[0]) <= 1e-12
            and abs(worth[1] - expected[1]) <= 1e-12
            and worth[2] is expected[2]
        )
        self.assertTrue(same, f"{about}: {worth} is not {expected}")

    def assert_logs(self, case, index, judged):
        """The scoring logs and the comparisons, as far as Proctor has the notion."""
        about = f"{case['id']} {index}"
        after = case["expected"]["after_controller"][index]
        self.assertEqual(len(judged.logs), len(after["scoring_logs"]), about)
        # The peer puts the log of each further task before the others.
        for ours, theirs in zip(judged.logs, reversed(after["scoring_logs"])):
            self.assertIs(ours.solution is not None, theirs["has_output"], about)
            if theirs["error"] == SKIPPED:
                # The log keeps what the solution is worth; the verdict is 0.
                self.assertEqual(judged.verdict.score, 0.0, about)
            elif is_number(theirs["score"]):
                self.assertLessEqual(abs(ours.score - theirs["score"]), 1e-12, about)
            elif not theirs["has_output"]:
                self.assertEqual(ours.score, 0.0, about)
                self.assertIsNotNone(ours.error, about)
        for key, logs in after["comparison_logs"].items():
            # Neither is a comparison with a commit.
            if key == "check/validation" or key.startswith("baseline_"):
                continue
            kinds = [ALL] if key == "skipped" else [ONE, SAME_SCORE]
            found = [
                log.similarity
                for comparison in judged.comparisons
                if key == "skipped" or str(comparison.reference.miner.uid) == key.split("_")[0]
                for log in comparison.logs
                if log.reason in kinds
            ]
            for log in logs:
                self.assertIn(log["similarity_score"], found, f"{about}: {key}")

    def test_a_challenge_gives_what_the_peers_controller_gives_but_for_its_bugs(self):
        for case in CASES:
            with self.subTest(case["id"]):
                self.check(case)

    def check(self, case):
        for index, ours in enumerate(run(case)):
            if isinstance(ours, Refused):
                artifact = case["input"]["miner_commits"][index]["docker_hub_id"]
                self.assertFalse(has_digest(artifact))
            elif isinstance(ours, ChallengeError):
                self.assertTrue(a_service_fails(case), repr(ours))
            elif resembled_nothing(case, index):
                left = Easing().adjust(ours.logs[0].score, ours.verdict.penalty)
                self.assertEqual(ours.verdict.score, left)
                # It is one more for later commits to be compared with.
                break
            else:
                self.assert_worth(ours, peer(case, index), f"{case['id']} {index}")
                self.assert_logs(case, index, ours)

    def test_the_first_submission_ever_is_scored_although_nothing_resembles_it(self):
        case = find("ctl_abs_first_ever_no_baseline")
        self.assertEqual(peer(case, 0), (0.0, 0.0, False))
        (log,) = case["expected"]["after_controller"][0]["scoring_logs"]
        self.assertEqual(log["error"], SKIPPED)
        (ours,) = run(case)
        self.assert_worth(ours, (0.9, 0.0, True), "the scripted score, unreduced")
        self.assertIsNone(ours.logs[0].error)

    def test_a_commit_without_a_digest_never_reaches_a_controller(self):
        case = find("ctl_abs_bad_digest")
        self.assertEqual(peer(case, 0), (0.0, 0.0, False))
        (log,) = case["expected"]["after_controller"][0]["scoring_logs"]
        self.assertEqual(log["error"], "Invalid image format")
        self.assertIsInstance(run(case)[0], Refused)

    def test_a_score_that_is_no_number_is_the_challenges_fault_and_no_score_of_0(self):
        case = find("ctl_abs_non_numeric_score")
        self.assertEqual(peer(case, 0), (0.0, 0.3, False))
        self.assertEqual(peer(case, 1), (1.0, 0.3, True))
        ours = run(case)
        self.assertIsInstance(ours[0], Internal)
        self.assertIsInstance(ours[0].__cause__, TypeError)
        self.assertIn("0.9", ours[0].message)
        self.assert_worth(ours[1], (1.0, 0.3, True), "an integer is a number")

    def test_a_host_that_cannot_run_a_submission_is_no_timeout_of_the_miner(self):
        case = find("ctl_abs_miner_timeout")
        self.assertEqual(peer(case, 0), (0.0, 0.0, False))

        def no_room(task):
            raise Unavailable("no room")

        away = Harness(Sniffer, settings=settings(case), solver=no_room)
        with self.assertRaises(Unavailable) as raised:
            away.evaluate()
        self.assertEqual(raised.exception.message, "no room")
        # The submission's own limit. The host asks again before it believes this.
        (ours,) = run(case)
        self.assert_worth(ours, (0.0, 0.0, False), "late")
        self.assertIsNone(ours.logs[0].solution)
        self.assertTrue(ours.logs[0].error.startswith("timeout"), ours.logs[0].error)

    def test_a_service_that_fails_is_asked_again_whatever_the_peer_took_it_for(self):
        for of, peers in [
            # Its caller expects another type, so that nothing is scored: a 0.
            ("ctl_abs_compare_fails", (0.0, 0.0, False)),
            # Nothing in common, so that a copy would pass.
            ("ctl_abs_compare_all_fails", (0.9, 0.3, True)),
            # An invalid submission.
            ("ctl_abs_validation_fails", (0.0, 1.0, False)),
        ]:
            with self.subTest(of):
                self.assertEqual(peer(find(of), 0), peers)
                (error,) = run(find(of))
                self.assertIsInstance(error, Unavailable)
                self.assertIn("refused", error.message)

    def test_a_similarity_of_exactly_the_limit_is_a_copy_although_acceptance_alone_admits_it(self):
        case = find("ctl_abs_compare_all_exactly_0.6")
        self.assertEqual(peer(case, 0), (0.0, 0.6, False))
        self.assert_worth(run(case)[0], (0.0, 0.6, False), "screened")
        self.assertTrue(Acceptance().admits(0.9, 0.6))
        # Found only after the score, it is no reason not to score.
        late = find("ctl_abs_same_score_exactly_0.6")
        self.assertGreater(peer(late, 0)[0], 0.9)
        self.assertTrue(peer(late, 0)[2])
        self.assert_worth(run(late)[0], peer(late, 0), "accepted")

    def test_a_copy_is_no_reference_for_later_commits_of_its_day(self):
        case = find("ctl_abs_batch")
        ours = run(case)
        self.assert_worth(ours[2], (0.0, 0.75, False), "a copy of the second")
        self.assertEqual(ours[2].logs[0].score, 0.9)
        # It resembles that copy by 0.9.
        self.assert_worth(ours[3], peer(case, 3), "the fourth")
        self.assertTrue(self.worth(ours[3])[2])
