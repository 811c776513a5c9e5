"""Face swap by ONNX files: planted faces are found, counted, recognised and changed, and nothing else is."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from tiny_faces import BLUE, GROUND, HALF_PX, MATRIX, OFFSETS, RED, YELLOW, direction, people, shelve_faces, swapper

from support.decoding import film, sound
from support.films import Clip, make
from support.previews import Made, Workshop
from unitask.engines.onnx.face_tracks import followed, of_number
from unitask.engines.onnx.faces import KNOWN, MADE, Networks
from unitask.engines.onnx.initializers import last_initializer
from unitask.kit.errors import Cancelled, EngineFailure, TaskFailure
from unitask.kit.video import VideoLimits, read_video, write_video
from unitask.runtime import faces
from unitask.runtime.hardware import Hardware
from unitask.runtime.runtime import Runtime
from unitask.weights import Shelf

LEFT, RIGHT, LOW = (160, 128), (448, 128), (320, 240)
LIMITS: Final = VideoLimits(600, 4096, 4096**2, 2**26)
SQUARE_PX: Final = 80
"""Farther from a nose than this nothing may change."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put the networks on a shelf."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    shelve_faces(folder)
    return folder


@pytest.fixture(scope="module")
def networks(models: Path) -> Networks:
    """Load them as the engine does."""
    return Networks.ready(Runtime(Shelf(models), Hardware("cpu", 2**32, 0)))


@pytest.fixture
def workshop(tmp_path: Path, models: Path) -> Workshop:
    """Give who takes orders."""
    return Workshop(tmp_path, "onnx", models)


def swapped(workshop: Workshop, target: NDArray[Any], source: NDArray[Any], **fields: Any) -> Made:
    """Order a swap; of several faces when they are numbered."""
    pictures = {
        "target_image": workshop.picture("target.png", target),
        "swap_image": workshop.picture("source.png", source),
    }
    task_type = "multi-face-swap" if "target_faces_index" in fields else "face-swap"
    return workshop.order("image-toolkit", task_type, **pictures, **fields)


def far_from(*places: tuple[int, int], size: tuple[int, int] = (320, 640)) -> NDArray[np.bool_]:
    """Mark what is no part of these faces."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    away = [np.maximum(abs(columns - x), abs(rows - y)) > SQUARE_PX for x, y in places]
    return np.asarray(np.all(away, axis=0))


def like(picture: NDArray[Any], place: tuple[int, int], colour: Any) -> float:
    """Compare who is seen at a place with somebody: 1 is the same."""
    x, y = place
    seen = picture[y - 20 : y + 20, x - 20 : x + 20].reshape(-1, 3).mean(axis=0)
    return float(direction(seen) @ direction(colour))


def test_a_face_becomes_that_of_the_donor_and_nothing_else_changes(workshop: Workshop) -> None:
    """Identity goes over; away from the face every pixel is as it was; the new face fades at its rim."""
    target = people((LEFT, RED))
    made = swapped(workshop, target, people((LOW, BLUE)))
    result = made.picture()
    assert like(target, LEFT, BLUE) < 0.2
    assert like(result, LEFT, BLUE) > 0.98
    assert (result[far_from(LEFT)] == target[far_from(LEFT)]).all()
    steps = np.abs(np.diff(result[LEFT[1], 112:208].astype(int), axis=0)).max()
    assert steps < 60
    assert made.job.warnings == []


def test_the_recogniser_takes_the_new_face_for_the_donor_s(workshop: Workshop, networks: Networks) -> None:
    """Not for that of the person whose picture it is."""
    target, source = people((LEFT, RED)), people((LOW, BLUE))
    result = swapped(workshop, target, source).picture()
    ((face,), (donor,)) = networks.find(target), networks.find(source)
    wanted, own = networks.identity(source, donor), networks.identity(target, face)
    before, after = own @ wanted, networks.identity(result, face) @ wanted
    assert before < 0.3
    assert after > 0.9
    assert networks.identity(result, face) @ own < 0.3


@pytest.mark.parametrize("size", [(160, 320), (640, 1280), (480, 640), (1100, 640)])
def test_faces_are_found_where_they_are_at_any_size(networks: Networks, size: tuple[int, int]) -> None:
    """Box and points, in the picture's own pixels."""
    scale = max(size) / 640
    picture = people((LEFT, RED), size=(round(size[0] / scale), round(size[1] / scale)))
    large = np.asarray(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR))
    (found,) = networks.find(large)
    assert np.abs(found.points - (OFFSETS + LEFT) * scale).max() < 1.5 * scale
    assert np.abs(found.box - np.array([*np.subtract(LEFT, HALF_PX), *np.add(LEFT, HALF_PX)]) * scale).max() < 2 * scale


