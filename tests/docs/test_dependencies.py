"""docs/dependencies.md against pyproject.toml, the locks, the installed packages and the imports."""

import ast
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, metadata, packages_distributions
from typing import NamedTuple

import pytest

from support.source import FOLDERS, ROOT, imports, named, no_offenders, python_files, text_of, tree_of
from support.texts import section, tables

PAGE = ROOT / "docs/dependencies.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
# What packages write in the older fields of their metadata. "BSD" is not said more exactly by the classifier.
SPDX = {
    "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd license": "BSD",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "the mit license (mit)": "MIT",
} | {name.lower(): name for name in ("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT", "MPL-2.0", "PSF-2.0")}
GNU = re.compile(r"\bA?GPL|GNU (Affero )?General Public", re.IGNORECASE)
COPYLEFT = {
    "FFmpeg": r"lib(av(codec|format|util|filter|device)|sw(scale|resample))\b",
    "libgfortran": r"libgfortran\b",
    "libgomp": r"libgomp\b",
    "libquadmath": r"libquadmath\b",
    "readline": r"libreadline\b",
    "x264": r"libx264\b",
    "x265": r"libx265\b",
}


# Two wheels that are one package: pydantic asks for this one in the very version that it was made with, and
# cyclonedx-bom is the command of that library.
HALVES = {"pydantic-core": "pydantic", "cyclonedx-python-lib": "cyclonedx-bom"}


class Row(NamedTuple):
    """A line of the tables of direct dependencies."""

    package: str
    part: str
    licence: str
    reason: str
    notes: str


class Brought(NamedTuple):
    """A line of the table of what they bring along."""

    licence: str
    run: str
    models: str
    development: str


class Inside(NamedTuple):
    """A line of the table of libraries inside wheels."""

    package: str
    library: str
    licence: str
    meaning: str


def read(heading: str) -> list[list[str]]:
    """Read the table under a heading of the page."""
    (table,) = tables(section(text_of(PAGE) or "", heading))
    return table


def direct() -> dict[str, Row]:
    """Read both tables of direct dependencies."""
    rows = [Row(*cells) for heading in ("Runtime", "Development") for cells in read(heading)]
    assert len(rows) == len({row.package for row in rows}), "a package has two rows"
    return {row.package: row for row in rows}


def listed(cell: str) -> set[str]:
    """Split a cell of names."""
    return {name.strip() for name in cell.split(",") if name.strip()}


