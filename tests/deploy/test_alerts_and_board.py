"""What the board and the alerts ask for exists in a scrape of a process that has done a little of everything.

The parser of expressions here knows just enough: names, labels in braces, labels behind `by`. promtool knows all, and
reads the rules where it is installed.
"""

import json
import re
import shutil
import subprocess
from typing import Any

import httpx
import pytest
import yaml

from support.customer import Customer, with_webhook
from support.keys import WORKER_TOKEN
from support.orders import CAT
from support.scrapes import Scrape, scrape
from support.source import ROOT, no_offenders, text_of
from support.wait import answered
from support.worker import HandWorker
from unitask.api import Application
from unitask.app import Services
from unitask.webhooks.deliver import Deliverer

BOARD = ROOT / "deploy/grafana/unitask.json"
RULES = ROOT / "deploy/prometheus/alerts.yml"
NAME = re.compile(r"\b(?:unitask|process)_[a-z_]+\b|\bup\b")
SELECTOR = re.compile(r"\b((?:unitask|process)_[a-z_]+)\{([^}]*)\}")
SUFFIXES = ("_bucket", "_count", "_sum")
OF_PROMETHEUS = {"instance", "job", "le"}
NOT_SHOWN = {"process_start_time_seconds", "process_virtual_memory_bytes"}
TOKEN = {"Authorization": f"Bearer {WORKER_TOKEN}", "X-API-Key": ""}
BEAT = {
    "worker_id": "w",
    "name": "w",
    "engines": ["hub"],
    "providers": [{"provider": "hub", "engine": "upstream", "state": "up", "latency_ms": 12.5}],
}


def rules() -> list[dict[str, Any]]:
    """Read the alerts."""
    (group,) = yaml.safe_load(text_of(RULES) or "")["groups"]
    return list(group["rules"])


def targets() -> list[tuple[str, str]]:
    """Read the expressions of the board, with their titles."""
    panels = json.loads(text_of(BOARD) or "")["panels"]
    return [(panel["title"], one["expr"]) for panel in panels for one in panel.get("targets", [])]


def expressions() -> list[tuple[str, str]]:
    """Give all expressions, by the name of who has them."""
    return [*targets(), *((rule["alert"], rule["expr"]) for rule in rules())]


@pytest.fixture
async def found(client: httpx.AsyncClient, services: Services, deliverer: Deliverer) -> Scrape:
    """Scrape a process in which a task ended, a webhook failed, a provider was seen and chores were done."""
    customer, worker = await Customer.of(services), HandWorker(services)
    await customer.orders(2, with_webhook(CAT))
    (work,) = await worker.claim()
    assert await worker.complete(work, cost_points=1)
    await deliverer.round()
    assert (await client.post("/worker/v1/beat", json=BEAT, headers=TOKEN)).is_success
    application = Application(services)
    async with application.lifespan(None):

        async def looked() -> bool:
            seen = await scrape(client)
            return bool(seen.value("unitask_store_up") and seen.value("unitask_event_loop_lag_seconds_count"))

        await answered(looked, within_s=10, what="a look at loop and store")
    return await scrape(client)


@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
async def test_every_expression_asks_for_what_there_is(found: Scrape) -> None:
    """Names of metrics, and labels that these have."""
    labels = found.labels()
    families = found.names()
    known = {
        "up",
        *families,
        *(name + end for name, kind in families.items() if kind == "histogram" for end in SUFFIXES),
    }
    no_offenders(
        (f"{who}: {name}" for who, text in expressions() for name in NAME.findall(text) if name not in known),
        "Board and alerts name metrics that are exposed.",
    )
    no_offenders(
        (
            f"{who}: {name}{{{label}}}"
            for who, text in expressions()
            for name, inside in SELECTOR.findall(text)
            for label in re.findall(r"(\w+)\s*[=!]~?", inside)
            if name in labels and label not in labels[name] | OF_PROMETHEUS
        ),
        "Board and alerts choose by labels that the metric has.",
    )
    no_offenders(
        (
            f"{who}: by {label}"
            for who, text in expressions()
            for clause in re.findall(r"\bby \(([^)]*)\)", text)
            for label in (one.strip() for one in clause.split(","))
            if label not in OF_PROMETHEUS
            and not any(label in labels.get(name, {label}) for name in NAME.findall(text) if name != "up")
        ),
        "Board and alerts group by labels that exist.",
    )


@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
async def test_every_metric_stands_on_the_board(found: Scrape) -> None:
    """Or is listed here with those that nobody would look at."""
    shown = {name for _, text in targets() for name in NAME.findall(text)}
    shown |= {name.removesuffix(end) for name in shown for end in SUFFIXES}
    no_offenders((name for name in found.names() if name not in shown | NOT_SHOWN), "Every metric is on the board.")


def test_the_board_can_be_imported_anywhere() -> None:
    """One variable chooses the data source, and nothing names one of ours; every panel has its own number."""
    board = json.loads(text_of(BOARD) or "")
    assert [one["name"] for one in board["templating"]["list"] if one["type"] == "datasource"] == ["datasource"]
    sources = re.findall(r'"uid": "([^"]*)"', text_of(BOARD) or "")
    assert set(sources) == {"unitask", "${datasource}"}
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(numbers) == len(set(numbers))
    assert [one["title"] for one in board["panels"] if one["type"] == "row"] == [
        "Orders",
        "Queue",
        "Workers",
        "Engines and products",
        "Providers",
        "Webhooks",
        "API",
        "Machine",
    ]


@pytest.mark.parametrize("who", expressions(), ids=lambda who: who[0])
def test_braces_close(who: tuple[str, str]) -> None:
    """Whoever edits an expression by hand sees at once that it cannot be read."""
    for opened, closed in ("()", "{}", "[]"):
        assert who[1].count(opened) == who[1].count(closed)


def test_promtool_reads_the_rules() -> None:
    """With the program itself, where it is installed; its own tests of the rules too."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed; on Debian: apt-get install prometheus")
    for words in (
        ["check", "rules", RULES.name],
        ["check", "config", "--syntax-only", "prometheus.yml"],
        ["test", "rules", "test.yml"],
    ):
        said = subprocess.run(
            [program, *words], cwd=RULES.parent, check=False, capture_output=True, text=True, timeout=60
        )
        assert said.returncode == 0, said.stdout + said.stderr
