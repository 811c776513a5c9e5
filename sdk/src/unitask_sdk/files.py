"""Files: how they go to the server, and how results come back."""

import base64
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Final

from unitask_sdk import answers, calls, clock
from unitask_sdk.effects import Answer, Download, Pause, Request, Steps
from unitask_sdk.errors import NoAnswer, TooLarge, UnitaskError, Unsupported
from unitask_sdk.session import Session

INLINE_BYTES: Final = 256 * 1024
"""Up to here a file goes inside the order: no request of its own, nothing left behind."""
FALLBACK_BYTES: Final = 10 * 2**20
"""Up to here it does so where the server takes no uploads."""
DOWNLOAD_BYTES: Final = 8 * 2**30
_UPLOAD_TIMEOUT_S: Final = 600.0
_UNKNOWN: Final = "application/octet-stream"


def upload(session: Session, file: Path | bytes, name: str | None) -> Steps[str]:
    """Give a text that stands for the file in an input: a data URI, or the address to which it was uploaded.

    Raises:
        TooLarge: the server takes no uploads, and the file is too large to go inside the order.

    """
    name = name or (file.name if isinstance(file, Path) else "")
    if not Path(name).suffix:
        raise UnitaskError("a file needs a name that ends in what it is, such as photo.png")
    size = file.stat().st_size if isinstance(file, Path) else len(file)
    if not size:
        raise UnitaskError(f"the file {name} is empty")
    if size <= INLINE_BYTES:
        return data_uri(file, name)
    try:
        return (yield from _send(session, file, name, size))
    except Unsupported:
        if size > FALLBACK_BYTES:
            raise TooLarge(
                f"{name} has {size} bytes; this server takes no uploads, and inside an order at most {FALLBACK_BYTES}: "
                "put the file where the server can read it, and give its address"
            ) from None
        return data_uri(file, name)


def data_uri(file: Path | bytes, name: str) -> str:
    """Write a file as a text."""
    content = file.read_bytes() if isinstance(file, Path) else file
    kind = mimetypes.guess_type(name)[0] or _UNKNOWN
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _send(session: Session, file: Path | bytes, name: str, size: int) -> Steps[str]:
    """Announce the file, send it to the address that comes back, and have it looked at."""
    announcement = session.request("POST", "/api/v1/uploads", json_body={"file_name": name, "size_bytes": size})
    place = answers.supported((yield from calls.ask(session, announcement)), "take uploads") or {}
    headers = {**(place.get("headers") or {}), "Content-Length": str(size)}
    # The address may lead to a bucket of somebody else: our key does not go there.
    sending = Request(str(place.get("method") or "PUT"), str(place.get("upload_url")), headers, file, _UPLOAD_TIMEOUT_S)
    sent = yield from calls.ask(session, sending)
    if not sent.is_success:
        raise answers.refusal(sent.status, answers.document(sent), None)
    done = session.request("POST", f"/api/v1/uploads/{place.get('id')}/complete")
    return str(answers.data((yield from calls.ask(session, done)))["url"])


def download(url: str, into: BinaryIO, limit_bytes: int) -> Steps[str]:
    """Write what lies at an address into a file, and give its content type.

    Raises:
        TooLarge: it has more bytes than the limit.

    """
    # Addresses of results need no key, and may be anywhere.
    request = Download(Request("GET", url, timeout_s=60.0), into, limit_bytes)
    began = into.tell()
    for tries in range(1, calls.TRIES + 1):
        into.seek(began)
        into.truncate()
        answer: Answer | None = None
        try:
            answer = yield request
        except NoAnswer:
            if tries == calls.TRIES:
                raise
        if answer is not None and (answer.status < HTTPStatus.INTERNAL_SERVER_ERROR or tries == calls.TRIES):
            break
        yield Pause(clock.backoff_s(tries))
    assert answer is not None  # noqa: S101 - the last try gave one or raised
    if not answer.is_success:
        raise answers.refusal(answer.status, answers.document(answer), None)
    return answer.headers.get("content-type", "").partition(";")[0].strip() or _UNKNOWN


@contextmanager
def arriving(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its name when it is complete, and is gone if it never is."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w+b") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
