"""Pictures and videos enlarged by Real-ESRGAN's network, tiny: exact sizes, no seams, and what its layout computes."""

import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from tiny_enlarger import FILE, shelve_enlarger, weights

from support.decoding import film, sound
from support.films import Clip, make
from support.previews import Made, Workshop
from unitask.engines.networks import upscale as engine
from unitask.engines.networks.enlarger import Enlarger, enlarger
from unitask.kit.errors import Cancelled, EngineFailure, MediaFailure, TaskFailure
from unitask.kit.video import VideoLimits, read_video
from unitask.runtime.hardware import Hardware
from unitask.runtime.runtime import Runtime
from unitask.runtime.spandrels import spandrel_alone
from unitask.weights import Shelf

LIMITS: Final = VideoLimits(600, 4096, 4096**2, 2**26)
CPU: Final = torch.device("cpu")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shelve a network that makes each pixel a square of its own value."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("planted")
    shelve_enlarger(folder, planted=True)
    return folder


@pytest.fixture(scope="module")
def chance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shelve a network with weights at random."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("chance")
    shelve_enlarger(folder)
    return folder


def network(models: Path) -> Enlarger:
    """Load it as the engine does."""
    return enlarger("realesrgan-x4plus", Runtime(Shelf(models), Hardware("cpu", 2**32, 0)))


