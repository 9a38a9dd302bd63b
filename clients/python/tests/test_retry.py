from __future__ import annotations

import os
import time
import unittest
from unittest import mock

from proctor_client import ProctorError, TransportError
from proctor_client.pauses import pause, retry_after

from .stub import StubCase, drop, problem, scoring

BUSY = problem(503, "overloaded", "too many requests at a time")
NOON = 1_755_000_000  # 2025-08-12 12:00:00 UTC


class Retries(StubCase):
    def ask(self) -> bool:
        return self.client.scoring_result("c", ["e"]).is_done

    def test_it_waits_as_long_as_the_server_asks_for(self) -> None:
        self.now_ns = NOON * 10**9
        self.answers(
            problem(503, "overloaded", "d", Retry_After="7"),
            problem(429, "too_many", "d", Retry_After="Tue, 12 Aug 2025 12:00:37 GMT"),
            scoring({}, True),
        )
        self.assertTrue(self.ask())
        self.assertEqual(self.slept, [7.0, 30.0])

    def test_it_waits_longer_and_longer_if_the_server_names_no_time(self) -> None:
        self.answers(BUSY, BUSY, BUSY, scoring({}, True))
        self.assertTrue(self.ask())
        self.assertEqual(self.slept, [1.0, 2.0, 4.0])

    def test_it_gives_up_after_so_many_retries(self) -> None:
        self.answers(*[BUSY] * 4)
        with self.assertRaises(ProctorError) as raised:
            self.ask()
        self.assertEqual(raised.exception.code, "overloaded")
        self.assertEqual((len(self.stub.asked), len(self.slept)), (4, 3))

    def test_it_does_not_come_back_sooner_than_asked(self) -> None:
        self.answers(problem(429, "too_many", "d", Retry_After="3600"))
        with self.assertRaises(ProctorError) as raised:
            self.ask()
        self.assertEqual((raised.exception.retry_after, self.slept), (3600.0, []))

    def test_each_of_several_requests_has_its_retries(self) -> None:
        commits = [str(number) for number in range(10_001)]
        once = [BUSY, BUSY, BUSY, scoring({}, True)]
        self.answers(*once, *once)
        self.assertTrue(self.client.scoring_result("c", commits).is_done)
        self.assertEqual(len(self.slept), 6)

    def test_other_errors_are_not_retried(self) -> None:
        for status in (400, 401, 404, 422, 500, 502):
            self.answers(problem(status, "code", "d", Retry_After="1"))
            with self.subTest(status=status), self.assertRaises(ProctorError):
                self.ask()
        self.answers(drop)
        with self.assertRaises(TransportError):
            self.ask()
        self.assertEqual((len(self.stub.asked), self.slept), (7, []))

    def test_retries_may_be_turned_off(self) -> None:
        self.answers(BUSY)
        with self.assertRaises(ProctorError):
            self.client_of(self.stub.url, retries=0).challenges()
        self.assertEqual(self.slept, [])


class Pauses(unittest.TestCase):
    def test_pauses_double_up_to_a_minute(self) -> None:
        pauses = [pause(failures, 0.0) for failures in (1, 2, 3, 6, 7, 8, 10**9)]
        self.assertEqual(pauses, [1.0, 2.0, 4.0, 32.0, 60.0, 60.0, 60.0])

    def test_chance_takes_up_to_half_away(self) -> None:
        self.assertEqual((pause(3, 0.5), pause(3, 1.0)), (3.0, 2.0))

    def test_retry_after_is_a_number_or_a_date(self) -> None:
        for value, seconds in [
            (None, None),
            ("", None),
            ("soon", None),
            ("-1", None),
            ("1.5", None),
            ("²", None),
            ("Tue, 99 Aug 2025 12:00:37 GMT", None),
            ("0", 0.0),
            (" 120 ", 120.0),
            ("9" * 400, 999_999_999.0),
            ("Tue, 12 Aug 2025 12:00:37 GMT", 37.0),
            ("Tue, 12 Aug 2025 12:00:37 -0000", 37.0),
            ("Tue, 12 Aug 2025 11:00:00 GMT", 0.0),
        ]:
            with self.subTest(value=value):
                self.assertEqual(retry_after(value, NOON), seconds)

    def test_a_date_is_not_in_the_zone_of_this_machine(self) -> None:
        self.addCleanup(time.tzset)
        with mock.patch.dict(os.environ, {"TZ": "UTC-9"}):
            time.tzset()
            for value in ("Tue, 12 Aug 2025 12:00:37 GMT", "Tue, 12 Aug 2025 12:00:37 -0000"):
                self.assertEqual(retry_after(value, NOON), 37.0)
