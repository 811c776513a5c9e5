"""Flux: pictures from words, and pictures changed by words.

Three models share one family of inputs: `schnell` is quick and makes up to four pictures a task, `dev` is
finer, `dev-advanced` adds LoRA, ControlNet, inpainting, outpainting, variations and editing. Source: FLUX.1
of Black Forest Labs, with its Fill, Redux, ControlNet and Kontext relatives.
"""

from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from unitask.spec.fields import MARGINS, MEDIA_CHARS, PAINTED, OptionalPicture, Picture, Prompt, Words
from unitask.spec.price import dollars
from unitask.spec.product import Example, ImageResult, Input, Product, Recipe
from unitask.spec.samples import EXAMPLE_IMAGE

SCHNELL: Final = "Qubico/flux1-schnell"
DEV: Final = "Qubico/flux1-dev"
ADVANCED: Final = "Qubico/flux1-dev-advanced"

LIMIT_PIXELS: Final = 1024 * 1024
LIMIT_SIDE_PX: Final = 4096
LIMIT_ADDED_PIXELS: Final = 1024 * 1024 - 1
DEFAULT_SIDE_PX: Final = 1024
_TO_WORK_ON: Final = "The picture to work on: URL, data URI or base64."


def _only_one(batch_size: int) -> int:
    if batch_size > 1:
        raise ValueError(f"only {SCHNELL} makes more than one picture per task; send 1 or leave it out")
    return batch_size


OnePicture = Annotated[int, Field(ge=1, json_schema_extra={"maximum": 1}), AfterValidator(_only_one)]
Side = Annotated[int, Field(ge=0, le=LIMIT_SIDE_PX)]
# fmt: off
LoraType = Literal[
    "anime", "art", "collage-artstyle", "creepcute", "cyberpunk-anime-style", "deco-pulse",
    "deep-sea-particle-enhencer", "disney", "faetastic-details", "fractal-geometry", "furry",
    "galactixy-illustrations-style", "geometric-woman", "graphic-portrait", "mat-miller-art", "mjv6",
    "moebius-style", "mystic-realism", "ob3d-isometric-3d-room", "paper-quilling-and-layering-style",
    "realism", "remes-abstract-poster-style", "scenery",
]
# fmt: on
ControlType = Annotated[
    Literal["depth", "soft_edge", "canny", "openpose"],
    BeforeValidator(lambda name: "soft_edge" if name == "hed" else name),
]


class Lora(BaseModel):
    """A style laid over the model."""

    lora_type: LoraType = Field(description="Name of the style.")
    lora_strength: float = Field(default=1.0, ge=0, le=2, description="0 is none of the style, 1 all of it.")
    lora_image: str = Field(default="", max_length=MEDIA_CHARS, description="Accepted and not read.")


class Control(BaseModel):
    """A picture whose shapes the result follows."""

    control_type: ControlType = Field(description="What is read from it; `hed` is another name of soft_edge.")
    control_image: Picture = Field(description="The picture to follow: URL, data URI or base64.")
    control_strength: float | None = Field(default=None, ge=0, le=1, description="How closely.")
    return_preprocessed_image: bool = Field(default=False, description="Also give the map read from it.")


class Outpaint(BaseModel):
    """Pixels to add on each side; together fewer than 1024 x 1024, counted once the picture is known."""

    model_config = ConfigDict(json_schema_extra={**MARGINS})

    setting_type: Literal["outpaint"] = Field(description="Always `outpaint`.")
    outpaint_left: Side = Field(default=0, description="Pixels to add on the left.")
    outpaint_right: Side = Field(default=0, description="Pixels to add on the right.")
    outpaint_top: Side = Field(default=0, description="Pixels to add above.")
    outpaint_bottom: Side = Field(default=0, description="Pixels to add below.")

    @model_validator(mode="after")
    def below_limit(self) -> Self:
        """Refuse what is too much for any picture; the engine counts again with the real one."""
        wide, high = self.outpaint_left + self.outpaint_right, self.outpaint_top + self.outpaint_bottom
        if (wide + 1) * (high + 1) - 1 > LIMIT_ADDED_PIXELS:
            raise ValueError(f"an outpaint must add fewer than {LIMIT_ADDED_PIXELS + 1} pixels")
        return self


