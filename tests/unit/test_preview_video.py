"""Videos of the preview engine: products, inputs and jobs in, films out. The recipes are small, the makes are real."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from support import films
from support.films import Found
from support.job import LocalJob
from unitask.catalogue import Catalogue
from unitask.engines import preview
from unitask.engines.preview.engine import WARNING
from unitask.engines.preview.strip import strip_height
from unitask.kit.errors import Cancelled, TaskFailure
from unitask.spec.engine import Output
from unitask.spec.media import MediaValue, media_values
from unitask.spec.product import Product, Recipe, VideoResult

Array = NDArray[np.uint8]
CATALOGUE = Catalogue.load()
WANX = "Qubico/wanx"
SIZES = {"16:9": [96, 64], "9:16": [64, 96], "1:1": [80, 80]}
SHORT = {"frames": 9, "fps": 8, "size": [96, 64], "sizes": SIZES}
AMBER = (255, 190, 60)


def recipe_of(product: Product) -> Recipe:
    """Take the product's preview recipe, with a few small frames."""
    recipe = next(recipe for recipe in product.recipes if recipe.engine == "preview")
    small = {key: SHORT[key] for key in recipe.options.keys() & SHORT.keys()}
    return Recipe("preview", "preview", recipe.make, recipe.options | small)


# One product of each make: the others differ in name, size and price only.
MADE = {
    recipe_of(product).make: product
    for product in CATALOGUE
    if product.output is VideoResult and any(recipe.engine == "preview" for recipe in product.recipes)
}


class Studio:
    """Orders films from the engine; every order has a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._orders = 0
        self.picture = self.file("given.png", _scene())

    def file(self, name: str, array: Array) -> str:
        """Save an array as an input picture."""
        path = self._folder / name
        Image.fromarray(array).save(path)
        return str(path)

    def job(self, product: Product, **settings: Any) -> LocalJob:
        """Open a job with a small recipe."""
        self._orders += 1
        scratch = self._folder / f"order-{self._orders}"
        scratch.mkdir()
        return LocalJob(scratch, recipe_of(product), **settings)

    def order(self, model: str, task_type: str, *, seed: int = 7, **fields: Any) -> tuple[Output, LocalJob]:
        """Run the product; gives what the engine returned and the job that it used."""
        product = CATALOGUE.find(model, task_type)
        job = self.job(product, seed=seed)
        return preview.ENGINE.run(product, product.input(**fields), job), job

    def film(self, model: str, task_type: str, **fields: Any) -> Found:
        """Order a film and look at it."""
        _, job = self.order(model, task_type, **fields)
        return films.look(saved(job))

    def on_disk(self, values: Iterator[MediaValue]) -> None:
        """Put a file into every media field: this job fetches from disk."""
        for value in list(values):
            value.replace(self.picture)


def _scene() -> Array:
    """Paint a gradient with a white square left of the middle."""
    rows, columns = np.mgrid[:100, :150]
    array = np.stack([60 + rows, 90 + columns // 2, 200 - rows], axis=2).astype(np.uint8)
    array[30:60, 30:60] = 255
    return array


def saved(job: LocalJob) -> Path:
    """Find the only file that was stored."""
    (path,) = job.saved.values()
    return path


def above(frame: Array) -> NDArray[np.int64]:
    """Cut the label off."""
    return frame[: -strip_height(frame.shape[1], frame.shape[0])].astype(int)


def apart(one: Array, other: Array) -> float:
    """Measure how different two frames are above the label."""
    return float(np.abs(above(one) - above(other)).mean())


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """Open a studio in an empty folder."""
    return Studio(tmp_path)


@pytest.mark.parametrize("product", MADE.values(), ids=MADE)
def test_the_examples_of_every_make_work(product: Product, studio: Studio) -> None:
    """Each gives a film that plays everywhere, moves, and says in three places that it is a stand-in."""
    for example in product.examples:
        inputs = product.input(**example.input)
        studio.on_disk(media_values(inputs))
        job = studio.job(product)
        output = preview.ENGINE.run(product, inputs, job)
        product.output.model_validate(output.fields)
        found = films.look(saved(job))
        assert (found.codec, found.pixel_format, *found.boxes[:2]) == ("h264", "yuv420p", "ftyp", "moov")
        assert apart(found.frames[0], found.frames[-1]) > 0.3
        assert "unitask:engine=preview; unitask:level=preview; unitask:seed=7" in found.tags["comment"]
        assert found.tags["title"].startswith("Preview: ")
        assert WARNING in job.warnings
        assert job.fractions == sorted(job.fractions)
        assert job.fractions[-1] == 1


@pytest.mark.parametrize("ratio", SIZES)
@pytest.mark.parametrize(
    ("task_type", "fields"),
    [("txt2video-14b", {}), ("img2video-14b-lora", {"lora_settings": [{"lora_type": "inflate-effect"}]})],
)
def test_size_length_and_rate_are_the_recipe_s(studio: Studio, ratio: str, task_type: str, fields: Any) -> None:
    """To the frame and the pixel."""
    fields = {**fields, "image": studio.picture}
    found = studio.film(WANX, task_type, prompt="a cat", aspect_ratio=ratio, **fields)
    assert (len(found.frames), found.fps, list(found.size)) == (9, 8, SIZES[ratio])


def test_every_frame_says_that_it_is_a_preview(studio: Studio) -> None:
    """Amber letters, and a bar that grows with each frame until it is as wide as the picture."""
    product = CATALOGUE.find(WANX, "txt2video-14b")
    job = studio.job(product)
    job.recipe = Recipe("preview", "preview", "text_to_video", {"frames": 5, "fps": 8, "sizes": {"16:9": [640, 360]}})
    preview.ENGINE.run(product, product.input(prompt="a cat"), job)
    played = []
    for frame in films.look(saved(job)).frames:
        strip = frame[-strip_height(640, 360) :].astype(int)
        amber = np.abs(strip - AMBER).max(axis=2) < 40
        assert amber[4:, :150].sum() > 200
        played.append(int(amber[0].sum()))
    assert played == pytest.approx([128, 256, 384, 512, 640], abs=6)


def test_the_same_order_gives_the_same_bytes(studio: Studio) -> None:
    """A second attempt makes the same file; another seed or prompt makes another."""

    def made(**fields: Any) -> bytes:
        return saved(studio.order(WANX, "txt2video-14b", **{"prompt": "a fox in the rain"} | fields)[1]).read_bytes()

    first = made()
    assert made() == first
    assert made(seed=8) != first
    assert made(prompt="a bear in the rain") != first


@pytest.mark.parametrize("make", ["image_to_video_lora", "hug"])
def test_films_from_pictures_are_the_same_again(studio: Studio, make: str) -> None:
    """Cutting out and warping depend on nothing but the input."""
    product, results = MADE[make], set()
    for _ in range(2):
        inputs = product.input(**product.examples[0].input)
        studio.on_disk(media_values(inputs))
        job = studio.job(product)
        preview.ENGINE.run(product, inputs, job)
        results.add(saved(job).read_bytes())
    assert len(results) == 1


@pytest.mark.parametrize(
    "prompt", ["a sailboat on the sea", "a city, rain", "snow falls on a forest", "a cat walks", "zorp", "clouds"]
)
def test_scenes_live(studio: Studio, prompt: str) -> None:
    """Each frame differs from the one before, and not by a cut."""
    frames = studio.film(WANX, "txt2video-14b", prompt=prompt).frames
    steps = [apart(one, other) for one, other in pairwise(frames)]
    assert min(steps) > 0.2
    assert max(steps) < 40


def test_the_style_of_a_lora_is_seen(studio: Studio) -> None:
    """It changes the whole scene."""
    plain = studio.film(WANX, "txt2video-14b", prompt="a city")
    lora = [{"lora_type": "ghibli", "lora_strength": 1.0}]
    styled = studio.film(WANX, "txt2video-14b-lora", prompt="a city", lora_settings=lora)
    assert apart(plain.frames[0], styled.frames[0]) > 5


def test_the_first_frame_is_the_picture(studio: Studio) -> None:
    """Cut to the ratio, neither moved nor changed; the last one is nearer."""
    frames = studio.film(WANX, "img2video-14b-lora", **effect(studio, 0.0)).frames
    with Image.open(studio.picture) as image:
        expected = np.asarray(image.resize((96, 64), Image.Resampling.BOX))
    assert apart(frames[0], expected) < 4
    assert white(frames[-1]) > 1.15 * white(frames[0])


def effect(studio: Studio, strength: float) -> dict[str, Any]:
    """Ask for an effect on the studio's picture."""
    lora = [{"lora_type": "inflate-effect", "lora_strength": strength}]
    return {"image": studio.picture, "prompt": "it swells", "lora_settings": lora}


