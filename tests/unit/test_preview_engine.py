"""The preview engine as a worker uses it: products, inputs and jobs in, pictures out."""

import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from support.job import LocalJob
from unitask.catalogue import Catalogue
from unitask.engines import preview
from unitask.engines.preview.engine import MAKES, WARNING
from unitask.engines.preview.strip import strip_height
from unitask.kit.errors import Cancelled, MediaFailure
from unitask.spec.engine import Output
from unitask.spec.product import Product

Array = NDArray[np.uint8]
SCHNELL, ADVANCED = "Qubico/flux1-schnell", "Qubico/flux1-dev-advanced"
CATALOGUE = Catalogue.load()
# One product of each make: the others differ in name and price only.
PREVIEWED = {
    recipe.make: product
    for product in CATALOGUE
    for recipe in product.recipes
    if recipe.engine == "preview" and recipe.make in MAKES and product.family == "flux"
}


class Studio:
    """Orders pictures from the engine; every order has a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._orders = count()

    def job(self, product: Product, **settings: Any) -> LocalJob:
        """Open a job with the product's preview recipe."""
        scratch = self._folder / f"order-{next(self._orders)}"
        scratch.mkdir()
        return LocalJob(scratch, next(r for r in product.recipes if r.engine == "preview"), **settings)

    def order(self, task_type: str, *, seed: int = 7, model: str = ADVANCED, **fields: Any) -> tuple[Output, LocalJob]:
        """Run the product; gives what the engine returned and the job that it used."""
        product = CATALOGUE.find(model, task_type)
        job = self.job(product, seed=seed)
        return preview.ENGINE.run(product, product.input(**fields), job), job

    def bytes(self, task_type: str, **fields: Any) -> bytes:
        """Give the first picture as its file."""
        output, job = self.order(task_type, **fields)
        return job.saved[output.fields["image_url"]].read_bytes()

    def picture(self, task_type: str, **fields: Any) -> Array:
        """Give the first picture as an array."""
        output, job = self.order(task_type, **fields)
        return pixels(job.saved[output.fields["image_url"]])

    def file(self, name: str, array: Array) -> str:
        """Save an array as an input picture."""
        path = self._folder / name
        Image.fromarray(array).save(path)
        return str(path)


def pixels(path: Path) -> Array:
    """Decode a file."""
    with Image.open(path) as image:
        return np.asarray(image)


def above_strip(picture: Array) -> Array:
    """Cut the label off."""
    return picture[: picture.shape[0] - strip_height(picture.shape[1], picture.shape[0])]


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """Open a studio in an empty folder."""
    return Studio(tmp_path)


