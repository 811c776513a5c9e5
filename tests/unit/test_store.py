"""What every store promises, kept by a folder and by a bucket of a running object store."""

import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from support.objects import ACCESS_KEY_ID, REGION, SECRET, Objects
from unitask.artifacts.model import Bucket
from unitask.artifacts.s3 import S3Store
from unitask.artifacts.store import Facts, LocalStore, Store, trouble
from unitask.kit.errors import BodyTooLarge, NotFound, Unavailable

NAME = "2027/01/15/0123456789abcdef0123456789abcdef.png"
OTHER = "2027/01/16/0123456789abcdef0123456789abcdef.png"
PIECE = b"0123456789abcdef" * 2**16
LARGE = 20  # pieces of a megabyte: more than two parts


async def stream(*pieces: bytes) -> AsyncIterator[bytes]:
    """Send pieces."""
    for piece in pieces:
        yield piece


async def broken(*pieces: bytes) -> AsyncIterator[bytes]:
    """Send pieces, and then break off as a connection may."""
    async for piece in stream(*pieces):
        yield piece
    raise ConnectionAbortedError


async def keep(store: Store, name: str, *pieces: bytes, limit_bytes: int = 2**30) -> tuple[int, str]:
    """Save a picture."""
    return await store.save(stream(*pieces), name, content_type="image/png", limit_bytes=limit_bytes)


def place(objects: Objects, bucket: str, prefix: str = "") -> Bucket:
    """Say where a bucket is."""
    return Bucket(bucket, prefix, objects.address, REGION, ACCESS_KEY_ID)


