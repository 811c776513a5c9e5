"""Cards that want networks smaller or faster: what is made of them, what it takes, and which wishes are refused."""

import shutil
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from tiny_flux import shelve_flux, shelve_style, transformer
from tiny_hunyuan import transformer as framepack

from support.previews import CATALOGUE, Made, Workshop
from unitask.engines.diffusers.flux import text_to_image
from unitask.kit.errors import EngineFailure
from unitask.runtime.forms import Form, NarrowLinear, shrink
from unitask.runtime.hardware import Hardware
from unitask.runtime.model import Model
from unitask.runtime.runtime import Runtime, runtime_of
from unitask.weights import Shelf

DENOISER: Final = "FluxTransformer2DModel"
READERS: Final = {"T5EncoderModel", "CLIPTextModel"}
QUICK: Final = {"steps": 4, "tokens": 32}
Open = Callable[..., Workshop]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shelf with two models and a style."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    shelve_flux(folder)
    shelve_style(folder, "anime")
    return folder


@pytest.fixture
def opened(tmp_path: Path, models: Path) -> Open:
    """Open workshops on shelves of their own, on which a card says more than before."""

    def opened(lines: str = "", card: str = "flux1-dev") -> Workshop:
        folder = tmp_path / f"models-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(models, folder)
        with (folder / f"cards/{card}.toml").open("a") as file:
            file.write(lines)
        orders = folder / "orders"
        orders.mkdir()
        return Workshop(orders, "diffusers", folder)

    return opened


def picture(workshop: Workshop, task_type: str = "txt2img", **fields: Any) -> Made:
    """Order a picture from words."""
    fields = {"prompt": "a cat", "width": 48, "height": 32, "options": QUICK, **fields}
    return workshop.order("flux1-dev-advanced", task_type, **fields)


def values(made: Made) -> Any:
    """Decode it."""
    return np.asarray(made.picture(), float)


def loaded(workshop: Workshop) -> dict[str, Any]:
    """Give what lies in memory, by class: the network and what it takes."""
    kept = runtime_of(workshop._models).residency._kept
    return {key[0]: one for key, one in kept.items()}


def planned(workshop: Workshop) -> dict[str, int]:
    """Say what each part of the model is expected to take, by class."""
    parts = Model.on(Shelf(workshop._models), "flux1-dev").parts.values()
    return {part.class_name: part.size_bytes for part in parts}


@pytest.mark.parametrize(
    ("storage", "most"),
    [("int8", 1), ("fp8", 3)],
)
def test_networks_in_eight_bits_are_smaller_as_planned_and_make_nearly_the_same(
    opened: Open, storage: str, most: float
) -> None:
    """Those that read texts and those that make pictures; what decodes is as it was, bit for bit."""
    full, small = opened(), opened(f'storage = "{storage}"')
    apart = np.abs(values(picture(full)) - values(picture(small))).mean()
    assert 0 < apart < most
    before, after = loaded(full), loaded(small)
    assert {name for name in before if after[name].size_bytes < before[name].size_bytes} == {DENOISER, *READERS}
    assert after[DENOISER].size_bytes < 0.45 * before[DENOISER].size_bytes
    for name, size_bytes in planned(small).items():
        assert size_bytes == pytest.approx(after[name].size_bytes, rel=0.01), name


