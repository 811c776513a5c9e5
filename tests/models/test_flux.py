"""Flux from weights: tiny random ones, through the code that serves the real ones."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_flux import shelve_flux, shelve_relatives, shelve_style

from support.previews import Made, Workshop
from unitask.kit.errors import EngineFailure, TaskFailure
from unitask.runtime.runtime import runtime_of

QUICK: Final = {"steps": 4, "tokens": 32, "least_pixels": 0}
ADVANCED: Final = "flux1-dev-advanced"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shelf with the whole family."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    shelve_flux(folder)
    shelve_relatives(folder)
    shelve_style(folder, "anime")
    shelve_style(folder, "art", seed=1)
    return folder


@pytest.fixture
def workshop(tmp_path: Path, models: Path) -> Workshop:
    """Give who takes orders."""
    return Workshop(tmp_path, "diffusers", models)


def words(workshop: Workshop, model: str = ADVANCED, task_type: str = "txt2img", **fields: Any) -> Made:
    """Order a picture from words."""
    fields = {"prompt": "a cat", "width": 48, "height": 32, "options": QUICK, **fields}
    return workshop.order(model, task_type, **fields)


def photo(workshop: Workshop, name: str = "photo.png", size: tuple[int, int] = (44, 60)) -> str:
    """Save a picture with a gradient and a dark square; size is (height, width)."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    picture = np.stack([rows * 3, columns * 3, np.full(size, 90)], axis=2).astype(np.uint8)
    picture[8:16, 8:16] = 20
    return workshop.picture(name, picture)


def test_pictures_have_the_size_that_was_asked_for_though_the_model_knows_a_grid(workshop: Workshop) -> None:
    """50 is no multiple of 16."""
    made = words(workshop, width=72, height=50)
    assert made.picture().shape == (50, 72, 3)
    assert made.output.fields["image_urls"] is None


def test_several_pictures_are_different_and_each_is_what_its_seed_makes_alone(workshop: Workshop) -> None:
    """A batch changes nothing but the time."""
    four = words(workshop, "flux1-schnell", batch_size=4, seed=20)
    urls = four.output.fields["image_urls"]
    assert len(set(urls)) == 4
    pictures = [four.job.saved[url].read_bytes() for url in urls]
    assert len(set(pictures)) == 4
    third = words(workshop, "flux1-schnell", seed=22)
    assert third.content("image_url") == pictures[2]


def test_the_same_order_makes_the_same_file_and_another_seed_or_prompt_another(workshop: Workshop) -> None:
    """Deterministic, and not constant."""
    first = words(workshop).content("image_url")
    assert words(workshop).content("image_url") == first
    assert words(workshop, seed=8).content("image_url") != first
    assert not np.array_equal(words(workshop, prompt="a dog").picture(), words(workshop).picture())


def test_a_negative_prompt_pushes_away_on_dev_and_is_warned_about_on_schnell(workshop: Workshop) -> None:
    """The weights differ in what they know."""
    plain, away, from_cats = (words(workshop, negative_prompt=against) for against in ("", "dogs", "cats"))
    assert not np.array_equal(plain.picture(), away.picture())
    assert not np.array_equal(away.picture(), from_cats.picture())
    assert away.job.warnings == []
    schnell = words(workshop, "flux1-schnell"), words(workshop, "flux1-schnell", negative_prompt="dogs")
    assert np.array_equal(schnell[0].picture(), schnell[1].picture())
    assert "negative_prompt has no effect" in schnell[1].job.warnings[0]


def test_guidance_and_steps_matter(workshop: Workshop) -> None:
    """Both are inputs of the model, not decoration."""
    plain = words(workshop).picture()
    assert not np.array_equal(words(workshop, guidance_scale=1.5).picture(), plain)
    assert not np.array_equal(words(workshop, steps=3).picture(), plain)


