"""What every family of the engine `diffusers` does with missing or damaged weights, in half precision, on a cancel."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_wan
import torch
from tiny_flux import shelve_flux
from tiny_hunyuan import shelve_fast, shelve_framepack, shelve_from_pictures, shelve_hunyuan, shelve_skyreels

from support.previews import CATALOGUE, Made, Workshop
from unitask.kit.errors import Cancelled, EngineFailure
from unitask.runtime.hardware import Hardware
from unitask.runtime.runtime import Runtime
from unitask.weights import Shelf

FILM = {"sizes": {"16:9": [44, 36]}, "frames": 6, "tokens": 640}
NETWORK = "transformer/diffusion_pytorch_model.safetensors"


@dataclass(frozen=True)
class Family:
    """A product, small: what fills its shelf, how it is ordered, and the field of its picture if it takes one."""

    shelve: tuple[Callable[[Path], None], ...]
    model: str
    task_type: str
    options: dict[str, Any]
    fields: dict[str, Any] = field(default_factory=dict)
    picture: str = ""
    output: str = "video_url"

    def shelf(self, folder: Path) -> Path:
        """Fill a shelf."""
        for fill in self.shelve:
            fill(folder)
        return folder

    def order(self, workshop: Workshop, *, steps: int = 2, **more: Any) -> Made:
        """Order what is small and quick."""
        fields = {"prompt": "a cat", **self.fields, **more}
        if self.picture:
            fields[self.picture] = workshop.squares()
        return workshop.order(self.model, self.task_type, **fields, options={**self.options, "steps": steps})


hunyuan = partial(Family, model="hunyuan", options=FILM)
FAMILIES = {
    "flux": Family(
        (shelve_flux,),
        "flux1-dev-advanced",
        "txt2img",
        {"tokens": 32, "least_pixels": 0},
        {"width": 48, "height": 32},
        output="image_url",
    ),
    "wan": Family((tiny_wan.shelve_from_words,), "wanx", "txt2video-1.3b", tiny_wan.SMALL),
    "hunyuan": hunyuan((shelve_hunyuan,), task_type="txt2video"),
    "hunyuan-fast": hunyuan((shelve_hunyuan, shelve_fast), task_type="fast-txt2video"),
    "hunyuan-concat": hunyuan((shelve_from_pictures,), task_type="img2video-concat", picture="image"),
    "hunyuan-replace": hunyuan((shelve_from_pictures,), task_type="img2video-replace", picture="image"),
    "skyreels": Family((shelve_hunyuan, shelve_skyreels), "skyreels", "img2video", FILM, picture="image"),
    "framepack": Family(
        (shelve_hunyuan, shelve_framepack),
        "framepack",
        "img2video",
        {"limit_side_px": 64, "fps": 8, "window": 2, "tokens": 640},
        {"duration": 1},
        "start_image",
    ),
}


@pytest.fixture(scope="module")
def shelves(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give a family's shelf, which is filled once."""
    torch.set_num_threads(1)
    filled: dict[str, Path] = {}
    return lambda name: filled.setdefault(name, FAMILIES[name].shelf(tmp_path_factory.mktemp(name)))


@pytest.mark.parametrize(
    ("name", "card"),
    [
        ("flux", "flux1-dev"),
        ("wan", "wan21-t2v-1.3b"),
        ("hunyuan", "hunyuan-video"),
        ("hunyuan-fast", "fast-hunyuan"),
        ("hunyuan-concat", "hunyuan-video-i2v-concat"),
        ("hunyuan-replace", "hunyuan-video-i2v-replace"),
        ("skyreels", "skyreels-v1-i2v"),
        ("skyreels", "hunyuan-video"),
        ("framepack", "framepack-i2v"),
        ("framepack", "framepack-image-encoder"),
        ("framepack", "hunyuan-video"),
    ],
)
def test_weights_that_are_not_there_are_named_with_their_command(tmp_path: Path, name: str, card: str) -> None:
    """Those that the model leans on, too."""
    models = FAMILIES[name].shelf(tmp_path / "models")
    (models / card / "unitask.json").unlink()
    with pytest.raises(EngineFailure, match=re.escape(f"unitask models pull {card}")):
        FAMILIES[name].order(Workshop(tmp_path, "diffusers", models))


@pytest.mark.parametrize(
    ("name", "card", "file"),
    [
        ("flux", "flux1-dev", NETWORK),
        ("wan", "wan21-t2v-1.3b", NETWORK),
        ("hunyuan", "hunyuan-video", NETWORK),
        ("skyreels", "skyreels-v1-i2v", NETWORK),
        ("skyreels", "skyreels-v1-i2v", "transformer/config.json"),
        ("framepack", "framepack-i2v", NETWORK),
        ("framepack", "framepack-image-encoder", "image_encoder/model.safetensors"),
        ("framepack", "framepack-image-encoder", "feature_extractor/preprocessor_config.json"),
    ],
)
def test_damaged_weights_fail_with_the_command_that_looks_for_the_damage(
    tmp_path: Path, name: str, card: str, file: str
) -> None:
    """A file that was cut off does not take the process with it."""
    models = FAMILIES[name].shelf(tmp_path / "models")
    path = models / card / file
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(EngineFailure, match=re.escape(f"unitask models check {card}")):
        FAMILIES[name].order(Workshop(tmp_path, "diffusers", models))


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "framepack"])
def test_a_cancelled_task_stops_at_its_step_and_the_next_one_is_the_same_as_ever(
    tmp_path: Path, shelves: Callable[[str], Path], name: str
) -> None:
    """No more steps are made; nothing of it is left in the model."""
    family, workshop = FAMILIES[name], Workshop(tmp_path, "diffusers", shelves(name))
    before = family.order(workshop).content(family.output)
    seen: list[float] = []

    def half_way(fraction: float) -> bool:
        seen.append(fraction)
        return fraction > 0.4

    with pytest.raises(Cancelled):
        family.order(workshop, steps=8, cancel_when=half_way)
    assert len([one for one in seen if 0.1 < one <= 0.9]) == 4
    assert family.order(workshop).content(family.output) == before


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in {"flux", "wan"}])
def test_videos_come_out_as_well_in_the_half_precision_of_the_real_cards(
    tmp_path: Path, shelves: Callable[[str], Path], name: str
) -> None:
    """What reads, and the VAE, go on in float16, as Hunyuan's makers say; the video is nearly the same."""
    family, halved = FAMILIES[name], tmp_path / "halved"
    shutil.copytree(shelves(name), halved)
    for card in (halved / "cards").iterdir():
        card.write_text(card.read_text().replace('"float32"', '"bfloat16"'))
    exact, near = (
        np.float32(family.order(Workshop(folder, "diffusers", models)).frames())
        for folder, models in ((tmp_path, shelves(name)), (halved, halved))
    )
    assert not np.array_equal(exact, near)
    assert np.abs(exact - near).mean() < 4
    card_id = CATALOGUE.find(f"Qubico/{family.model}", family.task_type).recipes[0].weights[0]
    parts = Runtime(Shelf(halved), Hardware("cpu", 2**40, 0)).model(card_id).parts
    kinds = {part: parts[part].load().dtype for part in ("vae", "text_encoder", "transformer")}
    assert kinds == {"vae": torch.float16, "text_encoder": torch.float16, "transformer": torch.bfloat16}
