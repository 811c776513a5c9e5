"""Taking things out of pictures and continuing them, by the engine cpu: what the region becomes and what stays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from support.job import LocalJob
from support.recipes import plain_recipe
from unitask.catalogue import Catalogue
from unitask.engines import cpu
from unitask.engines.cpu import faces, filling
from unitask.engines.cpu.filling import RING_PX
from unitask.kit.errors import Cancelled, MediaFailure, TaskFailure
from unitask.spec.product import Product, Recipe

Array = NDArray[Any]
CATALOGUE = Catalogue.load()
INPAINT, OUTPAINT = (CATALOGUE.find("Qubico/flux1-dev-advanced", f"fill-{what}") for what in ("inpaint", "outpaint"))


class Studio:
    """Orders pictures of the engine; its folder holds what was sent and what was made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.job: LocalJob

    def _order(self, product: Product, given: Array | Path, settings: dict[str, Any], **fields: Any) -> Array:
        if not isinstance(given, Path):
            Image.fromarray(given).save(self.folder / "in.png", **settings.pop("how", {}))
            given = self.folder / "in.png"
        self.job = LocalJob(self.folder, settings.pop("recipe", plain_recipe(product)), **settings)
        inputs = product.input(**{"prompt": "a cat", "image": str(given)} | fields)
        output = cpu.ENGINE.run(product, inputs, self.job)
        with Image.open(self.job.saved[output.fields["image_url"]]) as image:
            return np.asarray(image)

    def inpaint(self, given: Array | Path, **settings: Any) -> Array:
        """Have the white region filled."""
        return self._order(INPAINT, given, settings)

    def outpaint(
        self, given: Array | Path, sides: tuple[int, int, int, int], prompt: str = "a cat", **settings: Any
    ) -> Array:
        """Have pixels added: left, right, above, below."""
        names = ("outpaint_left", "outpaint_right", "outpaint_top", "outpaint_bottom")
        asked = {"setting_type": "outpaint", **dict(zip(names, sides, strict=True))}
        return self._order(OUTPAINT, given, settings, custom_settings=[asked], prompt=prompt)


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """Open a studio in an empty folder."""
    return Studio(tmp_path)


def grass() -> Array:
    """Photograph a lawn from above: 240 x 200 pixels."""
    light = skimage.data.grass()[:200, :240].astype(np.float32)
    return np.clip(light[..., None] * np.array([0.6, 0.9, 0.4]) + 10, 0, 235).astype(np.uint8)


def wall() -> Array:
    """Photograph a wall of bricks: 256 x 256 pixels."""
    return np.dstack([np.minimum(skimage.data.brick()[::2, ::2], 240)] * 3)


def shore() -> Array:
    """Paint a sky, a dark hill and the sea, with the noise of a camera: 240 x 160 pixels."""
    rows, columns = np.indices((160, 240))
    sky = np.stack([120 + rows / 2, 160 + rows / 3, np.full_like(rows, 220)], axis=2)
    picture = np.where((rows > 95)[..., None], (30, 80, 140), sky)
    hill = rows > 95 - 30 * np.clip(1 - np.abs(columns - 190) / 60, 0, 1)
    picture = np.where((hill & (rows <= 95))[..., None], (60, 70, 40), picture)
    return np.clip(picture + np.random.default_rng(3).normal(0, 3, picture.shape), 0, 235).astype(np.uint8)


def holed(picture: Array, rows: slice, columns: slice) -> tuple[Array, Array]:
    """Paint a box white; gives the picture and the box as a mask."""
    mask = np.zeros(picture.shape[:2], bool)
    mask[rows, columns] = True
    given = picture.copy()
    given[mask] = 255
    return given, mask


