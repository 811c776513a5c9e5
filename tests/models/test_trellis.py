"""Trellis from weights: tiny random ones, through the code that serves the real ones."""

import io
import json
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
import trimesh
from tiny_trellis import EYES, IMAGE, READER, TEXT, shelve_all, shelve_eyes, shelve_trellis

from support.films import look
from support.previews import CATALOGUE, Made, Workshop
from unitask.engines.networks import ENGINE, trellis
from unitask.kit.errors import Cancelled, EngineFailure, MediaFailure
from unitask.runtime.hardware import Hardware
from unitask.runtime.runtime import Runtime
from unitask.weights import Shelf

torch.set_num_threads(1)
SMALL: Final = {"limit_faces": 3000, "size": [48, 40], "frames": 4, "fps": 8}
FEW: Final = {"ss_sampling_steps": 3, "slat_sampling_steps": 2}
FROM_PICTURES: Final = CATALOGUE.find("Qubico/trellis", "image-to-3d")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put the family on a shelf."""
    folder = tmp_path_factory.mktemp("models")
    shelve_all(folder)
    return folder


@pytest.fixture
def workshop(tmp_path: Path, models: Path) -> Workshop:
    """Open a workshop with this shelf."""
    return Workshop(tmp_path, "networks", models)


@pytest.fixture
def view(workshop: Workshop) -> str:
    """Save a picture without background."""
    return cut(workshop, 0)


def cut(workshop: Workshop, number: int) -> str:
    """Save a square of noise in the middle of nothing."""
    array = np.zeros((60, 80, 4), np.uint8)
    array[15:45, 25:55, :3] = np.random.default_rng(number).integers(0, 256, (30, 30, 3))
    array[15:45, 25:55, 3] = 255
    return workshop.picture(f"cut-{number}.png", array)


def order(workshop: Workshop, task_type: str = "image-to-3d", **fields: Any) -> Made:
    """Order a small model in few steps."""
    options = SMALL | fields.pop("options", {})
    return workshop.order("trellis", task_type, options=options, **{**FEW, **fields})


def mesh(made: Made) -> trimesh.Trimesh:
    """Load the model as any viewer would."""
    scene = trimesh.load(io.BytesIO(made.content("model_file")), file_type="glb", process=False)
    assert isinstance(scene, trimesh.Scene)
    (found,) = scene.geometry.values()
    assert isinstance(found, trimesh.Trimesh)
    return found


def test_a_picture_becomes_a_coloured_model_a_film_and_a_cut_out(workshop: Workshop, view: str) -> None:
    """As many triangles as allowed, within a cube of side 1; the film is as the recipe says."""
    made = order(workshop, image=view)
    found = mesh(made)
    assert 1000 < len(found.faces) <= 3000
    assert np.abs(found.bounds).max() <= 0.5 + 1 / 32
    assert np.ptp(found.visual.vertex_attributes["color"][:, :3], axis=0).min() > 1000
    film = look(made.path("combined_video"))
    assert (len(film.frames), float(film.fps), film.size) == (4, 8, (48, 40))
    assert np.abs(film.frames[0].astype(int) - film.frames[1]).mean() > 2
    assert np.array_equal(made.picture("no_background_image"), np.asarray(workshop_picture(view)))
    assert made.job.warnings == []


def workshop_picture(path: str) -> Any:
    """Decode a file."""
    from PIL import Image  # noqa: PLC0415 - here alone

    return Image.open(path)


def test_trellis_2_is_made_by_trellis_and_says_so(
    workshop: Workshop, view: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Trellis makes when only a picture and a seed are named; the level is no full one."""
    product = CATALOGUE.find("Qubico/trellis2", "image-to-3d")
    assert [recipe.level for recipe in product.recipes] == ["basic", "preview"]
    for name, value in FEW.items():
        assert getattr(product.input, name) == FROM_PICTURES.input.model_fields[name].default
        monkeypatch.setattr(product.input, name, value)
    later = workshop.order("trellis2", "image-to-3d", image=view, seed=3, options=SMALL)
    elder = order(workshop, image=view, seed=3)
    assert np.array_equal(mesh(later).vertices, mesh(elder).vertices)
    assert np.array_equal(mesh(later).faces, mesh(elder).faces)
    assert [sentence.split(":")[0] for sentence in later.job.warnings] == ["made by Trellis, not by Trellis 2"]
    assert elder.job.warnings == []


def test_words_become_a_model_and_a_picture_of_it(workshop: Workshop) -> None:
    """The decoders come from the weights for pictures; the picture shows the model's front without a wall."""
    made = order(workshop, "text-to-3d", prompt="a bear")
    assert len(mesh(made).faces) > 1000
    shown = made.picture("no_background_image")
    assert shown.shape == (40, 48, 4)
    assert 0.1 < (shown[..., 3] > 127).mean() < 0.9
    assert made.job.warnings == []


