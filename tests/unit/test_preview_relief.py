"""3D models of the preview engine: the mesh, the film of it, and the cut-out."""

import io
import json
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import trimesh
from PIL import Image

from support import films
from support.previews import Made, Workshop, pixels
from unitask.engines.preview.engine import WARNING
from unitask.engines.preview.relief.solid import build
from unitask.engines.preview.strip import strip_height
from unitask.kit.errors import Cancelled, MediaFailure

SMALL = {"texture_px": 128, "turntable": {"frames": 4, "fps": 8, "size": [96, 96]}}


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Open a workshop in an empty folder."""
    return Workshop(tmp_path)


@pytest.fixture
def disc(workshop: Workshop) -> str:
    """Paint a red disc of 80 pixels on blue, a green spot in its middle."""
    array = np.full((120, 160, 3), (30, 60, 200), np.uint8)
    cv2.circle(array, (80, 60), 40, (220, 40, 40), -1, cv2.LINE_AA)
    cv2.circle(array, (80, 60), 10, (40, 200, 60), -1, cv2.LINE_AA)
    return workshop.picture("disc.png", array)


def model(workshop: Workshop, image: str = "", task_type: str = "image-to-3d", **fields: Any) -> Made:
    """Order a small model."""
    given = {"image": image} if image else {}
    return workshop.order("trellis", task_type, options=SMALL, **given, **fields)


def mesh(made: Made) -> trimesh.Trimesh:
    """Load the model as any viewer would."""
    scene = trimesh.load(io.BytesIO(made.content("model_file")), file_type="glb")
    assert isinstance(scene, trimesh.Scene)
    (found,) = scene.geometry.values()
    assert isinstance(found, trimesh.Trimesh)
    return found


def test_the_model_is_a_closed_body_with_a_texture(workshop: Workshop, disc: str) -> None:
    """As wide as high and about half as thick, longest side 1, looking outwards, front and back in one texture."""
    made = model(workshop, disc)
    found = mesh(made)
    assert found.bounds == pytest.approx(-found.bounds[::-1])
    wide, high, thick = found.extents
    assert max(wide, high) == pytest.approx(1)
    assert wide == pytest.approx(high, rel=0.05)
    assert 0.25 < thick < 0.95
    texture = found.visual.material.baseColorTexture
    assert max(texture.size) == 128
    assert found.visual.uv.min() >= 0
    assert found.visual.uv.max() <= 1
    found.merge_vertices(merge_tex=True, merge_norm=True)
    assert found.is_watertight
    assert found.volume > 0.1
    assert WARNING in made.job.warnings
    assert made.job.fractions == sorted(made.job.fractions)
    assert made.job.fractions[-1] == 1


def test_the_picture_lies_on_the_front(workshop: Workshop, disc: str) -> None:
    """The spot is in the middle of the front and the background nowhere."""
    found = mesh(model(workshop, disc))
    texture = np.asarray(found.visual.material.baseColorTexture.convert("RGB")).astype(int)
    nearest = int(np.argmax(found.vertices[:, 2] - 5 * np.hypot(found.vertices[:, 0], found.vertices[:, 1])))
    u, v = found.visual.uv[nearest]
    red, green, _ = texture[int((1 - v) * (len(texture) - 1)), int(u * (texture.shape[1] - 1))]
    assert green > red + 50
    assert (texture[..., 2] < 130).all()


def test_the_file_says_what_made_it(workshop: Workshop, disc: str) -> None:
    """In the extras of the asset."""
    content = model(workshop, disc, prompt="a disc").content("model_file")
    (length,) = struct.unpack("<I", content[12:16])
    asset = json.loads(content[20 : 20 + length])["asset"]
    assert asset["generator"] == "unitask"
    assert asset["extras"] == {
        "unitask:engine": "preview",
        "unitask:level": "preview",
        "unitask:prompt": "a disc",
        "unitask:seed": "7",
    }


def test_the_film_shows_a_whole_turn(workshop: Workshop, disc: str) -> None:
    """As many frames as the recipe says; the disc is round from the front and narrow from the side."""
    found = films.look(model(workshop, disc).path("combined_video"))
    assert (len(found.frames), float(found.fps), found.size, found.codec) == (4, 8, (96, 96), "h264")
    above = [frame[: -strip_height(96, 96)].astype(int) for frame in found.frames]
    red = [(frame[..., 0] > frame[..., 2] + 60).sum() for frame in above]
    assert red[1] < red[0]
    strip = found.frames[0][-strip_height(96, 96) :].astype(int)
    assert (np.abs(strip - (255, 190, 60)).max(axis=2) < 60).any()


def test_the_cut_out_has_the_size_of_the_picture(workshop: Workshop, disc: str) -> None:
    """Transparent where the background was, the same colours elsewhere."""
    made = model(workshop, disc)
    before, after = pixels(Path(disc)), made.picture("no_background_image")
    assert after.shape == (120, 160, 4)
    truth = np.hypot(*np.mgrid[-60:60, -80:80]) < 40
    kept = after[..., 3] > 127
    assert (kept & truth).sum() / (kept | truth).sum() > 0.93
    assert np.array_equal(after[..., :3], before)


def test_transparency_decides_where_there_is_some(workshop: Workshop) -> None:
    """A file that was cut out before keeps its own outline."""
    array = np.full((90, 60, 4), (120, 120, 120, 0), np.uint8)
    array[20:80, 10:50, 3] = 255
    after = model(workshop, workshop.picture("cut.png", array)).picture("no_background_image")
    assert np.array_equal(after[..., 3], array[..., 3])


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (64, 64)])
def test_a_picture_without_a_subject_becomes_a_cushion(workshop: Workshop, shape: tuple[int, int]) -> None:
    """All of it, with a sentence about that; even one pixel."""
    made = model(workshop, workshop.picture("plain.png", np.full((*shape, 3), 90, np.uint8)))
    assert any("no subject stands out" in warning for warning in made.job.warnings)
    assert len(mesh(made).faces) > 50


def test_only_the_first_of_several_views_is_used(workshop: Workshop, disc: str) -> None:
    """And the client is told; the field is called image_urls as well."""
    other = workshop.picture("other.png", np.zeros((20, 20, 3), np.uint8))
    made = model(workshop, image_urls=[disc, other])
    assert "only the first of 2 pictures was used" in made.job.warnings
    assert made.picture("no_background_image").shape == (120, 160, 4)


def test_words_become_a_model(workshop: Workshop) -> None:
    """A thing that is known is drawn; for another one there is a vase in the colour that was asked for."""
    bear, pot = (model(workshop, task_type="text-to-3d", prompt=prompt) for prompt in ("a bear", "a red teapot"))
    assert not any("vase" in warning for warning in bear.job.warnings)
    assert any("vase" in warning for warning in pot.job.warnings)
    for made in (bear, pot):
        assert len(mesh(made).faces) > 1000
    cut = pot.picture("no_background_image")
    red, green, blue = cut[cut[..., 3] > 200][:, :3].mean(axis=0)
    assert red > 1.5 * max(green, blue)
    assert bear.content("model_file") != pot.content("model_file")


def test_the_same_order_gives_the_same_bytes(workshop: Workshop, disc: str) -> None:
    """All three files; another seed makes another body."""
    first, again, other = (model(workshop, disc), model(workshop, disc), model(workshop, disc, seed=8))
    for field in ("model_file", "combined_video", "no_background_image"):
        assert first.content(field) == again.content(field)
    assert first.content("model_file") != other.content("model_file")


def test_what_hangs_on_to_nothing_is_left_out() -> None:
    """A speck far away would make the thing itself small."""
    alpha = np.zeros((100, 200), np.float32)
    cv2.circle(alpha, (50, 50), 40, (1.0,), -1)
    alpha[10:14, 190:194] = 1
    solid = build(np.full((100, 200, 3), 128, np.uint8), alpha, 64)
    wide, high, _ = np.ptp(solid.vertices, axis=0)
    assert wide == pytest.approx(high, rel=0.05)


def test_thin_things_do_not_vanish() -> None:
    """A stroke thinner than the mesh is fine has a body all the same."""
    alpha = np.zeros((400, 400), np.float32)
    cv2.line(alpha, (10, 200), (390, 200), (1.0,), 1)
    alpha[50:350, 199] = 1
    solid = build(np.full((400, 400, 3), 128, np.uint8), alpha, 64)
    assert len(solid.faces) > 100
    assert np.isfinite(solid.vertices).all()


def test_a_bad_picture_is_refused(workshop: Workshop) -> None:
    """With the phrase that clients match on."""
    with pytest.raises(MediaFailure, match="failed to get valid image"):
        model(workshop, workshop.junk(b"\x89PNG\r\n\x1a\n"))


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_a_cancelled_order_ends(workshop: Workshop, disc: str, share: float) -> None:
    """At the beginning, and in the middle of the film."""
    with pytest.raises(Cancelled):
        model(workshop, disc, cancel_when=lambda fraction: fraction > share)


def test_the_cut_out_is_labelled(workshop: Workshop, disc: str) -> None:
    """In its metadata: a strip would be taken for a part of the thing."""
    with Image.open(model(workshop, disc).path("no_background_image")) as image:
        assert image.text["unitask:level"] == "preview"
