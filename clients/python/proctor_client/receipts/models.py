"""Receipts and heads, as the host writes them.

What is signed stays a dict, since it is hashed as it is; its fields are checked when it
is read. A `VerificationError` (`malformed`) names the field that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypedDict, cast

from .canonical import LARGEST, canonical_bytes, digest, is_digest
from .errors import VerificationError
from .keys import is_signature, public_key

RECEIPT_VERSION = "proctor-receipt-1"
HEAD_VERSION = "proctor-head-1"
PROOFS_VERSION = "proctor-proofs-1"

KINDS = ("solve", "evaluate", "compare", "judge", "get_weights", "vector")
"""What a receipt may be of, a kind after those that it depends on."""

OUTCOMES = (
    "ok",
    "guest_error",
    "unavailable",
    "trap",
    "out_of_fuel",
    "timeout",
    "out_of_memory",
    "stack_overflow",
    "denied",
    "invalid_output",
    "link_error",
    "host_error",
)
"""How a computation may have ended."""


REASONS = ("private", "environment", "missing", "not_included")
"""Why a document may be withheld."""


class Receipt(TypedDict):
    """What a result was computed from, and the result. A digest is SHA-256, in 64
    lower-case hexadecimal digits; it is that of a document or a component."""

    version: str
    """`proctor-receipt-1`."""
    kind: str
    """One of `KINDS`."""
    challenge: str | None
    """None of a solve and of a vector."""
    component: str | None
    """Digest of the component that was called; none where the host's own rule decided."""
    engine: str
    """What ran it; `proctor-rules-1` for the host's own rules."""
    limits: str | None
    """Digest; none where there was no call. `environment` and `settings` as well."""
    environment: str | None
    settings: str | None
    seed: str
    """0 to 2⁶⁴ - 1, in decimal digits."""
    logical_time: str
    """Seconds since the Unix epoch, as the bits of a float."""
    input: str
    """Digest."""
    transcript: str | None
    """Digest of what the host answered to the component's calls; none if nothing is kept."""
    output: str
    """Digest."""
    outcome: str
    """One of `OUTCOMES`."""
    fuel: int
    """How much the computation used."""
    depends_on: list[str]
    """Ids of other receipts, ascending."""


class TreeState(TypedDict):
    """A state of an earlier day's tree."""

    day: str
    size: int
    root: str


class Head(TypedDict):
    """A state of a day's tree."""

    version: str
    """`proctor-head-1`."""
    day: str
    """`YYYY-MM-DD`."""
    size: int
    """How many leaves it has."""
    root: str
    """64 lower-case hexadecimal digits."""
    previous: TreeState | None
    """The last one of the last earlier day."""


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt, and who signed it."""

    id: str
    """SHA-256 of the receipt's canonical text."""
    receipt: Receipt
    signature: str | None
    """Over `proctor-receipt-1:<id>`, by sr25519, 128 hexadecimal digits. None of a solve,
    which the receipt vouches for that depends on it."""
    signer: str | None
    """The signer's SS58 address."""
    leaf: int | None = None
    """Which leaf of its day's tree it is, from 0 on, where that is told."""

    @classmethod
    def from_json(cls, value: object, at: str = "receipt", *, exact: bool = False) -> SignedReceipt:
        """Reads decoded JSON; `at` is the place that an error names. `exact`: as in a
        bundle, where there is nothing beside the fields that are signed or sign."""
        fields = _object(value, at)
        if exact:
            _only(fields, ("id", "receipt", "signature", "signer"), at)
        leaf = fields.get("leaf")
        return cls(
            id=_field(fields, "id", _digest, at),
            receipt=read_receipt(fields.get("receipt"), f"{at}.receipt"),
            signature=_field(fields, "signature", _or_none(_signature), at),
            signer=_field(fields, "signer", _or_none(_address), at),
            leaf=None if leaf is None else _field(fields, "leaf", _integer, at),
        )


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head, and who signed it."""

    head: Head
    signature: str
    """Over `proctor-head-1:<SHA-256 of the head's canonical text>`, as that of a receipt."""
    signer: str
    """The signer's SS58 address."""

    @classmethod
    def from_json(cls, value: object, at: str = "head", *, exact: bool = False) -> SignedHead:
        """Reads decoded JSON, as `SignedReceipt.from_json`."""
        fields = _object(value, at)
        if exact:
            _only(fields, ("head", "signature", "signer"), at)
        return cls(
            head=read_head(fields.get("head"), f"{at}.head"),
            signature=_field(fields, "signature", _signature, at),
            signer=_field(fields, "signer", _address, at),
        )


