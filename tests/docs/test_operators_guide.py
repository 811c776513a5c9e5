"""docs/guide/operators.md and docs/guide/runbook.md say what there is: every metric, every check, every alert."""

import re

import httpx
import pytest
import yaml

from support.scrapes import scrape
from support.source import ROOT, no_offenders, text_of
from unitask.api.metrics_installation import of_installation
from unitask.app import Services
from unitask.kit.meters import METERS

GUIDE = text_of(ROOT / "docs/guide/operators.md") or ""
RUNBOOK = text_of(ROOT / "docs/guide/runbook.md") or ""
ROW = re.compile(r"^\| `((?:unitask|process)_\w+)` \| (all|own) \|([^|]*)\| ([^|]+) \|$", re.MULTILINE)
PARTS = ("**What it means.**", "**Look.**", "**Do.**", "**Over when**")


def table() -> dict[str, tuple[str, set[str]]]:
    """Read the table: of whom each metric is, and its labels."""
    rows = ROW.findall(GUIDE)
    assert len(rows) == len({row[0] for row in rows})
    return {name: (of, set(re.findall(r"`(\w+)`", labels))) for name, of, labels, _ in rows}


@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
async def test_every_metric_is_in_the_table_and_the_other_way_round(
    client: httpx.AsyncClient, services: Services
) -> None:
    """With who tells it and by which labels."""
    shared = {name: set(labels) for name, _, labels, _ in await of_installation(services)}
    own = {one.name: set(one.labels) for one in METERS}
    listed = table()
    found = set((await scrape(client)).names())
    assert set(listed) == found
    assert {name for name, (of, _) in listed.items() if of == "all"} == set(shared)
    no_offenders(
        (f"{name}: {labels}" for name, labels in (shared | own).items() if listed[name][1] != labels),
        "The table has the labels of each metric.",
    )


@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
async def test_every_check_of_readiness_is_explained(client: httpx.AsyncClient) -> None:
    """By the name that the answer gives it."""
    checks = (await client.get("/readyz")).json()["checks"]
    section = GUIDE.partition("## Readiness")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(checks)


def test_every_alert_has_its_section_in_the_runbook() -> None:
    """With what it means, how to look, what to do and when it is over; no section is left of an alert that went."""
    (group,) = yaml.safe_load(text_of(ROOT / "deploy/prometheus/alerts.yml") or "")["groups"]
    alerts = {rule["alert"]: rule for rule in group["rules"]}
    sections = dict(re.findall(r"^## (Unitask\w+)\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
    assert list(sections) == list(alerts), "in the order of the rules"
    for name, text in sections.items():
        assert [part for part in PARTS if part not in text] == [], name
        assert alerts[name]["annotations"]["runbook"] == f"docs/guide/runbook.md#{name.lower()}"
        assert alerts[name]["labels"]["severity"] in {"page", "ticket"}
