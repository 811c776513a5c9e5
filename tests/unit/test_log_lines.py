"""Lines of a log, whatever they are to say."""

import json
import logging

import pytest

from unitask.kit.log import JsonFormatter


@pytest.mark.parametrize("value", ["half a character: \ud83d", 2**70, {1: "a", 2: 2**70}])
def test_a_line_that_the_fast_writer_refuses_is_written_all_the_same(value: object) -> None:
    """It comes out as one line of JSON, and nothing is raised into whoever logs."""
    record = logging.makeLogRecord({"msg": "a message", "levelname": "WARNING", "value": value})
    written = JsonFormatter().format(record)
    assert "\n" not in written
    assert written.encode()
    line = json.loads(written)
    assert line["message"] == "a message"
    assert line["value"] == (value if not isinstance(value, dict) else {"1": "a", "2": 2**70})