def white(frame: Array) -> int:
    """Count the pixels of the white square."""
    return int((above(frame).min(axis=2) > 225).sum())


def test_an_effect_comes_in_slowly(studio: Studio) -> None:
    """The film still begins with the picture."""
    plain, styled = (studio.film(WANX, "img2video-14b-lora", **effect(studio, strength)) for strength in (0.0, 1.0))
    assert apart(plain.frames[0], styled.frames[0]) < 2
    assert apart(plain.frames[-1], styled.frames[-1]) > 5


def test_a_hug_brings_two_halves_together(studio: Studio) -> None:
    """What is left of the middle goes right, what is right of it goes left."""
    halves = np.full((60, 120, 3), 60, np.uint8)
    halves[20:40, 35:45], halves[20:40, 75:85] = (250, 20, 20), (20, 20, 250)
    found = studio.film("Qubico/hug-video", "image_to_video", image_url=studio.file("two.png", halves))
    assert len(found.frames) == 9

    def between(frame: Array) -> float:
        area = above(frame)
        red, blue = (area[..., 0] - area[..., 2] > 80), (area[..., 2] - area[..., 0] > 80)
        return float(np.flatnonzero(blue.any(axis=0))[0] - np.flatnonzero(red.any(axis=0))[-1])

    assert between(found.frames[-1]) < between(found.frames[0]) - 2


@pytest.mark.parametrize("name", ["image_url", "image"])
def test_a_file_that_is_no_picture_is_refused(studio: Studio, tmp_path: Path, name: str) -> None:
    """As for pictures made from pictures."""
    text = tmp_path / "text.png"
    text.write_bytes(b"this is not a picture")
    product = next(one for one in MADE.values() if name in one.input.model_fields)
    fields = {"prompt": "x", "lora_settings": [{"lora_type": "inflate-effect"}]}
    with pytest.raises(TaskFailure, match="failed to get valid image"):
        studio.order(product.model, product.task_type, **fields | {name: str(text)})


@pytest.mark.parametrize("product", MADE.values(), ids=MADE)
def test_a_cancelled_job_ends_in_the_middle(product: Product, studio: Studio) -> None:
    """At the next report of progress, with nothing stored."""
    inputs = product.input(**product.examples[0].input)
    studio.on_disk(media_values(inputs))
    job = studio.job(product, cancel_when=lambda fraction: fraction > 0.4)
    with pytest.raises(Cancelled):
        preview.ENGINE.run(product, inputs, job)
    assert not job.saved
    assert 0.4 < job.fractions[-1] < 0.8
