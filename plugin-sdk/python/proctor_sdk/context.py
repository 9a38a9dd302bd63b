"""What a call is given by the host."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Union

Value = Union[None, int, float, str, bytes]
"""A value of SQLite."""


@dataclass(frozen=True)
class Rows:
    """What a query found."""

    columns: list[str]
    """Names of the columns."""
    rows: list[list[Value]]
    """One list per row, one value per column."""


class Imports(Protocol):
    """What a challenge imports. The component's own are the host's; tests bring theirs
    (`proctor_sdk.testing`)."""

    def solve(self, task: str) -> str:
        """Has the submission solve one task; JSON in, JSON out. Raises `SolveFailed`,
        `Unavailable`."""
        ...

    def execute(self, sql: str, parameters: Sequence[Value]) -> int:
        """Runs one SQL statement and returns the number of rows changed. Raises
        `DatabaseError`."""
        ...

    def query(self, sql: str, parameters: Sequence[Value]) -> Rows:
        """Runs one SQL statement and returns its rows. Raises `DatabaseError`."""
        ...


class Database:
    """SQL on the challenge's own SQLite file."""

    def __init__(self, imports: Imports) -> None:
        self._imports = imports

    def execute(self, sql: str, *parameters: Value) -> int:
        """Runs one statement; `?1`, `?2`, … stand for the parameters. Returns the number
        of rows changed. Raises `DatabaseError`."""
        return self._imports.execute(sql, parameters)

    def query(self, sql: str, *parameters: Value) -> Rows:
        """Runs one statement and returns its rows. Raises `DatabaseError`."""
        return self._imports.query(sql, parameters)


class Context:
    """What a call is about, and what it may reach. Constant for the call."""

    def __init__(self, seed: int, now: float, imports: Imports) -> None:
        self._seed, self._now, self._imports = seed, now, imports

    @property
    def seed(self) -> int:
        """The seed of the call, 64 bits. Everything random must come from it."""
        return self._seed

    @property
    def now(self) -> float:
        """The logical time of the call, in seconds since the Unix epoch."""
        return self._now

    def rng(self, stream: int = 0) -> random.Random:
        """A random number generator made from the seed. Each `stream` is independent of
        the others; the index of a task makes a good one. The numbers are others than
        those of the Rust SDK for the same seed."""
        # Of a text, `Random` takes the SHA-512: streams have nothing in common.
        return random.Random(f"proctor {self._seed} {stream}")

    def solve(self, task: str) -> str:
        """Has the submission solve one task; a JSON text in, a JSON text out.

        Raises `SolveFailed` if that is the submission's fault, `Unavailable` if it cannot
        be run now.
        """
        return self._imports.solve(task)

    @property
    def database(self) -> Database:
        """The challenge's own database."""
        return Database(self._imports)

    def __repr__(self) -> str:
        return f"Context(seed={self._seed}, now={self._now})"
