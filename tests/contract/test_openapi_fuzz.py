"""Requests that nobody thought of, made up from the OpenAPI document and sent to a running server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from support.keys import ADMIN_KEY, API_KEY
from support.machine import Machine
from unitask.api.openapi import document
from unitask.catalogue import Catalogue

EXAMPLES = 25
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]
SCHEMA = schemathesis.openapi.from_dict(document(Catalogue.load(), "http://unitask.test"))
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[str]:
    """Start a server without a worker."""
    settings = {"API_KEY": API_KEY, "ADMIN_KEY": ADMIN_KEY, "PORT": "0"}
    machine = Machine(tmp_path_factory.mktemp("fuzzed"), sqlite_template, settings)
    program, _ = machine.serve()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NO_PROXY", "127.0.0.1")
        yield program.address
    assert "Traceback" not in program.err
    machine.clear_away()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_no_request_is_answered_by_a_crash_or_by_what_is_not_documented(operation: Any, address: str) -> None:
    """Each answer has a documented status and the documented form, whatever came in."""
    key = ADMIN_KEY if "/admin/" in operation.path else API_KEY

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        answer = case.call(base_url=address, headers={"X-API-Key": key}, timeout=20)
        case.validate_response(answer, checks=CHECKS)

    send()
