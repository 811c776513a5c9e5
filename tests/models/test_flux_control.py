"""Flux with a ControlNet from tiny random weights, on maps that are read from pictures."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from tiny_control import shelve_depth, shelve_poses
from tiny_flux import shelve_controlnet, shelve_flux, shelve_style

from support.previews import Made, Workshop
from unitask.engines.diffusers.control_maps import canny, soft_edge
from unitask.engines.diffusers.flux_control import MODES
from unitask.kit.errors import MediaFailure

QUICK: Final = {"steps": 3, "tokens": 32}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shelf with all that a ControlNet needs."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    shelve_flux(folder)
    shelve_controlnet(folder)
    shelve_depth(folder)
    shelve_poses(folder)
    shelve_style(folder, "anime")
    return folder


@pytest.fixture
def workshop(tmp_path: Path, models: Path) -> Workshop:
    """Give who takes orders."""
    return Workshop(tmp_path, "diffusers", models)


def guide(workshop: Workshop, corner: int = 12) -> str:
    """Save a dark square on a light ground, 64 x 48."""
    picture = np.full((48, 64, 3), 230, np.uint8)
    picture[corner : corner + 20, corner : corner + 24] = 30
    return workshop.picture(f"guide-{corner}.png", picture)


def along(workshop: Workshop, control: dict[str, Any], **fields: Any) -> Made:
    """Order a picture along a map."""
    settings = [{"control_type": "canny", "control_image": guide(workshop), **control}]
    fields = {"prompt": "a glass tower", "options": QUICK, "control_net_settings": settings, **fields}
    return workshop.order("flux1-dev-advanced", "controlnet-lora", **fields)


def test_the_result_is_as_large_as_the_control_picture_or_as_asked(workshop: Workshop) -> None:
    """Where the client says nothing, the shapes keep their place."""
    assert along(workshop, {}).picture().shape == (48, 64, 3)
    assert along(workshop, {}, width=40, height=32).picture().shape == (32, 40, 3)


def test_shapes_strength_and_kind_of_map_matter(workshop: Workshop) -> None:
    """None of them is decoration."""
    pictures = [
        along(workshop, control).picture()
        for control in (
            {},
            {"control_image": guide(workshop, 20)},
            {"control_strength": 0.1},
            {"control_type": "soft_edge"},
            {"control_type": "depth"},
            {"control_type": "openpose"},
        )
    ]
    same = [(i, j) for i, one in enumerate(pictures) for j in range(i) if np.array_equal(one, pictures[j])]
    assert not same


def test_the_network_is_told_which_kind_of_map_it_follows(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same lines, said to be something else, are followed in another way."""
    lines = along(workshop, {}).picture()
    monkeypatch.setitem(MODES, "canny", MODES["depth"])
    assert not np.array_equal(along(workshop, {}).picture(), lines)


@pytest.mark.parametrize(("kind", "read"), [("canny", canny), ("hed", soft_edge)])
def test_the_map_comes_along_when_it_is_asked_for(workshop: Workshop, kind: str, read: Any) -> None:
    """As the second picture, just as it was followed."""
    from PIL import Image  # noqa: PLC0415 - here alone

    made = along(workshop, {"control_type": kind, "return_preprocessed_image": True})
    _, second = made.output.fields["image_urls"]
    with Image.open(made.job.saved[second]) as found, Image.open(guide(workshop)) as given:
        assert np.array_equal(np.asarray(found), np.asarray(read(given.convert("RGB"))))


def test_a_style_is_laid_over_it_and_leaves_no_trace(workshop: Workshop) -> None:
    """A LoRA and a ControlNet together, then without."""
    before = along(workshop, {}).content("image_url")
    styled = along(workshop, {}, lora_settings=[{"lora_type": "anime"}])
    assert not np.array_equal(styled.picture(), along(workshop, {}).picture())
    assert along(workshop, {}).content("image_url") == before


def test_a_picture_to_start_from_is_painted_over_along_the_map(workshop: Workshop) -> None:
    """Its size wins, and what these weights cannot do with it is said."""
    start = workshop.picture("start.png", np.full((32, 32, 3), 120, np.uint8))
    made = along(workshop, {}, image=start, denoise=0.8, negative_prompt="people")
    assert made.picture().shape == (32, 32, 3)
    assert any("negative_prompt has no effect" in warning for warning in made.job.warnings)
    alone = along(workshop, {}, width=32, height=32)
    assert not np.array_equal(made.picture(), alone.picture())


def test_a_pose_of_nobody_fails_with_its_sentence(tmp_path: Path) -> None:
    """There is nothing to follow."""
    models = tmp_path / "models"
    shelve_flux(models)
    shelve_controlnet(models)
    shelve_poses(models, people=False)
    with pytest.raises(MediaFailure, match="person"):
        along(Workshop(tmp_path, "diffusers", models), {"control_type": "openpose"})
