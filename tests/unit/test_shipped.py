"""Weights that come with Unitask: here without a pull, until others take their place, and not to be removed."""

from pathlib import Path

import pytest

from unitask.kit.errors import Conflict
from unitask.weights import Shelf
from unitask.weights.arrival import bring_in
from unitask.weights.parcel import find
from unitask.weights.shelf import SHIPPED
from unitask.weights.upkeep import damages, remove

CARD = "demo-shapes"


def test_the_demo_model_is_here_whole_small_and_says_how_good_it_is(tmp_path: Path) -> None:
    """On a shelf where nobody put anything."""
    shelf = Shelf(tmp_path)
    parcel = find(shelf, CARD)
    assert shelf.lacks((CARD,)) is None
    assert parcel.is_here
    assert list(damages(parcel)) == []
    assert shelf.root(CARD) == SHIPPED / CARD
    assert sum(one.size_bytes for one in shelf.manifest(CARD).files.values()) < 6_000_000
    share, _, rest = shelf.cards[CARD].verified.partition("%")
    assert float(share) >= 85
    assert rest == " of 504 held-out prompts right"


def test_one_that_was_trained_here_takes_its_place_until_it_is_removed(tmp_path: Path) -> None:
    """What came with Unitask stays as it is."""
    shelf = Shelf(tmp_path)
    before = shelf.stamp(CARD)
    bring_in(find(shelf, CARD), SHIPPED / CARD, link=False, say=lambda _: None)
    assert shelf.root(CARD) == tmp_path / CARD
    assert shelf.stamp(CARD) != before
    remove(find(shelf, CARD), shelf, force=False)
    assert shelf.root(CARD) == SHIPPED / CARD
    assert shelf.stamp(CARD) == before
    with pytest.raises(Conflict, match="came with Unitask itself"):
        remove(find(shelf, CARD), shelf, force=True)
    assert list(damages(find(shelf, CARD))) == []
