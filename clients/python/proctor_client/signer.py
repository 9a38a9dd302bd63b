"""Requests signed with a validator's hotkey."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Signer:
    """Who signs, and with what.

    With bittensor: `Signer(uid, keypair.ss58_address, keypair.sign)`.
    """

    uid: int
    """The validator's uid in the subnet."""
    hotkey: str
    """The hotkey's SS58 address."""
    sign: Callable[[bytes], bytes]
    """Signs a message with the hotkey, by sr25519."""

    def headers(self, body: bytes, timestamp_ns: int) -> dict[str, str]:
        """The headers for a request with this body, at this time since the Unix
        epoch. The body of a GET is empty. What is signed is
        `"{sha256 of the body, in hexadecimal}.{timestamp}"`."""
        message = f"{hashlib.sha256(body).hexdigest()}.{timestamp_ns}"
        return {
            "validator-uid": str(self.uid),
            "validator-hotkey": self.hotkey,
            "timestamp": str(timestamp_ns),
            "signature": "0x" + self.sign(message.encode()).hex(),
        }
