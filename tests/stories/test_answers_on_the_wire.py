"""Answers as bytes on a connection: their framing is right whatever way they are written."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.keys import API_KEY
from support.machine import Machine

GET = f"GET /api/v1/task HTTP/1.1\r\nHost: unitask\r\nX-API-Key: {API_KEY}\r\n"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[int]:
    """Start a server."""
    machine = Machine(tmp_path_factory.mktemp("wire"), sqlite_template, {"API_KEY": API_KEY, "PORT": "0"})
    api = machine.client(machine.start("up"))
    yield api.http.base_url.port or 0
    machine.clear_away()


def say(port: int, requests: str) -> bytes:
    """Send requests and read until the server hangs up."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as connection:
        connection.sendall(requests.encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def split(answers: bytes) -> list[tuple[bytes, bytes]]:
    """Cut what came into heads and bodies, by the lengths that are told."""
    found = []
    while answers:
        head, _, rest = answers.partition(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(fields[b"content-length"])
        found.append((head, rest[:length]))
        answers = rest[length:]
    return found


def test_requests_that_come_at_once_are_answered_one_after_the_other(port: int) -> None:
    """Three requests in one piece, the last of which ends the connection."""
    answers = split(say(port, f"{GET}\r\n{GET}\r\n{GET}Connection: close\r\n\r\n"))
    assert [head.split(b"\r\n")[0] for head, _ in answers] == [b"HTTP/1.1 200 OK"] * 3
    assert [b"connection: close" in head for head, _ in answers] == [False, False, True]
    assert len({body for _, body in answers}) == 1


def test_an_old_client_is_hung_up_on_when_it_has_its_answer(port: int) -> None:
    """HTTP/1.0 without a word about the connection."""
    ((head, body),) = split(say(port, GET.replace("HTTP/1.1", "HTTP/1.0") + "\r\n"))
    assert b"connection: close" in head
    assert body.startswith(b'{"code":200,')


def test_a_head_has_the_length_and_no_body(port: int) -> None:
    """HEAD is answered as GET is, without what follows the head."""
    answer = say(port, GET.replace("GET", "HEAD") + "Connection: close\r\n\r\n")
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert b"content-length: " in head
    assert rest == b""
