"""The Wan family and AI Hug by the engine `diffusers`, with tiny random networks in the format of the real ones."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_wan import SMALL, shelve_camera, shelve_from_pictures, shelve_from_words, shelve_style

from support import films
from support.films import Found
from support.previews import CATALOGUE, Made, Workshop
from unitask.engines.diffusers import wan
from unitask.kit.errors import Cancelled, EngineFailure
from unitask.runtime.hardware import Hardware
from unitask.runtime.runtime import Runtime
from unitask.weights import Shelf

PROMPT = "a red fox in the snow"
STYLE = [{"lora_type": "ghibli"}]
EFFECT = [{"lora_type": "inflate-effect", "lora_strength": 0.5}]
FROM_WORDS = ["txt2video-1.3b", "txt2video-14b", "txt2video-14b-lora", "wan22-txt2video-14b"]
FROM_PICTURE = ["img2video-14b", "img2video-14b-lora", "wan22-img2video-14b"]


class Studio(Workshop):
    """Orders small films of the Wan family."""

    def film(self, task_type: str, **fields: Any) -> Made:
        """Fill in what the product asks for and the test does not care about."""
        options = {**SMALL, **fields.pop("options", {})}
        known = CATALOGUE.find("Qubico/wanx", task_type).input.model_fields
        given = {
            "prompt": PROMPT,
            "image": self.still(1),
            "start_image": self.still(1),
            "end_image": self.still(2),
            "lora_settings": STYLE if task_type.startswith("txt") else EFFECT,
        }
        wanted = {name: value for name, value in given.items() if name in known} | fields
        return self.order("wanx", task_type, options=options, **wanted)

    def hug(self, **options: Any) -> Made:
        """Order an embrace of six frames."""
        small = {**SMALL, "frames": 6, "size": [40, 24], **options}
        return self.order("hug-video", "image_to_video", options=small, image_url=self.still(3))

    def still(self, seed: int) -> str:
        """Save a picture of 50 x 50 pixels."""
        return self.picture(f"{seed}.png", np.random.default_rng(seed).integers(0, 255, (50, 50, 3), np.uint8))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of the family, and two LoRAs."""
    torch.set_num_threads(1)
    models = tmp_path_factory.mktemp("models")
    shelve_from_words(models)
    shelve_from_pictures(models)
    for seed, name in enumerate(("ghibli", "pixel-art", "inflate-effect", "hug")):
        shelve_style(models, name, seed=seed)
    return models


@pytest.fixture
def studio(tmp_path: Path, shelf: Path) -> Studio:
    """Give who takes orders."""
    return Studio(tmp_path, "diffusers", shelf)


def seen(made: Made) -> Found:
    """Decode a video to its end."""
    return films.look(made.path("video_url"))


@pytest.mark.parametrize("task_type", [*FROM_WORDS, *FROM_PICTURE, "img2video-14b-keyframe"])
@pytest.mark.parametrize(("shape", "size"), [("16:9", (40, 24)), ("9:16", (24, 40)), ("1:1", (32, 32))])
def test_a_film_is_as_large_and_long_as_promised(
    studio: Studio, task_type: str, shape: str, size: tuple[int, int]
) -> None:
    """Also where neither its size nor its frames are such as the model can make; the file says what made it."""
    made = studio.film(task_type, aspect_ratio=shape, options={"frames": 7, "steps": 1})
    found = seen(made)
    assert (found.size, len(found.frames), found.fps) == (size, 7, Fraction(16))
    assert (found.codec, found.pixel_format) == ("h264", "yuv420p")
    recipe = made.job.recipe
    assert f"unitask:level=full; unitask:weights={recipe.weights[0]}; unitask:seed=7" in found.tags["comment"]
    assert not made.job.warnings


def test_products_keep_their_promises_of_length_and_size() -> None:
    """The real recipes make the same films as those that need no weights."""
    for product in CATALOGUE:
        if product.model in {"Qubico/wanx", "Qubico/hug-video"}:
            full, plain = product.recipes
            assert (full.engine, full.level) == ("diffusers", "full")
            assert full.options.items() >= plain.options.items()


