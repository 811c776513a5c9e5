"""A product: one pair (model, task_type) that is sold."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict

from unitask.spec.price import Price

Level = Literal["preview", "basic", "full"]
Media = Literal["image", "video", "audio", "model"]
KEEP_DAYS: Final = 3
"""How long outputs stay where neither the product nor the operator says otherwise."""


def is_named(key: str, pattern: str) -> bool:
    """Tell whether a pattern such as `Qubico/flux1-*` means the product of this key; a model means all it does."""
    return fnmatchcase(key.lower(), pattern.lower()) or fnmatchcase(key.lower(), f"{pattern.lower()}/*")


class Input(BaseModel):
    """What a client may put in `input`. Unknown keys are dropped here and reported in `meta.warnings`."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True, ser_json_inf_nan="null", hide_input_in_errors=True)

    seed_field: ClassVar[str] = "seed"


class ImageResult(BaseModel):
    """The output of a product that makes pictures. `image_url` is never null; `image_urls` lists all if several."""

    image_url: str
    image_urls: list[str] | None = None
    image_base64: str = ""

    @classmethod
    def of(cls, *pictures: str) -> dict[str, Any]:
        """Build the wire's output from the references that `job.save` gave."""
        urls = list(pictures) if len(pictures) > 1 else None
        return {"image_url": pictures[0], "image_urls": urls, "image_base64": ""}


class VideoResult(BaseModel):
    """The output of a product that makes one video."""

    video_url: str

    @classmethod
    def of(cls, video: str) -> dict[str, Any]:
        """Build the wire's output from the reference that `job.save` gave."""
        return {"video_url": video}


class AudioResult(BaseModel):
    """The output of a product that makes one sound file."""

    audio_url: str

    @classmethod
    def of(cls, audio: str) -> dict[str, Any]:
        """Build the wire's output from the reference that `job.save` gave."""
        return {"audio_url": audio}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one engine makes one product: plain data that only this engine understands.

    `weights` are the ids of the model cards without which it cannot. `limit_s` is the most seconds of an attempt by it,
    loading included, where that is not the product's.
    """

    engine: str
    level: Level
    make: str
    options: dict[str, Any] = field(default_factory=dict)
    weights: tuple[str, ...] = ()
    limit_s: int = 0


@dataclass(frozen=True, slots=True)
class Example:
    """A request that a person may send as it is."""

    title: str
    input: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Everything the system knows about one (model, task_type).

    `family` is the name under which task history and limits group it. `keep_days` is how long an output stays.
    `expected_s` and `limit_s` are seconds of one attempt: usual, and the most before it is ended.
    """

    model: str
    task_type: str
    family: str
    title: str
    summary: str
    input: type[Input]
    output: type[BaseModel]
    price: Price
    recipes: tuple[Recipe, ...]
    examples: tuple[Example, ...]
    keep_days: int = KEEP_DAYS
    expected_s: float = 5.0
    limit_s: int = 300

    @property
    def key(self) -> str:
        """The name of the product in the queue and in logs: `model/task_type`."""
        return f"{self.model}/{self.task_type}"

    @property
    def media(self) -> Media:
        """What it makes: image, video, audio, or model for all else."""
        kinds: tuple[Media, ...] = ("image", "video", "audio")
        return next((kind for kind in kinds if f"{kind}_url" in self.output.model_fields), "model")