def canonical(requirement: str) -> str:
    """Take the normal name of a package out of a requirement."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def wanted() -> dict[str, set[str]]:
    """Read pyproject.toml: the parts that ask for each package."""
    parts = {
        "core": PROJECT["project"]["dependencies"],
        **PROJECT["project"]["optional-dependencies"],
        **PROJECT["dependency-groups"],
    }
    found: dict[str, set[str]] = {}
    for part, requirements in parts.items():
        for requirement in requirements:
            if isinstance(requirement, str):
                found.setdefault(canonical(requirement), set()).add(part)
    return found


def locked(name: str) -> set[str]:
    """Read the names in a lock."""
    lines = (ROOT / f"requirements/{name}.txt").read_text("utf-8").splitlines()
    return {canonical(line) for line in lines if re.match(r"[\w.-]+(\[[\w,-]+\])?==", line)}


def server_packages() -> set[str]:
    """Name what a server may have: every lock that is not for development, and torch, which is pinned apart."""
    return locked("run") | locked("models") | {"torch"}


def licences() -> dict[str, str]:
    """Read the licence of every package on the page."""
    found = {package: row.licence for package, row in direct().items()}
    for row in (Brought(*cells) for cells in read("What these bring along")):
        found |= dict.fromkeys(listed(row.run) | listed(row.models) | listed(row.development), row.licence)
    return found


def ids(expression: str) -> set[str]:
    """Take an SPDX expression apart."""
    return set(re.findall(r"[\w.-]+", expression)) - {"AND", "OR", "WITH"}


def declared(package: str) -> set[str]:
    """Read what an installed package says of itself, as SPDX ids; empty if it says nothing that we understand."""
    try:
        said = metadata(package)
    except PackageNotFoundError:
        return set()
    if expression := said.get("License-Expression"):
        return ids(expression)
    classifiers = (line.rpartition("::")[2] for line in said.get_all("Classifier", []) if line.startswith("License"))
    texts = [said.get("License") or "", *classifiers]
    found = {SPDX[text.strip().lower()] for text in texts if text.strip().lower() in SPDX}
    return found - {"BSD"} if any(one.startswith("BSD-") for one in found) else found


def agree(written: str, said: set[str]) -> bool:
    """Compare the page with the metadata, where a bare "BSD" stands for either kind."""
    on_page = ids(written)
    if "BSD" in said:
        on_page = {"BSD" if one.startswith("BSD-") else one for one in on_page}
    return not said or on_page == said


def test_every_dependency_has_a_row_and_every_row_is_a_dependency() -> None:
    """The page and pyproject.toml name the same packages in the same parts."""
    page = {package: listed(row.part) for package, row in direct().items()}
    asked = wanted()
    no_offenders(
        (
            f"{name}: {sorted(page.get(name, []))} on the page, {sorted(asked.get(name, []))} in pyproject.toml"
            for name in page.keys() | asked.keys()
            if page.get(name) != asked.get(name)
        ),
        "docs/dependencies.md lists exactly the dependencies of pyproject.toml, with the part that asks for each.",
    )


def test_every_row_gives_a_reason() -> None:
    """A dependency earns its place in a sentence."""
    no_offenders(
        (package for package, row in direct().items() if not row.reason.endswith(".")),
        "Every dependency has a sentence that says what it is for.",
    )


def test_what_comes_along_is_what_the_locks_hold() -> None:
    """Every other package in the locks stands in the table by licence, in its column, and nothing else does."""
    rows = [Brought(*cells) for cells in read("What these bring along")]
    columns = {
        "run": (set().union(*(listed(row.run) for row in rows)), locked("run")),
        "models": (set().union(*(listed(row.models) for row in rows)), locked("models") - locked("run")),
        "development only": (
            set().union(*(listed(row.development) for row in rows)),
            locked("dev") - locked("run") - locked("models"),
        ),
    }
    no_offenders(
        (
            f"{name}: {'on the page' if name in page else 'in the lock'} alone, column {column!r}"
            for column, (page, lock) in columns.items()
            for name in page ^ (lock - wanted().keys())
        ),
        "docs/dependencies.md lists what the locks hold beyond the direct dependencies.",
    )


@pytest.mark.parametrize(
    ("written", "said", "same"),
    [
        ("MIT", {"MIT"}, True),
        ("MIT OR Apache-2.0", {"Apache-2.0", "MIT"}, True),
        ("BSD-3-Clause", {"BSD"}, True),
        ("anything", set(), True),
        ("MIT", {"BSD"}, False),
        ("BSD-2-Clause", {"BSD-3-Clause"}, False),
        ("MIT", {"MIT", "PSF-2.0"}, False),
    ],
)
def test_licences_are_compared_as_sets_of_names(written: str, said: set[str], same: bool) -> None:  # noqa: FBT001 - a case
    """The order does not matter; a name too few does."""
    assert agree(written, said) is same


def test_licences_are_those_that_the_packages_declare() -> None:
    """Where the installed package says something that is understood, the page says the same."""
    no_offenders(
        (
            f"{package}: {written} on the page, {' '.join(sorted(said))} in its metadata"
            for package, written in licences().items()
            if not agree(written, said := declared(package))
        ),
        "Licences in docs/dependencies.md are those of the installed packages.",
    )
    known = [package for package in licences() if declared(package)]
    assert len(known) > len(licences()) / 2, "hardly any licence was checked"


def test_no_package_that_runs_is_under_the_gpl() -> None:
    """Unless the page names it as an allowed exception; the LGPL is another licence."""
    rows = direct()
    said = {name: licences().get(name, "") + " " + " ".join(declared_texts(name)) for name in server_packages()}
    no_offenders(
        (
            f"{name}: {text.strip()}"
            for name, text in said.items()
            if GNU.search(text) and not (name in rows and "allowed exception" in rows[name].notes.lower())
        ),
        "A runtime dependency under the GPL or AGPL is an allowed exception in docs/dependencies.md, or is not used.",
    )


def declared_texts(package: str) -> list[str]:
    """Give the short texts in which a package names its licence."""
    try:
        said = metadata(package)
    except PackageNotFoundError:
        return []
    classifiers = [line for line in said.get_all("Classifier", []) if line.startswith("License")]
    return [said.get("License-Expression") or "", (said.get("License") or "").partition("\n")[0], *classifiers]


def carried(package: str) -> set[str]:
    """Find the copyleft libraries among the files of an installed package."""
    try:
        files = [file.name for file in distribution(package).files or []]
    except PackageNotFoundError:
        return set()
    compiled = [name for name in files if re.search(r"\.(so|dylib|dll)\b", name)]
    return {library for library, mark in COPYLEFT.items() if any(re.match(mark, name) for name in compiled)}


def test_copyleft_libraries_inside_wheels_are_on_the_page() -> None:
    """What the installed wheels carry has its row; nobody passes it on without knowing."""
    rows = [Inside(*cells) for cells in read("Copyleft libraries inside wheels")]
    told = {(package, library) for row in rows for package in listed(row.package) for library in listed(row.library)}
    inside = {(package, library) for package in locked("dev") | server_packages() for library in carried(package)}
    no_offenders(
        (f"{package} carries {library}" for package, library in inside - told),
        "The page names every copyleft library inside an installed wheel.",
    )


def test_a_gpl_library_in_a_wheel_that_runs_is_an_allowed_exception() -> None:
    """The GPL without an exception of its own binds whoever passes an installation on: the page must say so."""
    rows = [Inside(*cells) for cells in read("Copyleft libraries inside wheels")]
    no_offenders(
        (
            f"{row.package}: {row.library}, {row.licence}"
            for row in rows
            if listed(row.package) & server_packages()
            and row.licence.startswith(("GPL", "AGPL"))
            and "WITH" not in row.licence
            and "allowed exception" not in row.meaning.lower()
        ),
        "A GPL library that a server's installation brings is named as an allowed exception.",
    )


def test_what_is_imported_is_asked_for_by_name() -> None:
    """A package that only comes along may go with the next release of what brought it."""
    owners = packages_distributions()
    runtime = {name for name, parts in wanted().items() if parts - {"build", "dev"}}
    no_offenders(
        (
            f"{named(path)}:{line} {module} of {' or '.join(packages)}"
            for path in python_files(*FOLDERS)
            for line, _, name in imports(ast.walk(tree_of(path)))
            if (module := name.partition(".")[0]) not in sys.stdlib_module_names
            and (
                packages := {HALVES.get(canonical(one), canonical(one)) for one in owners.get(module, [])} - {"unitask"}
            )
            and not packages & (runtime if path.is_relative_to(ROOT / "src") else set(wanted()))
        ),
        "Every package that is imported stands in pyproject.toml, for src among the runtime dependencies.",
    )
