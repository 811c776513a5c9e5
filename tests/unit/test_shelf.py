"""Weights that come from a folder, and what is done with weights that lie here. None of it needs a hub."""

import json
import shutil
from pathlib import Path

import pytest

from support.weights import STRICT, WANTED, files, names, write_card, write_files
from unitask.kit.errors import Conflict, NotFound, Unavailable
from unitask.weights import License, Shelf
from unitask.weights.arrival import bring_in, pull
from unitask.weights.hub import Hub
from unitask.weights.parcel import Parcel, find, own_loras
from unitask.weights.terms import Terms
from unitask.weights.upkeep import damages, remove


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Make a shelf with a card."""
    write_card(tmp_path / "models", "model", STRICT)
    return Shelf(tmp_path / "models")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Make a folder with a copy of its repository."""
    return write_files(tmp_path / "copy", files())


def bring(shelf: Shelf, source: Path, name: str = "model", *, link: bool = False) -> Parcel:
    """Import."""
    parcel = find(shelf, name)
    bring_in(parcel, source, link=link, say=lambda _: None)
    return parcel


def test_a_copy_of_the_repository_is_copied_in(shelf: Shelf, copy: Path) -> None:
    """What the card names of it, with a manifest; also where the copy is a cache that has links to the content."""
    link = copy / "text/model.safetensors"
    link.symlink_to(link.rename(copy.parent / "blob"))
    bring(shelf, copy)
    for path in WANTED:
        assert not (shelf.folder / "model" / path).samefile(copy / path), "the operator may change or delete theirs"
    assert not (shelf.folder / "model/text/model.safetensors").is_symlink()
    assert names(shelf.folder / "model") == sorted([*WANTED, "unitask.json"])
    assert shelf.manifest("model").revision == "imported"
    assert shelf.root("model") == shelf.folder / "model"
    assert shelf.lacks(("model",)) is None


def test_a_linked_folder_stays_where_it_is(shelf: Shelf, copy: Path) -> None:
    """The engine is told its place; removing the card leaves it alone."""
    parcel = bring(shelf, copy, link=True)
    assert names(shelf.folder / "model") == ["unitask.json"]
    assert shelf.root("model") == copy
    assert list(damages(parcel)) == []
    (copy / "text/model.safetensors").unlink()
    (sentence,) = damages(parcel)
    expected = f"{copy}/text/model.safetensors is missing; mend it with: unitask models import model {copy} --link"
    assert sentence == expected
    remove(parcel, shelf, force=False)
    assert names(copy) == sorted(set(files()) - {"text/model.safetensors"})
    assert shelf.lacks(("model",))


def test_files_that_were_put_in_their_place_by_hand_are_taken_as_they_lie(shelf: Shelf) -> None:
    """An import from the folder where they belong copies nothing."""
    write_files(shelf.folder / "model", {path: files()[path] for path in WANTED})
    place = shelf.folder / "model/text/model.safetensors"
    before = place.stat().st_ino
    bring(shelf, shelf.folder / "model")
    assert place.stat().st_ino == before
    assert shelf.root("model") == shelf.folder / "model"


@pytest.mark.parametrize("link", [False, True])
def test_a_place_on_another_disk_is_its_place_too(shelf: Shelf, copy: Path, *, link: bool) -> None:
    """The folder of the card is a link to where its owner has room: nothing is copied, and nothing cleared away."""
    (shelf.folder / "model").symlink_to(copy)
    before = {path: (copy / path).stat().st_ino for path in names(copy)}
    bring(shelf, shelf.folder / "model", link=link)
    assert {path: (copy / path).stat().st_ino for path in before} == before
    assert shelf.root("model") == shelf.folder / "model"


def test_a_folder_of_another_shelf_is_held_to_its_manifest(shelf: Shelf, copy: Path, tmp_path: Path) -> None:
    """What was damaged on the way is found; the commit comes along."""
    there = Shelf(tmp_path / "there")
    write_card(there.folder, "model", STRICT)
    bring(there, copy)
    manifest = there.folder / "model/unitask.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"revision": "abc"}))
    broken = there.folder / "model/text/model.safetensors"
    broken.write_bytes(b"f" + broken.read_bytes()[1:])
    with pytest.raises(Unavailable, match=r"text/model\.safetensors is missing or damaged"):
        bring(shelf, there.folder / "model")
    assert shelf.lacks(("model",))
    broken.write_bytes(files()["text/model.safetensors"])
    bring(shelf, there.folder / "model")
    assert shelf.manifest("model").revision == "abc"


@pytest.mark.parametrize(
    ("without", "sentence"),
    [
        ("transformer/model-2.safetensors", r"no transformer/model-2\.safetensors"),
        ("text/model.safetensors", "no text/"),
        ("model_index.json", r"has no model_index\.json"),
        (".safetensors", r"no weights \(\.safetensors, \.gguf, \.onnx or pickled\)"),
    ],
)
def test_a_folder_that_is_not_complete_is_refused(shelf: Shelf, copy: Path, without: str, sentence: str) -> None:
    """By what its own index files name."""
    for path in [path for path in copy.rglob("*") if path.as_posix().endswith(without)]:
        path.unlink()
    with pytest.raises(Unavailable, match=sentence):
        bring(shelf, copy)
    assert shelf.lacks(("model",))


