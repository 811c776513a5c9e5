"""The engine `onnx`: real models that come as ONNX files, by onnxruntime, level `full`."""

from typing import Final

from unitask.runtime.engine import ModelEngine

LIBRARIES: Final = ("av", "cv2", "numpy", "onnxruntime", "PIL", "torch")
MAKES: Final[dict[str, str]] = {}

ENGINE = ModelEngine("onnx", LIBRARIES, MAKES)
