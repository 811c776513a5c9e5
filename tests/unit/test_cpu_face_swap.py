"""Face swaps by the engine cpu, on photographs: who is changed into whom, and what stays as it was."""

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
from support.people import ADMIRAL, ASTRONAUT, admiral, alike, astronaut, couple, face
from support.recipes import plain_recipe
from unitask.catalogue import Catalogue
from unitask.engines import cpu
from unitask.engines.cpu.face_swap import NOT_RESTORED, WARNING
from unitask.kit.errors import Cancelled, MediaFailure, TaskFailure
from unitask.spec.faces import NO_FACE

Array = NDArray[Any]
CATALOGUE = Catalogue.load()
RIGHT = 320
"""Where the admiral begins on the picture of the couple."""


class Studio:
    """Orders swaps of the engine; its folder holds what was sent and what was made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.job: LocalJob

    def picture(self, pixels: Array, name: str = "", **how: Any) -> str:
        """Save an input picture."""
        path = self.folder / (name or f"in-{len(list(self.folder.iterdir()))}.png")
        Image.fromarray(pixels).save(path, **how)
        return str(path)

    def order(self, target: Array | str, source: Array | str, **fields: Any) -> Array:
        """Have a swap made; `cancel_when` is the job's, index fields make it one of several faces."""
        cancel_when = fields.pop("cancel_when", lambda _: False)
        product = CATALOGUE.find("Qubico/image-toolkit", "multi-face-swap" if fields else "face-swap")
        self.job = LocalJob(self.folder, plain_recipe(product), cancel_when=cancel_when)
        target, source = (one if isinstance(one, str) else self.picture(one) for one in (target, source))
        inputs = product.input(target_image=target, swap_image=source, **fields)
        output = cpu.ENGINE.run(product, inputs, self.job)
        self.file = self.job.saved[output.fields["image_url"]]
        with Image.open(self.file) as image:
            return np.asarray(image)


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """Open a studio in an empty folder."""
    return Studio(tmp_path)


@pytest.fixture(scope="module")
def swapped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Array, Studio]:
    """Put the admiral's face onto the astronaut."""
    studio = Studio(tmp_path_factory.mktemp("swapped"))
    return studio.order(astronaut(), admiral()), studio


def window(anchors: Array, shape: tuple[int, ...]) -> Array:
    """Mark the square round a face within which a swap may change something."""
    apart = float(np.hypot(*(anchors[1] - anchors[0])))
    x, y = (anchors[0] + anchors[1]) / 2
    rows, columns = np.indices(shape[:2])
    near = (np.abs(columns - x) < 1.3 * apart) & (rows > y - 1.5 * apart) & (rows < y + 2.1 * apart)
    return np.asarray(near)


