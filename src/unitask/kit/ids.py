"""Identifiers: task ids that sort by time, and secrets nobody can guess."""

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

_SHORT: Final = 10
_BLOCK: Final = 400 * _SHORT
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def uuid7(now_us: int, chance: bytes) -> str:
    """Make a version 7 UUID (RFC 9562): 48 bits of milliseconds, 12 of the next microseconds, 62 of chance.

    `chance` is eight random bytes. The sub-millisecond bits keep ids made by one process in order of creation.
    """
    milliseconds, micro = divmod(now_us, 1000)
    value = (milliseconds & (2**48 - 1)) << 80
    value |= 0x7 << 76 | (micro * 4095 // 999) << 64
    value |= 0b10 << 62 | int.from_bytes(chance, "big") & (2**62 - 1)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_id(now_us: int) -> str:
    """Make a fresh id for a task, an artifact or a delivery."""
    return uuid7(now_us, os.urandom(8))


def made_at_us(id_: str) -> int:
    """Tell when an id was made, to the millisecond, in microseconds since the epoch."""
    return int(id_[:8] + id_[9:13], 16) * 1000


def first_id(moment_us: int) -> str:
    """Give the id that sorts before every other that is made from this moment on."""
    return uuid7(moment_us, bytes(8))


@lru_cache(maxsize=2**10)
def drawn_seed(task_id: str) -> int:
    """Draw the seed, 0 to 2^32 - 1, of a task whose client named none: each of its attempts makes the same result."""
    return int.from_bytes(hashlib.sha256(task_id.encode()).digest()[:4], "big")


def is_uuid(text: str) -> bool:
    """Tell whether a client's text can be an id at all: only as we write it, for databases read other spellings too."""
    return _UUID.fullmatch(text) is not None


def new_secret() -> str:
    """Make a key or token: 32 random bytes as 64 hexadecimal characters."""
    return secrets.token_hex(32)


def short_ids() -> Iterator[bytes]:
    """Make ids for what lives briefly: 10 random bytes as 20 hexadecimal characters; chance is fetched in blocks."""
    while True:
        block = os.urandom(_BLOCK)
        for start in range(0, _BLOCK, _SHORT):
            yield block[start : start + _SHORT].hex().encode()
