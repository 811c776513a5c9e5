"""English as DiffRhythm sings it: in the IPA as espeak-ng writes it, without stresses, some pairs of sounds as one.

espeak-ng is under the GPL: a process of its own loads it, which this module talks to. It reads numbers and
abbreviations in its own way.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import pairwise
from typing import Final

from unitask.engines.networks.song.symbols import GAP
from unitask.kit.errors import EngineFailure

_READER: Final = "unitask.engines.espeak.phonemes"
_VOICE: Final = "en-us"
_MARKS: Final = str.maketrans("，。！？；：、‘’⋯", ",.!?;:,''…")
_UNREAD: Final = re.compile(r"[^\w\s,.?!;:'…]")
_PUNCTUATION: Final = re.compile(r"\s*([,.?!;:'…])\s*")
_FOREIGN: Final = re.compile(r"\([^)]*\)")
_STRESSES: Final = re.compile("[ˈˌ'-]+")
_PAIRS: Final = {("t", "ɹ"), ("d", "ɹ"), ("t", "s"), ("d", "z"), ("ɪ", "ɹ"), ("oː", "ɹ")}
_SINGLES: Final = {"ɐ": "ɚ", "ᵻ": "ɪ", "əl": "l", "x": "k", "ɬ": "l", "ʔ": "t", "n̩": "n"}
_GAP_AFTER: Final = frozenset("p⁼ʰmftnlkxʃs`ɹaoəɛɪeɑʊŋiuɥwæjː")
"""Sounds after which another language begins with a gap; after the others it begins at once, as it was trained."""
_MISSING: Final = "English lyrics are read by espeak-ng, which is not here; install it: pip install 'unitask[speech]'"


class Reader:
    """A process of espeak-ng."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def symbols_of(self, text: str, *, last: bool) -> Iterator[str]:
        """Read an English text; `last`: no other language follows in the line.

        Raises:
            EngineFailure: the process ended.

        """
        clean = _UNREAD.sub("", text.translate(_MARKS).replace("...", "…")).strip()
        end = ""
        for number, piece in enumerate(_PUNCTUATION.split(clean)):
            symbols = [piece] if number % 2 else list(sung(self._phonemes(piece))) if piece.strip() else []
            yield from symbols
            end = symbols[-1] if symbols else end
        if end and end[-1] in _GAP_AFTER and not last:
            yield GAP

    def _phonemes(self, text: str) -> str:
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None  # noqa: S101 - both were asked for as pipes
        assert answers is not None  # noqa: S101 - same
        asked.write(json.dumps({"text": text, "voice": _VOICE}).encode() + b"\n")
        asked.flush()
        answer = json.loads(answers.readline() or b'{"error": "espeak-ng ended"}')
        if "error" in answer:
            raise EngineFailure("the lyrics could not be read", raw_message=answer["error"])
        phonemes: str = answer["phonemes"]
        return phonemes


@contextmanager
def reading() -> Iterator[Reader]:
    """Keep the process running.

    Raises:
        EngineFailure: espeak-ng is not installed.

    """
    if find_spec("espeakng_loader") is None:
        raise EngineFailure(_MISSING)
    command = [sys.executable, "-m", _READER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own
        try:
            yield Reader(process)
        finally:
            process.kill()


def sung(phonemes: str) -> Iterator[str]:
    """Give the symbols of words as espeak-ng writes them: `_` between sounds, a space between words."""
    for number, word in enumerate(_STRESSES.sub("", _FOREIGN.sub("", phonemes)).split()):
        if number:
            yield GAP
        sounds = [sound for sound in word.split("_") if sound]
        joined = False
        for sound, following in pairwise([*sounds, ""]):
            if joined:
                joined = False
            elif joined := (sound, following) in _PAIRS:
                yield sound + following
            else:
                yield _SINGLES.get(sound, sound)
