"""What MkDocs needs to build the documentation site from this repository; its hooks, named in `mkdocs.yml`.

Pages link to files outside `docs/`: to the tests that show a promise, to manifests, to other READMEs. The site carries
those files below `source/`: texts in Markdown as pages, all others line by line, and folders as lists. A link whose
words are the name of a function leads to its line. In `nav`, a folder stands for its pages.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
CARRIED: Final = "source"
LANGUAGES: Final = {
    ".conf": "nginx",
    ".json": "json",
    ".mjs": "js",
    ".py": "python",
    ".service": "ini",
    ".sh": "sh",
    ".toml": "toml",
    ".ts": "ts",
    ".yaml": "yaml",
    ".yml": "yaml",
}
"""Pages of the navigation that are still being written: an empty page stands for each that is not there."""
_SEARCH: Final = 'data-md-component="search" role="dialog"'
_LINK: Final = re.compile(
    r"^(?P<fence>```+|~~~+).*?^(?P=fence)[ \t]*$"
    r"|\[(?P<words>[^\[\]]*)\]\((?P<target>[^()\s]+)(?P<after>(?: \"[^\"]*\")?\))"
    r"|(?P<span>`[^`\n]+`)",
    re.MULTILINE | re.DOTALL,
)


def on_files(files: Any, config: Any) -> Any:
    """Add the files to which pages lead, and write the folders of the navigation out."""
    # MkDocs comes with the theme: its classes are those of what it hands over.
    file_kind = type(next(iter(files)))
    level_kind = type(next(iter(files)).inclusion)
    waiting = [ROOT / "docs" / file.src_uri for file in files.documentation_pages() if not file.generated_by]
    listed = set(_listed(config.nav))
    waiting += [path for uri in listed if uri.startswith(f"{CARRIED}/") and (path := _carried_from(uri)).is_file()]
    seen: set[Path] = set()
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        uri = _uri(page)
        if uri not in files.src_uris:
            in_nav = level_kind.INCLUDED if uri in listed else level_kind.NOT_IN_NAV
            files.append(file_kind.generated(config, uri, content=_content(page), inclusion=in_nav))
        waiting += [target for target in _led_to(page) if _is_carried(target)]
    config.nav = _written_out(config.nav, files)
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:  # noqa: ARG001 - a hook
    """Let links lead to where the site has what they mean."""
    here = _path_of(page.file.src_uri)
    if here.suffix != ".md" or not here.is_file():
        return markdown

    def replaced(match: re.Match[str]) -> str:
        if match["fence"]:
            # The second word of a fence tells the tests what to do with the block.
            return re.sub(r"\A(\S+) [\w-]+$", r"\1", match[0], count=1, flags=re.MULTILINE)
        meant = _meant(here, match["target"])
        if meant is None:
            return match[0]
        anchor = match["target"].partition("#")[2] or _line(meant, match["words"])
        relative = posixpath.relpath(_uri(meant), posixpath.dirname(page.file.src_uri))
        return f"[{_words(match['words'], meant)}]({relative}{'#' if anchor else ''}{anchor}{match['after']}"

    return _LINK.sub(replaced, markdown)


def _words(words: str, meant: Path) -> str:
    """Give a link the title of its page where its words are the name of the file."""
    is_name = meant.suffix == ".md" and re.fullmatch(r"[\w./-]+\.md", words)
    return _title(meant) if is_name else words


def _title(page: Path) -> str:
    found = re.match(r"# (.*)", page.read_text("utf-8"))
    return found[1] if found else page.name


def on_page_content(html: str, *, page: Any, config: Any, files: Any) -> str:  # noqa: ARG001 - a hook
    """Let MkDocs know the lines to which links can lead, and let the keyboard scroll wide tables.

    MkDocs looks for anchors before code is put in its place.
    """
    page.present_anchor_ids = (page.present_anchor_ids or set()) | set(re.findall(r'id="(__codelineno-[\d-]+)"', html))
    wide = '<div class="wide" role="group" aria-label="Table" tabindex="0"><table>'
    return re.sub(r"<table>(.*?)</table>", rf"{wide}\1</table></div>", html, flags=re.DOTALL)


def on_post_page(output: str, *, page: Any, config: Any) -> str:  # noqa: ARG001 - a hook
    """Give the search, which the theme calls a dialog, the name that a dialog needs."""
    return output.replace(_SEARCH, f'{_SEARCH} aria-label="Search"')


def _listed(nav: Any) -> Iterator[str]:
    """Give every path that a navigation names."""
    for entry in nav.values() if isinstance(nav, dict) else nav:
        if isinstance(entry, str):
            yield entry
        else:
            yield from _listed(entry)


def _written_out(nav: Any, files: Any) -> Any:
    """Put the pages of a folder, its index first, where a navigation names the folder."""
    if isinstance(nav, list):
        return [_written_out(entry, files) for entry in nav]
    if isinstance(nav, dict):
        return {title: _written_out(entry, files) for title, entry in nav.items()}
    if not nav.endswith("/"):
        return nav
    pages = [uri for uri in files.src_uris if posixpath.dirname(uri) + "/" == nav and uri.endswith(".md")]
    return sorted(pages, key=lambda uri: (not uri.endswith("/index.md"), uri))


def _led_to(path: Path) -> Iterator[Path]:
    """Give what a text links to, or what a folder holds."""
    if path.is_dir():
        yield from _inside(path)
    elif path.suffix == ".md":
        for match in _LINK.finditer(path.read_text("utf-8")):
            if meant := _meant(path, match["target"]):
                yield meant


def _meant(page: Path, target: str | None) -> Path | None:
    """Find the file or folder to which a link of a text leads, if it leads to one of this repository."""
    if not target or re.match(r"[a-z]+:|#", target):
        return None
    meant = (page.parent / target.partition("#")[0]).resolve()
    return meant if meant.exists() and meant.is_relative_to(ROOT) else None


def _inside(folder: Path) -> list[Path]:
    return [one for one in sorted(folder.iterdir()) if not one.name.startswith((".", "__pycache__"))]


def _is_carried(path: Path) -> bool:
    """Tell what MkDocs does not bring by itself: files outside docs/, and folders."""
    return path.is_dir() or not path.is_relative_to(ROOT / "docs")


def _uri(path: Path) -> str:
    """Say under which name the site has a file or folder of the repository; a README would become a folder's index."""
    name = re.sub(r"README\.md$", "readme.md", path.relative_to(ROOT).as_posix())
    if path.is_dir():
        name += "/index.md"
    elif path.suffix != ".md" and _is_carried(path):
        name += ".md"
    return name.removeprefix("docs/") if name.startswith("docs/") else f"{CARRIED}/{name}"


