"""The reference: the page for people and the document for programs, as they are served."""

import json
import re
import shlex
from collections.abc import AsyncIterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from pydantic import Field, create_model
from starlette.applications import Starlette

from support.recipes import plain_recipe
from unitask.api import reference
from unitask.api.openapi import document
from unitask.api.reference_page import page as reference_page
from unitask.catalogue import Catalogue
from unitask.spec.product import Example, Input, Product, Recipe
from unitask.tasks.model import Status
from unitask.tasks.orders import Choice

BASE = "https://media.example:8443"
CATALOGUE = Catalogue.load()
PRODUCTS = tuple(CATALOGUE)
FLUX = CATALOGUE.find("Qubico/flux1-dev", "txt2img")
HOSTILE = "<script>alert('x')</script>\"&"
PICTURE = "data:image/png;base64," + "iVBORw0KGgo" * 40


class Made:
    """What the page asks of orders: every product is made by one choice."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice

    def choice(self, _: Product) -> Choice:
        """Give the choice."""
        return self._choice


class Reader(HTMLParser):
    """Reads what a page refers to, the ids it has, the code it shows and all of its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.codes: list[str] = []
        self.text = ""
        self._inside_code = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the attributes that matter."""
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "action", "srcset"}]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag == "code":
            self.codes.append("")
            self._inside_code = True

    def handle_endtag(self, tag: str) -> None:
        """Note where code ends."""
        if tag == "code":
            self._inside_code = False

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data
        if self._inside_code:
            self.codes[-1] += data


def written(*products: Product, choice: Choice | None = None, base_url: str = BASE) -> str:
    """Write the page of these products, or of the whole catalogue."""
    orders: Any = Made(choice or Choice(plain_recipe(FLUX)))
    return reference_page(Catalogue.of(products) if products else CATALOGUE, orders, base_url)


def read(*products: Product, choice: Choice | None = None) -> Reader:
    """Read the page of these products."""
    return Reader(written(*products, choice=choice))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Ask an application that serves nothing but the reference."""
    orders: Any = Made(Choice(plain_recipe(FLUX)))
    app = Starlette(routes=reference.routes(CATALOGUE, orders, BASE))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as asking:
        yield asking


def orders_in(page: Reader) -> list[dict[str, Any]]:
    """Take the bodies out of the commands, as a shell would."""
    commands = [shlex.split(code.replace("\\\n", " ")) for code in page.codes if code.startswith("curl")]
    return [json.loads(words[words.index("-d") + 1]) for words in commands if "-d" in words]


PAGE = read()


# Serving


async def test_the_openapi_document_is_served(client: httpx.AsyncClient) -> None:
    """It is the document of this catalogue and this address."""
    answer = await client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == document(CATALOGUE, BASE)


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/docs/docs.css", "/docs/docs.js"])
async def test_what_has_not_changed_is_not_sent_again(client: httpx.AsyncClient, path: str) -> None:
    """A client that shows the ETag is answered without a body."""
    first = await client.get(path)
    again = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = await client.get(path, headers={"If-None-Match": '"other"'})
    assert other.content == first.content


async def test_the_root_leads_to_the_page(client: httpx.AsyncClient) -> None:
    """A person who opens the server's address sees the reference."""
    answer = await client.get("/", follow_redirects=True)
    assert answer.url.path == "/docs"
    assert answer.text == written()


async def test_the_page_allows_nothing_but_its_own_files(client: httpx.AsyncClient) -> None:
    """The policy keeps the browser from running or loading anything else."""
    answer = await client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "style-src 'self'", "img-src 'self'", "script-src 'self'"} <= set(policy)
    assert "unsafe" not in answer.headers["content-security-policy"]


async def test_everything_the_page_refers_to_is_served_by_this_server(client: httpx.AsyncClient) -> None:
    """No address outside, no dead link, no dead anchor, no id twice."""
    assert not [link for link in PAGE.links if ":" in link or link.startswith("/")]
    for link in set(PAGE.links):
        if link.startswith("#"):
            assert link[1:] in PAGE.ids
        else:
            assert (await client.get(f"/{link}")).status_code == 200
    assert len(PAGE.ids) == len(set(PAGE.ids))


@pytest.mark.parametrize("name", ["docs.css", "docs.js"])
async def test_the_style_sheet_and_script_load_nothing(client: httpx.AsyncClient, name: str) -> None:
    """They work where there is no network."""
    assert not re.search(r"https?://|@import|url\(|fetch\(", (await client.get(f"/docs/{name}")).text)


# The page


def test_the_page_has_no_style_or_script_inside() -> None:
    """The policy would refuse them."""
    html = written()
    assert "style" not in Reader(html).tags
    assert not re.search(r"<[^>]+\s(style|on[a-z]+)=", html)
    assert re.findall(r"<script[^>]*>.*?</script>", html) == ['<script src="docs/docs.js" defer></script>']


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.key)
def test_every_product_is_on_the_page(product: Product) -> None:
    """With its title, names, price and each of its input fields."""
    page = read(product)
    assert product.title in page.text
    assert {product.model, product.task_type} <= set(page.codes)
    assert f"{product.price.points_per_unit:,} points" in page.text
    assert set(product.input.model_fields) <= set(page.codes)
    assert set(product.output.model_fields) <= set(page.codes)


def test_the_whole_catalogue_is_in_the_navigation() -> None:
    """Each product can be reached by a link."""
    for product in PRODUCTS:
        assert PAGE.text.count(product.title) >= 2


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.key)
def test_every_command_orders_what_its_example_says(product: Product) -> None:
    """Copied into a shell, a command sends the example as it is, long files included."""
    first, *others = orders_in(read(product))
    expected = [
        {"model": product.model, "task_type": product.task_type, "input": example.input} for example in product.examples
    ]
    assert others == expected
    assert first in expected


