"""AI Hug: two people of one picture embrace.

Length and size of the video are not documented: 80 frames at 16 per second, five seconds, in 832 x 480 pixels. The
real model is Wan 2.1 from a picture with the LoRA `hug` of the family `wan`, made for this; without it, by words alone.
"""

from typing import Any, Final

from pydantic import Field

from unitask.spec.fields import Picture
from unitask.spec.price import dollars
from unitask.spec.product import Example, Input, Product, Recipe, VideoResult
from unitask.spec.samples import EXAMPLE_COUPLE, EXAMPLE_FRIENDS

_FILM: Final[dict[str, Any]] = {"frames": 80, "fps": 16, "size": [832, 480]}
_EMBRACE: Final = (
    "The video begins with two people side by side. They turn to each other with a warm smile, step closer, "
    "put their arms around each other and hold each other in a long, tender embrace."
)
_FULL: Final = {
    "steps": 40,
    "guidance": 6.0,
    "shift": 5.0,
    "tokens": 512,
    "prompt": _EMBRACE,
    "style": "hug",
    "style_prompt": f"{_EMBRACE} One person h54g hugs the other person.",
}
"""What the makers of the LoRA recommend, its trigger words among it."""


class Hug(Input):
    """A video of five seconds in which the two people of a picture hug each other."""

    image_url: Picture = Field(description="One picture that shows two people: URL, data URI or base64.")


PRODUCTS: Final[tuple[Product, ...]] = (
    Product(
        model="Qubico/hug-video",
        task_type="image_to_video",
        family="hug_video",
        title="AI Hug",
        summary=Hug.__doc__ or "",
        input=Hug,
        output=VideoResult,
        price=dollars("0.20"),
        recipes=(
            Recipe("diffusers", "full", "hug", {**_FILM, **_FULL}, weights=("wan21-i2v-14b-480p",), limit_s=3600),
            Recipe("preview", "preview", "hug", _FILM),
        ),
        examples=(
            Example("Two people", {"image_url": EXAMPLE_COUPLE}),
            Example("Two others", {"image_url": EXAMPLE_FRIENDS}),
        ),
        keep_days=1,
        expected_s=120.0,
        limit_s=900,
    ),
)
