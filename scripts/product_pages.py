"""Write docs/products: what the catalogue says of every product, and the example that was made of it.

`docs/products/made.json` holds what `scripts/products.py` made, so the texts can be written, and tested, without it.
"""

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from string import Template
from typing import Any, Final

import orders

from unitask.api.fields import Field, fields
from unitask.api.product_schemas import ProductSchemas
from unitask.api.wording import LEVELS, dollars, price
from unitask.catalogue import Catalogue
from unitask.engines import remote
from unitask.spec.product import Product, Recipe
from unitask.spec.remote import Provider
from unitask.weights.arrival import in_words
from unitask.weights.card import Card, read_cards

HERE: Final = "docs/products"
COLUMNS: Final = 5
ADDRESS: Final = "http://127.0.0.1:8000"
Made = dict[str, dict[str, Any]]
"""By key of a product: `engine`, `level`, `warnings`, `points` and `output` of its task, `picture`, perhaps `clip`."""
_READINGS: Final = re.compile(r"Disputed, and read here as follows\.|Readings\s+where\s+the\s+sources[\w\s]*:")
_DECISION: Final = r"[decision \2](../decisions/\1)"
_WHAT_THEY_NEED: Final = "See [engines](../guide/engines.md) for what each of them needs."
_INDEX: Final = Template("""# Products

A product is a pair of `model` and `task_type` that can be ordered: $count of them, in $families families. Each page
has the request, every field, the price, the output, and an example that was really made.

$grid

The examples were made by a server on a CPU **without any weights**, as a fresh installation is: so they show the
levels `basic` and `preview`, and each says which. With the weights of the named model, or a provider, the same
order gives that model's result: see [engines](../guide/engines.md).

$levels

Everything is ordered in the same way, by `POST /api/v1/task` with `model`, `task_type` and `input`; the
[quickstart](../guide/quickstart.md) shows it. Where a request on these pages names a file at
`https://example.com/`, put your own: an address, a data URI or bare base64. A running server has the same tables at
`/docs`, with its own prices and with what it can make at the moment, and for programs `/openapi.json`.

## All products

$listed

The pictures to work on are photographs that come with scikit-image and are free of copyright (NASA's portrait of Eileen
Collins, a rocket by SpaceX, a cat by Stefan van der Walt, coffee by Rachel Michetti) and the US Navy's portrait of
Grace Hopper. `make products` orders everything again and writes these pages; `make product-texts` writes the texts
alone.
""")


def pages(catalogue: Catalogue, made: Made) -> dict[str, str]:
    """Give the text of every page by its name: one of each family, and the index."""
    listed = sorted(catalogue, key=lambda product: product.family)
    families = {name: list(group) for name, group in groupby(listed, lambda product: product.family)}
    schemas, cards = ProductSchemas.of(catalogue), read_cards(Path("/nonexistent"))
    written = {page_of(name): _family(products, made, schemas, cards) for name, products in families.items()}
    return {"index.md": _index(families), **written}


def page_of(family: str) -> str:
    """Name the page of a family."""
    return f"{family.replace('_', '-')}.md"


def stem(product: Product) -> str:
    """Name the media files of a product, without their ending."""
    return re.sub(r"[^a-z0-9]+", "-", product.key.lower().removeprefix("qubico/"))


def _told(products: list[Product]) -> tuple[str, str, str]:
    """Take the docstring of a family's file apart: its title, what it is, and how disputed points were read."""
    text = importlib.import_module(products[0].input.__module__).__doc__ or products[0].summary
    head, colon, rest = text.strip().partition(": ")
    title, text = (head, rest[:1].upper() + rest[1:]) if colon and "\n" not in head else (products[0].title, text)
    about, *readings = _READINGS.split(re.sub(r"docs/decisions/((\d{4})[\w-]*\.md)", _DECISION, text), maxsplit=1)
    return title, about.strip(), "".join(readings).strip()


# The index


def _index(families: dict[str, list[Product]]) -> str:
    cells = [
        f"[![An example of {title}](media/family-{name.replace('_', '-')}.webp)<br>{title}]({page_of(name)})"
        for name, products in families.items()
        for title, *_ in [_told(products)]
    ]
    rows = [cells[start : start + COLUMNS] for start in range(0, len(cells), COLUMNS)]
    rows[-1] += [""] * (COLUMNS - len(rows[-1]))
    listed = [
        [
            f"[{product.title}]({page_of(name)}#{_anchor(product.title)})",
            f"`{product.model}` `{product.task_type}`",
            _dollars(product),
            ", ".join(dict.fromkeys(recipe.level for recipe in product.recipes)),
        ]
        for name, products in families.items()
        for product in products
    ]
    return _INDEX.substitute(
        count=sum(map(len, families.values())),
        families=len(families),
        grid=_table(rows[0], rows[1:]),
        levels="\n".join(f"- `{level}`: {meaning}" for level, meaning in LEVELS.items()),
        listed=_table(["Product", "Model, task type", "Price", "Levels"], listed),
    )


def _dollars(product: Product) -> str:
    return f"{dollars(product.price.points_per_unit)} per {product.price.unit}"


def _anchor(title: str) -> str:
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", title.lower()))


# A family


