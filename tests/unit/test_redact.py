"""No key in what a provider says."""

import pytest

from unitask.remote.redact import redact

KEY = "an operator's:secret/value"


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
