"""The engine `espeak`: speech at the pitch, speed and tone of a recording. Level `basic`; no voice is cloned.

espeak-ng is under the GPL. It comes with an extra of its own, and only a process of its own loads it (`speak`).
"""

import importlib
from typing import Final

from unitask.kit.errors import EngineFailure
from unitask.kit.libraries import absent
from unitask.spec.engine import Job, Output
from unitask.spec.product import Input, Product

LIBRARIES: Final = ("av", "espeakng_loader", "numpy", "scipy")


class EspeakEngine:
    """Satisfies `unitask.spec.engine.Engine`."""

    name = "espeak"

    def missing(self) -> str | None:
        """Say what to install if a library of the extra `speech` or `cpu` is absent."""
        return "install the extras: pip install 'unitask[cpu,speech]'" if absent(LIBRARIES) else None

    def run(self, product: Product, inputs: Input, job: Job) -> Output:
        """Speak.

        Raises:
            TaskFailure: with a sentence for the client.

        """
        if job.recipe.make != "speech":
            raise EngineFailure(f"the engine espeak cannot make {job.recipe.make!r} of {product.key}")
        output: Output = importlib.import_module("unitask.engines.espeak.speech").speech(inputs, job)
        return output


ENGINE = EspeakEngine()
