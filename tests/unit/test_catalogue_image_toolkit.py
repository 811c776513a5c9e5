"""The rules of the image tools about faces and selections: lists of numbers, and a price by the megapixel."""

from typing import Any

import pytest

from unitask.catalogue import Catalogue, validate
from unitask.kit.errors import InvalidInput

MODEL = "Qubico/image-toolkit"
CATALOGUE = Catalogue.load()
PEOPLE = {"target_image": "https://example.com/two.png", "swap_image": "https://example.com/others.png"}


def faces(swap: str | None, target: str | None) -> dict[str, Any]:
    """Write a swap with these lists of faces."""
    return {**PEOPLE, "swap_faces_index": swap, "target_faces_index": target}


def swapped(raw: dict[str, Any]) -> Any:
    """Validate a swap of several faces that is accepted."""
    return validate(CATALOGUE.find(MODEL, "multi-face-swap"), raw)[0]


@pytest.mark.parametrize(
    ("swap", "target", "pairs"),
    [
        (None, None, [(0, 0)]),
        ("", " ", [(0, 0)]),
        ("1", None, [(1, 0)]),
        ("0,1", "1,0", [(0, 1), (1, 0)]),
        ("0 1", "1, 0", [(0, 1), (1, 0)]),
        (" 2,\t0 ,1", "0 1\n2", [(2, 0), (0, 1), (1, 2)]),
        ("0,0", "0,1", [(0, 0), (0, 1)]),
        ("63", "007", [(63, 7)]),
    ],
)
def test_faces_are_listed_with_commas_or_blanks(
    swap: str | None, target: str | None, pairs: list[tuple[int, int]]
) -> None:
    """The n-th face of one list goes onto the n-th of the other; nothing stands for the first face."""
    assert swapped(faces(swap, target)).face_pairs == pairs


def test_lists_of_faces_stay_text() -> None:
    """The echo has texts, written one way however they were sent."""
    inputs = swapped(faces("1 , 0", "0 1"))
    assert (inputs.swap_faces_index, inputs.target_faces_index) == ("1,0", "0,1")


@pytest.mark.parametrize("text", ["-1", "0;1", "first", "0.5", "64", "0,1,x", "²", "٣", "9" * 200])
@pytest.mark.parametrize("field", ["swap_faces_index", "target_faces_index"])
def test_what_is_no_list_of_small_numbers_is_refused(field: str, text: str) -> None:
    """The sentence names the field and shows how to write it."""
    with pytest.raises(InvalidInput, match=rf"input\.{field}: must be numbers of faces from 0 to 63 .* such as 0,1"):
        swapped({**PEOPLE, field: text})


@pytest.mark.parametrize(("swap", "target"), [("0,1", "0"), ("0", "0,1"), ("0,1", None), (None, "1 0")])
def test_a_face_without_a_partner_is_refused(swap: str | None, target: str | None) -> None:
    """Both lists are of one length."""
    with pytest.raises(InvalidInput, match=r"input\.target_faces_index: must name as many faces as swap_faces_index"):
        swapped(faces(swap, target))


@pytest.mark.parametrize(("task_type", "points"), [("face-swap", 100_000), ("multi-face-swap", 150_000)])
def test_a_swap_has_one_price(task_type: str, points: int) -> None:
    """However many faces are swapped."""
    product = CATALOGUE.find(MODEL, task_type)
    for example in product.examples:
        assert product.price.quote(validate(product, example.input)[0]) == points


def test_a_segment_is_held_for_the_largest_picture_and_charged_for_the_real_one() -> None:
    """3072 x 3072 pixels are ten started megapixels."""
    product = CATALOGUE.find(MODEL, "segment")
    inputs, _ = validate(product, {"image": PEOPLE["swap_image"], "prompt": "hat"})
    held = product.price.quote(inputs)
    assert held == 1_000_000
    charges = [product.price.charge(held, {"megapixel": size}) for size in (0.004, 1, 1.0001, 9.437)]
    assert charges == [100_000, 100_000, 200_000, 1_000_000]


@pytest.mark.parametrize("factor", [-15, 0, 15])
def test_a_segment_grows_and_shrinks(factor: int) -> None:
    """What to leave out and by how much to grow are optional, whatever one page says."""
    raw = {"image": PEOPLE["swap_image"], "prompt": "clothes,shoes", "segment_factor": factor}
    inputs: Any = validate(CATALOGUE.find(MODEL, "segment"), raw)[0]
    assert (inputs.segment_factor, inputs.negative_prompt) == (factor, "")
