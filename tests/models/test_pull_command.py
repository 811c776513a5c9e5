"""`unitask models pull` as a person runs it, with HF_ENDPOINT set to a hub on loopback."""

import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.hub import HubServer, Repository, hub_server
from support.machine import Machine
from support.weights import STRICT, files, write_card


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """Run a hub with a model and one that leans on it."""
    with hub_server() as running:
        running.repositories["lab/model"] = Repository(files())
        running.repositories["lab/lean"] = Repository({"x.safetensors": b"x"})
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield running


@pytest.fixture
def machine(tmp_path: Path, hub: HubServer) -> Machine:
    """Make a machine with cards for both."""
    made = Machine(tmp_path, tmp_path)
    write_card(tmp_path / "data/models", "model", STRICT)
    write_card(tmp_path / "data/models", "lean", STRICT, files=["x.safetensors"], base="model")
    return made


def test_what_a_model_leans_on_comes_along_from_the_mirror(machine: Machine, hub: HubServer) -> None:
    """Under one licence for both, which is accepted once."""
    pulled = machine.run("models", "pull", "lean", "--accept-license")
    assert pulled.returncode == 0, pulled.stderr
    folder = machine.folder / "data/models"
    assert pulled.stdout.splitlines() == [
        "model, lean: Strict, https://example.com/terms",
        "  It forbids: Fun.",
        "model: 0 of 6 files are here, 600.2 kB to fetch",
        f"model: complete at {hub.repositories['lab/model'].commit} in {folder}/model",
        "lean: 0 of 1 files are here, 1 B to fetch",
        f"lean: complete at {hub.repositories['lab/lean'].commit} in {folder}/lean",
    ]
    again = machine.run("models", "pull", "lean")
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[:2] == ["lean: Strict, https://example.com/terms", "lean: reading what is here"]
    assert machine.run("models", "check", "lean", "model").stdout == "lean: as it came\nmodel: as it came\n"


def test_nothing_comes_before_the_licence_is_accepted(machine: Machine, hub: HubServer) -> None:
    """Where nobody can be asked, the answer is no."""
    refused = machine.run("models", "pull", "lean")
    assert refused.returncode == 1
    assert refused.stderr == "unitask: nothing was done; to answer yes without being asked, use --accept-license\n"
    assert hub.sent == []


def test_a_person_is_asked_and_answers(machine: Machine, hub: HubServer) -> None:
    """At a terminal, with bars of progress."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(leader, (24, 120))
    process = subprocess.Popen(
        [sys.executable, "-m", "unitask", "models", "pull", "model"],
        env=machine.environment(),
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    os.write(leader, b"y\n")
    seen = b""
    try:
        while chunk := os.read(leader, 4096):
            seen += chunk
    except OSError:  # the terminal is gone with the last who had it
        pass
    assert process.wait(20) == 0, seen
    assert b"Do you accept this licence? [y/N]" in seen
    assert b"text/model.safetensors: 100%" in seen
    assert hub.unknown == [], "the library asks for nothing beside"


def test_a_refusal_of_the_hub_is_one_sentence(machine: Machine, hub: HubServer) -> None:
    """No traceback of the library."""
    hub.repositories["lab/model"].gated = True
    refused = machine.run("models", "pull", "model", "--accept-license")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert refused.stderr.startswith(f"unitask: {hub.url}/lab/model is not open to you, or not there (HTTP 401): ")
