"""What was measured: docs/benchmarks.json and docs/scale.json, each section with its date, machine and versions."""

import datetime as dt
import functools
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from backends import postgres_version
from peer import redis_program

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "docs" / "benchmarks.json"
SCALE = ROOT / "docs" / "scale.json"


@functools.cache
def machine() -> dict[str, Any]:
    """Describe where and with what a measurement is taken; asked first when it begins, for the load before it."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    program = redis_program()
    redis = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout if program else ""
    return {
        "cores": os.cpu_count(),
        "cpu": cpu,
        "memory_gib": round(memory),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": postgres_version(),
        "redis": redis.partition("v=")[2].partition(" ")[0],
        "unitask": version("unitask"),
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.strip(),
        "load": round(os.getloadavg()[0], 1),
    }


def read(path: Path) -> dict[str, Any]:
    """Read all that is known."""
    found: dict[str, Any] = orjson.loads(path.read_bytes()) if path.exists() else {}
    return found


def save(section: str, content: dict[str, Any], path: Path = BENCHMARKS) -> None:
    """Put a section in the place of the last one of its name."""
    stamp = {"at": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"), "machine": machine()}
    document = {**read(path), section: {**stamp, **content}}
    written = path.with_suffix(".part")
    written.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    written.replace(path)
