"""The engine `diffusers`: the real models from real weights, level `full`.

Each make is a function `(inputs, job, runtime) -> Output` in a module of this package; it is imported, and torch with
it, when a task wants it: the API process loads this package too and must stay light.
"""

import importlib.util
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from unitask.kit.errors import EngineFailure
from unitask.spec.engine import Job, Output
from unitask.spec.product import Input, Product

if TYPE_CHECKING:
    from unitask.engines.diffusers.runtime import Runtime

LIBRARIES: Final = (
    "accelerate",
    "av",
    "cv2",
    "diffusers",
    "numpy",
    "peft",
    "PIL",
    "safetensors",
    "torch",
    "transformers",
)
UNWANTED: Final = ("torchvision", "torchaudio")
"""Not needed here; but where they are installed and do not fit torch, transformers cannot be imported at all."""
MAKES: Final = {
    "hug": "unitask.engines.diffusers.wan:hug",
    "framepack": "unitask.engines.diffusers.framepack:image_to_video",
    "hunyuan_image_to_video": "unitask.engines.diffusers.hunyuan:image_to_video",
    "hunyuan_text_to_video": "unitask.engines.diffusers.hunyuan:text_to_video",
    "image_to_image": "unitask.engines.diffusers.flux:image_to_image",
    "inpaint": "unitask.engines.diffusers.flux_edit:inpaint",
    "kontext": "unitask.engines.diffusers.flux_edit:kontext",
    "outpaint": "unitask.engines.diffusers.flux_edit:outpaint",
    "redux": "unitask.engines.diffusers.flux_edit:redux",
    "skyreels": "unitask.engines.diffusers.hunyuan:skyreels",
    "text_to_image": "unitask.engines.diffusers.flux:text_to_image",
    "wan_camera_move": "unitask.engines.diffusers.camera:camera_move",
    "wan_image_to_video": "unitask.engines.diffusers.wan:image_to_video",
    "wan_keyframes": "unitask.engines.diffusers.wan:keyframes",
    "wan_text_to_video": "unitask.engines.diffusers.wan:text_to_video",
}
"""What a recipe may name as its `make`, and the function that makes it."""
_IMPORT_S: Final = 60


class DiffusersEngine:
    """Satisfies `unitask.spec.engine.Engine`."""

    name = "diffusers"

    def __init__(self) -> None:
        self._runtime: Runtime | None = None

    def missing(self) -> str | None:
        """Say what to install if a library of the extra `models` is absent, or which one is broken."""
        absent = [library for library in LIBRARIES if importlib.util.find_spec(library) is None]
        if absent:
            return "install the extras: pip install 'unitask[cpu,models]'"
        broken = [library for library in UNWANTED if importlib.util.find_spec(library) and not _imports(library)]
        if broken:
            names = " and ".join(broken)
            return f"{names} does not fit this torch, and transformers fails with it: pip uninstall {' '.join(broken)}"
        return None

    def run(self, product: Product, inputs: Input, job: Job) -> Output:
        """Make the product as `job.recipe.make` says.

        Raises:
            TaskFailure: with a sentence for the client.

        """
        target = MAKES.get(job.recipe.make)
        if target is None:
            raise EngineFailure(f"the engine diffusers cannot make {job.recipe.make!r} of {product.key}")
        make: Callable[[Input, Job, Any], Output] = pkgutil.resolve_name(target)
        return self._loaded(job).attempt(lambda runtime: make(inputs, job, runtime), job)

    def _loaded(self, job: Job) -> "Runtime":
        """Give the runtime of this process, which keeps models in memory from task to task."""
        from unitask.engines.diffusers.runtime import Runtime  # noqa: PLC0415 - imports torch
        from unitask.weights import Shelf  # noqa: PLC0415 - with it

        if self._runtime is None or self._runtime.shelf.folder != job.models:
            self._runtime = Runtime.here(Shelf(job.models))
        return self._runtime


def _imports(library: str) -> bool:
    """Try to import a library in a process of its own: a broken one would spoil this one."""
    command = [sys.executable, "-c", f"import torch, {library}"]
    try:
        tried = subprocess.run(command, capture_output=True, timeout=_IMPORT_S, check=False)  # noqa: S603 - ours
    except subprocess.TimeoutExpired:
        return False
    return tried.returncode == 0


ENGINE = DiffusersEngine()