def around(mask: Array, reach: int) -> Array:
    """Make a mask larger."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8)) > 0


def roughness(picture: Array, mask: Array) -> float:
    """Tell how much detail there is in a part of a picture."""
    grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F)[mask].std())


@pytest.mark.parametrize("scene", [grass, wall], ids=["lawn", "bricks"])
def test_a_region_is_filled_with_what_is_round_it(studio: Studio, scene: Callable[[], Array]) -> None:
    """In colour, in contrast and in detail, where a smear would be smooth."""
    picture = scene()
    given, mask = holed(picture, slice(70, 130), slice(80, 150))
    after = studio.inpaint(given)
    inner = cv2.erode(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert np.abs(after[mask].mean(axis=0) - picture[mask].mean(axis=0)).max() < 12
    assert after[inner].std() == pytest.approx(picture[inner].std(), rel=0.35)
    assert roughness(after, inner) > 0.5 * roughness(picture, inner)
    smear = cv2.inpaint(given, mask.astype(np.uint8), 5, cv2.INPAINT_TELEA)
    assert roughness(after, inner) > 2 * roughness(smear, inner)


def test_a_line_goes_on_through_the_region(studio: Studio) -> None:
    """Where a boat was taken out, sky meets sea as it does beside it."""
    given, mask = holed(shore(), slice(60, 130), slice(50, 100))
    after = studio.inpaint(given).astype(int)
    assert np.abs(after[mask] - shore()[mask]).mean() < 12
    assert (
        np.abs(np.median(after[64:88, 55:95], axis=(0, 1)) - np.median(shore()[64:88, 55:95], axis=(0, 1))).max() < 12
    )
    assert np.abs(np.median(after[104:128, 55:95], axis=(0, 1)) - (30, 80, 140)).max() < 12


def colourful(picture: Array, hues: tuple[int, int]) -> Array:
    """Mark strong colours of these hues, 0 to 180."""
    hue, strong, bright = cv2.split(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2HSV))
    return (hue >= hues[0]) & (hue <= hues[1]) & (strong > 90) & (bright > 60)


@pytest.mark.parametrize("box", [np.s_[150:420, 380:500], np.s_[20:300, 330:512]], ids=["beside her", "the shuttle"])
def test_no_part_of_a_person_is_copied_into_the_background(studio: Studio, box: tuple[slice, slice]) -> None:
    """Neither her face nor her hair nor her orange suit; and she stays the only one in the picture."""
    given, mask = holed(skimage.data.astronaut(), *box)
    after = studio.inpaint(given)
    assert colourful(after, (4, 24))[mask].mean() < 0.06
    assert len(faces.find(after)) == 1


def test_a_thing_is_not_repeated_beside_it(studio: Studio) -> None:
    """Above and left of a cup and its saucer there is more table and no other cup."""
    picture = cv2.resize(skimage.data.coffee(), (300, 200), interpolation=cv2.INTER_AREA)
    after = studio.outpaint(picture, (75, 0, 50, 0))
    added = np.ones(after.shape[:2], bool)
    added[50:, 75:] = False
    assert colourful(after, (0, 6))[added].mean() < 0.06


def test_a_thing_of_which_a_part_is_missing_is_completed(studio: Studio) -> None:
    """A hole inside her suit becomes suit."""
    given, mask = holed(skimage.data.astronaut(), slice(300, 345), slice(60, 110))
    assert colourful(studio.inpaint(given), (4, 24))[mask].mean() > 0.8


def test_only_the_region_changes(studio: Studio) -> None:
    """And the few pixels round it that a soft brush left partly white; specks of white are part of the picture."""
    given, mask = holed(grass(), slice(70, 130), slice(80, 150))
    given[5:7, 150:153] = 255
    after = studio.inpaint(given)
    changed = (after != given).any(axis=2)
    assert not changed[~around(mask, RING_PX)].any()
    assert changed[mask].mean() > 0.99
    assert (after[mask].min(axis=1) >= 250).mean() == 0


def test_a_soft_brush_leaves_no_outline(studio: Studio) -> None:
    """Pixels that are half white go with the region, and no other pixel takes after them."""
    given, mask = holed(grass(), slice(70, 130), slice(80, 150))
    share = cv2.GaussianBlur(around(mask, 1).astype(np.float32), (0, 0), 0.7)[..., None]
    brushed = (grass() * (1 - share) + 255 * share).astype(np.uint8)
    brushed[mask] = 255
    after = studio.inpaint(brushed)
    rim = around(mask, RING_PX) & ~mask
    assert brushed[rim].mean() > given[rim].mean() + 40
    assert abs(after[rim].mean() - grass()[rim].mean()) < 15


def test_what_is_transparent_is_filled_too(studio: Studio) -> None:
    """Alpha 0 is a region as well and becomes opaque; half transparent pixels stay."""
    before = np.dstack([grass(), np.full((200, 240), 255, np.uint8)])
    before[60:100, 60:120] = 0
    before[:20, :, 3] = 128
    after = studio.inpaint(before)
    assert (after[60:100, 60:120, 3] == 255).all()
    assert np.array_equal(after[:30], before[:30])
    assert np.abs(after[60:100, 60:120, :3].mean(axis=(0, 1)) - grass().mean(axis=(0, 1))).max() < 15


def test_a_region_at_the_edge_of_the_picture_is_filled(studio: Studio) -> None:
    """Up to the corner."""
    given, mask = holed(grass(), slice(150, 200), slice(0, 60))
    after = studio.inpaint(given)
    assert after[mask].max() < 250
    assert np.abs(after[mask].mean(axis=0) - grass().mean(axis=(0, 1))).max() < 15


def test_a_large_picture_is_worked_on_at_a_smaller_size(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded; the rest of the picture keeps every pixel."""
    given, mask = holed(grass(), slice(70, 130), slice(80, 150))
    whole = studio.inpaint(given)
    monkeypatch.setattr(filling, "WORKED_PX", 12_000)
    after = studio.inpaint(given)
    assert roughness(after, mask) < 0.7 * roughness(whole, mask)
    assert np.array_equal(after[~around(mask, RING_PX)], given[~around(mask, RING_PX)])
    assert np.abs(after[mask].mean(axis=0) - grass()[mask].mean(axis=0)).max() < 12


