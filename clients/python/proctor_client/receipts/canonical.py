"""One text for each value: canonical JSON, RFC 8785.

What is hashed or signed is such a text. It holds strings, true, false, null, lists,
objects, and integers from 0 to 2⁵³ - 1. A float is written as the 16 hexadecimal digits
of its bits: there are many texts for a number, and other languages write others.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from .errors import VerificationError

LARGEST = 2**53 - 1
"""The largest integer that a document holds."""

_DIGEST = re.compile("[0-9a-f]{64}")


def digest(data: bytes) -> str:
    """SHA-256, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def is_digest(value: object) -> bool:
    """Whether this is a text as `digest` writes it."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def parse(text: bytes, at: str = "document") -> Any:
    """Reads JSON, canonical or not; `at` is the place that an error names.

    Raises `VerificationError` (`not_canonical`) for what is not JSON, and for an object
    that has a key twice: readers differ in which one they take.
    """
    try:
        return json.loads(
            text.decode(),
            object_pairs_hook=_object,
            parse_constant=_refuse,
            parse_int=_integer,
        )
    except (ValueError, RecursionError) as error:
        raise VerificationError("not_canonical", at, f"it is not JSON: {error}") from error


def canonical_bytes(value: object, at: str = "document") -> bytes:
    """The canonical text of a value, as JSON is decoded.

    Raises `VerificationError` (`not_canonical`) for what such a text cannot hold: a
    float, an integer below 0 or above 2⁵³ - 1, half of a surrogate pair.
    """
    try:
        ordered = _ordered(value)
        text = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))
        return text.encode()
    except (ValueError, RecursionError) as error:
        raise VerificationError("not_canonical", at, str(error)) from error


def read(text: bytes, at: str = "document") -> Any:
    """Reads a canonical text, and refuses any other of the same value."""
    value = parse(text, at)
    if canonical_bytes(value, at) != text:
        raise VerificationError("not_canonical", at, "it is not written as RFC 8785 writes it")
    return value


def _ordered(value: object) -> object:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        if 0 <= value <= LARGEST:
            return value
        raise ValueError(f"{_short(value)} is not from 0 to 2^53 - 1")
    if isinstance(value, (list, tuple)):
        return [_ordered(item) for item in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("a key is not text")
        # By UTF-16 units, which is another order than Python's beyond U+FFFF.
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return {key: _ordered(value[key]) for key in keys}
    if isinstance(value, float):
        raise ValueError(f"{value!r} is a float")
    raise ValueError(f"{type(value).__name__} is not of JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("an object has a key twice")
    return fields


def _integer(text: str) -> int | float:
    # For JSON -0 is a number of its own; for Python it would be 0.
    return -0.0 if text == "-0" else int(text)


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def _short(number: int) -> str:
    # Python refuses to write very long ones.
    return str(number) if number.bit_length() < 256 else "an integer"
