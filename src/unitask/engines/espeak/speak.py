"""The process that loads espeak-ng. It reads orders from its input, one JSON object a line, and writes what it spoke.

An order is `{"text", "voice", "speed", "pitch"}`: a name of a voice, words a minute, and 0 to 99. The answer is one
line, `{"samples", "rate"}` or `{"error"}`, and then the samples as 16 bits each, in the order of this machine.
"""

import ctypes
import json
import sys
from typing import Any, Final

_RETRIEVAL: Final = 1
_UTF8: Final = 1
_CHARACTERS: Final = 1
_RATE: Final = 1
_PITCH: Final = 3
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Speaker:
    """The library with its callback, which Python must keep alive."""

    def __init__(self) -> None:
        import espeakng_loader  # noqa: PLC0415 - this process alone loads it

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self.rate = self._library.espeak_Initialize(_RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), 0)
        if self.rate <= 0:
            raise OSError("espeak-ng could not be started")
        self._spoken = bytearray()
        self._heard = _CALLBACK(self._hear)
        self._library.espeak_SetSynthCallback(self._heard)

    def _hear(self, samples: Any, number: int, _: int | None) -> int:
        if samples and number > 0:
            self._spoken += ctypes.string_at(samples, 2 * number)
        return 0

    def say(self, text: str, voice: str, speed: int, pitch: int) -> bytes:
        """Speak a text.

        Raises:
            LookupError: there is no such voice; unchecked, the library would go on with the one before.

        """
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise LookupError(f"espeak-ng has no voice {voice!r}")
        self._library.espeak_SetParameter(_RATE, speed, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        self._spoken.clear()
        content = text.encode("utf-8", "replace") + b"\0"
        self._library.espeak_Synth(content, len(content), 0, _CHARACTERS, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        return bytes(self._spoken)


def main() -> None:
    """Speak until the input ends."""
    speaker, answers = Speaker(), sys.stdout.buffer
    for line in sys.stdin.buffer:
        try:
            spoken = speaker.say(**json.loads(line))
            head = {"samples": len(spoken) // 2, "rate": speaker.rate}
        except LookupError as error:
            spoken, head = b"", {"error": str(error)}
        answers.write(json.dumps(head).encode() + b"\n" + spoken)
        answers.flush()


if __name__ == "__main__":
    main()