def test_a_style_changes_the_picture_and_leaves_no_trace(workshop: Workshop) -> None:
    """LoRAs come and go; without one the model is what it was, bit for bit."""
    before = words(workshop).content("image_url")
    anime = words(workshop, task_type="txt2img-lora", lora_settings=[{"lora_type": "anime"}])
    art = words(workshop, task_type="txt2img-lora", lora_settings=[{"lora_type": "art"}])
    half = words(workshop, task_type="txt2img-lora", lora_settings=[{"lora_type": "anime", "lora_strength": 0.5}])
    none = words(workshop, task_type="txt2img-lora", lora_settings=[{"lora_type": "anime", "lora_strength": 0}])
    pictures = [made.picture() for made in (anime, art, half)]
    assert not any(np.array_equal(one, other) for one in pictures for other in pictures if one is not other)
    assert none.content("image_url") == before
    words(workshop, task_type="txt2img-lora", lora_settings=[{"lora_type": "art"}])
    assert words(workshop).content("image_url") == before


def test_a_style_that_stays_beside_the_network_is_counted_in_memory(tmp_path: Path) -> None:
    """So that what comes next makes room by what is really there."""
    models = tmp_path / "models"
    shelve_flux(models)
    shelve_style(models, "anime")
    own = Workshop(tmp_path, "diffusers", models)
    words(own)
    residency = runtime_of(models).residency
    before = residency.used_bytes("device")
    words(own, task_type="txt2img-lora", lora_settings=[{"lora_type": "anime"}])
    weights = load_file(models / "loras/flux/anime.safetensors")
    assert residency.used_bytes("device") - before == sum(one.nbytes for one in weights.values())


def test_a_style_that_is_not_there_names_the_command_that_brings_it(workshop: Workshop) -> None:
    """And where a file of one's own goes."""
    with pytest.raises(EngineFailure, match="unitask models pull lora:flux/disney"):
        words(workshop, task_type="txt2img-lora", lora_settings=[{"lora_type": "disney"}])


def test_a_damaged_style_fails_its_task_and_no_other(workshop: Workshop, models: Path) -> None:
    """The model stays as it was."""
    before = words(workshop).content("image_url")
    (models / "loras/flux/furry.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0not what it says")
    with pytest.raises(EngineFailure, match="the LoRA 'furry' cannot be used"):
        words(workshop, task_type="txt2img-lora", lora_settings=[{"lora_type": "furry"}])
    assert words(workshop).content("image_url") == before


def test_a_style_of_another_kind_of_model_is_called_so(workshop: Workshop, models: Path) -> None:
    """None of its names begins as those of this one do."""
    rows, columns = torch.zeros(2, 8), torch.zeros(8, 2)
    layer = "diffusion_model.blocks.0.self_attn.q"
    weights = {f"{layer}.lora_A.weight": rows, f"{layer}.lora_B.weight": columns}
    save_file(weights, models / "loras/flux/mjv6.safetensors")
    with pytest.raises(EngineFailure, match="'mjv6' cannot be used"):
        words(workshop, task_type="txt2img-lora", lora_settings=[{"lora_type": "mjv6"}])


def test_a_given_picture_is_painted_over_more_or_less(workshop: Workshop) -> None:
    """It keeps its size; the less denoise, the nearer."""
    source = photo(workshop)
    given = np.asarray(words(workshop).picture()) * 0.0 + np.asarray(pixels(source), float)[:32, :48]
    far, near = (
        workshop.order(ADVANCED, "img2img", prompt="a cat", image=source, denoise=denoise, options=QUICK).picture()
        for denoise in (1.0, 0.25)
    )
    assert far.shape == near.shape == (44, 60, 3)
    assert np.abs(near[:32, :48] - given).mean() < np.abs(far[:32, :48] - given).mean()
    sized = workshop.order(ADVANCED, "img2img", prompt="a", image=source, width=40, height=40, options=QUICK)
    assert sized.picture().shape == (40, 40, 3)


def pixels(path: str) -> Any:
    """Read a picture of ours."""
    from PIL import Image  # noqa: PLC0415 - here alone

    return np.asarray(Image.open(path))


