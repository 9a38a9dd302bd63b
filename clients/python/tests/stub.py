"""A server on the loopback that gives the answers it is told to, in order."""

from __future__ import annotations

import json
import os
import threading
import unittest
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock

from proctor_client import Client, Signer


@dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    """The Content-Length to tell, if it is not the true one."""


@dataclass
class Asked:
    method: str
    path: str
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Answering = Answer | Callable[[BaseHTTPRequestHandler], None]


def ok(value: object) -> Answer:
    return Answer(body=json.dumps(value).encode(), headers={"Content-Type": "application/json"})


def problem(status: int, code: str, detail: str, **headers: str) -> Answer:
    body = {"type": "about:blank", "title": "T", "status": status, "code": code, "detail": detail}
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers["Content-Type"] = "application/problem+json"
    return Answer(status, json.dumps(body).encode(), headers)


def drop(handler: BaseHTTPRequestHandler) -> None:
    """Ends the connection without an answer."""
    handler.close_connection = True


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Says nothing until the client leaves."""
    handler.rfile.read()


def scoring(commits: object, is_done: object) -> Answer:
    data = {"commits": commits, "is_done": is_done}
    return ok({"status": "success", "message": "m", "data": data})


class Stub(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        self.answers: list[Answering] = []
        self.asked: list[Asked] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # Clients that leave are part of the tests.


class _Handler(BaseHTTPRequestHandler):
    server: Stub

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(Asked(self.command, self.path, self.headers, body))
        if not self.server.answers:
            # 418 is in no test: whoever asks too often fails.
            self.server.answers.append(problem(418, "not_expected", "one request too many"))
        answer = self.server.answers.pop(0)
        if not isinstance(answer, Answer):
            answer(self)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        length = len(answer.body) if answer.length is None else answer.length
        if length >= 0:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = _answer
    do_POST = _answer

    def log_message(self, format: str, *args: object) -> None:
        pass


class StubCase(unittest.TestCase):
    """A stub, and a client of it that records how long it would have slept."""

    def setUp(self) -> None:
        no_proxy = mock.patch.dict(os.environ, {"no_proxy": "*"})
        no_proxy.start()
        self.addCleanup(no_proxy.stop)
        self.stub = Stub()
        # Soon: what shutdown() takes is at most this.
        serve = threading.Thread(target=self.stub.serve_forever, args=(0.01,))
        serve.start()
        self.addCleanup(serve.join)
        self.addCleanup(self.stub.server_close)
        self.addCleanup(self.stub.shutdown)
        self.slept: list[float] = []
        self.now_ns = 1_755_000_000_123_456_789
        self.client = self.client_of(self.stub.url)

    def client_of(
        self, url: str, *, signer: Signer | None = None, timeout: float = 30.0, retries: int = 3
    ) -> Client:
        return Client(
            url,
            timeout=timeout,
            signer=signer,
            retries=retries,
            sleep=self.sleep,
            clock_ns=lambda: self.now_ns,
            chance=lambda: 0.0,
        )

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_ns += int(seconds * 1e9)

    def answers(self, *answers: Answering) -> None:
        self.stub.answers.extend(answers)

    def asked(self) -> list[tuple[str, str]]:
        return [(asked.method, asked.path) for asked in self.stub.asked]