@pytest.fixture
def photo(studio: Studio) -> str:
    """Save a wide picture with a gradient, an orange disc and a dark post."""
    rows, columns = np.mgrid[:150, :200]
    array = np.stack([60 + rows, 90 + columns // 2, 200 - rows], axis=2).astype(np.uint8)
    cv2.circle(array, (70, 70), 38, (230, 130, 40), -1)
    cv2.rectangle(array, (140, 30), (160, 149), (30, 35, 40), -1)
    return studio.file("photo.png", array)


def test_the_engine_says_what_it_needs() -> None:
    """Here everything is installed; the name is the one that recipes use."""
    assert preview.ENGINE.name == "preview"
    assert preview.ENGINE.missing() is None


def test_importing_the_engine_loads_nothing_heavy() -> None:
    """The API process lists engines without their libraries."""
    code = "import sys, unitask.engines.preview; sys.exit(any(m in sys.modules for m in ('numpy', 'cv2', 'PIL')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("product", PREVIEWED.values(), ids=PREVIEWED)
def test_the_examples_of_every_make_work(product: Product, studio: Studio, tmp_path: Path) -> None:
    """Each gives at least one picture, and says that it is a stand-in."""
    square = np.full((64, 64, 3), (40, 90, 160), np.uint8)
    square[20:44, 20:44] = 255
    source = studio.file("square.png", square)
    for example in product.examples:
        inputs = product.input(**_with_source(example.input, source))
        job = studio.job(product)
        output = preview.ENGINE.run(product, inputs, job)
        product.output.model_validate(output.fields)
        assert output.fields["image_url"] in job.saved
        assert WARNING in job.warnings
        assert job.fractions == sorted(job.fractions)
        assert job.fractions[-1] == 1


def _with_source(value: Any, source: str) -> Any:
    """Put a file in the place of every data URI: this job fetches from disk."""
    if isinstance(value, dict):
        return {key: _with_source(inner, source) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_source(inner, source) for inner in value]
    return source if isinstance(value, str) and value.startswith("data:") else value


@pytest.mark.parametrize("size", [(64, 64), (200, 64), (64, 300), (333, 257), (1, 1), (1344, 576)])
def test_the_size_is_exact(studio: Studio, size: tuple[int, int]) -> None:
    """Width and height come out as they were asked for, down to a single pixel."""
    width, height = size
    picture = studio.picture("txt2img", prompt="a little cat", width=width, height=height)
    assert picture.shape == (height, width, 3)


def test_a_size_left_out_is_1024(studio: Studio) -> None:
    """Each side on its own."""
    assert studio.picture("txt2img", prompt="a cat", width=96).shape == (1024, 96, 3)


def test_the_same_order_gives_the_same_bytes(studio: Studio) -> None:
    """A second attempt makes the same file; another seed or prompt makes another."""
    order = {"prompt": "a fox in a forest", "width": 128, "height": 128}
    first = studio.bytes("txt2img", **order)
    assert studio.bytes("txt2img", **order) == first
    other_seed = studio.picture("txt2img", seed=8, **order)
    other_words = studio.picture("txt2img", **(order | {"prompt": "a bear in a forest"}))
    same = studio.picture("txt2img", **order)
    for other in (other_seed, other_words):
        assert np.mean(above_strip(same) != above_strip(other)) > 0.02


def test_a_batch_has_a_seed_for_each_picture(studio: Studio) -> None:
    """Three pictures, all different, all listed."""
    order = {"prompt": "a cat", "width": 96, "height": 96, "batch_size": 3}
    output, job = studio.order("txt2img", model=SCHNELL, **order)
    assert output.fields["image_urls"] == list(job.saved)
    assert output.fields["image_url"] == output.fields["image_urls"][0]
    assert len({path.read_bytes() for path in job.saved.values()}) == 3
    seeds = [Image.open(path).text["unitask:seed"] for path in job.saved.values()]
    assert seeds == ["7", "8", "9"]


@pytest.mark.parametrize("thing", ["car", "balloon", "bird", "sky", "ball", "zorp"])
def test_colours_are_followed(studio: Studio, thing: str) -> None:
    """A red one is redder than a blue one, a blue one bluer."""
    red, blue = (
        above_strip(studio.picture("txt2img", prompt=f"a {colour} {thing}", width=192, height=192)).mean(axis=(0, 1))
        for colour in ("red", "blue")
    )
    assert red[0] > blue[0] + 2
    assert blue[2] > red[2] + 2


def test_the_picture_says_that_it_is_a_preview(studio: Studio) -> None:
    """In its metadata, and in amber on a dark strip below."""
    output, job = studio.order("txt2img", prompt="a little cat", width=256, height=256)
    with Image.open(job.saved[output.fields["image_url"]]) as image:
        assert image.format == "PNG"
        assert {
            "Software": "unitask",
            "unitask:engine": "preview",
            "unitask:level": "preview",
            "unitask:prompt": "a little cat",
            "unitask:seed": "7",
        }.items() <= image.text.items()
        picture = np.asarray(image)
    strip = picture[len(above_strip(picture)) :]
    amber = (np.abs(strip.astype(int) - (255, 190, 60)).max(axis=2) < 30).mean()
    assert 0.02 < amber < 0.3
    assert strip[:, 160:].mean() < 110


@pytest.mark.parametrize(
    "prompt", ["Привет, мир", "一只小猫", "قطة صغيرة", "a cat 🐈 in Zürich", "x\x00y\nz", "\u0301"]
)
def test_any_script_can_be_shown(studio: Studio, prompt: str) -> None:
    """What the font lacks becomes a mark; the metadata keeps the words."""
    output, job = studio.order("txt2img", prompt=prompt, width=256, height=256)
    with Image.open(job.saved[output.fields["image_url"]]) as image:
        assert image.text["unitask:prompt"] == prompt.replace("\x00", " ")


def test_img2img_follows_the_size_of_the_picture(studio: Studio, photo: str) -> None:
    """Unless both sides are given."""
    order = {"prompt": "a bear", "image": photo}
    assert studio.picture("img2img", **order).shape == (150, 200, 3)
    assert studio.picture("img2img", width=96, **order).shape == (150, 200, 3)
    assert studio.picture("img2img", width=96, height=128, **order).shape == (128, 96, 3)


@pytest.mark.parametrize("prompt", ["a bear", "pencil sketch", "at night", "gibberish"])
def test_denoise_decides_how_far_to_go(studio: Studio, photo: str, prompt: str) -> None:
    """A little leaves the picture near; much leads away from it."""
    before = above_strip(pixels(Path(photo))).astype(int)
    near, far = (
        np.abs(above_strip(studio.picture("img2img", prompt=prompt, image=photo, denoise=denoise)) - before).mean()
        for denoise in (0.1, 0.9)
    )
    assert 0.3 < near < far


def test_the_input_is_echoed_in_the_strip(studio: Studio) -> None:
    """A thumbnail at its right end shows that the right file arrived."""
    source = studio.file("green.png", np.full((256, 256, 3), (20, 200, 30), np.uint8))
    picture = studio.picture("kontext", prompt="make it night", image=source, width=256, height=256)
    high = strip_height(256, 256)
    assert np.abs(picture[-high // 2, 256 - high // 2].astype(int) - (20, 200, 30)).max() < 5


def test_a_lora_changes_the_style_by_its_name_and_strength(studio: Studio) -> None:
    """None of it leaves the plain picture, half of it lies between, another name looks different."""
    order = {"prompt": "a fox", "width": 128, "height": 128}

    def styled(name: str, strength: float) -> Array:
        settings = [{"lora_type": name, "lora_strength": strength}]
        return above_strip(studio.picture("txt2img-lora", lora_settings=settings, **order)).astype(int)

    plain = above_strip(studio.picture("txt2img", **order)).astype(int)
    none, half, full = (styled("mjv6", strength) for strength in (0.0, 0.5, 1.0))
    assert np.array_equal(none, plain)
    assert 2 < np.abs(half - plain).mean() < np.abs(full - plain).mean()
    assert np.abs(full - styled("scenery", 1.0)).mean() > 4


@pytest.mark.parametrize("kind", ["canny", "soft_edge", "depth", "openpose"])
def test_the_control_map_is_returned(studio: Studio, photo: str, kind: str) -> None:
    """A second picture of the same size; a sentence says whether it is real or guessed."""
    control = {"control_type": kind, "control_image": photo, "return_preprocessed_image": True}
    output, job = studio.order("controlnet-lora", prompt="a robot", control_net_settings=[control])
    first, second = (pixels(job.saved[url]) for url in output.fields["image_urls"])
    assert first.shape == (150, 200, 3)
    assert second.shape == (150, 200)
    assert second.max() > 200
    about = job.warnings[1]
    assert ("real edges" in about) == (kind in {"canny", "soft_edge"})
    assert ("guess" in about or "finds no joints" in about) == (kind in {"depth", "openpose"})


def test_redux_takes_the_palette_of_the_picture(studio: Studio) -> None:
    """The same words with another picture have other colours, and the picture is shown in a corner."""
    results = {}
    for name, colour in (("warm", (220, 110, 30)), ("cold", (30, 90, 200))):
        source = studio.file(f"{name}.png", np.full((80, 80, 3), colour, np.uint8))
        results[name] = studio.picture("redux-variation", prompt="a meadow", image=source, width=200, height=200)
    warm, cold = results["warm"], results["cold"]
    assert warm[60:150].mean(axis=(0, 1))[0] > cold[60:150].mean(axis=(0, 1))[0] + 20
    assert np.abs(warm[35, 165].astype(int) - (220, 110, 30)).max() < 6


@pytest.mark.parametrize(
    ("instruction", "seen"),
    [
        ("make it green", lambda _, after: after[..., 1].mean() > after[..., 0].mean() + 15),
        ("turn it to black and white", lambda _, after: np.ptp(after.astype(int), axis=2).max() < 6),
        ("at night", lambda before, after: after.mean() < before.mean() * 0.6),
        ("let it be winter", lambda before, after: after.mean() > before.mean()),
        ("add a cat", lambda before, after: (after != before).any(axis=2).mean() > 0.05),
        ("replace the word Foo by Bar", lambda before, after: np.abs(after.astype(int) - before).mean() > 5),
    ],
)
def test_kontext_follows_the_instruction(
    studio: Studio,
    photo: str,
    instruction: str,
    seen: Callable[[Array, Array], bool],
) -> None:
    """Colours tint, styles filter, hours and seasons change the light, figures are added."""
    after = studio.picture("kontext", prompt=instruction, image=photo, width=200, height=150)
    assert seen(above_strip(pixels(Path(photo))), above_strip(after))


@pytest.mark.parametrize("task_type", ["img2img", "redux-variation", "kontext"])
def test_a_file_that_is_no_picture_is_refused(studio: Studio, tmp_path: Path, task_type: str) -> None:
    """With the phrase that clients match on."""
    text = tmp_path / "text.png"
    text.write_bytes(b"this is not a picture")
    with pytest.raises(MediaFailure, match="failed to get valid image"):
        studio.order(task_type, prompt="a cat", image=str(text))


def test_a_bad_control_picture_is_refused(studio: Studio, tmp_path: Path) -> None:
    """Nested media fields are read under the same rules."""
    text = tmp_path / "text.png"
    text.write_bytes(b"GIF89a")
    control = {"control_type": "canny", "control_image": str(text)}
    with pytest.raises(MediaFailure, match="failed to get valid image"):
        studio.order("controlnet-lora", prompt="a cat", control_net_settings=[control])


@pytest.mark.parametrize("task_type", ["txt2img", "img2img", "kontext", "redux-variation"])
def test_a_cancelled_job_ends(studio: Studio, photo: str, task_type: str) -> None:
    """At the next report of progress, with nothing stored."""
    product = CATALOGUE.find(ADVANCED, task_type)
    job = studio.job(product, cancel_when=lambda fraction: fraction > 0.1 or task_type == "txt2img")
    with pytest.raises(Cancelled):
        preview.ENGINE.run(product, product.input(prompt="a cat", image=photo, width=96, height=96), job)
    assert not job.saved
