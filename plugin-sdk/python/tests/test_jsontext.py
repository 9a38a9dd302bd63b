"""What a submission sends is JSON or nothing."""

import unittest
from dataclasses import dataclass
from enum import Enum

from proctor_sdk import jsontext


class TestJson(unittest.TestCase):
    def test_what_is_not_json_is_refused(self):
        for text in ["NaN", "[Infinity]", "-Infinity", "1e999", "", "{", '"\\ud800"', "9" * 400]:
            with self.assertRaises(ValueError, msg=text[:20]):
                jsontext.loads(text)

    def test_a_text_of_brackets_does_not_reach_the_reader(self):
        for text in ["[" * 100_000, '{"a":' * 100_000, "[" * 129 + "]" * 129]:
            with self.assertRaisesRegex(ValueError, "nested deeper"):
                jsontext.loads(text)

    def test_brackets_side_by_side_or_in_a_text_are_not_deep(self):
        self.assertEqual(len(jsontext.loads("[" + ",".join(["[]"] * 1000) + "]")), 1000)
        brackets = "[" * 1000 + '\\"' + "{" * 1000
        self.assertEqual(len(jsontext.loads(f'["{brackets}"]')[0]), 2001)
        self.assertIsInstance(jsontext.loads("[" * 128 + "]" * 128), list)

    def test_whole_numbers_beyond_64_bits_are_floats(self):
        self.assertEqual(jsontext.loads(str(2**64 - 1)), 2**64 - 1)
        self.assertIsInstance(jsontext.loads(str(2**64)), float)
        self.assertEqual(jsontext.loads(str(-(2**63))), -(2**63))
        self.assertIsInstance(jsontext.loads("1" * 300), float)

    def test_a_pair_of_surrogates_is_one_character(self):
        self.assertEqual(jsontext.loads('"\\ud83d\\ude00"'), "\U0001f600")

    def test_dataclasses_and_enumerations_are_written(self):
        class Kind(Enum):
            A = "a"

        @dataclass
        class Point:
            x: float
            kind: Kind

        self.assertEqual(jsontext.dumps([Point(0.5, Kind.A)]), '[{"x":0.5,"kind":"a"}]')
        for bad in [float("nan"), {1, 2}]:
            with self.assertRaises((TypeError, ValueError)):
                jsontext.dumps(bad)
