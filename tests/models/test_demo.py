"""The demo model: a training of a few steps writes what the engine of real weights loads, and may be broken off."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from tiny_flux import shelve_flux

from support.job import LocalJob
from support.previews import CATALOGUE
from unitask.demo.delivery import CARD, trained
from unitask.demo.exam import ENOUGH, examine
from unitask.demo.judge import sight
from unitask.demo.scenes import Scene, scenes, vocabulary
from unitask.demo.words import clip_tokenizer, t5_tokenizer
from unitask.engines import installed
from unitask.kit.errors import Cancelled
from unitask.tasks.orders import choose
from unitask.weights import Shelf
from unitask.weights.parcel import find
from unitask.weights.shelf import SHIPPED
from unitask.weights.upkeep import damages

PRODUCT = CATALOGUE.find("Qubico/flux1-schnell", "txt2img")
WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"
TICK_S = 40.0
UNSEEN = (
    ("green", "star", "top right", "red"),
    ("blue", "cross", "bottom left", "white"),
    ("black", "square", "top right", "yellow"),
)


def ticking(most: int = 10**6) -> Callable[[], float]:
    """Make a clock that goes on by itself when it is read, so often; then somebody pulls the plug."""
    ticks = 0

    def now() -> float:
        nonlocal ticks
        ticks += 1
        if ticks > most:
            raise Cancelled("the plug was pulled")
        return ticks * TICK_S

    return now


def train(models: Path, *, seed: int = 0, now: Callable[[], float] | None = None) -> list[str]:
    """Train for a few steps; gives what was said."""
    models.mkdir(exist_ok=True)
    said: list[str] = []
    trained(models, minutes=8, seed=seed, prompts=8, say=said.append, now=now or ticking(), pictures=64)
    return said


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shelf with a demo model that has learned next to nothing."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    train(folder)
    return folder


def paint(folder: Path, models: Path, *, seed: int = 7, **fields: Any) -> tuple[LocalJob, list[Path]]:
    """Order pictures where nothing but the demo model is on the shelf."""
    recipe = choose(PRODUCT, frozenset({"demo", "preview"}), Shelf(models)).recipe
    assert recipe is not None
    scratch = folder / f"order-{len(list(folder.iterdir()))}"
    scratch.mkdir()
    job = LocalJob(scratch, recipe, models, seed=seed)
    fields = {"prompt": "a red circle on a blue background", "width": 96, "height": 80, "steps": 2, **fields}
    output = installed()["demo"].run(PRODUCT, PRODUCT.input(**fields), job)
    urls = output.fields["image_urls"] or [output.fields["image_url"]]
    return job, [job.saved[url] for url in urls]


def test_the_engine_of_real_weights_paints_with_it(models: Path, tmp_path: Path) -> None:
    """In the size that was asked for, several at once, and says everywhere that it is a stand-in."""
    job, paths = paint(tmp_path, models, batch_size=2, width=96, height=50)
    assert len({path.read_bytes() for path in paths}) == 2
    for path in paths:
        with Image.open(path) as picture:
            assert picture.size == (96, 50)
            assert picture.info["unitask:level"] == "preview"
            assert picture.info["unitask:weights"] == CARD
    assert (job.recipe.engine, job.recipe.level) == ("demo", "preview")
    assert "made by the demo model" in job.warnings[0]
    assert job.fractions == sorted(job.fractions)


def test_the_same_order_makes_the_same_picture_and_another_seed_another(models: Path, tmp_path: Path) -> None:
    """As every model here."""
    first, again, other = (paint(tmp_path, models, seed=seed)[1][0].read_bytes() for seed in (1, 1, 2))
    assert first == again != other


def test_words_that_it_does_not_know_are_named(models: Path, tmp_path: Path) -> None:
    """Each once, whatever its letters; known ones are not."""
    job, _ = paint(tmp_path, models, prompt="A Cat on the red CAT-mat, top left")
    assert job.warnings[1:] == ["the demo model does not know: cat, mat"]
    assert len(paint(tmp_path, models)[0].warnings) == 1


def test_a_longer_side_continues_the_background(models: Path, tmp_path: Path) -> None:
    """What is painted is a square; nothing of it is cut off or stretched."""
    _, (path,) = paint(tmp_path, models, width=128, height=64)
    with Image.open(path) as picture:
        pixels = np.asarray(picture)
    assert np.array_equal(pixels[:, :33], np.repeat(pixels[:, 32:33], 33, axis=1))
    assert np.array_equal(pixels[:, 95:], np.repeat(pixels[:, 95:96], 33, axis=1))


def test_it_lies_on_the_shelf_as_any_other_with_how_often_it_is_right(models: Path) -> None:
    """Whole, small, and a model that is seldom right does not pass for a good one."""
    shelf = Shelf(models)
    assert list(damages(find(shelf, CARD))) == []
    assert sum(one.size_bytes for one in shelf.manifest(CARD).files.values()) < 6_000_000
    assert shelf.cards[CARD].verified.startswith("0.0% of 8 held-out prompts right")
    assert not (models / "training" / f"{CARD}-0").exists()


def test_the_same_seed_learns_the_same(models: Path, tmp_path: Path) -> None:
    """Where the clock is the same; another seed learns something else, and both say how good they are."""
    said = train(tmp_path / "again")
    train(tmp_path / "other", seed=1)
    first, again, other = (
        (one / CARD / WEIGHTS).read_bytes() for one in (models, tmp_path / "again", tmp_path / "other")
    )
    assert first == again != other
    assert "prompts right" in said[-4]
    assert "right less often than 85%" in said[-3]


def test_a_training_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    """With the coder done and the flow begun, neither begins anew."""
    with pytest.raises(Cancelled):
        train(tmp_path, now=ticking(9))
    assert not (tmp_path / CARD).exists()
    said = train(tmp_path)
    going_on = [line for line in said if "goes on after" in line]
    assert [line.partition(":")[0] for line in going_on] == ["vae", "flow"]
    assert (tmp_path / CARD / WEIGHTS).exists()


def test_it_comes_with_unitask_and_stock_diffusers_paints_what_it_never_saw() -> None:
    """Once every held-out combination of colour, shape and place, by the pipeline that the folder names."""
    pipe = DiffusionPipeline.from_pretrained(SHIPPED / CARD, dtype=torch.float32, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    found = examine(pipe, prompts := len({(one.colour, one.shape, one.place) for one in scenes() if one.held_out}))
    assert prompts == 72
    assert found.right >= ENOUGH, str(found)


def test_on_an_empty_shelf_an_order_is_painted_right_at_full_size(tmp_path: Path) -> None:
    """Through the code of the real weights: three scenes that it never saw, at 512 x 512."""
    for colour, shape, position, background in UNSEEN:
        scene = Scene(colour, shape, position, background)
        assert scene.held_out
        prompt = f"a {colour} {shape} at the {position} of a {background} background"
        _, (path,) = paint(tmp_path, tmp_path / "nothing", prompt=prompt, width=512, height=512, steps=0)
        with Image.open(path) as picture:
            assert sight(np.asarray(picture)) == scene


def test_it_stands_in_for_the_real_weights_alone_and_can_be_turned_off(tmp_path: Path) -> None:
    """An engine of its own: before the drawn preview, behind what `diffusers` makes."""
    shelf = Shelf(tmp_path)
    made_by = {
        engines: choose(PRODUCT, frozenset(engines), shelf).recipe
        for engines in (("diffusers",), ("preview",), ("demo", "diffusers", "preview"))
    }
    assert [recipe and (recipe.engine, recipe.level) for recipe in made_by.values()] == [
        None,
        ("preview", "preview"),
        ("demo", "preview"),
    ]
    shelve_flux(tmp_path)
    real = choose(PRODUCT, None, Shelf(tmp_path)).recipe
    assert real is not None
    assert (real.engine, real.level) == ("diffusers", "full")


def test_every_word_of_a_caption_is_one_token_of_both_tokenizers() -> None:
    """And the same one each time they are built: a training may go on in another process."""
    words = vocabulary()
    clip, t5 = clip_tokenizer(words), t5_tokenizer(words)
    for word in words:
        assert clip.tokenize(word) == clip.tokenize(word.upper()) == [f"{word}</w>"]
        assert len(t5.tokenize(word)) == len(t5.tokenize(word.capitalize())) == 1
    assert all(clip_tokenizer(words).get_vocab() == clip.get_vocab() for _ in range(8))
