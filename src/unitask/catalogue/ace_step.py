"""ACE-Step: music from words, after a recording, and recordings changed or made longer.

Every task costs 5,000 points per started second of music that is made. Disputed, and read here as follows. Durations
are documented as 10 to 240 seconds while a client orders 5, so 1 to 240 are accepted; where none is given, music from
words has 60 seconds, and music after a recording is as long as the recording, at most 240 seconds: these are held, the
real ones charged. An edit is priced likewise. An extension is priced by what is added, at most 240 seconds in all; the
rest of the recording is free. Only the name of the task type `edit` is certain: its fields follow those of `extend`,
all but the recording are optional, and several names of the recording are read.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from pydantic import AliasChoices, Field, ValidationInfo, field_validator

from unitask.spec.fields import BLANK_IS_ABSENT, Prompt, Sound, Words
from unitask.spec.price import dollars
from unitask.spec.product import AudioResult, Example, Input, Level, Product, Recipe
from unitask.spec.samples import EXAMPLE_AUDIO

MODEL: Final = "Qubico/ace-step"
LIMIT_SECONDS: Final = 240
DEFAULT_SECONDS: Final = 60

EditType = Annotated[Literal["remix", "only_lyrics"], BLANK_IS_ABSENT]
Added = Annotated[int, Field(ge=0, le=LIMIT_SECONDS)]


class Music(Input):
    """What every task reads."""

    style_prompt: Words = Field(default="", description="The style: genre, instruments, mood, tempo.")
    negative_style_prompt: Words = Field(default="", description="What the music must not be like.")
    lyrics: Words = Field(
        default="", description="What is sung, under tags such as `[verse]` and `[chorus]`; `[inst]`: no singing."
    )


class TextToAudio(Music):
    """Music from words."""

    style_prompt: Prompt = Field(description="The style: genre, instruments, mood, tempo.")
    duration: int = Field(default=DEFAULT_SECONDS, ge=1, le=LIMIT_SECONDS, description="Seconds, each charged.")


class AudioToAudio(Music):
    """Music after the style of a recording."""

    style_audio: Sound = Field(description="The recording: URL, data URI or base64.")
    style_prompt: Prompt = Field(description="What the music is to be like: genre, instruments, mood, tempo.")
    duration: int | None = Field(
        default=None,
        ge=1,
        le=LIMIT_SECONDS,
        description="Seconds, each charged; left out: as long as the recording, at most 240.",
    )


class Edit(Music):
    """A recording with another style or other words; its first 240 seconds count."""

    audio: Sound = Field(
        validation_alias=AliasChoices("audio", "audio_url", "input_audio", "source_audio", "style_audio"),
        description="The recording: URL, data URI or base64.",
    )
    edit_type: EditType = Field(
        default="remix", description="`remix` changes the style, `only_lyrics` what is sung and nothing else."
    )


class Extend(Music):
    """A recording made longer at its beginning, its end or both."""

    audio: Sound = Field(
        validation_alias=AliasChoices("audio", "audio_url"), description="The recording: URL, data URI or base64."
    )
    left_extend_duration: Added = Field(default=0, description="Seconds to put before it, each charged.")
    right_extend_duration: Added = Field(
        default=0, validate_default=True, description="Seconds to put after it, each charged."
    )

    @field_validator("right_extend_duration")
    @classmethod
    def within_limit(cls, right: int, known: ValidationInfo) -> int:
        """Refuse an extension by nothing, and one by more than 240 seconds in all."""
        left = known.data.get("left_extend_duration")
        if left is None:
            return right
        if not left + right:
            raise ValueError("right_extend_duration or left_extend_duration must be above 0")
        if left + right > LIMIT_SECONDS:
            raise ValueError(f"both durations are {left + right} seconds together; at most {LIMIT_SECONDS}")
        return right


def _ordered_seconds(inputs: TextToAudio) -> int:
    return inputs.duration


def _most_seconds(inputs: AudioToAudio | Edit) -> int:
    """Count what was ordered, or bound it: the length of a recording is not known before it is fetched."""
    return getattr(inputs, "duration", None) or LIMIT_SECONDS


def _added_seconds(inputs: Extend) -> int:
    return inputs.left_extend_duration + inputs.right_extend_duration


_RECORDING: Final = {"audio": EXAMPLE_AUDIO}
_FROM_WORDS: Final = (
    Example(
        "Half a minute without words", {"style_prompt": "ambient, piano, slow", "lyrics": "[inst]", "duration": 30}
    ),
    Example(
        "A song",
        {
            "style_prompt": "folk, acoustic guitar, female voice",
            "negative_style_prompt": "noise, distortion",
            "lyrics": "[verse]\nThe river is wide\n[chorus]\nThe night is long",
        },
    ),
)
_FROM_AUDIO: Final = (
    Example(
        "Ten seconds in another style", {"style_audio": EXAMPLE_AUDIO, "style_prompt": "brass band", "duration": 10}
    ),
    Example(
        "As long as the recording",
        {"style_audio": EXAMPLE_AUDIO, "style_prompt": "strings", "lyrics": "[verse]\nAgain"},
    ),
)
_EDIT: Final = (
    Example("Another style", {**_RECORDING, "style_prompt": "jazz, double bass"}),
    Example("Other words", {**_RECORDING, "edit_type": "only_lyrics", "lyrics": "[verse]\nOver the hills"}),
)
_EXTEND: Final = (
    Example(
        "At both ends",
        {**_RECORDING, "left_extend_duration": 2, "right_extend_duration": 3, "style_prompt": "slow and quiet"},
    ),
    Example("At the end", {**_RECORDING, "right_extend_duration": 5, "lyrics": "[inst]"}),
)
_MEDIUM: Final = {"limit_seconds": LIMIT_SECONDS, "format": "mp3", "rate": 48_000}
_WAY: Final = {"steps": 8, "guidance": 1.0, "shift": 3.0}
_FULL_LIMIT_S: Final = 1800


def _product(
    task_type: str,
    inputs: type[Music],
    examples: tuple[Example, ...],
    *,
    title: str,
    make: str,
    seconds: Callable[[Any], int],
    engine: str = "preview",
    level: Level = "preview",
    **way: float,
) -> Product:
    full = Recipe("diffusers", "full", make, {**_MEDIUM, **_WAY, **way}, ("ace-step-15-turbo",), _FULL_LIMIT_S)
    return Product(
        model=MODEL,
        task_type=task_type,
        family="ace_step",
        title=title,
        summary=inputs.__doc__ or "",
        input=inputs,
        output=AudioResult,
        price=dollars("0.0005", unit="second", units=seconds),
        recipes=(full, Recipe(engine, level, make, _MEDIUM)),
        examples=examples,
        expected_s=20.0,
        limit_s=300,
    )


PRODUCTS: Final[tuple[Product, ...]] = (
    _product(
        "txt2audio",
        TextToAudio,
        _FROM_WORDS,
        title="ACE-Step: music from words",
        make="music",
        seconds=_ordered_seconds,
    ),
    _product(
        "audio2audio",
        AudioToAudio,
        _FROM_AUDIO,
        title="ACE-Step: music after a recording",
        make="music_from_audio",
        seconds=_most_seconds,
        strength=0.8,
    ),
    _product(
        "edit",
        Edit,
        _EDIT,
        title="ACE-Step: change a recording",
        make="music_edit",
        seconds=_most_seconds,
        strength=1.0,
    ),
    _product(
        "extend",
        Extend,
        _EXTEND,
        title="ACE-Step: make a recording longer",
        engine="cpu",
        level="basic",
        make="music_extend",
        seconds=_added_seconds,
    ),
)
