"""`unitask cluster`."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Any, Final

import click

from unitask.cli.door import api_and_token
from unitask.cluster.controller import Controller, Plan
from unitask.cluster.door import Door
from unitask.cluster.fleet import Fleet
from unitask.cluster.pools import read
from unitask.kit import log
from unitask.kit.errors import Conflict
from unitask.settings import Settings
from unitask.spec.cluster import ClusterReport, ReportSeen

_HEADS: Final = ("POOL", "WANTED", "ACTOR", "STATE", "TASKS", "NODE", "WORKER", "")

_address = click.option(
    "--address",
    default="auto",
    show_default=True,
    help="The Ray cluster: auto, ray://host:10001, host:port, or local for one on this machine that ends with this.",
)
_api = click.option("--api", "api_url", help="Address of the API, as the nodes of the cluster reach it.")
_name = click.option(
    "--name", default="main", show_default=True, help="Tells controllers with clusters of their own apart."
)


def _settings(api_url: str | None) -> Settings:
    settings = Settings.load(api_url=api_url)
    log.configure(settings.log_level, as_json=settings.log_json)
    return settings


@contextlib.contextmanager
def _door(settings: Settings) -> Iterator[Door]:
    door = Door(*api_and_token(settings))
    try:
        yield door
    finally:
        door.close()


def _told_to_end() -> Event:
    """Hear SIGTERM and Ctrl-C; a second one ends at once."""
    stop = Event()

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        if stop.is_set():
            raise SystemExit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return stop


@click.group()
def cluster() -> None:
    """Keep workers on a Ray cluster, as many as the queue needs."""


@cluster.command()
@_address
@_api
@_name
@click.option(
    "--pools",
    "pools_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file of pools. Default: one for everything, as large as the cluster.",
)
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(0.1, 10),
    default=2.0,
    show_default=True,
    help="Seconds from one look at the queue to the next.",
)
def run(address: str, api_url: str | None, name: str, pools_file: Path | None, every_s: float) -> None:
    """Run the controller. Its workers go on without it, unless the cluster is `local`."""
    settings = _settings(api_url)
    pools = read(pools_file) if pools_file else ()
    with _door(settings) as door:
        door.demand()
        fleet = Fleet.join(address, name)
        stop = _told_to_end()
        controller = Controller(fleet, door, _plan(settings, name, pools, every_s))
        try:
            controller.run(stop)
            if address == "local":
                click.echo("waiting for the workers to finish what they have; end me again to let it be", err=True)
                stop.clear()
                controller.retire(stop)
        finally:
            fleet.close()


def _plan(settings: Settings, name: str, pools: Any, every_s: float) -> Plan:
    api, token = api_and_token(settings)
    worker = {"UNITASK_API_URL": api, "UNITASK_WORKER_TOKEN": token}
    return Plan(name, pools, settings.engines or (), worker, every_s)


@cluster.command()
@_address
@_api
@_name
def stop(address: str, api_url: str | None, name: str) -> None:
    """Drain all workers that a controller has started, and wait until they are gone."""
    settings = _settings(api_url)
    with _door(settings) as door:
        fleet = Fleet.join(address, name)
        told = _told_to_end()
        try:
            if not fleet.leads():
                raise Conflict(f"a controller named {name} runs on this cluster: end it first")
            Controller(fleet, door, _plan(settings, name, (), 1.0)).retire(told)
        finally:
            fleet.close()


@cluster.command()
@_api
@click.option("--json", "as_json", is_flag=True, help="The reports as JSON.")
def status(api_url: str | None, *, as_json: bool) -> None:
    """Show what the controllers have said to the API lately: pools, workers and what is wanted."""
    settings = _settings(api_url)
    with _door(settings) as door:
        answer = door.reports()
    if as_json:
        click.echo(answer.model_dump_json(indent=2))
    elif not answer.clusters:
        click.echo("No controller has said anything for half a minute; one is started by: unitask cluster run")
    else:
        click.echo("\n\n".join(_text(seen) for seen in answer.clusters))


def _text(report: ReportSeen) -> str:
    lines = [f"{report.name}: {report.nodes} nodes of Ray, Unitask {report.version}, said {report.age_s:g} s ago"]
    for pool in report.pools:
        oldest = "" if pool.oldest_s is None else f", the oldest for {pool.oldest_s:g} s"
        lines.append(f"  {pool.name}: {pool.waiting} waiting{oldest}, {pool.processing} processing")
    rows = _rows(report)
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADS))]
    lines += ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def _rows(report: ClusterReport) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [_HEADS]
    for pool in report.pools:
        first = (pool.name, f"{pool.wanted} of {pool.most}")
        rows += [
            (*(first if place == 0 else ("", "")), one.id, one.state, str(one.tasks), one.node, one.worker, one.note)
            for place, one in enumerate(pool.actors)
        ] or [(*first, "-", "", "", "", "", "")]
    return rows
