"""Media that cannot be read, and addresses that must not be: each is named, and nothing stays behind."""

import base64
from typing import Any

import httpx
import pytest

from support.answers import accepted, refused
from support.media import PNG, WAV, base64_of, data_uri
from support.orders import cat, cutout
from support.traces import traces
from unitask.app import Services

LIMIT_BYTES = 10 * 2**20

INLINE = {
    "no-base64": ("no base64 at all!", "input.image is neither a URL nor valid base64"),
    "no-base64-in-uri": ("data:image/png;base64,@@@@", "input.image is neither a URL nor valid base64"),
    "uri-without-base64": ("data:image/png,abc", "input.image is a data URI without base64"),
    "uri-empty": ("data:image/png;base64,", "input.image is neither a URL nor valid base64"),
    "blank": ("   ", "input.image: must not be blank"),
    "letters": ("кот", "letters outside ASCII"),
    "text-file": (base64_of(b"just a text file, nothing else"), "its format is unknown"),
    "svg": (base64_of(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "its format is unknown"),
    "pdf": (base64_of(b"%PDF-1.7 and so on"), "its format is unknown"),
    "audio": (base64_of(WAV), "input.image must hold image data, it is audio/wav"),
    "audio-called-png": (data_uri(WAV), "input.image must hold image data, it is audio/wav"),
    "too-large": (base64_of(PNG.ljust(LIMIT_BYTES + 3)), f"the limit is {LIMIT_BYTES}"),
}
ADDRESSES = {
    "ftp": ("ftp://example.com/a.png", "must begin with http:// or https://"),
    "file": ("file:///etc/passwd", "must begin with http:// or https://"),
    "own-reference": ("unitask-artifact://2026/a.png", "must begin with http:// or https://"),
    "no-host": ("http://", "no valid host name"),
    "password": ("http://user:password@example.com/a.png", "must not hold a user name"),
    "localhost": ("http://localhost/a.png", "the address is not allowed"),
    "loopback": ("http://127.0.0.1:8000/a.png", "the address is not allowed"),
    "loopback-as-number": ("http://2130706433/a.png", "the address is not allowed"),
    "loopback-mapped": ("http://[::ffff:127.0.0.1]/a.png", "the address is not allowed"),
    "private": ("http://10.0.0.7/a.png", "the address is not allowed"),
    "private-v6": ("https://[fd00::1]/a.png", "the address is not allowed"),
    "metadata": ("http://169.254.169.254/latest/meta-data/", "the address is not allowed"),
    "metadata-name": ("http://metadata.google.internal/", "the address is not allowed"),
}


def hooked(endpoint: str) -> dict[str, Any]:
    """Order with a webhook."""
    return cat(config={"webhook_config": {"endpoint": endpoint, "secret": "s"}})


async def assert_nothing_left(client: httpx.AsyncClient, services: Services, order: dict[str, Any]) -> str:
    """Send an order that is refused with 400; gives the sentence."""
    before = await traces(services)
    message = refused(await client.post("/api/v1/task", json=order), 400)
    assert await traces(services) == before
    return message


async def test_a_file_inside_the_body_must_be_of_the_fields_kind(
    client: httpx.AsyncClient, services: Services, subtests: pytest.Subtests
) -> None:
    """What is no picture is refused before it costs anything, and is not kept."""
    for name, (image, sentence) in INLINE.items():
        with subtests.test(name):
            message = await assert_nothing_left(client, services, cutout(image))
            assert message.startswith(("invalid request: ", "failed to get valid image: "))
            assert sentence in message


async def test_an_address_must_be_public_http_as_medium_and_as_webhook(
    client: httpx.AsyncClient, services: Services, subtests: pytest.Subtests
) -> None:
    """Loopback, private and metadata addresses are refused at create, wherever a client may name one."""
    for name, (address, sentence) in ADDRESSES.items():
        with subtests.test(name):
            medium = await assert_nothing_left(client, services, cutout(address))
            assert medium.startswith("invalid request: input.image: ")
            webhook = await assert_nothing_left(client, services, hooked(address))
            assert webhook.startswith("invalid request: config.webhook_config.endpoint: ")
            assert sentence in medium
            assert sentence in webhook


async def test_the_files_of_an_order_go_when_another_of_its_fields_is_wrong(
    client: httpx.AsyncClient, services: Services
) -> None:
    """The first picture is good and stored, the second is not: neither stays."""
    control = [{"control_type": "depth", "control_image": base64_of(b"no picture")}]
    order = {
        "model": "Qubico/flux1-dev-advanced",
        "task_type": "controlnet-lora",
        "input": {"prompt": "a hero", "image": base64_of(PNG), "control_net_settings": control},
    }
    message = await assert_nothing_left(client, services, order)
    assert "input.control_net_settings[0].control_image must hold image data" in message


BAD_KEYS = {"too-long": b"k" * 256, "tab": b"a\tb", "no-character": b"a\x85b"}


async def test_a_bad_idempotency_key_leaves_no_file(
    client: httpx.AsyncClient, services: Services, subtests: pytest.Subtests
) -> None:
    """The key is looked at before the picture is stored."""
    before = await traces(services)
    for name, key in BAD_KEYS.items():
        with subtests.test(name):
            headers = {b"Idempotency-Key": key}
            answer = await client.post("/api/v1/task", json=cutout(base64_of(PNG)), headers=headers)
            assert "Idempotency-Key must be at most 255 printable characters" in refused(answer, 400)
            assert await traces(services) == before


SPELLINGS = {
    "data-uri": data_uri(PNG),
    "data-uri-of-another-type": data_uri(PNG, "application/octet-stream"),
    "bare-base64": base64_of(PNG),
    "url-safe-without-padding": base64.urlsafe_b64encode(PNG).decode().rstrip("="),
    "with-line-breaks": base64.encodebytes(PNG).decode(),
}


async def test_a_file_inside_the_body_becomes_an_address(client: httpx.AsyncClient, subtests: pytest.Subtests) -> None:
    """The echo shows a URL that anyone can read, with the very bytes that were sent."""
    for name, image in SPELLINGS.items():
        with subtests.test(name):
            url = accepted(await client.post("/api/v1/task", json=cutout(image)))["input"]["image"]
            assert url.startswith("http://unitask.test/files/2027/01/15/")
            assert url.endswith(".png")
            answer = await client.get(url, headers={"X-API-Key": ""})
            assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "image/png", PNG)


async def test_a_media_address_comes_back_as_it_was_sent(client: httpx.AsyncClient) -> None:
    """Nothing is fetched at create, and nothing about the URL is changed."""
    url = "https://example.com/a%20cat.png?size=large&q=ä#top"
    assert accepted(await client.post("/api/v1/task", json=cutout(url)))["input"]["image"] == url
