"""What `GET /metrics` says, read by Prometheus' own parser."""

from dataclasses import dataclass
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from support.keys import WORKER_TOKEN

TOKEN = {"Authorization": f"Bearer {WORKER_TOKEN}", "X-API-Key": ""}


@dataclass(frozen=True)
class Scrape:
    """One scrape: families as the parser gives them."""

    families: list[Any]

    def value(self, name: str, **labels: str) -> float:
        """Add up the samples of a name that have these labels; 0 if there is none."""
        return sum(
            one.value
            for family in self.families
            for one in family.samples
            if one.name == name and labels.items() <= one.labels.items()
        )

    def names(self) -> dict[str, str]:
        """Give the type of each family by the name under which queries find it."""
        return {one.name + ("_total" if one.type == "counter" else ""): one.type for one in self.families}

    def labels(self) -> dict[str, set[str]]:
        """Give the labels that samples have, by the names of the samples."""
        found: dict[str, set[str]] = {}
        for family in self.families:
            for one in family.samples:
                found.setdefault(one.name, set()).update(one.labels)
        return found


def read(text: str) -> Scrape:
    """Read an answer."""
    return Scrape(list(text_string_to_metric_families(text)))


async def scrape(client: httpx.AsyncClient) -> Scrape:
    """Ask for it with the worker token."""
    answer = await client.get("/metrics", headers=TOKEN)
    assert answer.status_code == 200, answer.text
    return read(answer.text)