def test_boxes_that_cover_each_other_are_one_face() -> None:
    """The surest stays."""
    boxes = np.array([(0, 0, 10, 10), (1, 1, 11, 11), (20, 0, 30, 10), (5, 0, 15, 10)], np.float32)
    assert faces.apart(boxes, np.array([0.6, 0.9, 0.7, 0.8], np.float32)) == [1, 3, 2]


@pytest.mark.parametrize(("goal", "moved"), [(KNOWN, 0), (MADE, 8)])
def test_points_are_placed_as_the_networks_were_trained(goal: NDArray[np.float32], moved: int) -> None:
    """A turned, moved and enlarged face comes back upright: on 128 pixels 8 to the right, as large as on 112."""
    usual = np.array(
        [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
    )
    turn = 1.7 * np.array([(np.cos(0.6), -np.sin(0.6)), (np.sin(0.6), np.cos(0.6))])
    matrix = faces.placing((usual @ turn.T + (31, -12)).astype(np.float32), goal)
    back = (usual @ turn.T + (31, -12)) @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(back - (usual + np.array([moved, 0]))).max() < 1e-3


def test_chosen_faces_are_changed_pair_by_pair_in_the_order_in_which_they_are_counted(workshop: Workshop) -> None:
    """Of two at different heights the lower first, otherwise from the left."""
    donors = people((LEFT, YELLOW), (RIGHT, BLUE))
    target = people(((128, 80), RED), ((512, 80), RED), (LOW, RED))
    result = swapped(workshop, target, donors, swap_faces_index="0,1", target_faces_index="2,0").picture()
    assert like(result, (512, 80), YELLOW) > 0.98
    assert like(result, LOW, BLUE) > 0.98
    unchanged = far_from((512, 80), LOW)
    assert (result[unchanged] == target[unchanged]).all()
    assert like(result, (128, 80), RED) > 0.98


def test_faces_that_are_not_there_are_missed_with_a_sentence(workshop: Workshop) -> None:
    """None at all, or too few; of several the largest is changed, and the client is told."""
    nobody = np.full((320, 640, 3), GROUND, np.uint8)
    with pytest.raises(TaskFailure, match="no face found in the image: swap_image"):
        swapped(workshop, people((LEFT, RED)), nobody)
    with pytest.raises(TaskFailure, match="asks for face 1, but target_image has one face, number 0"):
        swapped(workshop, people((LEFT, RED)), people((LEFT, BLUE)), swap_faces_index="0", target_faces_index="1")
    several = swapped(workshop, people((LEFT, RED), (RIGHT, RED)), people((LEFT, BLUE)))
    assert "has 2 faces" in several.job.warnings[0]


def test_transparency_and_colours_under_it_stay(workshop: Workshop) -> None:
    """Where nothing is changed the file says what it said."""
    target = np.dstack([people((LEFT, RED)), np.full((320, 640), 255, np.uint8)])
    target[:, 400:] = 1, 2, 3, 0
    result = swapped(workshop, target, people((LOW, BLUE))).picture()
    assert (result[:, 400:] == target[:, 400:]).all()
    assert (result[..., 3] == target[..., 3]).all()
    assert like(result[..., :3], LEFT, BLUE) > 0.98


def test_the_same_order_gives_the_same_file_and_missing_or_damaged_weights_name_the_command(
    workshop: Workshop, tmp_path: Path
) -> None:
    """As everywhere; a swapper without its matrix is of another kind."""
    one, other = (swapped(workshop, people((LEFT, RED)), people((LOW, BLUE))).content("image_url") for _ in range(2))
    assert one == other
    for name, sentence in (("nothing", "models pull insightface-buffalo-l"), ("cut", "models check inswapper-128")):
        folder = tmp_path / name
        folder.mkdir()
        if name == "cut":
            shelve_faces(folder)
            onnx.save(swapper(np.zeros((3, 3), np.int64)), folder / "inswapper-128/inswapper_128.onnx")
        with pytest.raises(EngineFailure, match=sentence):
            swapped(Workshop(folder, "onnx", folder), people((LEFT, RED)), people((LOW, BLUE)))


@pytest.mark.parametrize("kind", ["raw", "listed", "half"])
def test_the_last_initializer_is_read_as_the_format_s_own_library_reads_it(tmp_path: Path, kind: str) -> None:
    """However the numbers are stored; a file that is cut off is refused, at every place."""
    values = MATRIX[:6, :7]
    built = swapper(values.astype(np.float16) if kind == "half" else values)
    if kind == "listed":
        built.graph.initializer[-1].CopyFrom(
            helper.make_tensor("matrix", TensorProto.FLOAT, values.shape, values.ravel())
        )
    path = tmp_path / "net.onnx"
    onnx.save(built, path)
    wanted = numpy_helper.to_array(onnx.load(path).graph.initializer[-1])
    assert (last_initializer(path, kind) == wanted.astype(np.float32)).all()
    content = path.read_bytes()
    for length in range(0, len(content) - 1, len(content) // 50):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"file|field|initializer|number"):
            last_initializer(path, f"{kind}-{length}")


def walk(folder: Path, frames: int = 6) -> Path:
    """Film a red face that walks to the right below a blue one that stands, with a beep."""
    heard = read_video(make(folder / "heard.mp4", Clip(frames, (64, 48), sound="aac")), LIMITS)
    path = folder / "walk.mp4"
    shown = (people(((128 + 16 * number, 224), RED), ((512, 80), BLUE)) for number in range(frames))
    write_video(path, shown, fps=heard.fps, size=(640, 320), labels={}, sound_of=heard)
    return path


@pytest.mark.parametrize("number", [0, 1])
def test_a_person_of_a_video_gets_the_face_in_every_frame_and_the_sound_stays(
    workshop: Workshop, tmp_path: Path, number: int
) -> None:
    """The other one keeps theirs; charged by the number of frames."""
    source = walk(tmp_path)
    made = workshop.order(
        "video-toolkit",
        "face-swap",
        swap_image=workshop.picture("donor.png", people((LOW, YELLOW)).astype(np.uint8)),
        target_video=str(source),
        target_faces_index=str(number),
    )
    shot, before = film(made.content("video_url")), film(source.read_bytes())
    assert (shot.frames, shot.fps, shot.size) == (before.frames, before.fps, before.size)
    assert made.output.measures == {"frame": 6}
    assert sound(made.content("video_url")).seconds == pytest.approx(sound(source.read_bytes()).seconds, abs=0.05)
    for at, frame in enumerate(read_video(made.path("video_url"), LIMITS)):
        walks, stands = like(frame, (128 + 16 * at, 224), YELLOW), like(frame, (512, 80), YELLOW)
        changed, kept = (walks, stands) if number == 0 else (stands, walks)
        assert changed > 0.95
        assert kept < 0.6
    assert made.job.warnings == []


def test_people_are_known_again_and_numbered_when_most_are_seen(networks: Networks) -> None:
    """After a cut, elsewhere: the same person is the same number, and a stranger another."""
    alone, nobody = people((LEFT, RED)), people()
    both = people(((160, 128), BLUE), ((464, 128), RED))
    tracks = followed([alone, alone, nobody, both, both], networks)
    seen = [(track.start, len(track.faces), track.person.number) for track in tracks]
    assert seen == [(0, 2, 1), (3, 2, 0), (3, 2, 1)]
    assert of_number(tracks, 1) == [tracks[0], tracks[2]]
    assert tracks[0].points(2) is None


def test_a_video_without_the_face_fails_and_a_cancel_is_heard(workshop: Workshop, tmp_path: Path) -> None:
    """Before anything is changed."""
    donor, source = workshop.picture("donor.png", people((LOW, YELLOW)).astype(np.uint8)), walk(tmp_path)
    order = {"swap_image": donor, "target_video": str(source)}
    with pytest.raises(TaskFailure, match="target_video shows at most 2 faces at once, numbers 0 to 1"):
        workshop.order("video-toolkit", "face-swap", **order, target_faces_index="2")
    with pytest.raises(Cancelled):
        workshop.order("video-toolkit", "face-swap", **order, cancel_when=lambda done: done > 0.6)
    plain = make(tmp_path / "plain.mp4", Clip())
    with pytest.raises(TaskFailure, match="no face found in the video"):
        workshop.order("video-toolkit", "face-swap", swap_image=donor, target_video=str(plain))
