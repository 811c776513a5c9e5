"""Video tools: swap a face in a video, enlarge a video, take its background away. All three are charged by the frame.

How many frames a video has is known only once it is read: the quote is for the most that a tool takes, and what was
really made decides the charge. Readings where the sources differ or are silent:

- Face swap: no page gives its price per frame; one client's table does. Its 600 frames are documented, while 10 MB
  and 720p come from one client: a URL may lead to 50 MiB and 1080p.
- Upscale: 1280 x 720 is read as either way up.
- Background removal: one example of 280,000 points is all that is known of the price. It is disputed whether that
  was by the second or by the frame; here it is $0.0002 a frame, so that the example is 140 frames. What is taken
  away becomes green, because MP4 has no transparency.
"""

from typing import Annotated, Final

from pydantic import Field

from unitask.spec.faces import FacePairs, Restorable
from unitask.spec.fields import FILLED, MEDIA_CHARS
from unitask.spec.media import Media
from unitask.spec.price import Price, dollars
from unitask.spec.product import Example, Input, Product, Recipe, VideoResult
from unitask.spec.samples import EXAMPLE_FACE, EXAMPLE_FRIENDS, EXAMPLE_SCENE, EXAMPLE_VIDEO

MODEL: Final = "Qubico/video-toolkit"
LIMIT_FACE_SIDE_PX: Final = 2048
LIMIT_FRAMES: Final = 600
UPSCALE_SCALE: Final = 2
UPSCALE_FRAMES: Final = 240
UPSCALE_FRAMES_MIN: Final = 10
UPSCALE_WIDTH: Final = 1280
UPSCALE_HEIGHT: Final = 720
MODEL_LIMIT_S: Final = 3600
"""Seconds for a recipe that asks a network about every frame."""

LargeClip = Annotated[
    str,
    Media("video", limit_bytes=50 * 2**20, limit_side_px=1920, limit_pixels=1920 * 1080),
    Field(max_length=MEDIA_CHARS),
    FILLED,
]
SmallClip = Annotated[
    str,
    Media("video", limit_side_px=UPSCALE_WIDTH, limit_pixels=UPSCALE_WIDTH * UPSCALE_HEIGHT),
    Field(max_length=MEDIA_CHARS),
    FILLED,
]
FacePicture = Annotated[
    str,
    Media("image", limit_side_px=LIMIT_FACE_SIDE_PX, limit_pixels=LIMIT_FACE_SIDE_PX**2),
    Field(max_length=MEDIA_CHARS),
    FILLED,
]


class OntoVideo(Restorable):
    """Adds the video to change, and the picture whose faces it gets."""

    swap_image: FacePicture = Field(
        description="The picture whose faces are taken, at most 2048 pixels a side: URL, data URI or base64."
    )
    target_video: LargeClip = Field(description="The video to change, at most 600 frames: URL, data URI or base64.")


class VideoFaceSwap(FacePairs, OntoVideo):
    """Chosen faces of a picture put onto chosen people of a video of up to 600 frames.

    Faces are counted from 0, when most of them are in view: of two at different heights the lower first, otherwise
    from the left. Without numbers the first goes onto the first.
    """


class VideoUpscale(Input):
    """A video of 10 to 240 frames at twice its width and height."""

    video: SmallClip = Field(
        description="The video, at most 1280 x 720 pixels, either way up: URL, data URI or base64."
    )


class VideoBackgroundRemove(Input):
    """The subject of a video without its background."""

    video: LargeClip = Field(description="The video, at most 600 frames: URL, data URI or base64.")
    invert_output: bool = Field(default=False, description="Keep the background and take the subject away.")


def _per_frame(amount: str, limit_frames: int) -> Price:
    return dollars(amount, unit="frame", units=lambda _: limit_frames)


def _product(
    task_type: str,
    title: str,
    inputs: type[Input],
    *,
    price: Price,
    recipes: tuple[Recipe, ...],
    examples: tuple[Example, ...],
) -> Product:
    return Product(
        model=MODEL,
        task_type=task_type,
        family="video_toolkit",
        title=title,
        summary=inputs.__doc__ or "",
        input=inputs,
        output=VideoResult,
        price=price,
        recipes=recipes,
        examples=examples,
        expected_s=60.0,
        limit_s=900,
    )


_FACES: Final = ("insightface-buffalo-l", "inswapper-128")
_FRAMES: Final = {"limit_frames": LIMIT_FRAMES}
_UPSCALE: Final = {
    "scale": UPSCALE_SCALE,
    "limit_frames": UPSCALE_FRAMES,
    "limit_frames_min": UPSCALE_FRAMES_MIN,
    "limit_width": UPSCALE_WIDTH,
    "limit_height": UPSCALE_HEIGHT,
}

PRODUCTS: Final[tuple[Product, ...]] = (
    _product(
        "face-swap",
        "Video face swap",
        VideoFaceSwap,
        price=_per_frame("0.004", LIMIT_FRAMES),
        recipes=(
            Recipe("onnx", "full", "video_face_swap", _FRAMES, weights=_FACES, limit_s=MODEL_LIMIT_S),
            Recipe("cpu", "basic", "video_face_swap", _FRAMES),
        ),
        examples=(
            Example("One face", {"swap_image": EXAMPLE_FACE, "target_video": EXAMPLE_VIDEO}),
            Example(
                "The second face of a picture",
                {
                    "swap_image": EXAMPLE_FRIENDS,
                    "target_video": EXAMPLE_VIDEO,
                    "swap_faces_index": "1",
                    "target_faces_index": "0",
                },
            ),
        ),
    ),
    _product(
        "upscale",
        "Video upscale",
        VideoUpscale,
        price=_per_frame("0.0003", UPSCALE_FRAMES),
        recipes=(
            Recipe(
                "networks",
                "full",
                "video_upscale",
                _UPSCALE,
                weights=("realesrgan-x4plus",),
                limit_s=MODEL_LIMIT_S,
            ),
            Recipe("cpu", "basic", "video_upscale", _UPSCALE, changes_little=True),
        ),
        examples=(
            Example("Twice the size", {"video": EXAMPLE_VIDEO}),
            Example("A wide one", {"video": EXAMPLE_SCENE}),
        ),
    ),
    _product(
        "background-remove",
        "Video background removal",
        VideoBackgroundRemove,
        price=_per_frame("0.0002", LIMIT_FRAMES),
        recipes=(
            Recipe(
                "onnx", "full", "video_background_remove", _FRAMES, weights=("birefnet-general",), limit_s=MODEL_LIMIT_S
            ),
            Recipe("cpu", "basic", "video_background_remove", _FRAMES, changes_little=True),
        ),
        examples=(
            Example("The subject alone", {"video": EXAMPLE_VIDEO}),
            Example("The background alone", {"video": EXAMPLE_VIDEO, "invert_output": True}),
        ),
    ),
)
