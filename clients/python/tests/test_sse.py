from __future__ import annotations

import unittest

from proctor_client import AnswerError
from proctor_client.sse import Message, Parser


def parse(*chunks: bytes) -> list[Message]:
    parser = Parser()
    return [message for chunk in chunks for message in parser.feed(chunk)]


class Parsing(unittest.TestCase):
    def test_a_message_ends_with_a_blank_line(self) -> None:
        stream = b"id: 1\nevent: scored\ndata: {}\n\ndata: a\ndata:b\ndata\n\nid: 9\ndata: lost"
        messages = [Message("1", "scored", "{}"), Message("1", "message", "a\nb\n")]
        self.assertEqual(parse(stream), messages)

    def test_lines_may_end_in_any_way_and_chunks_anywhere(self) -> None:
        expected = [Message("1", "scored", "ü"), Message("2", "message", "b")]
        for end in ("\n", "\r\n", "\r"):
            lines = ["id: 1", "event: scored", "data: ü", "", "id: 2", "data: b", "", ""]
            stream = end.join(lines).encode()
            with self.subTest(end=end):
                self.assertEqual(parse(stream), expected)
                self.assertEqual(parse(*(bytes([byte]) for byte in stream)), expected)
                self.assertEqual(
                    parse(*(part for byte in stream for part in (b"", bytes([byte])))), expected
                )

    def test_a_message_is_there_as_soon_as_its_blank_line_is(self) -> None:
        for end in (b"\n", b"\r\n", b"\r"):
            parser = Parser()
            self.assertEqual(parser.feed(b"data: a" + end), [])
            self.assertEqual(parser.feed(end), [Message("", "message", "a")])

    def test_comments_are_counted_and_make_no_message(self) -> None:
        parser = Parser()
        self.assertEqual(parser.feed(b": beat\ndata: a\n:\n: data: b\n"), [])
        self.assertEqual(parser.feed(b"\n"), [Message("", "message", "a")])
        self.assertEqual(parser.comments, 3)

    def test_an_id_alone_counts(self) -> None:
        expected = [Message("7", "message", ""), Message("7", "message", "a")]
        self.assertEqual(parse(b"id: 7\n\ndata: a\n\n"), expected)

    def test_only_one_space_is_taken_and_colons_stay(self) -> None:
        self.assertEqual(parse(b"data:  a: b\n\n"), [Message("", "message", " a: b")])

    def test_what_the_standard_ignores_is_ignored(self) -> None:
        stream = b"\xef\xbb\xbfid: 1\nid: 2\x003\nother: x\nretry: soon\n Data: y\ndata: a\n\n"
        self.assertEqual(parse(stream), [Message("1", "message", "a")])

    def test_the_server_names_the_pause_in_milliseconds(self) -> None:
        parser = Parser()
        parser.feed(b"retry: 2500\n\n")
        self.assertEqual(parser.retry, 2.5)

    def test_a_message_without_end_is_refused(self) -> None:
        for piece in (b"x" * 65536, b"data: " + b"x" * 65530 + b"\n"):
            parser = Parser()
            with self.subTest(piece=piece[:5]), self.assertRaisesRegex(AnswerError, "4 MiB"):
                for _ in range(66):
                    parser.feed(piece)

    def test_heartbeats_may_go_on_forever(self) -> None:
        parser = Parser()
        for _ in range(5):
            parser.feed((b":" + b"x" * 1023 + b"\n") * 1024)
        self.assertEqual(parser.feed(b"data: a\n\n"), [Message("", "message", "a")])