@dataclass(frozen=True, slots=True)
class LeafProof:
    """Where a receipt of another day is in the tree of that day."""

    day: str
    id: str
    leaf: int
    """Which leaf it is, from 0 on."""
    proof: tuple[str, ...]
    """The audit path of RFC 6962 to the root of the day's head, from the leaf up."""


@dataclass(frozen=True, slots=True)
class Proofs:
    """That receipts of other days are leaves there."""

    heads: dict[str, SignedHead]
    """By day."""
    leaves: dict[str, LeafProof]
    """By the receipt's id."""

    @classmethod
    def from_json(cls, value: object, at: str = "proofs") -> Proofs:
        """Reads decoded JSON, as `SignedReceipt.from_json` with `exact`."""
        fields = _object(value, at)
        _field(fields, "version", _one_of((PROOFS_VERSION,)), at)
        _only(fields, ("heads", "leaves", "version"), at)
        heads = [
            SignedHead.from_json(item, f"{at}.heads", exact=True)
            for item in _field(fields, "heads", _list, at)
        ]
        leaves = [
            _leaf_proof(item, f"{at}.leaves") for item in _field(fields, "leaves", _list, at)
        ]
        days = [signed.head["day"] for signed in heads]
        if any(one >= next for one, next in pairwise(days)):
            raise VerificationError("order_differs", at, "the heads are not by day")
        if any(one.id >= next.id for one, next in pairwise(leaves)):
            raise VerificationError("order_differs", at, "the leaves are not by id")
        if set(days) != {leaf.day for leaf in leaves}:
            raise VerificationError("malformed", at, "the heads are not of the days of the leaves")
        return cls(dict(zip(days, heads, strict=True)), {leaf.id: leaf for leaf in leaves})


def read_receipt(value: object, at: str = "receipt") -> Receipt:
    """The receipt in decoded JSON: these fields, of these types, and no others."""
    fields = _object(value, at)
    if fields.get("version") != RECEIPT_VERSION:
        raise _wrong(f"{at}.version", repr(RECEIPT_VERSION), fields.get("version"))
    _only(fields, _RECEIPT, at)
    for name, check in _RECEIPT.items():
        _field(fields, name, check, at)
    depends_on = fields["depends_on"]
    if any(one >= next for one, next in pairwise(depends_on)):
        raise VerificationError("malformed", f"{at}.depends_on", "the ids are not in order")
    return cast(Receipt, fields)


def read_head(value: object, at: str = "head") -> Head:
    """The head in decoded JSON: these fields, of these types, and no others."""
    fields = _object(value, at)
    if fields.get("version") != HEAD_VERSION:
        raise _wrong(f"{at}.version", repr(HEAD_VERSION), fields.get("version"))
    _only(fields, ("version", "previous", *_STATE), at)
    read_state({name: fields[name] for name in _STATE}, at)
    if fields["previous"] is not None:
        read_state(fields["previous"], f"{at}.previous")
    return cast(Head, fields)


def read_state(value: object, at: str) -> TreeState:
    """The state of a tree in decoded JSON."""
    fields = _object(value, at)
    _only(fields, _STATE, at)
    for name, check in _STATE.items():
        _field(fields, name, check, at)
    return cast(TreeState, fields)


def read_contents(value: object, version: str, at: str) -> tuple[str | None, dict[str, str]]:
    """Of which day a bundle is, and what it withholds, by digest, with the reason."""
    fields = _object(value, at)
    _field(fields, "version", _one_of((version,)), at)
    _only(fields, ("version", "day", "withheld"), at)
    day: str | None = _field(fields, "day", _or_none(_day), at)
    withheld: dict[str, str] = {}
    last = ""
    for item in _field(fields, "withheld", _list, at):
        _only(_object(item, f"{at}.withheld"), ("digest", "why"), f"{at}.withheld")
        digest = _field(item, "digest", _digest, f"{at}.withheld")
        if digest <= last:
            raise VerificationError("order_differs", at, "what is withheld is not by digest")
        last = digest
        withheld[digest] = _field(item, "why", _one_of(REASONS), f"{at}.withheld")
    return day, withheld


