"""Speech in a voice that is given by a short recording.

Source: F5-TTS. Disputed, and read here as follows. The price list says 0.025 dollars per 1000 characters without a
rule for rounding; each character costs its share, 250 points, so that no text costs more than under any other reading.
Characters are Unicode code points of `gen_text` as sent, blanks included; `ref_text` is free. The recording should have
3 to 30 seconds; other lengths are not refused here.
"""

from typing import Annotated, Final

from pydantic import Field

from unitask.spec.fields import FILLED, Sound
from unitask.spec.price import dollars
from unitask.spec.product import AudioResult, Example, Input, Product, Recipe
from unitask.spec.samples import EXAMPLE_AUDIO

TEXT_CHARS: Final = 10_000


class ZeroShot(Input):
    """A text read aloud in the voice of a recording."""

    gen_text: Annotated[str, Field(max_length=TEXT_CHARS), FILLED] = Field(
        description="What to say; every character is charged."
    )
    ref_audio: Sound = Field(description="The voice, best 3 to 30 seconds of it: URL, data URI or base64.")
    ref_text: str = Field(
        default="", max_length=TEXT_CHARS, description="What is said in ref_audio; empty: found by listening to it."
    )


def _characters(inputs: ZeroShot) -> int:
    return len(inputs.gen_text)


_MEDIUM: Final = {"format": "wav", "rate": 24_000}
_FULL: Final = Recipe(
    "networks",
    "full",
    "zero_shot",
    {**_MEDIUM, "steps": 32, "guidance": 2.0, "sway": -1.0, "speed": 1.0},
    weights=("openf5-tts-base", "vocos-mel-24khz"),
    limit_s=1_800,
)

PRODUCTS: Final[tuple[Product, ...]] = (
    Product(
        model="Qubico/tts",
        task_type="zero-shot",
        family="tts",
        title="Speech in a given voice",
        summary=ZeroShot.__doc__ or "",
        input=ZeroShot,
        output=AudioResult,
        price=dollars("0.000025", unit="character", units=_characters),
        recipes=(_FULL, Recipe("espeak", "basic", "speech", _MEDIUM), Recipe("preview", "preview", "speech", _MEDIUM)),
        examples=(
            Example("A sentence", {"gen_text": "The boat leaves at noon.", "ref_audio": EXAMPLE_AUDIO}),
            Example(
                "With the words of the recording",
                {
                    "gen_text": "Good morning. The first train is late, the second one is not.",
                    "ref_audio": EXAMPLE_AUDIO,
                    "ref_text": "Ding dong.",
                },
            ),
        ),
        expected_s=15.0,
        limit_s=600,
    ),
)
