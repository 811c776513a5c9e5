"""Variables that look like settings and are none."""

import re

import pytest

from support.source import ROOT
from unitask.cli.checks.environment import unknown
from unitask.cli.worker import worker
from unitask.settings import Settings


def told(*names: str) -> list[str]:
    """Give the sentences."""
    return [one.text for one in unknown(names)]


def test_a_misspelled_setting_is_named_with_what_was_meant() -> None:
    """In any letter case, as settings are read; one like no other is named without a guess."""
    (low,), (far,) = told("unitask_loglevel"), told("UNITASK_QQQQ")
    assert low.startswith("unitask_loglevel is no setting and does nothing: did you mean UNITASK_LOG_LEVEL; ")
    assert far.startswith("UNITASK_QQQQ is no setting and does nothing: none is like it; ")


def test_what_others_set_is_no_misspelled_setting() -> None:
    """Keys of providers, what Kubernetes sets for services, the completion of a shell."""
    theirs = ("UNITASK_SERVICE_HOST", "UNITASK_API_PORT_8000_TCP_ADDR", "UNITASK_API_SERVICE_PORT_HTTP")
    assert told("UNITASK_KEY_HUB", "_UNITASK_COMPLETE", "PATH", *theirs) == []


def test_every_variable_that_the_program_speaks_of_is_known() -> None:
    """Whoever lets it read another one tells the doctor."""
    files = [path for folder in ("src", "sdk/src") for path in (ROOT / folder).rglob("*.py")]
    spoken = {name for path in files for name in re.findall(r"UNITASK_[A-Z0-9_]*[A-Z0-9]\b", path.read_text())}
    assert len(spoken) > len(Settings.model_fields) // 2
    assert told(*spoken - {"UNITASK_KEY"}) == []


def test_a_worker_says_so_in_its_log(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Once, before anything else can go wrong."""
    monkeypatch.setenv("UNITASK_LOGLEVEL", "debug")
    monkeypatch.delenv("UNITASK_API_URL", raising=False)
    with pytest.raises(Exception, match="UNITASK_API_URL is not set"):
        worker.main([], standalone_mode=False)
    assert capfd.readouterr().err.count("did you mean UNITASK_LOG_LEVEL") == 1
