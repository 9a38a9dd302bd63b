"""Who signed: addresses, and signatures of sr25519."""

from __future__ import annotations

import hashlib
import importlib
import re
from typing import Any

from .errors import SignaturesUnavailable

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PREFIX = 42
_SIGNATURE = re.compile("[0-9a-f]{128}")


def can_verify() -> bool:
    """Whether the package that signatures need is there."""
    try:
        _sr25519()
    except SignaturesUnavailable:
        return False
    return True


def public_key(address: str) -> bytes | None:
    """The public key of an address, in SS58 with prefix 42, as Bittensor uses it; none
    of what is no such address."""
    if len(address) > 64:
        return None
    number = 0
    for letter in address:
        digit = _ALPHABET.find(letter)
        if digit < 0:
            return None
        number = number * 58 + digit
    try:
        decoded = number.to_bytes(35, "big")
    except OverflowError:
        return None
    payload, checksum = decoded[:33], decoded[33:]
    # Of 35 bytes, the first not 0, there is one text; a longer one has zeros before it.
    if payload[0] != _PREFIX or address.startswith("1"):
        return None
    if hashlib.blake2b(b"SS58PRE" + payload).digest()[:2] != checksum:
        return None
    return payload[1:]


def is_signature(value: object) -> bool:
    """Whether this is a text of 128 lower-case hexadecimal digits."""
    return isinstance(value, str) and _SIGNATURE.fullmatch(value) is not None


def signs(address: str, message: str, signature: str) -> bool:
    """Whether the key of an address signed this message, by sr25519 in the context
    `substrate`. False also for what is no address, and for what is no signature.

    Raises `SignaturesUnavailable` without the package that it needs.
    """
    sr25519 = _sr25519()
    public = public_key(address)
    if public is None or not is_signature(signature):
        return False
    try:
        verified = sr25519.verify(bytes.fromhex(signature), message.encode(), public)
    except ValueError:
        return False  # No point of the curve, or no number of the field.
    return verified is True


def _sr25519() -> Any:
    try:
        return importlib.import_module("sr25519")
    except ImportError as error:
        raise SignaturesUnavailable from error
