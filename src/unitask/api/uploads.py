"""File upload: the documented JSON form with base64, and multipart as our own."""

from pathlib import PurePosixPath
from typing import Final

import orjson
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from unitask.accounts.model import Scope
from unitask.api.envelope import JsonAnswer
from unitask.api.requests import caller, chunks, message, route, services
from unitask.kit.clock import rfc3339
from unitask.kit.errors import InvalidRequest
from unitask.kit.media import CONTENT_TYPES, HEAD_BYTES, BadInline, decode_inline, sniff

LIMIT_BYTES: Final = 10 * 2**20
NAME_CHARACTERS: Final = 128
_SAME: Final = {"jpeg": "jpg", "tif": "tiff"}
_PHRASE: Final = "Invalid request parameters"


class Upload(BaseModel):
    """The documented body: a name with an extension and the content as base64, bare or as a data URI."""

    file_name: str = Field(min_length=1, max_length=NAME_CHARACTERS)
    file_data: str = Field(min_length=1)


def extension_of(name: str) -> str:
    """Find the extension that a file of this name is kept under.

    Raises:
        InvalidRequest: it is none that we know.

    """
    suffix = PurePosixPath(name).suffix.lower().lstrip(".")
    extension = _SAME.get(suffix, suffix)
    if extension not in CONTENT_TYPES:
        raise InvalidRequest(f"{_PHRASE}: file_name must end in one of {', '.join(sorted(CONTENT_TYPES))}")
    return extension


def _extension(name: str, content: bytes) -> str:
    """Find the extension, and make sure that the content is what the name says."""
    extension = extension_of(name)
    found = sniff(content[:HEAD_BYTES])
    if found is None or found.content_type != CONTENT_TYPES[extension]:
        seen = found.content_type if found else "of no known format"
        raise InvalidRequest(f"{_PHRASE}: file_name says {PurePosixPath(name).suffix}, but the data is {seen}")
    return extension


async def _from_json(request: Request) -> tuple[str, bytes]:
    upload = await message(request, Upload, _PHRASE)
    try:
        return upload.file_name, decode_inline(upload.file_data, LIMIT_BYTES)
    except BadInline as error:
        raise InvalidRequest(f"{_PHRASE}: file_data {error}") from error


async def _from_form(request: Request) -> tuple[str, bytes]:
    try:
        form = await MultiPartParser(request.headers, chunks(request), max_files=1, max_fields=10).parse()
    except MultiPartException as error:
        raise InvalidRequest(f"{_PHRASE}: {error.message}") from error
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise InvalidRequest(f"{_PHRASE}: the form needs a part named file, with a file name")
        if len(file.filename) > NAME_CHARACTERS:
            raise InvalidRequest(f"{_PHRASE}: the file name is longer than {NAME_CHARACTERS} characters")
        content = await file.read(LIMIT_BYTES + 1)
        if len(content) > LIMIT_BYTES:
            raise InvalidRequest(f"{_PHRASE}: the file is larger than {LIMIT_BYTES} bytes")
        return file.filename, content
    finally:
        await form.close()


async def upload(request: Request) -> JsonAnswer:
    """`POST /api/ephemeral_resource`: keep a file for a day; its address can be an input of a task."""
    who = await caller(request, Scope.FILES)
    is_form = request.headers.get("content-type", "").startswith("multipart/form-data")
    name, content = await (_from_form(request) if is_form else _from_json(request))
    artifacts = services(request).artifacts
    artifact = await artifacts.keep_upload(content, extension=_extension(name, content), account_id=who.account_id)
    url = artifacts.files_url + artifact.file.path
    answer = {
        "code": 200,
        "data": {"url": url, "expires_at": rfc3339(artifact.expires_at)},
        "message": "success",
        "url": url,
    }
    return JsonAnswer(orjson.dumps(answer))


ROUTES = [route("POST", "/api/ephemeral_resource", upload)]