@pytest.mark.parametrize("task_type", ["txt2video-1.3b", "wan22-txt2video-14b", "img2video-14b", "wan22-img2video-14b"])
def test_the_seed_and_nothing_else_decides_by_chance(studio: Studio, task_type: str) -> None:
    """The same order gives the same bytes, another seed gives other pictures (and not only another label)."""
    first, again, other = (studio.film(task_type, seed=seed) for seed in (1, 1, 2))
    assert first.content("video_url") == again.content("video_url")
    assert not np.array_equal(seen(first).frames, seen(other).frames)


@pytest.mark.parametrize("task_type", ["txt2video-14b", "wan22-txt2video-14b", "img2video-14b", "wan22-img2video-14b"])
@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
def test_words_matter(studio: Studio, task_type: str, field: str) -> None:
    """Both those for what to show and those for what not to."""
    assert studio.film(task_type).content("video_url") != studio.film(task_type, **{field: "rain"}).content("video_url")


@pytest.mark.parametrize(
    ("task_type", "field"),
    [
        ("img2video-14b", "image"),
        ("wan22-img2video-14b", "image"),
        ("img2video-14b-keyframe", "start_image"),
        ("img2video-14b-keyframe", "end_image"),
    ],
)
def test_pictures_matter(studio: Studio, task_type: str, field: str) -> None:
    """Each one that is given."""
    other = studio.film(task_type, **{field: studio.still(4)})
    assert studio.film(task_type).content("video_url") != other.content("video_url")


@pytest.mark.parametrize("option", ["guidance", "guidance_2"])
def test_both_experts_are_at_work(studio: Studio, option: str) -> None:
    """Each follows its own guidance."""
    usual, other = (studio.film("wan22-txt2video-14b", options={"steps": 4, **more}) for more in ({}, {option: 2.0}))
    assert usual.content("video_url") != other.content("video_url")


def test_steps_lean_as_the_recipe_says_or_as_the_weights_do(studio: Studio) -> None:
    """The scheduler of the tiny weights leans by 5; one order's shift does not stay for the next."""
    by = {
        shift: studio.film("txt2video-1.3b", options={"steps": 3, "shift": shift}).content("video_url")
        for shift in (3.0, 5.0, None)
    }
    assert by[None] == by[5.0] != by[3.0]


def test_styles_add_up_and_leave_no_trace(studio: Studio) -> None:
    """One, both, half of one: all differ; without any, the bytes are those from before."""
    plain = studio.film("txt2video-14b").content("video_url")
    two = [*STYLE, {"lora_type": "pixel-art"}]
    half = [{"lora_type": "ghibli", "lora_strength": 0.5}]
    styled = {studio.film("txt2video-14b-lora", lora_settings=one).content("video_url") for one in (STYLE, two, half)}
    assert len(styled | {plain}) == 4
    assert studio.film("txt2video-14b").content("video_url") == plain


def test_effects_work_from_a_picture(studio: Studio) -> None:
    """They were trained on words alone or on pictures; both fit."""
    plain, effect = (studio.film(task_type).content("video_url") for task_type in ("img2video-14b", FROM_PICTURE[1]))
    assert plain != effect


def test_a_style_that_is_not_here_says_how_to_get_it(studio: Studio) -> None:
    """No other style takes its place."""
    with pytest.raises(EngineFailure, match=r"unitask models pull lora:wan/flat-color"):
        studio.film("txt2video-14b-lora", lora_settings=[{"lora_type": "flat-color"}])


@pytest.mark.parametrize("task_type", ["txt2video-1.3b", "img2video-14b-keyframe", "wan22-img2video-14b"])
def test_progress_rises_with_every_step(studio: Studio, task_type: str) -> None:
    """From the first report to the end."""
    fractions = studio.film(task_type, options={"steps": 8}).job.fractions
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len({fraction for fraction in fractions if 0.1 < fraction <= 0.9}) == 8


@pytest.mark.parametrize("task_type", ["txt2video-1.3b", "wan22-img2video-14b"])
def test_a_cancelled_film_stops_at_once_and_spoils_nothing(studio: Studio, task_type: str) -> None:
    """No step is begun after the one in which the client took the order back."""
    before = studio.film(task_type, options={"steps": 6}).content("video_url")
    reports: list[float] = []

    def third_step(fraction: float) -> bool:
        reports.append(fraction)
        return fraction > 0.1 + 0.8 * 2.5 / 6

    with pytest.raises(Cancelled):
        studio.film(task_type, options={"steps": 6}, cancel_when=third_step)
    assert len([fraction for fraction in reports if fraction > 0.1]) == 3
    assert studio.film(task_type, options={"steps": 6}).content("video_url") == before


