"""The engine `networks`: real models for which no library is in use, their networks in plain torch, level `full`."""

from typing import Final

from unitask.runtime.engine import ModelEngine

LIBRARIES: Final = ("av", "cv2", "numpy", "PIL", "pypinyin", "safetensors", "scipy", "torch", "transformers")
MAKES: Final[dict[str, str]] = {
    "zero_shot": "unitask.engines.networks.speech.zero_shot:zero_shot",
}

ENGINE = ModelEngine("networks", LIBRARIES, MAKES)
