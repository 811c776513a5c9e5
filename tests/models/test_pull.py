"""Weights from a hub on loopback, through the library that talks to the real one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.hub import TOKEN, HubServer, Repository, Sent, hub_server
from support.weights import WANTED, files, names, sha256, write_card, write_files
from unitask.kit.errors import Unavailable
from unitask.weights import Shelf
from unitask.weights.arrival import bring_in, pull
from unitask.weights.hub import Hub
from unitask.weights.parcel import find, parcels

LARGE = "transformer/model-1.safetensors"
KEPT = 10 * 2**20


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """Run a hub with one model."""
    with hub_server() as running:
        running.repositories["lab/model"] = Repository(files())
        yield running


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Make a shelf with the card of that model."""
    write_card(tmp_path, "model")
    return tmp_path


def bring(shelf: Path, hub: HubServer, name: str = "model") -> list[str]:
    """Pull, and give what was said."""
    said: list[str] = []
    reader = Shelf(shelf)
    siblings = [one for one in parcels(reader).values() if one.name != name]
    pull(find(reader, name), Hub(hub.url), siblings, said.append)
    return said


def test_what_the_card_names_comes_and_nothing_else(shelf: Path, hub: HubServer) -> None:
    """The manifest holds the commit, and size and checksum of each file."""
    assert Shelf(shelf).lacks(("model",)) == "its weights are not here; get them with: unitask models pull model"
    assert bring(shelf, hub) == ["model: 0 of 6 files are here, 600.2 kB to fetch"]
    assert names(shelf / "model") == sorted([*WANTED, "unitask.json"])
    manifest = Shelf(shelf).manifest("model")
    assert manifest.revision == hub.repositories["lab/model"].commit
    stored = {place: (one.size_bytes, one.sha256) for place, one in manifest.files.items()}
    assert stored == {path: (len(files()[path]), sha256(files()[path])) for path in WANTED}
    assert Shelf(shelf).lacks(("model",)) is None
    assert hub.unknown == []


def test_a_second_pull_fetches_nothing(shelf: Path, hub: HubServer) -> None:
    """What is here and right is read, not loaded."""
    bring(shelf, hub)
    hub.sent.clear()
    assert bring(shelf, hub) == ["model: reading what is here", "model: 6 of 6 files are here, 0 B to fetch"]
    assert hub.sent == []


def test_a_broken_download_goes_on_where_it_stopped(shelf: Path, hub: HubServer) -> None:
    """Half of it does not count as installed; the next pull asks for the rest alone. The library writes by 10 MiB."""
    content = hub.repositories["lab/model"].files[LARGE] = b"t" * 12_000_000
    hub.cuts[LARGE] = 11_000_000
    with pytest.raises(Unavailable, match=r"HTTP 503 .*what has come is kept"):
        bring(shelf, hub)
    assert Shelf(shelf).lacks(("model",))
    assert (shelf / f"model/{LARGE}.partial").stat().st_size == KEPT
    hub.cuts.clear()
    hub.sent.clear()
    bring(shelf, hub)
    assert [one for one in hub.sent if one.path == LARGE] == [Sent(LARGE, KEPT, len(content) - KEPT)]
    assert (shelf / "model" / LARGE).read_bytes() == content
    assert names(shelf / "model") == sorted([*WANTED, "unitask.json"])


@pytest.mark.parametrize("path", [LARGE, "transformer/config.json"])
def test_wrong_bytes_are_thrown_away_and_not_installed(shelf: Path, hub: HubServer, path: str) -> None:
    """Of the large files by SHA-256, of the small by git's checksum; the sizes are right."""
    hub.wrong[path] = b"!" * len(files()[path])
    with pytest.raises(Unavailable, match="did not arrive as it should be: its checksum differs"):
        bring(shelf, hub)
    assert not {path, f"{path}.partial", "unitask.json"} & set(names(shelf / "model"))


def test_a_checksum_in_the_card_wins_over_the_hub(shelf: Path, hub: HubServer) -> None:
    """A hub that tells another one cannot replace the file."""
    write_card(shelf, "model", f'[sha256]\n"{LARGE}" = "{sha256(b"another")}"\n[license]\nname = "Free"\n')
    with pytest.raises(Unavailable, match=f"{LARGE} of lab/model did not arrive"):
        bring(shelf, hub)


def test_a_pull_that_does_not_fit_is_refused_before_it_begins(shelf: Path, hub: HubServer) -> None:
    """It says how much is missing, where, and what to set."""
    hub.repositories["lab/model"].claims[LARGE] = 10**18
    with pytest.raises(Unavailable, match=r"needs 1000000000\.\d GB more in .*model, where .* set UNITASK_MODELS"):
        bring(shelf, hub)
    assert hub.sent == []


def test_a_damaged_file_alone_is_fetched_anew(shelf: Path, hub: HubServer) -> None:
    """And while it is not, the card does not count as here."""
    bring(shelf, hub)
    (shelf / "model" / LARGE).write_bytes(b"x" * 200_000)
    hub.sent.clear()
    hub.cuts[LARGE] = 10
    with pytest.raises(Unavailable):
        bring(shelf, hub)
    assert Shelf(shelf).lacks(("model",))
    hub.cuts.clear()
    bring(shelf, hub)
    assert {one.path for one in hub.sent} == {LARGE}
    assert (shelf / "model" / LARGE).read_bytes() == files()[LARGE]


