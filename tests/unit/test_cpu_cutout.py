"""Background removal by the engine cpu, on composites of which the truth is known and on photographs."""

import importlib.util
import pkgutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from support.job import LocalJob
from unitask.catalogue import Catalogue
from unitask.engines import cpu
from unitask.engines.cpu import cutout
from unitask.kit.errors import Cancelled, EngineFailure, MediaFailure, TaskFailure
from unitask.spec.product import Recipe

Array = NDArray[Any]
PRODUCT = Catalogue.load().find("Qubico/image-toolkit", "background-remove")
RECIPE = Recipe("cpu", "basic", "background_remove")
HEIGHT, WIDTH = 164, 200


def cut(source: Path, **settings: Any) -> tuple[Array, LocalJob]:
    """Remove the background of a file; gives the RGBA pixels and the job that was used."""
    job = LocalJob(source.parent, RECIPE, **settings)
    output = cpu.ENGINE.run(PRODUCT, PRODUCT.input(image=str(source)), job)
    with Image.open(job.saved[output.fields["image_url"]]) as image:
        return np.asarray(image), job


def written(pixels: Array, folder: Path, name: str = "in.png") -> Path:
    """Write a picture as a file."""
    Image.fromarray(pixels).save(folder / name)
    return folder / name


def overlap(one: Array, other: Array) -> float:
    """Shared area of two masks as a share of their joint area."""
    return float((one & other).sum() / (one | other).sum())


