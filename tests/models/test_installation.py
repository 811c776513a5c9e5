"""What the engine says about an installation that it cannot work with."""

import os
from pathlib import Path

import pytest

from unitask.engines.diffusers import ENGINE
from unitask.runtime.engine import imports


def put(folder: Path, monkeypatch: pytest.MonkeyPatch, **packages: str) -> None:
    """Put packages of this content where Python finds them, and the processes that it starts."""
    for name, text in packages.items():
        (folder / f"{name}.py").write_text(text)
    imports.cache_clear()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))


def test_nothing_is_missing_where_the_extra_is_installed() -> None:
    """All that the engine wants is here."""
    assert ENGINE.missing() is None


@pytest.mark.parametrize("name", ["torchvision", "torchaudio"])
def test_a_package_that_does_not_fit_torch_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Left in place it would break transformers with a sentence that names neither."""
    put(tmp_path, monkeypatch, **{name: "raise RuntimeError('operator torchvision::nms does not exist')"})
    assert ENGINE.missing() == f"{name} does not fit this torch, and transformers fails with it: pip uninstall {name}"


def test_a_package_that_fits_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a broken one is."""
    put(tmp_path, monkeypatch, torchaudio="")
    assert ENGINE.missing() is None
