"""One Ray cluster for all, an installation with a controller of its own for each test."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.installation import Installation
from support.plugin import install_plugin
from support.pools import Controlled
from support.raynodes import ENVIRONMENT, RayNodes


@pytest.fixture
def database_source(postgres_server: str) -> str:
    """Be on PostgreSQL alone: that is where many machines work."""
    return postgres_server


@pytest.fixture(scope="session")
def ray_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayNodes]:
    """Start a Ray cluster with a head; tests add the nodes that they need."""
    folder = tmp_path_factory.mktemp("ray")
    settings = {"DATA": str(folder / "data"), "ALLOW_PRIVATE_NETWORKS": "1", "LOG_JSON": "1", "DEVICES": "cuda:9"}
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("UNITASK_")]:
            patch.delenv(name)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        pytest.importorskip("ray", reason="the tests of workers on Ray need the extra ray")
        started = RayNodes(
            {**install_plugin(folder / "plugin"), **{f"UNITASK_{name}": value for name, value in settings.items()}}
        )
        yield started
        started.close()


@pytest.fixture
def node(ray_nodes: RayNodes) -> Iterator[Callable[..., Any]]:
    """Add nodes for the time of a test."""
    added: list[Any] = []

    def add(cpus: int, **has: Any) -> Any:
        added.append(ray_nodes.add(cpus, **has))
        return added[-1]

    yield add
    for one in added:
        if one.any_processes_alive():
            ray_nodes.remove(one)


@pytest.fixture
def controlled(
    request: pytest.FixtureRequest, ray_nodes: RayNodes, node: Callable[..., Any], database_url: str, tmp_path: Path
) -> Iterator[Controlled]:
    """Install with workers that a controller keeps; at the end they are drained, and nothing runs."""
    del node  # nodes end after the workers
    name = f"test-{request.node.name.partition('[')[0].encode().hex()[-8:]}"
    made = Controlled(Installation(tmp_path, database_url, ENVIRONMENT), ray_nodes.address, name)
    yield made
    sys.stdout.write(made.installation.said())
    made.end()
