"""Keeping a file for a day, to give its address to a task."""

import json

import httpx
import pytest

from support.answers import accepted, refused
from support.clock import ManualClock
from support.media import PNG, WAV, base64_of, data_uri
from support.orders import cutout
from support.traces import files, rows
from unitask.app import Services

ROUTE = "/api/ephemeral_resource"
LIMIT_BYTES = 10 * 2**20
JPG = b"\xff\xd8\xff\xe0" + bytes(20)
MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(12)
MP3 = b"ID3" + bytes(20)
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 " + bytes(8)
GOOD = {
    "a.png": ("image/png", PNG),
    "A Cat.PNG": ("image/png", PNG),
    "a.b.jpg": ("image/jpeg", JPG),
    "a.jpeg": ("image/jpeg", JPG),
    "a.webp": ("image/webp", WEBP),
    "a.mp4": ("video/mp4", MP4),
    "a.wav": ("audio/wav", WAV),
    "猫.mp3": ("audio/mpeg", MP3),
    "../../etc/a.png": ("image/png", PNG),
    "x" * 124 + ".png": ("image/png", PNG),
}
BAD = {
    "no-name": ({"file_data": base64_of(PNG)}, "file_name: Field required"),
    "no-data": ({"file_name": "a.png"}, "file_data: Field required"),
    "empty": ({}, "file_name: Field required"),
    "empty-data": ({"file_name": "a.png", "file_data": ""}, "file_data"),
    "nulls": ({"file_name": None, "file_data": None}, "file_name: Input should be a valid string"),
    "a-number": ({"file_name": "a.png", "file_data": 5}, "file_data: Input should be a valid string"),
    "long-name": ({"file_name": "x" * 125 + ".png", "file_data": base64_of(PNG)}, "file_name: String should have at"),
    "no-extension": ({"file_name": "png", "file_data": base64_of(PNG)}, "file_name must end in one of avif, bmp"),
    "bad-extension": ({"file_name": "a.exe", "file_data": base64_of(PNG)}, "file_name must end in one of avif, bmp"),
    "other-type": ({"file_name": "a.jpg", "file_data": base64_of(PNG)}, "says .jpg, but the data is image/png"),
    "other-uri": ({"file_name": "a.mp4", "file_data": data_uri(PNG)}, "says .mp4, but the data is image/png"),
    "no-media": ({"file_name": "a.png", "file_data": base64_of(b"hello, world")}, "the data is of no known format"),
    "not-base64": ({"file_name": "a.png", "file_data": "{not base64}"}, "file_data is neither a URL nor valid base64"),
    "a-url": ({"file_name": "a.png", "file_data": "https://example.com/a.png"}, "file_data is neither"),
    "uri-without-base64": ({"file_name": "a.png", "file_data": "data:image/png,abc"}, "is a data URI without base64"),
    "too-large": (
        {"file_name": "a.png", "file_data": base64_of(PNG.ljust(LIMIT_BYTES + 1, b"\0"))},
        f"file_data holds {LIMIT_BYTES + 1} bytes, the limit is {LIMIT_BYTES}",
    ),
}
BAD_FORMS = {
    "no-file": (b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--b--\r\n", "needs a part named file"),
    "a-text": (b"--b\r\nContent-Disposition: form-data; name=file\r\n\r\n1\r\n--b--\r\n", "needs a part named file"),
    "nothing": (b"", "needs a part named file"),
    "no-boundary": (b"{hello}", ""),
    "no-name": (b"--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--\r\n", "name"),
}


def kept(answer: httpx.Response) -> str:
    """Check the answer of an upload; gives the address of the file."""
    body = answer.json()
    assert answer.status_code == 200, body
    assert (body["code"], body["message"]) == (200, "success")
    assert body["url"] == body["data"]["url"]
    return body["url"]


@pytest.mark.parametrize("name", GOOD)
async def test_a_file_is_kept_under_an_address_of_its_own(client: httpx.AsyncClient, name: str) -> None:
    """The address is at the top of the answer and in its data, ends in a real extension and needs no key."""
    content_type, content = GOOD[name]
    for data in (base64_of(content), data_uri(content, content_type)):
        url = kept(await client.post(ROUTE, json={"file_name": name, "file_data": data}))
        assert url.startswith("http://unitask.test/files/")
        assert url.rpartition(".")[2] == name.rpartition(".")[2].lower().replace("jpeg", "jpg")
        answer = await client.get(url, headers={"X-API-Key": ""})
        assert (answer.headers["content-type"], answer.content) == (content_type, content)


@pytest.mark.parametrize("name", GOOD)
async def test_a_form_does_the_same(client: httpx.AsyncClient, name: str) -> None:
    """The file is a part named `file`; other parts do not matter."""
    content_type, content = GOOD[name]
    url = kept(await client.post(ROUTE, files={"file": (name, content)}, data={"purpose": "input"}))
    answer = await client.get(url)
    assert (answer.headers["content-type"], answer.content) == (content_type, content)


async def test_a_file_of_the_largest_size_is_kept(client: httpx.AsyncClient) -> None:
    """Ten mebibytes, by either form."""
    content = PNG.ljust(LIMIT_BYTES, b"\0")
    as_json = await client.post(ROUTE, json={"file_name": "a.png", "file_data": base64_of(content)})
    as_form = await client.post(ROUTE, files={"file": ("a.png", content)})
    for answer in (as_json, as_form):
        assert (await client.get(kept(answer))).content == content


async def test_an_upload_is_gone_after_a_day(client: httpx.AsyncClient, services: Services, clock: ManualClock) -> None:
    """The answer says when."""
    answer = await client.post(ROUTE, json={"file_name": "a.png", "file_data": base64_of(PNG)})
    assert answer.json()["data"]["expires_at"] == "2027-01-16T08:00:00Z"
    clock.pass_s(24 * 3600 - 1)
    assert (await client.get(kept(answer))).status_code == 200
    clock.pass_s(2)
    assert (await client.get(kept(answer))).status_code == 404


async def test_an_upload_can_be_the_input_of_a_task(client: httpx.AsyncClient) -> None:
    """Though it lies on an address of our own."""
    url = kept(await client.post(ROUTE, json={"file_name": "a.png", "file_data": base64_of(PNG)}))
    assert accepted(await client.post("/api/v1/task", json=cutout(url)))["input"]["image"] == url


@pytest.mark.parametrize("name", BAD)
async def test_what_is_no_upload_is_refused(client: httpx.AsyncClient, services: Services, name: str) -> None:
    """400 with the documented words and the reason; nothing is stored."""
    body, sentence = BAD[name]
    message = refused(await client.post(ROUTE, json=body), 400)
    assert message.startswith("Invalid request parameters: ")
    assert sentence in message
    assert (files(services), await rows(services, "artifacts")) == ([], [])


async def test_a_body_that_is_no_json_is_refused(client: httpx.AsyncClient) -> None:
    """400 too."""
    for body in (b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"file_name": "\\ud800.png", "file_data": "eA=="}'):
        assert refused(await client.post(ROUTE, content=body), 400).startswith("Invalid request parameters: ")


@pytest.mark.parametrize("name", BAD_FORMS)
async def test_a_form_without_a_file_is_refused(client: httpx.AsyncClient, name: str) -> None:
    """400, whatever is wrong with it."""
    body, sentence = BAD_FORMS[name]
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    message = refused(await client.post(ROUTE, content=body, headers=headers), 400)
    assert message.startswith("Invalid request parameters: ")
    assert sentence in message


async def test_a_form_without_a_boundary_is_refused(client: httpx.AsyncClient) -> None:
    """Nobody can read it."""
    answer = await client.post(ROUTE, content=b"x", headers={"Content-Type": "multipart/form-data"})
    assert "boundary" in refused(answer, 400)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.exe", PNG, "must end in one of"),
        ("a.jpg", PNG, "says .jpg, but the data is image/png"),
        ("x" * 125 + ".png", PNG, "longer than 128 characters"),
        ("a.png", PNG.ljust(LIMIT_BYTES + 1, b"\0"), f"larger than {LIMIT_BYTES} bytes"),
    ],
    ids=["extension", "type", "name", "size"],
)
async def test_a_form_keeps_to_the_same_rules(
    client: httpx.AsyncClient, services: Services, name: str, content: bytes, sentence: str
) -> None:
    """Extension, type, name and size."""
    assert sentence in refused(await client.post(ROUTE, files={"file": (name, content)}), 400)
    assert files(services) == []


async def test_a_form_has_an_end(client: httpx.AsyncClient, services: Services) -> None:
    """A body beyond the server's limit is not read to its end, announced or not."""
    limit = services.settings.body_limit_bytes
    headers = {"Content-Type": "multipart/form-data; boundary=b", "Content-Length": str(limit + 1)}
    refused(await client.post(ROUTE, content=b"--b", headers=headers), 413)


async def test_json_may_come_without_its_content_type(client: httpx.AsyncClient) -> None:
    """Half of the clients forget it."""
    body = json.dumps({"file_name": "a.png", "file_data": base64_of(PNG)}).encode()
    for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        kept(await client.post(ROUTE, content=body, headers={"Content-Type": content_type}))
