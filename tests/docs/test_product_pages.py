"""docs/products against the catalogue: every page is what `make product-texts` writes, and its media are there."""

import importlib
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from support.examples import run
from support.server import throw_away_server
from support.source import ROOT, no_offenders
from support.texts import blocks
from unitask.api.fields import fields
from unitask.api.product_schemas import ProductSchemas
from unitask.catalogue import Catalogue, validate
from unitask.provenance.containers import packet_in
from unitask.provenance.sources import named, source_of
from unitask.spec.media import media_values

NOWHERE = "http://127.0.0.1:9"
PAGES = ROOT / "docs/products"
MEDIA = PAGES / "media"
LIMIT_BYTES = 40_000
LIMIT_ALL_BYTES = 2_500_000
CATALOGUE = Catalogue.load()


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    """Give the modules that write the pages and choose what is ordered."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("product_pages"), importlib.import_module("orders")


def test_the_pages_are_what_the_catalogue_says(scripts: tuple[ModuleType, ModuleType]) -> None:
    """Fields, limits, defaults, prices, engines, weights: whoever changes a product writes its page again."""
    made = json.loads((PAGES / "made.json").read_text("utf-8"))
    expected = scripts[0].pages(CATALOGUE, made)
    assert {path.name for path in PAGES.glob("*.md")} == set(expected)
    stale = [name for name, text in expected.items() if (PAGES / name).read_text("utf-8") != text]
    no_offenders(stale, "docs/products says what the catalogue says; `make product-texts` writes it again.")


def test_every_product_has_an_example_that_its_recipes_could_have_made(scripts: tuple[ModuleType, ModuleType]) -> None:
    """By an engine and at a level that it has, and no examples of products that are gone."""
    made = json.loads((PAGES / "made.json").read_text("utf-8"))
    assert set(made) == {product.key for product in CATALOGUE}
    for product in CATALOGUE:
        example = made[product.key]
        assert (example["engine"], example["level"]) in {(one.engine, one.level) for one in product.recipes}
        assert set(example["output"]) <= set(product.output.model_fields)
        inputs, _ = validate(product, scripts[1].request_of(product))
        assert 0 < example["points"] <= product.price.quote(inputs)


def test_the_requests_of_the_pages_are_good_orders(scripts: tuple[ModuleType, ModuleType]) -> None:
    """Each names its product, and its input is accepted without a word."""
    seen = set()
    for page in PAGES.glob("*.md"):
        for block in (block for block in blocks(page.read_text("utf-8")) if block.info == "sh"):
            order = json.loads(block.body[block.body.index("-d '") + 4 : block.body.rindex("'")])
            product = CATALOGUE.find(order["model"], order["task_type"])
            assert validate(product, order["input"])[1] == []
            assert order["input"] == scripts[1].request_of(product)
            seen.add(product.key)
    assert seen == {product.key for product in CATALOGUE}


def test_the_requests_of_the_pages_are_taken(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """As curl sends them; of files on the internet, which no test reads, the address alone is another."""
    with throw_away_server(tmp_path, UNITASK_ALLOW_PRIVATE_NETWORKS="1") as server:
        for page in sorted(PAGES.glob("*.md")):
            for block in (block for block in blocks(page.read_text("utf-8")) if block.info == "sh"):
                with subtests.test(f"{page.name}:{block.line}"):
                    answer = json.loads(run(block, server, tmp_path, {"https://example.com/": f"{NOWHERE}/"}))
                    assert f'"model": "{answer["data"]["model"]}"' in block.body
                    assert answer["data"]["status"] == "pending"


def test_media_are_there_small_and_all_shown() -> None:
    """What a page names exists, what exists is named, and nobody loads megabytes."""
    named = {
        target for page in PAGES.glob("*.md") for target in re.findall(r"\(media/([\w.-]+)\)", page.read_text("utf-8"))
    }
    sizes = {path.name: path.stat().st_size for path in MEDIA.iterdir()}
    assert named == set(sizes)
    assert max(sizes.values()) <= LIMIT_BYTES
    assert sum(sizes.values()) <= LIMIT_ALL_BYTES


def test_what_was_made_says_so() -> None:
    """Small copies carry the mark of what they were made of; what was given is a photograph and carries none."""
    made = [path for path in MEDIA.iterdir() if not path.name.startswith("given-")]
    assert len(made) > len(CATALOGUE)
    no_offenders(
        (path.name for path in made if packet_in(path, path.suffix[1:]) is None),
        "Examples carry the IPTC mark.",
    )


def test_what_was_made_says_what_its_recipe_says() -> None:
    """A picture on a page is called generated where the file is from which it was made."""
    made = json.loads((PAGES / "made.json").read_text("utf-8"))
    wrong = []
    for product in CATALOGUE:
        example = made[product.key]
        way = (example["engine"], example["level"])
        recipe = next(one for one in product.recipes if (one.engine, one.level) == way)
        inputs, _ = validate(product, product.examples[0].input)
        source = source_of(recipe, has_media=any(True for _ in media_values(inputs)))
        files = [MEDIA / example[kind] for kind in ("picture", "clip") if kind in example]
        wrong += [path.name for path in files if named(packet_in(path, path.suffix[1:]) or b"") != source]
    no_offenders(wrong, "Examples say where they come from by the rule of today.")


def test_every_field_says_what_it_is() -> None:
    """Of every input and every output, also inside of objects: the pages, /docs and OpenAPI all show it."""
    schemas = ProductSchemas.of(CATALOGUE)
    no_offenders(
        (
            f"{product.key}: {field.within}{field.name}"
            for product in CATALOGUE
            for side in (schemas.inputs, schemas.outputs)
            for field in fields(side[product.key], schemas)
            if not field.description
        ),
        "Every field of a product has a description.",
    )