def _family(products: list[Product], made: Made, schemas: ProductSchemas, cards: dict[str, Card]) -> str:
    title, about, readings = _told(products)
    parts = [f"# {title}", "", about, ""]
    if len(products) > 1:
        rows = [
            [f"[{one.title}](#{_anchor(one.title)})", f"`{one.model}` `{one.task_type}`", _dollars(one)]
            for one in products
        ]
        parts += [_table(["Product", "Model, task type", "Price"], rows), ""]
    for product in products:
        parts += _product(product, made[product.key], schemas, cards)
    if readings:
        parts += ["## Where the sources differ", "", "What they leave open is read here as follows.", "", readings]
    return "\n".join(parts).rstrip() + "\n"


def _product(product: Product, made: dict[str, Any], schemas: ProductSchemas, cards: dict[str, Card]) -> list[str]:
    request = orders.request_of(product)
    output = schemas.resolve(schemas.outputs[product.key])
    return [
        f"## {product.title}",
        "",
        inspect.cleandoc(product.summary),
        "",
        *_example(product, made, request),
        "**The request**",
        "",
        "```sh",
        _command(product, request),
        "```",
        "",
        "**The answer**, once it is completed:",
        "",
        "```json",
        json.dumps(_answer(product, made), indent=2, ensure_ascii=False),
        "```",
        "",
        "**Input**",
        "",
        _inputs(fields(schemas.inputs[product.key], schemas)),
        "",
        "**Output**",
        "",
        _outputs(fields(output, schemas)),
        "",
        "**Price, time and makers**",
        "",
        *_facts(product, cards),
    ]


def _example(product: Product, made: dict[str, Any], request: dict[str, Any]) -> list[str]:
    files = {field: name for field, name in orders.given(request).items() if not name.endswith(".wav")}
    heads = [*(f"given: `{field}`" for field in files), "made"]
    cells = [f"![{name}](media/given-{Path(name).stem}.webp)" for name in files.values()]
    words = f"{product.title}, made at level {made['level']}"
    picture = f"![{words}](media/{made['picture']})"
    if clip := made.get("clip"):
        picture = f"[{picture}](media/{clip})<br>[{'listen' if clip.endswith('.mp3') else 'play'}](media/{clip})"
    notes = [f"- {warning}" for warning in made["warnings"]]
    return [
        _table(heads, [[*cells, picture]]),
        "",
        f"Made by the engine `{made['engine']}` at the level **{made['level']}**{', which says:' if notes else '.'}",
        "",
        *([*notes, ""] if notes else []),
    ]


def _command(product: Product, request: dict[str, Any]) -> str:
    body = json.dumps(
        {"model": product.model, "task_type": product.task_type, "input": request}, indent=2, ensure_ascii=False
    ).replace("'", "\\u0027")
    return f"curl -s {ADDRESS}/api/v1/task -H \"X-API-Key: $UNITASK_API_KEY\" -d '{body}'"


def _answer(product: Product, made: dict[str, Any]) -> dict[str, Any]:
    meta = {
        "usage": {"type": "point", "frozen": 0, "consume": made["points"]},
        "engine": made["engine"],
        "engine_level": made["level"],
        "...": "...",
    }
    task = {"task_id": "...", "model": product.model, "task_type": product.task_type, "status": "completed"}
    return {"code": 200, "data": {**task, "output": made["output"], "meta": meta, "...": "..."}, "message": "success"}


def _inputs(rows: list[Field]) -> str:
    cells = [
        [
            f"`{row.within}{row.name}`{' **required**' if row.required else ''}",
            row.type,
            f"`{row.default}`" if row.default else "",
            "; ".join(filter(None, [row.allowed, " ".join(f"`{value}`" for value in row.values)])),
            row.description,
        ]
        for row in rows
    ]
    return _table(["Field", "Type", "Default", "Allowed", "Meaning"], cells)


def _outputs(rows: list[Field]) -> str:
    cells = [
        [f"`{row.within}{row.name}`", f"{row.type}{' or null' if row.nullable else ''}", row.description]
        for row in rows
    ]
    return _table(["Field", "Type", "Meaning"], cells)


def _facts(product: Product, cards: dict[str, Card]) -> list[str]:
    providers = ", ".join(f"`{name}`" for name in _providers(product))
    days = "1 day" if product.keep_days == 1 else f"{product.keep_days} days"
    rows = [
        [recipe.level, f"`{recipe.engine}`", _needs(recipe, cards), _limit(product, recipe)]
        for recipe in product.recipes
    ]
    return [
        f"{price(product)}. Outputs are kept for {days}.",
        "",
        _table(["Level", "Engine", "Weights", "An attempt is ended after"], rows),
        "",
        f"Providers that can make it: {providers}. Weights come by `unitask models pull`. {_WHAT_THEY_NEED}",
        "",
    ]


def _providers(product: Product) -> Iterator[str]:
    for name, engine in sorted(remote().items()):
        if engine.makes(product, Provider(name=name, engine=name)):
            yield name


def _needs(recipe: Recipe, cards: dict[str, Card]) -> str:
    return "<br>".join(
        f"`{card}` ({in_words(cards[card].disk_bytes)}, {cards[card].license.name})" for card in recipe.weights
    )


def _limit(product: Product, recipe: Recipe) -> str:
    return f"{recipe.limit_s or product.limit_s:,} s"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