def test_every_field_counts_and_the_same_order_gives_the_same_bytes(workshop: Workshop, view: str) -> None:
    """Seed, steps, guidance and pictures change the model; the seed also draws another one."""
    changes: list[dict[str, Any]] = [{}, {}, {"seed": 8}, {"ss_sampling_steps": 4}, {"slat_sampling_steps": 3}]
    changes += [{"ss_guidance_strength": 2}, {"slat_guidance_strength": 9}, {"image": cut(workshop, 1)}]
    first, again, *others = (order(workshop, **{"image": view, **change}) for change in changes)
    assert all(first.content(field) == again.content(field) for field in first.output.fields)
    assert len({made.content("model_file") for made in (first, *others)}) == len(changes) - 1


def test_every_word_counts(workshop: Workshop) -> None:
    """Up to as many as are read: what comes later is said to be lost."""
    models = [order(workshop, "text-to-3d", prompt=prompt) for prompt in ("a bear", "a boar", "a " * 75, "a " * 76)]
    contents = [made.content("model_file") for made in models]
    assert len(set(contents)) == 3
    assert contents[2] == contents[3]
    assert [len(made.job.warnings) for made in models] == [0, 0, 0, 1]
    assert "first 75 tokens" in models[3].job.warnings[0]


def test_several_views_are_followed_in_turn(workshop: Workshop, view: str) -> None:
    """`image` first; the same view twice is one view; what no step follows is said."""
    other = cut(workshop, 1)
    both, turned, twice, once = (
        order(workshop, **fields).content("model_file")
        for fields in (
            {"image": view, "images": [other]},
            {"images": [other, view]},
            {"images": [view] * 2},
            {"image": view},
        )
    )
    assert len({both, turned, once}) == 3
    assert twice == once
    crowd = order(workshop, images=[view, other, view, other])
    assert ["the first 2 of 4 count" in sentence for sentence in crowd.job.warnings] == [True]
    assert order(workshop, images=[view, other]).job.warnings == []


def test_what_has_no_effect_is_said(workshop: Workshop, view: str) -> None:
    """The words beside a picture; and that a background was told by its colours."""
    array = np.full((60, 80, 3), (30, 60, 200), np.uint8)
    array[15:45, 25:55] = (220, 40, 40)
    made = order(workshop, image=workshop.picture("opaque.png", array), prompt="a box")
    assert [sentence.split()[0] for sentence in made.job.warnings] == ["prompt", "the"]
    shown = made.picture("no_background_image")[..., 3] > 127
    assert shown[20:40, 30:50].all()
    assert not shown[:10].any()


def test_the_files_say_what_made_them(workshop: Workshop, view: str) -> None:
    """In the extras of the asset."""
    content = order(workshop, image=view).content("model_file")
    (length,) = struct.unpack("<I", content[12:16])
    assert json.loads(content[20 : 20 + length])["asset"]["extras"] == {
        "Software": "unitask",
        "unitask:engine": "networks",
        "unitask:level": "full",
        "unitask:weights": f"{IMAGE} {EYES}",
        "unitask:seed": "7",
    }


def test_progress_rises_with_every_step_and_frame(workshop: Workshop, view: str) -> None:
    """Before the steps pictures are read and weights loaded, after them the mesh is found and drawn."""
    fractions = order(workshop, image=view).job.fractions
    assert len(fractions) == 2 + 5 + 2 + 4 + 1
    assert all(low < high for low, high in pairwise(fractions))
    assert fractions[-1] == 1


@pytest.mark.parametrize("late", [0.3, 0.86])
def test_a_cancelled_order_stops_at_its_next_step_and_leaves_no_trace(
    workshop: Workshop, view: str, late: float
) -> None:
    """Among the steps or in the film; what is made after it is what would have been made without it."""
    before = order(workshop, image=view).content("model_file")
    job = workshop.job(FROM_PICTURES, **SMALL)
    job.cancel_when = lambda fraction: fraction > late
    with pytest.raises(Cancelled):
        ENGINE.run(FROM_PICTURES, FROM_PICTURES.input(image=view, **FEW), job)
    assert len([fraction for fraction in job.fractions if fraction > late]) == 1
    assert order(workshop, image=view).content("model_file") == before


def test_pictures_that_show_nothing_are_refused(workshop: Workshop) -> None:
    """Transparent all over, or no picture at all."""
    empty = workshop.picture("empty.png", np.zeros((9, 9, 4), np.uint8))
    with pytest.raises(MediaFailure, match="transparent everywhere"):
        order(workshop, image=empty)
    with pytest.raises(MediaFailure, match="cannot be decoded"):
        order(workshop, image=workshop.junk())


