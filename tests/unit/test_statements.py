"""SQL as named text: dialects, parameters, and everything in a query that only looks like one."""

from importlib.resources import files

import pytest

from unitask.db import Queries, Statement
from unitask.db.statements import bind, parse
from unitask.queue.model import Progress

PACKAGES = ("accounts", "artifacts", "billing", "queue", "tasks", "webhooks")


def one(text: str) -> Statement:
    """Parse one text for both dialects."""
    (statement,) = parse(f"-- name: it\n{text}").values()
    return statement


def test_one_text_serves_both_dialects() -> None:
    """Without a dialect in its header, a statement is the same for both but for the style of its parameters."""
    statement = one("select * from tasks where id = :id;\n")
    assert statement == Statement(
        "it", "select * from tasks where id = :id", "select * from tasks where id = $1", ("id",)
    )


def test_two_dialects_stand_side_by_side_under_one_name() -> None:
    """Each database gets its own text; the order of parameters is that of the PostgreSQL text."""
    statements = parse(
        "-- name: it [sqlite]\nselect :a, :b\n-- name: it [postgres]\nselect :b::int, :a\n-- name: other\nselect 1\n"
    )
    assert statements["it"] == Statement("it", "select :a, :b", "select $1::int, $2", ("b", "a"))
    assert statements["other"].sqlite == "select 1"


@pytest.mark.parametrize(
    ("text", "numbered", "parameters"),
    [
        ("select :now::bigint", "select $1::bigint", ("now",)),
        ("select value::uuid from x", "select value::uuid from x", ()),
        ("select logs::jsonb || :rows::json", "select logs::jsonb || $1::json", ("rows",)),
        ("select :a, :b, :a", "select $1, $2, $1", ("a", "b")),
        ("select :a+:b", "select $1+$2", ("a", "b")),
        ("select :ab, :a", "select $1, $2", ("ab", "a")),
        ("select (:id)", "select ($1)", ("id",)),
        ("select '$[#]', :id", "select '$[#]', $1", ("id",)),
        ("select 1", "select 1", ()),
    ],
)
def test_parameters_are_numbered_and_casts_stay(text: str, numbered: str, parameters: tuple[str, ...]) -> None:
    """`:name` becomes `$1` and so on, one number a name; `::type` is PostgreSQL's own and stays."""
    statement = one(text)
    assert (statement.postgres, statement.parameters) == (numbered, parameters)
    assert statement.sqlite == text


def test_comments_between_statements_do_no_harm() -> None:
    """A comment before a header belongs to the text before it, and neither database minds."""
    statements = parse("-- name: first\nselect 1\n\n-- Why the second is there.\n-- name: second\nselect 2\n")
    assert list(statements) == ["first", "second"]
    assert statements["second"].sqlite == "select 2"


def test_a_part_stands_in_every_statement_that_names_it() -> None:
    """In both dialects, and without the comments around it."""
    statements = parse(
        "-- part: both\nselect :a\n\n-- Why.\n-- name: it [sqlite]\n{both}, 1\n-- name: it [postgres]\n{both}, 2\n"
    )
    assert statements == {"it": Statement("it", "select :a, 1", "select $1, 2", ("a",))}
    with pytest.raises(KeyError, match="nothing"):
        parse("-- name: it\n{nothing}\n")


@pytest.mark.parametrize(
    "text",
    [
        "-- name: it\nselect 1\n-- name: it\nselect 2\n",
        "-- name: it [sqlite]\nselect 1\n-- name: it [sqlite]\nselect 2\n-- name: it [postgres]\nselect 2\n",
        "-- name: it\nselect 1\n-- name: it [postgres]\nselect 2\n",
    ],
)
def test_a_name_is_used_once_for_each_dialect(text: str) -> None:
    """A second text under one name would hide the first."""
    with pytest.raises(ValueError, match="statement it is written twice"):
        parse(text)


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_a_statement_for_one_database_only_is_refused(dialect: str) -> None:
    """Both databases run every use case."""
    with pytest.raises(TypeError):
        parse(f"-- name: it [{dialect}]\nselect 1\n")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_of_statements_is_understood_whole(package: str) -> None:
    """Each line that begins like a header is one, and both dialects use the same parameters."""
    text = files(f"unitask.{package}").joinpath("queries.sql").read_text("utf-8")
    statements = parse(text)
    headers = [line for line in text.splitlines() if line.startswith("-- name:")]
    assert len(headers) == sum(1 if f"-- name: {name}\n" in text else 2 for name in statements)
    for statement in statements.values():
        asked = one(statement.sqlite).parameters
        assert set(asked) == set(statement.parameters), statement.name


def test_statements_are_attributes_of_their_package() -> None:
    """A use case reads `SQL.find_task`; a misspelt name says so."""
    queries = Queries("unitask.tasks")
    assert queries.task_account.parameters == ("id",)
    with pytest.raises(AttributeError, match="no statement named find_taks"):
        _ = queries.find_taks


@pytest.mark.parametrize(
    ("value", "bound"),
    [
        ([{"a": 1}], '[{"a":1}]'),
        ([Progress("t", 1, 0.5, "é")], '[{"task_id":"t","attempt":1,"progress":0.5,"note":"é"}]'),
        ([], "[]"),
        ("text", "text"),
        (7, 7),
        (None, None),
        (True, True),
    ],
)
def test_lists_are_bound_as_json(value: object, bound: object) -> None:
    """Of plain values or of dataclasses; everything else goes to the driver as it is."""
    assert bind(value) == bound
