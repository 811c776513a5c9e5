"""Keys out of texts: a provider may quote what it was sent."""

import re
from collections.abc import Iterable
from typing import Final

_SHOWN: Final = "[key]"
_LEAST: Final = 6
_LIKE_KEYS: Final = (
    re.compile(r"(?i)\b(bearer|key|token|x-api-key|authorization)\b([\"']?\s*[:=]?\s*[\"']?)[A-Za-z0-9._~+/:-]{12,}=*"),
    re.compile(r"()()\b(?:sk|r8|hf|pk|key)[-_][A-Za-z0-9_-]{8,}"),
    re.compile(r"(?i)([?&](?:[a-z-]*signature|[a-z-]*token|key|sig|credential)=)()[^&\s\"']+"),
)


def redact(text: str, keys: Iterable[str]) -> str:
    """Take these keys out of a text, and whatever looks like one."""
    for key in keys:
        if len(key) >= _LEAST:
            text = text.replace(key, _SHOWN)
    for pattern in _LIKE_KEYS:
        text = pattern.sub(rf"\1\2{_SHOWN}", text)
    return text
