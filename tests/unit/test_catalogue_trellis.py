"""The rules of the 3D models: pictures under two names, and zeros that stand for defaults."""

from typing import Any

import pytest

from unitask.catalogue import Catalogue, validate
from unitask.kit.errors import InvalidInput
from unitask.spec.media import media_values

IMAGE, TEXT = ("Qubico/trellis", "image-to-3d"), ("Qubico/trellis", "text-to-3d")
FINER = ("Qubico/trellis2", "image-to-3d")
CATALOGUE = Catalogue.load()
FRONT, SIDE = "https://example.com/front.png", "https://example.com/side.png"
SAMPLING = {
    "ss_sampling_steps": 50,
    "slat_sampling_steps": 50,
    "ss_guidance_strength": 7.5,
    "slat_guidance_strength": 3.0,
}
from_pictures = pytest.mark.parametrize("name", [IMAGE, FINER], ids="/".join)


def accepted(name: tuple[str, str], **raw: object) -> Any:
    """Validate an input that passes without a warning."""
    inputs, warnings = validate(CATALOGUE.find(*name), raw)
    assert warnings == []
    return inputs


@from_pictures
@pytest.mark.parametrize(
    ("raw", "views"),
    [
        ({"image": FRONT}, [FRONT]),
        ({"image": FRONT, "images": []}, [FRONT]),
        ({"image": FRONT, "images": None}, [FRONT]),
        ({"images": [FRONT]}, [FRONT]),
        ({"image": "", "images": [FRONT, SIDE]}, [FRONT, SIDE]),
        ({"image": FRONT, "images": [SIDE]}, [FRONT, SIDE]),
        ({"image_url": FRONT}, [FRONT]),
        ({"image_urls": [FRONT, SIDE]}, [FRONT, SIDE]),
    ],
)
def test_pictures_come_as_one_as_several_or_both(
    name: tuple[str, str], raw: dict[str, object], views: list[str]
) -> None:
    """Engines read them all in one place; the checked input has both fields, whichever was sent."""
    inputs = accepted(name, **raw)
    assert inputs.views == views
    assert {"image", "images"} <= inputs.model_dump(exclude_none=True).keys()


@from_pictures
@pytest.mark.parametrize("raw", [{}, {"image": ""}, {"images": []}, {"image": " ", "images": None}])
def test_an_input_without_any_picture_is_refused(name: tuple[str, str], raw: dict[str, object]) -> None:
    """The sentence names both fields."""
    with pytest.raises(InvalidInput, match="input: image or images is required"):
        validate(CATALOGUE.find(*name), raw)


@from_pictures
def test_each_of_several_pictures_is_a_file(name: tuple[str, str]) -> None:
    """Addresses in a list are checked, and files in it stored, like any other."""
    inputs = accepted(name, image=FRONT, images=[FRONT, SIDE])
    found = list(media_values(inputs))
    assert [value.path for value in found] == ["input.image", "input.images[0]", "input.images[1]"]
    assert {value.media.kind for value in found} == {"image"}
    found[2].replace("stored")
    assert inputs.views == [FRONT, FRONT, "stored"]


@pytest.mark.parametrize("value", [None, 0])
def test_zero_stands_for_the_default_of_every_sampling_value(value: int | None) -> None:
    """The checked input shows the numbers that will be used."""
    for name, what in ((IMAGE, {"image": FRONT}), (TEXT, {"prompt": "a bear"})):
        inputs = accepted(name, **what, **dict.fromkeys(SAMPLING, value))
        assert {key: getattr(inputs, key) for key in SAMPLING} == SAMPLING


@pytest.mark.parametrize("steps", [1, 7, 10, 50])
def test_few_steps_are_accepted(steps: int) -> None:
    """Ten are documented as the least, and an example has seven."""
    inputs = accepted(TEXT, prompt="a bear", ss_sampling_steps=steps, slat_sampling_steps=steps)
    assert (inputs.ss_sampling_steps, inputs.slat_sampling_steps) == (steps, steps)


@pytest.mark.parametrize(("seed", "chosen"), [(None, -1), (0, -1), (-1, -1), (7, 7)])
def test_seed_zero_draws_one(seed: int | None, chosen: int) -> None:
    """A worker takes a seed below 0 for none; the echo shows what was sent."""
    for name, what in ((IMAGE, {"image": FRONT}), (TEXT, {"prompt": "a bear"}), (FINER, {"image": FRONT})):
        inputs = accepted(name, **what, seed=seed)
        assert inputs.seed == (seed or 0)
        assert getattr(inputs, inputs.seed_field) == chosen


@pytest.mark.parametrize(("name", "points"), [(IMAGE, 400_000), (TEXT, 400_000), (FINER, 1_000_000)])
def test_a_model_has_one_price(name: tuple[str, str], points: int) -> None:
    """More steps or more views cost the same."""
    product = CATALOGUE.find(*name)
    for example in product.examples:
        assert product.price.quote(validate(product, example.input)[0]) == points


def test_the_output_has_three_files() -> None:
    """Clients require all three, also of a model from words."""
    for name in (IMAGE, TEXT, FINER):
        schema = CATALOGUE.find(*name).output.model_json_schema()
        assert schema["required"] == ["model_file", "combined_video", "no_background_image"]