def skin(picture: Array, anchors: Array) -> Array:
    """Give the colour of the cheeks in Lab: (left, right)."""
    apart = float(np.hypot(*(anchors[1] - anchors[0])))
    lab = cv2.cvtColor(picture[..., :3].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    colours = []
    for x, y in anchors[:2]:
        row, column, reach = int(y + 0.5 * apart), int(x), int(0.12 * apart)
        colours.append(np.median(lab[row - reach : row + reach, column - reach : column + reach], axis=(0, 1)))
    return np.array(colours)


def test_only_the_face_changes(swapped: tuple[Array, Studio]) -> None:
    """Outside of its window every pixel is the one that was sent; inside, it is another face."""
    result, _ = swapped
    inside = window(ASTRONAUT, result.shape)
    change = np.abs(result.astype(int) - astronaut()).max(axis=2)
    assert change[~inside].max() == 0
    assert change[90:150, 140:190].mean() > 15


@pytest.mark.parametrize(
    ("target", "place", "source", "taken"),
    [(astronaut(), ASTRONAUT, admiral(), ADMIRAL), (admiral(), ADMIRAL, astronaut(), ASTRONAUT)],
    ids=["the admiral in the suit", "the astronaut in uniform"],
)
def test_the_person_becomes_the_other(studio: Studio, target: Array, place: Array, source: Array, taken: Array) -> None:
    """Eyes, nose and mouth are much more like those of swap_image than they were, and less like the target's."""
    result = studio.order(target, source)
    wanted, before, after = face(source, taken), face(target, place), face(result, place)
    assert alike(after, wanted) > 0.7
    assert alike(after, wanted) > alike(before, wanted) + 0.25
    assert alike(after, wanted) > alike(after, before)


@pytest.mark.parametrize(
    ("target", "place", "source"), [(astronaut(), ASTRONAUT, admiral()), (admiral(), ADMIRAL, astronaut())]
)
def test_the_skin_keeps_the_colour_of_the_target(studio: Studio, target: Array, place: Array, source: Array) -> None:
    """A face pasted as it is would be seen as a patch: more than half of the difference in colour goes."""
    donor_place = ADMIRAL if source is admiral() else ASTRONAUT
    goal = skin(target, place).mean(axis=0)
    before = np.linalg.norm(skin(source, donor_place).mean(axis=0) - goal)
    assert np.linalg.norm(skin(studio.order(target, source), place).mean(axis=0) - goal) < 0.5 * before


def test_light_from_one_side_stays(studio: Studio) -> None:
    """Half of the target lies in the shade: the new face does too."""
    shade = np.linspace(1.15, 0.45, 320)[None, :, None]
    target = np.clip(astronaut() * shade, 0, 255).astype(np.uint8)
    left, right = skin(studio.order(target, admiral()), ASTRONAUT)[:, 0]
    assert left - right > 0.4 * np.subtract(*skin(target, ASTRONAUT)[:, 0])


def test_hair_stays(swapped: tuple[Array, Studio]) -> None:
    """The astronaut's fringe, which hangs where the admiral has a bare forehead, is not painted over."""
    result, _ = swapped
    change = np.abs(result.astype(int) - astronaut()).max(axis=2)
    assert change[40:72, 130:195].mean() < 2


def test_the_result_is_a_labelled_png_of_the_same_size(swapped: tuple[Array, Studio]) -> None:
    """Who opens the file later sees which engine made it; the client reads what this engine cannot do."""
    _, studio = swapped
    with Image.open(studio.file) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (320, 320))
        assert image.info == {"Software": "unitask", "unitask:engine": "cpu", "unitask:level": "basic"}
    assert studio.job.warnings == [WARNING]
    assert studio.job.fractions == sorted(studio.job.fractions)
    assert studio.job.fractions[-1] == 1


def test_the_same_order_gives_the_same_bytes(swapped: tuple[Array, Studio], studio: Studio) -> None:
    """A second attempt makes the same file."""
    studio.order(astronaut(), admiral())
    assert studio.file.read_bytes() == swapped[1].file.read_bytes()


def test_a_wish_for_restored_faces_is_named_as_ignored(swapped: tuple[Array, Studio], studio: Studio) -> None:
    """The picture is the same as without it."""
    pixels = studio.order(astronaut(), admiral(), face_enhance=True)
    assert studio.job.warnings == [NOT_RESTORED, WARNING]
    assert (pixels[..., :3] == swapped[0][..., :3]).mean() > 0.99


@pytest.mark.parametrize(("number", "side"), [("0", 0), ("1", 1)])
def test_faces_are_counted_from_the_left(studio: Studio, number: str, side: int) -> None:
    """The one that is named changes, the other does not, to the bit."""
    source = admiral() if side == 0 else astronaut()
    change = np.abs(studio.order(couple(), source, target_faces_index=number).astype(int) - couple()).max(axis=2)
    halves = change[:, :RIGHT], change[:, RIGHT:]
    assert halves[side].mean() > 0.5
    assert halves[1 - side].max() == 0


def test_two_people_change_faces(studio: Studio) -> None:
    """Each is taken from the picture as it was: the i-th of one list goes onto the i-th of the other."""
    result = studio.order(couple(), couple(), swap_faces_index="0,1", target_faces_index="1 0")
    left, right = face(astronaut(), ASTRONAUT), face(admiral(), ADMIRAL)
    after = face(result[:, :RIGHT], ASTRONAUT), face(result[:, RIGHT:], ADMIRAL)
    assert alike(after[0], right) > max(alike(left, right) + 0.08, alike(after[0], left))
    assert alike(after[1], left) > max(alike(right, left) + 0.08, alike(after[1], right))