class FluxInput(Input):
    """What every Flux task reads."""

    zero_is_default: ClassVar[frozenset[str]] = frozenset({"steps", "width", "height"})

    prompt: Prompt = Field(description="What the picture shows.")
    steps: int = Field(default=0, ge=0, le=40, description="Denoising steps; 0 leaves it to the model.")
    batch_size: OnePicture = Field(default=1, description="Number of pictures.")
    seed: int = Field(default=-1, ge=-1, le=2**63 - 1, description="Same seed, same picture; -1 draws one.")


class Guided(FluxInput):
    """Adds what steers away from and towards the prompt."""

    negative_prompt: Words = Field(default="", description="What must not be shown.")
    guidance_scale: float | None = Field(default=None, ge=1.5, le=5, description="How strictly to follow words.")


class Sized(FluxInput):
    """Adds the size of the result, at most 1024 x 1024 pixels in all; one side may be longer."""

    width: Side = Field(default=0, description="Pixels; 0 stands for 1024, or for the given picture's size.")
    height: Side = Field(default=0, validate_default=True, description="Pixels; 0 as for the width.")

    @field_validator("height")
    @classmethod
    def within_area(cls, height: int, known: ValidationInfo) -> int:
        """Bound the area; a side that is left out counts as 1024."""
        wide, high = known.data.get("width") or DEFAULT_SIDE_PX, height or DEFAULT_SIDE_PX
        if wide * high > LIMIT_PIXELS:
            raise ValueError(f"width x height is {wide * high} pixels; at most {LIMIT_PIXELS}")
        return height


class FromPicture(FluxInput):
    """Adds the picture to work on."""

    image: Picture = Field(description=_TO_WORK_ON)


class Styled(FluxInput):
    """Adds the style to use."""

    lora_settings: list[Lora] = Field(min_length=1, max_length=1, description="The style, just one.")


class Schnell(FluxInput):
    """What the quick model takes differently."""

    steps: int = Field(default=0, ge=0, le=10, description="Denoising steps; 0 leaves it to the model.")
    batch_size: int = Field(default=1, ge=1, le=4, description="Number of pictures, each charged.")


class TextToImage(Guided, Sized):
    """A picture from words."""

    denoise: float = Field(default=0.7, gt=0, le=1, description="How far to leave the given picture, if any.")


class SchnellTextToImage(Schnell, TextToImage):
    """Up to four pictures from words."""


class ImageToImage(FromPicture, TextToImage):
    """A picture made anew from another one and words."""


class SchnellImageToImage(Schnell, ImageToImage):
    """Up to four pictures made anew from another one and words."""


class TextToImageLora(Styled, TextToImage):
    """A picture from words in a given style."""


class ImageToImageLora(Styled, ImageToImage):
    """A picture made anew in a given style."""


class ControlNet(TextToImage):
    """A picture from words that follows the shapes of another."""

    image: OptionalPicture = Field(default="", description="A picture to start from, if any.")
    control_net_settings: list[Control] = Field(min_length=1, max_length=1, description="What to follow, just one.")
    lora_settings: list[Lora] = Field(default=[], max_length=1, description="A style, at most one.")


class FillInpaint(FromPicture, Guided):
    """A picture whose pure white region is painted anew."""

    image: Picture = Field(description=_TO_WORK_ON, json_schema_extra=PAINTED)


class FillOutpaint(FromPicture, Guided):
    """A picture continued beyond its edges."""

    prompt: Words = Field(default="", description="What the new parts show.")
    custom_settings: list[Outpaint] = Field(min_length=1, max_length=1, description="How far, just one.")


class Redux(FromPicture, Guided, Sized):
    """A variation of a picture."""


class Kontext(FromPicture, Sized):
    """A picture edited as told."""

    width: Side = Field(default=1024, description="Pixels of the result; 0 stands for 1024.")
    height: Side = Field(default=1024, validate_default=True, description="Pixels; 0 stands for 1024.")
    steps: int = Field(default=28, ge=0, le=40, description="Denoising steps; 0 stands for 28.")


