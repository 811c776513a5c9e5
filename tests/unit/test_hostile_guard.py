"""The whole list of hostile addresses against the guard: nothing is ever connected to that must not be."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import httpcore
import pytest

from support.attempts import attempt
from support.hostile import ADDRESSES, CHAINS, PUBLIC, REBINDING, RESOLVED, Chain, Hostile, Named
from support.loopback import LoopbackBackend, Trap, answer, redirect, serving, trap
from unitask.kit.errors import MediaFailure
from unitask.kit.net import Guard, Refused, Unreachable
from unitask.spec.media import Media
from unitask.spec.product import Recipe
from unitask.worker.job import ChildJob

AT_LEAST = 150


class NobodyHears:
    """A parent process that is not asked for anything."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.saved: SimpleQueue[Any] = SimpleQueue()

    def say(self, word: object) -> None:
        """Hear nothing."""
        raise AssertionError(word)


@pytest.fixture(scope="module")
def trapped() -> Iterator[Trap]:
    """Set up a trap that nobody may walk into."""
    with trap() as made:
        yield made
    assert made.visits == []


@pytest.fixture
def job(tmp_path: Path) -> ChildJob:
    """Give what an engine reads its inputs through, as a worker with the settings of production makes it."""
    files = {"files_url": "https://unitask.example/files/", "own_files_url": "http://127.0.0.1:9/files/"}
    order = attempt(tmp_path, **files)
    return ChildJob(parent=NobodyHears(), order=order, recipe=Recipe("cpu", "full", "upscale"))


def resolver(answers: tuple[tuple[str, ...], ...]) -> Callable[[str, int], list[str]]:
    """Answer one after the other, and the last one from then on."""
    left = list(answers)
    return lambda _host, _port: list(left.pop(0) if len(left) > 1 else left[0])


def post(guard: Guard, url: str) -> None:
    """Send a webhook."""

    async def run() -> None:
        async with guard.poster() as poster:
            await poster.post(url, content=b"{}", headers={}, timeout_s=5, limit_bytes=100)

    asyncio.run(run())


def test_the_list_is_long_and_has_no_case_twice():
    """Each case has a name, an address and a reason of its own kind."""
    assert len(ADDRESSES) + len(RESOLVED) + len(CHAINS) >= AT_LEAST
    assert len({one.url for one in ADDRESSES}) == len({one.name for one in ADDRESSES}) == len(ADDRESSES)
    assert all(one.why for one in (*ADDRESSES, *RESOLVED, *CHAINS))


@pytest.mark.parametrize("case", ADDRESSES, ids=lambda case: case.name)
def test_a_hostile_address_is_refused_by_its_text(case: Hostile, trapped: Trap):
    """As an input and as a webhook, before a name is looked up; the sentence does not repeat the address."""
    url = case.url.format(port=trapped.port)
    guard = Guard(resolve=resolver(((PUBLIC,),)))
    with pytest.raises(Refused, match=r"^the address ") as refusal:
        guard.check_url(url)
    assert url not in str(refusal.value)
    with pytest.raises(Refused):
        post(guard, url)


@pytest.mark.parametrize("case", ADDRESSES, ids=lambda case: case.name)
def test_a_worker_does_not_fetch_a_hostile_address(case: Hostile, job: ChildJob, trapped: Trap):
    """It does not rely on the check at create: the same guard stands before its own connections."""
    with pytest.raises(MediaFailure, match=r"^failed to get valid image: the address "):
        job.fetch(case.url.format(port=trapped.port), Media("image"))
    assert list(job.scratch.iterdir()) == []


@pytest.mark.parametrize("case", RESOLVED, ids=lambda case: case.name)
def test_a_name_that_resolves_to_a_hostile_address_is_refused(case: Named, tmp_path: Path, trapped: Trap):
    """As an input and as a webhook, when it is looked up; nothing was connected to."""
    backend = LoopbackBackend()
    url = f"http://{case.name}.example:{trapped.port}/"
    with pytest.raises(Refused, match=r"^the address is not allowed$"):
        Guard(resolve=resolver(case.answers), backend=backend).download(
            url, tmp_path / "file", limit_bytes=100, timeout_s=5
        )
    assert backend.asked == []
    with pytest.raises(Refused, match=r"^the address is not allowed$"):
        post(Guard(resolve=resolver(case.answers)), url)


def test_a_name_that_moves_is_read_where_it_was_checked(tmp_path: Path, trapped: Trap):
    """The connection goes to the address that was checked, and a second look, at a redirect, is checked again."""
    backend = LoopbackBackend()
    guard = Guard(resolve=resolver(REBINDING.answers), backend=backend)
    with (
        serving(redirect(f"http://moves.example:{trapped.port}/"), answer(b"secret")) as server,
        pytest.raises(Refused),
    ):
        guard.download(server.url(host="moves.example"), tmp_path / "file", limit_bytes=100, timeout_s=5)
    assert backend.asked == [PUBLIC]


@pytest.mark.parametrize("case", CHAINS, ids=lambda case: case.name)
def test_a_redirect_into_the_dark_is_not_followed(case: Chain, tmp_path: Path, trapped: Trap):
    """A public server leads nobody to a hostile address, nor round and round."""
    backend = LoopbackBackend()

    def resolve(host: str, _port: int) -> list[str]:
        return ["10.0.0.7"] if host == "to-private-10.example" else [PUBLIC]

    hops = [redirect(location.format(port=trapped.port)) for location in case.locations]
    with serving(*hops) as server, pytest.raises((Refused, Unreachable)) as failure:
        Guard(resolve=resolve, backend=backend).download(
            server.url(host="media.example"), tmp_path / "file", limit_bytes=100, timeout_s=5
        )
    assert "the address" in str(failure.value)
    assert set(backend.asked) == {PUBLIC}
    assert not (tmp_path / "file").exists()


def test_a_redirect_does_not_leave_tls(tmp_path: Path):
    """What was asked for over TLS does not come over a line that anyone can read and change."""
    backend = httpcore.MockBackend([b"HTTP/1.1 302 Found\r\nlocation: http://media.example/a.png\r\n\r\n"])
    guard = Guard(resolve=resolver(((PUBLIC,),)), backend=backend)
    with pytest.raises(Refused, match=r"^the address redirects from https to http$"):
        guard.download("https://media.example/a.png", tmp_path / "file", limit_bytes=100, timeout_s=5)


def test_an_encoded_line_break_stays_encoded(tmp_path: Path):
    """It is part of the path and begins no header of its own."""
    with serving(answer(b"x")) as server:
        guard = Guard(resolve=resolver(((PUBLIC,),)), backend=LoopbackBackend())
        url = server.url("/%0d%0aX-Injected:%20yes?%0aa", host="media.example")
        guard.download(url, tmp_path / "file", limit_bytes=100, timeout_s=5)
    assert server.heads[0].startswith(b"GET /%0d%0aX-Injected:%20yes?%0aa HTTP/1.1\r\n")
    assert b"\nX-Injected" not in server.heads[0]