def test_the_commands_reach_this_server_with_the_key_of_the_environment() -> None:
    """They can be copied without a change."""
    commands = [code for code in PAGE.codes if code.startswith("curl")]
    assert commands
    for command in commands:
        assert f"{BASE}/api/v1/task" in shlex.split(command.replace("\\\n", " ")) or f"{BASE}/api/v1/task/" in command
        assert '-H "X-API-Key: $UNITASK_API_KEY"' in command


def test_a_single_quote_in_an_example_does_not_end_the_command() -> None:
    """The shell gets the body whole."""
    product = replace(FLUX, examples=(Example("Quoted", {"prompt": "the cat's \"bed\" $HOME `id` \\ 'x'"}),))
    assert orders_in(read(product))[-1]["input"] == product.examples[0].input


def test_a_long_file_is_marked_to_be_shown_shortened() -> None:
    """The whole of it is in the page, in one element that the style sheet cuts, and a sentence says so."""
    html = written(replace(FLUX, examples=(Example("File", {"image": PICTURE}),)))
    assert f'<span class="long">{PICTURE}</span>' in html
    assert "shown shortened; copying takes it whole" in html
    assert "shown shortened" not in written(FLUX)


def test_nested_fields_are_listed_with_their_path() -> None:
    """What is inside the objects of a list is explained too."""
    page = read(CATALOGUE.find("Qubico/flux1-dev-advanced", "controlnet-lora"))
    assert {"lora_settings", "lora_settings[].lora_type", "control_net_settings[].control_image"} <= set(page.codes)
    assert "23 values" in page.text
    assert "mystic-realism" in page.codes


def test_a_class_that_holds_itself_is_listed_once() -> None:
    """The walk through the fields ends."""
    node = create_model("Node", __base__=Input, name=(str, ...), below=("list[Node]", []))
    page = read(replace(FLUX, input=node, examples=()))
    assert page.codes.count("below[].name") == 1


@pytest.mark.parametrize(
    ("type_", "field", "words"),
    [
        (int, Field(ge=2, le=10), "2 to 10"),
        (int, Field(ge=2, le=2), "only 2"),
        (float, Field(gt=0), "above 0"),
        (float, Field(ge=0, lt=1), "at least 0, below 1"),
        (str, Field(max_length=2000), "at most 2,000 characters"),
        (str, Field(min_length=1), "at least 1 character"),
        (list[str], Field(min_length=1, max_length=3), "1 to 3 items"),
        (list[int], Field(max_length=1), "at most 1 item"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_limits_of_a_field_are_said_in_words(type_: Any, field: Any, words: str) -> None:
    """A reader needs no JSON schema."""
    inputs = create_model("Limited", __base__=Input, amount=(type_, field))
    assert words in read(replace(FLUX, input=inputs, examples=())).text


def test_the_limits_of_a_media_field_are_on_the_page() -> None:
    """Bytes and pixels."""
    assert "up to 10 MiB, 2,048 px a side" in read(CATALOGUE.find("Qubico/image-toolkit", "upscale")).text


def test_a_product_tells_its_limits() -> None:
    """How long it takes and how long its outputs stay."""
    page = read(replace(FLUX, expected_s=2.5, limit_s=90, keep_days=1))
    assert "about 2.5\xa0s, ended after 90\xa0s" in page.text
    assert "Outputs kept1 day" in page.text


def test_the_page_says_which_engine_makes_a_product_here() -> None:
    """With its level, so that nobody takes a preview for the model."""
    page = read(FLUX, choice=Choice(Recipe("painter", "full", "paint")))
    assert "Made herefull by the engine painter" in page.text
    assert "1 product on this server: 1 full." in page.text


def test_the_page_says_what_is_missing_for_a_product() -> None:
    """In the words of the engine that lacks it."""
    page = read(FLUX, choice=Choice(None, "painter: install the extra unitask[painter]"))
    assert "Made herenot available painter: install the extra unitask[painter]" in page.text
    assert "1 product on this server: 1 not available." in page.text


def test_statuses_and_errors_are_explained() -> None:
    """Every status of a task, and every refusal with what to change."""
    assert set(Status) <= set(PAGE.codes)
    assert {"400", "401", "402", "404", "409", "413", "422", "429", "500", "503"} <= set(PAGE.codes)
    assert "Wait as many seconds as Retry-After says" in PAGE.text


def test_hostile_text_of_a_product_is_only_text() -> None:
    """Whatever a package calls its products, fields and values, the page runs none of it."""
    inputs = create_model(
        "Hostile",
        __base__=Input,
        __doc__=HOSTILE,
        plain=(str, Field(HOSTILE, description=HOSTILE, json_schema_extra={"enum": [HOSTILE]})),
    )
    product = replace(
        FLUX,
        model=HOSTILE,
        task_type=HOSTILE,
        family=HOSTILE,
        title=HOSTILE,
        summary=f"{HOSTILE} `{HOSTILE}`",
        input=inputs,
        price=replace(FLUX.price, unit=HOSTILE),
        examples=(Example(HOSTILE, {"plain": HOSTILE}),),
    )
    missing = Choice(None, HOSTILE)
    html = written(product, choice=missing, base_url=f"{BASE}/{HOSTILE}")
    page = Reader(html)
    assert page.tags.count("script") == 1
    assert "<script>alert" not in html
    assert page.text.count(HOSTILE) > 8
    assert set(page.tags) <= set(PAGE.tags)
