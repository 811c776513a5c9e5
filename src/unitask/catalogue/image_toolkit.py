"""Image tools: cut out, enlarge, select by words, and put one person's face onto another.

Disputed, and read here as follows. Lists of faces may have commas, blanks or both between the numbers: examples show
commas, the text beside them blanks; `0,1` is what is written down. Several faces swapped at once are one price. A
segment needs a picture and a prompt only; its price is per started megapixel of the picture, held for the largest
picture and charged for the real one. Pictures for swaps and upscales have at most 2048 pixels a side, those for
segments 3072. Where no network is named for a background, or a blank one, it is RMBG-2.0: sources name two defaults.
"""

from math import ceil
from typing import Annotated, Final, Literal

from pydantic import Field

from unitask.spec.faces import FacePairs, Restorable
from unitask.spec.fields import BLANK_IS_ABSENT, FILLED, MEDIA_CHARS, Picture, Prompt, Words
from unitask.spec.media import Media
from unitask.spec.price import dollars
from unitask.spec.product import Example, ImageResult, Input, Product, Recipe
from unitask.spec.samples import EXAMPLE_COUPLE, EXAMPLE_FACE, EXAMPLE_FRIENDS, EXAMPLE_IMAGE

MODEL: Final = "Qubico/image-toolkit"
LIMIT_SIDE_PX: Final = 2048
LIMIT_SEGMENT_SIDE_PX: Final = 3072
LIMIT_OUTPUT_PIXELS: Final = 64_000_000
PIXELS_PER_MEGAPIXEL: Final = 1_000_000
MODEL_LIMIT_S: Final = 600
"""Seconds for a recipe that loads models first, on a machine without a GPU, too."""
SmallPicture = Annotated[
    str,
    Media("image", limit_side_px=LIMIT_SIDE_PX, limit_pixels=LIMIT_SIDE_PX**2),
    Field(max_length=MEDIA_CHARS),
    FILLED,
]
SegmentPicture = Annotated[
    str,
    Media("image", limit_side_px=LIMIT_SEGMENT_SIDE_PX, limit_pixels=LIMIT_SEGMENT_SIDE_PX**2),
    Field(max_length=MEDIA_CHARS),
    FILLED,
]


class BackgroundRemove(Input):
    """The subject of a picture on a transparent background, in the picture's own size."""

    image: Picture = Field(description="The picture: URL, data URI or base64.")
    rmbg_model: Annotated[Literal["RMBG-1.4", "RMBG-2.0", "BEN2"], BLANK_IS_ABSENT] = Field(
        default="RMBG-2.0", description="Which network finds the subject; blank stands for RMBG-2.0."
    )


class Upscale(Input):
    """A picture enlarged, up to 64 megapixels."""

    image: SmallPicture = Field(description="The picture, at most 2048 pixels a side: URL, data URI or base64.")
    scale: int = Field(default=2, ge=2, le=10, description="How many times wider and higher: usually 2, 4 or 8.")
    face_enhance: bool = Field(default=False, description="Also restore faces.")


class FaceSwap(Restorable):
    """The face of one picture put onto the person of another."""

    target_image: SmallPicture = Field(
        description="The picture to change, at most 2048 pixels a side: URL, data URI or base64."
    )
    swap_image: SmallPicture = Field(
        description="The picture whose face is taken, at most 2048 pixels a side: URL, data URI or base64."
    )


class MultiFaceSwap(FacePairs, FaceSwap):
    """Chosen faces of one picture put onto chosen faces of another, pair by pair.

    Faces are counted from 0: of two at different heights the lower first, otherwise from the left.
    """


class Segment(Input):
    """The parts of a picture that words name, as a mask."""

    image: SegmentPicture = Field(description="The picture, at most 3072 pixels a side: URL, data URI or base64.")
    prompt: Prompt = Field(description="What to select: words with commas between them, such as `clothes,shoes`.")
    negative_prompt: Words = Field(default="", description="What to take out of the selection, written likewise.")
    segment_factor: int = Field(
        default=0,
        ge=-LIMIT_SEGMENT_SIDE_PX,
        le=LIMIT_SEGMENT_SIDE_PX,
        description="Pixels by which the selection grows; below 0 it shrinks.",
    )