@pytest.fixture(params=["folder", "bucket", "prefix"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Open a store of each kind."""
    if request.param == "folder":
        return LocalStore(tmp_path / "files")
    objects, bucket = request.getfixturevalue("objects"), request.getfixturevalue("bucket")
    return S3Store(place(objects, bucket, "media/unitask/" if request.param == "prefix" else ""), SECRET)


@pytest.fixture
def left(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> Callable[[], list[str]]:
    """Tell what lies in the store, finished or not."""

    def look() -> list[str]:
        if isinstance(store, LocalStore):
            return [path.name for path in (tmp_path / "files").rglob("*") if path.is_file()]
        objects, bucket = request.getfixturevalue("objects"), request.getfixturevalue("bucket")
        return objects.names(bucket) + objects.parts(bucket)

    return look


@pytest.mark.parametrize("pieces", [0, 1, LARGE])
async def test_a_saved_file_reads_as_it_was_sent(store: Store, pieces: int) -> None:
    """Empty, small, or sent in parts; in whole or in pieces, and with its size."""
    size, digest = await keep(store, NAME, *[PIECE] * pieces)
    assert (size, len(digest)) == (pieces * len(PIECE), 64)
    assert (await store.facts(NAME)).size_bytes == size
    if pieces:
        assert await store.read(NAME, 0, 16) == PIECE[:16]
        assert await store.read(NAME, size - 3, 100) == PIECE[-3:]


async def test_a_stream_that_breaks_off_leaves_nothing(store: Store, left: Callable[[], list[str]]) -> None:
    """Neither a file nor parts of one, however far it came."""
    for pieces in (1, LARGE):
        with pytest.raises((ConnectionAbortedError, Unavailable)):
            await store.save(broken(*[PIECE] * pieces), NAME, content_type="image/png", limit_bytes=2**30)
        with pytest.raises(NotFound):
            await store.facts(NAME)
        assert left() == []


async def test_more_than_the_limit_is_refused(store: Store, left: Callable[[], list[str]]) -> None:
    """At the first byte too many."""
    for pieces in (1, LARGE):
        with pytest.raises(BodyTooLarge):
            await keep(store, NAME, *[PIECE] * pieces, limit_bytes=pieces * len(PIECE) - 1)
        assert left() == []


async def test_a_moved_file_is_where_it_was_moved_to(store: Store) -> None:
    """And nowhere else; what is not there cannot be moved."""
    await keep(store, NAME, b"a picture")
    await store.move(NAME, OTHER)
    assert await store.read(OTHER, 0, 100) == b"a picture"
    for name in (NAME, "2027/01/17/none.png"):
        with pytest.raises(NotFound):
            await store.move(name, OTHER)
    with pytest.raises(NotFound):
        await store.read(NAME, 0, 1)


async def test_files_are_removed_together(store: Store, left: Callable[[], list[str]]) -> None:
    """Those that are gone already are no trouble."""
    await keep(store, NAME, b"one")
    await keep(store, OTHER, b"another")
    assert await store.remove([NAME, "2027/01/17/none.png", OTHER]) == set()
    assert await store.remove([NAME]) == set()
    assert await store.remove([]) == set()
    assert left() == []


async def test_files_are_listed_in_pages(store: Store) -> None:
    """By name, a page at a time, each once."""
    names = sorted(f"2027/{month:02}/{day:02}/{month}{day}.png" for month in (1, 2) for day in (1, 10, 2))
    for name in names:
        await keep(store, name, b"x")
    found: list[str] = []
    while page := await store.listing(found[-1] if found else "", 4):
        assert len(page) <= 4
        found += [one.name for one in page]
    assert found == names
    assert [one.name for one in await store.listing(names[2], 1)] == [names[3]]


async def test_a_store_that_works_has_no_trouble(store: Store, left: Callable[[], list[str]]) -> None:
    """The probe of `unitask doctor` leaves nothing behind."""
    assert await trouble(store, NAME) is None
    assert left() == []


async def test_an_address_in_a_bucket_is_signed_for_one_method(objects: Objects, bucket: str) -> None:
    """Whoever has it reads, or writes, with the type that was stored."""
    store = S3Store(place(objects, bucket), SECRET)
    to = await store.upload_address(NAME, seconds=60)
    assert objects.http.put(to, content=b"sent", headers={"Content-Type": "image/png"}).is_success
    assert await store.facts(NAME) == Facts(4, "image/png")
    signed = await store.locate(NAME, method="GET", seconds=60)
    answer = objects.http.get(signed, headers={"Range": "bytes=1-2"})
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (206, b"en", "image/png")
    for address in (to, signed):
        asked = httpx.URL(address).params
        assert (asked["X-Amz-Expires"], asked["X-Amz-Algorithm"]) == ("60", "AWS4-HMAC-SHA256")
        assert SECRET not in address


async def test_a_bucket_that_is_not_there_is_no_missing_file(objects: Objects, bucket: str) -> None:
    """Files must not count as gone because somebody mistyped a setting."""
    store = S3Store(place(objects, f"{bucket}-mistyped"), SECRET)
    with pytest.raises(Unavailable, match="NoSuchBucket"):
        await store.facts(NAME)
    with pytest.raises(Unavailable, match="NoSuchBucket"):
        await keep(store, NAME, b"x")
    assert await trouble(store, NAME) == "the file cannot be stored: the object store refuses: NoSuchBucket"
    assert await store.remove([NAME, OTHER]) == {NAME, OTHER}


async def test_a_store_that_is_away_is_unavailable(caplog: pytest.LogCaptureFixture) -> None:
    """In a sentence without addresses; and the log has neither the secret nor the name of a file."""
    caplog.set_level(logging.DEBUG)
    store = S3Store(Bucket("bucket", "", "http://127.0.0.1:9", REGION, ACCESS_KEY_ID), SECRET)
    for asked in (store.facts(NAME), store.read(NAME, 0, 1), keep(store, NAME, b"x"), store.listing("", 1)):
        with pytest.raises(Unavailable) as raised:
            await asked
        assert "the object store does not answer as it should" in str(raised.value)
        assert "127.0.0.1" not in str(raised.value)
    assert "the file cannot be read: HTTP error: error sending request" in caplog.text
    assert SECRET not in caplog.text
    assert NAME not in caplog.text, "whoever knows it has the file"


async def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    """The sentence says why."""
    (tmp_path / "files").write_text("a file where a folder should be")
    wrong = await trouble(LocalStore(tmp_path / "files"), NAME)
    assert wrong == "the file cannot be stored: Not a directory"