_TITLES: Final = {SCHNELL: "Flux schnell", DEV: "Flux dev", ADVANCED: "Flux dev advanced"}
_PRICES: Final = {SCHNELL: "0.0015", DEV: "0.015", ADVANCED: "0.02"}


def _pictures(inputs: FluxInput) -> int:
    return inputs.batch_size


def _with(prompt: str, **fields: object) -> dict[str, object]:
    return {"prompt": prompt, **fields}


def _near(prompt: str, **fields: object) -> dict[str, object]:
    return {"prompt": prompt, "image": EXAMPLE_IMAGE, **fields}


def _control(control_type: str, **fields: object) -> list[dict[str, object]]:
    return [{"control_type": control_type, "control_image": EXAMPLE_IMAGE, **fields}]


_FROM_TEXT: Final = (
    Example("Words alone", _with("a little cat", width=1024, height=1024)),
    Example(
        "Wide, always the same",
        _with("a lighthouse in a storm, oil on canvas", width=1280, height=720, seed=42),
    ),
)
_FOUR: Final = Example("Four at once", _with("a paper boat", batch_size=4, steps=4, width=512, height=512))
_FROM_IMAGE: Final = (
    Example("Close to the picture", _near("a bear", denoise=0.4)),
    Example("Far from the picture", _near("a house in the snow", denoise=0.9, negative_prompt="people")),
)
_TEXT_LORA: Final = (
    Example("A style", _with("a street at night", lora_settings=[{"lora_type": "mystic-realism"}])),
    Example("Half of it", _with("a fox", lora_settings=[{"lora_type": "anime", "lora_strength": 0.5}], width=768)),
)
_IMAGE_LORA: Final = (
    Example("A style", _near("a bear", lora_settings=[{"lora_type": "disney"}])),
    Example("A light touch", _near("a bear", denoise=0.3, lora_settings=[{"lora_type": "moebius-style"}])),
)
_EDGES: Final = _control("canny", control_strength=0.45, return_preprocessed_image=True)
_CONTROLNET: Final = (
    Example(
        "Depth, in a style",
        _with("a hero", control_net_settings=_control("depth"), lora_settings=[{"lora_type": "mjv6"}]),
    ),
    Example(
        "Edges, with their map",
        _with("a glass tower", control_net_settings=_EDGES, guidance_scale=2.5, steps=28),
    ),
)
_INPAINT: Final = (
    Example("Fill the white window", _near("a window with a cat behind it")),
    Example("In fewer steps", _near("closed shutters", steps=20, negative_prompt="text")),
)
_SIDEWAYS: Final = {"setting_type": "outpaint", "outpaint_left": 500, "outpaint_right": 500}
_OUTPAINT: Final = (
    Example("To both sides", _near("a wide valley", custom_settings=[_SIDEWAYS])),
    Example("Upwards", _near("a clear sky", custom_settings=[{"setting_type": "outpaint", "outpaint_top": 64}])),
)
_REDUX: Final = (
    Example("A variation", _near("a superman", width=1024, height=1024)),
    Example("Upright", _near("in watercolours", width=768, height=1024, seed=7)),
)
_KONTEXT: Final = (
    Example("Change one thing", _near("paint the roof green", steps=10, seed=-1)),
    Example("Change the season", _near("let it be winter", width=1248, height=832)),
)
_ADDED: Final = {"limit_added_pixels": LIMIT_ADDED_PIXELS}
_SCHNELL_WAY: Final = {"steps": 4, "guidance": None, "negative": False, "tokens": 256}
_DEV_WAY: Final = {"steps": 28, "guidance": 3.5, "tokens": 512}
_LEAST: Final = {"least_pixels": LIMIT_PIXELS * 3 // 4}
_FILL_WAY: Final = {"steps": 40, "guidance": 30.0, "guidance_each": 10.0, "negative": False, "tokens": 512, **_LEAST}
_FULL_LIMIT_S: Final = 1800


def _full(make: str, card: str, way: dict[str, Any], **more: Any) -> Recipe:
    return Recipe("diffusers", "full", make, {**way, **more}, (card,), _FULL_LIMIT_S)


_CONTROL_CARDS: Final = ("flux1-controlnet-union", "depth-anything-small", "person-detector", "vitpose-base-simple")


_FULL: Final = {
    "controlnet-lora": Recipe("diffusers", "full", "controlnet", _DEV_WAY, _CONTROL_CARDS, _FULL_LIMIT_S),
    "fill-inpaint": _full("inpaint", "flux1-fill-dev", _FILL_WAY),
    "fill-outpaint": _full("outpaint", "flux1-fill-dev", _FILL_WAY, **_ADDED),
    "redux-variation": _full("redux", "flux1-redux-dev", _DEV_WAY),
    "kontext": _full("kontext", "flux1-kontext-dev", _DEV_WAY, guidance=2.5, **_LEAST),
    "txt2img": _full("text_to_image", "flux1-dev", _DEV_WAY),
    "img2img": _full("image_to_image", "flux1-dev", _DEV_WAY),
    "txt2img-lora": _full("text_to_image", "flux1-dev", _DEV_WAY),
    "img2img-lora": _full("image_to_image", "flux1-dev", _DEV_WAY),
}
"""What is made from real weights."""
_FULL_SCHNELL: Final = {
    "txt2img": _full("text_to_image", "flux1-schnell", _SCHNELL_WAY),
    "img2img": _full("image_to_image", "flux1-schnell", _SCHNELL_WAY),
}
_DEMO_WAY: Final = {"steps": 12, "guidance": None, "negative": False, "tokens": 16, "side_px": 64}
_DEMO: Final = Recipe("demo", "preview", "shapes", _DEMO_WAY, ("demo-shapes",))
"""What stands in for the quick model where its weights are not here."""
_MAKES: Final = {
    "controlnet-lora": Recipe("preview", "preview", "controlnet"),
    "fill-inpaint": Recipe("cpu", "basic", "inpaint"),
    "fill-outpaint": Recipe("cpu", "basic", "outpaint", _ADDED),
    "redux-variation": Recipe("preview", "preview", "redux"),
}


def _product(model: str, task_type: str, title: str, inputs: type[FluxInput], examples: tuple[Example, ...]) -> Product:
    schnell = model == SCHNELL
    make = task_type.replace("-", "_")
    full = (_FULL_SCHNELL if schnell else _FULL).get(task_type)
    demo = _DEMO if schnell and task_type == "txt2img" else None
    return Product(
        model=model,
        task_type=task_type,
        family="flux",
        title=f"{_TITLES[model]}: {title}",
        summary=inputs.__doc__ or "",
        input=inputs,
        output=ImageResult,
        price=dollars(_PRICES[model], unit="image", units=_pictures),
        recipes=(*filter(None, (full, demo)), _MAKES.get(task_type) or Recipe("preview", "preview", make)),
        examples=examples,
        expected_s=5.0 if schnell else 20.0,
        limit_s=60 if schnell else 180 if task_type == "controlnet-lora" else 120,
    )


PRODUCTS: Final[tuple[Product, ...]] = (
    _product(SCHNELL, "txt2img", "text to image", SchnellTextToImage, (*_FROM_TEXT, _FOUR)),
    _product(SCHNELL, "img2img", "image to image", SchnellImageToImage, _FROM_IMAGE),
    _product(DEV, "txt2img", "text to image", TextToImage, _FROM_TEXT),
    _product(DEV, "img2img", "image to image", ImageToImage, _FROM_IMAGE),
    _product(ADVANCED, "txt2img", "text to image", TextToImage, _FROM_TEXT),
    _product(ADVANCED, "img2img", "image to image", ImageToImage, _FROM_IMAGE),
    _product(ADVANCED, "txt2img-lora", "text to image in a style", TextToImageLora, _TEXT_LORA),
    _product(ADVANCED, "img2img-lora", "image to image in a style", ImageToImageLora, _IMAGE_LORA),
    _product(ADVANCED, "controlnet-lora", "ControlNet, with or without a style", ControlNet, _CONTROLNET),
    _product(ADVANCED, "fill-inpaint", "paint the white region anew", FillInpaint, _INPAINT),
    _product(ADVANCED, "fill-outpaint", "continue beyond the edges", FillOutpaint, _OUTPAINT),
    _product(ADVANCED, "redux-variation", "variation of a picture", Redux, _REDUX),
    _product(ADVANCED, "kontext", "edit a picture as told", Kontext, _KONTEXT),
)
