"""The routes of the scoring API."""

from __future__ import annotations

import hashlib
import json
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast
from urllib.parse import quote

from . import pages
from .events import Event, follow
from .models import ScoringResult
from .pages import Challenge, Leaderboard
from .receipts import answers
from .receipts.answers import Consistency, Day, PublishedReceipt
from .receipts.bundle import Bundle
from .receipts.models import SignedHead, SignedReceipt
from .signer import Signer
from .transport import Transport

MAX_COMMITS = 10_000
"""Ciphertexts in one request, at most. `scoring_result` makes several of more."""


class Client:
    """A server's scoring API. It holds no connection, and threads may share it.

    Every method raises a `ClientError`: `ProctorError` if the server refuses,
    `TransportError` if there is no answer, `AnswerError` if the answer is not what
    it should be. Redirects are not followed. Proxies are those of the environment.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float = 60.0,
        signer: Signer | None = None,
        retries: int = 3,
        sleep: Callable[[float], None] = time.sleep,
        clock_ns: Callable[[], int] = time.time_ns,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`base_url`: such as `https://scoring.example`, with a path if there is one.

        `timeout`: seconds to wait for a connection, and for each next piece of the
        answer. For `events` it must be longer than the pause between heartbeats.

        `signer`: signs each request. Needed only where the server asks for it.

        `retries`: how often to ask again after 429 and 503, which takes as long as
        the server asks for (`Retry-After`), else about 1, 2, 4, … s. If it asks
        for more than a minute, the error is raised at once.

        `sleep`, `clock_ns` (since the Unix epoch) and `chance` (from 0 to 1) are
        for tests. Raises `ValueError` if `base_url` is not one.
        """
        self._transport = Transport(
            base_url,
            timeout=timeout,
            signer=signer,
            retries=retries,
            sleep=sleep,
            clock_ns=clock_ns,
            chance=chance,
        )

    def scoring_result(self, challenge: str, encrypted_commits: Iterable[str]) -> ScoringResult:
        """What is known of these commits, by ciphertext: `POST /get_scoring_result`.

        The server answers from memory and does not wait for scoring. More than
        10 000 different commits are asked for in several requests: the result
        is done if each answer is. Without commits it is asked all the same.
        """
        if isinstance(encrypted_commits, str):
            raise TypeError("encrypted_commits is a text, not a list of texts")
        asked = list(dict.fromkeys(encrypted_commits))
        merged = ScoringResult(commits={}, is_done=True)
        for start in range(0, max(len(asked), 1), MAX_COMMITS):
            part = asked[start : start + MAX_COMMITS]
            body = json.dumps({"challenge_name": challenge, "encrypted_commits": part})
            answer = self._transport.json("POST", "/get_scoring_result", body=body.encode())
            result = ScoringResult.from_json(answer, part)
            merged = ScoringResult(
                commits=merged.commits | result.commits,
                is_done=merged.is_done and result.is_done,
            )
        return merged

    def challenges(self) -> list[Challenge]:
        """The challenges that the server hosts: `GET /v1/challenges`."""
        found = pages.items(self._transport, "/v1/challenges", "challenges")
        return cast("list[Challenge]", found)

    def leaderboard(self, challenge: str) -> Leaderboard:
        """The standings: `GET /v1/challenges/{challenge}/leaderboard`."""
        path = f"/v1/challenges/{_segment(challenge)}/leaderboard"
        board = pages.one(self._transport, path)
        pages.listed(board, "entries", path)
        return cast(Leaderboard, board)

    def results(
        self,
        *,
        challenge: str | None = None,
        hotkey: str | None = None,
        day: str | None = None,
        state: str | None = None,
        limit: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """All results that match: `GET /v1/results`, page after page.

        `day` is `YYYY-MM-DD`. `limit` is the size of a page; the server has a
        default and a bound. Pages are asked for, and errors raised, on the way.
        """
        query = _query(challenge=challenge, hotkey=hotkey, day=day, state=state, limit=limit)
        return pages.pages(self._transport, "/v1/results", "results", query)

    def result(self, challenge: str, encrypted_commit: str) -> dict[str, Any]:
        """The result of one commit: `GET /v1/results/{challenge}/{sha256}`."""
        digest = hashlib.sha256(encrypted_commit.encode()).hexdigest()
        return pages.one(self._transport, f"/v1/results/{_segment(challenge)}/{digest}")

    def finalizations(
        self, *, challenge: str | None = None, limit: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """The finalized days: `GET /v1/finalizations`, page after page as `results`."""
        query = _query(challenge=challenge, limit=limit)
        return pages.pages(self._transport, "/v1/finalizations", "finalizations", query)

    def finalization(self, challenge: str, day: str) -> dict[str, Any]:
        """One finalized day (`YYYY-MM-DD`): `GET /v1/finalizations/{challenge}/{day}`."""
        path = f"/v1/finalizations/{_segment(challenge)}/{_segment(day)}"
        return pages.one(self._transport, path)

    def receipt(self, id: str) -> PublishedReceipt:
        """One receipt, as it came: `GET /v1/receipts/{id}`. `receipts.verify_score` checks
        it as well. Those of a day that is not final yet are unknown."""
        return answers.receipt(self._transport, f"/v1/receipts/{_segment(id)}")

    def receipt_bundle(self, id: str, to: str | os.PathLike[str]) -> Bundle:
        """Writes all that one receipt is verified by to a file, and opens it:
        `GET /v1/receipts/{id}/bundle`."""
        path = f"/v1/receipts/{_segment(id)}/bundle"
        return answers.bundle(self._transport, path, {}, to)

    def days(self, *, before: str | None = None, limit: int | None = None) -> Iterator[SignedHead]:
        """The last head of each day (before the day `before`), the newest day first:
        `GET /v1/days`, page after page as `results`."""
        return answers.days(self._transport, "/v1/days", _query(before=before, limit=limit))

    def day(self, day: str) -> Day:
        """The tree of a day (`YYYY-MM-DD`), as it came: `GET /v1/days/{day}`.
        `receipts.verify_day` checks it as well."""
        return answers.day(self._transport, f"/v1/days/{_segment(day)}", day)

    def day_receipts(
        self, day: str, *, after: int | None = None, limit: int | None = None
    ) -> Iterator[SignedReceipt]:
        """The leaves of a day's tree, in order: `GET /v1/days/{day}/receipts`, page after
        page as `results`. `after`: the leaf after which to begin."""
        path = f"/v1/days/{_segment(day)}/receipts"
        return answers.receipts(self._transport, path, _query(after=after, limit=limit))

    def consistency(self, day: str, older: int, newer: int) -> Consistency:
        """The proof that the tree of a day at one size is the beginning of that at
        another: `GET /v1/days/{day}/consistency`."""
        path = f"/v1/days/{_segment(day)}/consistency"
        query = {"from": str(older), "to": str(newer)}
        return answers.consistency(self._transport, path, day, query)

    def day_bundle(
        self,
        day: str,
        to: str | os.PathLike[str],
        *,
        artifacts: bool | None = None,
        components: bool | None = None,
    ) -> Bundle:
        """Writes all that a day is verified by to a file, and opens it:
        `GET /v1/days/{day}/bundle`. `artifacts` and `components`: whether to have
        submissions and plugins in it; by default, what the server has by default."""
        chosen = {"artifacts": artifacts, "components": components}
        query = {name: str(it).lower() for name, it in chosen.items() if it is not None}
        path = f"/v1/days/{_segment(day)}/bundle"
        return answers.bundle(self._transport, path, query, to)

    def events(self, after: int | None = None, *, attempts: int | None = None) -> Iterator[Event]:
        """Events as they happen: `GET /v1/events`. Goes on without end.

        `after`: the id of the last event that was dealt with. When the connection
        is lost, or silent for the timeout, it goes on after the last event, with
        pauses from 1 s up to a minute, or what the server asks for. `attempts`: after
        so many in a row without event or heartbeat the last error is raised;
        by default never. A refusal that will not pass is raised at once. Blocks;
        use a thread of its own to stop it from outside.
        """
        return follow(self._transport, after, attempts)


def _query(**fields: str | int | None) -> dict[str, str]:
    return {name: str(value) for name, value in fields.items() if value is not None}


def _segment(text: str) -> str:
    # Servers and proxies resolve dots, and drop what is empty.
    if text in ("", ".", ".."):
        raise ValueError(f"{text!r} cannot be in a path")
    return quote(text, safe="")
