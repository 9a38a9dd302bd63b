"""What the `/v1` routes answer: plain dicts, since they may grow.

That an answer is an object with the list it should have is checked; what is in the
list is left as it came. Times are in seconds since the Unix epoch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypedDict

from .errors import AnswerError
from .transport import Transport


class Challenge(TypedDict):
    """A challenge that the server hosts."""

    name: str
    version: str
    active: bool
    is_done: bool
    last_finalized_day: str | None
    """As `YYYY-MM-DD`."""


class LeaderboardEntry(TypedDict):
    """A miner's standing."""

    rank: int
    """From 1 on."""
    uid: int
    hotkey: str
    score: float
    penalty: float
    encrypted_commit: str
    artifact: str
    scored_at: float


class Leaderboard(TypedDict):
    """The standings of a challenge, best first."""

    challenge: str
    day: str | None
    """As `YYYY-MM-DD`."""
    entries: list[LeaderboardEntry]


def one(
    transport: Transport,
    path: str,
    query: Mapping[str, str] | None = None,
    *,
    decode: Callable[[bytes], object] = json.loads,
) -> dict[str, Any]:
    """The object at this path."""
    return _object(transport.json("GET", path, query=query, decode=decode), path)


def items(
    transport: Transport, path: str, name: str, query: Mapping[str, str] | None = None
) -> list[Any]:
    """The list of this name in the object at this path."""
    return listed(_object(transport.json("GET", path, query=query), path), name, path)


def pages(
    transport: Transport,
    path: str,
    name: str,
    query: Mapping[str, str],
    *,
    cursor: str = "cursor",
    decode: Callable[[bytes], object] = json.loads,
) -> Iterator[dict[str, Any]]:
    """What is in the lists of this name, page after page. Asks for a page when
    the one before it is used up, by the parameter `cursor`."""
    query = dict(query)
    seen: set[str] = set()
    while True:
        answer = one(transport, path, query, decode=decode)
        yield from listed(answer, name, path)
        next = answer.get("next")
        if next is None:
            return
        if not isinstance(next, (str, int)) or isinstance(next, bool):
            raise AnswerError(f"{path}: next is not a cursor")
        query[cursor] = str(next)
        if query[cursor] in seen:
            raise AnswerError(f"{path}: the pages go round in circles")
        seen.add(query[cursor])


def listed(answer: dict[str, Any], name: str, path: str) -> list[Any]:
    """The list of objects of this name."""
    value = answer.get(name)
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return value
    raise AnswerError(f"{path}: {name} is not a list of objects")


def _object(value: object, path: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise AnswerError(f"{path}: the answer is not an object")
