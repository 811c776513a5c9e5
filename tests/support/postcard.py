"""A product as another package adds it: one file that knows nothing but the vocabulary in `unitask.spec`."""

from pydantic import Field

from unitask.spec.price import Price
from unitask.spec.product import Example, ImageResult, Input, Product, Recipe


class Postcard(Input):
    """Postcards with a picture of what you say."""

    prompt: str = Field(min_length=1, max_length=200, description="What the postcards show.")
    negative_prompt: str = Field("", description="What they do not show.")
    copies: int = Field(1, ge=1, le=4, alias="batch_size", description="How many, each different.")
    width: int = Field(320, ge=64, le=640)
    height: int = Field(240, ge=64, le=640)

    @property
    def batch_size(self) -> int:
        """What the engine calls the copies."""
        return self.copies


def _copies(inputs: Postcard) -> int:
    return inputs.copies


PRODUCT = Product(
    model="Quince/postcards",
    task_type="print",
    family="quince",
    title="Postcards",
    summary=Postcard.__doc__ or "",
    input=Postcard,
    output=ImageResult,
    price=Price(1_500, "postcard", _copies),
    recipes=(Recipe("preview", "preview", "txt2img"),),
    examples=(Example("A harbour", {"prompt": "a harbour at sunset"}),),
)
