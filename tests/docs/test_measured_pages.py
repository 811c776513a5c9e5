"""The pages of benchmarks and of scale say what was measured, and the peers are who they are said to be."""

import importlib
import json
import re
from typing import Any

import pytest

from support.source import ROOT

BENCH = ROOT / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import modules of the folder `bench` by name, as its commands do."""
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module


@pytest.mark.parametrize(("module", "name"), [("page", "benchmarks"), ("scale_page", "scale")])
def test_the_page_is_what_the_script_writes_from_the_results(bench: Any, module: str, name: str) -> None:
    """A figure that somebody typed, or results without their page, would be seen here."""
    document = json.loads((ROOT / f"docs/{name}.json").read_text("utf-8"))
    written = (ROOT / f"docs/{name}.md").read_text("utf-8")
    assert written == bench(module).render(document), f"write docs/{name}.md again: python bench/{module}.py"


def measured(**rows: dict[str, Any]) -> dict[str, Any]:
    """Give results with these rows of servers."""
    machine = {"cores": 2, "cpu": "a cpu", "memory_gib": 4, "system": "a system", "python": "3", "postgresql": "18"}
    machine |= {"redis": "", "unitask": "0", "commit": "abc", "load": 0.1}
    section = {
        "at": "2026-01-01",
        "machine": machine,
        "rounds": 1,
        "seconds": 1.0,
        "connections": 32,
        "orders": 1,
        "orders_s": 1,
        "rows": rows,
    }
    return {"peers": section}


def row(title: str, *, durable: bool = True, failed: str = "", **figures: Any) -> dict[str, Any]:
    """Give the row of a server: of one round, or of none if it failed."""
    found = {"title": title, "packages": [], "pages": [], "settings": "as it comes", "lacks": "all", "durable": durable}
    return {**found, "rounds": [] if failed else [figures], **({"failed": failed} if failed else {})}


def test_a_peer_that_did_not_start_says_so_in_its_row(bench: Any) -> None:
    """It does not vanish from the table."""
    page = bench("page").render(measured(one=row("A peer", failed="not installed: no such package")))
    assert "| A peer | *not installed: no such package* |" in page


@pytest.mark.parametrize("folder", ["tmp", "home", "root"])
@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("ImportError: cannot import name 'a' from 'b' (/{}/b/__init__.py)", "cannot import name 'a' from 'b'"),
        ("Traceback:\nFileNotFoundError: no such file: '/{}/x/log'\n\n", "FileNotFoundError: no such file:"),
        ('File "/{}/bench/one.py", line 3, in run', "line 3, in run"),
        ("cannot open sqlite:////{0}/x/y.db and file:///{0}/a", "cannot open sqlite: and file:"),
        ("it wants application/json\n/{}/app.py", "it wants application/json"),
    ],
)
def test_what_a_failed_peer_said_names_no_folder_of_the_machine(bench: Any, said: str, shown: str, folder: str) -> None:
    """What it said besides stays."""
    said_last = bench("peer")._last(said.format(folder))
    page = bench("page").render(measured(one=row("A peer", failed=f"not started: {said_last}")))
    assert shown in page
    assert f"/{folder}/" not in page


def test_limits_on_paper_are_those_of_the_code(bench: Any) -> None:
    """The page of scale multiplies them, so a limit that has changed since makes its figures wrong."""
    written = json.loads((ROOT / "docs/scale.json").read_text("utf-8"))["slopes"]["limits"]
    assert written == bench("scale").LIMITS, "measure again: make bench-scale"


def test_figures_of_a_peer_that_does_less_stand_in_parentheses(bench: Any) -> None:
    """And nothing is compared with them."""
    figures = {"create": {"per_s": 10_000.0}, "idle_mib": 1.0}
    ours = row("Ours", create={"per_s": 5_000.0}, get={"per_s": 1.0}, ended_per_s=1.0, idle_mib=10.0)
    page = bench("page").render(measured(unitask_postgres_together=ours, other=row("Memory", durable=False, **figures)))
    assert "| Memory | (10,000) |" in page
    assert "| ahead of every peer wherever it does the same work | everywhere | reached |" in page


def test_a_peer_that_is_ahead_is_named_among_the_aims(bench: Any) -> None:
    """Where it does the same work."""
    ours = row("Ours", create={"per_s": 5_000.0}, get={"per_s": 1.0}, ended_per_s=1.0)
    page = bench("page").render(
        measured(unitask_postgres_together=ours, other=row("Faster", create={"per_s": 9_000.0}))
    )
    assert "| Faster, create/s: 9,000 against 5,000 | **not reached** |" in page


def test_every_peer_pins_what_it_needs_and_names_its_documentation(bench: Any) -> None:
    """So that a figure can be had again, and its settings be read up."""
    found = bench("peer").peers()
    assert len(found) == 8
    for peer in found:
        assert all(re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.]+", one) for one in peer.dependencies), peer.dependencies
        assert peer.pages
        assert peer.lacks
        assert peer.settings


def test_the_line_through_samples_has_their_slope(bench: Any) -> None:
    """Memory that grows by a megabyte an hour is seen as that."""
    slope, error = bench("soak").slope([(hour / 60, 50 + hour / 60) for hour in range(30)])
    assert slope == pytest.approx(1.0)
    assert error == pytest.approx(0.0, abs=1e-6)
