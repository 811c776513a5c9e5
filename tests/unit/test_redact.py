"""No key in what a provider says."""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from unitask.remote.redact import redact

KEY = "an operator's:secret/value"
PAIR = "0f1e2d3c-4b5a-6978:9a8b7c6d5e4f30211203f4e5d6c7b8a9"
HARD = 'a "quoted"\\key/with&signs:\u00e9t\u00e9-\U0001f511-secret'


@pytest.mark.parametrize(
    "text",
    ["{}", "Bearer {}", "Authorization: Key {}", "https://a.test/?key={}&b=c", '{{"api_key": "{}"}}', "{0}{0}"],
)
def test_a_known_key_is_taken_out(text: str) -> None:
    """Wherever it stands, whatever it looks like."""
    said = redact(text.format(KEY), [KEY])
    assert KEY not in said
    assert "[key]" in said


@pytest.mark.parametrize(
    "text",
    [
        "Bearer abcdefghijklmnop",
        "authorization: abcdefghijklmnop",
        "Key 0123abcd-0123:deadbeefdeadbeef",
        'token="abcdefghijklmnop"',
        "X-API-Key: abcdefghijklmnop",
        "sk-abcdefghijklmnop was refused",
        "r8_abcdefghijklmnop",
        "hf_abcdefghijklmnop",
        "https://a.test/?X-Amz-Signature=abcdefgh&x=1",
        "https://a.test/?x=1&token=abcdefgh",
        "https://a.test/?sig=abcdefgh",
    ],
)
def test_what_looks_like_a_key_is_taken_out(text: str) -> None:
    """Also one that we do not know."""
    said = redact(text, [])
    assert "abcdefgh" not in said
    assert "deadbeef" not in said
    assert "[key]" in said


@pytest.mark.parametrize(
    "text",
    [
        "the key is wrong",
        "Value not in list: unet_name: 'flux1-dev.safetensors'",
        "https://a.test/files/output.png?width=64",
        "a token of love",
        "task-1234",
        "invalid request: prompt is missing",
    ],
)
def test_sentences_stay_as_they_are(text: str) -> None:
    """Words that speak of keys are none."""
    assert redact(text, ["a-key-of-ours"]) == text


def test_a_key_of_few_letters_is_no_key() -> None:
    """Else half of all sentences would be gone."""
    assert redact("a cat on a mat", ["a", "cat"]) == "a cat on a mat"


def test_a_key_is_taken_out_where_its_parts_stand_apart() -> None:
    """A key of two parts is quoted as an id and a secret."""
    first, second = PAIR.split(":")
    said = redact(f"No user found for id {first} and secret {second}, {second[:7]}", [PAIR])
    assert said == f"No user found for id [key] and secret [key], {second[:7]}"


def test_parts_of_few_letters_are_no_keys() -> None:
    """They may be words: seven letters stay, eight go."""
    assert redact("demoers of somebody: key:demoers:somebody", ["key:demoers:somebody"]) == ("demoers of [key]: [key]")


@pytest.mark.parametrize("key", [PAIR, KEY, HARD, f"{PAIR}1", f"{PAIR}12"])
@pytest.mark.parametrize(
    "write",
    [
        lambda key: quote(key, safe=""),
        quote,
        quote_plus,
        lambda key: quote(key, safe="").replace("%3A", "%3a").replace("%2F", "%2f"),
        lambda key: json.dumps(key)[1:-1],
        lambda key: json.dumps(key, ensure_ascii=False)[1:-1].replace("/", r"\/"),
        lambda key: json.dumps(key)[1:-1].replace("&", r"\u0026").replace(":", r"\u003A"),
        lambda key: b64encode(key.encode()).decode(),
        lambda key: b64encode(key.encode()).decode().rstrip("="),
        lambda key: urlsafe_b64encode(key.encode()).decode(),
        lambda key: quote(b64encode(key.encode()).decode(), safe=""),
    ],
    ids=[
        "percent", "path", "form", "small percent", "JSON", "JSON of PHP", "JSON of Go",
        "base64", "bare base64", "base64 of addresses", "base64 in an address",
    ],
)  # fmt: skip
def test_an_encoded_key_is_taken_out(key: str, write: Callable[[str], str]) -> None:
    """However a provider writes what it was sent."""
    assert redact(f"it said <{write(key)}> of it", [key]) == "it said <[key]> of it"


@pytest.mark.parametrize("key", [PAIR, f"{PAIR}1", f"{PAIR}12"])
def test_a_key_that_was_a_name_without_a_password_is_taken_out(key: str) -> None:
    """Basic authentication writes `key:` in base64; of that no more than the colon may be left."""
    written = b64encode(f"{key}:".encode()).decode()
    said = redact(f"it said <{written}>", [key])
    assert said.removeprefix("it said <[key]") in {"Og==>", "o=>", "6>"}
