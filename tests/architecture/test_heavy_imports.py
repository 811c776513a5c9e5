"""What is slow or large to import is imported where it is needed, and never by the API process."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from support.source import SRC, imports, named, no_offenders, python_files, run_on_import, tree_of

ENGINES = SRC / "unitask/engines"
DEMO = SRC / "unitask/demo"
RUNTIME = SRC / "unitask/runtime"
HEAVY = {"PIL", "cv2", "diffusers", "numpy", "onnxruntime", "scipy", "skimage", "torch", "transformers"}
# Half of the start-up time; needed by migrations alone, which import them inside a function.
SLOW = {"alembic", "sqlalchemy"}


def is_loaded_late(path: Path) -> bool:
    """Tell whether a module lies inside an engine, what engines share, or the demo: not what lists them."""
    inside = any(map(path.is_relative_to, (DEMO, RUNTIME))) or (path.is_relative_to(ENGINES) and path.parent != ENGINES)
    return inside and path.name != "__init__.py"


def test_heavy_modules_are_imported_inside_engines_or_inside_functions() -> None:
    """Every process reads the catalogue and lists the engines; only the one that makes media pays for NumPy."""
    no_offenders(
        (
            f"{named(path)}:{line} {name}"
            for path in python_files("src")
            if not is_loaded_late(path)
            for line, _, name in imports(run_on_import(tree_of(path)))
            if name.partition(".")[0] in HEAVY
        ),
        f"{', '.join(sorted(HEAVY))} are imported inside a function, or in a module of an engine that is loaded late.",
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import numpy as np", True),
        ("try:\n    from PIL import Image\nexcept ImportError:\n    Image = None", True),
        ("class A:\n    import cv2", True),
        ("if TYPE_CHECKING:\n    import x\nelse:\n    import torch.nn", True),
        ("if TYPE_CHECKING:\n    from PIL.Image import Image", False),
        ("def f():\n    import cv2", False),
        ("async def f():\n    import cv2", False),
        ("from unitask.engines.cpu import numpy", False),
    ],
)
def test_the_search_knows_what_runs_on_import(text: str, found: bool) -> None:  # noqa: FBT001 - a case
    """Bodies of functions and what is for type checkers do not; everything else does."""
    names = {name.partition(".")[0] for _, _, name in imports(run_on_import(ast.parse(text)))}
    assert bool(names & HEAVY) is found


@pytest.mark.parametrize(
    "code",
    [
        "import unitask.api",
        "import unitask.app",
        "import unitask.cli",
        "from unitask.catalogue import Catalogue; Catalogue.load()",
        "from unitask.engines import installed; [engine.missing() for engine in installed().values()]",
    ],
)
def test_a_fresh_process_loads_nothing_heavy(code: str) -> None:
    """The API and the command line start without them, also after listing products and engines."""
    code += "; import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    no_offenders(
        (HEAVY | SLOW) & set(ran.stdout.split()),
        f"A process that only runs `{code.partition(';')[0]}` loads nothing heavy.",
    )
