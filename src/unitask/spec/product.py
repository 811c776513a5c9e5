"""A product: one pair (model, task_type) that is sold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

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
    zero_is_default: ClassVar[frozenset[str]] = frozenset()
    """The fields whose 0 leaves the value to the model."""


class ImageResult(BaseModel):
    """The output of a product that makes pictures. `image_url` is never null; `image_urls` lists all if several."""

    image_url: str = Field(description="Address of the picture, of the first one if there are several.")
    image_urls: list[str] | None = Field(default=None, description="Addresses of all pictures if there are several.")
    image_base64: str = Field(default="", description="Always empty here; for clients that look for it.")

    @classmethod
    def of(cls, *pictures: str) -> dict[str, Any]:
        """Build the wire's output from the references that `job.save` gave."""
        urls = list(pictures) if len(pictures) > 1 else None
        return {"image_url": pictures[0], "image_urls": urls, "image_base64": ""}


class VideoResult(BaseModel):
    """The output of a product that makes one video."""

    video_url: str = Field(description="Address of the video, MP4.")

    @classmethod
    def of(cls, video: str) -> dict[str, Any]:
        """Build the wire's output from the reference that `job.save` gave."""
        return {"video_url": video}


class AudioResult(BaseModel):
    """The output of a product that makes one sound file."""

    audio_url: str = Field(description="Address of the sound file.")

    @classmethod
    def of(cls, audio: str) -> dict[str, Any]:
        """Build the wire's output from the reference that `job.save` gave."""
        return {"audio_url": audio}


@dataclass(frozen=True, slots=True)
class Conditions:
    """Which orders a recipe is for; all that is set must hold.

    `cost_points`: the most that the order may cost the operator. `plans`: the plans of accounts. `at_most` and
    `at_least` bound fields of the input by name, such as `{"width": 1024}`, texts and lists by their length; a field
    that is absent or holds neither is within any bounds.
    """

    cost_points: int | None = None
    plans: frozenset[str] = frozenset()
    at_most: Mapping[str, float] = field(default_factory=dict)
    at_least: Mapping[str, float] = field(default_factory=dict)

    def unmet(self, inputs: Input, plan: str, cost_points: int | None) -> str | None:
        """Say which condition an order does not meet, or None."""
        if self.cost_points is not None and (cost_points is None or cost_points > self.cost_points):
            return f"it may cost {self.cost_points} points at most"
        if self.plans and plan not in self.plans:
            return f"it is for the plans {', '.join(sorted(self.plans))}"
        for name, most in self.at_most.items():
            if (size := _size(inputs, name)) is not None and size > most:
                return f"it takes {name} up to {most:g}"
        for name, least in self.at_least.items():
            if (size := _size(inputs, name)) is not None and size < least:
                return f"it takes {name} from {least:g}"
        return None


def _size(inputs: Input, name: str) -> float | None:
    value = getattr(inputs, name, None)
    return len(value) if isinstance(value, str | list) else value if isinstance(value, int | float) else None


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one engine makes one product: plain data that only this engine understands.

    `weights` are the ids of the model cards without which it cannot. `limit_s` is the most seconds of an attempt by it,
    loading included, where that is not the product's. `when` says which orders it is for, and `falls` that the next
    recipe has the task when this one is unavailable or fails in a way that may pass. `changes_little`: what it makes of
    the client's media without a trained model is still the same picture, video or sound, only larger or cut out; its
    marks then do not call it generated.

    Of a recipe by a provider (`is_remote`), `engine` is the provider's name; `cost_points` is what it costs the
    operator for each unit of the product's price, None where that is unknown, and with `own_key_only` it serves those
    accounts that left their own key for it. Of one that `is_keyless` here, workers alone can know whether it serves.
    """

    engine: str
    level: Level
    make: str
    options: dict[str, Any] = field(default_factory=dict)
    weights: tuple[str, ...] = ()
    limit_s: int = 0
    when: Conditions | None = None
    falls: bool = False
    changes_little: bool = False
    is_remote: bool = False
    cost_points: int | None = None
    own_key_only: bool = False
    is_keyless: bool = False


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
