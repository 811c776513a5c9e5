"""Write the bill of materials of a release: what a server installs, with hashes and licences, as CycloneDX.

cyclonedx-py reads requirements/run.txt; licences are those of docs/dependencies.md, which a test holds against what the
installed packages say of themselves. The same lock gives the same bytes: no time and no number of chance is in it.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import orjson
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator

ROOT = Path(__file__).parents[1]
CYCLONEDX = Path(sys.executable).with_name("cyclonedx-py")


def canonical(name: str) -> str:
    """Give the normal name of a package."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licences() -> dict[str, str]:
    """Read the page: the licence of every package, by its normal name."""
    direct, _, brought = (ROOT / "docs/dependencies.md").read_text("utf-8").partition("## What these bring along")
    found = {canonical(package): licence for package, _, licence, _, _ in rows(direct, 5)}
    for licence, *columns in rows(brought, 4):
        found |= {canonical(name.strip()): licence for column in columns for name in column.split(",")}
    return found


def rows(text: str, width: int) -> list[list[str]]:
    """Read the rows of tables that have so many columns."""
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return [cells for cells in found if len(cells) == width]


def listed() -> dict[str, Any]:
    """Let cyclonedx-py read the lock."""
    command = [CYCLONEDX, "requirements", "requirements/run.txt", "--pyproject", "pyproject.toml"]
    done = subprocess.run(
        [*command, "--output-reproducible", "--no-validate"], cwd=ROOT, check=True, capture_output=True, timeout=60
    )
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found


def licensed(component: dict[str, Any], licence: str | None) -> dict[str, Any]:
    """Give a component its licence, and a name by which others can refer to it in place of a line of the lock."""
    kept = {name: value for name, value in component.items() if name != "description"}
    kept["bom-ref"] = component["purl"]
    return kept | ({"licenses": [{"expression": licence, "acknowledgement": "declared"}]} if licence else {})


def sdk() -> dict[str, Any]:
    """Describe our own package beside the server, which no lock names."""
    project = tomllib.loads((ROOT / "sdk/pyproject.toml").read_text("utf-8"))["project"]
    purl = f"pkg:pypi/{project['name']}@{project['version']}"
    named = {name: project[name] for name in ("name", "version", "description")}
    return licensed({"type": "library", "purl": purl, **named}, project["license"])


def bill() -> bytes:
    """Put it together, and hold it against the schema of CycloneDX.

    Raises:
        SystemExit: it does not fit the schema.

    """
    found, known = listed(), licences()
    parts = [licensed(one, known.get(canonical(one["name"]))) for one in found["components"]]
    found["components"] = sorted([*parts, sdk()], key=lambda one: one["bom-ref"])
    root = found["metadata"]["component"]
    root["purl"] = f"pkg:pypi/{root['name']}@{root['version']}"
    root["bom-ref"] = root["purl"]
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*asked["dependencies"], *(one for some in asked["optional-dependencies"].values() for one in some)]
    names = {canonical(re.split(r"[^\w.-]", one, maxsplit=1)[0]) for one in wanted}
    direct = [one["bom-ref"] for one in found["components"] if canonical(one["name"]) in names]
    found["dependencies"] = [{"ref": root["bom-ref"], "dependsOn": direct}]
    found["dependencies"] += [{"ref": one["bom-ref"]} for one in found["components"]]
    content = orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
    wrong = make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_6).validate_str(content.decode())
    if wrong is not None:
        raise SystemExit(f"the bill of materials does not fit the schema of CycloneDX 1.6: {wrong}")
    return content


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(bill())
    print(f"{target} is written")