def _carried_from(uri: str) -> Path:
    return ROOT / re.sub(r"readme\.md$", "README.md", uri.removeprefix(f"{CARRIED}/"))


def _path_of(uri: str) -> Path:
    return _carried_from(uri) if uri.startswith(f"{CARRIED}/") else ROOT / "docs" / uri


def _content(path: Path) -> str:
    """Write the page of what is carried."""
    name = path.relative_to(ROOT).as_posix()
    if path.is_dir():
        return _folder(path, name)
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        return text
    language = LANGUAGES.get(path.suffix, "text")
    fence = "`" * 8
    return (
        "---\nhide: [navigation, toc]\nsearch:\n  exclude: true\n---\n"
        f"# {path.name}\n\nThe file `{name}` of the project, as it is.\n\n"
        f'{fence} {{ .{language} linenums="1" }}\n{text.rstrip()}\n{fence}\n'
    )


def _folder(path: Path, name: str) -> str:
    """List the pages of a folder by their titles, or its files by their names."""
    rows = []
    for one in _inside(path):
        address = posixpath.relpath(_uri(one), posixpath.dirname(_uri(path)))
        rows.append(f"- [{_title(one) if one.suffix == '.md' else one.name}]({address})")
    return f"# {path.name.capitalize()}\n\nWhat the folder `{name}` of the project holds.\n\n" + "\n".join(rows) + "\n"


def _line(path: Path, words: str) -> str:
    """Find the line on which a function begins whose name are the words of a link."""
    if path.suffix != ".py" or not words.isidentifier():
        return ""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if re.match(rf"(?:async )?def {words}\(", line):
            return f"__codelineno-0-{number}"
    return ""
