"""An installation whose workers a controller keeps on Ray."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from support.installation import Installation, Program
from support.wait import answered, until

LIMIT_S: Final = 120.0


@dataclass
class Controlled:
    """The API and what is said of the cluster; `name` keeps tests on one cluster apart."""

    installation: Installation
    address: str
    name: str

    def controller(self, **pool: Any) -> Program:
        """Start a controller of one pool of the engine `tester`, which shrinks only if it is told so."""
        usual = {"tasks_per_worker": 1, "wait_s": 600, "idle_s": 3600, "drain_s": 20}
        asked = {"name": "tester", "products": ["tester/*"], "engines": ["tester"], **usual, **pool}
        path = Path(self.installation.folder / f"cluster-{len(self.installation.programs)}.toml")
        path.write_text("[[pool]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in asked.items()))
        return self.installation.start(
            "cluster", "run", "--address", self.address, "--name", self.name, "--pools", str(path), "--every", "0.2"
        )

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `unitask cluster` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "unitask", "cluster", *words],
            env=self.installation._environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def stop(self) -> subprocess.CompletedProcess[str]:
        """Drain all workers."""
        return self.command("stop", "--address", self.address, "--name", self.name)

    async def pool(self) -> dict[str, Any]:
        """Read what was said of the pool last, or nothing."""
        async with self.installation.client(self.token) as client:
            clusters = (await client.get("/worker/v1/clusters")).json()["clusters"]
        found: dict[str, Any] = clusters[0]["pools"][0] if clusters else {}
        return found

    @property
    def token(self) -> dict[str, str]:
        """The worker token as a header."""
        return {"Authorization": f"Bearer {self.installation._environment['UNITASK_WORKER_TOKEN']}"}

    async def actors(self, *states: str, tasks: int = 0, restarts: int = 0) -> list[dict[str, Any]]:
        """Wait for actors in these states, in any order, with so many tasks together and at least so many restarts."""
        last: dict[str, Any] = {}

        async def look() -> bool:
            last.update(await self.pool())
            actors = last.get("actors")
            if actors is None:
                return False
            sums = {name: sum(one[name] for one in actors) for name in ("tasks", "restarts")}
            fits = sorted(one["state"] for one in actors) == sorted(states)
            return fits and sums["tasks"] == tasks and sums["restarts"] >= restarts

        await answered(look, within_s=LIMIT_S, what=f"actors that are {states}")
        found: list[dict[str, Any]] = last["actors"]
        return found

    def end(self) -> None:
        """End the controllers, drain the workers, end the rest."""
        for program in self.installation.programs:
            if "cluster" in program.log.name and program.process.poll() is None:
                program.send(signal.SIGKILL)
                program.process.wait()
        tried = []

        def drained() -> bool:
            tried.append(self.stop())
            return tried[-1].returncode == 0

        try:
            # Until Ray hears that a killed controller is gone, its name is taken.
            until(drained, within_s=LIMIT_S, what=lambda: f"the end of the workers ({tried[-1].stderr})")
        finally:
            self.installation.end()
