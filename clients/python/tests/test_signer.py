from __future__ import annotations

from proctor_client import Signer

from .stub import StubCase, ok, problem, scoring


class Signatures(StubCase):
    def setUp(self) -> None:
        super().setUp()
        self.signed: list[bytes] = []
        signer = Signer(7, "5Hotkey", self.sign)
        self.signing = self.client_of(self.stub.url, signer=signer)

    def sign(self, message: bytes) -> bytes:
        self.signed.append(message)
        return b"\x01" * 64

    def test_headers_are_those_of_todays_validators(self) -> None:
        # Made by RedTeam's create_validator_request_header_fn.
        body = b'{"validator_uid": -1, "validator_hotkey": "5F", "challenge_names": ["a", "b"]}'
        headers = Signer(7, "5Hotkey", self.sign).headers(body, 1_755_000_000_123_456_789)
        digest = b"cf405049da4acbed8ab359677cc21c6d4abeae8acc6e09cf1f6c431857996e63"
        self.assertEqual(self.signed, [digest + b".1755000000123456789"])
        self.assertEqual(
            headers,
            {
                "validator-uid": "7",
                "validator-hotkey": "5Hotkey",
                "timestamp": "1755000000123456789",
                "signature": "0x" + "01" * 64,
            },
        )

    def test_requests_are_signed_over_the_body_that_is_sent(self) -> None:
        self.answers(scoring({}, True))
        self.signing.scoring_result("c", ["e"])
        (asked,) = self.stub.asked
        # sha256 of {"challenge_name": "c", "encrypted_commits": ["e"]}
        digest = b"bfddbe04acb0ff12fcc1170fb3d16479bc85cf2b7523d60707739702c0c8f010"
        self.assertEqual(asked.body, b'{"challenge_name": "c", "encrypted_commits": ["e"]}')
        self.assertEqual(self.signed, [digest + b".1755000000123456789"])
        self.assertEqual(asked.headers["validator-uid"], "7")
        self.assertEqual(asked.headers["validator-hotkey"], "5Hotkey")
        self.assertEqual(asked.headers["timestamp"], "1755000000123456789")
        self.assertEqual(asked.headers["signature"], "0x" + "01" * 64)

    def test_without_a_body_the_empty_one_is_signed(self) -> None:
        self.answers(ok({"challenges": []}))
        self.signing.challenges()
        empty = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        self.assertEqual(self.signed, [empty + b".1755000000123456789"])

    def test_a_retry_is_signed_anew(self) -> None:
        # The server refuses a signature that it has seen.
        self.answers(problem(503, "overloaded", "d", Retry_After="1"), scoring({}, True))
        self.signing.scoring_result("c", ["e"])
        timestamps = [asked.headers["timestamp"] for asked in self.stub.asked]
        self.assertEqual(timestamps, ["1755000000123456789", "1755000001123456789"])
        self.assertEqual(len(set(self.signed)), 2)

    def test_without_a_signer_nothing_is_signed(self) -> None:
        self.answers(scoring({}, True))
        self.client.scoring_result("c", ["e"])
        names = {name.lower() for name in self.stub.asked[0].headers}
        signed = {"validator-uid", "validator-hotkey", "timestamp", "signature"}
        self.assertFalse(names & signed)