def test_a_shape_that_is_none_is_an_error_that_says_what_to_do(
    workshop: Workshop, view: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too much of it, too."""
    monkeypatch.setattr(trellis, "LIMIT_VOXELS", 10)
    with pytest.raises(EngineFailure, match="voxels, 10 can be worked on; order again with another seed"):
        order(workshop, image=view)


def with_bias(models: Path, network: str, value: float) -> None:
    """Give all outputs of a stored network the same to begin with."""
    from safetensors.torch import load_file, save_file  # noqa: PLC0415 - here alone

    path = next((models / IMAGE / "ckpts").glob(f"{network}*.safetensors"))
    tensors = load_file(path)
    name = next(name for name in tensors if name.startswith("out_layer.") and name.endswith(".bias"))
    save_file({**tensors, name: torch.full_like(tensors[name], value)}, path)


@pytest.mark.parametrize(
    ("network", "value", "said"), [("ss_dec", -1e3, "nothing took shape"), ("slat_dec", 1e3, "no surface was found")]
)
def test_weights_that_see_nothing_are_no_empty_file(tmp_path: Path, network: str, value: float, said: str) -> None:
    """An empty mesh would be no model."""
    shelve_trellis(tmp_path / "models")
    shelve_eyes(tmp_path / "models")
    with_bias(tmp_path / "models", network, value)
    workshop = Workshop(tmp_path, "networks", tmp_path / "models")
    with pytest.raises(EngineFailure, match=said):
        order(workshop, image=cut(workshop, 0))


def test_weights_that_are_missing_name_the_command(workshop: Workshop, tmp_path: Path, view: str) -> None:
    """Those of what sees as well as those of the model."""
    with pytest.raises(EngineFailure, match=f"unitask models pull {EYES}|no model card"):
        order(Workshop(tmp_path, "networks", tmp_path / "none"), image=view)
    shelve_eyes(tmp_path / "half")
    folder = tmp_path / "orders"
    folder.mkdir()
    with pytest.raises(EngineFailure, match=f"unitask models pull {IMAGE}|no model card"):
        order(Workshop(folder, "networks", tmp_path / "half"), image=view)


@pytest.mark.parametrize("damage", ["weights", "build", "index", "absent"])
def test_weights_that_are_damaged_name_the_command(tmp_path: Path, damage: str) -> None:
    """A file that ends early, a build that is none, an index that names what is not there."""
    models = tmp_path / "models"
    root = shelve_trellis(models)
    shelve_eyes(models)
    path = root / "ckpts/ss_flow_img_dit_L_16l8_fp16"
    if damage == "weights":
        whole = path.with_suffix(".safetensors")
        whole.write_bytes(whole.read_bytes()[:1000])
    elif damage == "build":
        path.with_suffix(".json").write_text('{"name": "ElasticSLatFlowModel", "args": {"model_channels": 24}}')
    elif damage == "index":
        (root / "pipeline.json").write_text('{"args": {}}')
    else:
        text = (root / "pipeline.json").read_text()
        (root / "pipeline.json").write_text(text.replace("ckpts/ss_flow", "../ss_flow"))
    workshop = Workshop(tmp_path, "networks", models)
    with pytest.raises(EngineFailure, match=f"unitask models check {IMAGE}"):
        order(workshop, image=cut(workshop, 0))


def test_decoders_are_in_memory_once_for_both_and_leave_when_room_is_wanted(
    workshop: Workshop, models: Path, view: str
) -> None:
    """On a device that holds little more than the largest network the same is made."""
    expected = order(workshop, image=view).content("model_file")
    runtime = Runtime(Shelf(models), Hardware("cpu", 2**40, 2**40))
    parts = [trellis.Stored.on(runtime, card_id).parts for card_id in (IMAGE, TEXT)]
    same = [name for name in parts[0] if parts[0][name].key == parts[1][name].key]
    assert same == ["sparse_structure_decoder", "slat_decoder_mesh"]
    room = max(part.size_bytes for part in parts[0].values()) + 100_000
    job = workshop.job(FROM_PICTURES, **SMALL)
    small = Runtime(Shelf(models), Hardware("cpu", room, 2**40))
    output = small.attempt(lambda own: trellis.image_to_3d(FROM_PICTURES.input(image=view, **FEW), job, own), job)
    assert Made(output, job).content("model_file") == expected


def test_half_precision_makes_a_model_too(tmp_path: Path) -> None:
    """The card's own."""
    models = tmp_path / "models"
    shelve_trellis(models)
    shelve_eyes(models)
    card = models / f"cards/{IMAGE}.toml"
    card.write_text(card.read_text().replace("float32", "float16"))
    workshop = Workshop(tmp_path, "networks", models)
    assert len(mesh(order(workshop, image=cut(workshop, 0))).faces) > 1000


def test_the_reader_is_the_half_of_clip_that_reads(models: Path) -> None:
    """What sees pictures in it takes no memory."""
    from transformers import CLIPModel  # noqa: PLC0415 - here alone

    from unitask.engines.networks.solid.views import read  # noqa: PLC0415 - here alone

    runtime = Runtime(Shelf(models), Hardware("cpu", 2**40, 2**40))
    told, nothing = read("a bear", READER, None, runtime)  # type: ignore[arg-type]
    whole = CLIPModel.from_pretrained(models / READER, subfolder="text_encoder")
    assert told.shape == nothing.shape == (77, 20)
    marks = torch.tensor([[512, *[513] * 76]])
    with torch.no_grad():
        assert torch.allclose(whole.text_model(input_ids=marks).last_hidden_state[0], nothing, atol=1e-6)
