"""Keys out of texts: a provider may quote what it was sent, in parts and in other spellings too."""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Final

_SHOWN: Final = "[key]"
_LEAST: Final = 6
_LEAST_OF_PARTS: Final = 8
_SIGNS: Final = {"+": "(?:[+-]|%2[Bb])", "/": "(?:[/_]|%2[Ff])"}
_LIKE_KEYS: Final = (
    re.compile(r"(?i)\b(bearer|key|token|x-api-key|authorization)\b([\"']?\s*[:=]?\s*[\"']?)[A-Za-z0-9._~+/:-]{12,}=*"),
    re.compile(r"()()\b(?:sk|r8|hf|pk|key)[-_][A-Za-z0-9_-]{8,}"),
    re.compile(r"(?i)([?&](?:[a-z-]*signature|[a-z-]*token|key|sig|credential)=)()[^&\s\"']+"),
)


def redact(text: str, keys: Iterable[str]) -> str:
    """Take these keys out of a text, whole or in parts, as they are or encoded, and whatever looks like one."""
    secrets = sorted({secret for key in keys for secret in _secrets(key)}, key=len, reverse=True)
    if secrets:
        text = re.sub("|".join(f"{_spelt(one)}|{_in_base64(one)}" for one in secrets), _SHOWN, text)
    for pattern in _LIKE_KEYS:
        text = pattern.sub(rf"\1\2{_SHOWN}", text)
    return text


def _secrets(key: str) -> Iterator[str]:
    """List what of a key nobody may read: all of it, and what stands between its colons (`id:secret`)."""
    if len(key) >= _LEAST:
        yield key
    yield from (part for part in key.split(":") if len(part) >= _LEAST_OF_PARTS)


def _spelt(secret: str) -> str:
    """Write a pattern of a text as it is, percent-encoded, or in JSON: writers differ in what they encode."""
    return "".join(map(_letter, secret))


def _letter(letter: str) -> str:
    if letter.isascii() and letter.isalnum():
        return letter
    percent = "".join(f"%{byte:02X}" for byte in letter.encode(errors="replace"))
    written = [percent, json.dumps(letter)[1:-1], f"\\u{ord(letter):04x}", f"\\{letter}", letter]
    written += ["+"] if letter == " " else []
    return f"(?i:{'|'.join(map(re.escape, written))})"


def _in_base64(secret: str) -> str:
    """Write a pattern of a text in base64, of either alphabet; what follows it (`key:`) may be in its last letters."""
    content = secret.encode(errors="replace")
    rest = len(content) % 3
    whole = b64encode(content[: len(content) - rest]).decode()
    known = "".join(_SIGNS.get(letter, letter) for letter in whole)
    last = f"(?:[A-Za-z0-9]|{_SIGNS['+']}|{_SIGNS['/']}){{{rest + 1 if rest else 0}}}"
    return f"{known}{last}(?:=|%3[Dd]){{0,2}}"
