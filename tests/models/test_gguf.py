"""A denoiser in one GGUF file, over the rest of a model that lies in a folder."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from tiny_flux import shelve_flux, shelve_style, transformer

from support.previews import Made, Workshop
from support.tiny import shelve
from unitask.kit.errors import EngineFailure
from unitask.runtime.model import Model
from unitask.runtime.runtime import runtime_of
from unitask.weights import Shelf
from unitask.weights.card import BadCard, read_cards

gguf = pytest.importorskip("gguf")

QUICK: Final = {"steps": 4, "tokens": 32}
DENOISER: Final = "FluxTransformer2DModel"
CODED: Final = gguf.GGMLQuantizationType.Q8_0
Open = Callable[[], Workshop]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shelf on which a model's transformer is a GGUF file and the rest comes from another card."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    shelve_flux(folder)
    shelve_style(folder, "anime")
    whole = folder / "flux1-dev"
    rest = folder / "flux1-dev-parts"
    whole.rename(rest)
    (rest / "transformer/diffusion_pytorch_model.safetensors").unlink()
    shelve(folder, "flux1-dev-parts")
    shelve(folder, "flux1-dev", File(), base="flux1-dev-parts", part="transformer", lines='storage = "gguf"\n')
    return folder


class File:
    """Saves the transformer of `dev`, with matrices of eight bits, under the names of the library."""

    def save_pretrained(self, folder: Path) -> None:
        """Write the file."""
        folder.mkdir(parents=True)
        writer = gguf.GGUFWriter(folder / "tiny-Q8_0.gguf", "flux")
        for name, value in transformer(seed=1).state_dict().items():
            numbers = value.numpy()
            if numbers.ndim == 2 and numbers.shape[1] % 32 == 0:
                writer.add_tensor(name, gguf.quants.quantize(numbers, CODED), raw_dtype=CODED)
            else:
                writer.add_tensor(name, numbers)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


@pytest.fixture
def opened(tmp_path: Path, models: Path) -> Open:
    """Open workshops on copies of the shelf."""

    def opened() -> Workshop:
        folder = tmp_path / f"models-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(models, folder)
        (folder / "orders").mkdir()
        return Workshop(folder / "orders", "diffusers", folder)

    return opened


def picture(workshop: Workshop, task_type: str = "txt2img", **fields: Any) -> Made:
    """Order a picture from words."""
    fields = {"prompt": "a cat", "width": 48, "height": 32, "options": QUICK, **fields}
    return workshop.order("flux1-dev-advanced", task_type, **fields)


def values(made: Made) -> Any:
    """Decode it."""
    return np.asarray(made.picture(), float)


def test_a_gguf_file_makes_nearly_the_same_and_stays_small_in_memory(
    opened: Open, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As large as its file, within what is beside its numbers."""
    folder = tmp_path_factory.mktemp("whole")
    shelve_flux(folder)
    (folder / "orders").mkdir()
    whole, small = Workshop(folder / "orders", "diffusers", folder), opened()
    assert 0 < np.abs(values(picture(whole)) - values(picture(small))).mean() < 1
    sizes = [
        {key[0]: kept.size_bytes for key, kept in runtime_of(one._models).residency._kept.items()}
        for one in (whole, small)
    ]
    assert sizes[1][DENOISER] < 0.4 * sizes[0][DENOISER]
    assert {name for name in sizes[0] if sizes[0][name] != sizes[1][name]} == {DENOISER}
    planned = Model.on(Shelf(small._models), "flux1-dev").parts["transformer"].size_bytes
    assert planned == pytest.approx(sizes[1][DENOISER], rel=0.15)


def test_a_style_lies_over_it_and_leaves_no_trace(opened: Open) -> None:
    """LoRAs know nothing of how the weights are kept."""
    workshop = opened()
    plain = picture(workshop)
    styled = picture(workshop, "txt2img-lora", lora_settings=[{"lora_type": "anime"}])
    assert np.abs(values(styled) - values(plain)).mean() > 1
    assert picture(workshop).content("image_url") == plain.content("image_url")


@pytest.mark.parametrize("kept", [0, 3, 20, 60, 300, 3000, 30_000, 150_000])
def test_a_file_that_was_cut_off_is_said_to_be_damaged(opened: Open, kept: int) -> None:
    """Wherever the cut is."""
    workshop = opened()
    path = workshop._models / "flux1-dev/transformer/tiny-Q8_0.gguf"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(EngineFailure, match="look for the damage with: unitask models check flux1-dev"):
        picture(workshop)


def test_a_file_whose_head_is_nonsense_is_said_to_be_damaged(opened: Open) -> None:
    """A length that leads out of the file."""
    workshop = opened()
    path = workshop._models / "flux1-dev/transformer/tiny-Q8_0.gguf"
    content = bytearray(path.read_bytes())
    content[8:16] = (10**6).to_bytes(8, "little")  # how many matrices there are
    path.write_bytes(content)
    with pytest.raises(EngineFailure, match="look for the damage with: unitask models check flux1-dev"):
        picture(workshop)


def test_two_files_and_a_part_that_the_base_lacks_are_refused(opened: Open) -> None:
    """Which one is meant cannot be known."""
    models = opened()._models
    manifest = models / "flux1-dev/unitask.json"
    text = manifest.read_text()
    manifest.write_text(
        text.replace('"files": {', '"files": {"transformer/b.gguf": {"size_bytes": 1, "sha256": "0"}, ')
    )
    with pytest.raises(EngineFailure, match="here are 2 files"):
        Model.on(Shelf(models), "flux1-dev")
    manifest.write_text(text)
    card = models / "cards/flux1-dev.toml"
    card.write_text(card.read_text().replace('part = "transformer"', 'part = "brain"'))
    with pytest.raises(EngineFailure, match="flux1-dev-parts lacks the folder"):
        Model.on(Shelf(models), "flux1-dev")


def test_a_gguf_card_without_a_base_cannot_be_read(opened: Open) -> None:
    """A file of numbers does not say how a network is built."""
    cards = opened()._models / "cards"
    path = cards / "flux1-dev.toml"
    path.write_text(path.read_text().replace('base = "flux1-dev-parts"', 'base = ""'))
    with pytest.raises(BadCard, match="wants a base, which says how the network is built"):
        read_cards(cards)
