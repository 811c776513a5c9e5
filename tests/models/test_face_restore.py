"""Faces painted anew by GFPGAN, tiny: in swaps and enlarged pictures where the client asks for it, and nowhere else."""

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_enlarger import shelve_enlarger
from tiny_faces import BLUE, OFFSETS, RED, direction, people, shelve_faces
from tiny_restorer import FILE, PAINT, SIZES, restorer, shelve_restorer

from support.films import Clip, make
from support.previews import Made, Workshop
from unitask.kit.errors import EngineFailure
from unitask.kit.video import VideoLimits, read_video, write_video
from unitask.runtime.face_restore import PART, RESTORER, Restorer, built, restorer_part
from unitask.runtime.faces import lay_back
from unitask.runtime.hardware import Hardware
from unitask.runtime.runtime import Runtime
from unitask.weights import Shelf

LEFT, RIGHT = (160, 160), (448, 160)
LIMITS: Final = VideoLimits(600, 4096, 4096**2, 2**26)
FFHQ: Final = [(192.98138, 239.94708), (318.90277, 240.1936), (256.63416, 314.01935), (201.26117, 371.41043)]
"""Where eyes, nose and the left corner of the mouth lie on 512 x 512 pixels, as facexlib publishes it."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put all networks on a shelf; the restorer paints in one colour."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    shelve_faces(folder)
    shelve_enlarger(folder, planted=True)
    shelve_restorer(folder)
    return folder


def loaded(models: Path) -> Restorer:
    """Load it as the engines do."""
    runtime = Runtime(Shelf(models), Hardware("cpu", 2**32, 0))
    return Restorer(runtime.networks({PART: restorer_part(runtime)})[PART], runtime.device)


def swapped(folder: Path, models: Path, task_type: str = "face-swap", **fields: Any) -> Made:
    """Order a swap of a blue face onto a red one, beside which is another."""
    workshop = Workshop(folder, "onnx", models)
    pictures = {
        "target_image": workshop.picture("target.png", people((LEFT, RED), (RIGHT, RED))),
        "swap_image": workshop.picture("source.png", people((LEFT, BLUE))),
    }
    return workshop.order("image-toolkit", task_type, **pictures, **fields)


def enlarged(folder: Path, models: Path, **fields: Any) -> Made:
    """Order a picture of two faces three times as large."""
    workshop = Workshop(folder, "networks", models)
    image = workshop.picture("photo.png", people((LEFT, RED), (RIGHT, RED)))
    return workshop.order("image-toolkit", "upscale", image=image, scale=3, face_enhance=True, **fields)


def colour(picture: NDArray[Any], place: tuple[int, int], scale: int = 1) -> NDArray[Any]:
    """Look at the pixels round a place."""
    x, y = place[0] * scale, place[1] * scale
    return np.asarray(picture[y - 6 : y + 6, x - 6 : x + 6, :3].reshape(-1, 3).mean(axis=0))


def test_a_swapped_face_is_restored_where_the_client_asks(tmp_path: Path, models: Path) -> None:
    """The new face alone, and only if it is wanted; nothing is warned of."""
    for name in ("plain", "restored"):
        (tmp_path / name).mkdir()
    plain = swapped(tmp_path / "plain", models, "multi-face-swap")
    restored = swapped(tmp_path / "restored", models, "multi-face-swap", face_enhance=True)
    assert direction(colour(plain.picture(), LEFT)) @ direction(BLUE) > 0.98
    assert np.abs(colour(restored.picture(), LEFT) - PAINT).max() < 3
    assert (restored.picture()[:, 330:] == plain.picture()[:, 330:]).all()
    assert restored.job.warnings == plain.job.warnings == []


def test_every_frame_of_a_video_is_restored(tmp_path: Path, models: Path) -> None:
    """In the same places in which faces are changed."""
    heard = read_video(make(tmp_path / "heard.mp4", Clip(3, (64, 48))), LIMITS)
    source = tmp_path / "source.mp4"
    write_video(source, [people((LEFT, RED))] * 3, fps=heard.fps, size=(640, 320), labels={})
    workshop = Workshop(tmp_path, "onnx", models)
    donor = workshop.picture("donor.png", people((LEFT, BLUE)))
    made = workshop.order("video-toolkit", "face-swap", swap_image=donor, target_video=str(source), face_enhance=True)
    shown = list(read_video(made.path("video_url"), LIMITS))
    assert len(shown) == 3
    for frame in shown:
        assert np.abs(colour(frame, LEFT) - PAINT).max() < 12


def test_faces_of_an_enlarged_picture_are_restored_in_their_places(tmp_path: Path, models: Path) -> None:
    """All of them, at the size of the result; what lies between them is as without."""
    (tmp_path / "plain").mkdir()
    made = enlarged(tmp_path, models)
    large = made.picture()
    assert large.shape == (960, 1920, 3)
    for place in (LEFT, RIGHT):
        assert np.abs(colour(large, place, 3) - PAINT).max() < 3
    workshop = Workshop(tmp_path / "plain", "networks", models)
    image = workshop.picture("photo.png", people((LEFT, RED), (RIGHT, RED)))
    plain = workshop.order("image-toolkit", "upscale", image=image, scale=3).picture()
    between = slice(3 * 290, 3 * 320)
    assert (large[:, between] == plain[:, between]).all()
    assert made.job.warnings == []


@pytest.mark.parametrize("missing", [RESTORER, "insightface-buffalo-l"])
def test_without_the_weights_the_rest_is_made_and_a_warning_names_the_command(tmp_path: Path, missing: str) -> None:
    """A picture is enlarged without its faces being found, a face swapped without being restored."""
    shelve_faces(tmp_path)
    shelve_enlarger(tmp_path, planted=True)
    shelve_restorer(tmp_path)
    (tmp_path / missing / "unitask.json").unlink()
    told = [f"face_enhance was ignored: its weights are not here; get them with: unitask models pull {missing}"]
    made = enlarged(tmp_path, tmp_path)
    assert made.job.warnings == told
    assert direction(colour(made.picture(), (130, 160), 3)) @ direction(RED) > 0.98
    if missing == RESTORER:
        (tmp_path / "swap").mkdir()
        assert swapped(tmp_path / "swap", tmp_path, "multi-face-swap", face_enhance=True).job.warnings == told


def test_a_damaged_or_foreign_file_names_the_command(tmp_path: Path) -> None:
    """Nothing of a pickle is run, and nothing but GFPGAN is taken for it."""
    shelve_faces(tmp_path)
    for number, content in enumerate(({"params_ema": {"x": torch.zeros(3)}}, {"params_ema": print}, [1])):
        shelve_restorer(tmp_path)
        torch.save(content, tmp_path / RESTORER / FILE)
        folder = tmp_path / f"order-{number}"
        folder.mkdir()
        with pytest.raises(EngineFailure, match=f"unitask models check {RESTORER}"):
            swapped(folder, tmp_path, face_enhance=True)


def test_the_public_layout_is_read_out_of_its_weights() -> None:
    """Names and shapes of the real network, of which not a number is needed; and those of the tiny one."""
    network = type(restorer())
    with torch.device("meta"):
        real = network().state_dict()
    assert built(real) == {"out_size": 512, "num_style_feat": 512, "num_mlp": 8, "narrow": 1.0}
    assert sum(value.numel() for value in real.values()) * 4 == pytest.approx(348_632_874, rel=0.003)
    assert built(restorer().state_dict()) == SIZES


def test_a_face_is_turned_upright_painted_and_laid_back_as_its_makers_do(tmp_path: Path) -> None:
    """OpenCV's own estimate of the turn; colours from -1 to 1; noise that lies with the weights, and none of chance."""
    shelve_restorer(tmp_path, planted=False)
    used, network = loaded(tmp_path), restorer(planted=False)
    picture = np.asarray(np.random.default_rng(3).integers(0, 256, (300, 300, 3)), np.uint8)
    turn = 0.3 * np.array([(np.cos(0.4), -np.sin(0.4)), (np.sin(0.4), np.cos(0.4))])
    corner = (313.08905, 371.15118)
    points = (np.array([*FFHQ, corner]) @ turn.T + (90, 20)).astype(np.float32)
    side = SIZES["out_size"]
    wanted, _ = cv2.estimateAffinePartial2D(points, np.array([*FFHQ, corner], np.float32) * side / 512)
    assert used.side == side
    assert np.abs(used.turn(points) - wanted).max() < 1e-3
    square = cv2.warpAffine(picture, used.turn(points), (side, side))
    given = torch.from_numpy(square.astype(np.float32) / 255).permute(2, 0, 1)[None]
    with torch.no_grad():
        made, _ = network((given - 0.5) / 0.5, randomize_noise=False)
    made = ((made.clamp(-1, 1) + 1) / 2)[0].permute(1, 2, 0).numpy() * 255
    restored = used.restored(picture, points)
    assert np.abs(restored - made).max() < 0.01
    assert restored.std() > 3
    assert (used.restored(picture, points) == restored).all()


