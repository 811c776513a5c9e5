"""HTML by construction: text is escaped unless it is HTML already, so nothing can be forgotten."""

from collections.abc import Iterable
from html import escape


class Html(str):
    """HTML that may be put into a page as it is."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str) -> Html:
    """Build an element; `class_` and `data_words` become `class` and `data-words`."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Iterable[str]) -> Html:
    """Put text and elements in a row."""
    return Html("".join(child if isinstance(child, Html) else escape(child) for child in children))


def prose(text: str) -> Html:
    """Turn text of docstrings into HTML: what stands between back quotes is code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return join([text])
    return join(tag("code", part) if index % 2 else part for index, part in enumerate(parts))
