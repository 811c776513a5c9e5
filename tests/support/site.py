"""The documentation site, built as `make docs` builds it, in a process without a network."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from support.source import ROOT

LIMIT_S: Final = 120
_LOADING: Final = {("script", "src"), ("img", "src"), ("source", "src"), ("video", "src"), ("video", "poster")}
_LOADING_LINKS: Final = {"stylesheet", "icon", "preload", "modulepreload", "manifest", "preconnect", "dns-prefetch"}


def offline(folder: Path, *command: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments, without a network."""
    guard = folder / "guard"
    guard.mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "support" / "offline.py", guard / "sitecustomize.py")
    environment = {**os.environ, "PYTHONPATH": str(guard), "NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def build(folder: Path, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Build the site of a working tree into a folder; its `site/` holds the pages."""
    return offline(folder, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder / "site"), root=root)


@dataclass
class Seen(HTMLParser):
    """What a built page has: ids, links, what it loads, its headings, and the text of its first paragraph."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    titles: int = 0
    paragraphs: list[str] = field(default_factory=list)
    before_sections: str = ""
    _inside: str = ""
    _in_article: bool = False
    _in_section: bool = False

    @classmethod
    def of(cls, page: Path) -> "Seen":
        """Read a page."""
        seen = cls()
        HTMLParser.__init__(seen)
        seen.feed(page.read_text("utf-8"))
        return seen

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down what an element says of itself."""
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        self.links += [given["href"]] if tag == "a" and given.get("href") else []
        self.loads += [value for name, value in given.items() if (tag, name) in _LOADING]
        if tag == "link" and _LOADING_LINKS & set(given.get("rel", "").split()):
            self.loads.append(given["href"])
        if tag == "article":
            self._in_article = True
        self._in_section |= self._in_article and tag == "h2"
        self.titles += tag == "h1"
        if tag == "p" and self._in_article:
            self._inside = "p"
            self.paragraphs.append("")

    def handle_endtag(self, tag: str) -> None:
        """Leave a paragraph."""
        if tag == "p":
            self._inside = ""

    def handle_data(self, data: str) -> None:
        """Add to the paragraph."""
        if self._inside:
            self.paragraphs[-1] += data
            self.before_sections += "" if self._in_section else data
