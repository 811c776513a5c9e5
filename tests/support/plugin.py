"""Plug-ins as packages of others bring them: a module and its entry points in a folder on the path."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

TESTER = Path(__file__).with_name("tester.py")


def install(folder: Path, module: Path, **groups: Mapping[str, str]) -> dict[str, str]:
    """Put a module into a folder, with the metadata that a package manager would write beside it.

    `engines={"name": "ATTRIBUTE"}` and `products={...}` are its entry points. Gives the environment in which a
    process finds it; several modules may share a folder.
    """
    name = module.stem
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(module, folder)
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [
        line
        for group, entries in groups.items()
        for line in (f"[unitask.{group}]", *(f"{entry} = {name}:{attribute}" for entry, attribute in entries.items()))
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))}


def install_plugin(folder: Path, *, keeper: bool = False) -> dict[str, str]:
    """Install the engine `tester`, and `needy` that always lacks something, with their products; see `tester.py`.

    `keeper` too if wanted: every worker would start a process for each of its devices.
    """
    engines = {"tester": "ENGINE", "needy": "NEEDY"} | ({"keeper": "KEEPER"} if keeper else {})
    products = {"tester": "PRODUCTS"} | ({"keeper": "KEPT"} if keeper else {})
    return install(folder, TESTER, engines=engines, products=products)
