"""Requests that nobody thought of, made up from the OpenAPI document and sent to a running server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from support.keys import API_KEY
from support.machine import Machine

EXAMPLES = 8
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Any]:
    """Start a server without a worker, and read its document."""
    machine = Machine(tmp_path_factory.mktemp("fuzzed"), sqlite_template, {"API_KEY": API_KEY, "PORT": "0"})
    program, api = machine.serve()
    yield schemathesis.openapi.from_url(f"{program.address}/openapi.json")
    assert api.http.get("/readyz").status_code == 200
    assert "Traceback" not in program.err
    machine.clear_away()


schema = schemathesis.pytest.from_fixture("document")


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_request_is_answered_by_a_crash_or_by_what_is_not_documented(case: Any) -> None:
    """Each answer has a documented status and the documented form, whatever came in."""
    answer = case.call(headers={"X-API-Key": API_KEY}, timeout=20)
    case.validate_response(answer, checks=CHECKS)