def test_large_frames_are_made_in_tiles_and_small_ones_whole(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory, not beauty: tiles are blended, so a film is made in one way always, whatever was made before it."""
    options = {"frames": 1, "steps": 1, "sizes": {"16:9": [288, 256]}}
    whole = studio.film("txt2video-1.3b", options=options).content("video_url")
    with monkeypatch.context() as smaller:
        smaller.setattr(wan, "TILED_PIXELS", 288 * 256 - 1)
        tiled = studio.film("txt2video-1.3b", options=options).content("video_url")
    assert whole != tiled
    assert studio.film("txt2video-1.3b", options=options).content("video_url") == whole


def test_an_embrace_wears_its_style_or_says_that_it_does_not(tmp_path: Path, shelf: Path) -> None:
    """Without the LoRA words alone must do, and the client is told."""
    studio = Studio(tmp_path, "diffusers", shelf)
    styled = studio.hug()
    found = seen(styled)
    assert (found.size, len(found.frames), found.fps) == ((40, 24), 6, Fraction(16))
    assert not styled.job.warnings
    bare = studio.hug(style="not-here")
    assert "unitask models pull lora:wan/not-here" in bare.job.warnings[0]
    assert styled.content("video_url") != bare.content("video_url")


@pytest.mark.parametrize("option", ["prompt", "style_prompt"])
def test_an_embrace_has_a_prompt_for_each_way(studio: Studio, option: str) -> None:
    """The trigger words go with the LoRA only."""
    more = {} if option == "style_prompt" else {"style": "not-here"}
    as_sold, other = studio.hug(**more), studio.hug(**more, **{option: "they dance"})
    assert as_sold.content("video_url") != other.content("video_url")


@pytest.mark.parametrize("task_type", [FROM_WORDS[-1], "img2video-14b-lora", "img2video-14b-control-camera"])
def test_films_come_out_as_well_in_the_half_precision_of_the_real_cards(tmp_path: Path, task_type: str) -> None:
    """The VAE goes on in single precision, as its makers say; the film is nearly the same."""
    models = tmp_path / "models"
    shelve_from_words(models)
    shelve_from_pictures(models)
    shelve_camera(models)
    shelve_style(models, "inflate-effect")
    more = {"control_camera_settings": [{"motion_type": "zoom_in"}]} if task_type.endswith("camera") else {}
    for folder in ("exact", "near"):
        (tmp_path / folder).mkdir()
    exact = seen(Studio(tmp_path / "exact", "diffusers", models).film(task_type, **more)).frames
    for card in (models / "cards").iterdir():
        card.write_text(card.read_text().replace('"float32"', '"bfloat16"'))
    halved = models.rename(tmp_path / "halved")
    near = seen(Studio(tmp_path / "near", "diffusers", halved).film(task_type, **more)).frames
    assert not np.array_equal(exact, near)
    assert np.abs(np.float32(exact) - np.float32(near)).mean() < 4


def test_memory_is_planned_for_numbers_as_they_will_be_loaded(tmp_path: Path) -> None:
    """The files hold single precision, the card computes in half of it but for the VAE."""
    shelve_from_words(tmp_path)
    card = tmp_path / "cards/wan21-t2v-1.3b.toml"
    card.write_text(card.read_text().replace('"float32"', '"bfloat16"'))
    parts = Runtime(Shelf(tmp_path), Hardware("cpu", 2**40, 0)).model("wan21-t2v-1.3b").parts
    networks = {name: part.load() for name, part in parts.items()}
    for name, network in networks.items():
        taken = sum(tensor.numel() * tensor.element_size() for tensor in network.parameters())
        assert parts[name].size_bytes == pytest.approx(taken, rel=0.2)
    assert (networks["vae"].dtype, networks["text_encoder"].dtype) == (torch.float32, torch.bfloat16)
