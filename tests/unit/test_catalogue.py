"""The catalogue: finding products, checking inputs, and the rules of the products in it."""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import AliasChoices, Field

from unitask.catalogue import Catalogue, validate
from unitask.kit.errors import InvalidInput, UnknownProduct
from unitask.spec.media import media_values
from unitask.spec.product import Input

SCHNELL, DEV, ADVANCED = "Qubico/flux1-schnell", "Qubico/flux1-dev", "Qubico/flux1-dev-advanced"
TOOLKIT = "Qubico/image-toolkit"
CATALOGUE = Catalogue.load()
URL = "https://example.com/picture.png"
OUTPAINT = {"setting_type": "outpaint"}
CONTROL = {"control_type": "depth", "control_image": URL}


class Renamed(Input):
    """An input whose field goes by several names."""

    picture: str = Field(validation_alias=AliasChoices("image", "image_url"), default="")
    text: str = Field(alias="prompt", default="")


def accepted(model: str, task_type: str, **raw: object) -> dict[str, Any]:
    """Validate an input of a named product; gives it with its defaults."""
    return validate(CATALOGUE.find(model, task_type), raw)[0].model_dump()


def refused(model: str, task_type: str, **raw: object) -> str:
    """Validate an input that must be refused; gives the sentence."""
    with pytest.raises(InvalidInput) as caught:
        validate(CATALOGUE.find(model, task_type), raw)
    return str(caught.value)


def quote(model: str, task_type: str, **raw: object) -> int:
    """Give the points of an input."""
    product = CATALOGUE.find(model, task_type)
    return product.price.quote(validate(product, raw)[0])


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Install a package whose entry point offers what an expression gives, for the length of a test."""
    metadata = tmp_path / "more_products-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: more-products\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[unitask.products]\nmore = more_products:offered\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "more_products", raising=False)

    def install(offered: str) -> None:
        (tmp_path / "more_products.py").write_text(
            "from dataclasses import replace\n"
            "from unitask.catalogue.flux import PRODUCTS\n"
            "new = replace(PRODUCTS[0], model='Example/painter')\n"
            f"offered = {offered}\n",
        )

    return install


# Finding products


@pytest.mark.parametrize("model", [DEV, "qubico/FLUX1-DEV", "  Qubico/flux1-dev\n"])
def test_a_model_is_found_in_any_letter_case_and_with_blanks_around_it(model: str) -> None:
    """Clients write model names carelessly and mean the same."""
    assert CATALOGUE.find(model, "txt2img").key == "Qubico/flux1-dev/txt2img"


def test_an_unknown_model_is_refused_with_the_nearest_one() -> None:
    """A person who forgets the vendor's prefix is told the whole name."""
    with pytest.raises(UnknownProduct) as caught:
        CATALOGUE.find("flux1-dev", "txt2img")
    assert str(caught.value) == "invalid request: no model 'flux1-dev'; did you mean 'Qubico/flux1-dev'?"


def test_a_model_like_no_other_is_refused_without_a_guess() -> None:
    """Where nothing is near, nothing is suggested; a very long name is cut and costs no comparison."""
    with pytest.raises(UnknownProduct) as caught:
        CATALOGUE.find("zzzz" * 100_000, "txt2img")
    assert "did you mean" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_an_unknown_task_type_is_refused_with_those_that_the_model_has() -> None:
    """The sentence begins with the phrase clients match on, lists the task types, and names the nearest."""
    with pytest.raises(UnknownProduct) as caught:
        CATALOGUE.find("qubico/flux1-dev", "txt2imag")
    assert str(caught.value) == (
        "invalid task type: 'txt2imag' of Qubico/flux1-dev; this model has: txt2img, img2img; did you mean 'txt2img'?"
    )


def test_advanced_tasks_are_sold_with_the_advanced_model_alone() -> None:
    """`dev` and `schnell` have two task types, `dev-advanced` nine."""
    counts = Counter(product.model for product in CATALOGUE)
    assert [counts[model] for model in (SCHNELL, DEV, ADVANCED)] == [2, 2, 9]


