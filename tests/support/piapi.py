"""`piapi-cli`, a client of the hosted service that others wrote, run unmodified against a server of ours."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from support.machine import Api

PROGRAM: Final = Path(sys.executable).with_name("piapi-cli")
OFTEN: Final = ("--poll-interval", "0.2")


@dataclass(frozen=True)
class Cli:
    """The command as a person would run it who has set nothing but addresses and a key."""

    address: str
    key: str

    @classmethod
    def of(cls, api: Api) -> "Cli":
        """Set the command up for a server."""
        return cls(str(api.http.base_url).rstrip("/"), api.http.headers["X-API-Key"])

    def __call__(self, *arguments: str, key: str = "", limit_s: float = 90) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        ours = {"PIAPI_API_BASE": self.address, "PIAPI_LLM_BASE": f"{self.address}/v1", "NO_PROXY": "*"}
        return subprocess.run(
            [PROGRAM, *arguments],
            env={**os.environ, **ours, "PIAPI_API_KEY": key or self.key},
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )


def said(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Read the task that a successful command printed."""
    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    answer = json.loads(run.stdout)
    assert (list(answer), answer["code"], answer["message"]) == (["code", "data", "message"], 200, "success")
    task: dict[str, Any] = answer["data"]
    return task
