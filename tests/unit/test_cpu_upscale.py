"""Image upscale by the engine cpu: size, fidelity, transparency and limits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

from support.job import LocalJob
from unitask.catalogue import Catalogue
from unitask.engines import cpu
from unitask.engines.cpu import upscale
from unitask.kit.errors import Cancelled, MediaFailure, TaskFailure
from unitask.spec.engine import Output
from unitask.spec.product import Recipe

Array = NDArray[Any]
PRODUCT = Catalogue.load().find("Qubico/image-toolkit", "upscale")
RECIPE = next(recipe for recipe in PRODUCT.recipes if recipe.engine == "cpu")
PHOTOGRAPHS = {
    "astronaut": data.astronaut()[:240, 100:340],
    "cat": data.chelsea()[40:280, 80:320],
    "coffee": data.coffee()[40:280, 150:390],
}


def enlarge(
    source: Path, scale: int = 2, recipe: Recipe = RECIPE, **fields: Any
) -> tuple[Image.Image, Output, LocalJob]:
    """Enlarge a file; gives the picture, what the engine returned and the job that was used."""
    job = LocalJob(source.parent, recipe)
    output = cpu.ENGINE.run(PRODUCT, PRODUCT.input(image=str(source), scale=scale, **fields), job)
    with Image.open(job.saved[output.fields["image_url"]]) as image:
        image.load()
        return image, output, job


def written(image: Image.Image, path: Path, **settings: Any) -> Path:
    """Write a picture as a file."""
    image.save(path, **settings)
    return path


def shrunk(pixels: Array, scale: int = 2) -> Image.Image:
    """Shrink as a camera or a browser would."""
    height, width = pixels.shape[:2]
    return Image.fromarray(pixels).resize((width // scale, height // scale), Image.Resampling.BICUBIC)


def fidelity(image: Image.Image, truth: Array) -> float:
    """PSNR in dB, without the outermost pixels."""
    return float(peak_signal_noise_ratio(truth[8:-8, 8:-8], np.asarray(image)[8:-8, 8:-8]))


@pytest.mark.parametrize("scale", [2, 3, 7, 10])
def test_the_size_is_exact(scale: int, tmp_path: Path) -> None:
    """Odd sizes and odd scales too; the megapixels made are what is charged."""
    source = written(Image.fromarray(data.coffee()[:31, :53]), tmp_path / "in.png")
    image, output, job = enlarge(source, scale)
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (53 * scale, 31 * scale))
    assert output.measures == {"output megapixel": 53 * 31 * scale**2 / 1e6}
    assert image.info == {"Software": "unitask", "unitask:engine": "cpu", "unitask:level": "basic"}
    assert not job.warnings


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("scale", [2, 4])
def test_a_clean_picture_comes_back_better_than_by_resampling(name: str, scale: int, tmp_path: Path) -> None:
    """Of a photograph made smaller, more is recovered than Lanczos or bicubic recover."""
    truth = PHOTOGRAPHS[name]
    small = shrunk(truth, scale)
    image, _, _ = enlarge(written(small, tmp_path / "in.png"), scale)
    assert fidelity(image, truth) > fidelity(small.resize(image.size, Image.Resampling.LANCZOS), truth) + 0.2
    assert fidelity(image, truth) > fidelity(small.resize(image.size, Image.Resampling.BICUBIC), truth) + 0.4


@pytest.mark.parametrize("quality", [50, 75, 92])
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_jpeg_comes_back_better_too(name: str, quality: int, tmp_path: Path) -> None:
    """Its artefacts are not sharpened: the result is nearer to the truth than plain Lanczos."""
    truth = PHOTOGRAPHS[name]
    source = written(shrunk(truth), tmp_path / "in.jpg", quality=quality)
    image, _, _ = enlarge(source)
    with Image.open(source) as small:
        assert fidelity(image, truth) > fidelity(small.resize(image.size, Image.Resampling.LANCZOS), truth)


def test_an_edge_gets_no_halo(tmp_path: Path) -> None:
    """Nothing is brighter or darker than what lies beside it, unlike after plain Lanczos."""
    step = np.full((40, 40, 3), 60, np.uint8)
    step[:, 20:] = 190
    image, _, _ = enlarge(written(Image.fromarray(step), tmp_path / "in.png"), 4)
    assert image.getextrema() == ((60, 190),) * 3


@pytest.mark.parametrize(
    ("name", "settings", "lossy"),
    [
        ("in.png", {}, False),
        ("in.jpg", {"quality": 80}, True),
        ("in.webp", {"lossless": True}, False),
        ("in.webp", {"quality": 80}, True),
        ("in.tif", {}, False),
        ("in.tif", {"compression": "jpeg"}, True),
    ],
)
def test_lossy_files_are_told_from_clean_ones(
    name: str,
    settings: dict[str, Any],
    lossy: bool,  # noqa: FBT001 - a case
    tmp_path: Path,
) -> None:
    """By the file, not by its name: WebP and TIFF come in both kinds."""
    source = written(shrunk(PHOTOGRAPHS["cat"]), tmp_path / name, **settings)
    assert (upscale._loss(source) > 0) is lossy


def test_coarser_compression_is_told(tmp_path: Path) -> None:
    """A JPEG says in its tables how much was thrown away."""
    image = shrunk(PHOTOGRAPHS["cat"])
    losses = [upscale._loss(written(image, tmp_path / "in.jpg", quality=quality)) for quality in (95, 80, 60, 30)]
    assert losses == sorted(set(losses))


def test_transparency_stays(tmp_path: Path) -> None:
    """A red disc on nothing stays a red disc on nothing, and the black of the nothing does not shine through."""
    y, x = np.mgrid[:40, :40]
    disc = np.zeros((40, 40, 4), np.uint8)
    disc[(x - 20) ** 2 + (y - 20) ** 2 < 150] = (230, 20, 20, 255)
    image, _, _ = enlarge(written(Image.fromarray(disc), tmp_path / "in.png"), 4)
    pixels = np.asarray(image)
    alpha = pixels[..., 3]
    assert image.mode == "RGBA"
    assert alpha[80, 80] == 255
    assert alpha[:20].max() == 0
    assert ((alpha > 0) & (alpha < 255)).any()
    assert np.abs(pixels[alpha > 0][:, :3].astype(int) - (230, 20, 20)).max() <= 2


def test_tiles_leave_no_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture enlarged in many pieces is the picture enlarged in one."""
    source = written(shrunk(PHOTOGRAPHS["coffee"]), tmp_path / "in.png")
    whole, _, one = enlarge(source)
    monkeypatch.setattr(upscale, "TILE_PX", 60)
    pieces, _, many = enlarge(source)
    assert len(many.fractions) > len(one.fractions)
    assert np.abs(np.asarray(whole).astype(int) - np.asarray(pieces)).max() <= 1


