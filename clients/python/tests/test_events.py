from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from itertools import islice

from proctor_client import AnswerError, Event, ProctorError, TransportError

from .stub import Answer, Answering, StubCase, drop, hang, ok, problem


def stream(*parts: str, kind: str = "text/event-stream; charset=utf-8") -> Answer:
    """A stream that ends after these parts."""
    return Answer(body="".join(parts).encode(), headers={"Content-Type": kind}, length=-1)


def event(id: int, kind: str = "scored") -> str:
    return f'id: {id}\nevent: {kind}\ndata: {{"n": {id}}}\n\n'


def torn(*parts: str) -> Answer:
    """A stream whose connection is lost after these parts."""
    body = "".join(parts).encode()
    headers = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
    return Answer(body=b"%x\r\n%s\r\n" % (len(body), body), headers=headers, length=-1)


def event_then_silence(handler: BaseHTTPRequestHandler, id: int) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.end_headers()
    handler.wfile.write(event(id).encode())
    hang(handler)


END = problem(403, "forbidden", "the end of the test")


class Events(StubCase):
    def follow(
        self, *answers: Answering, after: int | None = None, attempts: int | None = None
    ) -> list[Event]:
        """The events up to the end of the test."""
        self.answers(*answers, END)
        events = []
        try:
            for found in self.client.events(after, attempts=attempts):
                events.append(found)
        except ProctorError as error:
            self.assertEqual(error.code, "forbidden")
        return events

    def resumed(self) -> list[str | None]:
        return [asked.headers["Last-Event-ID"] for asked in self.stub.asked]

    def test_events_have_id_kind_and_data(self) -> None:
        events = self.follow(stream(event(4), event(5, "finalized")))
        expected = [Event(4, "scored", {"n": 4}), Event(5, "finalized", {"n": 5})]
        self.assertEqual(events, expected)
        (asked, _) = self.stub.asked
        self.assertEqual((asked.method, asked.path), ("GET", "/v1/events"))
        self.assertEqual(asked.headers["Accept"], "text/event-stream")

    def test_a_dropped_connection_is_taken_up_after_the_last_event(self) -> None:
        # The last of each is not whole: it comes again.
        events = self.follow(
            torn(event(1), "id: 2\ndata: {"),
            stream(event(2), "id: 3\ndata: {}\n"),
            drop,
            stream(event(3)),
        )
        self.assertEqual([found.id for found in events], [1, 2, 3])
        self.assertEqual(self.resumed(), [None, "1", "2", "2", "3"])

    def test_it_starts_after_what_was_dealt_with(self) -> None:
        self.follow(stream(event(8)), after=7)
        self.assertEqual(self.resumed(), ["7", "8"])
        self.stub.asked.clear()
        self.stub.answers.clear()
        self.follow(after=0)
        self.assertEqual(self.resumed(), ["0"])

    def test_comments_and_heartbeats_are_no_events(self) -> None:
        events = self.follow(stream(":\n\n", ": beat\n\n", event(1), ":\n\n", event(2)))
        self.assertEqual([found.id for found in events], [1, 2])

    def test_an_id_without_data_is_where_to_go_on(self) -> None:
        # Else what happens before the first event is lost with the connection.
        events = self.follow(stream("id: 41\n\n"), stream(event(42)))
        self.assertEqual([found.id for found in events], [42])
        self.assertEqual(self.resumed(), [None, "41", "42"])

    def test_pauses_grow_until_something_comes(self) -> None:
        busy = problem(502, "bad_gateway", "d")
        self.follow(busy, drop, stream(), stream(event(1)), drop, stream(":\n"), drop)
        # After an event or a heartbeat they begin anew.
        self.assertEqual(self.slept, [1.0, 2.0, 4.0, 1.0, 2.0, 1.0, 2.0])

    def test_pauses_are_bounded(self) -> None:
        self.follow(*[drop] * 9)
        self.assertEqual(self.slept[-3:], [60.0, 60.0, 60.0])

    def test_the_server_may_ask_for_a_longer_pause(self) -> None:
        self.follow(
            problem(503, "overloaded", "d", Retry_After="120"),
            stream("retry: 30000\n\n", event(1)),
            problem(503, "overloaded", "d", Retry_After="999999"),
        )
        self.assertEqual(self.slept, [120.0, 30.0, 3600.0])

    def test_a_silent_connection_counts_as_lost(self) -> None:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            # By what it is asked for: a busy machine may be too slow for the first.
            last = handler.headers["Last-Event-ID"]
            event_then_silence(handler, 1 if last is None else int(last) + 1)

        self.answers(*[answer] * 1000)
        events = self.client_of(self.stub.url, timeout=0.05).events()
        self.assertEqual([found.id for found in islice(events, 3)], [1, 2, 3])
        self.assertEqual(self.resumed()[-1], "2")

    def test_an_event_is_there_before_the_stream_goes_on(self) -> None:
        self.answers(lambda handler: event_then_silence(handler, 1))
        self.assertEqual(next(self.client.events()).id, 1)
        self.assertEqual(self.slept, [])

    def test_attempts_in_a_row_may_be_bounded(self) -> None:
        self.answers(drop, stream(event(1)), drop, drop, drop)
        events = self.client.events(attempts=3)
        self.assertEqual(next(events).id, 1)
        with self.assertRaises(TransportError):
            next(events)
        # The stream's own end is the first of the three.
        self.assertEqual((len(self.stub.asked), len(self.slept)), (4, 3))

    def test_a_refusal_that_will_not_pass_is_raised(self) -> None:
        for status in (400, 401, 404, 410):
            self.answers(problem(status, "code", "d"))
            with self.subTest(status=status), self.assertRaises(ProctorError):
                next(self.client.events())
        self.assertEqual(self.slept, [])

    def test_no_content_ends_it(self) -> None:
        self.answers(Answer(204))
        self.assertEqual(list(self.client.events()), [])

    def test_what_is_not_an_event_is_told(self) -> None:
        for answer, message in [
            (ok({}), "answers with application/json"),
            (stream("data: {}\n\n", kind="text/html"), "answers with text/html"),
            (stream("id: 1\ndata: no JSON\n\n"), r"event 1 \(message\) is not JSON"),
            (stream("id: 1\nevent: scored\ndata: [1]\n\n"), r"1 \(scored\) is not an object"),
            (stream("id: x1\ndata: {}\n\n"), "the id 'x1', not an integer"),
            (stream("id: ²\ndata: {}\n\n"), "not an integer"),
            (stream("id: -1\n\n"), "not an integer"),
        ]:
            self.answers(answer)
            with self.subTest(answer=answer), self.assertRaisesRegex(AnswerError, message):
                list(self.client.events())

    def test_events_without_id_are_events(self) -> None:
        self.assertEqual(self.follow(stream("data: {}\n\n")), [Event(None, "message", {})])
