"""docs/guide/quickstart.md and moving.md, run as a reader would; what they say of routes, statuses and limits is so."""

import re
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from support.examples import ADDRESS, run, runnable
from support.server import throw_away_server
from support.source import ROOT, text_of
from support.texts import blocks, section, tables
from unitask.api.openapi import document
from unitask.api.uploads import LIMIT_BYTES
from unitask.api.wording import REFUSALS, STATUSES
from unitask.catalogue import Catalogue
from unitask.kit.money import POINTS_PER_USD
from unitask.settings import Settings
from unitask.spec.product import KEEP_DAYS

GUIDES = {name: text_of(ROOT / f"docs/guide/{name}.md") or "" for name in ("quickstart", "moving")}
MADE = {
    "quickstart": {"boat.png", "cut.png", "large.png"},
    "moving": {"cat.json", "boat.json", "swapped.png"},
}


def rows(heading: str) -> dict[str, str]:
    """Read a table of the page about moving: what stands in its first column, and what is said of it here."""
    (table,) = tables(section(GUIDES["moving"], heading))
    return {row[0]: row[1] for row in table}


@pytest.mark.parametrize("name", GUIDES)
def test_the_examples_work_one_after_the_other(name: str, tmp_path: Path) -> None:
    """In order, in one folder, against a server that may post to this machine, as the text says."""
    folder = tmp_path / "reader"
    folder.mkdir()
    examples = runnable(GUIDES[name])
    with throw_away_server(tmp_path, UNITASK_ALLOW_PRIVATE_NETWORKS="1") as server:
        said = [run(block, server, folder) for block in examples]
        if name == "moving":
            for route, here in rows("Routes").items():
                if "not here" in here:
                    paths = re.findall(r"/[\w/.]+", route)
                    _is_not_there(f"{server.address}{paths[0].replace('...', 'x')}", server.api_key)
    assert {path.name for path in folder.iterdir()} == MADE[name]
    assert not [
        block.line for block, output in zip(examples, said, strict=True) if not output and "> " not in block.body
    ]


def _is_not_there(address: str, key: str) -> None:
    answer = httpx.post(address, headers={"X-API-Key": key}, json={}, trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND), address


def test_the_quickstart_tells_the_webhook_s_end() -> None:
    """Its receiver is the block that would pass silently, had no message come."""
    (receiver,) = (block for block in runnable(GUIDES["quickstart"]) if "HTTPServer" in block.body)
    assert "told[0]" in receiver.body
    assert ADDRESS in receiver.body


def test_the_routes_of_the_page_exist() -> None:
    """Whatever it says is the same here, or ours, is in the OpenAPI document, with that method."""
    paths = document(Catalogue.load(), ADDRESS)["paths"]
    spelled = {re.sub(r"\{\w+\}", "{}", path): set(methods) for path, methods in paths.items()}
    for route, here in rows("Routes").items():
        found = re.match(r"`([A-Z]+) ([^`?]+)", route)
        if found and "not here" not in here:
            assert found[1].lower() in spelled[re.sub(r"\{\w+\}", "{}", found[2])], route


def test_statuses_and_refusals_of_the_page_are_those_there_are() -> None:
    """No status more or less."""
    shown = rows("Statuses")
    ours = {word for status, here in shown.items() if "never" not in here for word in re.findall(r"`(\w+)`", status)}
    assert ours == set(STATUSES)
    numbers = {int(number) for status in rows("Refusals") for number in re.findall(r"\d{3}", status)}
    assert numbers == set(REFUSALS)


def test_the_numbers_of_the_page_are_the_code_s() -> None:
    """Limits, points, days."""
    said = rows("Limits, prices, points and files")
    fields = Settings.model_fields
    assert f"{LIMIT_BYTES // 2**20} MiB" in said["file in an upload or a field as base64"]
    assert f"{fields['body_limit_bytes'].default // 2**20} MiB" in said["body of a request"]
    assert f"{POINTS_PER_USD:,}" in said["points"]
    assert f"{KEEP_DAYS} days, AI Hug 1 day" in said["outputs stay"]
    assert {one.model for one in Catalogue.load() if one.keep_days == 1} == {"Qubico/hug-video"}
    assert f"({fields['staged_limit'].default})" in rows("Statuses")["`staged`"]


def test_the_hosted_service_can_stand_behind_the_server_as_the_page_says(tmp_path: Path) -> None:
    """Its file of providers is read: what has a route is made in its order, all else can be passed on."""
    (tables_of_providers,) = (block.body for block in blocks(GUIDES["moving"]) if block.info == "toml")
    path = tmp_path / "providers.toml"
    path.write_text(tables_of_providers)
    catalogue = Settings.load(data=tmp_path, providers=path).routing().apply(Catalogue.load())
    makers = {product.key: [recipe.engine for recipe in product.recipes] for product in catalogue}
    assert makers["Qubico/image-toolkit/face-swap"] == ["onnx", "cpu", "hub"]
    assert all("hub" in engines for engines in makers.values())