def test_a_white_region_is_painted_anew_and_nothing_outside_it(workshop: Workshop) -> None:
    """But for the seam."""
    picture = pixels(photo(workshop)).copy()
    picture[14:30, 20:40] = 255
    source = workshop.picture("hole.png", picture)
    made = workshop.order(ADVANCED, "fill-inpaint", prompt="a cat", image=source, options=QUICK).picture()
    assert made.shape == picture.shape
    outside = np.ones(picture.shape[:2], bool)
    outside[14 - 12 : 30 + 12, 20 - 12 : 40 + 12] = False
    assert np.array_equal(made[outside], picture[outside])
    assert np.abs(made[16:28, 22:38].astype(int) - 255).mean() > 10


def test_a_picture_without_a_white_region_cannot_be_filled(workshop: Workshop) -> None:
    """The sentence says how a region is marked."""
    with pytest.raises(TaskFailure, match="paint it pure white"):
        workshop.order(ADVANCED, "fill-inpaint", prompt="a cat", image=photo(workshop), options=QUICK)


def test_a_picture_is_continued_and_stays_where_it_was(workshop: Workshop) -> None:
    """The canvas is exactly as large as asked."""
    settings = [{"setting_type": "outpaint", "outpaint_left": 20, "outpaint_right": 3, "outpaint_top": 10}]
    source = photo(workshop)
    made = workshop.order(
        ADVANCED, "fill-outpaint", prompt="", image=source, custom_settings=settings, options=QUICK
    ).picture()
    assert made.shape == (54, 83, 3)
    inner = made[10 + 8 : 54, 20 + 8 : 80 - 8]
    assert np.array_equal(inner, pixels(source)[8:44, 8:52])


def test_more_is_not_added_than_the_product_allows(workshop: Workshop) -> None:
    """Counted with the real picture."""
    settings = [{"setting_type": "outpaint", "outpaint_left": 1000}]
    with pytest.raises(TaskFailure, match="add fewer"):
        workshop.order(
            ADVANCED,
            "fill-outpaint",
            image=photo(workshop),
            custom_settings=settings,
            options={**QUICK, "limit_added_pixels": 1000},
        )


def test_a_variation_depends_on_picture_and_words(workshop: Workshop) -> None:
    """Both are read."""
    order = {"width": 48, "height": 32, "options": QUICK}
    one, other = photo(workshop), workshop.picture("other.png", np.full((30, 30, 3), 200, np.uint8))
    first = workshop.order(ADVANCED, "redux-variation", prompt="a cat", image=one, **order)
    assert first.picture().shape == (32, 48, 3)
    for change in ({"image": other}, {"prompt": "a dog"}, {"seed": 9}):
        made = workshop.order(ADVANCED, "redux-variation", **{"prompt": "a cat", "image": one, **order, **change})
        assert not np.array_equal(made.picture(), first.picture())


def test_a_negative_prompt_pushes_a_variation_away(workshop: Workshop) -> None:
    """Though there is a picture among its words."""
    order = {"prompt": "a cat", "image": photo(workshop), "width": 48, "height": 32, "options": QUICK}
    plain, away, from_cats = (
        workshop.order(ADVANCED, "redux-variation", **order, negative_prompt=against)
        for against in ("", "dogs", "cats")
    )
    assert not np.array_equal(plain.picture(), away.picture())
    assert not np.array_equal(away.picture(), from_cats.picture())
    assert away.job.warnings == []


def test_an_edit_looks_at_the_picture(workshop: Workshop) -> None:
    """And has the size that was asked for."""
    one, other = photo(workshop), workshop.picture("other.png", np.full((44, 60, 3), 200, np.uint8))
    made, elsewhere = (
        workshop.order(
            ADVANCED, "kontext", prompt="make it red", image=image, width=40, height=56, steps=3, options=QUICK
        ).picture()
        for image in (one, other)
    )
    assert made.shape == (56, 40, 3)
    assert not np.array_equal(made, elsewhere)


def test_progress_goes_up_step_by_step(workshop: Workshop) -> None:
    """From nothing to all, with each step of the model in it."""
    fractions = words(workshop, steps=5).job.fractions
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert len([one for one in fractions if 0.1 < one <= 0.9]) == 5
