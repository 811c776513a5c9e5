"""Skyreels: a picture of people comes alive for four seconds.

Length and size are not documented: 97 frames at 24 per second are those of the public weights (SkyReels V1 of
Skywork), and so is 960 x 544; upright and square videos have about the same area.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from unitask.spec.fields import BLANK_IS_ABSENT, Picture, Prompt, Words
from unitask.spec.price import dollars
from unitask.spec.product import Example, Input, Product, Recipe, VideoResult
from unitask.spec.samples import EXAMPLE_COUPLE, EXAMPLE_FACE

_SIZES: Final = {"16:9": [960, 544], "9:16": [544, 960], "1:1": [720, 720]}
_FILM: Final = {"frames": 97, "fps": 24, "sizes": _SIZES}
_WAY: Final = {"steps": 30, "guidance": 1.0, "tokens": 256}
"""What the client calls guidance leads away from the negative prompt here; that of the base model stays at 1."""
_FULL_LIMIT_S: Final = 3600


class ImageToVideo(Input):
    """A video of four seconds that begins with a picture, made for pictures of people."""

    prompt: Prompt = Field(description="What happens in the video; by custom it begins with `FPS-24, `.")
    negative_prompt: Words = Field(default="", description="What must not be shown.")
    image: Picture = Field(description="The first frame: URL, data URI or base64; cropped to the aspect ratio.")
    aspect_ratio: Annotated[Literal["16:9", "9:16", "1:1"], BLANK_IS_ABSENT] = Field(
        default="16:9", description="Shape of the video; blank stands for 16:9."
    )
    guidance_scale: Annotated[float, BLANK_IS_ABSENT] = Field(
        default=3.5, gt=0, le=10, description="How strictly to follow words: freer below 3, strict above 5."
    )


PRODUCTS: Final[tuple[Product, ...]] = (
    Product(
        model="Qubico/skyreels",
        task_type="img2video",
        family="skyreels",
        title="Skyreels: image to video",
        summary=ImageToVideo.__doc__ or "",
        input=ImageToVideo,
        output=VideoResult,
        price=dollars("0.15"),
        recipes=(
            Recipe("diffusers", "full", "skyreels", {**_FILM, **_WAY}, ("skyreels-v1-i2v",), _FULL_LIMIT_S),
            Recipe("cpu", "basic", "image_to_video", _FILM),
        ),
        examples=(
            Example("A portrait", {"prompt": "FPS-24, a smile and a look upwards", "image": EXAMPLE_FACE}),
            Example(
                "Two people, upright, strict",
                {
                    "prompt": "FPS-24, they look at each other",
                    "negative_prompt": "chaotic, distortion, morphing",
                    "image": EXAMPLE_COUPLE,
                    "aspect_ratio": "9:16",
                    "guidance_scale": 6.0,
                },
            ),
        ),
        expected_s=180.0,
        limit_s=900,
    ),
)