def test_a_new_state_of_the_repository_replaces_the_old(shelf: Path, hub: HubServer) -> None:
    """Files that it has no more go; what a person put beside them stays."""
    bring(shelf, hub)
    (shelf / "model/notes.txt").write_text("mine")
    changed = files("n") | {"extra/model.safetensors": b"new"}
    del changed["text/model.safetensors"]
    changed["model_index.json"] = b'{"transformer": ["diffusers", "T"], "extra": ["diffusers", "X"]}'
    hub.repositories["lab/model"].files = changed
    bring(shelf, hub)
    assert (shelf / "model" / LARGE).read_bytes() == changed[LARGE]
    kept = {*WANTED, "extra/model.safetensors", "unitask.json", "notes.txt"} - {"text/model.safetensors"}
    assert names(shelf / "model") == sorted(kept)


def test_a_file_that_another_card_has_is_linked_not_loaded(shelf: Path, hub: HubServer) -> None:
    """By its checksum; one that was damaged since is loaded."""
    write_card(shelf, "sibling")
    hub.repositories["lab/sibling"] = Repository(files("s"))
    bring(shelf, hub)
    (shelf / "model/transformer/model-2.safetensors").write_bytes(b"3" * 200_000)
    hub.sent.clear()
    bring(shelf, hub, "sibling")
    mine, theirs = shelf / "sibling/text/model.safetensors", shelf / "model/text/model.safetensors"
    assert mine.samefile(theirs)
    assert {one.path for one in hub.sent if one.path.endswith(".safetensors")} == {
        LARGE,
        "transformer/model-2.safetensors",
    }
    assert names(shelf / "sibling") == sorted([*WANTED, "unitask.json"])
    assert (shelf / "sibling/transformer/model-2.safetensors").read_bytes() == b"2" * 200_000


def test_a_repository_that_is_one_part_goes_into_its_subfolder(shelf: Path, hub: HubServer) -> None:
    """As if it were laid out like a pipeline."""
    write_card(shelf, "control", files=["config.json", "model*.safetensors"], part="controlnet", base="model")
    hub.repositories["lab/control"] = Repository({"config.json": b"{}", "model.safetensors": b"c", "x.bin": b"no"})
    bring(shelf, hub, "control")
    assert names(shelf / "control") == ["controlnet/config.json", "controlnet/model.safetensors", "unitask.json"]
    assert Shelf(shelf).lacks(("control",)) == "its weights are not here; get them with: unitask models pull model"


def test_a_lora_gets_the_name_that_clients_send(shelf: Path, hub: HubServer) -> None:
    """Whatever it is called in its repository."""
    loras = shelf / "cards/loras"
    loras.mkdir()
    (loras / "flux.toml").write_text(
        '[mine]\nrepository = "lab/loras"\nfile = "*.safetensors"\ndisk_bytes = 1\nlicense = "apache-2"\n'
    )
    hub.repositories["lab/loras"] = Repository({"mine_v2.safetensors": b"lora", "README.md": b"x"})
    bring(shelf, hub, "lora:flux/mine")
    assert Shelf(shelf).lora("flux", "mine").read_bytes() == b"lora"
    hub.repositories["lab/loras"].files["mine_v3.safetensors"] = b"two"
    with pytest.raises(Unavailable, match=r"several files for lora:flux/mine: mine_v2\.safetensors, mine_v3"):
        bring(shelf, hub, "lora:flux/mine")


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("hf_other", 403)])
def test_a_gated_repository_says_where_to_accept_its_terms(
    shelf: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch, *, token: str | None, status: int
) -> None:
    """With the right token it opens."""
    hub.repositories["lab/model"].gated = True
    monkeypatch.setenv("HF_TOKEN_PATH", str(shelf / "none"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(
        Unavailable, match=rf"/lab/model is not open to you, or not there \(HTTP {status}\): .* as HF_TOKEN"
    ):
        bring(shelf, hub)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    bring(shelf, hub)


def test_what_the_hub_does_not_have_is_a_sentence(shelf: Path, hub: HubServer) -> None:
    """A repository, a revision, a file of the card, a piece that an index names."""
    write_card(shelf, "absent")
    write_card(shelf, "old", repository="lab/model", revision="v9")
    write_card(shelf, "wrong", repository="lab/model", files=["*/*.safetensors", "weights.json"])
    write_card(shelf, "part", repository="lab/model", files=["*.json", "*-1.safetensors"])
    for name, sentence in {
        "absent": "lab/absent is not open to you, or not there",
        "old": "lab/model has no such revision",
        "wrong": r"has no weights\.json at main; correct the card",
        "part": r"is not complete: no transformer/model-2\.safetensors; no text/; correct the card",
    }.items():
        with pytest.raises(Unavailable, match=sentence):
            bring(shelf, hub, name)
        assert Shelf(shelf).lacks((name,))


def test_a_path_that_leads_out_of_the_shelf_is_refused(shelf: Path, hub: HubServer) -> None:
    """Whoever runs the hub does not write where they like."""
    hub.repositories["lab/model"].files["x/../../../stolen.safetensors"] = b"!"
    with pytest.raises(Unavailable, match="a path that is not taken"):
        bring(shelf, hub)


def test_a_hub_out_of_reach_is_a_sentence(shelf: Path) -> None:
    """With what helps where there is no network."""
    with hub_server() as gone:
        pass
    with pytest.raises(Unavailable, match=r"did not answer as it should .* unitask models import"):
        bring(shelf, gone)


def test_files_that_were_only_linked_are_never_linked_again(shelf: Path, hub: HubServer, tmp_path: Path) -> None:
    """They are their owner's, who may change them."""
    outside = write_files(tmp_path / "outside", files("s"))
    write_card(shelf, "sibling")
    reader = Shelf(shelf)
    bring_in(find(reader, "sibling"), outside, link=True, say=print)
    bring(shelf, hub)
    assert not (shelf / "model/text/model.safetensors").samefile(outside / "text/model.safetensors")