def test_a_product_is_found_by_its_key() -> None:
    """The key in a queue row leads back to its product, and an unknown one to a clear error."""
    assert all(CATALOGUE.by_key(product.key) is product for product in CATALOGUE)
    with pytest.raises(UnknownProduct, match="no product 'gone/away'"):
        CATALOGUE.by_key("gone/away")


def test_two_products_of_one_name_are_refused() -> None:
    """Names that differ in letter case alone would be one to a client."""
    first = CATALOGUE.find(SCHNELL, "txt2img")
    with pytest.raises(ValueError, match=r"two products are called 'QUBICO/.* of unitask\.catalogue\.flux"):
        Catalogue.of([first, replace(first, model=first.model.upper())])


def test_a_catalogue_cannot_be_changed() -> None:
    """What was loaded stays as it is for the life of the process."""
    with pytest.raises(AttributeError):
        CATALOGUE._by_key = {}  # type: ignore[misc]
    with pytest.raises(TypeError):
        CATALOGUE._by_key["a"] = next(iter(CATALOGUE))  # type: ignore[index]


@pytest.mark.parametrize("offered", ["new", "[new]", "(each for each in [new])"])
def test_another_package_adds_products(package: Callable[[str], None], offered: str) -> None:
    """An entry point offers one product or any iterable of them."""
    package(offered)
    loaded = Catalogue.load()
    assert len(loaded) == len(CATALOGUE) + 1
    assert loaded.find("example/painter", "txt2img").model == "Example/painter"


@pytest.mark.parametrize("offered", ["7", "['txt2img']"])
def test_an_entry_point_without_products_is_refused(package: Callable[[str], None], offered: str) -> None:
    """Whoever installed the package reads which entry point is wrong."""
    package(offered)
    with pytest.raises(TypeError, match=r"entry point 'more' \(more_products:offered\)"):
        Catalogue.load()


def test_another_package_cannot_replace_a_product(package: Callable[[str], None]) -> None:
    """A second product of one name is an error, not a silent override."""
    package("PRODUCTS[0]")
    with pytest.raises(ValueError, match="two products are called"):
        Catalogue.load()


# Checking inputs


def test_every_wrong_field_is_named_in_one_sentence() -> None:
    """The client repairs all fields at once."""
    sentence = refused(ADVANCED, "controlnet-lora", steps=41, seed="x", control_net_settings=[{"control_type": "blur"}])
    assert sentence.startswith("invalid request: input.prompt is required; ")
    assert "input.steps: Input should be less than or equal to 40" in sentence
    assert "input.seed: Input should be a valid integer" in sentence
    assert "input.control_net_settings[0].control_type: Input should be 'depth'" in sentence
    assert "input.control_net_settings[0].control_image is required" in sentence


def test_at_most_five_wrong_fields_are_listed() -> None:
    """A hopeless input gets a sentence of bounded length with the number of the rest."""
    fields = ["prompt", "steps", "seed", "width", "height", "denoise", "batch_size"]
    sentence = refused(DEV, "txt2img", **dict.fromkeys(fields, ("x" * 10_000,)))
    assert sentence.count("input.") == 5
    assert sentence.endswith("; and 2 more")
    assert len(sentence) < 1000


def test_a_refused_value_is_not_repeated() -> None:
    """A picture or a private prompt stays out of the sentence, and so out of logs."""
    sentence = refused(DEV, "txt2img", prompt="secret" * 10_000)
    assert sentence == "invalid request: input.prompt: String should have at most 20000 characters"


def test_an_input_that_is_no_object_is_refused() -> None:
    """A list where an object belongs gets a sentence of its own."""
    with pytest.raises(InvalidInput, match="input must be an object"):
        validate(CATALOGUE.find(DEV, "txt2img"), ["a cat"])  # type: ignore[arg-type]


