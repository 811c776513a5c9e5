"""The process that asks espeak-ng how words are spoken. It reads texts from its input, one JSON object a line.

An order is `{"text", "voice"}`. The answer is one line, `{"phonemes"}` or `{"error"}`: in the signs of the IPA,
stresses among them, `_` between phonemes and a space between words.
"""

import ctypes
import json
import sys
from typing import Final

_RETRIEVAL: Final = 1
_UTF8: Final = 1
_IPA: Final = 0x02
_SEPARATED: Final = ord("_") << 8


class Reader:
    """The library, ready to read."""

    def __init__(self) -> None:
        import espeakng_loader  # noqa: PLC0415 - this process alone loads it

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        if self._library.espeak_Initialize(_RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), 0) <= 0:
            raise OSError("espeak-ng could not be started")
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p

    def read(self, text: str, voice: str) -> str:
        """Give the phonemes of a text.

        Raises:
            LookupError: there is no such voice; unchecked, the library would go on with the one before.

        """
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise LookupError(f"espeak-ng has no voice {voice!r}")
        rest = ctypes.c_char_p(text.encode("utf-8", "replace"))
        clauses = []
        while rest.value is not None:  # the library moves it behind the clause that it read
            clause = self._library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA | _SEPARATED)
            clauses.append((clause or b"").decode().strip())
        return " ".join(clause for clause in clauses if clause)


def main() -> None:
    """Read until the input ends."""
    reader = Reader()
    for line in sys.stdin.buffer:
        try:
            answer = {"phonemes": reader.read(**json.loads(line))}
        except LookupError as error:
            answer = {"error": str(error)}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
