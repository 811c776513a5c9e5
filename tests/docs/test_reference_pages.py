"""docs/reference: what the code says, and nothing that it leaves out."""

import importlib
import inspect
from typing import Any

import click
import pytest
from pydantic.fields import FieldInfo

from support.source import ROOT
from unitask.api import connection, errors, openapi_webhooks
from unitask.api.wording import BEFORE_ROUTES, REFUSALS
from unitask.cli import commands
from unitask.kit.errors import TaskFailure, UnitaskError
from unitask.settings import Settings
from unitask.webhooks.model import Event, State

FOLDER = ROOT / "docs" / "reference"


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import the script that writes the pages."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("reference")


def test_the_pages_are_what_the_script_writes(reference: Any, subtests: pytest.Subtests) -> None:
    """Whatever was changed in the code stands there, and nothing was typed by hand."""
    pages = reference.pages()
    assert {path.name for path in FOLDER.glob("*.md")} == set(pages)
    for name, text in pages.items():
        with subtests.test(name):
            assert (FOLDER / name).read_text("utf-8") == text, "write it again: make reference"


def test_every_setting_has_its_row(reference: Any) -> None:
    """With a meaning; one without stops the script."""
    page = reference.settings_page()
    assert [name for name in Settings.model_fields if f"| `UNITASK_{name.upper()}` |" not in page] == []
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
    assert set(reference.GROUPS) <= set(Settings.model_fields)


def test_every_status_of_an_error_has_its_row() -> None:
    """Those of the tree of errors, of the router, and of the connection before it."""
    own = {
        error.status
        for error in [UnitaskError, *below(UnitaskError)]
        if error.__module__ == UnitaskError.__module__ and not issubclass(error, TaskFailure)
    }
    assert own <= set(REFUSALS)
    assert set(connection._REASONS) | set(errors._ROUTING) <= set(REFUSALS) | set(BEFORE_ROUTES)


def below(parent: type[UnitaskError]) -> list[type[UnitaskError]]:
    """Give all classes below a class."""
    return [one for child in parent.__subclasses__() for one in [child, *below(child)]]


def test_every_event_and_state_of_a_webhook_has_its_row() -> None:
    """In words."""
    assert set(openapi_webhooks.EVENTS) == set(Event)
    assert set(openapi_webhooks.STATES) == set(State)


def test_a_command_or_option_without_help_is_refused(reference: Any) -> None:
    """The script does not write an empty cell."""

    @click.command(help="Do something.")
    @click.option("--silent", is_flag=True)
    def command() -> None:
        pass

    with pytest.raises(ValueError, match="--silent has no help"):
        reference.described(("unitask", "something"), command)
    command.help = ""
    with pytest.raises(ValueError, match="unitask something has no help"):
        reference.described(("unitask", "something"), command)


def test_a_route_that_does_not_say_what_it_does_is_refused(reference: Any) -> None:
    """Those in the OpenAPI document have a summary; others the docstring of their handler."""
    routes = inspect.getmodule(reference.routes_page)

    async def silent() -> None:
        pass

    route = routes.Route("/worker/v1/silent", silent, methods=["POST"])
    with pytest.raises(ValueError, match="POST /worker/v1/silent says nowhere"):
        routes._told(route, "POST", "/worker/v1/silent", {})


def test_a_kind_of_setting_that_has_no_name_is_refused(reference: Any) -> None:
    """So that no cell says nothing."""
    with pytest.raises(ValueError, match="say in KINDS"):
        reference.kind(FieldInfo(annotation=complex))


def test_every_command_has_its_section(reference: Any) -> None:
    """Also those inside groups."""
    page = reference.commands_page()
    found = [" ".join(path) for path, _ in reference.walked(commands, ("unitask",))]
    assert len(found) > 40
    assert [name for name in found if f"\n## {name}\n" not in page] == []