def test_unknown_keys_are_ignored_with_a_warning() -> None:
    """Old clients send more than is read; they get their picture and a hint, nested keys included."""
    misspelled = CONTROL | {"control_strenght": 1}
    raw = {"prompt": "a cat", "aspect_ratio": "1:1", "control_net_settings": [misspelled]}
    _, warnings = validate(CATALOGUE.find(ADVANCED, "controlnet-lora"), raw)
    ignored = "is not a field of this product and was ignored"
    assert warnings == [
        f"input.aspect_ratio {ignored}",
        f"input.control_net_settings[0].control_strenght {ignored}; did you mean 'control_strength'?",
    ]


def test_warnings_are_bounded() -> None:
    """An input of nothing but junk does not come back as junk."""
    raw = {"prompt": "a cat"} | {"k" * 1000 + str(number): 1 for number in range(1000)}
    _, warnings = validate(CATALOGUE.find(DEV, "txt2img"), raw)
    assert warnings[-1] == "further fields that are not of this product were ignored"
    assert sum(map(len, warnings)) < 2500


@pytest.mark.parametrize("key", ["image", "image_url", "picture", "prompt", "text"])
def test_a_field_is_known_by_all_its_names(key: str) -> None:
    """An alias is not an unknown key."""
    inputs, warnings = validate(replace(next(iter(CATALOGUE)), input=Renamed), {key: "here"})
    assert warnings == []
    assert "here" in inputs.model_dump().values()


def test_a_null_counts_as_absent() -> None:
    """Clients that fill every field with null get the defaults, or hear that a field is required."""
    control = CONTROL | {"control_strength": None}
    inputs = accepted(ADVANCED, "controlnet-lora", prompt="x", seed=None, control_net_settings=[control])
    assert inputs["seed"] == -1
    assert "input.prompt is required" in refused(DEV, "txt2img", prompt=None)


# Flux


@pytest.mark.parametrize(("model", "most"), [(SCHNELL, 4), (DEV, 1), (ADVANCED, 1)])
def test_only_schnell_makes_several_pictures(model: str, most: int) -> None:
    """One is accepted anywhere; more than allowed is refused with the reason."""
    for count in {1, most}:
        assert accepted(model, "txt2img", prompt="x", batch_size=count)["batch_size"] == count
    sentence = refused(model, "txt2img", prompt="x", batch_size=most + 1)
    assert ("only Qubico/flux1-schnell makes more than one" in sentence) == (model != SCHNELL)


@pytest.mark.parametrize(("model", "points"), [(SCHNELL, 15_000), (DEV, 150_000), (ADVANCED, 200_000)])
def test_flux_is_priced_per_picture(model: str, points: int) -> None:
    """The quote is the model's price times the number of pictures."""
    assert quote(model, "img2img", prompt="x", image=URL) == points
    assert quote(SCHNELL, "txt2img", prompt="x", batch_size=4) == 60_000


@pytest.mark.parametrize(("model", "most"), [(SCHNELL, 10), (DEV, 40), (ADVANCED, 40)])
def test_steps_are_bounded_by_the_model(model: str, most: int) -> None:
    """Zero stands for the model's own number."""
    for steps in (0, most):
        assert accepted(model, "img2img", prompt="x", image=URL, steps=steps)["steps"] == steps
    assert f"less than or equal to {most}" in refused(model, "img2img", prompt="x", image=URL, steps=most + 1)


@pytest.mark.parametrize("size", [(0, 0), (1024, 1024), (1344, 576), (4096, 256), (512, 0), (0, 1024)])
def test_a_size_within_the_area_is_accepted(size: tuple[int, int]) -> None:
    """One side may pass 1024 pixels while the area does not pass 1024 x 1024."""
    inputs = accepted(DEV, "txt2img", prompt="x", width=size[0], height=size[1])
    assert (inputs["width"], inputs["height"]) == size


