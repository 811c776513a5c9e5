"""AI Hug: two people of one picture embrace.

Length and size of the video are not documented: 80 frames at 16 per second, five seconds, in 832 x 480 pixels.
"""

from typing import Final

from pydantic import Field

from unitask.spec.fields import Picture
from unitask.spec.price import dollars
from unitask.spec.product import Example, Input, Product, Recipe, VideoResult
from unitask.spec.samples import EXAMPLE_COUPLE, EXAMPLE_FRIENDS


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
        recipes=(Recipe("preview", "preview", "hug", {"frames": 80, "fps": 16, "size": [832, 480]}),),
        examples=(
            Example("Two people", {"image_url": EXAMPLE_COUPLE}),
            Example("Two others", {"image_url": EXAMPLE_FRIENDS}),
        ),
        keep_days=1,
        expected_s=120.0,
        limit_s=900,
    ),
)
