from __future__ import annotations

import json
import unittest
from typing import Any

from proctor_client import ClientError
from proctor_client.receipts import VerificationError, canonical_bytes, digest, parse
from proctor_client.receipts.canonical import read


class Canonical(unittest.TestCase):
    def assert_refused(self, call: Any, *arguments: Any) -> VerificationError:
        with self.assertRaises(VerificationError) as raised:
            call(*arguments)
        self.assertEqual(raised.exception.code, "not_canonical")
        self.assertIsInstance(raised.exception, ClientError)
        return raised.exception

    def test_the_text_is_that_of_the_host(self) -> None:
        # As in the host's own test of its canonical text.
        value = {"b": [1, None, True], "a": 'é\x1f/"', "_": {"\u20ac": "", "z": 0}}
        expected = '{"_":{"z":0,"€":""},"a":"é\\u001f/\\"","b":[1,null,true]}'
        self.assertEqual(canonical_bytes(value).decode(), expected)

    def test_strings_are_escaped_as_rfc_8785_says(self) -> None:
        # RFC 8785, 3.2.2.2.
        text = '"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/"'
        expected = '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'
        self.assertEqual(canonical_bytes(parse(text.encode())).decode(), expected)
        self.assertEqual(
            canonical_bytes("\b\t\n\f\r\x7f\u2028"), '"\\b\\t\\n\\f\\r\x7f\u2028"'.encode()
        )

    def test_keys_are_sorted_as_rfc_8785_says(self) -> None:
        # RFC 8785, 3.2.3: U+1F600 is before U+FB33, as its first UTF-16 unit is smaller.
        keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "ö"]
        ordered = list(json.loads(canonical_bytes(dict.fromkeys(keys))))
        self.assertEqual(ordered, ["\r", "1", "\u0080", "ö", "\u20ac", "\U0001f600", "\ufb33"])

    def test_what_a_document_cannot_hold_is_refused(self) -> None:
        for value in [
            0.5,
            1.0,
            -1,
            2**53,
            float("nan"),
            "\ud800",
            {"\udc00": 1},
            {1: 2},
            b"x",
            {"a": [{"b": 1.0}]},
        ]:
            with self.subTest(value=value):
                self.assert_refused(canonical_bytes, value)
        self.assertEqual(canonical_bytes([0, 2**53 - 1, False]), b"[0,9007199254740991,false]")

    def test_what_is_not_json_is_refused(self) -> None:
        for text in [
            b"",
            b"{",
            b"NaN",
            b"-Infinity",
            b"{'a':1}",
            b'"\n"',
            b'"\xff"',
            '{"a":1}'.encode("utf-16"),
            b"\xef\xbb\xbf{}",
            b"[" * 100_000,
            b"1" * 10_000,
            b'{"a":1,"a":1}',
            b'[{"a":{"b":1,"c":2,"b":3}}]',
        ]:
            with self.subTest(text=text[:20]):
                self.assert_refused(parse, text)

    def test_a_key_that_is_there_twice_is_told(self) -> None:
        error = self.assert_refused(parse, b'{"a":1,"\\u0061":2}', "receipt")
        self.assertEqual(
            str(error), "not_canonical: receipt: it is not JSON: an object has a key twice"
        )

    def test_only_the_canonical_text_of_a_value_is_read(self) -> None:
        self.assertEqual(read(b'{"a":"\xc3\xa9","b":[0,1]}'), {"a": "é", "b": [0, 1]})
        for text in [
            b'{"a": 1}',
            b'{"a":1}\n',
            b' {"a":1}',
            b'{"b":1,"a":1}',
            b'"\\u00e9"',
            b'"\\/"',
            b'"\\u001F"',
            b"01",
            b"1.0",
            b"1e0",
            b"-0",
            b"-1",
            b"9007199254740992",
        ]:
            with self.subTest(text=text):
                self.assert_refused(read, text)

    def test_a_digest_is_sha_256(self) -> None:
        expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        self.assertEqual(digest(b"abc"), expected)