@pytest.mark.parametrize("size", [{"width": 1025, "height": 1024}, {"width": 1025}, {"height": 1280}])
@pytest.mark.parametrize("task_type", ["txt2img", "img2img", "redux-variation", "kontext"])
def test_a_size_beyond_the_area_is_refused(task_type: str, size: dict[str, int]) -> None:
    """A side that is left out counts as 1024."""
    assert "pixels; at most 1048576" in refused(ADVANCED, task_type, prompt="x", image=URL, **size)


@pytest.mark.parametrize("seed", [-1, 0, 2**63 - 1])
@pytest.mark.parametrize("model", [SCHNELL, DEV, ADVANCED])
def test_a_seed_is_accepted_everywhere(model: str, seed: int) -> None:
    """Minus one draws a seed; all others are kept exactly."""
    assert accepted(model, "txt2img", prompt="x", seed=seed)["seed"] == seed


@pytest.mark.parametrize(("field", "values"), [("denoise", [0, 1.1, "nan"]), ("guidance_scale", [1.4, 5.1])])
def test_fractions_are_bounded(field: str, values: list[object]) -> None:
    """Denoise is above 0, at most 1 and a number; guidance is 1.5 to 5."""
    for value in values:
        assert f"input.{field}: " in refused(DEV, "txt2img", prompt="x", **{field: value})


@pytest.mark.parametrize("prompt", ["", " \n"])
def test_a_blank_prompt_is_refused_where_one_is_required(prompt: str) -> None:
    """A blank negative prompt is normal, a blank prompt is a mistake."""
    assert "input.prompt: must not be blank" in refused(DEV, "txt2img", prompt=prompt)
    assert accepted(DEV, "txt2img", prompt="x", negative_prompt=prompt)["negative_prompt"] == prompt


def test_outpaint_needs_no_prompt() -> None:
    """A picture is continued by what it shows."""
    inputs = accepted(ADVANCED, "fill-outpaint", image=URL, custom_settings=[{"setting_type": "outpaint"}])
    assert inputs["prompt"] == ""


@pytest.mark.parametrize("settings", [[], [OUTPAINT] * 2, [{"setting_type": "crop"}], [{"outpaint_top": 5}]])
def test_outpaint_needs_exactly_one_outpaint_setting(settings: list[dict[str, object]]) -> None:
    """None, two, and one that does not say that it is an outpaint are refused."""
    assert "input.custom_settings" in refused(ADVANCED, "fill-outpaint", image=URL, custom_settings=settings)


@pytest.mark.parametrize("sides", [(1024, 0, 1024, 0), (512, 512, 512, 512), (0, 4000, 300, 0)])
def test_an_outpaint_that_is_too_much_for_any_picture_is_refused(sides: tuple[int, ...]) -> None:
    """What its corners alone bring to 1024 x 1024 pixels is refused before a picture is fetched."""
    names = ("outpaint_left", "outpaint_right", "outpaint_top", "outpaint_bottom")
    setting = OUTPAINT | dict(zip(names, sides, strict=True))
    sentence = refused(ADVANCED, "fill-outpaint", image=URL, custom_settings=[setting])
    assert "input.custom_settings[0]: an outpaint must add fewer than 1048576 pixels" in sentence


@pytest.mark.parametrize("task_type", ["txt2img-lora", "img2img-lora"])
def test_lora_tasks_take_exactly_one_style(task_type: str) -> None:
    """None and two are refused; the two styles that no list shows are accepted."""
    for style in ("mystic-realism", "remes-abstract-poster-style"):
        accepted(ADVANCED, task_type, prompt="x", image=URL, lora_settings=[{"lora_type": style}])
    for styles in ([], [{"lora_type": "art"}] * 2):
        sentence = refused(ADVANCED, task_type, prompt="x", image=URL, lora_settings=styles)
        assert "input.lora_settings: " in sentence


