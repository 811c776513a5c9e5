"""The engine `networks`: real models for which no library is in use, their networks in plain torch, level `full`."""

from typing import Final

from unitask.runtime.engine import ModelEngine

LIBRARIES: Final = (
    "accelerate",
    "av",
    "cv2",
    "diffusers",
    "numpy",
    "onnxruntime",
    "PIL",
    "pypinyin",
    "safetensors",
    "scipy",
    "spandrel",
    "torch",
    "transformers",
)
MAKES: Final = {
    "image_to_3d": f"{__name__}.trellis:image_to_3d",
    "image_to_3d_instead": f"{__name__}.trellis:image_to_3d_instead",
    "segment": f"{__name__}.segment:segment",
    "segment_things": f"{__name__}.grounded:segment_things",
    "song": f"{__name__}.song.song:song",
    "sound_for_video": f"{__name__}.foley.foley:sound_for_video",
    "text_to_3d": f"{__name__}.trellis:text_to_3d",
    "upscale": f"{__name__}.upscale:upscale",
    "video_upscale": f"{__name__}.upscale:video_upscale",
    "zero_shot": f"{__name__}.speech.zero_shot:zero_shot",
}

ENGINE = ModelEngine("networks", LIBRARIES, MAKES)
