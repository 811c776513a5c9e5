"""Models in memory: shared, evicted, streamed, and what happens when memory ends."""

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import torch
from tiny_flux import flux, shelve_flux, transformer

from support.previews import CATALOGUE, Workshop
from support.tiny import shelve
from unitask.engines.diffusers import ENGINE
from unitask.engines.diffusers.flux import text_to_image
from unitask.kit.errors import DeviceFailure, EngineFailure
from unitask.runtime.hardware import Hardware
from unitask.runtime.runtime import Runtime, runtime_of
from unitask.spec.engine import Output, Work
from unitask.weights import Shelf

ROOM: Final = 2**30
ORDER: Final = {"prompt": "a cat", "width": 32, "height": 32}
QUICK: Final = {"steps": 2, "tokens": 32}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shelf with two models that have all but their transformers in common."""
    folder = tmp_path_factory.mktemp("models")
    shelve_flux(folder)
    return folder


class Studio:
    """Makes pictures with a runtime of its own."""

    def __init__(self, folder: Path, models: Path, hardware: Hardware) -> None:
        self.runtime = Runtime(Shelf(models), hardware)
        self._workshop = Workshop(folder, "diffusers", models)

    def picture(self, model: str = "flux1-dev") -> bytes:
        """Make the same small picture every time."""
        product = CATALOGUE.find(f"Qubico/{model}", "txt2img")
        job = self._workshop.job(product, **QUICK)
        inputs = product.input(**ORDER)
        output = self.runtime.attempt(lambda runtime: text_to_image(inputs, job, runtime), job)
        return job.saved[output.fields["image_url"]].read_bytes()

    def kinds(self) -> list[str]:
        """List what lies on the device, by class."""
        return [key[0] for key in self.runtime.residency.held("device")]


@pytest.fixture
def studio(tmp_path: Path, models: Path) -> Callable[..., Studio]:
    """Open studios on made-up devices, which are this machine's processors."""
    torch.set_num_threads(1)

    def opened(device_bytes: int = ROOM, host_bytes: int = 0) -> Studio:
        folder = tmp_path / f"studio-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return Studio(folder, models, Hardware("cpu", device_bytes, host_bytes))

    return opened


def test_a_variant_beside_the_plain_weights_counts_for_nothing(tmp_path: Path) -> None:
    """The libraries read `x.safetensors` and leave `x.fp16.safetensors`: it takes no memory."""
    shelve_flux(tmp_path)
    plain = Runtime(Shelf(tmp_path), Hardware("cpu", ROOM, 0)).model("flux1-dev").parts
    for path in (tmp_path / "flux1-dev").rglob("*.safetensors"):
        shutil.copy(path, path.with_suffix(".fp16.safetensors"))
    manifest = tmp_path / "flux1-dev/unitask.json"
    files = json.loads(manifest.read_text())
    files["files"] |= {name.replace(".safetensors", ".fp16.safetensors"): file for name, file in files["files"].items()}
    manifest.write_text(json.dumps(files))
    beside = Runtime(Shelf(tmp_path), Hardware("cpu", ROOM, 0)).model("flux1-dev").parts
    assert [part.size_bytes for part in beside.values()] == [part.size_bytes for part in plain.values()]


def test_two_models_share_what_is_the_same(studio: Callable[..., Studio]) -> None:
    """One T5, one CLIP and one VAE serve both; each has its own transformer."""
    one = studio()
    one.picture("flux1-dev")
    one.picture("flux1-schnell")
    kinds = one.kinds()
    assert sorted(kinds) == sorted(
        ["CLIPTextModel", "T5EncoderModel", "AutoencoderKL", "FluxTransformer2DModel", "FluxTransformer2DModel"]
    )


def test_texts_that_come_again_need_no_text_encoder(studio: Callable[..., Studio]) -> None:
    """Its place is free for the picture's networks."""
    one = studio()
    first = one.picture()
    one.runtime.residency.drop()
    assert one.picture() == first
    assert "T5EncoderModel" not in one.kinds()


def test_a_small_device_holds_one_thing_after_the_other_and_makes_the_same(studio: Callable[..., Studio]) -> None:
    """The text encoders leave before the transformer comes."""
    roomy = studio()
    expected = roomy.picture(), roomy.picture("flux1-schnell")
    kept = roomy.runtime.residency._kept
    sizes = {kind: max(one.size_bytes for key, one in kept.items() if key[0] == kind) for kind in roomy.kinds()}
    words, picture = ("CLIPTextModel", "T5EncoderModel"), ("FluxTransformer2DModel", "AutoencoderKL")
    # A file is a little larger than what is in it.
    tight = studio(device_bytes=int(1.1 * max(sum(sizes[kind] for kind in kinds) for kinds in (words, picture))))
    assert (tight.picture(), tight.picture("flux1-schnell")) == expected
    assert tight.kinds().count("FluxTransformer2DModel") == 1


def test_a_model_larger_than_the_device_is_streamed_and_makes_the_same(studio: Callable[..., Studio]) -> None:
    """Layer by layer from the host."""
    roomy = studio()
    expected = roomy.picture()
    largest = max(kept.size_bytes for kept in roomy.runtime.residency._kept.values())
    small = studio(device_bytes=int(largest * 0.9), host_bytes=ROOM)
    assert small.picture() == expected
    assert any(key[-1] == "streamed" for key in small.runtime.residency.held("host"))


