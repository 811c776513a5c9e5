"""A Ray cluster of several nodes on this machine, on loopback alone: nodes are added, and killed as by a power cut."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import psutil

from support.processes import runs
from support.wait import until

# Read by Ray when it is imported: no reports to its makers, no address but loopback's, and nobody without this token.
ENVIRONMENT: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
}
_STORE_BYTES: Final = 80_000_000
_TABLES: Final = """
import json, sys
import ray
from ray._private.state import state
ray.init(address=sys.argv[1], log_to_driver=False, configure_logging=False)
state._connect_and_get_accessor() if hasattr(state, "_connect_and_get_accessor") else state._really_init_global_state()
accessor = state._global_state_accessor
tables = {
    "actors": accessor.get_actor_table(None, None),
    "jobs": accessor.get_job_table(skip_submission_job_info_field=True),
    "nodes": [str(ray.nodes())],
    "workers": accessor.get_worker_table(),
}
print(json.dumps({name: [str(row) for row in rows] for name, rows in tables.items()}))
"""


class RayNodes:
    """A head without room for workers, and nodes that have it. `found_by`: the environment in which workers start."""

    def __init__(self, found_by: dict[str, str]) -> None:
        from ray.cluster_utils import Cluster  # noqa: PLC0415 - its environment must be set first

        self._environment = found_by
        self.folder = Path(tempfile.mkdtemp(prefix="unitask-ray-"))  # short: the names of sockets may not be long
        # Ray writes the head's address here whatever folder it is given, and does not make the folder.
        Path(tempfile.gettempdir(), "ray").mkdir(exist_ok=True)
        head = {"num_cpus": 0, "num_gpus": 0, "include_dashboard": False, "temp_dir": str(self.folder)}
        self._cluster = Cluster(initialize_head=True, head_node_args={"object_store_memory": _STORE_BYTES, **head})

    @property
    def address(self) -> str:
        """Where it is."""
        return str(self._cluster.address)

    def add(self, cpus: int, **has: Any) -> Any:
        """Add a node."""
        return self._cluster.add_node(
            num_cpus=cpus, object_store_memory=_STORE_BYTES, env_vars=self._environment, **{"num_gpus": 0, **has}
        )

    def kill(self, node: Any) -> None:
        """Cut a node's power: all its processes end at once."""
        family = [process for one in node.live_processes() for process in _family(one[1].pid)]
        for process in family:
            process.kill()
        self._cluster.remove_node(node, allow_graceful=False)
        until(lambda: not any(runs(process.pid) for process in family), within_s=10, what="the end of a node")

    def remove(self, node: Any) -> None:
        """Take a node away so that Ray hears of it: it places nothing more there."""
        self._cluster.remove_node(node, allow_graceful=True)

    def tables(self) -> dict[str, list[str]]:
        """Read what Ray shows of actors, jobs, nodes and workers."""
        command = [sys.executable, "-W", "ignore", "-c", _TABLES, self.address]
        said = subprocess.run(
            command, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, timeout=60, check=False
        )
        assert said.returncode == 0, said.stderr
        found: dict[str, list[str]] = json.loads(said.stdout.splitlines()[-1])
        return found

    def written(self) -> str:
        """Read everything that Ray and what it runs have written into files."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return "\n".join(path.read_text(errors="replace") for path in files)

    def close(self) -> None:
        """End all nodes."""
        self._cluster.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)


def _family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]
