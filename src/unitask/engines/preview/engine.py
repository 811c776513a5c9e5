"""Which function makes what, and whether this engine can run here."""

import importlib
from typing import Final

from unitask.kit.errors import EngineFailure
from unitask.kit.libraries import absent
from unitask.spec.engine import Job, Output
from unitask.spec.product import Input, Product

MAKES: Final = {
    "txt2img": "from_text:txt2img",
    "txt2img_lora": "from_text:txt2img_lora",
    "img2img": "from_picture:img2img",
    "img2img_lora": "from_picture:img2img_lora",
    "redux": "from_picture:redux",
    "kontext": "from_picture:kontext",
    "controlnet": "from_control:controlnet",
    "text_to_video": "video.from_text:text_to_video",
    "image_to_video_lora": "video.from_picture:image_to_video_lora",
    "hug": "video.hug:hug",
    "speech": "audio.speech:speech",
    "music": "audio.music:music",
    "song": "audio.music:song",
    "music_from_audio": "audio.music:music_from_audio",
    "music_edit": "audio.change:music_edit",
    "sound_for_video": "audio.foley:sound_for_video",
    "relief": "relief.makes:relief",
    "relief_from_text": "relief.makes:relief_from_text",
    "card": "card:card",
}
"""A recipe's `make` -> `module:function` in this package; the module is imported when it is first wanted."""

LIBRARIES: Final = ("av", "cv2", "numpy", "PIL", "pymupdf_fonts", "scipy", "skimage", "trimesh")
WARNING: Final = "made by the preview engine: a stand-in that follows a few words of the prompt, not the model"


class PreviewEngine:
    """Draws deterministic stand-ins of the exact size, labelled as previews in the picture and in its metadata."""

    name = "preview"

    def missing(self) -> str | None:
        """Say what must be installed before this engine can run, or None."""
        return "install the extra: pip install 'unitask[cpu]'" if absent(LIBRARIES) else None

    def run(self, product: Product, inputs: Input, job: Job) -> Output:
        """Make the product.

        Raises:
            TaskFailure: with a sentence for the client.

        """
        target = MAKES.get(job.recipe.make)
        if target is None:
            raise EngineFailure(f"the preview engine has no way to make {product.key} ({job.recipe.make!r})")
        module, function = target.split(":")
        make = getattr(importlib.import_module(f"unitask.engines.preview.{module}"), function)
        job.warn(WARNING)
        output: Output = make(inputs, job)
        return output
