"""The engine `cpu`: real results from the client's own media, by classical algorithms, on any machine.

Nothing is downloaded and nothing is learned: what it makes is of the level `basic`. Each make is a function
`(inputs, job) -> Output` in a module of this package; it is imported when a task wants it, because the API process
loads this package too and must stay light.
"""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unitask.kit.errors import EngineFailure, MediaFailure
from unitask.kit.libraries import absent
from unitask.kit.pictures import PHRASE, png, read_image, with_profile
from unitask.spec.engine import Job, Output
from unitask.spec.media import media_values
from unitask.spec.product import Input, Product

if TYPE_CHECKING:
    from PIL.Image import Image

LIBRARIES: Final = ("av", "cv2", "numpy", "PIL", "scipy", "skimage")
LABELS: Final = {"Software": "unitask", "unitask:engine": "cpu", "unitask:level": "basic"}
MAKES: Final = {
    "background_remove": "unitask.engines.cpu.cutout:remove_background",
    "camera_move": "unitask.engines.cpu.camera_moves:camera_move",
    "face_swap": "unitask.engines.cpu.face_swap:face_swap",
    "image_to_video": "unitask.engines.cpu.camera_moves:image_to_video",
    "inpaint": "unitask.engines.cpu.filling:inpaint",
    "keyframes": "unitask.engines.cpu.camera_moves:keyframes",
    "multi_face_swap": "unitask.engines.cpu.face_swap:multi_face_swap",
    "music_extend": "unitask.engines.cpu.music_extend:extend_music",
    "outpaint": "unitask.engines.cpu.filling:outpaint",
    "segment": "unitask.engines.cpu.segment:segment",
    "upscale": "unitask.engines.cpu.upscale:upscale",
    "video_background_remove": "unitask.engines.cpu.video_cutout:remove_video_background",
    "video_face_swap": "unitask.engines.cpu.video_face_swap:video_face_swap",
    "video_upscale": "unitask.engines.cpu.video_upscale:video_upscale",
}
"""What a recipe may name as its `make`, and the function that makes it."""


class CpuEngine:
    """Satisfies `unitask.spec.engine.Engine`."""

    name = "cpu"

    def missing(self) -> str | None:
        """Say what to install if a library of the extra `cpu` is absent."""
        return "install the extra: pip install 'unitask[cpu]'" if absent(LIBRARIES) else None

    def run(self, product: Product, inputs: Input, job: Job) -> Output:
        """Make the product as `job.recipe.make` says.

        Raises:
            TaskFailure: with a sentence for the client.

        """
        target = MAKES.get(job.recipe.make)
        if target is None:
            raise EngineFailure(f"the engine cpu cannot make {job.recipe.make!r} of {product.key}")
        make: Callable[[Input, Job], Output] = pkgutil.resolve_name(target)
        return make(inputs, job)


ENGINE = CpuEngine()


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the client: decoded, upright, RGB or RGBA; and the file it came from."""

    image: "Image"
    path: Path


def fetch_picture(inputs: Input, name: str, job: Job) -> Picture:
    """Fetch and decode the picture in the field `name`, within the limits written at that field.

    Raises:
        MediaFailure: unreachable, not a picture, damaged or too large.

    """
    value = next((value for value in media_values(inputs) if value.path == f"input.{name}"), None)
    if value is None:
        raise MediaFailure(f"{PHRASE}: input.{name} is empty")
    path = job.fetch(value.source, value.media)
    limits = value.media
    return Picture(read_image(path, limit_side_px=limits.limit_side_px, limit_pixels=limits.limit_pixels), path)


def save_picture(image: "Image", source: Picture, job: Job) -> str:
    """Store a picture made from `source`, with its colour profile, as a labelled PNG; returns its reference."""
    return job.save(png(with_profile(image, source.image), LABELS), "png")