def test_a_fine_square_on_a_small_face_is_reduced_and_not_sampled() -> None:
    """Stripes of one pixel are grey in a picture that is too coarse for them, in place to a tenth of a pixel."""
    stripes = np.zeros((512, 512, 3), np.float32)
    stripes[::2] = 255
    picture = np.full((128, 128, 3), 128, np.uint8)
    lay_back(picture, stripes, np.array([(8, 0, -8 * 32), (0, 8, -8 * 32)], np.float32))
    assert np.abs(picture.astype(int) - 128).max() < 4
    ramp = np.broadcast_to(np.linspace(0, 255, 512, dtype=np.float32)[:, None, None], (512, 512, 3)).copy()
    lay_back(picture, ramp, np.array([(8, 0, -8 * 32), (0, 8, -8 * 32)], np.float32))
    rows = np.arange(50, 78)
    wanted = (rows - 32) * 8 * 255 / 511
    assert np.abs(picture[rows, 64, 0] - wanted).max() < 0.1 * 8 * 255 / 511 + 0.51


def test_points_of_the_tiny_faces_are_those_of_a_face() -> None:
    """Or the square would lie anywhere: it holds the whole face, and some of what is round it."""
    used = Restorer(restorer(), torch.device("cpu"))
    corners = np.array([(0, 0), (used.side, used.side)], np.float32)
    back = cv2.invertAffineTransform(used.turn((OFFSETS + LEFT).astype(np.float32)))
    low, high = corners @ back[:, :2].T + back[:, 2]
    assert (low < np.array(LEFT) - 30).all()
    assert (high > np.array(LEFT) + 30).all()
    assert (high - low).max() < 250
