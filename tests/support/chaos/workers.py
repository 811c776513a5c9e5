"""Customers who order and workers that suffer, all at once and by chance."""

import asyncio
import json
import signal
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import Any, Final

import httpx

from support.accounts import Person
from support.books import limits_passed
from support.installation import Installation, Program, order
from support.sql import rows
from unitask.db import Database

WORKERS: Final = 3
LEAST_S: Final = 5.0
MOST_S: Final = 25.0
STARTED: Final = '"message":"started"'
FROZEN_S: Final = (1.1, 2.5)


def reports(said: str) -> list[tuple[str, int, bool]]:
    """Read in the logs of workers which attempts they reported as done, and whether that counted."""
    lines = (json.loads(line) for line in said.splitlines() if line.startswith("{") and '"accepted"' in line)
    return [(line["task_id"], line["attempt"], line["accepted"]) for line in lines if line["message"] == "done"]


@dataclass
class Chaos:
    """What goes on, and what was seen of it."""

    installation: Installation
    random: Random
    client: httpx.AsyncClient
    database: Database
    people: list[Person]
    workers: list[Program] = field(default_factory=list)
    ordered: dict[str, dict[str, Any]] = field(default_factory=dict)
    owner: dict[str, Person] = field(default_factory=dict)
    over: bool = False
    refused: int = 0
    cancelled: set[str] = field(default_factory=set)
    kills: int = 0
    freezes: int = 0
    samples: int = 0
    beyond_limit: list[Any] = field(default_factory=list)

    async def customers_order(self) -> None:
        """Order every few milliseconds: mostly short work, some files, one in ten fails, some are taken back."""
        while not self.over:
            person = self.random.choice(self.people)
            chance = self.random.random()
            if chance < 0.1:
                what = order("raise")
            elif chance < 0.3:
                what = order("save_file")
            else:
                what = order("slow_steps", seconds=self.random.uniform(0.005, 0.5), steps=3)
            answer = await self.client.post("/api/v1/task", json=what, headers=person.headers)
            if answer.is_success:
                task_id = answer.json()["data"]["task_id"]
                self.ordered[task_id], self.owner[task_id] = what, person
                if self.random.random() < 0.05:
                    await self.cancel(task_id)
            else:
                assert answer.status_code == 429, answer.text
                self.refused += 1
            await asyncio.sleep(self.random.uniform(0, 0.04))

    async def cancel(self, task_id: str) -> None:
        """Take an order back, if it has not ended."""
        answer = await self.client.delete(f"/api/v1/task/{task_id}", headers=self.owner[task_id].headers)
        assert answer.status_code in {200, 409}, answer.text
        if answer.is_success:
            self.cancelled.add(task_id)

    async def limits_are_watched(self) -> None:
        """Sample that no account has more tasks in the queue's open states than it may."""
        while not self.over:
            self.beyond_limit += await limits_passed(self.database)
            self.samples += 1
            await asyncio.sleep(0.03)

    async def worker_suffers(self, index: int) -> None:
        """Once it works, kill it and start another, or freeze it past its lease and let it go on."""
        while not self.over:
            await asyncio.sleep(self.random.uniform(0.2, 1.0))
            if STARTED not in self.workers[index].log.read_text():
                continue
            if self.random.random() < 0.3:
                self.workers[index].kill()
                self.kills += 1
                self.workers[index] = self.installation.work()
            else:
                self.workers[index].send(signal.SIGSTOP)
                await asyncio.sleep(self.random.uniform(*FROZEN_S))
                self.workers[index].send(signal.SIGCONT)
                self.freezes += 1

    async def rescues(self) -> int:
        """Count the tasks that needed more than one attempt."""
        (row,) = await rows(self.database, "select count(*) as n from tasks where attempt > 1")
        return int(row["n"])

    def reports(self) -> list[tuple[str, int, bool]]:
        """Read in the workers' logs which attempts they reported as done, and whether that counted."""
        return reports(self.installation.said())

    def fenced(self) -> int:
        """Count the reports that were refused because the attempt had been lost."""
        return sum(not accepted for _, _, accepted in self.reports())

    async def rages(self) -> None:
        """Let it all happen at once, until something was really rescued and something really refused."""
        began = monotonic()
        sides = [self.customers_order(), self.limits_are_watched(), *map(self.worker_suffers, range(WORKERS))]
        tasks = [asyncio.create_task(side) for side in sides]
        try:
            while (passed := monotonic() - began) < MOST_S:
                if passed > LEAST_S and await self.rescues() and self.fenced():
                    break
                done, _ = await asyncio.wait(tasks, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            self.over = True
            await asyncio.gather(*tasks)
