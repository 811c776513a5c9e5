"""SQL as named text: each domain folder has a `queries.sql`, read once.

    -- name: find_task
    select ... where id = :id
    -- name: insert_tasks [sqlite]
    insert ... from json_each(:rows)
    -- name: insert_tasks [postgres]
    insert ... from json_to_recordset(:rows) ...

Where the two dialects differ, the two texts stand side by side under one name. Parameters are named; `rows` is always
a list of objects, passed as one JSON text, so that a statement takes any number of rows in one round trip. What several
statements have in common stands once, before them, under `-- part: shown`; `{shown}` puts it in.
"""

import re
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.resources import files
from typing import Any, Final

import orjson

_HEADER: Final = re.compile(
    r"^-- (?P<kind>name|part): (?P<name>\w+)(?: \[(?P<dialect>sqlite|postgres)\])?$", re.MULTILINE
)
_COMMENT: Final = re.compile(r"^--.*$", re.MULTILINE)
_PART: Final = re.compile(r"\{(?P<name>\w+)\}")
_PARAMETER: Final = re.compile(r"(?<![:\w]):(?P<name>[a-z_]+)\b")
_NUMBERED: Final = re.compile(r"\$(?P<number>\d+)")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement in both dialects. `postgres` has its parameters as $1, $2, ... in the order of `parameters`."""

    name: str
    sqlite: str
    postgres: str
    parameters: tuple[str, ...]


def bind(value: Any) -> Any:
    """Turn lists, also of dataclasses, into JSON text; everything else goes to the driver as it is."""
    return orjson.dumps(value).decode() if isinstance(value, list) else value


@lru_cache(maxsize=256)
def joined(statements: tuple[Statement, ...]) -> str:
    """Make one PostgreSQL statement of several; their parameters follow each other."""
    texts: list[str] = []
    before = 0
    for statement in statements:
        shift = partial(_shifted, by=before)
        texts.append(_NUMBERED.sub(shift, statement.postgres))
        before += len(statement.parameters)
    *first, last = texts
    beside = ", ".join(f"part_{number} as (\n{text}\n)" for number, text in enumerate(first))
    return f"with {beside}\n{last}" if first else last


def _shifted(match: re.Match[str], by: int) -> str:
    return f"${int(match['number']) + by}"


def _statement(name: str, sqlite: str, postgres: str) -> Statement:
    order = list(dict.fromkeys(match["name"] for match in _PARAMETER.finditer(postgres)))
    numbered = _PARAMETER.sub(lambda match: f"${order.index(match['name']) + 1}", postgres)
    return Statement(name, sqlite.strip().rstrip(";"), numbered.strip().rstrip(";"), tuple(order))


def parse(text: str) -> dict[str, Statement]:
    """Split a file of named statements."""
    texts: dict[str, dict[str, str]] = {}
    parts: dict[str, str] = {}
    headers = list(_HEADER.finditer(text))
    for header, following in zip(headers, [*headers[1:], None], strict=True):
        body = text[header.end() : following.start() if following else len(text)]
        body = _PART.sub(lambda match: parts[match["name"]], _COMMENT.sub("", body))
        if header["kind"] == "part":
            parts[header["name"]] = body.strip()
            continue
        dialects = [header["dialect"]] if header["dialect"] else ["sqlite", "postgres"]
        for dialect in dialects:
            if dialect in texts.setdefault(header["name"], {}):
                raise ValueError(f"statement {header['name']} is written twice for {dialect}")
            texts[header["name"]][dialect] = body
    return {name: _statement(name, **both) for name, both in texts.items()}


class Queries:
    """The statements of one package, as attributes: `SQL = Queries(__package__)`, then `SQL.find_task`."""

    def __init__(self, package: str | None) -> None:
        self._statements = parse(files(package or "").joinpath("queries.sql").read_text("utf-8"))

    def __getattr__(self, name: str) -> Statement:
        """Find a statement by name."""
        try:
            return self._statements[name]
        except KeyError:
            raise AttributeError(f"no statement named {name}") from None
