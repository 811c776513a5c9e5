"""The reference for people: one page of HTML, made from the catalogue."""

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable
from importlib.resources import files
from itertools import groupby
from string import Template
from typing import Any, Final

from unitask import __version__
from unitask.api.fields import Field, fields
from unitask.api.markup import Html, join, prose, tag
from unitask.api.openapi_schemas import sample_task
from unitask.api.product_schemas import ProductSchemas, request, simplest
from unitask.api.wording import LEVELS, REFUSALS, STATUSES, price
from unitask.catalogue import Catalogue
from unitask.spec.product import Product
from unitask.tasks.orders import Choice, Orders

PAGES: Final = files("unitask.api") / "pages"
# Base64 of a file; no address and no prompt has so many of these characters in a row.
_BASE64: Final = re.compile(r"((?:data:[a-z0-9/+.-]+;base64,)?[A-Za-z0-9+/=_-]{100,})")
_SHORT_ENUM: Final = 6


def page(catalogue: Catalogue, orders: Orders, base_url: str) -> str:
    """Write the page; `orders` tells what this server can make now."""
    schemas = ProductSchemas.of(catalogue)
    choices = {product.key: orders.choice(product) for product in catalogue}
    shown = simplest([product for product in catalogue if choices[product.key].recipe] or catalogue)
    task = shlex.quote(f"{base_url}/api/v1/task")
    answer = {"code": 200, "data": sample_task(shown), "message": "success"}
    families = _families(catalogue)
    return Template((PAGES / "docs.html").read_text("utf-8")).substitute(
        version=__version__,
        standing=_standing(choices.values()),
        key_command=_command("export UNITASK_API_KEY='your key'"),
        create_command=_command(_create(base_url, shown, 0)),
        answer=_code(_json(answer)),
        get_command=_command(f'curl -s {task}/TASK_ID \\\n  -H "X-API-Key: $UNITASK_API_KEY"'),
        cancel_command=_command(f'curl -s -X DELETE {task}/TASK_ID \\\n  -H "X-API-Key: $UNITASK_API_KEY"'),
        statuses=_table(("Status", "Meaning"), [[tag("code", s), prose(m)] for s, m in STATUSES.items()]),
        levels=_table(("Level", "Meaning"), [[_level(name), text] for name, text in LEVELS.items()]),
        errors=_table(
            ("Status", "When", "Change"),
            [[tag("code", str(r.status)), prose(r.when), prose(r.change)] for r in REFUSALS.values()],
            "plain folds",
        ),
        navigation=join(_menu(name, group, schemas, choices) for name, group in families),
        products=join(_family(name, group, schemas, choices, base_url) for name, group in families),
    )


def _families(catalogue: Catalogue) -> list[tuple[str, list[Product]]]:
    # Stable: within a family the order is the catalogue's.
    listed = sorted(catalogue, key=lambda product: product.family)
    return [(name, list(group)) for name, group in groupby(listed, lambda product: product.family)]


def _standing(choices: Iterable[Choice]) -> Html:
    counts = Counter(choice.recipe.level if choice.recipe else None for choice in choices)
    parts = [join([f"{counts[level]} ", _level(level)]) for level in LEVELS if counts[level]]
    if counts[None]:
        parts.append(join([f"{counts[None]} ", _level(None)]))
    total = counts.total()
    return join([f"{total} product{'' if total == 1 else 's'} on this server: ", *_between(parts, ", "), "."])


def _between(parts: list[Html], separator: str) -> list[str]:
    return [each for part in parts for each in (separator, part)][1:]


def _level(name: str | None) -> Html:
    return tag("span", name or "not available", class_=f"level {name or 'none'}")


# Navigation


def _words(product: Product) -> str:
    return f"{product.title} {product.model} {product.task_type} {product.family}".lower()


def _menu(family: str, products: list[Product], schemas: ProductSchemas, choices: dict[str, Choice]) -> Html:
    entries = []
    for product in products:
        recipe = choices[product.key].recipe
        level = recipe.level if recipe else None
        mark = tag("span", class_=f"dot {level or 'none'}", title=level or "not available", aria_hidden="true")
        link = tag("a", mark, tag("span", product.title), href=f"#{schemas.names[product.key]}")
        entries.append(tag("li", link, data_words=_words(product)))
    return tag("div", tag("h2", _readable(family)), tag("ul", *entries), class_="family", data_group="")


def _readable(family: str) -> str:
    return family.replace("_", " ")


# Products


def _family(
    family: str,
    products: list[Product],
    schemas: ProductSchemas,
    choices: dict[str, Choice],
    base_url: str,
) -> Html:
    articles = [_product(product, schemas, choices[product.key], base_url) for product in products]
    return tag("section", tag("h2", _readable(family), class_="family"), *articles, data_group="")


