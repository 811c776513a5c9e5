"""Orders of pictures that are made at once come out as each does alone."""

from pathlib import Path
from typing import Any, Final

import pytest
import torch
from tiny_flux import shelve_flux

from support.job import LocalJob
from support.previews import CATALOGUE, Workshop
from unitask.engines.diffusers import ENGINE
from unitask.kit.errors import Cancelled, EngineFailure
from unitask.spec.engine import Output, Work

QUICK: Final = {"steps": 4, "tokens": 32}
PRODUCT: Final = CATALOGUE.find("Qubico/flux1-dev-advanced", "txt2img")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shelf."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    shelve_flux(folder)
    return folder


@pytest.fixture
def workshop(tmp_path: Path, models: Path) -> Workshop:
    """Give who takes orders."""
    return Workshop(tmp_path, "diffusers", models)


def work(workshop: Workshop, seed: int, **fields: Any) -> Work:
    """Prepare an order."""
    inputs = PRODUCT.input(**{"prompt": f"picture {seed}", "width": 40, "height": 32, **fields})
    return Work(PRODUCT, inputs, workshop.job(PRODUCT, seed=seed, **QUICK))


def content(one: Work, output: Any) -> bytes:
    """Read the file that was made."""
    assert isinstance(output, Output)
    job = one.job
    assert isinstance(job, LocalJob)
    return job.saved[output.fields["image_url"]].read_bytes()


def test_what_is_made_at_once_is_what_is_made_alone_to_the_byte(workshop: Workshop) -> None:
    """Whatever the prompts and the seeds of the others are."""
    works = [work(workshop, seed) for seed in (3, 11, 5)]
    together = [content(one, output) for one, output in zip(works, ENGINE.run_batch(works), strict=True)]
    singly = [work(workshop, seed) for seed in (3, 11, 5)]
    alone = [content(one, ENGINE.run(PRODUCT, one.inputs, one.job)) for one in singly]
    assert together == alone
    assert len(set(together)) == 3


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        ({"prompt": "another"}, True),
        ({"width": 48}, False),
        ({"steps": 5}, False),
        ({"guidance_scale": 2.0}, False),
        ({"negative_prompt": "dogs"}, False),
    ],
)
def test_only_what_is_made_alike_goes_together(workshop: Workshop, fields: dict[str, Any], *, same: bool) -> None:
    """Words and seeds may differ, the way of making may not."""
    one, other = work(workshop, 1), work(workshop, 1, **fields)
    keys = [ENGINE.batch_key(PRODUCT, each.inputs, each.job.recipe) for each in (one, other)]
    assert (keys[0] == keys[1]) is same


def test_other_weights_are_another_batch_and_what_is_more_than_a_picture_from_words_goes_alone(
    workshop: Workshop,
) -> None:
    """`schnell` and `dev` have nothing in common but words."""
    schnell = CATALOGUE.find("Qubico/flux1-schnell", "txt2img")
    recipe = workshop.job(schnell, **QUICK).recipe
    one = schnell.input(prompt="a", width=40, height=32)
    assert ENGINE.batch_key(schnell, one, recipe) is not None
    dev = work(workshop, 1)
    assert ENGINE.batch_key(schnell, one, recipe) != ENGINE.batch_key(PRODUCT, dev.inputs, dev.job.recipe)
    four = schnell.input(prompt="a", width=40, height=32, batch_size=4)
    assert ENGINE.batch_key(schnell, four, recipe) is None
    styled = CATALOGUE.find("Qubico/flux1-dev-advanced", "txt2img-lora")
    order = styled.input(prompt="a", lora_settings=[{"lora_type": "anime"}])
    assert ENGINE.batch_key(styled, order, workshop.job(styled).recipe) is None
    fill = CATALOGUE.find("Qubico/flux1-dev-advanced", "kontext")
    edit = fill.input(prompt="a", image="https://example.com/a.png")
    assert ENGINE.batch_key(fill, edit, workshop.job(fill).recipe) is None


def test_what_has_no_effect_is_said_to_whom_it_concerns(workshop: Workshop) -> None:
    """Wherever in a batch that is."""
    quick = CATALOGUE.find("Qubico/flux1-schnell", "txt2img")
    orders = [quick.input(prompt="a", width=40, height=32, **fields) for fields in ({}, {"guidance_scale": 2})]
    works = [Work(quick, inputs, workshop.job(quick, steps=2, tokens=32)) for inputs in orders]
    ENGINE.run_batch(works)
    first, second = (one.job.warnings for one in works)  # type: ignore[attr-defined]
    assert first == []
    assert "guidance_scale has no effect" in second[0]


def test_who_takes_an_order_back_does_not_take_those_beside_it(workshop: Workshop) -> None:
    """Their pictures are what they would have been."""
    works = [work(workshop, 3), work(workshop, 11)]
    first = works[0].job
    assert isinstance(first, LocalJob)
    first.cancel_when = lambda fraction: 0.3 < fraction < 0.9
    outputs = ENGINE.run_batch(works)
    other = work(workshop, 11)
    assert content(works[1], outputs[1]) == content(other, ENGINE.run(PRODUCT, other.inputs, other.job))


def test_when_all_take_their_orders_back_the_work_stops(workshop: Workshop) -> None:
    """At the next step."""
    works = [work(workshop, 3), work(workshop, 11)]
    for one in works:
        assert isinstance(one.job, LocalJob)
        one.job.cancel_when = lambda fraction: fraction > 0.3
    with pytest.raises(Cancelled):
        ENGINE.run_batch(works)
    fractions = works[1].job.fractions  # type: ignore[attr-defined]
    assert max(fractions) < 0.6


def test_a_file_that_cannot_be_stored_is_the_failure_of_its_own_order(workshop: Workshop) -> None:
    """The others have theirs."""
    works = [work(workshop, 3), work(workshop, 11)]

    def full(content: bytes | Path, extension: str) -> str:
        raise EngineFailure("the result could not be stored")

    works[0].job.save = full  # type: ignore[method-assign]
    failure, output = ENGINE.run_batch(works)
    assert isinstance(failure, EngineFailure)
    assert content(works[1], output)