def _most_output_megapixels(inputs: Upscale) -> int:
    """Bound the output of the largest input, rounded up: the true size is known only after the work."""
    most_pixels = min((LIMIT_SIDE_PX * inputs.scale) ** 2, LIMIT_OUTPUT_PIXELS)
    return ceil(most_pixels / PIXELS_PER_MEGAPIXEL)


def _most_megapixels(_: Segment) -> int:
    """Bound the size of the picture, which is not known before it is fetched."""
    return ceil(LIMIT_SEGMENT_SIDE_PX**2 / PIXELS_PER_MEGAPIXEL)


_FACES: Final = ("insightface-buffalo-l", "inswapper-128")
_THINGS: Final = ("grounding-dino-base", "sam2.1-hiera-large")
_UPSCALE: Final = {"limit_output_pixels": LIMIT_OUTPUT_PIXELS}

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
        recipes=(
            Recipe("onnx", "full", "background_remove", weights=("birefnet-general",), limit_s=MODEL_LIMIT_S),
            Recipe("cpu", "basic", "background_remove", changes_little=True),
        ),
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
        price=dollars("0.001", unit="output megapixel", units=_most_output_megapixels),
        recipes=(
            Recipe("networks", "full", "upscale", _UPSCALE, weights=("realesrgan-x4plus",), limit_s=MODEL_LIMIT_S),
            Recipe("cpu", "basic", "upscale", _UPSCALE, changes_little=True),
        ),
        examples=(
            Example("Twice the size", {"image": EXAMPLE_IMAGE}),
            Example("Four times, faces restored", {"image": EXAMPLE_IMAGE, "scale": 4, "face_enhance": True}),
        ),
        expected_s=5.0,
        limit_s=60,
    ),
    Product(
        model=MODEL,
        task_type="face-swap",
        family="image_toolkit",
        title="Face swap",
        summary=FaceSwap.__doc__ or "",
        input=FaceSwap,
        output=ImageResult,
        price=dollars("0.01"),
        recipes=(
            Recipe("onnx", "full", "face_swap", weights=_FACES, limit_s=MODEL_LIMIT_S),
            Recipe("cpu", "basic", "face_swap"),
        ),
        examples=(
            Example("Onto one of two people", {"target_image": EXAMPLE_COUPLE, "swap_image": EXAMPLE_FACE}),
            Example("The other way round", {"target_image": EXAMPLE_FACE, "swap_image": EXAMPLE_COUPLE}),
        ),
        expected_s=10.0,
        limit_s=60,
    ),
    Product(
        model=MODEL,
        task_type="multi-face-swap",
        family="image_toolkit",
        title="Face swap, several faces",
        summary=MultiFaceSwap.__doc__ or "",
        input=MultiFaceSwap,
        output=ImageResult,
        price=dollars("0.015"),
        recipes=(
            Recipe("onnx", "full", "multi_face_swap", weights=_FACES, limit_s=MODEL_LIMIT_S),
            Recipe("cpu", "basic", "multi_face_swap"),
        ),
        examples=(
            Example(
                "Onto the second person",
                {"target_image": EXAMPLE_COUPLE, "swap_image": EXAMPLE_FACE, "target_faces_index": "1"},
            ),
            Example(
                "Two people onto two others, crosswise",
                {
                    "target_image": EXAMPLE_COUPLE,
                    "swap_image": EXAMPLE_FRIENDS,
                    "swap_faces_index": "0,1",
                    "target_faces_index": "1,0",
                },
            ),
        ),
        expected_s=10.0,
        limit_s=60,
    ),
    Product(
        model=MODEL,
        task_type="segment",
        family="image_toolkit",
        title="Segmentation by words",
        summary=Segment.__doc__ or "",
        input=Segment,
        output=ImageResult,
        price=dollars("0.01", unit="megapixel", units=_most_megapixels),
        recipes=(
            Recipe("networks", "full", "segment_things", weights=_THINGS, limit_s=MODEL_LIMIT_S),
            Recipe("networks", "full", "segment", weights=("clipseg-rd64-refined",), limit_s=MODEL_LIMIT_S),
            Recipe("cpu", "basic", "segment", changes_little=True),
        ),
        examples=(
            Example("One thing", {"image": EXAMPLE_IMAGE, "prompt": "house"}),
            Example(
                "Without a part of it, and a little smaller",
                {"image": EXAMPLE_IMAGE, "prompt": "house", "negative_prompt": "window", "segment_factor": -2},
            ),
        ),
        expected_s=10.0,
        limit_s=60,
    ),
)
