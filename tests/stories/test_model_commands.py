"""`unitask models` without a hub, and the sentences that lead to it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.machine import Machine
from support.plugin import install
from support.weights import STRICT, files, names, write_card, write_files
from unitask.catalogue import Catalogue
from unitask.weights.card import OURS

WEIGHTY = Path(__file__).parents[1] / "support/weighty.py"
MISSING = "preview: its weights are not here; get them with: unitask models pull flux1-redux-dev"


@pytest.fixture
def models(machine: Machine) -> Path:
    """Give the shelf of the machine, with a card of its own."""
    folder = machine.folder / "data/models"
    write_card(folder, "model", STRICT)
    return folder


def test_all_weights_are_listed_with_licence_and_state(machine: Machine, models: Path) -> None:
    """For people a line, for programs everything."""
    lines = machine.run("models", "list").stdout.splitlines()
    assert lines[0] == f"Weights in {models}"
    (line,) = [line for line in lines if line.startswith("flux1-dev ")]
    assert line.split(maxsplit=5)[1:] == ["missing,", "about", "34.0", "GB", line.split(maxsplit=5)[5]]
    assert line.endswith("FLUX.1 [dev] Non-Commercial License (restricted)")
    listed = {one["id"]: one for one in json.loads(machine.run("models", "list", "--json").stdout)}
    assert listed["model"]["installed"] is False
    assert listed["model"]["license"]["forbids"] == "Fun."
    assert listed["lora:flux/anime"]["repository"] == "XLabs-AI/flux-lora-collection"


def test_a_folder_is_imported_checked_and_removed(machine: Machine, models: Path) -> None:
    """The licence is asked for once; a check ends with 1 where something is damaged."""
    copy = write_files(machine.folder / "copy", files())
    refused = machine.run("models", "import", "model", str(copy))
    assert refused.returncode == 1
    assert "It forbids: Fun." in refused.stdout
    assert refused.stderr == ("unitask: nothing was done; to answer yes without being asked, use --accept-license\n")
    assert not (models / "model").exists()
    imported = machine.run("models", "import", "model", str(copy), "--accept-license")
    assert imported.stdout.splitlines()[-1] == f"model: complete in {models}/model"
    assert "forbids" not in machine.run("models", "import", "model", str(copy)).stdout
    listed = {one["id"]: one for one in json.loads(machine.run("models", "list", "--json").stdout)}
    assert (listed["model"]["installed"], listed["model"]["folder"]) == (True, str(models / "model"))
    assert listed["model"]["license"]["accepted"] is True
    assert machine.run("models", "check").stdout == "demo-shapes: as it came\nmodel: as it came\n"
    (models / "model/text/model.safetensors").write_bytes(b"short")
    damaged = machine.run("models", "check")
    assert damaged.returncode == 1
    assert damaged.stdout == (
        "demo-shapes: as it came\n"
        f"model: {models}/model/text/model.safetensors is damaged; mend it with: unitask models pull model\n"
    )
    assert machine.run("models", "remove", "model").returncode == 1
    assert machine.run("models", "remove", "model", "--yes").stdout == "model is removed.\n"
    assert names(models) == ["accepted.json", "cards/model.toml"]


def test_a_pull_without_the_library_says_what_to_install(machine: Machine, models: Path) -> None:
    """One sentence, no traceback."""
    code = "import sys; sys.modules['huggingface_hub'] = None; from unitask.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code, "models", "pull", "model", "--accept-license"],
        env=machine.environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("unitask: huggingface_hub cannot be loaded ")
    assert ran.stderr.endswith("install it with: pip install 'unitask[models]'\n")


def test_products_whose_weights_are_missing_say_how_to_get_them(machine: Machine) -> None:
    """In the catalogue, in the doctor, and on create; what is made less well without them is no trouble."""
    machine.found_by = install(machine.folder / "weighty", WEIGHTY, products={"weighty": "PRODUCTS"})
    machine.settings["ENGINES"] = "preview,cpu"
    machine.prepare()
    catalogue = machine.run("catalogue").stdout.splitlines()
    (line,) = [line for line in catalogue if " only-real " in line]
    assert line.endswith(f"not here: {MISSING}")
    doctor = machine.run("doctor").stdout
    troubles = doctor.partition("Troubles")[2]
    assert f" ! weighty/only-real cannot be made: {MISSING}\n" in troubles
    assert "better-real" not in troubles
    better = doctor.partition("What would be made better\n")[2]
    assert f"   weighty/better-real\n      {MISSING}\n" in better
    _, api = machine.serve()
    refused = api.http.post("/api/v1/task", json=_order("only-real"))
    assert refused.status_code == 503
    assert refused.json()["message"] == f"weighty only-real cannot be made here: {MISSING}"
    assert api.http.post("/api/v1/task", json=_order("better-real")).status_code == 200


def test_the_doctor_says_of_every_product_whose_real_weights_were_seen_to_work(machine: Machine) -> None:
    """As their cards say, and those that they lean on; where weights are not in use, of those that could be."""
    cards = machine.folder / "data/models/cards"
    cards.mkdir(parents=True)
    card = OURS.joinpath("cards/grounding-dino-base.toml").read_text("utf-8")
    (cards / "grounding-dino-base.toml").write_text(card + 'verified = "by Ada on an H100"\n')
    doctor = machine.run("doctor", ENGINES="cpu,preview").stdout.partition("What would be made better")[0]
    said = {line.split()[0]: line for line in doctor.splitlines() if line.startswith("   Qubico/")}
    assert said["Qubico/image-toolkit/segment"].endswith(
        " basic by cpu (from weights: full by networks, verified with the real weights: "
        "grounding-dino-base by Ada on an H100, not yet verified with the real weights of sam2.1-hiera-large)"
    )
    unseen = "trellis-text-large and trellis-image-large and clip-vit-large-patch14"
    assert said["Qubico/trellis/text-to-3d"].endswith(
        f" preview by preview (from weights: full by networks, not yet verified with the real weights of {unseen})"
    )
    made = {product.key for product in Catalogue.load() if any(recipe.weights for recipe in product.recipes)}
    assert {key for key, line in said.items() if "verified with the real weights" in line} == made


def _order(task_type: str) -> dict[str, object]:
    return {"model": "weighty", "task_type": task_type, "input": {"prompt": "a cat"}}


def test_weights_know_the_products_that_they_serve(machine: Machine) -> None:
    """Derived from the recipes, for the bases too."""
    machine.found_by = install(machine.folder / "weighty", WEIGHTY, products={"weighty": "PRODUCTS"})
    listed = {one["id"]: one for one in json.loads(machine.run("models", "list", "--json").stdout)}
    for card in ("flux1-redux-dev", "flux1-dev"):
        assert {"weighty/only-real", "weighty/better-real"} <= set(listed[card]["products"])
    assert "weighty/only-real" not in listed["hunyuan-video"]["products"]
