"""MMAudio: a sound track for a silent film.

Disputed, and read here as follows. Two prices are published, 0.0005 and, newer, 0.00005 dollars per second; the newer
one holds: 500 points per started second of video. At most 30 seconds are sounded and charged, and since the length is
known only after the video was fetched, 30 seconds are held. The seed is called `seed` in examples and `seeds` in the
list of fields: both are read, and 0 draws one. Steps are 20 where nothing is said; 1 to 50 are accepted. How many bytes
a video may have is said nowhere: a URL may lead to 50 MiB.
"""

from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, AliasChoices, Field

from unitask.spec.fields import FILLED, MEDIA_CHARS, Words
from unitask.spec.media import Media
from unitask.spec.price import dollars
from unitask.spec.product import AudioResult, Example, Input, Product, Recipe
from unitask.spec.samples import EXAMPLE_VIDEO

LIMIT_SECONDS: Final = 30
DEFAULT_STEPS: Final = 20
SOUND: Final = {"limit_seconds": LIMIT_SECONDS, "format": "wav", "rate": 44_100}

LargeClip = Annotated[str, Media("video", limit_bytes=50 * 2**20), Field(max_length=MEDIA_CHARS), FILLED]
Steps = Annotated[int, Field(ge=0, le=50), AfterValidator(lambda steps: steps or DEFAULT_STEPS)]


class VideoToAudio(Input):
    """The sound track that a video calls for, as long as the video and at most 30 seconds."""

    seed_field: ClassVar[str] = "chosen_seed"

    video: LargeClip = Field(description="The video as MP4; its first 30 seconds count: URL, data URI or base64.")
    prompt: Words = Field(default="", description="What is to be heard; empty leaves it to the video.")
    negative_prompt: Words = Field(default="", description="What must not be heard.")
    steps: Steps = Field(default=DEFAULT_STEPS, description="Denoising steps; 0 stands for 20.")
    seed: int = Field(
        default=0,
        ge=-1,
        le=2**63 - 1,
        validation_alias=AliasChoices("seed", "seeds"),
        description="Same seed, same sound; 0 and -1 draw one.",
    )

    @property
    def chosen_seed(self) -> int:
        """The seed that the client named; -1 for none."""
        return self.seed or -1


def _most_seconds(_: VideoToAudio) -> int:
    """Bound the length: it is not known before the video is fetched."""
    return LIMIT_SECONDS


PRODUCTS: Final[tuple[Product, ...]] = (
    Product(
        model="Qubico/mmaudio",
        task_type="video2audio",
        family="mmaudio",
        title="Sound for a video",
        summary=VideoToAudio.__doc__ or "",
        input=VideoToAudio,
        output=AudioResult,
        price=dollars("0.00005", unit="second", units=_most_seconds),
        recipes=(
            Recipe("networks", "full", "sound_for_video", SOUND | {"guidance": 4.5}, weights=("mmaudio-large-44k-v2",)),
            Recipe("preview", "preview", "sound_for_video", SOUND),
        ),
        examples=(
            Example("By the video alone", {"video": EXAMPLE_VIDEO}),
            Example(
                "By words, always the same",
                {
                    "video": EXAMPLE_VIDEO,
                    "prompt": "footsteps on gravel",
                    "negative_prompt": "music",
                    "steps": 25,
                    "seed": 48511119825268,
                },
            ),
        ),
        expected_s=20.0,
        limit_s=600,
    ),
)