def noise(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    """Draw a picture of soft noise."""
    small = np.random.default_rng(2).integers(0, 256, (height // 4 + 1, width // 4 + 1, channels), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def enlarge(folder: Path, models: Path, picture: NDArray[np.uint8], **fields: Any) -> Made:
    """Order a picture larger."""
    workshop = Workshop(folder, "networks", models)
    return workshop.order("image-toolkit", "upscale", image=workshop.picture("photo.png", picture), **fields)


def conv(picture: NDArray[Any], kernel: NDArray[Any]) -> NDArray[Any]:
    """Convolve (channels, h, w) with kernels (made, given, 3, 3), zeros around."""
    padded = np.pad(picture, ((0, 0), (1, 1), (1, 1)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.einsum("ihwyx,oiyx->ohw", views, kernel)


def bent(picture: NDArray[Any]) -> NDArray[Any]:
    """Let a fifth of what is below zero through."""
    return np.where(picture > 0, picture, 0.2 * picture)


def by_hand(picture: NDArray[Any], content: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Compute what the published layout says: dense blocks within blocks, then twice the size two times."""

    def kernel(name: str) -> NDArray[Any]:
        return content[f"{name}.weight"].astype(np.float64)

    first = conv(picture, kernel("conv_first"))
    flow = first
    for block in range(2):
        inner = flow
        for number in (1, 2, 3):
            seen = [inner]
            for step in range(1, 5):
                seen.append(bent(conv(np.concatenate(seen), kernel(f"body.{block}.rdb{number}.conv{step}"))))
            inner = inner + 0.2 * conv(np.concatenate(seen), kernel(f"body.{block}.rdb{number}.conv5"))
        flow = flow + 0.2 * inner
    flow = first + conv(flow, kernel("conv_body"))
    for name in ("conv_up1", "conv_up2"):
        flow = bent(conv(flow.repeat(2, axis=1).repeat(2, axis=2), kernel(name)))
    return conv(bent(conv(flow, kernel("conv_hr"))), kernel("conv_last")) + content["conv_last.bias"][:, None, None]


def test_the_public_layout_is_computed_as_it_is_published(chance: Path) -> None:
    """Against the same computed by NumPy, block by block."""
    picture = np.random.default_rng(3).random((3, 9, 7))
    with torch.no_grad():
        made = network(chance)(torch.tensor(picture, dtype=torch.float32)[None])[0].numpy()
    wanted = by_hand(picture, {name: value.numpy() for name, value in weights().items()})
    assert np.abs(made - np.clip(wanted, 0, 1)).max() < 1e-5
    assert np.clip(wanted, 0, 1).std() > 0.01


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("size", [(37, 21), (300, 20)])
def test_the_size_is_exact_and_the_picture_is_in_its_place(
    tmp_path: Path, planted: Path, scale: int, size: tuple[int, int]
) -> None:
    """At every scale, over several tiles, and more than once through the network where its factor is too small."""
    picture = noise(*size)
    made = enlarge(tmp_path, planted, picture, scale=scale)
    large = made.picture()
    assert large.shape == (size[0] * scale, size[1] * scale, 3)
    back = np.asarray(Image.fromarray(large).resize(size[::-1], Image.Resampling.BOX))
    assert np.abs(back.astype(int) - picture).mean() < 3
    if scale % 4 == 0:  # what the network made last is not resampled
        squares = large.reshape(size[0] * scale // 4, 4, size[1] * scale // 4, 4, 3)
        assert np.ptp(squares, axis=(1, 3)).max() == 0
    assert made.output.measures == {"output megapixel": size[0] * size[1] * scale**2 / 1e6}
    assert made.job.warnings == []


def test_no_seam_shows_between_tiles(chance: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces it is the same picture as at once, to a rounding; what a tile sees around itself is what matters."""
    monkeypatch.setattr(engine, "TILE_PX", 16)
    picture = noise(40, 55)
    loaded = network(chance)
    told: list[float] = []
    pieces = engine.enlarged(loaded, picture, (220, 160), CPU, told.append)
    assert len(told) == 12
    assert told == sorted(told)
    monkeypatch.setattr(engine, "TILE_PX", 256)
    whole = engine.enlarged(loaded, picture, (220, 160), CPU, told.append)
    assert np.abs(pieces.astype(int) - whole).max() <= 1
    assert whole.std() > 3


def test_transparency_stays_and_hidden_colours_do_not_shine_through(tmp_path: Path, planted: Path) -> None:
    """The edge of what can be seen has its own colour, not that of what is hidden."""
    picture = np.zeros((24, 32, 4), np.uint8)
    picture[:, :16] = 200, 100, 50, 255
    picture[:, 16:, :3] = 0, 255, 0
    large = enlarge(tmp_path, planted, picture, scale=2).picture()
    assert large.shape == (48, 64, 4)
    assert (large[:, :26, 3] == 255).all()
    assert not large[:, 38:, 3].any()
    seen = large[large[..., 3] > 20][:, :3].astype(int)
    assert np.abs(seen - (200, 100, 50)).max() < 12


def test_the_same_picture_gives_the_same_file_and_faces_are_not_promised(tmp_path: Path, chance: Path) -> None:
    """Byte for byte; a field that is ignored is named."""
    one, other = (enlarge(tmp_path / name, chance, noise(20, 30), face_enhance=True) for name in made(tmp_path, 2))
    assert one.content("image_url") == other.content("image_url")
    assert [sentence.split()[0] for sentence in one.job.warnings] == ["face_enhance"]


def made(folder: Path, count: int) -> list[str]:
    """Make folders."""
    names = [f"folder-{number}" for number in range(count)]
    for name in names:
        (folder / name).mkdir()
    return names


def test_too_large_a_result_fails_before_the_work_with_the_scale_that_fits(tmp_path: Path, planted: Path) -> None:
    """As without weights."""
    with pytest.raises(TaskFailure, match="scale 5 would fit"):
        enlarge(tmp_path, planted, noise(20, 20), scale=8, options={"limit_output_pixels": 10_000})


def test_weights_that_are_missing_damaged_or_of_another_kind_name_the_command(tmp_path: Path) -> None:
    """As everywhere; what spandrel knows but what does not enlarge is refused, too."""
    first, second, third = (tmp_path / name for name in made(tmp_path, 3))
    with pytest.raises(EngineFailure, match="unitask models pull realesrgan-x4plus"):
        enlarge(first, first, noise(8, 8))
    shelve_enlarger(second)
    path = second / "realesrgan-x4plus" / FILE
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(EngineFailure, match="unitask models check realesrgan-x4plus"):
        enlarge(second, second, noise(8, 8))
    shelve_enlarger(third)
    content = {name.replace("conv_", "other_"): value for name, value in weights().items()}
    save_file(content, third / "realesrgan-x4plus" / FILE)
    with pytest.raises(EngineFailure, match="unitask models check realesrgan-x4plus"):
        enlarge(third, third, noise(8, 8))


def test_torchvision_is_neither_needed_nor_pretended() -> None:
    """After spandrel is there, nobody finds a torchvision that is not."""
    assert spandrel_alone().ModelLoader
    assert not [name for name in sys.modules if name.partition(".")[0] == "torchvision"]


def test_a_video_becomes_twice_as_large_frame_by_frame_with_its_sound(tmp_path: Path, planted: Path) -> None:
    """Each frame is its own, charged by their number."""
    source = make(tmp_path / "given.mp4", Clip(12, (64, 48), sound="aac"))
    ordered = Workshop(tmp_path, "networks", planted).order("video-toolkit", "upscale", video=str(source))
    shot, before = film(ordered.content("video_url")), film(source.read_bytes())
    assert (shot.frames, shot.fps, shot.size) == (12, before.fps, (128, 96))
    assert ordered.output.measures == {"frame": 12}
    heard = sound(ordered.content("video_url")).seconds
    assert heard == pytest.approx(sound(source.read_bytes()).seconds, abs=0.05)
    for large, small in zip(read_video(ordered.path("video_url"), LIMITS), read_video(source, LIMITS), strict=True):
        back = np.asarray(Image.fromarray(large).resize((64, 48), Image.Resampling.BOX))
        assert np.abs(back.astype(int) - small).mean() < 6


def test_videos_beyond_the_limits_fail_and_a_cancel_is_heard(tmp_path: Path, planted: Path) -> None:
    """Too short a one says how many frames are needed."""
    short, good = (make(tmp_path / f"{frames}.mp4", Clip(frames)) for frames in (4, 12))
    with pytest.raises(MediaFailure, match="at least 10 are needed"):
        Workshop(tmp_path, "networks", planted).order("video-toolkit", "upscale", video=str(short))
    with pytest.raises(Cancelled):
        Workshop(tmp_path / made(tmp_path, 1)[0], "networks", planted).order(
            "video-toolkit", "upscale", video=str(good), cancel_when=lambda done: done > 0.3
        )