def _product(product: Product, schemas: ProductSchemas, choice: Choice, base_url: str) -> Html:
    name = schemas.names[product.key]
    output = schemas.resolve(schemas.outputs[product.key])
    return tag(
        "article",
        tag("h3", tag("a", product.title, href=f"#{name}")),
        tag("p", prose(product.summary), class_="summary"),
        _facts(product, choice),
        tag("h4", "Input"),
        _inputs(fields(schemas.inputs[product.key], schemas)),
        tag("h4", "Output"),
        tag("p", prose(output.get("description", ""))),
        _outputs(fields(output, schemas)),
        tag("h4", "Examples" if len(product.examples) > 1 else "Example"),
        *(_example(base_url, product, number) for number in range(len(product.examples))),
        id=name,
        class_="product",
        data_words=_words(product),
    )


def _facts(product: Product, choice: Choice) -> Html:
    days = "1 day" if product.keep_days == 1 else f"{product.keep_days} days"
    facts: list[tuple[str, str]] = [
        ("Model", tag("code", product.model)),
        ("Task type", tag("code", product.task_type)),
        ("Price", price(product)),
        ("Time", f"about {product.expected_s:g}\u00a0s, ended after {product.limit_s}\u00a0s"),
        ("Outputs kept", days),
    ]
    shown = [tag("div", tag("dt", term), tag("dd", what)) for term, what in facts]
    maker = tag("div", tag("dt", "Made here"), tag("dd", _maker(choice)), class_="maker" if choice.recipe else "wide")
    return tag("dl", *shown, maker, class_="facts")


def _maker(choice: Choice) -> Html:
    if choice.recipe is None:
        return join([_level(None), " ", choice.missing])
    recipe = choice.recipe
    return join([_level(recipe.level), " by the engine ", tag("code", recipe.engine)])


def _example(base_url: str, product: Product, number: int) -> Html:
    example = product.examples[number]
    command = _command(_create(base_url, product, number))
    if number:
        return tag("details", tag("summary", example.title), command, class_="example")
    return tag("details", tag("summary", example.title), command, class_="example", open="")


# Fields


def _inputs(rows: list[Field]) -> Html:
    cells = [[_name(row), row.type, _default(row), _allowed(row), prose(row.description)] for row in rows]
    return _table(("Field", "Type", "Default", "Allowed", "Meaning"), cells, "fields folds")


def _outputs(rows: list[Field]) -> Html:
    cells = [
        [_name(row, marked=False), f"{row.type}{' or null' if row.nullable else ''}", prose(row.description)]
        for row in rows
    ]
    columns = 3 if any(row.description for row in rows) else 2
    return _table(("Field", "Type", "Meaning")[:columns], [line[:columns] for line in cells], "fields folds")


def _name(row: Field, *, marked: bool = True) -> Html:
    name = tag("code", tag("span", row.within, class_="within"), row.name)
    return join([name, " ", tag("span", "required", class_="required")]) if marked and row.required else name


def _default(row: Field) -> Html:
    return tag("code", row.default) if row.default else Html()


def _allowed(row: Field) -> Html:
    values = join(_between([tag("code", value) for value in row.values], " "))
    if len(row.values) > _SHORT_ENUM:
        values = tag("details", tag("summary", f"{len(row.values)} values"), values)
    return join(_between([part for part in (join([row.allowed]), values) if part], " "))


def _table(heads: tuple[str, ...], rows: list[list[str]], kind: str = "plain") -> Html:
    def line(cells: list[str]) -> Html:
        first, *others = zip(heads, cells, strict=True)
        # The label stands before the value where the table is folded, on a narrow screen.
        return tag(
            "tr",
            tag("th", first[1], scope="row"),
            *(tag("td", cell, data_label=head) for head, cell in others),
        )

    head = tag("tr", *(tag("th", head, scope="col") for head in heads))
    return tag("table", tag("thead", head), tag("tbody", *(line(row) for row in rows)), class_=kind)


# Commands


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def _create(base_url: str, product: Product, number: int) -> str:
    # Inside the shell's single quotes a single quote would end them; JSON can spell it otherwise.
    body = _json(request(product, number)).replace("'", "\\u0027")
    return (
        f"curl -s {shlex.quote(f'{base_url}/api/v1/task')} \\\n"
        '  -H "X-API-Key: $UNITASK_API_KEY" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d '{body}'"
    )


def _code(text: str) -> Html:
    # Long base64 is only covered by the style sheet, so that copying takes it whole.
    parts = _BASE64.split(text)
    marked = [tag("span", part, class_="long") if index % 2 else part for index, part in enumerate(parts)]
    return tag("pre", tag("code", *marked), tabindex="0")


def _command(text: str) -> Html:
    code = tag("div", _code(text), class_="command")
    if not _BASE64.search(text):
        return code
    return join([code, tag("p", "The file in it is shown shortened; copying takes it whole.", class_="note")])
