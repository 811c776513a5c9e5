"""What is sealed opens under the same secret and label, and under nothing else."""

import sys
from pathlib import Path

import pytest

from unitask.artifacts.buckets import Buckets
from unitask.artifacts.store import LocalStore
from unitask.kit.clock import Clock
from unitask.kit.errors import Unavailable
from unitask.kit.net import Guard
from unitask.kit.seal import Broken, Seal

SECRET = "a-secret-for-tests"
LABEL = b"a purpose"
# Sealed by the release in which buckets encrypted their secrets by themselves.
OLD = (
    "gAAAAABrAqIEQrGUQer4HWMlqIKVaIseA6T-seVdEeI94aFHftSyDuu0CrpvAQX3KATld3ozYrbRBclohxxD_y1WIebN--C4AxMpgmks8fkz4lkI"
    "2VL8uqw="
)


@pytest.mark.parametrize("text", ["", "a key", "ключ" * 1000])
def test_what_was_closed_is_opened(text: str) -> None:
    """By another process too, for only secret and label count; what lies between shows nothing of it."""
    sealed = Seal(SECRET, LABEL).close(text)
    assert Seal(SECRET, LABEL).open(sealed) == text
    assert not text or text not in sealed
    assert Seal(SECRET, LABEL).close(text) != sealed, "nobody sees that two texts are equal"


@pytest.mark.parametrize("other", [Seal("another-secret", LABEL), Seal(SECRET, b"another purpose")])
def test_another_seal_opens_nothing(other: Seal) -> None:
    """A secret that has changed, or one kind of secret in the place of another."""
    with pytest.raises(Broken, match="under another secret"):
        other.open(Seal(SECRET, LABEL).close("a key"))


@pytest.mark.parametrize("place", [0, 30, -5])
def test_what_was_changed_is_not_opened(place: int) -> None:
    """One character is enough; nor is what never was sealed."""
    sealed = list(Seal(SECRET, LABEL).close("a key"))
    sealed[place] = "B" if sealed[place] != "B" else "C"
    with pytest.raises(Broken):
        Seal(SECRET, LABEL).open("".join(sealed))
    with pytest.raises(Broken):
        Seal(SECRET, LABEL).open("a key")


def test_a_bucket_of_an_earlier_release_opens(tmp_path: Path) -> None:
    """Rows that are there already stay as they are."""
    buckets = Buckets(None, Clock(), LocalStore(tmp_path), SECRET, Guard())
    assert buckets._unsealed(OLD) == "their-secret-access-key"


def test_without_the_library_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept in clear instead."""
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)
    with pytest.raises(Unavailable, match=r"pip install 'unitask\[s3\]'"):
        Seal(SECRET, LABEL).close("a key")
    with pytest.raises(Unavailable, match=r"pip install 'unitask\[s3\]'"):
        Seal(SECRET, LABEL).open(OLD)
