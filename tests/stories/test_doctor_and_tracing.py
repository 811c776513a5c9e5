"""`unitask doctor` where traces are to be sent."""

import importlib.util

import pytest

from support.machine import Machine
from unitask.cli.checks.environment import tracing
from unitask.settings import Settings


@pytest.mark.parametrize(
    ("variable", "wrong", "right", "sentence"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "http://collector:4318", "is no address of a collector"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http:collector", "https://a/v1/traces", "is no address of a collector"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "parentbased_traceidratio", "names no sampler: sometimes"),
    ],
)
def test_a_variable_of_traces_that_cannot_be_used_is_a_trouble(
    machine: Machine, variable: str, wrong: str, right: str, sentence: str
) -> None:
    """Where traces are on; the line names the variable."""
    machine.prepare()
    for value, traced, status in ((wrong, "true", 1), (wrong, "false", 0), (right, "true", 0)):
        machine.found_by = {variable: value}
        ended = machine.run("doctor", TRACING=traced)
        assert ended.returncode == status, ended.stdout + ended.stderr
        lines = [line for line in ended.stdout.splitlines() if line.startswith(" ! ")]
        assert len(lines) == status
        assert all(variable in line and sentence in line and "; " in line for line in lines)


def test_traces_need_their_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator reads what to install, also where not even their first package is there."""

    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    assert list(tracing(Settings.load(tracing=True), {})) == []
    for find in (missing, lambda _: None):
        monkeypatch.setattr(importlib.util, "find_spec", find)
        (told,) = tracing(Settings.load(tracing=True), {})
        assert told.text.endswith("pip install 'unitask[tracing]'")
