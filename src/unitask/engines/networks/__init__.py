"""The engine `networks`: real models for which no library is in use, their networks in plain torch, level `full`."""

from typing import Final

from unitask.runtime.engine import ModelEngine

LIBRARIES: Final = (
    "accelerate",
    "av",
    "cv2",
    "diffusers",
    "numpy",
    "PIL",
    "pypinyin",
    "safetensors",
    "scipy",
    "torch",
    "transformers",
)
MAKES: Final = {
    "sound_for_video": f"{__name__}.foley.foley:sound_for_video",
    "zero_shot": f"{__name__}.speech.zero_shot:zero_shot",
}

ENGINE = ModelEngine("networks", LIBRARIES, MAKES)
