"""Hunyuan Video: three and a half seconds from words or from a picture.

85 frames, in 20 steps (`fast`: 6). From a picture there are two ways: `concat` moves more freely, `replace` keeps
closer to the picture. Readings where the sources differ or are silent:

- Sizes are published as height x width: 16:9 is 848 x 480 from words and 960 x 544 from a picture.
- Frames per second are not documented: 24, the rate of the public weights (HunyuanVideo of Tencent), 3.54 s.
- `negative_prompt` is on no page, but sent: it is accepted, and an engine without a use for it says so.
- The list of styles and the price of `txt2video-lora` are not published: any plain name is accepted, `anime` is one,
  and the price is that of `txt2video`. Whether a style is there, its engine knows.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field

from unitask.spec.fields import BLANK_IS_ABSENT, SERVED_STYLE, Picture, Prompt, Words
from unitask.spec.price import dollars
from unitask.spec.product import Example, Input, Product, Recipe, VideoResult
from unitask.spec.samples import EXAMPLE_COUPLE, EXAMPLE_FACE, EXAMPLE_IMAGE

MODEL: Final = "Qubico/hunyuan"
LIMIT_STYLES: Final = 4
LIMIT_S: Final = 900
_FULL_LIMIT_S: Final = 3600

StyleName = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$"), SERVED_STYLE]


class Lora(BaseModel):
    """A style laid over the model."""

    lora_type: StyleName = Field(description="Name of the style: letters, digits, dots, dashes and underscores.")
    lora_strength: Annotated[float, BLANK_IS_ABSENT] = Field(
        default=1.0, ge=0, le=2, description="0 is none of the style, 1 all of it."
    )


class TextToVideo(Input):
    """A video of three and a half seconds from words."""

    prompt: Prompt = Field(description="What the video shows.")
    negative_prompt: Words = Field(default="", description="What must not be shown.")
    aspect_ratio: Annotated[Literal["16:9", "9:16", "1:1"], BLANK_IS_ABSENT] = Field(
        default="16:9", description="Shape of the video; blank stands for 16:9."
    )


class FastTextToVideo(TextToVideo):
    """A video of three and a half seconds from words, quicker and rougher."""


class TextToVideoLora(TextToVideo):
    """A video of three and a half seconds from words, in a given style."""

    lora_settings: list[Lora] = Field(
        min_length=1, max_length=LIMIT_STYLES, description="The style; several are laid over one another."
    )


class ImageToVideoConcat(TextToVideo):
    """A video of three and a half seconds from a picture, which may move freely away from it."""

    image: Picture = Field(description="The picture: URL, data URI or base64; cropped to the aspect ratio.")


class ImageToVideoReplace(TextToVideo):
    """A video of three and a half seconds that begins with a picture and keeps close to it."""

    image: Picture = Field(description="The first frame: URL, data URI or base64; cropped to the aspect ratio.")


_FROM_TEXT: Final = (
    Example("Words alone", {"prompt": "A cat walks on the grass, realistic style."}),
    Example("Square", {"prompt": "a paper boat on a pond", "negative_prompt": "people", "aspect_ratio": "1:1"}),
)
_LORA: Final = (
    Example("A style", {"prompt": "a street at night", "lora_settings": [{"lora_type": "anime"}]}),
    Example(
        "Half of it, upright",
        {
            "prompt": "a fox",
            "lora_settings": [{"lora_type": "anime", "lora_strength": 0.5}],
            "aspect_ratio": "9:16",
        },
    ),
)
_FROM_IMAGE: Final = (
    Example("A place", {"prompt": "clouds drift over the house", "image": EXAMPLE_IMAGE}),
    Example("Two people, square", {"prompt": "they hug", "image": EXAMPLE_COUPLE, "aspect_ratio": "1:1"}),
)
_FROM_PORTRAIT: Final = (
    Example("A portrait", {"prompt": "a nod and a smile", "image": EXAMPLE_FACE, "aspect_ratio": "9:16"}),
    *_FROM_IMAGE,
)

_FROM_TEXT_SIZES: Final = {"16:9": [848, 480], "9:16": [480, 848], "1:1": [640, 640]}
_FROM_IMAGE_SIZES: Final = {"16:9": [960, 544], "9:16": [544, 960], "1:1": [720, 720]}

_TEXT_WAY: Final = {"steps": 20, "guidance": 6.0, "shift": 7.0, "tokens": 256}
_CONCAT_WAY: Final = {"steps": 20, "guidance": 1.0, "tokens": 256, "interleave": 2, "lost_frames": 4}
_REPLACE_WAY: Final = {"steps": 20, "guidance": 6.0, "tokens": 256, "interleave": 4, "lost_frames": 0}
_FULL: Final = {
    "txt2video": ("hunyuan_text_to_video", "hunyuan-video", _TEXT_WAY),
    "fast-txt2video": ("hunyuan_text_to_video", "fast-hunyuan", {**_TEXT_WAY, "steps": 6, "shift": 17.0}),
    "txt2video-lora": ("hunyuan_text_to_video", "hunyuan-video", _TEXT_WAY),
    "img2video-concat": ("hunyuan_image_to_video", "hunyuan-video-i2v-concat", _CONCAT_WAY),
    "img2video-replace": ("hunyuan_image_to_video", "hunyuan-video-i2v-replace", _REPLACE_WAY),
}
"""What makes a video from real weights, from which, and how."""


def _product(
    task_type: str, title: str, inputs: type[TextToVideo], examples: tuple[Example, ...], price: str = "0.09"
) -> Product:
    from_image = task_type.startswith("img2video")
    options = {"frames": 85, "fps": 24, "sizes": _FROM_IMAGE_SIZES if from_image else _FROM_TEXT_SIZES}
    make, card, way = _FULL[task_type]
    full = Recipe("diffusers", "full", make, {**options, **way}, (card,), _FULL_LIMIT_S)
    if from_image:
        recipe = Recipe("cpu", "basic", "image_to_video", options)
    else:
        recipe = Recipe("preview", "preview", "text_to_video", options)
    return Product(
        model=MODEL,
        task_type=task_type,
        family="hunyuan",
        title=f"Hunyuan Video: {title}",
        summary=inputs.__doc__ or "",
        input=inputs,
        output=VideoResult,
        price=dollars(price),
        recipes=(full, recipe),
        examples=examples,
        expected_s=90.0 if task_type.startswith("fast") else 240.0,
        limit_s=LIMIT_S,
    )


PRODUCTS: Final[tuple[Product, ...]] = (
    _product("txt2video", "text to video", TextToVideo, _FROM_TEXT),
    _product("fast-txt2video", "text to video, fast", FastTextToVideo, _FROM_TEXT, "0.03"),
    _product("img2video-concat", "image to video, free", ImageToVideoConcat, _FROM_IMAGE),
    _product("img2video-replace", "image to video, close", ImageToVideoReplace, _FROM_PORTRAIT),
    _product("txt2video-lora", "text to video in a style", TextToVideoLora, _LORA),
)