def test_a_model_that_fits_nowhere_fails_with_both_figures(studio: Callable[..., Studio]) -> None:
    """The process goes on."""
    with pytest.raises(EngineFailure, match=r"needs .* GiB of memory, .* GiB are there"):
        studio(device_bytes=1000).picture()


def without_memory(times: int) -> Callable[[Any, Any], None]:
    """Let a network run out of memory so many times."""
    left = [times]

    def hook(_network: Any, _inputs: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise torch.OutOfMemoryError("CUDA out of memory")

    return hook


def test_out_of_memory_is_tried_again_with_layers_streamed(
    studio: Callable[..., Studio], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, after everything else has gone; the picture is the same."""
    one = studio(host_bytes=ROOM)
    expected = one.picture()
    for key, kept in one.runtime.residency._kept.items():
        if key[0] == "FluxTransformer2DModel":
            kept.thing.register_forward_pre_hook(without_memory(1))
    assert one.picture() == expected
    assert any(key[-1] == "streamed" for key in one.runtime.residency.held("host"))
    assert one.picture() == expected


def test_out_of_memory_twice_is_a_clear_failure_and_the_process_serves_on(studio: Callable[..., Studio]) -> None:
    """The sentence says what to do."""
    one = studio()
    expected = one.picture()
    calls: list[int] = []

    def hungry(_runtime: Runtime) -> None:
        calls.append(1)
        raise torch.OutOfMemoryError("CUDA out of memory")

    product = CATALOGUE.find("Qubico/flux1-dev", "txt2img")
    job = one._workshop.job(product)
    with pytest.raises(EngineFailure, match="ask for a smaller or shorter result"):
        one.runtime.attempt(hungry, job)
    assert len(calls) == 2
    assert one.picture() == expected


def test_other_errors_are_not_tried_again(studio: Callable[..., Studio]) -> None:
    """Only memory is worth a second attempt."""
    one = studio()
    calls: list[int] = []

    def wrong(_runtime: Runtime) -> None:
        calls.append(1)
        raise RuntimeError("sizes do not match")

    with pytest.raises(RuntimeError, match="sizes do not match"):
        one.runtime.attempt(wrong, one._workshop.job(CATALOGUE.find("Qubico/flux1-dev", "txt2img")))
    assert len(calls) == 1


def test_threads_take_turns(studio: Callable[..., Studio]) -> None:
    """A pipeline used by two at once makes wrong pictures."""
    one = studio()
    expected = one.picture()
    made: list[bytes] = []
    threads = [threading.Thread(target=lambda: made.append(one.picture())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [expected] * 4


def test_weights_may_be_kept_in_eight_bits(models: Path, studio: Callable[..., Studio]) -> None:
    """As a card says: half the room, nearly the same picture."""
    full = studio()
    full.picture()
    card = models / "cards/flux1-dev.toml"
    text = card.read_text()
    try:
        card.write_text(text.replace("files =", 'storage = "fp8"\nfiles ='))
        small = studio()
        small.picture()
    finally:
        card.write_text(text)
    sizes = [
        next(kept.size_bytes for key, kept in one.runtime.residency._kept.items() if key[0] == "FluxTransformer2DModel")
        for one in (full, small)
    ]
    assert sizes[1] < sizes[0] / 2


def test_a_device_that_fails_ends_its_process_and_the_task_is_tried_again(studio: Callable[..., Studio]) -> None:
    """After an illegal access every call of the process fails: no further task must meet it."""

    def illegal(_runtime: Runtime) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    one = studio()
    with pytest.raises(DeviceFailure) as failed:
        one.runtime.attempt(illegal, one._workshop.job(CATALOGUE.find("Qubico/flux1-dev", "txt2img")))
    assert failed.value.retryable


def test_other_weights_under_the_same_card_are_taken_up_without_a_restart(
    tmp_path: Path, studio: Callable[..., Studio]
) -> None:
    """A pull of a newer revision counts from the next task on."""
    models = tmp_path / "own"
    shelve_flux(models)
    one = Studio(tmp_path, models, Hardware("cpu", ROOM, 0))
    before = one.picture()
    shelve(models, "flux1-dev", flux(transformer(seed=9)))
    assert one.picture() != before


def test_what_does_not_fit_in_company_is_made_alone(models: Path, tmp_path: Path) -> None:
    """A batch that is too much is no reason to fail."""
    workshop = Workshop(tmp_path, "diffusers", models)
    product = CATALOGUE.find("Qubico/flux1-dev", "txt2img")
    works = [Work(product, product.input(**ORDER), workshop.job(product, seed=seed, **QUICK)) for seed in (1, 2)]
    runtime = runtime_of(models)
    hungry = next(iter(runtime.networks({"t": runtime.model("flux1-dev").parts["transformer"]}).values()))

    def only_one(_network: Any, _arguments: Any, named: dict[str, Any]) -> None:
        if len(named["hidden_states"]) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    handle = hungry.register_forward_pre_hook(only_one, with_kwargs=True)
    keep = runtime._forget
    runtime._forget = lambda: None  # type: ignore[method-assign]
    try:
        outputs = ENGINE.run_batch(works)
    finally:
        handle.remove()
        runtime._forget = keep  # type: ignore[method-assign]
    assert all(isinstance(output, Output) for output in outputs)
