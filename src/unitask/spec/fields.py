"""Annotations that the inputs of several families share: bounded texts, files that are not blank, blanks as absence."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue
from pydantic_core import PydanticUseDefault

from unitask.spec.media import Audio, Image, Video

PROMPT_CHARS: Final = 20_000
MEDIA_CHARS: Final = 15_000_000
"""Base64 of the largest file that a field takes (10 MiB), with line breaks and a data URI's header."""
LIMIT_FACES: Final = 64


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _default_if_blank(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise PydanticUseDefault
    return value


FILLED: Final = AfterValidator(_filled)
"""Refuses a text of nothing but white space."""
BLANK_IS_ABSENT: Final = BeforeValidator(_default_if_blank)
"""An empty text stands for the default, also where a number or one of several words is wanted."""

PAINTED: Final[dict[str, JsonValue]] = {"x-painted": "white"}
"""Beside the schema of a picture: forms offer a brush, because what is pure white in it is a region to work on."""
MARGINS: Final[dict[str, JsonValue]] = {"x-margins": "image"}
"""On an object whose fields end in _left, _right, _top and _bottom: forms draw handles round that picture."""

Prompt = Annotated[str, Field(max_length=PROMPT_CHARS), FILLED]
"""Words that a product needs."""
Words = Annotated[str, Field(max_length=PROMPT_CHARS)]
"""Words that may be left out or empty."""
Picture = Annotated[Image, Field(max_length=MEDIA_CHARS), FILLED]
OptionalPicture = Annotated[Image, Field(max_length=MEDIA_CHARS), BLANK_IS_ABSENT]
Clip = Annotated[Video, Field(max_length=MEDIA_CHARS), FILLED]
Sound = Annotated[Audio, Field(max_length=MEDIA_CHARS), FILLED]
OptionalSound = Annotated[Audio, Field(max_length=MEDIA_CHARS), BLANK_IS_ABSENT]


def _not_for_adults(name: Any) -> Any:
    if isinstance(name, str) and name.strip().lower().startswith("nsfw-"):
        raise ValueError("styles for adults, whose names begin with nsfw-, are not served; choose another style")
    return name


SERVED_STYLE: Final = BeforeValidator(_not_for_adults)
"""Refuses, with a sentence of its own, the styles that are known and not served."""


def _face_numbers(text: str) -> str:
    numbers = text.replace(",", " ").split()
    if not all(number.isascii() and number.isdigit() and int(number) < LIMIT_FACES for number in numbers):
        raise ValueError(f"must be numbers of faces from 0 to {LIMIT_FACES - 1} with commas between them, such as 0,1")
    return ",".join(str(int(number)) for number in numbers) or "0"


FaceNumbers = Annotated[str, Field(max_length=4 * LIMIT_FACES), BLANK_IS_ABSENT, AfterValidator(_face_numbers)]
"""Numbers of faces as text: commas, blanks or both are read between them, and one comma is written."""
