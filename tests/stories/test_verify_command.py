"""`unitask verify`, and what `unitask doctor` says of marks."""

import json
from pathlib import Path

from support.machine import Machine
from support.marked import SIGNER, marked, small
from unitask.provenance.sources import Source


def test_a_file_on_the_disk_is_looked_at_without_a_server(machine: Machine, tmp_path: Path) -> None:
    """By the secret of this installation it is ours; by another's it is not."""
    path = marked(small(tmp_path, "mp3"), Source.TRAINED).path
    for secret, state in (("the secret of a test", "trusted"), ("the secret of another", "valid")):
        found = json.loads(machine.run("verify", str(path), SECRET=secret).stdout)
        assert (found["digital_source_type"], found["c2pa"]["state"]) == (Source.TRAINED, state)
    text = tmp_path / "a.txt"
    text.write_text("words")
    assert "neither a picture" in machine.run("verify", str(text)).stderr


def test_the_doctor_says_how_files_are_marked(machine: Machine, tmp_path: Path) -> None:
    """And what is wrong with an operator's certificate, which also stops the start."""
    assert "IPTC and C2PA, signed by certificates that follow" in machine.run("doctor").stdout
    assert "none: UNITASK_MARKS turns them off" in machine.run("doctor", MARKS="false").stdout
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_text(SIGNER.chain)
    key.write_text("no key")
    wrong = machine.run("doctor", MARK_CERTIFICATE=str(chain), MARK_KEY=str(key))
    assert "UNITASK_MARK_CERTIFICATE and UNITASK_MARK_KEY cannot be used" in wrong.stdout
    assert wrong.returncode == 1
    machine.prepare()
    assert "go together: set both or neither" in machine.run("serve", MARK_KEY=str(key)).stderr
