"""Server-sent events, as the HTML standard parses them."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from .errors import AnswerError

_LONGEST_MESSAGE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """What stands before a blank line."""

    id: str
    """The last id of the stream, empty before the first."""
    event: str
    data: str
    """Empty if there is none, then only the id counts."""


class Parser:
    """Turns the bytes of one stream into messages. What is after the last blank
    line is not a message, and its id does not count."""

    def __init__(self) -> None:
        # utf-8-sig takes the byte order mark away.
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._rest = ""
        self._after_cr = False
        self._id = ""
        self._event = ""
        self._data: list[str] = []
        self._size = 0
        self.comments = 0
        """Comments so far: heartbeats."""
        self.retry: float | None = None
        """Seconds to wait before connecting again, if the server named any."""

    def feed(self, chunk: bytes) -> list[Message]:
        """The messages that end in this chunk.

        Raises `AnswerError` if a message has no end within 4 MiB.
        """
        messages = []
        for line in self._lines(self._decoder.decode(chunk)):
            if line.startswith(":"):
                # Not of a message: there may be any number of them before the next.
                self.comments += 1
                continue
            self._size += len(line)
            if line:
                self._field(line)
                continue
            messages.append(Message(self._id, self._event or "message", "\n".join(self._data)))
            self._event, self._data, self._size = "", [], 0
        if self._size + len(self._rest) > _LONGEST_MESSAGE:
            raise AnswerError("an event is longer than 4 MiB")
        return messages

    def _lines(self, text: str) -> list[str]:
        if self._after_cr and text.startswith("\n"):
            text = text[1:]
        if text:
            # CR ends a line at once; a LF that comes later belongs to it.
            self._after_cr = text.endswith("\r")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        *lines, self._rest = (self._rest + text).split("\n")
        return lines

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry = float(value[:9]) / 1000
