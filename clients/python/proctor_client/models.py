"""What `POST /get_scoring_result` answers.

Unknown fields are ignored, so that the server may grow. Known ones are checked:
an `AnswerError` names the field that has the wrong type. Every field of a commit
may be null, and one that is missing counts as null.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from .errors import AnswerError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ScoringLog:
    """One task of a submission."""

    score: float | None = None
    miner_input: object = None
    """Null in what the API shows; so are `miner_output` and `input_hash`."""
    miner_output: object = None
    error: str | None = None
    """Why the score is 0: a code such as `out_of_fuel`."""
    baseline_score: float | None = None
    """What was taken off the score."""
    input_hash: str | None = None

    @classmethod
    def from_json(cls, value: object, at: str = "scoring_log") -> ScoringLog:
        """Reads decoded JSON; `at` is the place that an error names."""
        log = _Fields(value, at)
        return cls(
            score=log.number("score"),
            miner_input=log.any("miner_input"),
            miner_output=log.any("miner_output"),
            error=log.text("error"),
            baseline_score=log.number("baseline_score"),
            input_hash=log.text("input_hash"),
        )


@dataclass(frozen=True, slots=True)
class ComparisonLog:
    """How similar a submission is to a reference in one task."""

    similarity_score: float | None = None
    """From 0 to 1; 1 is a copy."""
    miner_input: object = None
    """Null in what the API shows; so are the outputs and `input_hash`."""
    miner_output: object = None
    reference_output: object = None
    error: str | None = None
    input_hash: str | None = None
    reason: str | None = None
    reference_hotkey: str | None = None
    reference_similarity_score: float | None = None

    @classmethod
    def from_json(cls, value: object, at: str = "comparison_log") -> ComparisonLog:
        """Reads decoded JSON; `at` is the place that an error names."""
        log = _Fields(value, at)
        return cls(
            similarity_score=log.number("similarity_score"),
            miner_input=log.any("miner_input"),
            miner_output=log.any("miner_output"),
            reference_output=log.any("reference_output"),
            error=log.text("error"),
            input_hash=log.text("input_hash"),
            reason=log.text("reason"),
            reference_hotkey=log.text("reference_hotkey"),
            reference_similarity_score=log.number("reference_similarity_score"),
        )


@dataclass(frozen=True, slots=True)
class Commit:
    """A miner's commit to a challenge. Times are in seconds since the Unix epoch."""

    miner_uid: int | None = None
    miner_hotkey: str | None = None
    challenge_name: str | None = None
    docker_hub_id: str | None = None
    """The artifact, once revealed; `key` and `commit` as well."""
    commit_timestamp: float | None = None
    encrypted_commit: str | None = None
    key: str | None = None
    commit: str | None = None
    scoring_logs: tuple[ScoringLog, ...] = ()
    comparison_logs: Mapping[str, tuple[ComparisonLog, ...]] = field(default_factory=dict)
    """By the reference's artifact."""
    scored_timestamp: float | None = None
    score: float | None = None
    """Null until the commit is judged; so are `penalty` and `accepted`."""
    penalty: float | None = None
    accepted: bool | None = None

    @classmethod
    def from_json(cls, value: object, at: str = "commit") -> Commit:
        """Reads decoded JSON; `at` is the place that an error names."""
        commit = _Fields(value, at)
        return cls(
            miner_uid=commit.integer("miner_uid"),
            miner_hotkey=commit.text("miner_hotkey"),
            challenge_name=commit.text("challenge_name"),
            docker_hub_id=commit.text("docker_hub_id"),
            commit_timestamp=commit.number("commit_timestamp"),
            encrypted_commit=commit.text("encrypted_commit"),
            key=commit.text("key"),
            commit=commit.text("commit"),
            scoring_logs=commit.list("scoring_logs", ScoringLog.from_json),
            comparison_logs=commit.lists("comparison_logs", ComparisonLog.from_json),
            scored_timestamp=commit.number("scored_timestamp"),
            score=commit.number("score"),
            penalty=commit.number("penalty"),
            accepted=commit.flag("accepted"),
        )


@dataclass(frozen=True, slots=True)
class ScoringResult:
    """The answer for a list of commits."""

    commits: dict[str, Commit | None]
    """By ciphertext, in the order asked for; null where the server knows none.

    A commit that is not scored yet is not null: its `score` is."""
    is_done: bool
    """Whether the challenge's scoring is finished for the day."""

    @classmethod
    def from_json(cls, value: object, asked: list[str]) -> ScoringResult:
        """Reads the whole answer, as decoded JSON, to a request for `asked`."""
        data = _Fields(_Fields(value, "answer").required("data"), "data")
        commits = _object(data.required("commits"), "data.commits")
        found: dict[str, Commit | None] = {}
        for encrypted in asked:
            commit = commits.get(encrypted)
            at = f"data.commits[{encrypted[:24]!r}]"
            found[encrypted] = None if commit is None else Commit.from_json(commit, at)
        return cls(commits=found, is_done=data.flag("is_done") or False)


class _Fields:
    """An object's fields, read by type."""

    def __init__(self, value: object, at: str) -> None:
        self._at = at
        self._fields = _object(value, at)

    def required(self, name: str) -> object:
        if name not in self._fields:
            raise AnswerError(f"{self._at}.{name} is missing")
        return self._fields[name]

    def any(self, name: str) -> object:
        return self._fields.get(name)

    def text(self, name: str) -> str | None:
        value = self.any(name)
        if value is None or isinstance(value, str):
            return value
        raise self._wrong(name, "text", value)

    def flag(self, name: str) -> bool | None:
        value = self.any(name)
        if value is None or isinstance(value, bool):
            return value
        raise self._wrong(name, "true or false", value)

    def integer(self, name: str) -> int | None:
        value = self.any(name)
        # A bool is an int in Python.
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise self._wrong(name, "an integer", value)

    def number(self, name: str) -> float | None:
        value = self.any(name)
        if value is None:
            return None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if math.isfinite(number):
                return number
        raise self._wrong(name, "a finite number", value)

    def list(self, name: str, read: Callable[[object, str], T]) -> tuple[T, ...]:
        return _list(self.any(name), f"{self._at}.{name}", read)

    def lists(self, name: str, read: Callable[[object, str], T]) -> Mapping[str, tuple[T, ...]]:
        value, at = self.any(name), f"{self._at}.{name}"
        if value is None:
            return {}
        return {
            key: _list(items, f"{at}[{key[:24]!r}]", read)
            for key, items in _object(value, at).items()
        }

    def _wrong(self, name: str, expected: str, value: object) -> AnswerError:
        return _wrong(f"{self._at}.{name}", f"{expected} or null", value)


def _object(value: object, at: str) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    raise _wrong(at, "an object", value)


def _list(value: object, at: str, read: Callable[[object, str], T]) -> tuple[T, ...]:
    if value is None:
        return ()
    if isinstance(value, list):
        return tuple(read(item, f"{at}[{index}]") for index, item in enumerate(value))
    raise _wrong(at, "a list or null", value)


def _wrong(at: str, expected: str, value: object) -> AnswerError:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    got = str(value)[:24] if is_number else names.get(type(value), "null")
    return AnswerError(f"{at} should be {expected}, and is {got}")
