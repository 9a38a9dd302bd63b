"""How long to wait before asking again."""

from __future__ import annotations

from datetime import timezone
from email.utils import parsedate_to_datetime

LONGEST_PAUSE = 60.0
"""Seconds."""


def pause(failures: int, chance: float) -> float:
    """Seconds to wait after so many failures in a row, from 1 on: about 1, 2, 4, …
    up to a minute. `chance`, from 0 to 1, takes up to half of it away, so that
    clients that failed together do not come back together."""
    # The exponent is bounded: failures are not.
    longest = min(LONGEST_PAUSE, 2.0 ** min(failures - 1, 10))
    return longest * (1.0 - 0.5 * chance)


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that a `Retry-After` header asks for: a number, or a date. None if
    it is missing or neither. `now` is in seconds since the Unix epoch."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:
            date = date.replace(tzinfo=timezone.utc)
        return max(0.0, date.timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