def test_the_client_is_told_that_the_prompt_was_not_followed(studio: Studio) -> None:
    """And the file says what made it; a nearly white picture is pointed out."""
    given, _ = holed(grass(), slice(10, 190), slice(10, 230))
    studio.inpaint(given)
    assert studio.job.warnings[0].startswith("the prompt was not followed")
    assert studio.job.warnings[1].startswith("the white region covers 82% of the picture")
    with Image.open(next(iter(studio.job.saved.values()))) as image:
        assert image.info == {"Software": "unitask", "unitask:engine": "cpu", "unitask:level": "basic"}
    assert studio.job.fractions == sorted(studio.job.fractions)


def test_a_second_attempt_gives_the_same_and_another_seed_another(studio: Studio) -> None:
    """All chance comes from the seed."""
    given, _ = holed(wall(), slice(70, 130), slice(80, 150))
    first, again, other = (studio.inpaint(given, seed=seed) for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_picture_without_a_region_is_refused(studio: Studio) -> None:
    """The sentence says what to do."""
    with pytest.raises(TaskFailure, match="no region to repaint: paint it pure white in `image`"):
        studio.inpaint(grass())


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (60, 80)])
def test_a_picture_that_is_all_region_is_refused(studio: Studio, size: tuple[int, int]) -> None:
    """There is nothing from which it could be filled."""
    with pytest.raises(TaskFailure, match=r"no region|nothing is left"):
        studio.inpaint(np.full((*size, 3), 255, np.uint8))


