"""Orders to an engine on its own: sources are files, recipes are the products' with some options changed."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from support.films import Frame, look
from support.job import LocalJob
from unitask.catalogue import Catalogue
from unitask.engines import installed
from unitask.kit.sound import read_audio, write_audio
from unitask.spec.engine import Output
from unitask.spec.media import media_values
from unitask.spec.product import Product

CATALOGUE = Catalogue.load()


@dataclass(frozen=True)
class Made:
    """What an order gave, and the job that remembers the rest."""

    output: Output
    job: LocalJob

    def path(self, field: str) -> Path:
        """Find the file that an output field names."""
        return self.job.saved[self.output.fields[field]]

    def content(self, field: str) -> bytes:
        """Read it."""
        return self.path(field).read_bytes()

    def picture(self, field: str = "image_url") -> NDArray[np.uint8]:
        """Decode it as a picture."""
        return pixels(self.path(field))

    def pictures(self) -> list[NDArray[np.uint8]]:
        """Decode all of several pictures."""
        return [pixels(self.job.saved[reference]) for reference in self.output.fields["image_urls"]]

    def frames(self) -> list[Frame]:
        """Decode the video."""
        return look(self.path("video_url")).frames

    def steps(self) -> list[float]:
        """Find the reports that steps of the model made."""
        return [one for one in self.job.fractions if 0.1 < one <= 0.9]

    def sound(self, limit_seconds: float = 300) -> NDArray[np.float32]:
        """Decode the sound at the rate of its recipe: (samples, channels)."""
        return read_audio(self.path("audio_url"), limit_seconds=limit_seconds, rate=self.job.recipe.options["rate"])


class Workshop:
    """Takes orders, by the engine's first recipe or the one that makes `make`; every order has a folder of its own."""

    def __init__(self, folder: Path, engine: str = "preview", models: Path = Path("models"), *, make: str = "") -> None:
        self.folder = folder
        self._models = models
        self._engine = engine
        self._make = make
        self._orders = 0

    def job(self, product: Product, *, seed: int = 7, **options: Any) -> LocalJob:
        """Open a job with the product's recipe for this engine."""
        self._orders += 1
        scratch = self.folder / f"order-{self._orders}"
        scratch.mkdir()
        recipe = next(
            recipe for recipe in product.recipes if recipe.engine == self._engine and self._make in {"", recipe.make}
        )
        return LocalJob(scratch, replace(recipe, options={**recipe.options, **options}), self._models, seed=seed)

    def order(self, model: str, task_type: str, *, seed: int = 7, **fields: Any) -> Made:
        """Run a product; `options` among the fields are the recipe's, `cancel_when` and `shows` are the job's."""
        product = CATALOGUE.find(f"Qubico/{model}", task_type)
        job = self.job(product, seed=seed, **fields.pop("options", {}))
        job.shows = fields.pop("shows", False)
        cancel_when: Callable[[float], bool] | None = fields.pop("cancel_when", None)
        if cancel_when:
            job.cancel_when = cancel_when
        return Made(installed()[self._engine].run(product, product.input(**fields), job), job)

    def example(self, model: str, task_type: str, number: int = 0, **options: Any) -> Made:
        """Run a documented example, its data URIs written into files."""
        product = CATALOGUE.find(f"Qubico/{model}", task_type)
        inputs = product.input(**product.examples[number].input)
        for index, value in enumerate(list(media_values(inputs))):
            path = self.folder / f"example-{self._orders}-{index}"
            path.write_bytes(base64.b64decode(value.source.partition(",")[2]))
            value.replace(str(path))
        job = self.job(product, **options)
        return Made(installed()[self._engine].run(product, inputs, job), job)

    def picture(self, name: str, array: NDArray[np.uint8]) -> str:
        """Save (height, width) or (height, width, 3 or 4) as an input picture."""
        path = self.folder / name
        Image.fromarray(array).save(path)
        return str(path)

    def squares(self, *, seed: int = 0, size: tuple[int, int] = (6, 8)) -> str:
        """Save a picture of coloured squares, 10 pixels wide; size is (rows, columns) of them."""
        colours = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
        return self.picture(f"squares-{seed}-{size[0]}.png", np.kron(colours, np.ones((10, 10, 1), np.uint8)))

    def sound(self, name: str, samples: NDArray[np.float32], rate: int) -> str:
        """Save (samples, channels) as an input recording."""
        path = self.folder / name
        path.write_bytes(write_audio(samples, rate=rate, form="wav", metadata={}))
        return str(path)

    def junk(self, head: bytes = b"RIFF\0\0\0\0WAVE") -> str:
        """Save a file that no decoder takes."""
        path = self.folder / "junk"
        path.write_bytes(head + b"and then nothing that makes sense")
        return str(path)


def pixels(path: Path) -> NDArray[np.uint8]:
    """Decode a file."""
    with Image.open(path) as image:
        return np.asarray(image)


def tone(pitch_hz: float, seconds: float, rate: int, channels: int = 1) -> NDArray[np.float32]:
    """Hum with a few overtones, swelling three times a second, on a grid of 16 bits: (samples, channels)."""
    time = np.arange(round(seconds * rate)) / rate
    wave = sum(np.sin(2 * np.pi * pitch_hz * number * time) / number for number in range(1, 6))
    wave = wave * (0.22 + 0.1 * np.sin(2 * np.pi * 3 * time))
    quantised = np.round(wave * 32767) / 32768
    return np.repeat(quantised[:, None], channels, axis=1).astype(np.float32)


def loudness(samples: NDArray[np.float32]) -> float:
    """Give the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(samples))))
