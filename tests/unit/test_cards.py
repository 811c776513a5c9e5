"""Model cards: our own are right, and those of an operator add to them and win."""

from pathlib import Path
from typing import get_args

import pytest

from support.source import SRC
from support.weights import LICENSE, write_card
from unitask.catalogue import Catalogue, flux, wanx
from unitask.weights import Shelf
from unitask.weights.card import PIPELINE, BadCard, read_cards, read_loras
from unitask.weights.parcel import find, parcels, with_bases

CARDS = SRC / "unitask/weights/cards"
NOWHERE = Path("/nonexistent")


def test_every_file_is_a_card_and_says_under_what_terms() -> None:
    """A restriction comes with an address where it can be read, unless nobody knows one."""
    cards = read_cards(NOWHERE)
    assert len(cards) == len(list(CARDS.glob("*.toml"))) > 20
    for card in cards.values():
        assert card.license.name
        assert card.license.url.startswith("https://")
        assert card.disk_bytes > 0
        assert "/" in card.repository or not card.repository  # some are only imported


def test_recipes_name_weights_that_have_a_card() -> None:
    """A typing error would take the product off the list with a sentence that nobody can follow."""
    cards = read_cards(NOWHERE)
    named = {card for product in Catalogue.load() for recipe in product.recipes for card in recipe.weights}
    assert named <= cards.keys()
    pulled = named - {"demo-shapes"}
    assert all(cards[card].disk_bytes > 10**7 and cards[card].repository for card in pulled)
    assert cards["demo-shapes"].bringing == "unitask models train-demo"


def test_what_is_painted_by_flux_has_the_room_that_flux_needs() -> None:
    """Also where a card gives only what comes beside it: the size of the picture decides."""
    cards = read_cards(NOWHERE)
    first = {recipe.weights[0] for product in flux.PRODUCTS for recipe in product.recipes if recipe.level == "full"}
    assert len(first) > 4
    assert min(cards[one].memory_bytes for one in first) >= cards["flux1-dev"].memory_bytes


def test_loras_are_called_what_clients_may_send() -> None:
    """Of the families that list their names; `hug` is what AI Hug asks for by itself."""
    names = {"flux": set(get_args(flux.LoraType)), "wan": {*get_args(get_args(wanx.LoraType)[0]), "hug"}}
    loras = read_loras(NOWHERE)
    assert len(loras) == 17
    for family, name in loras:
        assert name in names[family]


def test_framepack_comes_with_its_image_encoder_and_the_model_below() -> None:
    """In an order in which each finds what it leans on."""
    shelf = Shelf(NOWHERE)
    order = [one.name for one in with_bases(shelf, find(shelf, "framepack-i2v"))]
    assert order == ["hunyuan-video", "framepack-image-encoder", "framepack-i2v"]


def test_single_file_copies_and_pickles_are_left_in_the_repository() -> None:
    """They would double the download, or run code when they are read."""
    parcel = parcels(Shelf(NOWHERE))["flux1-schnell"]
    assert parcel.files == PIPELINE
    paths = [
        "flux1-schnell.safetensors",
        "ae.safetensors",
        "transformer/model.bin",
        "README.md",
        "vae/model.safetensors",
    ]
    assert [path for path in paths if parcel.wants(path)] == ["vae/model.safetensors"]


def test_a_card_of_the_operator_adds_to_ours_and_wins(tmp_path: Path) -> None:
    """A file in the folder of cards; its licence may be one of ours by name."""
    write_card(tmp_path, "flux1-dev", 'license = "apache-2"\n')
    write_card(tmp_path, "my-model")
    cards = Shelf(tmp_path).cards
    assert (cards["flux1-dev"].repository, cards["flux1-dev"].license.name) == ("lab/flux1-dev", "Apache-2.0")
    assert cards["my-model"].license.name == "Free"
    assert "flux1-schnell" in cards


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("title = [", "mine.toml cannot be read"),
        (f'title = "x"\n{LICENSE}', "disk_bytes"),
        ('license = "lgpl"\n', "no licence 'lgpl'; give a table with its name, or one of: apache-2, "),
        ('part = "../x"\n', "part"),
    ],
)
def test_a_card_that_cannot_be_read_is_named_with_what_is_wrong(tmp_path: Path, text: str, sentence: str) -> None:
    """Not skipped: its products would be missing without a word."""
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards/mine.toml").write_text(text)
    with pytest.raises(BadCard, match=r"model card .*mine\.toml cannot be read") as raised:
        read_cards(tmp_path / "cards")
    assert sentence in str(raised.value)


@pytest.mark.parametrize(("base", "why"), [("absent", "which has no card"), ("two", "which leans on it in turn")])
def test_a_base_that_cannot_be_is_refused(tmp_path: Path, base: str, why: str) -> None:
    """One without a card, and cards that lean on each other."""
    write_card(tmp_path, "one", base=base)
    write_card(tmp_path, "two", base="one")
    with pytest.raises(BadCard, match=why):
        read_cards(tmp_path / "cards")


def test_loras_of_the_operator_are_read_beside_ours(tmp_path: Path) -> None:
    """And one that is wrong is named."""
    folder = tmp_path / "cards/loras"
    folder.mkdir(parents=True)
    (folder / "wan.toml").write_text(
        '[mine]\nrepository = "lab/x"\nfile = "x.safetensors"\ndisk_bytes = 1\nlicense = "apache-2"\n'
    )
    assert {("wan", "mine"), ("wan", "squish-effect"), ("flux", "anime")} <= Shelf(tmp_path).loras.keys()
    (folder / "flux.toml").write_text('["../x"]\nrepository = "lab/x"\n')
    with pytest.raises(BadCard, match=r"flux\.toml cannot be read"):
        read_loras(tmp_path / "cards")