def test_without_numbers_the_largest_face_changes(studio: Studio) -> None:
    """And the client is told that there are others."""
    change = np.abs(studio.order(couple(), astronaut()).astype(int) - couple()).max(axis=2)
    assert change[:, RIGHT:].mean() > 0.5
    assert change[:, :RIGHT].max() == 0
    assert any("target_image has 2 faces" in warning for warning in studio.job.warnings)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"target_faces_index": "2"},
            "target_faces_index asks for face 2, but target_image has 2 faces, numbers 0 to 1",
        ),
        ({"swap_faces_index": "1"}, "swap_faces_index asks for face 1, but swap_image has one face, number 0"),
    ],
)
def test_a_face_that_is_not_there_is_refused(studio: Studio, fields: dict[str, str], sentence: str) -> None:
    """The sentence says how many there are; nothing is stored."""
    with pytest.raises(TaskFailure, match=f"^invalid request, {sentence}"):
        studio.order(couple(), astronaut(), **fields)
    assert not studio.job.saved


@pytest.mark.parametrize("photograph", [skimage.data.coffee, skimage.data.chelsea], ids=["cup", "cat"])
@pytest.mark.parametrize("field", ["target_image", "swap_image"])
def test_a_picture_without_a_face_is_refused(studio: Studio, photograph: Callable[[], Array], field: str) -> None:
    """A cup and a cat are nobody; the sentence names the picture, and nothing is stored."""
    pictures = {"target_image": astronaut(), "swap_image": astronaut(), field: photograph()}
    with pytest.raises(TaskFailure, match=f"^{NO_FACE.format('image')}: {field}"):
        studio.order(pictures["target_image"], pictures["swap_image"])
    assert not studio.job.saved


def test_transparency_stays(studio: Studio) -> None:
    """A target that was cut out stays so."""
    alpha = np.full((320, 320), 255, np.uint8)
    alpha[:, :40] = 0
    result = studio.order(np.dstack([astronaut(), alpha]), admiral())
    assert np.array_equal(result[..., 3], alpha)
    assert alike(face(result, ASTRONAUT), face(admiral(), ADMIRAL)) > 0.7


def test_a_photograph_that_lies_on_its_side_is_set_upright(studio: Studio) -> None:
    """Telephones store the sensor's picture and say in the file how to turn it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    target = studio.picture(np.rot90(astronaut()), "turned.jpg", exif=exif, quality=95)
    result = studio.order(target, admiral())
    assert alike(face(result, ASTRONAUT), face(admiral(), ADMIRAL)) > 0.7


def test_a_colour_profile_goes_along(studio: Studio) -> None:
    """Without it the saturated colours of a telephone's camera would turn pale."""
    profile = b"\0" * 16 + b"RGB " + b"\0" * 108
    studio.order(studio.picture(astronaut(), "in.png", icc_profile=profile), admiral())
    with Image.open(studio.file) as image:
        assert image.info["icc_profile"] == profile


def test_a_face_at_the_edge_of_the_picture_is_no_trouble(studio: Studio) -> None:
    """What lies outside cannot be laid on, nor taken."""
    tight = np.ascontiguousarray(astronaut()[60:166, 112:216])
    for target, source in ((tight, admiral()), (admiral(), tight)):
        assert studio.order(target, source).shape == target.shape


@pytest.mark.parametrize("field", ["target_image", "swap_image"])
@pytest.mark.parametrize("broken", ["junk", "too large"])
def test_a_bad_picture_is_refused(studio: Studio, field: str, broken: str) -> None:
    """With the phrase that clients match on, which says what the limit is."""
    junk = studio.folder / "junk.png"
    junk.write_bytes(b"GIF89a and then nothing that makes sense")
    bad = str(junk) if broken == "junk" else studio.picture(np.zeros((8, 2049, 3), np.uint8))
    pictures = {"target_image": astronaut(), "swap_image": astronaut(), field: bad}
    with pytest.raises(MediaFailure, match="^failed to get valid image: .*" + ("2048" if bad != str(junk) else "")):
        studio.order(pictures["target_image"], pictures["swap_image"])


def test_a_cancelled_order_ends(studio: Studio) -> None:
    """After looking for the first face, with nothing stored."""
    with pytest.raises(Cancelled):
        studio.order(astronaut(), admiral(), cancel_when=lambda fraction: fraction > 0.3)
    assert not studio.job.saved


def test_a_face_of_a_few_pixels_is_swapped_too(studio: Studio) -> None:
    """On a picture as small as an icon."""
    target = np.ascontiguousarray(astronaut()[::4, ::4])
    change = np.abs(studio.order(target, admiral()).astype(int) - target).max(axis=2)
    assert change[24:36, 36:47].mean() > 5
    assert change[:, :24].max() == change[:, 60:].max() == 0
