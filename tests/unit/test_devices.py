"""Which graphics cards are found, which are used, and what a process sees of the one that it keeps."""

from pathlib import Path

import pytest

from unitask.kit.devices import cuda, pinned


def smi(folder: Path, script: str) -> None:
    """Put a program in the place of the driver's own."""
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.fixture(autouse=True)
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let no program be found but those of the test."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


def test_cards_are_those_that_the_driver_lists(only: Path) -> None:
    """By their numbers."""
    smi(only, "printf '0\\n1\\n'")
    assert cuda() == ("cuda:0", "cuda:1")


@pytest.mark.parametrize("script", [None, "echo 'no devices were found'; exit 6"])
def test_without_a_driver_there_are_no_cards(only: Path, script: str | None) -> None:
    """Nor where it fails."""
    if script:
        smi(only, script)
    assert cuda() == ()


@pytest.mark.parametrize(
    ("visible", "found"),
    [("1,3", ("cuda:1", "cuda:3")), ("GPU-8932f937", ("cuda:GPU-8932f937",)), ("", ()), ("-1", ())],
)
def test_what_the_operator_lets_be_seen_comes_first(
    only: Path, monkeypatch: pytest.MonkeyPatch, visible: str, found: tuple[str, ...]
) -> None:
    """CUDA_VISIBLE_DEVICES means the same here as everywhere."""
    smi(only, "printf '0\\n1\\n2\\n3\\n'")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert cuda() == found


def test_a_process_sees_its_card_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is its first then; cards are counted as the driver's program does, unless the operator has counted."""
    assert pinned("cuda:3") == {
        "UNITASK_DEVICE": "cuda:0",
        "CUDA_VISIBLE_DEVICES": "3",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,3")
    assert pinned("cuda:3") == {"UNITASK_DEVICE": "cuda:0", "CUDA_VISIBLE_DEVICES": "3"}


@pytest.mark.parametrize("device", ["cpu", "mps", "fake:1"])
def test_other_devices_keep_their_name(device: str) -> None:
    """Nothing is hidden from their process."""
    assert pinned(device) == {"UNITASK_DEVICE": device}
