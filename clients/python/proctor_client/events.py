"""`GET /v1/events`, followed for as long as one likes."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .errors import AnswerError, ClientError, ProctorError, TransportError
from .pauses import pause
from .sse import Message, Parser
from .transport import Transport, read_some

_log = logging.getLogger("proctor_client")

_PATH = "/v1/events"
# However long a server asks for.
_LONGEST_WAIT = 3600.0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened on the server."""

    id: int | None
    """Where to go on after: keep it when the event is dealt with."""
    event: str
    """`scored`, `compared` or `finalized`; expect others."""
    data: dict[str, Any]


def follow(transport: Transport, after: int | None, attempts: int | None) -> Iterator[Event]:
    """See `Client.events`."""
    last = None if after is None else str(after)
    failures = 0
    while True:
        parser = Parser()
        wait: float | None = None
        error: ClientError = TransportError("the stream of events has ended")
        headers = {"Cache-Control": "no-store"}
        if last is not None:
            headers["Last-Event-ID"] = last
        try:
            with transport.open(
                "GET", _PATH, accept="text/event-stream", headers=headers
            ) as response:
                if response.status == 204:
                    return  # Do not come back, by the standard.
                kind = response.headers.get_content_type()
                if kind != "text/event-stream":
                    raise AnswerError(f"{_PATH} answers with {kind}")
                while chunk := read_some(response, _PATH):
                    for message in parser.feed(chunk):
                        event = _event(message)
                        # Also of one without data: so a server tells where it is.
                        last = message.id or last
                        if event is not None:
                            failures = 0
                            yield event
                    if parser.comments:
                        failures = 0
        except ProctorError as refused:
            if not refused.may_pass:
                raise
            error, wait = refused, refused.retry_after
        except TransportError as lost:
            error = lost
        failures += 1
        if attempts is not None and failures >= attempts:
            raise error
        wait = max(pause(failures, transport.chance()), wait or 0.0, parser.retry or 0.0)
        wait = min(wait, _LONGEST_WAIT)
        _log.info("%s: asking again in %.1f s", error, wait)
        transport.sleep(wait)


def _event(message: Message) -> Event | None:
    number = None
    if message.id:
        if not (message.id.isascii() and message.id.isdigit() and len(message.id) < 20):
            raise AnswerError(f"an event has the id {message.id[:24]!r}, not an integer")
        number = int(message.id)
    if not message.data:
        return None
    at = f"the data of event {number} ({message.event})"
    try:
        data = json.loads(message.data)
    except (ValueError, RecursionError) as error:
        raise AnswerError(f"{at} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise AnswerError(f"{at} is not an object")
    return Event(number, message.event, data)
