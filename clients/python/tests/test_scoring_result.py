from __future__ import annotations

from http.server import BaseHTTPRequestHandler

from proctor_client import AnswerError, Commit, ProctorError, TransportError

from .stub import Answer, StubCase, drop, hang, ok, problem, scoring

CHUNKED = {"Transfer-Encoding": "chunked"}


class ScoringResults(StubCase):
    def test_the_request_is_the_bytes_that_validators_send_today(self) -> None:
        self.answers(scoring({"e1": {"score": 0.5}, "e2": None}, True))
        result = self.client.scoring_result("digits", ["e1", "e2"])
        self.assertEqual(result.commits, {"e1": Commit(score=0.5), "e2": None})
        self.assertTrue(result.is_done)
        (asked,) = self.stub.asked
        self.assertEqual((asked.method, asked.path), ("POST", "/get_scoring_result"))
        body = b'{"challenge_name": "digits", "encrypted_commits": ["e1", "e2"]}'
        self.assertEqual(asked.body, body)
        self.assertEqual(asked.headers["Content-Type"], "application/json")
        self.assertEqual(asked.headers["Accept"], "application/json")

    def test_ten_thousand_and_one_commits_are_asked_for_in_two_requests(self) -> None:
        commits = [f"e{number}" for number in range(10_001)]
        self.answers(
            scoring({"e0": {"score": 0.5}, "e9999": {"score": 0.6}}, True),
            scoring({"e10000": {"score": 0.7}}, True),
        )
        result = self.client.scoring_result("c", commits)
        parts = [asked.json()["encrypted_commits"] for asked in self.stub.asked]
        self.assertEqual(parts, [commits[:10_000], commits[10_000:]])
        self.assertEqual(list(result.commits), commits)
        scores = [c.score for c in result.commits.values() if c is not None]
        self.assertEqual(scores, [0.5, 0.6, 0.7])
        self.assertTrue(result.is_done)

    def test_several_requests_are_done_only_if_all_are(self) -> None:
        commits = [str(number) for number in range(10_001)]
        for first, second in [(True, False), (False, True)]:
            self.answers(scoring({}, first), scoring({}, second))
            self.assertFalse(self.client.scoring_result("c", commits).is_done)

    def test_ten_thousand_are_one_request_and_repeated_ones_count_once(self) -> None:
        self.answers(scoring({}, True))
        commits = [str(number) for number in range(10_000)]
        result = self.client.scoring_result("c", commits + commits)
        self.assertEqual(len(result.commits), 10_000)
        self.assertEqual(len(self.stub.asked), 1)

    def test_without_commits_the_server_says_whether_it_is_done(self) -> None:
        self.answers(scoring({}, True), scoring({}, False))
        self.assertTrue(self.client.scoring_result("c", []).is_done)
        self.assertFalse(self.client.scoring_result("c", iter(())).is_done)

    def test_a_text_is_not_a_list_of_commits(self) -> None:
        with self.assertRaises(TypeError):
            self.client.scoring_result("c", "gAAAA")
        self.assertEqual(self.stub.asked, [])


