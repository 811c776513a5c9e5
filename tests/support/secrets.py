"""Secrets that a test hands out, and the search for a piece of one where none may be."""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Final

_PIECE: Final = 12


@dataclass
class Secrets:
    """What was handed out, by what it is."""

    known: dict[str, str] = field(default_factory=dict)

    def new(self, what: str) -> str:
        """Make up one that stands nowhere by chance."""
        return self.remember(what, hashlib.sha256(what.encode()).hexdigest()[:40])

    def remember(self, what: str, value: str) -> str:
        """Look for this one too."""
        assert len(value) > _PIECE
        assert self.known.setdefault(what, value) == value, f"there are two of {what!r}"
        return value

    def found_in(self, text: str) -> list[str]:
        """Name those of which the beginning or the end stands in a text, as it is or as base64."""
        return [what for what, value in self.known.items() if any(piece in text for piece in _pieces(value))]


def _pieces(value: str) -> list[str]:
    # As base64 a secret begins anywhere in a group of three bytes; the groups at its edges mix with what is around.
    encoded = [base64.b64encode(b"x" * shift + value.encode()).decode() for shift in range(3)]
    return [value[:_PIECE], value[-_PIECE:], *(text[4 : 4 + 2 * _PIECE] for text in encoded)]