@pytest.mark.parametrize(("kind", "error"), [(torch.int8, 0.01), (torch.float8_e4m3fn, 0.03)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_eight_bits_of_a_linear_layer_miss_by_little(kind: torch.dtype, error: float, dtype: torch.dtype) -> None:
    """Against the same layer in double precision."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(256, 64).to(dtype)
    given = torch.randn(5, 3, 256, dtype=dtype)
    exact = given.double() @ layer.weight.double().T + layer.bias.double()
    small = NarrowLinear(layer, kind)
    assert (small(given) - exact).norm() / exact.norm() < error
    assert sum(one.nbytes for one in (small.weight, small.scale)) == 64 * (256 + dtype.itemsize)


def test_eight_bits_leave_rows_of_noughts_and_the_ends_of_a_network_alone() -> None:
    """The first and last layers matter most and take least."""
    nought = torch.nn.Linear(8, 2)
    torch.nn.init.zeros_(nought.weight)
    assert torch.equal(NarrowLinear(nought, torch.int8)(torch.ones(1, 8)), nought.bias[None])
    network = transformer()
    shrink(network, torch.int8)
    assert type(network.x_embedder) is type(network.proj_out) is torch.nn.Linear
    assert type(network.transformer_blocks[0].attn.to_q) is NarrowLinear
    assert network.dtype == torch.float32


@pytest.mark.parametrize("storage", ["int8", "fp8"])
def test_a_style_lies_over_eight_bits_and_leaves_no_trace(opened: Open, storage: str) -> None:
    """It does nearly what it does to the network as it was."""
    full, small = opened(), opened(f'storage = "{storage}"')
    style = {"task_type": "txt2img-lora", "lora_settings": [{"lora_type": "anime"}]}
    plain = picture(small).content("image_url")
    styled, there = values(picture(small, **style)), values(picture(full, **style))
    without = values(picture(small))
    assert np.abs(styled - there).mean() < np.abs(styled - without).mean() / 2
    assert picture(small).content("image_url") == plain


def test_a_network_in_eight_bits_is_streamed_and_makes_the_same(opened: Open) -> None:
    """Where it is too large for the device even so."""
    workshop = opened('storage = "int8"')
    expected = picture(workshop).content("image_url")
    small = Hardware("cpu", int(0.9 * loaded(workshop)[DENOISER].size_bytes), 2**30)
    other = Runtime(Shelf(workshop._models), small)
    product = CATALOGUE.find("Qubico/flux1-dev-advanced", "txt2img")
    job = workshop.job(product, **QUICK)
    inputs = product.input(prompt="a cat", width=48, height=32)
    made = Made(other.attempt(lambda runtime: text_to_image(inputs, job, runtime), job), job)
    assert made.content("image_url") == expected
    assert [key for key in other.residency.held("host") if key[0] == DENOISER and key[-1] == "streamed"]


def test_forms_of_the_same_weights_are_not_shared_and_the_rest_is(opened: Open) -> None:
    """A card that wants speed changes nothing for one that does not."""
    workshop = opened("block_cache = 0.5")
    shelf = Shelf(workshop._models)
    fast, plain = Model.on(shelf, "flux1-dev").parts, Model.on(shelf, "flux1-schnell").parts
    assert fast["vae"].key == plain["vae"].key
    assert fast["text_encoder_2"].key == plain["text_encoder_2"].key
    keys = set()
    for lines in ("", 'storage = "int8"', 'storage = "fp8"', "compiled = true", "block_cache = 0.5"):
        keys.add(Model.on(Shelf(opened(lines)._models), "flux1-dev").parts["transformer"].key)
    assert len(keys) == 5


def test_a_wish_that_no_network_of_a_card_can_grant_is_refused(models: Path, tmp_path: Path) -> None:
    """Nothing that a card says is dropped in silence."""
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    card = (folder / "cards/flux1-dev.toml").read_text()
    for lines in ('storage = "int8"', 'storage = "fp8"', "compiled = true", "block_cache = 0.1"):
        text = card.replace('base = ""', 'base = "flux1-schnell"').replace('part = ""', 'part = "vae"')
        (folder / "cards/flux1-dev.toml").write_text(text + lines)
        with pytest.raises(EngineFailure, match=f"says {lines.split(maxsplit=1)[0]} = .* none of its networks"):
            Model.on(Shelf(folder), "flux1-dev")


@pytest.mark.filterwarnings("ignore:.*torch.jit.* is deprecated:DeprecationWarning")  # the compiler uses it itself
def test_a_card_that_wants_it_compiles_the_blocks_and_nothing_else() -> None:
    """That it computes the same, `make bench-forms` measures: the compiler takes most of a minute."""
    network = transformer()
    Form(compiled=True).give(network, Shelf(Path("nowhere")).cards["flux1-dev"])
    compiled = {name for name, module in network.named_modules() if module._compiled_call_impl}
    assert compiled == {f"{kind}transformer_blocks.{number}" for kind in ("", "single_") for number in (0, 1)}


def test_a_network_that_cannot_be_compiled_is_refused_with_a_sentence() -> None:
    """The operator's card is what must change."""
    card = Shelf(Path("nowhere")).cards["framepack-i2v"]
    with pytest.raises(EngineFailure, match=r"framepack-i2v says compiled, which Hunyuan.* cannot do"):
        Form(compiled=True).give(framepack(HunyuanVideoFramepackTransformer3DModel), card)


def test_networks_that_leave_memory_are_gone_in_every_form(models: Path) -> None:
    """Hooks refer to what they hang on, which must not keep it."""
    parts = Model.on(Shelf(models), "flux1-dev").parts
    card = parts["transformer"].card.model_copy(update={"block_cache": 0.5, "storage": "int8"})
    part = replace(parts["transformer"], card=card)
    runtime = Runtime(Shelf(models), Hardware("cpu", int(1.1 * part.size_bytes), 0))
    gone = weakref.ref(runtime.networks({"one": part})["one"])
    runtime.networks({"other": parts["transformer"]})
    assert gone() is None
