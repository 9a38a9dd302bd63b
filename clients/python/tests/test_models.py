from __future__ import annotations

import json
import unittest
from typing import Any

from proctor_client import AnswerError, Commit, ComparisonLog, ScoringLog, ScoringResult

COMMIT: dict[str, Any] = {
    "miner_uid": 3,
    "miner_hotkey": "hk3",
    "challenge_name": "digits",
    "docker_hub_id": "sha256:aa",
    "commit_timestamp": 1.5,
    "encrypted_commit": "enc",
    "key": "k",
    "commit": "digits---sha256:aa",
    "scoring_logs": [
        {
            "score": 1,
            "miner_input": None,
            "miner_output": None,
            "error": "out_of_fuel",
            "baseline_score": 0.1,
            "input_hash": None,
        }
    ],
    "comparison_logs": {
        "sha256:bb": [
            {
                "similarity_score": 0.3,
                "miner_input": None,
                "miner_output": None,
                "reference_output": None,
                "error": None,
                "input_hash": None,
                "reason": "r",
                "reference_hotkey": "hk9",
                "reference_similarity_score": 0.2,
            }
        ]
    },
    "scored_timestamp": 9.0,
    "score": 0.45,
    "penalty": 0.4,
    "accepted": True,
}


def answer(commits: object, is_done: object = True) -> dict[str, object]:
    return {"status": "success", "message": "m", "data": {"commits": commits, "is_done": is_done}}


class Models(unittest.TestCase):
    def test_a_full_commit_is_read(self) -> None:
        self.assertEqual(
            Commit.from_json(COMMIT),
            Commit(
                miner_uid=3,
                miner_hotkey="hk3",
                challenge_name="digits",
                docker_hub_id="sha256:aa",
                commit_timestamp=1.5,
                encrypted_commit="enc",
                key="k",
                commit="digits---sha256:aa",
                scoring_logs=(ScoringLog(score=1.0, error="out_of_fuel", baseline_score=0.1),),
                comparison_logs={
                    "sha256:bb": (
                        ComparisonLog(
                            similarity_score=0.3,
                            reason="r",
                            reference_hotkey="hk9",
                            reference_similarity_score=0.2,
                        ),
                    )
                },
                scored_timestamp=9.0,
                score=0.45,
                penalty=0.4,
                accepted=True,
            ),
        )

    def test_whole_numbers_become_floats_where_floats_are_due(self) -> None:
        self.assertIsInstance(Commit.from_json({"score": 1}).score, float)

    def test_unknown_fields_are_ignored_and_missing_ones_are_null(self) -> None:
        grown = {"rank": 1, "scoring_logs": [{"score": 0.5, "validation_output": {"x": 1}}]}
        self.assertEqual(Commit.from_json(grown), Commit(scoring_logs=(ScoringLog(score=0.5),)))
        empty = dict.fromkeys(COMMIT)
        self.assertEqual(Commit.from_json(empty), Commit())

    def test_a_wrong_type_is_refused_and_named(self) -> None:
        log = COMMIT["scoring_logs"][0]
        cases: list[tuple[dict[str, Any], str]] = [
            ({"miner_uid": "3"}, "commit.miner_uid should be an integer or null, and is text"),
            ({"miner_uid": True}, "commit.miner_uid should be an integer"),
            ({"miner_uid": 3.0}, "commit.miner_uid should be an integer or null, and is 3.0"),
            ({"miner_hotkey": 3}, "commit.miner_hotkey should be text or null, and is 3"),
            ({"score": "0.5"}, "commit.score should be a finite number or null, and is text"),
            ({"score": False}, "commit.score should be a finite number"),
            ({"score": 10**400}, "commit.score should be a finite number"),
            ({"accepted": 1}, "commit.accepted should be true or false or null, and is 1"),
            ({"accepted": "true"}, "commit.accepted"),
            ({"scoring_logs": {}}, "commit.scoring_logs should be a list or null"),
            ({"scoring_logs": [log, 1]}, "commit.scoring_logs[1] should be an object, and is 1"),
            ({"scoring_logs": [{"error": []}]}, "commit.scoring_logs[0].error should be text"),
            ({"comparison_logs": []}, "commit.comparison_logs should be an object"),
            ({"comparison_logs": {"r": {}}}, "commit.comparison_logs['r'] should be a list"),
            (
                {"comparison_logs": {"r": [{"similarity_score": "1"}]}},
                "commit.comparison_logs['r'][0].similarity_score should be a finite number",
            ),
        ]
        for wrong, message in cases:
            with self.subTest(wrong=wrong), self.assertRaises(AnswerError) as raised:
                Commit.from_json(COMMIT | wrong)
            self.assertIn(message, str(raised.exception))

    def test_what_is_not_a_number_in_json_is_not_a_score(self) -> None:
        for text in ["NaN", "Infinity", "-Infinity", "1e999"]:
            with self.subTest(text=text), self.assertRaises(AnswerError):
                Commit.from_json(json.loads(f'{{"score": {text}}}'))

    def test_an_answer_without_its_parts_is_refused(self) -> None:
        cases: list[tuple[object, str]] = [
            ([], "answer should be an object, and is a list"),
            (None, "answer should be an object, and is null"),
            ({"status": "success"}, "answer.data is missing"),
            ({"data": None}, "data should be an object, and is null"),
            ({"data": {"is_done": True}}, "data.commits is missing"),
            (answer(None), "data.commits should be an object, and is null"),
            (answer({"a": 1}), "data.commits['a'] should be an object, and is 1"),
            (answer({"a": {"score": []}}), "data.commits['a'].score"),
            (answer({}, is_done="yes"), "data.is_done should be true or false"),
        ]
        for wrong, message in cases:
            with self.subTest(wrong=wrong), self.assertRaises(AnswerError) as raised:
                ScoringResult.from_json(wrong, ["a"])
            self.assertIn(message, str(raised.exception))

    def test_what_was_asked_for_is_in_the_result_in_order_and_nothing_else(self) -> None:
        given = answer({"x": COMMIT, "b": None, "a": COMMIT})
        result = ScoringResult.from_json(given, ["a", "b", "c"])
        self.assertEqual(list(result.commits), ["a", "b", "c"])
        self.assertEqual(result.commits["a"], Commit.from_json(COMMIT))
        self.assertEqual((result.commits["b"], result.commits["c"]), (None, None))

    def test_a_challenge_of_which_nothing_is_said_is_not_done(self) -> None:
        # The replaced API answers null for a challenge that it has not looked at.
        self.assertIs(ScoringResult.from_json(answer({}, is_done=None), []).is_done, False)
        self.assertIs(ScoringResult.from_json({"data": {"commits": {}}}, []).is_done, False)
