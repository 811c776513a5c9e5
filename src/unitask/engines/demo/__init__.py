"""The engine `demo`: the demo model that comes with Unitask, made by the code of the real Flux, level `preview`."""

from typing import Final

from unitask.runtime.engine import ModelEngine

LIBRARIES: Final = ("accelerate", "cv2", "diffusers", "numpy", "peft", "PIL", "safetensors", "torch", "transformers")
MAKES: Final = {"shapes": "unitask.engines.diffusers.demo:shapes"}

ENGINE = ModelEngine("demo", LIBRARIES, MAKES)
