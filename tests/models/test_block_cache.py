"""The first-block cache: what it saves, what it leaves exact, and that no task sees what another left in it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from tiny_ace_step import shelve_ace_step
from tiny_flux import shelve_controlnet, shelve_flux, shelve_relatives
from tiny_hunyuan import shelve_framepack, shelve_from_pictures, shelve_hunyuan, shelve_skyreels

from support.previews import Made, Workshop
from unitask.kit.errors import Cancelled, EngineFailure
from unitask.runtime.runtime import runtime_of

STEPS: Final = 8
QUICK: Final = {"steps": STEPS, "tokens": 32, "least_pixels": 0}
FLUX: Final[dict[str, dict[str, Any]]] = {
    "txt2img": {"width": 48, "height": 32},
    "img2img": {"width": 48, "height": 32, "denoise": 1.0},
    "controlnet-lora": {"width": 48, "height": 32},
    "kontext": {"width": 48, "height": 32, "steps": STEPS},
    "fill-inpaint": {},
}
"""Task types, and what they are asked for besides."""
CLIP: Final = {"sizes": {"16:9": [44, 36]}, "frames": 5, "steps": STEPS, "tokens": 640}
SECTIONS: Final = {"limit_side_px": 64, "fps": 8, "steps": STEPS, "window": 2, "tokens": 640}
Open = Callable[..., Workshop]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shelf with a model of each kind."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    shelve_flux(folder)
    shelve_relatives(folder)
    shelve_controlnet(folder)
    shelve_hunyuan(folder)
    shelve_from_pictures(folder)
    shelve_skyreels(folder)
    shelve_framepack(folder)
    shelve_ace_step(folder)
    return folder


@pytest.fixture
def opened(tmp_path: Path, models: Path) -> Open:
    """Open workshops on shelves of their own, on which some cards want the cache with a threshold."""

    def opened(threshold: float, *cards: str) -> Workshop:
        folder = tmp_path / f"models-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(models, folder)
        for card in cards or ("flux1-dev",):
            with (folder / f"cards/{card}.toml").open("a") as file:
                file.write(f"block_cache = {threshold}\n")
        (folder / "orders").mkdir()
        return Workshop(folder / "orders", "diffusers", folder)

    return opened


def photo(workshop: Workshop) -> str:
    """Save a picture of large coloured squares, some of them white."""
    squares = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    squares[1:3, 1:3] = 255
    return workshop.picture("photo.png", np.kron(squares, np.ones((10, 10, 1), np.uint8)))


def made(workshop: Workshop, what: str, **fields: Any) -> Made:
    """Order one of several things."""
    model = "skyreels" if what == "skyreels" else "framepack" if what == "framepack" else "hunyuan"
    task_type = "img2video" if what in {"skyreels", "framepack"} else what
    fields = {"prompt": "a", "options": CLIP, **fields}
    if what in FLUX:
        model, fields = "flux1-dev-advanced", {**fields, **FLUX[what], "options": QUICK}
    elif what == "framepack":
        fields |= {"duration": 2, "options": SECTIONS, "start_image": photo(workshop)}
    if what == "controlnet-lora":
        fields["control_net_settings"] = [{"control_type": "canny", "control_image": photo(workshop)}]
    elif what not in {"txt2img", "txt2video", "framepack"}:
        fields["image"] = photo(workshop)
    return workshop.order(model, task_type, **fields)


def content(one: Made) -> bytes:
    """Read its only file."""
    return one.content(next(field for field in ("image_url", "video_url") if one.output.fields.get(field)))


def denoiser(workshop: Workshop) -> Any:
    """Give the network that is in memory."""
    kept = runtime_of(workshop._models).residency._kept
    (network,) = (one.thing for key, one in kept.items() if "Transformer" in key[0])
    return network


class Count:
    """How often the last block of the denoiser in memory was computed, from now on."""

    def __init__(self, workshop: Workshop) -> None:
        last = denoiser(workshop).single_transformer_blocks[-1]
        layer = next(module for module in last.modules() if isinstance(module, torch.nn.Linear))
        self.calls = 0
        layer.register_forward_hook(self._one_more)

    def _one_more(self, _layer: Any, _given: Any, _made: Any) -> None:
        self.calls += 1


CASES: Final = (  # card, what is ordered, how many loops it makes: one for each text or section
    ("flux1-dev", "txt2img", 1),
    ("flux1-dev", "img2img", 1),
    ("flux1-kontext-dev", "kontext", 1),
    ("flux1-fill-dev", "fill-inpaint", 1),
    ("hunyuan-video", "txt2video", 1),
    ("hunyuan-video-i2v-concat", "img2video-concat", 1),
    ("hunyuan-video-i2v-replace", "img2video-replace", 1),
    ("skyreels-v1-i2v", "skyreels", 2),
    ("framepack-i2v", "framepack", 2),
)


@pytest.mark.parametrize(("card", "what", "loops"), CASES)
def test_steps_are_left_away_and_no_task_sees_what_another_left(opened: Open, card: str, what: str, loops: int) -> None:
    """With the highest threshold only the first step of a loop is made in full."""
    plain, cached = opened(0.0, card), opened(1.0, card)
    exact, first = content(made(plain, what)), content(made(cached, what))
    full, short = Count(plain), Count(cached)
    assert content(made(cached, what)) == first != exact
    assert content(made(plain, what)) == exact
    assert (full.calls, short.calls) == (STEPS * loops, loops)


def test_a_threshold_that_nothing_stays_under_is_exact(opened: Open) -> None:
    """The cache itself changes nothing."""
    assert content(made(opened(1e-9), "txt2img")) == content(made(opened(0.0), "txt2img"))


def test_a_cancelled_task_leaves_nothing_for_the_next(opened: Open) -> None:
    """Its pipeline ends in the middle and does not clean up."""
    workshop = opened(1.0)
    expected = content(made(workshop, "txt2img"))
    with pytest.raises(Cancelled):
        made(workshop, "txt2img", seed=99, cancel_when=lambda done: done > 0.4)
    assert content(made(workshop, "txt2img")) == expected
    texts = denoiser(workshop).cached_calls.texts
    made(workshop, "txt2img", prompt="a dog")
    assert len(texts) == 1


def test_two_texts_do_not_mix(opened: Open) -> None:
    """A negative prompt is a second call in each step, which has a memory of its own."""
    away = {"negative_prompt": "dogs"}
    one, other = (content(made(space, "img2img", **away)) for space in (opened(1e-9), opened(0.0)))
    assert one == other
    cached = opened(1.0)
    made(cached, "img2img", **away)
    count = Count(cached)
    made(cached, "img2img", **away)
    assert count.calls == 2


def test_along_a_control_map_every_step_is_made_in_full(opened: Open) -> None:
    """What a ControlNet adds would be added twice: the cache stands back, and the picture is exact."""
    expected = content(made(opened(0.0), "controlnet-lora"))
    assert content(made(opened(1.0), "controlnet-lora")) == expected


def test_a_network_whose_blocks_are_not_known_is_refused_with_a_sentence(opened: Open) -> None:
    """The operator's card is what must change."""
    workshop = opened(0.5, "ace-step-15-turbo")
    with pytest.raises(EngineFailure, match=r"ace-step-15-turbo says block_cache, which AceStep.* cannot do"):
        workshop.order("ace-step", "txt2audio", style_prompt="a", duration=1, options={"steps": 2, "rate": 8000})