def test_a_picture_is_continued_on_each_side(studio: Studio) -> None:
    """It stays at its place to the bit; what is added looks like what it is next to."""
    after = studio.outpaint(shore(), (60, 20, 30, 10))
    assert after.shape == (160 + 40, 240 + 80, 3)
    assert np.array_equal(after[30:190, 60:300], shore())
    assert np.abs(np.median(after[5:110, :50], axis=(0, 1)) - np.median(shore()[:80, :60], axis=(0, 1))).max() < 25
    assert np.abs(np.median(after[140:, :50], axis=(0, 1)) - (30, 80, 140)).max() < 12
    assert studio.job.warnings[0].startswith("the prompt was not followed")


def test_without_a_prompt_there_is_none_to_be_sorry_for(studio: Studio) -> None:
    """Who only wants the picture continued reads no warning."""
    studio.outpaint(grass(), (8, 0, 0, 0), prompt=" ")
    assert studio.job.warnings == []


def test_what_is_continued_has_details(studio: Studio) -> None:
    """As many as the picture."""
    after = studio.outpaint(grass(), (0, 80, 0, 0))
    added = np.zeros(after.shape[:2], bool)
    added[8:-8, 248:-8] = True
    assert roughness(after, added) > 0.5 * roughness(grass(), np.ones((200, 240), bool))


@pytest.mark.parametrize("sides", [(0, 0, 0, 0), (500, 500, 0, 0)])
def test_little_and_much_can_be_added(studio: Studio, sides: tuple[int, int, int, int]) -> None:
    """Nothing at all, and far more than there is."""
    small = grass()[:64, :64]
    after = studio.outpaint(small, sides)
    assert after.shape == (64, 64 + sum(sides), 3)
    assert np.array_equal(after[:, sides[0] : sides[0] + 64], small)


def test_transparency_stays_when_a_picture_is_continued(studio: Studio) -> None:
    """What is added is opaque."""
    before = np.dstack([grass(), np.full((200, 240), 255, np.uint8)])
    before[:40, :40, 3] = 0
    after = studio.outpaint(before, (0, 30, 0, 0))
    assert np.array_equal(after[:, :240], before)
    assert (after[:, 240:, 3] == 255).all()


def test_pixels_are_counted_again_with_the_real_picture(studio: Studio) -> None:
    """A strip that is small for one picture is too much for another."""
    recipe = Recipe("cpu", "basic", "outpaint", {"limit_added_pixels": 30 * 200 - 1})
    with pytest.raises(TaskFailure, match="would add 6000 pixels to this picture, the limit is 5999"):
        studio.outpaint(grass(), (30, 0, 0, 0), recipe=recipe)


def test_a_colour_profile_goes_along(studio: Studio) -> None:
    """Without it the saturated colours of a telephone's camera would turn pale."""
    profile = b"\0" * 16 + b"RGB " + b"\0" * 108
    studio.outpaint(grass(), (8, 0, 0, 0), how={"icc_profile": profile})
    with Image.open(next(iter(studio.job.saved.values()))) as image:
        assert image.info["icc_profile"] == profile


@pytest.mark.parametrize("task", ["inpaint", "outpaint"])
def test_a_file_that_is_no_picture_is_refused(studio: Studio, task: str) -> None:
    """With the phrase that clients match on."""
    (studio.folder / "text.png").write_bytes(b"this is not a picture")
    more = [(8, 0, 0, 0)] if task == "outpaint" else []
    with pytest.raises(MediaFailure, match=r"^failed to get valid image"):
        getattr(studio, task)(studio.folder / "text.png", *more)


def test_a_cancelled_order_ends_in_the_middle(studio: Studio) -> None:
    """Between two sizes of the picture, with nothing stored."""
    given, _ = holed(grass(), slice(70, 130), slice(80, 150))
    with pytest.raises(Cancelled):
        studio.inpaint(given, cancel_when=lambda fraction: fraction > 0.2)
    assert not studio.job.saved
    assert studio.job.fractions[-1] < 0.9
