"""WanX: five-second videos from words, from a picture, between two pictures, and with a camera that moves.

Wan 2.1 makes 85 frames of 480p, Wan 2.2 makes 720p. Neither size, length, steps nor seed can be asked for. Readings
where the sources differ or are silent:

- `aspect_ratio` is documented as 16:9 and 9:16; clients also send 1:1, which is made as a square of the same area.
- Frames per second are not documented: 16, the rate of the public weights. Wan 2.2 then makes 81 frames, its own
  number and 5.06 s; Wan 2.1 keeps the documented 85 and 5.31 s.
- From a picture, `prompt` may be left out.
- Keyframes have three sets of names in use; all are accepted, and a blank one counts as not sent.
- Prices of styles from a picture, of camera moves and of Wan 2.2 are not published: that of the 14b model.
- A camera move is `{motion_type, motion_speed}`; several add up. Kling's `{type, config}` is another product's.
- One list of styles serves words and pictures: which style was trained for which is not published.
- Steps, guidance and shift are those that the makers of the public weights recommend; where they leave the shift to
  the scheduler that comes with the weights, so do we. Nothing is avoided that `negative_prompt` does not name.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AliasChoices, BaseModel, Field, model_validator

from unitask.spec.fields import BLANK_IS_ABSENT, SERVED_STYLE, Picture, Prompt, Words
from unitask.spec.price import dollars
from unitask.spec.product import Example, Input, Product, Recipe, VideoResult
from unitask.spec.samples import EXAMPLE_FACE, EXAMPLE_IMAGE

MODEL: Final = "Qubico/wanx"
LIMIT_STYLES: Final = 4
LIMIT_MOVES: Final = 6
LIMIT_S: Final = 900

AspectRatio = Annotated[Literal["16:9", "9:16", "1:1"], BLANK_IS_ABSENT]
# fmt: off
LoraType = Annotated[
    Literal[
        "ghibli", "flat-color", "rotation-effect", "live-wallpaper", "passionate-kissing", "squish-effect",
        "cakeify-effect", "singularunity-motioncraft", "pixel-art", "super-saiyan-effect", "inflate-effect",
        "deflate-effect", "crush-effect", "particalize-effect",
    ],
    SERVED_STYLE,
]
MotionType = Literal[
    "zoom_in", "zoom_out", "pan_left", "pan_right", "pan_up", "pan_down", "tilt_left", "tilt_right", "tilt_up",
    "tilt_down", "roll_clockwise", "roll_anticlockwise",
]
# fmt: on


class Lora(BaseModel):
    """A style or an effect laid over the model."""

    lora_type: LoraType = Field(description="Name of the style or effect.")
    lora_strength: Annotated[float, BLANK_IS_ABSENT] = Field(
        default=1.0, ge=0, le=2, description="0 is none of it, 1 all of it."
    )


class CameraMove(BaseModel):
    """One movement of the camera.

    At frame `i` the camera has turned by `i / 16 * motion_speed * pi / 3` radians (tilt, roll) or travelled
    `i / 16 * motion_speed * 1.5` (pan; zoom twice that), in units of the scene.
    """

    motion_type: MotionType = Field(
        description="`pan` slides the camera, `zoom` drives it forwards or back, `tilt` and `roll` turn it."
    )
    motion_speed: Annotated[float, BLANK_IS_ABSENT] = Field(default=0.2, ge=0, le=10, description="0 stands still.")


class WanxInput(Input):
    """What every WanX task reads."""

    prompt: Words = Field(default="", description="What happens in the video.")
    negative_prompt: Words = Field(default="", description="What must not be shown.")
    aspect_ratio: AspectRatio = Field(default="16:9", description="Shape of the video; blank stands for 16:9.")


class TextToVideo(WanxInput):
    """A video of five seconds from words."""

    prompt: Prompt = Field(description="What the video shows.")


class TextToVideoLora(TextToVideo):
    """A video of five seconds from words, in a given style."""

    lora_settings: list[Lora] = Field(
        min_length=1, max_length=LIMIT_STYLES, description="The style; several are laid over one another."
    )


class ImageToVideo(WanxInput):
    """A video of five seconds that begins with a picture."""

    image: Picture = Field(description="The first frame: URL, data URI or base64; cropped to the aspect ratio.")


class ImageToVideoLora(ImageToVideo):
    """A video of five seconds that begins with a picture and does a given effect to it."""

    prompt: Prompt = Field(description="What happens in the video.")
    lora_settings: list[Lora] = Field(
        min_length=1, max_length=LIMIT_STYLES, description="The effect; several are laid over one another."
    )


class Keyframes(WanxInput):
    """A video of five seconds from a first picture to a last one."""

    start_image: Picture = Field(
        validation_alias=AliasChoices("start_image", "first_frame", "image"),
        description="The first frame: URL, data URI or base64. Also read as `first_frame` and `image`.",
    )
    end_image: Picture = Field(
        validation_alias=AliasChoices("end_image", "last_frame"),
        description="The last frame: URL, data URI or base64. Also read as `last_frame`.",
    )

    @model_validator(mode="before")
    @classmethod
    def without_blanks(cls, raw: Any) -> Any:
        """Let a filled name win over a blank one of the same field."""
        if not isinstance(raw, Mapping):
            return raw
        return {name: value for name, value in raw.items() if not isinstance(value, str) or value.strip()}


class CameraControl(ImageToVideo):
    """A video of five seconds that begins with a picture, seen by a camera that moves as told."""

    control_camera_settings: list[CameraMove] = Field(
        min_length=1, max_length=LIMIT_MOVES, description="How the camera moves; several movements add up."
    )


_PROMPT: Final = "a lighthouse on a cliff, waves roll in, evening light"
_AVOID: Final = "chaotic, distortion, morphing"
_FROM_TEXT: Final = (
    Example("Words alone", {"prompt": _PROMPT}),
    Example("Upright", {"prompt": "a red fox runs in the snow", "negative_prompt": _AVOID, "aspect_ratio": "9:16"}),
)
_FROM_IMAGE: Final = (
    Example("A picture alone", {"image": EXAMPLE_IMAGE}),
    Example("As told", {"image": EXAMPLE_FACE, "prompt": "a turn of the head and a smile", "aspect_ratio": "9:16"}),
)
_TEXT_LORA: Final = (
    Example("A style", {"prompt": _PROMPT, "lora_settings": [{"lora_type": "ghibli", "lora_strength": 1.0}]}),
    Example("Half of it", {"prompt": "a city", "lora_settings": [{"lora_type": "pixel-art", "lora_strength": 0.5}]}),
)
_IMAGE_LORA: Final = (
    Example(
        "An effect",
        {"prompt": "it swells", "image": EXAMPLE_IMAGE, "lora_settings": [{"lora_type": "inflate-effect"}]},
    ),
    Example(
        "All around",
        {"prompt": "a full turn", "image": EXAMPLE_FACE, "lora_settings": [{"lora_type": "rotation-effect"}]},
    ),
)
_KEYFRAMES: Final = (
    Example("From one picture to another", {"start_image": EXAMPLE_IMAGE, "end_image": EXAMPLE_FACE}),
    Example(
        "As told",
        {"start_image": EXAMPLE_FACE, "end_image": EXAMPLE_IMAGE, "prompt": "a walk home", "aspect_ratio": "9:16"},
    ),
)
_CAMERA: Final = (
    Example(
        "Closer",
        {"image": EXAMPLE_IMAGE, "control_camera_settings": [{"motion_type": "zoom_in", "motion_speed": 0.2}]},
    ),
    Example(
        "Sideways and turning",
        {
            "image": EXAMPLE_IMAGE,
            "control_camera_settings": [{"motion_type": "pan_left"}, {"motion_type": "roll_clockwise"}],
        },
    ),
)

_SIZES_480P: Final = {"16:9": [832, 480], "9:16": [480, 832], "1:1": [624, 624]}
_SIZES_720P: Final = {"16:9": [1280, 720], "9:16": [720, 1280], "1:1": [960, 960]}
_WAN21: Final = {"frames": 85, "fps": 16, "sizes": _SIZES_480P}
_WAN22: Final = {"frames": 81, "fps": 16, "sizes": _SIZES_720P}
_PRICES: Final = {"1.3b": "0.12", "14b": "0.28"}
_DRAWN: Final = frozenset({"text_to_video", "image_to_video_lora"})
"""What only the preview engine makes."""
FULL_LIMIT_S: Final = 3600
_FROM_WORDS: Final = {"steps": 50, "guidance": 5.0, "shift": 5.0, "tokens": 512}
_SMALL: Final = {"steps": 50, "guidance": 6.0, "shift": 8.0, "tokens": 512}
_FROM_PICTURE: Final = {"steps": 40, "guidance": 5.0, "shift": 3.0, "tokens": 512}
_FULL: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    "txt2video-1.3b": ("wan_text_to_video", "wan21-t2v-1.3b", _SMALL),
    "txt2video-14b": ("wan_text_to_video", "wan21-t2v-14b", _FROM_WORDS),
    "txt2video-14b-lora": ("wan_text_to_video", "wan21-t2v-14b", _FROM_WORDS),
    "img2video-14b": ("wan_image_to_video", "wan21-i2v-14b-480p", _FROM_PICTURE),
    "img2video-14b-lora": ("wan_image_to_video", "wan21-i2v-14b-480p", _FROM_PICTURE),
    "img2video-14b-keyframe": (
        "wan_keyframes",
        "wan21-flf2v-14b-720p",
        {"steps": 50, "guidance": 5.0, "shift": 16.0, "tokens": 512},
    ),
    "img2video-14b-control-camera": (
        "wan_camera_move",
        "wan21-fun-control-camera-14b",
        {"steps": 50, "guidance": 6.0, "shift": 3.0, "tokens": 512},
    ),
    "wan22-txt2video-14b": (
        "wan_text_to_video",
        "wan22-t2v-a14b",
        {"steps": 40, "guidance": 4.0, "guidance_2": 3.0, "shift": 12.0, "tokens": 512},
    ),
    "wan22-img2video-14b": (
        "wan_image_to_video",
        "wan22-i2v-a14b",
        {"steps": 40, "guidance": 3.5, "guidance_2": 3.5, "shift": 5.0, "tokens": 512},
    ),
}
"""What the public weights make: how, which weights, and the settings that their makers recommend."""


def _recipes(task_type: str, make: str) -> tuple[Recipe, ...]:
    film = _WAN22 if task_type.startswith("wan22") else _WAN21
    full_make, weights, settings = _FULL[task_type]
    full = Recipe("diffusers", "full", full_make, {**film, **settings}, weights=(weights,), limit_s=FULL_LIMIT_S)
    plain = Recipe("preview", "preview", make, film) if make in _DRAWN else Recipe("cpu", "basic", make, film)
    return full, plain


def _product(task_type: str, title: str, inputs: type[WanxInput], examples: tuple[Example, ...], make: str) -> Product:
    small = task_type.endswith("1.3b")
    return Product(
        model=MODEL,
        task_type=task_type,
        family="wan",
        title=f"{'Wan 2.2' if task_type.startswith('wan22') else 'Wan 2.1'}: {title}",
        summary=inputs.__doc__ or "",
        input=inputs,
        output=VideoResult,
        price=dollars(_PRICES["1.3b" if small else "14b"]),
        recipes=_recipes(task_type, make),
        examples=examples,
        expected_s=120.0 if small else 300.0,
        limit_s=LIMIT_S,
    )


PRODUCTS: Final[tuple[Product, ...]] = (
    _product("txt2video-1.3b", "text to video, small model", TextToVideo, _FROM_TEXT, "text_to_video"),
    _product("txt2video-14b", "text to video", TextToVideo, _FROM_TEXT, "text_to_video"),
    _product("txt2video-14b-lora", "text to video in a style", TextToVideoLora, _TEXT_LORA, "text_to_video"),
    _product("img2video-14b", "image to video", ImageToVideo, _FROM_IMAGE, "image_to_video"),
    _product(
        "img2video-14b-lora", "image to video with an effect", ImageToVideoLora, _IMAGE_LORA, "image_to_video_lora"
    ),
    _product("img2video-14b-keyframe", "from a first frame to a last", Keyframes, _KEYFRAMES, "keyframes"),
    _product("img2video-14b-control-camera", "image to video, moving camera", CameraControl, _CAMERA, "camera_move"),
    _product("wan22-txt2video-14b", "text to video", TextToVideo, _FROM_TEXT, "text_to_video"),
    _product("wan22-img2video-14b", "image to video", ImageToVideo, _FROM_IMAGE, "image_to_video"),
)
