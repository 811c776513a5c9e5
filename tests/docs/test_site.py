"""The documentation site: built without a network and without a warning, and every link in it leads somewhere."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from support.site import Seen, build, offline
from support.source import ROOT, no_offenders

LEAST_CHARACTERS = 15


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it once."""
    folder = tmp_path_factory.mktemp("docs")
    built = build(folder)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Seen]:
    """Read every page."""
    return {page: Seen.of(page) for page in sorted(site.rglob("*.html"))}


def test_the_build_has_no_network(tmp_path: Path) -> None:
    """Otherwise it would show nothing that it succeeds."""
    tried = offline(tmp_path, "-c", "import socket; socket.create_connection(('127.0.0.1', 9))")
    assert "this process has no network" in tried.stderr


def test_the_site_has_a_page_for_every_text(site: Path) -> None:
    """None is left out."""
    texts = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md") if "gallery" not in path.parts]
    no_offenders((str(path) for path in texts if not (site / path.with_suffix(".html")).is_file()), "Texts are pages.")


def test_every_link_leads_to_a_page_and_a_place_in_it(site: Path, pages: dict[Path, Seen]) -> None:
    """Addresses of other hosts are links for people; they are not asked."""

    def dead(page: Path, seen: Seen) -> Iterator[str]:
        for link in seen.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or not target.is_relative_to(site.resolve()):
                yield f"{page.relative_to(site)}: {link}"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                yield f"{page.relative_to(site)}: {link}: no such place"

    # 404.html may be shown at any address, so its links begin at the root.
    listed = ((page, seen) for page, seen in pages.items() if page.name != "404.html")
    no_offenders((each for page, seen in listed for each in dead(page, seen)), "Every link leads somewhere.")


def test_nothing_is_loaded_from_another_host(site: Path, pages: dict[Path, Seen]) -> None:
    """No style, script, font or picture: pages load what lies beside them."""
    foreign = re.compile(r"(?:https?:)?//")
    no_offenders(
        (
            f"{page.relative_to(site)}: {load}"
            for page, seen in pages.items()
            for load in seen.loads
            if foreign.match(load)
        ),
        "Pages load nothing from elsewhere.",
    )
    imported = re.compile(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)'\"]*")
    no_offenders(
        (
            f"{sheet.relative_to(site)}: {found}"
            for sheet in site.rglob("*.css")
            for found in imported.findall(sheet.read_text())
        ),
        "Styles load nothing from elsewhere.",
    )


def test_every_page_has_a_title_and_says_at_once_what_it_is_about(site: Path, pages: dict[Path, Seen]) -> None:
    """One heading of the first kind, and a paragraph before the first section."""
    told = {page.relative_to(site): seen for page, seen in pages.items() if page.name != "404.html"}
    decided = {page for page in told if page.parts[0] == "decisions"}  # they begin with their context
    no_offenders((str(page) for page, seen in told.items() if seen.titles != 1), "A page has one title.")
    no_offenders(
        (
            str(page)
            for page, seen in told.items()
            if page not in decided and len(seen.before_sections.strip()) < LEAST_CHARACTERS
        ),
        "A page begins with a paragraph.",
    )


def test_lists_and_blocks_are_what_they_are_meant_to_be(site: Path, pages: dict[Path, Seen]) -> None:
    """Python's Markdown wants an empty line before them, or they run into the paragraph."""
    run_in = re.compile(r"^(?:[-*+]|\d+\.) ", re.MULTILINE)
    no_offenders(
        (
            f"{page.relative_to(site)}: {text[found.start() :][:60]}"
            for page, seen in pages.items()
            for text in seen.paragraphs
            if (found := run_in.search(text, 1))
        ),
        "A list follows an empty line.",
    )
    no_offenders(
        (
            f"{page.relative_to(site)}: {text[:60]}"
            for page, seen in pages.items()
            for text in seen.paragraphs
            if "```" in text
        ),
        "A fence begins a block of code.",
    )


def test_a_promise_leads_to_the_line_of_its_test(site: Path, pages: dict[Path, Seen]) -> None:
    """In the guide to security."""
    led = [link for link in pages[site / "guide/security.html"].links if link.startswith("../source/tests/")]
    lines = [link for link in led if re.search(r"#__codelineno-0-\d+$", link)]
    assert len(lines) >= 40


def test_what_is_forgotten_stops_the_build(tmp_path: Path) -> None:
    """A page without an entry in the navigation, an entry without a page, a link and an anchor to nowhere."""
    root = tmp_path / "tree"
    root.mkdir()
    for part in ("docs", "scripts"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("gallery"))
    for part in ("mkdocs.yml", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"):
        shutil.copy(ROOT / part, root / part)
    for part in ("sdk", "tests", "deploy", "src"):
        (root / part).symlink_to(ROOT / part)
    guide = root / "docs" / "guide"
    (guide / "forgotten.md").write_text("# Forgotten\n")
    (guide / "speed.md").unlink()
    (guide / "files.md").write_text("# Files\n\n[a](nowhere.md) [b](webhooks.md#nowhere)\n")
    built = build(tmp_path / "out", root)
    assert built.returncode != 0
    for name, said in {
        "page without an entry": "  - guide/forgotten.md",
        "entry without a page": "reference to 'guide/speed.md' is included in the 'nav'",
        "dead link": "link 'nowhere.md', but the target",
        "dead anchor": "link 'webhooks.md#nowhere', but",
    }.items():
        assert said in built.stderr, name
