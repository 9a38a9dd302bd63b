"""What the routes of receipts answer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import pages
from ..errors import AnswerError
from ..transport import Transport
from .bundle import Bundle, read_bundle
from .canonical import parse
from .errors import VerificationError
from .models import SignedHead, SignedReceipt, TreeState, read_state


@dataclass(frozen=True, slots=True)
class PublishedReceipt:
    """A receipt, and what shows that it is a leaf of its day's tree."""

    signed: SignedReceipt
    day: str | None
    """None of a solve; `head` as well."""
    head: SignedHead | None
    inclusion: tuple[str, ...]
    """The audit path from the leaf up to the head's root; none of a solve."""
    parents: tuple[str, ...]
    """Of a solve, the receipts that depend on it; else none."""


@dataclass(frozen=True, slots=True)
class Finalization:
    """The tree of a day when a challenge was finalized."""

    challenge: str
    tree: TreeState


@dataclass(frozen=True, slots=True)
class Day:
    """The tree of a day."""

    head: SignedHead
    finalizations: tuple[Finalization, ...]


@dataclass(frozen=True, slots=True)
class Consistency:
    """Two states of a day's tree, and the proof that the newer one only has more."""

    older: TreeState
    newer: TreeState
    proof: tuple[str, ...]


def receipt(transport: Transport, path: str) -> PublishedReceipt:
    """See `Client.receipt`."""
    answer = one(transport, path)
    signed = SignedReceipt.from_json(answer, path)
    head = answer.get("head")
    day = answer.get("day")
    if day is not None and not isinstance(day, str):
        raise AnswerError(f"{path}: day is not text")
    return PublishedReceipt(
        signed=signed,
        day=day,
        head=None if head is None else SignedHead.from_json(head, f"{path}: head"),
        inclusion=_texts(answer, "inclusion", path),
        parents=_texts(answer, "parents", path),
    )


def day(transport: Transport, path: str, day: str) -> Day:
    """See `Client.day`."""
    answer = one(transport, path)
    finalizations = []
    for found in pages.listed(answer, "finalizations", path):
        if not isinstance(found.get("challenge"), str):
            raise AnswerError(f"{path}: a finalization has no challenge")
        tree = _state(found, day, f"{path}: finalizations")
        finalizations.append(Finalization(found["challenge"], tree))
    head = SignedHead.from_json(answer.get("head"), f"{path}: head")
    return Day(head, tuple(finalizations))


def consistency(transport: Transport, path: str, day: str, query: Mapping[str, str]) -> Consistency:
    """See `Client.consistency`."""
    answer = one(transport, path, query)
    return Consistency(
        older=_state(answer.get("from"), day, f"{path}: from"),
        newer=_state(answer.get("to"), day, f"{path}: to"),
        proof=_texts(answer, "proof", path),
    )


def days(transport: Transport, path: str, query: Mapping[str, str]) -> Iterator[SignedHead]:
    """See `Client.days`."""
    for head in pages.pages(transport, path, "days", query, cursor="before", decode=decode):
        yield SignedHead.from_json(head, f"{path}: days")


def receipts(transport: Transport, path: str, query: Mapping[str, str]) -> Iterator[SignedReceipt]:
    """See `Client.day_receipts`."""
    for found in pages.pages(transport, path, "receipts", query, cursor="after", decode=decode):
        yield SignedReceipt.from_json(found, f"{path}: receipts")


def bundle(
    transport: Transport, path: str, query: Mapping[str, str], to: str | os.PathLike[str]
) -> Bundle:
    """See `Client.day_bundle`."""
    target = Path(to)
    # Whole or not at all: what is cut off does not look like a bundle that one has.
    part = target.with_name(target.name + ".part")
    try:
        with part.open("wb") as file:
            transport.save(path, file, query=query, accept="application/x-tar")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return read_bundle(target)


def one(transport: Transport, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The object at this path, in which no key is there twice."""
    return pages.one(transport, path, query, decode=decode)


def decode(body: bytes) -> object:
    """Reads JSON as what is to be hashed is read. Raises `ValueError`."""
    try:
        value: object = parse(body)
    except VerificationError as error:
        raise ValueError(error.detail) from error
    return value


def _state(value: object, day: str, at: str) -> TreeState:
    if not isinstance(value, dict):
        raise AnswerError(f"{at} is not an object")
    return read_state({"day": day, "size": value.get("size"), "root": value.get("root")}, at)


def _texts(answer: dict[str, Any], name: str, path: str) -> tuple[str, ...]:
    value = answer.get(name)
    if value is None:
        return ()
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise AnswerError(f"{path}: {name} is not a list of texts")