@pytest.mark.parametrize(("styles", "count"), [(None, 0), ([], 0), ([{"lora_type": "art"}], 1)])
def test_controlnet_takes_a_style_or_none(styles: list[dict[str, str]] | None, count: int) -> None:
    """An empty list is how many clients say none."""
    raw = {"prompt": "x", "control_net_settings": [CONTROL], "lora_settings": styles}
    assert len(accepted(ADVANCED, "controlnet-lora", **raw)["lora_settings"]) == count


@pytest.mark.parametrize(
    ("field", "items"),
    [
        ("control_net_settings", []),
        ("control_net_settings", [CONTROL] * 2),
        ("lora_settings", [{"lora_type": "art"}] * 2),
    ],
)
def test_controlnet_takes_one_control_and_at_most_one_style(field: str, items: list[dict[str, str]]) -> None:
    """Other numbers are refused."""
    raw = {"prompt": "x", "control_net_settings": [CONTROL], field: items}
    assert f"input.{field}: " in refused(ADVANCED, "controlnet-lora", **raw)


def test_hed_is_another_name_of_soft_edge() -> None:
    """Engines meet one name only."""
    control = CONTROL | {"control_type": "hed"}
    inputs = accepted(ADVANCED, "controlnet-lora", prompt="x", control_net_settings=[control])
    assert inputs["control_net_settings"][0]["control_type"] == "soft_edge"


@pytest.mark.parametrize("styles", [[], [{"lora_type": "nonsense"}]])
def test_styles_sent_with_a_plain_task_are_ignored(styles: list[dict[str, str]]) -> None:
    """Clients with one form for all tasks send what a task does not read."""
    _, warnings = validate(CATALOGUE.find(DEV, "txt2img"), {"prompt": "x", "lora_settings": styles})
    assert warnings == ["input.lora_settings is not a field of this product and was ignored"]


def test_kontext_defaults_to_a_square_in_28_steps() -> None:
    """Editing has defaults of its own."""
    inputs = accepted(ADVANCED, "kontext", prompt="x", image=URL)
    assert (inputs["width"], inputs["height"], inputs["steps"]) == (1024, 1024, 28)


def test_media_of_nested_objects_can_be_replaced() -> None:
    """A data URI is swapped for a stored file wherever it stands, before the input is written down."""
    raw = {"prompt": "x", "image": URL, "control_net_settings": [CONTROL]}
    inputs, _ = validate(CATALOGUE.find(ADVANCED, "controlnet-lora"), raw)
    found = list(media_values(inputs))
    assert [value.path for value in found] == ["input.image", "input.control_net_settings[0].control_image"]
    for value in found:
        value.replace("artifact:1")
    assert URL not in inputs.model_dump_json()


# Image tools


@pytest.mark.parametrize("scale", [1, 11, 2.5])
def test_an_upscale_is_by_a_whole_number_from_2_to_10(scale: float) -> None:
    """Other factors are refused."""
    assert "input.scale: " in refused(TOOLKIT, "upscale", image=URL, scale=scale)


def test_background_removal_costs_the_same_for_each_network() -> None:
    """The default is RMBG-2.0, and the price is per task."""
    assert accepted(TOOLKIT, "background-remove", image=URL)["rmbg_model"] == "RMBG-2.0"
    for name in ("RMBG-1.4", "RMBG-2.0", "BEN2"):
        assert quote(TOOLKIT, "background-remove", image=URL, rmbg_model=name) == 10_000


@pytest.mark.parametrize(("scale", "megapixels"), [(2, 17), (3, 38), (4, 64), (8, 64), (10, 64)])
def test_the_quote_of_an_upscale_is_its_ceiling(scale: int, megapixels: int) -> None:
    """The largest input at this scale, capped at 64 megapixels; what was really made decides the charge."""
    price = CATALOGUE.find(TOOLKIT, "upscale").price
    held = quote(TOOLKIT, "upscale", image=URL, scale=scale)
    assert held == megapixels * 10_000
    assert price.charge(held, {"output megapixel": 1.2}) == 20_000
    assert price.charge(held, {"output megapixel": 1000}) == held
