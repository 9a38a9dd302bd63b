"""Against a real server, which the environment names:

- `PROCTOR_URL`: its base URL; without it nothing here runs
- `PROCTOR_CHALLENGE`: a challenge that it hosts
- `PROCTOR_COMMITS`: ciphertexts that it knows, with commas between them
"""

from __future__ import annotations

import os
import unittest
from unittest import mock

from proctor_client import Client, ProctorError

URL = os.environ.get("PROCTOR_URL", "")
CHALLENGE = os.environ.get("PROCTOR_CHALLENGE", "")
COMMITS = [commit for commit in os.environ.get("PROCTOR_COMMITS", "").split(",") if commit]


@unittest.skipUnless(URL, "PROCTOR_URL is not set")
class Live(unittest.TestCase):
    def setUp(self) -> None:
        no_proxy = mock.patch.dict(os.environ, {"no_proxy": "*"})
        no_proxy.start()
        self.addCleanup(no_proxy.stop)
        self.client = Client(URL, timeout=30.0)

    def test_the_challenge_is_listed(self) -> None:
        challenges = {challenge["name"]: challenge for challenge in self.client.challenges()}
        for challenge in challenges.values():
            self.assertLessEqual(
                {"name", "version", "active", "is_done", "last_finalized_day"}, challenge.keys()
            )
            self.assertIsInstance(challenge["active"], bool)
            self.assertIsInstance(challenge["is_done"], bool)
        if CHALLENGE:
            self.assertIn(CHALLENGE, challenges)

    @unittest.skipUnless(CHALLENGE, "PROCTOR_CHALLENGE is not set")
    def test_commits_are_found(self) -> None:
        result = self.client.scoring_result(CHALLENGE, [*COMMITS, "unknown"])
        self.assertEqual(list(result.commits), [*COMMITS, "unknown"])
        self.assertIsNone(result.commits["unknown"])
        for encrypted in COMMITS:
            with self.subTest(encrypted=encrypted[:24]):
                commit = result.commits[encrypted]
                assert commit is not None, "the server does not know it"
                self.assertEqual(commit.encrypted_commit, encrypted)
                self.assertEqual(commit.challenge_name, CHALLENGE)
                self.assertIsNotNone(commit.miner_hotkey)

    def test_an_unknown_challenge_is_refused(self) -> None:
        with self.assertRaises(ProctorError) as raised:
            self.client.scoring_result("no such challenge", ["x"])
        self.assertEqual(
            (raised.exception.status, raised.exception.code), (404, "unknown_challenge")
        )
