"""Previews of what models make: small pictures between the steps, which change nothing of the result."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import pytest
import tiny_hunyuan
import tiny_wan
import torch
from numpy.typing import NDArray
from PIL import Image
from tiny_flux import shelve_flux, shelve_relatives

from support.job import LocalJob
from support.previews import CATALOGUE, Made, Workshop
from unitask.engines.diffusers import ENGINE, hunyuan, wan
from unitask.engines.diffusers.flux import Canvas
from unitask.runtime.films import shoot
from unitask.runtime.steps import Steps
from unitask.spec.engine import Output, Work

STEPS: Final = 13
PICTURES: Final = {
    "flux1-dev-advanced/txt2img": {},
    "flux1-dev-advanced/img2img": {"image": "photo", "denoise": 0.9},
    "flux1-dev-advanced/fill-inpaint": {"image": "holed"},
    "flux1-dev-advanced/kontext": {"image": "photo"},
}
FILMS: Final = {
    "wanx/txt2video-1.3b": {},
    "wanx/wan22-txt2video-14b": {},
    "wanx/img2video-14b": {"image": "photo"},
    "hunyuan/txt2video": {},
    "hunyuan/img2video-concat": {"image": "photo"},
    "skyreels/img2video": {"image": "photo"},
    "framepack/img2video": {"start_image": "photo", "duration": 1},
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shelf with every family that has previews."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    for shelve in (
        shelve_flux,
        shelve_relatives,
        tiny_wan.shelve_from_words,
        tiny_wan.shelve_from_pictures,
        tiny_hunyuan.shelve_hunyuan,
        tiny_hunyuan.shelve_from_pictures,
        tiny_hunyuan.shelve_skyreels,
        tiny_hunyuan.shelve_framepack,
    ):
        shelve(folder)
    return folder


@pytest.fixture
def workshop(tmp_path: Path, models: Path) -> Workshop:
    """Give who takes orders."""
    return Workshop(tmp_path, "diffusers", models)


def photo(workshop: Workshop, *, holed: bool) -> str:
    """Save a picture of large coloured squares, with a white region if it is to be filled."""
    squares = np.random.default_rng(1).integers(0, 250, (4, 6, 3), np.uint8)
    if holed:
        squares[1:3, 1:5] = 255
    return workshop.picture(f"photo-{holed}.png", np.kron(squares, np.ones((8, 8, 1), np.uint8)))


def made(workshop: Workshop, key: str, fields: dict[str, Any], *, shows: bool, **options: Any) -> Made:
    """Order a small one."""
    model, task_type = key.split("/")
    known = CATALOGUE.find(f"Qubico/{model}", task_type).input.model_fields
    pictures = {name: photo(workshop, holed=what == "holed") for name, what in fields.items() if "image" in name}
    sizes = {"width": 48, "height": 32} if "width" in known and model.startswith("flux") else {}
    wanted = {"prompt": "a cat", **fields, **pictures, **sizes, "shows": shows}
    if "steps" in known:
        wanted["steps"] = STEPS
    return workshop.order(
        model, task_type, **wanted, options={"steps": STEPS, "tokens": 32, "least_pixels": 0, **options}
    )


def decoded(content: bytes) -> NDArray[np.float64]:
    """Decode a preview."""
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "JPEG"
        assert max(picture.size) <= 256
        return np.asarray(picture, float)


def alike(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Tell how much two pictures have in common: 1 is all, 0 nothing."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.fixture
def views(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Decode everything whole after each step, also after the last, as for a preview: values 0 to 1."""
    seen = []
    count = Steps.__call__

    def look(steps: Steps, pipe: Any, index: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        assert steps._showing
        view = steps._showing._view
        seen.append((view.decoded(pipe, view.picture(pipe, tensors["latents"])).clamp(-1, 1) + 1) / 2)
        return count(steps, pipe, index, timestep, tensors)

    monkeypatch.setattr(Steps, "__call__", look)
    return seen


@pytest.mark.parametrize("key", PICTURES)
def test_a_preview_is_decoded_as_the_picture_is(workshop: Workshop, views: list[torch.Tensor], key: str) -> None:
    """After the last step both are the same, but for what is laid over a filled one."""
    result = made(workshop, key, PICTURES[key], shows=False).picture()
    assert len(views) in {STEPS, STEPS - 1}
    last = (views[-1][0].permute(1, 2, 0) * 255).numpy()
    assert last.shape == result.shape
    if "fill" not in key:
        assert np.abs(last - result).max() < 1


@pytest.mark.parametrize("key", ["wanx/txt2video-1.3b", "hunyuan/txt2video"])
def test_a_preview_of_a_video_is_decoded_as_the_video_is(
    workshop: Workshop, views: list[torch.Tensor], monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """After the last step of a single frame both are the same."""
    shot: list[torch.Tensor] = []

    def keep(job: LocalJob, film: Any, frames: torch.Tensor) -> str:
        shot.append(frames)
        return shoot(job, film, frames)

    for family in (wan, hunyuan):
        monkeypatch.setattr(family, "shoot", keep)
    made(workshop, key, {}, shows=False, size=[48, 32], sizes={"16:9": [48, 32]}, frames=1)
    assert torch.allclose(views[-1], shot[0], atol=1e-4)


@pytest.mark.parametrize("key", PICTURES)
def test_previews_become_the_picture_and_do_not_change_it(workshop: Workshop, key: str) -> None:
    """The file is what it is without any, to the byte."""
    watched, alone = (made(workshop, key, PICTURES[key], shows=shows) for shows in (True, False))
    assert alone.job.shown == []
    assert watched.content("image_url") == alone.content("image_url")
    assert len(watched.job.shown) in {STEPS // 2, STEPS // 2 - 1}
    if "fill" not in key:
        assert alike(decoded(watched.job.shown[-1]), watched.picture()) > 0.9


@pytest.mark.parametrize("key", FILMS)
def test_previews_of_a_video_are_of_its_middle_and_do_not_change_it(workshop: Workshop, key: str) -> None:
    """They differ as the work goes on, and the file is what it is without any, to the byte."""
    small: dict[str, Any] = {"size": [48, 32], "frames": 5}
    small |= {"limit_side_px": 48, "window": 2, "fps": 4} if "framepack" in key else {}
    watched, alone = (made(workshop, key, FILMS[key], shows=shows, **small) for shows in (True, False))
    assert alone.job.shown == []
    assert watched.content("video_url") == alone.content("video_url")
    pictures = [decoded(content) for content in watched.job.shown]
    assert len(pictures) >= (STEPS - 1) // 2
    assert {picture.shape for picture in pictures} == {(32, 48, 3)}
    assert not np.array_equal(pictures[0], pictures[-1])


def test_a_large_picture_is_shown_small(workshop: Workshop) -> None:
    """No more than 32 latents a side are decoded, in proportion."""
    order = {"width": 256, "height": 128, "prompt": "a cat", "steps": 3, "options": {"tokens": 32}}
    (preview,) = workshop.order("flux1-dev-advanced", "txt2img", shows=True, **order).job.shown
    assert decoded(preview).shape == (32, 64, 3)


def test_in_a_batch_each_sees_its_own(workshop: Workshop) -> None:
    """And who did not ask sees nothing."""
    product = CATALOGUE.find("Qubico/flux1-dev-advanced", "txt2img")
    works = []
    for seed in (3, 11, 5):
        job = workshop.job(product, seed=seed, steps=4, tokens=32)
        job.shows = seed != 11
        works.append(Work(product, product.input(prompt=f"picture {seed}", width=48, height=32), job))
    outputs = ENGINE.run_batch(works)
    for work, output in zip(works, outputs, strict=True):
        job = work.job
        assert isinstance(job, LocalJob)
        assert isinstance(output, Output)
        if work.job.seed == 11:
            assert job.shown == []
            continue
        result = np.asarray(Image.open(job.saved[output.fields["image_url"]]), float)
        assert alike(decoded(job.shown[-1]), result) > 0.9


def test_a_preview_that_cannot_be_made_costs_nothing_but_itself(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The result is the same; the log says why there was none, once."""

    def broken(*_: Any) -> torch.Tensor:
        raise torch.OutOfMemoryError("no room for it")

    alone = made(workshop, "flux1-dev-advanced/txt2img", {}, shows=False)
    monkeypatch.setattr(Canvas, "decoded", broken)
    watched = made(workshop, "flux1-dev-advanced/txt2img", {}, shows=True)
    assert watched.job.shown == []
    assert watched.content("image_url") == alone.content("image_url")
    assert caplog.text.count("no more previews of this task") == 1


class Plain:
    """A model whose latents are pixels; counts how often it was looked at."""

    def __init__(self) -> None:
        self.looks = 0

    def picture(self, pipe: Any, latents: torch.Tensor) -> torch.Tensor:
        """Count."""
        del pipe
        self.looks += 1
        return latents

    def decoded(self, pipe: Any, latents: torch.Tensor) -> torch.Tensor:
        """Show them as they are."""
        del pipe
        return latents


def steps_of(job: LocalJob, view: Plain, noises: list[float]) -> NDArray[np.float64]:
    """Make steps towards a picture that is half dark and half bright; gives it. Sections before have its negative."""
    picture = torch.full((1, 3, 16, 24), -0.8)
    picture[..., 12:] = 0.8
    chance = torch.randn(picture.shape, generator=torch.Generator().manual_seed(5))
    steps = Steps([job], len(noises), view=view)
    for index, noise in enumerate(noises):
        pipe = SimpleNamespace(scheduler=SimpleNamespace(sigmas=torch.tensor(noises), step_index=index))
        aim = -picture if max(noises[index:]) > noise else picture
        steps(pipe, index, None, {"latents": (1 - noise) * aim + noise * chance})
    return ((picture[0].permute(1, 2, 0).numpy() + 1) * 127.5).astype(float)


def test_the_noise_of_the_steps_that_are_left_is_not_shown(workshop: Workshop) -> None:
    """The first preview, of what is nearly all noise, shows what the model expects by then."""
    job = workshop.job(CATALOGUE.find("Qubico/flux1-dev-advanced", "txt2img"))
    job.shows = True
    picture = steps_of(job, Plain(), [0.95, 0.9, 0.5, 0.1])
    (shown,) = job.shown
    assert np.abs(decoded(shown) - picture).max() < 12


def test_where_a_new_section_begins_two_sections_are_not_mixed(workshop: Workshop) -> None:
    """Noise is more again there than at the step before."""
    job = workshop.job(CATALOGUE.find("Qubico/flux1-dev-advanced", "txt2img"))
    job.shows = True
    picture = steps_of(job, Plain(), [0.2, 0.9, 0.8, 0.1])
    (shown,) = job.shown
    assert np.abs(decoded(shown) - picture).max() < 12


def test_nothing_is_computed_while_nobody_wants_to_see(workshop: Workshop) -> None:
    """A task that is not watched costs what it always did."""
    job, view = workshop.job(CATALOGUE.find("Qubico/flux1-dev-advanced", "txt2img")), Plain()
    steps_of(job, view, [0.9, 0.5, 0.1])
    assert view.looks == 0
