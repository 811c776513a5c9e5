"""Requests that are too large, against a started server: each gets its sentence, and the server goes on."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from support.keys import API_KEY
from support.machine import Api, Machine
from unitask.api.connection import HEAD_BYTES, HEAD_FIELDS, URL_BYTES
from unitask.api.requests import VALUES_LIMIT

MIB: Final = 2**20
BODY_BYTES: Final = 4 * MIB
WAIT_S: Final = 2
HEAD: Final = b"POST /api/v1/task HTTP/1.1\r\nHost: unitask\r\nX-API-Key: " + API_KEY.encode() + b"\r\n"
CHUNKED: Final = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MANY: Final = b"[" + b"0," * VALUES_LIMIT + b"0]"
DEEP: Final = b"[" * 50_000 + b"]" * 50_000
LARGE: Final = b"the request body is larger than"
FIELDS: Final = b"more than %d fields" % HEAD_FIELDS


def sized(body: bytes) -> bytes:
    """Write an order with this body."""
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunk(content: bytes) -> bytes:
    """Write a chunk of a body."""
    return b"%x\r\n%s\r\n" % (len(content), content)


def nested(inner: bytes) -> bytes:
    """Put a document where an order has its input."""
    return b'{"model": "tester", "task_type": "do", "input": {"a": %s}}' % inner


@dataclass(frozen=True)
class Case:
    """What is sent, again and again if `repeats` is set, and what is said to it."""

    name: str
    sent: bytes
    status: int
    said: bytes
    repeats: bytes = b""


CASES: Final = [
    Case("announced body", HEAD + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES + 1), 413, LARGE),
    Case("huge announced body", HEAD + b"Content-Length: 99999999999999999\r\n\r\n", 413, LARGE),
    Case("body in chunks", CHUNKED, 413, LARGE, chunk(b" " * 65536)),
    Case("crumbs", CHUNKED, 400, b"too many pieces", b"1;" + b"x" * 1000 + b"\r\n \r\n"),
    Case("endless trailer", CHUNKED + b"0\r\nA: ", 400, b"too many pieces", b"b" * 4096),
    Case("address", b"GET /" + b"a" * URL_BYTES + b" HTTP/1.1\r\nHost: unitask\r\n\r\n", 414, b"the address is longer"),
    Case("endless address", b"GET /", 431, b"the head of the request is larger", b"a" * 4096),
    Case(
        "query", b"GET /healthz?" + b"a&" * URL_BYTES + b" HTTP/1.1\r\nHost: u\r\n\r\n", 414, b"the address is longer"
    ),
    Case("field", HEAD + b"A: " + b"b" * HEAD_BYTES + b"\r\n\r\n", 431, b"the head of the request"),
    Case("endless field", HEAD + b"A: ", 431, b"the head of the request is larger", b"b" * 4096),
    Case("endless name", HEAD + b"A", 431, b"the head of the request is larger", b"b" * 4096),
    Case("many fields", HEAD + b"A: b\r\n" * HEAD_FIELDS + b"\r\n", 431, FIELDS),
    Case("endless fields", HEAD, 431, b"the head of the request is larger", b"A: b\r\n" * 100),
    Case("endless empty lines", b"\r\n", 431, b"the head of the request is larger", b"\r\n" * 1000),
    Case("another protocol", b"SSH-2.0-OpenSSH_9.6\r\n", 400, b"not valid HTTP"),
    Case("two lengths", HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, b"not valid HTTP"),
    Case(
        "length and chunks",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        b"not valid",
    ),
    Case("length of words", HEAD + b"Content-Length: many\r\n\r\n", 400, b"not valid HTTP"),
    Case("folded field", HEAD + b"A: b\r\n c\r\n\r\n", 400, b"not valid HTTP"),
    Case("nul in a field", HEAD + b"A: b\x00c\r\n\r\n", 400, b"not valid HTTP"),
    Case("many values", sized(nested(MANY)), 400, b"holds more than %d values" % VALUES_LIMIT),
    Case("many objects", sized(nested(MANY.replace(b"0,", b"{},"))), 400, b"values"),
    Case("deep", sized(nested(DEEP)), 400, b"the body is not JSON"),
    Case("deep objects", sized(nested(b'{"a":' * 2000 + b"0" + b"}" * 2000)), 400, b"the body is not JSON"),
    Case("long number", sized(nested(b"9" * MIB)), 400, b"invalid request"),
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Api]:
    """Start a server that takes four megabytes."""
    settings = {"API_KEY": API_KEY, "PORT": "0", "BODY_LIMIT_BYTES": str(BODY_BYTES), "SLOW_CLIENT_S": str(WAIT_S)}
    machine = Machine(tmp_path_factory.mktemp("limits"), sqlite_template, settings)
    program = machine.start("up")
    yield machine.client(program)
    machine.clear_away()
    assert "Traceback" not in program.err


def told(api: Api, case: Case) -> tuple[bytes, bytes]:
    """Send as long as it is taken; gives the head of the answer and its body."""
    port: Any = api.http.base_url.port
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        try:
            connection.sendall(case.sent)
            connection.settimeout(0.01)
            while case.repeats and not answer:
                connection.sendall(case.repeats)
                try:
                    answer = connection.recv(65536)
                except TimeoutError:
                    continue
            connection.settimeout(20)
            while b"\r\n\r\n" not in answer or len(answer) < whole(answer):
                part = connection.recv(65536)
                assert part, answer
                answer += part
        except ConnectionError as error:
            raise AssertionError(f"it was hung up on after {answer!r}") from error
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


def whole(answer: bytes) -> int:
    """Tell how long an answer is, from its head."""
    head = answer.partition(b"\r\n\r\n")[0]
    (length,) = (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    return len(head) + 4 + length


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_request_that_is_too_large_gets_its_sentence(api: Api, case: Case) -> None:
    """In the envelope of all our answers, with the headers of all our answers; the server goes on."""
    head, body = told(api, case)
    assert head.startswith(b"HTTP/1.1 %d " % case.status), head
    assert json.loads(body)["code"] == case.status
    assert case.said in body, body
    assert b"x-content-type-options: nosniff" in head
    assert api.http.get("/healthz").status_code == 200


def send_on(connection: socket.socket) -> None:
    """Send without an end."""
    while True:
        connection.sendall(b" " * 65536)


def test_who_goes_on_sending_after_a_refusal_is_hung_up_on(api: Api) -> None:
    """The answer was sent; what else comes is thrown away for a while, and then no more."""
    port: Any = api.http.base_url.port
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % (2**40))
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")
        with pytest.raises(ConnectionError):
            send_on(connection)
    assert api.said(api.order("ok"))
