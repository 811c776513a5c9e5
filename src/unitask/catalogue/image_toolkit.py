"""Image tools: cut a picture out of its background, and enlarge it."""

from math import ceil
from typing import Annotated, Final, Literal

from pydantic import Field

from unitask.spec.fields import FILLED, MEDIA_CHARS, Picture
from unitask.spec.media import Media
from unitask.spec.price import dollars
from unitask.spec.product import Example, ImageResult, Input, Product, Recipe
from unitask.spec.samples import EXAMPLE_IMAGE

MODEL: Final = "Qubico/image-toolkit"
LIMIT_SIDE_PX: Final = 2048
LIMIT_OUTPUT_PIXELS: Final = 64_000_000
PIXELS_PER_MEGAPIXEL: Final = 1_000_000
SmallPicture = Annotated[
    str,
    Media("image", limit_side_px=LIMIT_SIDE_PX, limit_pixels=LIMIT_SIDE_PX**2),
    Field(max_length=MEDIA_CHARS),
    FILLED,
]


class BackgroundRemove(Input):
    """The subject of a picture on a transparent background, in the picture's own size."""

    image: Picture = Field(description="The picture: URL, data URI or base64.")
    rmbg_model: Literal["RMBG-1.4", "RMBG-2.0", "BEN2"] = Field(
        default="RMBG-2.0", description="Which network finds the subject."
    )


class Upscale(Input):
    """A picture enlarged, up to 64 megapixels."""

    image: SmallPicture = Field(description="The picture, at most 2048 pixels a side: URL, data URI or base64.")
    scale: int = Field(default=2, ge=2, le=10, description="How many times wider and higher: usually 2, 4 or 8.")
    face_enhance: bool = Field(default=False, description="Also restore faces.")


def _most_megapixels(inputs: Upscale) -> int:
    """Bound the output of the largest input, rounded up: the true size is known only after the work."""
    most_pixels = min((LIMIT_SIDE_PX * inputs.scale) ** 2, LIMIT_OUTPUT_PIXELS)
    return ceil(most_pixels / PIXELS_PER_MEGAPIXEL)


PRODUCTS: Final[tuple[Product, ...]] = (
    Product(
        model=MODEL,
        task_type="background-remove",
        family="image_toolkit",
        title="Background removal",
        summary=BackgroundRemove.__doc__ or "",
        input=BackgroundRemove,
        output=ImageResult,
        price=dollars("0.001"),
        recipes=(Recipe("cpu", "basic", "background_remove"),),
        examples=(
            Example("A picture", {"image": EXAMPLE_IMAGE}),
            Example("With another network", {"image": EXAMPLE_IMAGE, "rmbg_model": "BEN2"}),
        ),
        expected_s=5.0,
        limit_s=60,
    ),
    Product(
        model=MODEL,
        task_type="upscale",
        family="image_toolkit",
        title="Image upscale",
        summary=Upscale.__doc__ or "",
        input=Upscale,
        output=ImageResult,
        price=dollars("0.001", unit="output megapixel", units=_most_megapixels),
        recipes=(Recipe("cpu", "basic", "upscale", {"limit_output_pixels": LIMIT_OUTPUT_PIXELS}),),
        examples=(
            Example("Twice the size", {"image": EXAMPLE_IMAGE}),
            Example("Four times, faces restored", {"image": EXAMPLE_IMAGE, "scale": 4, "face_enhance": True}),
        ),
        expected_s=5.0,
        limit_s=60,
    ),
)
