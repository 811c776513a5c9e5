"""Which libraries are here, asked while other threads import them."""

import sys
from types import ModuleType

import pytest

from unitask.kit.libraries import absent


def test_a_library_that_another_thread_imports_right_now_is_not_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV puts a module without a spec under its own name while it loads; an order of that moment was refused."""
    half = ModuleType("cv2")
    assert half.__spec__ is None
    monkeypatch.setitem(sys.modules, "cv2", half)
    assert absent(["cv2", "no_such_library"]) == ["no_such_library"]
