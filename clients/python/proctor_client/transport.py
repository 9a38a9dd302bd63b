"""One request and its answer."""

from __future__ import annotations

import json
import random
import time
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException, HTTPResponse
from typing import BinaryIO, TypeVar
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit

from ._version import __version__
from .errors import AnswerError, ProctorError, TransportError, refusal
from .pauses import LONGEST_PAUSE, pause, retry_after
from .signer import Signer

T = TypeVar("T")

_LONGEST_REFUSAL = 64 * 1024


class Transport:
    """Where the server is, and how it is asked. Holds no connection."""

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float,
        signer: Signer | None,
        retries: int,
        sleep: Callable[[float], None] = time.sleep,
        clock_ns: Callable[[], int] = time.time_ns,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._base = _checked(base_url)
        self._timeout = timeout
        self._signer = signer
        self._retries = retries
        self.sleep = sleep
        self._clock_ns = clock_ns
        self.chance = chance
        # Neither files, nor redirects: they would take the signature elsewhere.
        # No handler of errors either, so that we see each status.
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
        ):
            self._opener.add_handler(handler)

    def json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        decode: Callable[[bytes], object] = json.loads,
    ) -> object:
        """Asks for JSON. Asks again after 429 and 503, so many times. `decode` raises
        `ValueError` for what it refuses."""
        what = f"{method} {path}"

        def ask() -> object:
            with self.open(method, path, query=query, body=body) as response:
                return _decode(_read(response, what), what, decode)

        return self._again(ask)

    def save(self, path: str, file: BinaryIO, *, query: Mapping[str, str], accept: str) -> None:
        """Writes an answer to a file, as it comes. Asks again as `json`; not when the
        answer has begun."""
        what = f"GET {path}"

        def ask() -> None:
            with self.open("GET", path, query=query, accept=accept) as response:
                while piece := read_some(response, what):
                    file.write(piece)
                # What is left, if the server told how much there is.
                if response.length:
                    raise TransportError(f"{what}: the end of the answer is missing")

        self._again(ask)

    def _again(self, ask: Callable[[], T]) -> T:
        failures = 0
        while True:
            try:
                return ask()
            except ProctorError as error:
                failures += 1
                wait = error.retry_after
                if wait is None:
                    wait = pause(failures, self.chance())
                # Sooner than asked would only be refused again.
                hopeless = error.status not in (429, 503) or wait > LONGEST_PAUSE
                if hopeless or failures > self._retries:
                    raise
            self.sleep(wait)

    def open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        accept: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> HTTPResponse:
        """Asks once. The answer's status is 2xx; its body is not read yet."""
        url = self._base + path
        if query:
            url += "?" + urlencode(query)
        sent = {"Accept": accept, "User-Agent": f"proctor-client/{__version__}"}
        sent.update(headers or {})
        if body:
            sent["Content-Type"] = "application/json"
        if self._signer is not None:
            # With the time of each attempt: a signature counts once.
            sent.update(self._signer.headers(body, self._clock_ns()))
        request = urllib.request.Request(url, body or None, sent, method=method)
        try:
            response = self._opener.open(request, timeout=self._timeout)
        except (OSError, HTTPException) as error:
            raise _lost(f"{method} {path}", error) from error
        if not isinstance(response, HTTPResponse):
            raise TransportError(f"{method} {path}: not answered by HTTP")
        if 200 <= response.status < 300:
            return response
        with response:
            raise self._refused(response)

    def _refused(self, response: HTTPResponse) -> ProctorError:
        try:
            body = response.read(_LONGEST_REFUSAL)
        except (OSError, HTTPException):
            body = b""  # The status says enough.
        now = self._clock_ns() / 1e9
        wait = retry_after(response.getheader("Retry-After"), now)
        return refusal(response.status, body or response.reason.encode(), wait)


def read_some(response: HTTPResponse, what: str) -> bytes:
    """The next bytes of a stream, empty at its end."""
    try:
        return response.read1(65536)
    except (OSError, HTTPException) as error:
        raise _lost(what, error) from error


def _read(response: HTTPResponse, what: str) -> bytes:
    try:
        return response.read()
    except (OSError, HTTPException) as error:
        raise _lost(what, error) from error


def _lost(what: str, error: Exception) -> TransportError:
    reason = error.reason if isinstance(error, URLError) else error
    return TransportError(f"{what}: {str(reason) or type(reason).__name__}")


def _decode(body: bytes, what: str, decode: Callable[[bytes], object]) -> object:
    try:
        answer = decode(body)
    except (ValueError, RecursionError) as error:
        raise AnswerError(f"{what}: the answer is not JSON: {error}") from error
    return answer


def _checked(base_url: str) -> str:
    parts = urlsplit(base_url)
    printable = all("!" <= letter <= "~" for letter in base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not printable:
        raise ValueError(f"{base_url!r} is not an http or https URL")
    _ = parts.port  # Raises if it is not a port.
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("the base URL has a query, a fragment or a password")
    return base_url.rstrip("/")
