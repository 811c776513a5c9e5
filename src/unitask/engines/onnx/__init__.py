"""The engine `onnx`: real models that come as ONNX files, by onnxruntime, level `full`."""

from typing import Final

from unitask.runtime.engine import ModelEngine

LIBRARIES: Final = ("av", "cv2", "diffusers", "numpy", "onnxruntime", "PIL", "spandrel", "torch", "transformers")
MAKES: Final[dict[str, str]] = {
    "background_remove": "unitask.engines.onnx.cutout:remove_background",
    "face_swap": "unitask.engines.onnx.face_swap:face_swap",
    "multi_face_swap": "unitask.engines.onnx.face_swap:multi_face_swap",
    "video_background_remove": "unitask.engines.onnx.cutout:remove_video_background",
    "video_face_swap": "unitask.engines.onnx.video_face_swap:video_face_swap",
}

ENGINE = ModelEngine("onnx", LIBRARIES, MAKES)