def _leaf_proof(value: object, at: str) -> LeafProof:
    fields = _object(value, at)
    _only(fields, ("day", "id", "leaf", "proof"), at)
    return LeafProof(
        day=_field(fields, "day", _day, at),
        id=_field(fields, "id", _digest, at),
        leaf=_field(fields, "leaf", _integer, at),
        proof=tuple(_field(fields, "proof", _digests, at)),
    )


def receipt_id(receipt: Receipt) -> str:
    """The id of a receipt: SHA-256 of its canonical text."""
    return digest(canonical_bytes(receipt, "receipt"))


def head_digest(head: Head) -> str:
    """SHA-256 of a head's canonical text, which is what its signature is over."""
    return digest(canonical_bytes(head, "head"))


Check = Callable[[object], str | None]
"""What the value should be, if it is not that."""


def _digest(value: object) -> str | None:
    return None if is_digest(value) else "64 lower-case hexadecimal digits"


def _signature(value: object) -> str | None:
    return None if is_signature(value) else "128 lower-case hexadecimal digits"


def _address(value: object) -> str | None:
    is_one = isinstance(value, str) and public_key(value) is not None
    return None if is_one else "an SS58 address with prefix 42"


def _text(value: object) -> str | None:
    return None if isinstance(value, str) else "text"


def _integer(value: object) -> str | None:
    is_one = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST
    return None if is_one else "an integer from 0 to 2^53 - 1"


def _list(value: object) -> str | None:
    return None if isinstance(value, list) else "a list"


def _digests(value: object) -> str | None:
    is_one = isinstance(value, list) and all(is_digest(item) for item in value)
    return None if is_one else "a list of digests, 64 lower-case hexadecimal digits each"


def _seed(value: object) -> str | None:
    is_one = _matches("0|[1-9][0-9]{0,19}", value) and int(cast(str, value)) < 2**64
    return None if is_one else "an integer from 0 to 2^64 - 1, in decimal digits"


def _bits(value: object) -> str | None:
    return None if _matches("[0-9a-f]{16}", value) else "16 lower-case hexadecimal digits"


def _day(value: object) -> str | None:
    return None if _matches("[0-9]{4}-[0-9]{2}-[0-9]{2}", value) else "a day, YYYY-MM-DD"


def _matches(pattern: str, value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _one_of(values: tuple[str, ...]) -> Check:
    return lambda value: None if value in values else f"one of {', '.join(values)}"


def _or_none(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


_RECEIPT: dict[str, Check] = {
    "version": _text,
    "kind": _one_of(KINDS),
    "challenge": _or_none(_text),
    "component": _or_none(_digest),
    "engine": _text,
    "limits": _or_none(_digest),
    "environment": _or_none(_digest),
    "settings": _or_none(_digest),
    "seed": _seed,
    "logical_time": _bits,
    "input": _digest,
    "transcript": _or_none(_digest),
    "output": _digest,
    "outcome": _one_of(OUTCOMES),
    "fuel": _integer,
    "depends_on": _digests,
}

_STATE: dict[str, Check] = {"day": _day, "size": _integer, "root": _digest}


def _object(value: object, at: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise _wrong(at, "an object", value)


def _only(fields: dict[str, Any], names: Any, at: str) -> None:
    for name in names:
        if name not in fields:
            raise VerificationError("malformed", at, f"{name} is missing")
    for name in fields:
        if name not in names:
            raise VerificationError("malformed", at, f"{name[:40]!r} is not a field of it")


def _field(fields: dict[str, Any], name: str, check: Check, at: str) -> Any:
    value = fields.get(name)
    expected = check(value)
    if expected is not None:
        raise _wrong(f"{at}.{name}", expected, value)
    return value


def _wrong(at: str, expected: str, value: object) -> VerificationError:
    if isinstance(value, (dict, list)):
        found = "an object" if isinstance(value, dict) else "a list"
    else:
        found = repr(value)[:80]
    return VerificationError(
        "malformed", at, "it has not the form that it should", expected=expected, found=found
    )
