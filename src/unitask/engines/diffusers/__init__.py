"""The engine `diffusers`: the real models from real weights, level `full`.

Each make is a function `(inputs, job, runtime) -> Output` in a module of this package; it is imported, and torch with
it, when a task wants it: the API process loads this package too and must stay light.
"""

import importlib.util
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, Final

from unitask.kit.devices import cuda
from unitask.kit.errors import EngineFailure, TaskFailure
from unitask.spec.engine import Job, Output, Work
from unitask.spec.product import Input, Product, Recipe

if TYPE_CHECKING:
    from unitask.runtime.runtime import Runtime

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
    "controlnet": "unitask.engines.diffusers.flux_control:controlnet",
    "framepack": "unitask.engines.diffusers.framepack:image_to_video",
    "hug": "unitask.engines.diffusers.wan:hug",
    "hunyuan_image_to_video": "unitask.engines.diffusers.hunyuan:image_to_video",
    "hunyuan_text_to_video": "unitask.engines.diffusers.hunyuan:text_to_video",
    "image_to_image": "unitask.engines.diffusers.flux:image_to_image",
    "inpaint": "unitask.engines.diffusers.flux_edit:inpaint",
    "kontext": "unitask.engines.diffusers.flux_edit:kontext",
    "music": "unitask.engines.diffusers.ace_step:music",
    "music_edit": "unitask.engines.diffusers.ace_step:music_edit",
    "music_extend": "unitask.engines.diffusers.ace_step:music_extend",
    "music_from_audio": "unitask.engines.diffusers.ace_step:music_from_audio",
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
TOGETHER: Final = {
    "text_to_image": ("unitask.engines.diffusers.flux:texts_to_images", "unitask.engines.diffusers.flux:alike"),
}
"""What can be made of several orders at once: `([(inputs, job)], runtime) -> [Output]`, and what they must agree in."""
_IMPORT_S: Final = 60


class DiffusersEngine:
    """Satisfies `unitask.spec.engine.BatchEngine`."""

    name = "diffusers"
    most_in_batch = 8

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
        return _runtime(job).attempt(lambda runtime: make(inputs, job, runtime), job)

    def devices(self) -> tuple[str, ...]:
        """List NVIDIA's cards; without one, models are made on the processor."""
        return cuda() or ("cpu",)

    def batch_key(self, product: Product, inputs: Input, recipe: Recipe) -> Hashable | None:  # noqa: ARG002 - the protocol's signature
        """Say what works that go together have in common; None goes alone."""
        if recipe.make not in TOGETHER:
            return None
        alike: Callable[[Input, Recipe], Hashable | None] = pkgutil.resolve_name(TOGETHER[recipe.make][1])
        return alike(inputs, recipe)

    def run_batch(self, works: Sequence[Work]) -> list[Output | TaskFailure]:
        """Make several works at once; they come out as each does alone.

        Raises:
            TaskFailure: with a sentence for all the clients.

        """
        job = works[0].job
        make: Callable[[Any, Any], list[Output | TaskFailure]] = pkgutil.resolve_name(TOGETHER[job.recipe.make][0])
        orders = [(work.inputs, work.job) for work in works]
        return _runtime(job).attempt(lambda runtime: make(orders, runtime), job)


def _runtime(job: Job) -> "Runtime":
    """Give the runtime of this process, which keeps models in memory from task to task."""
    from unitask.runtime.runtime import runtime_of  # noqa: PLC0415 - imports torch

    return runtime_of(job.models)


def _imports(library: str) -> bool:
    """Try to import a library in a process of its own: a broken one would spoil this one."""
    command = [sys.executable, "-c", f"import torch, {library}"]
    try:
        tried = subprocess.run(command, capture_output=True, timeout=_IMPORT_S, check=False)  # noqa: S603 - ours
    except subprocess.TimeoutExpired:
        return False
    return tried.returncode == 0


ENGINE = DiffusersEngine()
