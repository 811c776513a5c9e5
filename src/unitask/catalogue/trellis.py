"""Trellis: textured 3D models from pictures or from words, each with a film of it turning.

Source: TRELLIS of Microsoft and its successor. Disputed, and read here as follows. One picture may come as `image`,
several views of one thing as `images`; either will do, both count together, and both stand in the checked input. Steps
are documented as 10 to 50 while an example has 7, so 1 to 50 are accepted. Zero stands for the default in every
sampling value, and for a drawn seed. A picture may be larger than 1024 pixels a side, where one client stops. All three
files of the output are always there, also where no picture was given. The successor's own weights are not served (see
docs/decisions/0022-trellis-2-by-trellis.md): those of TRELLIS stand in.
"""

from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import AfterValidator, AliasChoices, BaseModel, Field, model_validator

from unitask.spec.fields import OptionalPicture, Picture, Prompt, Words
from unitask.spec.price import dollars
from unitask.spec.product import Example, Input, Level, Product, Recipe
from unitask.spec.samples import EXAMPLE_FACE, EXAMPLE_IMAGE

TRELLIS: Final = "Qubico/trellis"
TRELLIS_2: Final = "Qubico/trellis2"
LIMIT_VIEWS: Final = 16
DEFAULT_STEPS: Final = 50
DEFAULT_SHAPE_GUIDANCE: Final = 7.5
DEFAULT_SURFACE_GUIDANCE: Final = 3.0

Steps = Annotated[int, Field(ge=0, le=50), AfterValidator(lambda steps: steps or DEFAULT_STEPS)]
ShapeGuidance = Annotated[float, Field(ge=0, le=10), AfterValidator(lambda value: value or DEFAULT_SHAPE_GUIDANCE)]
SurfaceGuidance = Annotated[float, Field(ge=0, le=10), AfterValidator(lambda value: value or DEFAULT_SURFACE_GUIDANCE)]


class TrellisResult(BaseModel):
    """A 3D model as GLB, a film of it turning as MP4, and the picture without its background as PNG."""

    model_file: str = Field(description="Address of the 3D model, GLB.")
    combined_video: str = Field(description="Address of a film of it turning, MP4.")
    no_background_image: str = Field(description="Address of the picture without its background, PNG.")

    @classmethod
    def of(cls, *, model: str, video: str, picture: str) -> dict[str, Any]:
        """Build the wire's output from the references that `job.save` gave."""
        return {"model_file": model, "combined_video": video, "no_background_image": picture}


class Seeded(Input):
    """What every task reads."""

    seed_field: ClassVar[str] = "chosen_seed"

    seed: int = Field(default=0, ge=-1, le=2**63 - 1, description="Same seed, same model; 0 and -1 draw one.")

    @property
    def chosen_seed(self) -> int:
        """The seed that the client named; -1 for none."""
        return self.seed or -1


class Sampled(Seeded):
    """Adds how the shape, and the surface upon it, are found."""

    ss_sampling_steps: Steps = Field(default=DEFAULT_STEPS, description="Steps for the shape; 0 stands for 50.")
    slat_sampling_steps: Steps = Field(default=DEFAULT_STEPS, description="Steps for the surface; 0 stands for 50.")
    ss_guidance_strength: ShapeGuidance = Field(
        default=DEFAULT_SHAPE_GUIDANCE, description="How strictly the shape follows; 0 stands for 7.5."
    )
    slat_guidance_strength: SurfaceGuidance = Field(
        default=DEFAULT_SURFACE_GUIDANCE, description="How strictly the surface follows; 0 stands for 3."
    )


class FromPictures(Seeded):
    """Adds the pictures of the thing."""

    image: OptionalPicture = Field(
        default="",
        validation_alias=AliasChoices("image", "image_url"),
        description="A picture of the thing, best 1024 pixels a side: URL, data URI or base64.",
    )
    images: list[Picture] = Field(
        default=[],
        max_length=LIMIT_VIEWS,
        validation_alias=AliasChoices("images", "image_urls"),
        description="Views of the thing, beside `image` or in its place.",
    )

    @model_validator(mode="after")
    def showing_something(self) -> Self:
        """Refuse an input without any picture."""
        if not self.views:
            raise ValueError("image or images is required")
        return self

    @property
    def views(self) -> list[str]:
        """Every picture, `image` first."""
        return [*filter(None, [self.image]), *self.images]