def test_a_card_that_names_its_files_is_whole_with_those_alone(shelf: Shelf, tmp_path: Path) -> None:
    """Whatever they are: pickled weights, or a configuration whose weights are another card's."""
    for name in ("model.pt", "config.json"):
        write_card(shelf.folder, "named", files=[name])
        fresh = Shelf(shelf.folder)
        folder = write_files(tmp_path / name.partition(".")[2], {name: b"{}", "more.json": b"{}"})
        bring(fresh, folder, "named")
        assert names(shelf.folder / "named") == [name, "unitask.json"]
        (folder / name).unlink()
        with pytest.raises(Unavailable, match=f"has no {name}"):
            bring(fresh, folder, "named")
        shutil.rmtree(shelf.folder / "named")


def test_a_part_comes_from_a_folder_with_or_without_its_name(shelf: Shelf, tmp_path: Path) -> None:
    """Copied from both; linked only where it lies under that name, for there the engine looks."""
    write_card(shelf.folder, "part", files=["model.safetensors"], part="transformer", base="model")
    shelf = Shelf(shelf.folder)
    flat = write_files(tmp_path / "flat", {"model.safetensors": b"w"})
    deep = write_files(tmp_path / "deep", {"transformer/model.safetensors": b"w"})
    with pytest.raises(Unavailable, match=r"the files must lie in .*flat/transformer"):
        bring(shelf, flat, "part", link=True)
    for source in (flat, deep):
        bring(shelf, source, "part")
        assert names(shelf.folder / "part") == ["transformer/model.safetensors", "unitask.json"]
    bring(shelf, deep, "part", link=True)
    assert names(shelf.folder / "part") == ["unitask.json"]
    assert (shelf.root("part") / "transformer/model.safetensors").read_bytes() == b"w"
    assert shelf.lacks(("part",)) == "its weights are not here; get them with: unitask models pull model"


def test_a_check_finds_what_is_missing_or_damaged(shelf: Shelf, copy: Path) -> None:
    """Also a byte that changed and left the size as it was."""
    parcel = bring(shelf, copy)
    assert list(damages(parcel)) == []
    one, two = parcel.folder / "transformer/model-1.safetensors", parcel.folder / "transformer/config.json"
    one.write_bytes(b"u" + one.read_bytes()[1:])
    two.unlink()
    mending = "mend it with: unitask models pull model"
    assert sorted(damages(parcel)) == [f"{two} is missing; {mending}", f"{one} is damaged; {mending}"]
    parcel.manifest.write_text("{")
    assert list(damages(parcel)) == [f"{parcel.manifest} is damaged; {mending}"]
    with pytest.raises(NotFound, match="get it with: unitask models pull flux1-dev"):
        list(damages(find(shelf, "flux1-dev")))


def test_what_others_lean_on_is_removed_only_with_force(shelf: Shelf, copy: Path, tmp_path: Path) -> None:
    """As long as they are here."""
    write_card(shelf.folder, "part", files=["x.safetensors"], base="model")
    shelf = Shelf(shelf.folder)
    parcel = bring(shelf, copy)
    bring(shelf, write_files(tmp_path / "x", {"x.safetensors": b"x"}), "part")
    with pytest.raises(Conflict, match="part would not work without model"):
        remove(parcel, shelf, force=False)
    assert shelf.has("model")
    remove(parcel, shelf, force=True)
    assert not parcel.folder.exists()
    with pytest.raises(NotFound, match="model is not here"):
        remove(parcel, shelf, force=False)


def test_what_a_broken_pull_left_can_be_removed(shelf: Shelf) -> None:
    """It has no manifest yet."""
    write_files(shelf.folder / "model", {"text/model.safetensors.partial": b"1"})
    remove(find(shelf, "model"), shelf, force=False)
    assert not (shelf.folder / "model").exists()


def test_a_lora_is_put_there_by_hand(shelf: Shelf, tmp_path: Path) -> None:
    """With or without a card of its own."""
    with pytest.raises(Unavailable, match=r"copy it to .*/loras/flux/anime\.safetensors"):
        bring(shelf, tmp_path, "lora:flux/anime")
    write_files(shelf.folder / "loras/flux", {"anime.safetensors": b"a", "own.safetensors": b"o"})
    assert shelf.lora("flux", "own").read_bytes() == b"o"
    assert find(shelf, "lora:flux/anime").is_here
    assert own_loras(shelf) == ["lora:flux/own"]
    with pytest.raises(NotFound, match=r"put a file at .*/loras/flux/other\.safetensors"):
        find(shelf, "lora:flux/other")


def test_names_that_no_card_has_are_answered_with_the_nearest(shelf: Shelf) -> None:
    """A typing error is the usual cause."""
    with pytest.raises(NotFound, match="no model card 'flux1-schnel'; did you mean 'flux1-schnell'"):
        find(shelf, "flux1-schnel")


def test_a_licence_is_accepted_once_until_it_changes(tmp_path: Path) -> None:
    """What forbids nothing needs no acceptance; a damaged memory is named."""
    strict = License(name="Strict", url="https://example.com/1", forbids="Fun.")
    assert Terms(tmp_path).accepted(License(name="Free"))
    assert not Terms(tmp_path).accepted(strict)
    Terms(tmp_path).accept(strict)
    assert Terms(tmp_path).accepted(strict)
    assert not Terms(tmp_path).accepted(strict.model_copy(update={"forbids": "Fun and games."}))
    (tmp_path / "accepted.json").write_text("[")
    with pytest.raises(Unavailable, match=r"accepted\.json cannot be read"):
        Terms(tmp_path).accepted(strict)


def test_weights_without_a_repository_are_only_imported(shelf: Shelf) -> None:
    """A pull says so before it asks a hub."""
    write_card(shelf.folder, "private", repository="")
    parcel = find(Shelf(shelf.folder), "private")
    with pytest.raises(Unavailable, match="use: unitask models import private FOLDER"):
        pull(parcel, Hub("http://127.0.0.1:1"), [], lambda _: None)