def sized(pixels: Array) -> Array:
    """Resize to the size of the composites."""
    return cv2.resize(pixels, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def horse() -> Array:
    """Say how much of each pixel is a horse, 0 to 1."""
    return sized((~data.horse()).astype(np.float32))


@pytest.fixture(scope="module")
def coated(horse: Array) -> Callable[[Array], Array]:
    """Compose a horse with the coat of a cat onto a backdrop."""
    coat = sized(data.chelsea()).astype(np.float32)

    def onto(backdrop: Array) -> Array:
        noise = np.random.default_rng(1).normal(0, 2, coat.shape)
        share = horse[..., None]
        return np.clip(coat * share + (backdrop + noise) * (1 - share), 0, 255).astype(np.uint8)

    return onto


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> tuple[Array, Array, LocalJob]:
    """Cut out the astronaut at half size; gives the source, the result and the job."""
    source = cv2.resize(data.astronaut(), (256, 256), interpolation=cv2.INTER_AREA)
    result, job = cut(written(source, tmp_path_factory.mktemp("portrait")))
    return source, result, job


def plain() -> Array:
    """Paint a wall of one colour."""
    return np.full((HEIGHT, WIDTH, 3), (90, 150, 200), np.float32)


def gradient() -> Array:
    """Paint a wall from light to dark, over more grey levels than lie between horse and backdrop."""
    y, x = np.mgrid[0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j]
    return np.array([80, 140, 230]) - (70 * y + 20 * x)[..., None]


def framed() -> Array:
    """Paint a studio paper with a vignette."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    return np.array([235, 238, 240]) - (45 * (x * x + y * y))[..., None]


@pytest.mark.parametrize("backdrop", [plain, gradient, framed])
def test_a_subject_before_a_smooth_backdrop_is_found(
    backdrop: Callable[[], Array], coated: Callable[[Array], Array], horse: Array, tmp_path: Path
) -> None:
    """What is opaque is the horse, give or take its edge."""
    result, _ = cut(written(coated(backdrop()), tmp_path))
    assert overlap(result[..., 3] > 127, horse > 0.5) > 0.85


def test_a_subject_before_a_rough_ground_is_found(
    coated: Callable[[Array], Array], horse: Array, tmp_path: Path
) -> None:
    """On grass, where no backdrop can be fitted, the horse is what stands out."""
    ground = sized(data.grass()[:400, :480]).astype(np.float32)[..., None] * [0.5, 0.8, 0.6]
    result, _ = cut(written(coated(ground), tmp_path))
    assert overlap(result[..., 3] > 127, horse > 0.5) > 0.7


def test_the_result_is_a_labelled_png_of_the_same_size(coated: Callable[[Array], Array], tmp_path: Path) -> None:
    """Who opens the file later sees which engine made it, and how well."""
    _, job = cut(written(coated(plain()), tmp_path))
    with Image.open(next(iter(job.saved.values()))) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (WIDTH, HEIGHT))
        assert image.info == {"Software": "unitask", "unitask:engine": "cpu", "unitask:level": "basic"}
    assert job.fractions == sorted(job.fractions)


def test_a_portrait_keeps_the_person(portrait: tuple[Array, Array, LocalJob]) -> None:
    """The astronaut's face, hair and chest are opaque; wall, flag and shuttle above her shoulders are gone."""
    _, result, _ = portrait
    alpha = result[..., 3]
    assert alpha[40:75, 95:130].min() == 255
    assert alpha[15:20, 105:120].min() == 255
    assert alpha[170:250, 60:120].min() == 255
    assert alpha[:60, :50].max() == 0
    assert alpha[:60, -80:].max() == 0


def test_opaque_pixels_keep_their_colour(portrait: tuple[Array, Array, LocalJob]) -> None:
    """Only the half-transparent edge is cleaned of the background's tint."""
    source, result, _ = portrait
    opaque = result[..., 3] == 255
    assert opaque.mean() > 0.3
    assert np.array_equal(result[opaque, :3], source[opaque])


def test_the_edge_loses_the_tint_of_the_background(coated: Callable[[Array], Array], tmp_path: Path) -> None:
    """Before green, a brown horse has no green rim."""
    result, _ = cut(written(coated(np.full((HEIGHT, WIDTH, 3), (20, 220, 40), np.float32)), tmp_path))
    edge = result[(result[..., 3] > 60) & (result[..., 3] < 200)].astype(int)
    assert len(edge) > 50
    assert (edge[:, 1] > edge[:, 0] + 40).mean() < 0.1


def test_the_same_picture_gives_the_same_file(coated: Callable[[Array], Array], tmp_path: Path) -> None:
    """A second attempt of a task ends with the very bytes of the first."""
    source = written(coated(gradient()), tmp_path)
    files = []
    for _ in range(2):
        _, job = cut(source)
        files.append(next(iter(job.saved.values())).read_bytes())
    assert files[0] == files[1]


def test_tiles_leave_no_seam(coated: Callable[[Array], Array], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture worked on in many pieces is the picture worked on in one."""
    source = written(coated(gradient()), tmp_path)
    whole, _ = cut(source)
    monkeypatch.setattr(cutout, "TILE_PX", 48)
    pieces, _ = cut(source)
    assert np.abs(whole.astype(int) - pieces).max() <= 1


def test_a_named_network_is_not_claimed(portrait: tuple[Array, Array, LocalJob]) -> None:
    """The client learns that no network made this; nothing else is wrong with a clear portrait."""
    _, _, job = portrait
    assert len(job.warnings) == 1
    assert job.warnings[0].startswith("rmbg_model RMBG-2.0 was not used")


def test_a_tiny_subject_is_pointed_out(tmp_path: Path) -> None:
    """A result that keeps almost nothing may have kept the wrong thing."""
    paper = np.full((HEIGHT, WIDTH, 3), 240, np.uint8)
    cv2.circle(paper, (100, 80), 9, (200, 40, 30), -1)
    _, job = cut(written(paper, tmp_path))
    assert "the subject covers 1% of the picture" in job.warnings[1]


def test_a_face_that_fills_the_frame_is_kept_and_pointed_out(tmp_path: Path) -> None:
    """Hair that touches the edge of the picture is no background; the client is told to look all the same."""
    result, job = cut(written(data.astronaut()[50:170, 150:290], tmp_path))
    assert result[:3, 45:100, 3].min() == 255
    assert job.warnings[1].startswith("the subject fills the frame")


def test_an_outline_without_contrast_is_pointed_out(tmp_path: Path) -> None:
    """A cat's face that fills the picture has no outline to follow."""
    _, job = cut(written(sized(data.chelsea()), tmp_path))
    assert job.warnings[1].startswith("the outline runs where both sides look alike")


def test_a_picture_without_subject_is_refused(tmp_path: Path) -> None:
    """An empty picture would be charged for nothing."""
    with pytest.raises(TaskFailure, match="no subject stands out"):
        cut(written(np.full((60, 80, 3), 130, np.uint8), tmp_path))


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 2), (3, 5)])
def test_a_picture_too_small_for_a_subject_is_refused_likewise(shape: tuple[int, int], tmp_path: Path) -> None:
    """No library underneath breaks on a picture of a few pixels."""
    noise = np.random.default_rng(2).integers(0, 255, (*shape, 3), np.uint8)
    with pytest.raises(TaskFailure, match="no subject stands out"):
        cut(written(noise, tmp_path))


