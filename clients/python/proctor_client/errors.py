"""What can go wrong. Everything is a `ClientError`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .models import ScoringResult


class ClientError(Exception):
    """Whatever this client raises, but for wrong arguments."""


class TransportError(ClientError):
    """There was no answer, or its end is missing. Asking again may help."""


class AnswerError(ClientError):
    """The answer is not what the API documents; the message names the place."""


class ProctorError(ClientError):
    """The server refused the request."""

    status: int
    """HTTP status."""
    code: str
    """Stable code, such as `unknown_challenge`; `http_<status>` if the answer had none."""
    detail: str
    """What is wrong, for people."""
    retry_after: float | None
    """Seconds to wait before asking again, if the server named any."""

    def __init__(
        self, status: int, code: str, detail: str, retry_after: float | None = None
    ) -> None:
        super().__init__(status, code, detail, retry_after)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.detail}"

    @property
    def may_pass(self) -> bool:
        """Whether the same request may be answered later."""
        # A host answers before its challenges are loaded.
        loading = self.code == "unknown_challenge"
        return self.status >= 500 or self.status in (408, 425, 429) or loading


class WaitTimeout(ClientError, TimeoutError):
    """The deadline of a wait has passed."""

    last: ScoringResult | None
    """The last answer, if there was any."""
    error: ClientError | None
    """Why the last poll failed, if it did."""

    def __init__(self, last: ScoringResult | None, error: ClientError | None) -> None:
        super().__init__(last, error)
        self.last = last
        self.error = error

    def __str__(self) -> str:
        why = "scoring is not done" if self.error is None else str(self.error)
        return f"the deadline has passed: {why}"


def refusal(status: int, body: bytes, retry_after: float | None) -> ProctorError:
    """The error that an answer with this status and body stands for.

    Reads problem details (RFC 9457), the lists of faults that FastAPI answers
    with, and plain text.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    code, detail = f"http_{status}", ""
    if isinstance(fields, dict):
        if isinstance(fields.get("code"), str):
            code = fields["code"]
        detail = _detail(fields)
        if isinstance(fields.get("detail"), list):
            code = "invalid_request"
    if not detail:
        text = " ".join(body.decode("utf-8", "replace").split())
        detail = text[:300] or "no details"
    return ProctorError(status, code, detail, retry_after)


def _detail(fields: dict[str, object]) -> str:
    detail = fields.get("detail")
    if isinstance(detail, list):
        return "; ".join(_fault(fault) for fault in detail[:10])
    for text in (detail, fields.get("title")):
        if isinstance(text, str):
            return text
    return ""


def _fault(fault: object) -> str:
    if not isinstance(fault, dict):
        return str(fault)
    at = fault.get("loc")
    place = ".".join(str(part) for part in at) if isinstance(at, list) else "body"
    return f"{place}: {fault.get('msg')}"
