"""Framepack: up to half a minute of video from a first picture, and on to a last one if there is one.

Readings where the sources are silent:

- Clients offer 10 to 30 s. A shorter video is made and charged as asked, rather than refused or made longer at a
  price that nobody asked for; more than 30 s is refused.
- Nothing sets the size: the video has the picture's proportions, its longer side at most 720 pixels.
- The number of seconds is whole, and so is the price's.
"""

from typing import Annotated, Final

from pydantic import Field

from unitask.spec.fields import BLANK_IS_ABSENT, OptionalPicture, Picture, Prompt, Words
from unitask.spec.price import dollars
from unitask.spec.product import Example, Input, Product, Recipe, VideoResult
from unitask.spec.samples import EXAMPLE_FACE, EXAMPLE_FRIENDS, EXAMPLE_IMAGE

LIMIT_DURATION_S: Final = 30
LIMIT_SIDE_PX: Final = 720
_FILM: Final = {"fps": 30, "sizes": "follow the image", "limit_side_px": LIMIT_SIDE_PX}
_WAY: Final = {"steps": 30, "guidance": 9.0, "tokens": 256, "window": 9}
_FULL_LIMIT_S: Final = 7200


class ImageToVideo(Input):
    """A video of up to 30 seconds that begins with a picture and may end with another."""

    start_image: Picture = Field(description="The first frame: URL, data URI or base64.")
    prompt: Prompt = Field(description="What happens in the video.")
    end_image: OptionalPicture = Field(default="", description="The last frame, if it matters.")
    duration: Annotated[int, BLANK_IS_ABSENT] = Field(
        default=10, ge=1, le=LIMIT_DURATION_S, description="Seconds of video, each charged; usually 10 to 30."
    )
    negative_prompt: Words = Field(default="", description="What must not be shown.")


def _seconds(inputs: ImageToVideo) -> int:
    return inputs.duration


PRODUCTS: Final[tuple[Product, ...]] = (
    Product(
        model="Qubico/framepack",
        task_type="img2video",
        family="framepack",
        title="Framepack: image to video",
        summary=ImageToVideo.__doc__ or "",
        input=ImageToVideo,
        output=VideoResult,
        price=dollars("0.03", unit="second", units=_seconds),
        recipes=(
            Recipe("diffusers", "full", "framepack", {**_FILM, **_WAY}, ("framepack-i2v",), _FULL_LIMIT_S),
            Recipe("cpu", "basic", "image_to_video", _FILM),
        ),
        examples=(
            Example("Ten seconds", {"start_image": EXAMPLE_FACE, "prompt": "a slow dance", "duration": 10}),
            Example(
                "On to a last picture",
                {
                    "start_image": EXAMPLE_IMAGE,
                    "end_image": EXAMPLE_FRIENDS,
                    "prompt": "two friends step out of the house",
                    "duration": 3,
                },
            ),
        ),
        expected_s=300.0,
        limit_s=900,
    ),
)
