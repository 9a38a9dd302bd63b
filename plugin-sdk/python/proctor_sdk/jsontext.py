"""JSON as the contract has it (RFC 8259), whoever wrote it.

Python's own reader takes more than JSON, and a text of a hundred thousand brackets
would overflow the stack of the sandbox, which would be the challenge's fault. This one
refuses both, so that a submission's answer cannot break a challenge.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import re
from typing import Any, NoReturn

MAX_DEPTH = 128
"""How deep arrays and objects may nest, the same as in the Rust SDK."""

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def loads(text: str) -> Any:
    """Reads a JSON text.

    Raises `ValueError` for what is not JSON, for `NaN` and `Infinity`, for numbers
    beyond 64-bit floats, for halves of surrogate pairs, and for more than `MAX_DEPTH`
    levels. Whole numbers of more than 64 bits are floats.
    """
    if _too_deep(text):
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    value = json.loads(
        text, parse_float=_float, parse_int=_int, parse_constant=_no_constant
    )
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("half of a surrogate pair") from None
    return value


def dumps(value: Any) -> str:
    """Writes a JSON text, without spaces. Dataclasses are objects, members of
    enumerations their values.

    Raises `ValueError` for numbers that are not finite, `TypeError` for what JSON does
    not have.
    """
    return json.dumps(
        value,
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
        default=_default,
    )


def _default(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")


def _too_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"number out of range: {text[:40]}")
    return value


def _int(text: str) -> int | float:
    if len(text) <= 18:
        return int(text)
    if len(text) <= 20 and -(2**63) <= (value := int(text)) < 2**64:
        return value
    return _float(text)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