class ImageTo3d(FromPictures, Sampled):
    """A textured 3D model of the thing that a picture, or several views of it, show."""

    prompt: Words = Field(default="", description="What the thing is; the pictures count for more.")


class TextTo3d(Sampled):
    """A textured 3D model of the thing that words describe."""

    prompt: Prompt = Field(description="What to model, such as `a bear`.")


class Trellis2(FromPictures):
    """A finer textured 3D model of the thing that a picture shows."""

    prompt: ClassVar[str] = ""
    ss_sampling_steps: ClassVar[int] = DEFAULT_STEPS
    slat_sampling_steps: ClassVar[int] = DEFAULT_STEPS
    ss_guidance_strength: ClassVar[float] = DEFAULT_SHAPE_GUIDANCE
    slat_guidance_strength: ClassVar[float] = DEFAULT_SURFACE_GUIDANCE
    """No fields: what Trellis is told where it stands in."""


_OPTIONS: Final = {"texture_px": 1024, "turntable": {"frames": 60, "fps": 30, "size": [512, 512]}}
_FINE: Final = {**_OPTIONS, "texture_px": 2048}
_FROM_WEIGHTS: Final = {"limit_faces": 150_000, "size": [512, 512], "frames": 60, "fps": 30}
_SEEING: Final = ("trellis-image-large", "dinov2-registers-large")
_FROM_PICTURES: Final = (
    Example("One picture", {"image": EXAMPLE_IMAGE}),
    Example("Two views, always the same", {"images": [EXAMPLE_FACE, EXAMPLE_IMAGE], "seed": 42}),
)
_QUICKLY: Final = Example(
    "In few steps", {"image": EXAMPLE_IMAGE, "prompt": "a house", "ss_sampling_steps": 7, "slat_sampling_steps": 10}
)
_FROM_WORDS: Final = (
    Example("A thing", {"prompt": "a bear"}),
    Example("Close to the words", {"prompt": "a red teapot", "ss_guidance_strength": 9, "seed": 7}),
)


def _from_weights(make: str, *weights: str, level: Level = "full") -> Recipe:
    """Make it from the weights of Trellis and of what sees or reads for it."""
    return Recipe("networks", level, make, _FROM_WEIGHTS, weights=weights, limit_s=1800)


def _product(
    model: str,
    task_type: str,
    inputs: type[Seeded],
    examples: tuple[Example, ...],
    *,
    title: str,
    recipes: tuple[Recipe, ...],
) -> Product:
    return Product(
        model=model,
        task_type=task_type,
        family="trellis",
        title=title,
        summary=inputs.__doc__ or "",
        input=inputs,
        output=TrellisResult,
        price=dollars("0.10" if model == TRELLIS_2 else "0.04", unit="model"),
        recipes=recipes,
        examples=examples,
        expected_s=30.0,
        limit_s=600,
    )


PRODUCTS: Final[tuple[Product, ...]] = (
    _product(
        TRELLIS,
        "image-to-3d",
        ImageTo3d,
        (*_FROM_PICTURES, _QUICKLY),
        title="Trellis: image to 3D",
        recipes=(
            _from_weights("image_to_3d", *_SEEING),
            Recipe("preview", "preview", "relief", _OPTIONS),
        ),
    ),
    _product(
        TRELLIS,
        "text-to-3d",
        TextTo3d,
        _FROM_WORDS,
        title="Trellis: text to 3D",
        recipes=(
            _from_weights("text_to_3d", "trellis-text-large", "clip-vit-large-patch14"),
            Recipe("preview", "preview", "relief_from_text", _OPTIONS),
        ),
    ),
    _product(
        TRELLIS_2,
        "image-to-3d",
        Trellis2,
        _FROM_PICTURES,
        title="Trellis 2: image to 3D",
        recipes=(
            _from_weights("image_to_3d_instead", *_SEEING, level="basic"),
            Recipe("preview", "preview", "relief", _FINE),
        ),
    ),
)
