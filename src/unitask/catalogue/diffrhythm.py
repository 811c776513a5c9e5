"""DiffRhythm: whole songs from lyrics and a style.

Disputed, and read here as follows. One of lyrics, style_prompt and style_audio is enough, whichever it is, although one
list of fields calls the lyrics required. Where both kinds of style are given the recording counts for more. Lengths are
printed as 1.35 and 4.45 minutes and meant as minutes and seconds: 95 and 285 seconds. The price is per song.
"""

from typing import Final, Self

from pydantic import Field, model_validator

from unitask.spec.fields import OptionalSound, Words
from unitask.spec.price import dollars
from unitask.spec.product import AudioResult, Example, Input, Product, Recipe
from unitask.spec.samples import EXAMPLE_AUDIO

MODEL: Final = "Qubico/diffrhythm"
BASE_SECONDS: Final = 95
FULL_SECONDS: Final = 285
_FULL_LIMIT_S: Final = 1800
_STYLE_WEIGHTS: Final = "muq-mulan-large"
_MEDIUM: Final = {"format": "mp3", "rate": 44_100}
_WAY: Final = {"steps": 32, "guidance": 4.0, "style": "Pop", "limit_seconds": 600}


class Song(Input):
    """What a song is made of."""

    lyrics: Words = Field(default="", description="Lines such as `[00:10.00] First line`; empty: no singing.")
    style_prompt: Words = Field(default="", description="The style in words, such as `pop`.")
    style_audio: OptionalSound = Field(
        default="", description="A recording in the style, best above 10 seconds: URL, data URI or base64."
    )

    @model_validator(mode="after")
    def of_something(self) -> Self:
        """Refuse a song about which nothing is said."""
        if not (self.lyrics.strip() or self.style_prompt.strip() or self.style_audio):
            raise ValueError("one of lyrics, style_prompt and style_audio is required")
        return self


class BaseSong(Song):
    """A song of up to 95 seconds from lyrics, a style in words, or a recording in that style."""


class FullSong(Song):
    """A song of up to 285 seconds from lyrics, a style in words, or a recording in that style."""


_EXAMPLES: Final = (
    Example(
        "Lyrics and a style",
        {"lyrics": "[00:10.00] The river is wide\n[00:17.00] The night is long", "style_prompt": "folk, guitar"},
    ),
    Example("A style alone", {"style_prompt": "pop"}),
    Example("Like a recording", {"lyrics": "[00:04.00] Once more", "style_audio": EXAMPLE_AUDIO}),
)


def _product(
    task_type: str, title: str, inputs: type[Song], *, seconds: int, frames: int, weights: str, expected_s: float
) -> Product:
    way = {"seconds": seconds, "frames": frames, **_MEDIUM, **_WAY}
    full = Recipe("networks", "full", "song", way, (weights, "diffrhythm-vae", _STYLE_WEIGHTS), _FULL_LIMIT_S)
    preview = Recipe("preview", "preview", "song", {"seconds": seconds, **_MEDIUM})
    return Product(
        model=MODEL,
        task_type=task_type,
        family="diffrhythm",
        title=title,
        summary=inputs.__doc__ or "",
        input=inputs,
        output=AudioResult,
        price=dollars("0.02", unit="song"),
        recipes=(full, preview),
        examples=_EXAMPLES,
        expected_s=expected_s,
        limit_s=300,
    )


PRODUCTS: Final[tuple[Product, ...]] = (
    _product(
        "txt2audio-base",
        "DiffRhythm: a short song",
        BaseSong,
        seconds=BASE_SECONDS,
        frames=2048,
        weights="diffrhythm-base",
        expected_s=20.0,
    ),
    _product(
        "txt2audio-full",
        "DiffRhythm: a whole song",
        FullSong,
        seconds=FULL_SECONDS,
        frames=6136,
        weights="diffrhythm-full",
        expected_s=40.0,
    ),
)