def test_the_same_picture_gives_the_same_file(tmp_path: Path) -> None:
    """A second attempt of a task ends with the very bytes of the first."""
    source = written(shrunk(PHOTOGRAPHS["cat"]), tmp_path / "in.jpg", quality=80)
    files = []
    for _ in range(2):
        _, _, job = enlarge(source)
        files.append(next(iter(job.saved.values())).read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("limit_pixels", "advice"), [(100 * 80 * 11, "scale 3 would fit"), (100 * 80 * 2, "send a smaller picture")]
)
def test_a_result_beyond_the_limit_is_refused(limit_pixels: int, advice: str, tmp_path: Path) -> None:
    """Before any work, with the scale that would do."""
    source = written(Image.new("RGB", (100, 80)), tmp_path / "in.png")
    recipe = Recipe("cpu", "basic", "upscale", {"limit_output_pixels": limit_pixels})
    with pytest.raises(TaskFailure, match=f"would have 400x320 pixels, the limit is {limit_pixels} in all; {advice}"):
        enlarge(source, 4, recipe)


def test_a_result_at_the_limit_is_made(tmp_path: Path) -> None:
    """The limit itself is allowed."""
    source = written(Image.new("RGB", (10, 8)), tmp_path / "in.png")
    recipe = Recipe("cpu", "basic", "upscale", {"limit_output_pixels": 320})
    assert enlarge(source, 2, recipe)[0].size == (20, 16)


def test_restoring_faces_is_not_claimed(tmp_path: Path) -> None:
    """The client learns that this engine enlarges a face like anything else."""
    source = written(shrunk(PHOTOGRAPHS["astronaut"], 4), tmp_path / "in.png")
    _, _, job = enlarge(source, face_enhance=True)
    assert job.warnings == ["face_enhance was ignored: the engine cpu enlarges faces like the rest of the picture"]


def test_a_file_that_is_no_picture_fails_with_the_known_phrase(tmp_path: Path) -> None:
    """Clients match on it."""
    (tmp_path / "in.png").write_bytes(b"no picture")
    with pytest.raises(MediaFailure, match=r"^failed to get valid image"):
        enlarge(tmp_path / "in.png")


def test_a_cancelled_task_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops after the tile at hand and stores nothing."""
    source = written(shrunk(PHOTOGRAPHS["cat"]), tmp_path / "in.png")
    monkeypatch.setattr(upscale, "TILE_PX", 60)
    job = LocalJob(tmp_path, RECIPE, cancel_when=lambda fraction: fraction > 0.2)
    with pytest.raises(Cancelled):
        cpu.ENGINE.run(PRODUCT, PRODUCT.input(image=str(source)), job)
    assert len(job.fractions) < 8
    assert not job.saved