def test_what_is_cut_out_already_is_kept(coated: Callable[[Array], Array], horse: Array, tmp_path: Path) -> None:
    """A white subject on transparency has no backdrop to tell it from."""
    source = np.dstack([coated(plain()), (horse * 255).astype(np.uint8)])
    result, job = cut(written(source, tmp_path))
    assert np.array_equal(result, source)
    assert "transparent already" in job.warnings[1]


def test_nothing_becomes_more_opaque_than_it_came(coated: Callable[[Array], Array], tmp_path: Path) -> None:
    """A subject that was half transparent stays so, in its own colour."""
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:, 90:110] = 100
    source = np.dstack([coated(plain()), alpha])
    result, _ = cut(written(source, tmp_path))
    assert (result[..., 3] <= alpha).all()
    half = result[..., 3] == 100
    assert half.sum() > 200
    assert np.array_equal(result[half, :3], source[half, :3])


def test_a_colour_profile_goes_along(coated: Callable[[Array], Array], tmp_path: Path) -> None:
    """Without it the saturated colours of a telephone's camera would turn pale."""
    profile = b"\0" * 16 + b"RGB " + b"\0" * 108
    Image.fromarray(coated(plain())).save(tmp_path / "in.png", icc_profile=profile)
    _, job = cut(tmp_path / "in.png")
    with Image.open(next(iter(job.saved.values()))) as image:
        assert image.info["icc_profile"] == profile


def chunk(kind: bytes, content: bytes) -> bytes:
    """Write a chunk of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb() -> bytes:
    """Write a file of some bytes that claims 50000 x 50000 pixels."""
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(1000))), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    "content",
    [b"", b"this is no picture", b"\x89PNG\r\n\x1a\n" + bytes(200), bomb()],
    ids=["empty", "text", "damaged", "bomb"],
)
def test_what_is_no_picture_fails_with_the_known_phrase(content: bytes, tmp_path: Path) -> None:
    """Clients match on it."""
    (tmp_path / "in.png").write_bytes(content)
    with pytest.raises(MediaFailure, match=r"^failed to get valid image"):
        cut(tmp_path / "in.png")


def test_a_cancelled_task_stops(coated: Callable[[Array], Array], tmp_path: Path) -> None:
    """It stops between the search for the subject and the refinement, and stores nothing."""
    job = LocalJob(tmp_path, RECIPE, cancel_when=lambda fraction: fraction >= 0.6)
    with pytest.raises(Cancelled):
        cpu.ENGINE.run(PRODUCT, PRODUCT.input(image=str(written(coated(plain()), tmp_path))), job)
    assert not job.saved


def test_every_make_of_the_engine_exists() -> None:
    """The table names functions that can be imported."""
    assert all(callable(pkgutil.resolve_name(target)) for target in cpu.MAKES.values())


def test_an_unknown_make_is_refused(tmp_path: Path) -> None:
    """A recipe for something else ends in a sentence, not in a crash."""
    job = LocalJob(tmp_path, Recipe("cpu", "basic", "teleport"))
    with pytest.raises(EngineFailure, match="cannot make 'teleport'"):
        cpu.ENGINE.run(PRODUCT, PRODUCT.input(image="in.png"), job)


def test_the_engine_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed, the operator reads how to install it."""
    assert cpu.ENGINE.missing() is None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "cv2" else name)
    assert cpu.ENGINE.missing() == "install the extra: pip install 'unitask[cpu]'"
