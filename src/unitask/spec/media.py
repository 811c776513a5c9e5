"""Media fields of an input: a URL, a data URI or bare base64, one annotation for all three.

A product writes `image: Image` or `image: Annotated[str, Media("image", limit_bytes=...)]`; from the annotation come
the JSON schema, the check at create and the limits of the download.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema

_PLAIN = (bool, float, int, str)
MediaKind = Literal["image", "video", "audio"]


@dataclass(frozen=True, slots=True)
class Media:
    """What a media field accepts. Sizes are bytes of the file and pixels of the decoded picture."""

    kind: MediaKind
    limit_bytes: int = 10 * 2**20
    limit_side_px: int = 4096
    limit_pixels: int = 4096 * 4096

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Say in the JSON schema that this text stands for a file."""
        return {
            **handler(schema),
            "x-media": self.kind,
            "x-limit-bytes": self.limit_bytes,
            "x-limit-side-px": self.limit_side_px,
            "x-limit-pixels": self.limit_pixels,
        }


Image = Annotated[str, Media("image")]
Video = Annotated[str, Media("video")]
Audio = Annotated[str, Media("audio")]


@dataclass(frozen=True, slots=True)
class MediaValue:
    """One media field of one input, with the means to replace it."""

    path: str
    media: Media
    source: str
    replace: Callable[[str], None]


def media_values(model: BaseModel, at: str = "input") -> Iterator[MediaValue]:
    """Find every filled media field, also inside nested objects and lists."""
    for name, media in _fields(type(model)):
        value = getattr(model, name)
        if value is None:
            continue
        path = f"{at}.{name}"
        if media is not None and isinstance(value, str) and value:
            yield MediaValue(path, media, value, _setter(model, name))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, BaseModel):
                    yield from media_values(item, f"{path}[{index}]")
                elif media is not None and isinstance(item, str) and item:
                    yield MediaValue(f"{path}[{index}]", media, item, _item_setter(value, index))
        elif isinstance(value, BaseModel):
            yield from media_values(value, path)


@cache
def _fields(model: type[BaseModel]) -> list[tuple[str, Media | None]]:
    """List the fields that are media or may hold some, once for each class: most hold plain values."""
    found = [(name, _media_of(field), field.annotation) for name, field in model.model_fields.items()]
    return [(name, media) for name, media, kind in found if media or kind not in _PLAIN]


def _media_of(field: FieldInfo) -> Media | None:
    """Find the annotation at the field itself, or at the items of the list that it holds."""
    of_items = (note for item in get_args(field.annotation) for note in getattr(item, "__metadata__", ()))
    return next((note for note in (*field.metadata, *of_items) if isinstance(note, Media)), None)


def _setter(model: BaseModel, name: str) -> Callable[[str], None]:
    return lambda value: setattr(model, name, value)


def _item_setter(items: list[Any], index: int) -> Callable[[str], None]:
    def replace(value: str) -> None:
        items[index] = value

    return replace
