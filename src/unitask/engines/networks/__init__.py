"""The engine `networks`: real models for which no library is in use, their networks in plain torch, level `full`."""

from typing import Final

from unitask.runtime.engine import ModelEngine

LIBRARIES: Final = ("av", "cv2", "numpy", "PIL", "safetensors", "torch", "transformers")
MAKES: Final[dict[str, str]] = {}

ENGINE = ModelEngine("networks", LIBRARIES, MAKES)