class BadAnswers(StubCase):
    def ask(self) -> None:
        self.client.scoring_result("c", ["e"])

    def test_what_is_not_json_is_told(self) -> None:
        for body in [b"<html>", b"", b"\xff\xfe\xfa", b'{"data": ', b"[" * 100_000]:
            self.answers(Answer(body=body))
            with self.subTest(body=body[:9]), self.assertRaisesRegex(AnswerError, "not JSON"):
                self.ask()

    def test_wrong_types_are_told(self) -> None:
        for answer in [ok([]), ok("x"), ok(None), scoring([], True), scoring({"e": 1}, True)]:
            self.answers(answer)
            with self.subTest(body=answer.body), self.assertRaises(AnswerError):
                self.ask()

    def test_an_answer_that_is_cut_off_is_not_taken_for_whole(self) -> None:
        whole = scoring({}, True).body
        # Its first bytes are valid by themselves, but more were announced.
        self.answers(Answer(body=whole, length=len(whole) + 1))
        with self.assertRaisesRegex(TransportError, "POST /get_scoring_result"):
            self.ask()
        part = b"%x\r\n%s\r\n" % (len(whole), whole)
        self.answers(Answer(body=part, headers=CHUNKED, length=-1))
        with self.assertRaises(TransportError):
            self.ask()

    def test_a_connection_that_is_dropped_is_a_transport_error(self) -> None:
        self.answers(drop)
        with self.assertRaises(TransportError):
            self.ask()

    def test_what_is_not_http_is_a_transport_error(self) -> None:
        def other(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(b"SSH-2.0\r\n")

        self.answers(other)
        with self.assertRaises(TransportError):
            self.ask()

    def test_a_server_that_says_nothing_is_given_up(self) -> None:
        self.answers(hang)
        client = self.client_of(self.stub.url, timeout=0.05)
        with self.assertRaisesRegex(TransportError, "timed out"):
            client.scoring_result("c", ["e"])

    def test_nobody_listening_is_a_transport_error(self) -> None:
        client = self.client_of(self.stub.url)
        self.stub.shutdown()
        self.stub.server_close()
        with self.assertRaisesRegex(TransportError, "(?i)refused"):
            client.scoring_result("c", ["e"])

    def test_problem_details_are_an_error(self) -> None:
        self.answers(problem(404, "unknown_challenge", 'there is no challenge "c"'))
        with self.assertRaises(ProctorError) as raised:
            self.ask()
        error = raised.exception
        self.assertEqual((error.status, error.code), (404, "unknown_challenge"))
        self.assertEqual(error.detail, 'there is no challenge "c"')
        self.assertEqual(str(error), '404 unknown_challenge: there is no challenge "c"')

    def test_faults_in_the_request_are_told_with_their_place(self) -> None:
        at = ["body", "encrypted_commits", 0]
        fault = {"type": "string_type", "loc": at, "msg": "Input should be a valid string"}
        self.answers(Answer(422, ok({"detail": [fault, {"msg": "m"}, 1]}).body))
        with self.assertRaises(ProctorError) as raised:
            self.ask()
        error = raised.exception
        self.assertEqual((error.status, error.code), (422, "invalid_request"))
        self.assertEqual(
            error.detail,
            "body.encrypted_commits.0: Input should be a valid string; body: m; 1",
        )

    def test_errors_without_problem_details_are_told_as_they_are(self) -> None:
        for answer, detail in [
            (Answer(500, b"Internal Server Error"), "Internal Server Error"),
            (Answer(405, b'{"detail": "Method Not Allowed"}'), "Method Not Allowed"),
            (Answer(400, b'{"code": 7, "detail": {}}'), '{"code": 7, "detail": {}}'),
            (Answer(400, b"[1,\n 2]"), "[1, 2]"),
            (Answer(502, b"\xff" * 1000), "\ufffd" * 300),
            (Answer(502, b""), "Bad Gateway"),
            # An error's body may be cut off: the status is what counts.
            (Answer(500, b"", length=5), "Internal Server Error"),
            (Answer(500, b"5\r\nab", CHUNKED, length=-1), "Internal Server Error"),
        ]:
            self.answers(answer)
            with self.subTest(answer=answer), self.assertRaises(ProctorError) as raised:
                self.ask()
            expected = (answer.status, f"http_{answer.status}", detail)
            error = raised.exception
            self.assertEqual((error.status, error.code, error.detail), expected)

    def test_redirects_are_not_followed(self) -> None:
        for status in (301, 302, 303, 307, 308):
            self.answers(Answer(status, b"", {"Location": self.stub.url + "/elsewhere"}))
            with self.subTest(status=status), self.assertRaises(ProctorError) as raised:
                self.ask()
            self.assertEqual(raised.exception.status, status)
        self.assertEqual({path for _, path in self.asked()}, {"/get_scoring_result"})


class BaseUrls(StubCase):
    def test_a_base_url_may_have_a_path(self) -> None:
        self.answers(ok({"challenges": []}))
        self.client_of(self.stub.url + "/proctor/").challenges()
        self.assertEqual(self.asked(), [("GET", "/proctor/v1/challenges")])

    def test_what_is_not_an_http_url_is_refused(self) -> None:
        for url in [
            "",
            "localhost:47920",
            "ftp://host",
            "file:///etc/passwd",
            "http://",
            "http://host:port",
            "http://host:99999",
            "http://user:secret@host",
            "http://host/?a=b",
            "http://host/#x",
            "http://host/a b",
            "http://host/\r\nX: y",
        ]:
            with self.subTest(url=url), self.assertRaises(ValueError):
                self.client_of(url)
