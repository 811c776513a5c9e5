"""Pictures and videos enlarged by a network (Real-ESRGAN), tile by tile, to exactly the size that was promised.

The network enlarges by its own factor. For less, its result is reduced; for more, it works on its own result.
"""

from collections.abc import Callable, Iterator
from math import ceil
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from unitask.engines.networks.enlarger import Enlarger, enlarger
from unitask.kit.mattes import bled
from unitask.kit.pictures import with_profile
from unitask.kit.tiles import scaled, tiles
from unitask.kit.video import Video
from unitask.runtime.clips import fetch_small_video, reported, written
from unitask.runtime.face_restore import PART, Restorer, restorer_part, restorer_wanted
from unitask.runtime.faces import ANALYSIS, detector_part, find_faces
from unitask.runtime.pictures import enlarged_size, fetch_picture, save
from unitask.runtime.runtime import Runtime
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult, VideoResult

Pixels = NDArray[np.uint8]
TILE_PX: Final = 256
HALO_PX: Final = 32
"""How far around a tile the network sees, so that no seam shows."""
_FIRST_ROUND: Final = 0.2
"""How much of the work the first of two rounds is, about."""
_DETECTOR: Final = "detector"


def upscale(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Enlarge a picture `inputs.scale` times in both directions; transparency stays.

    Raises:
        TaskFailure: the result would pass the recipe's `limit_output_pixels`.

    """
    picture = fetch_picture(inputs, "image", job)
    size = enlarged_size(picture.size, inputs.scale, job.recipe.options["limit_output_pixels"])
    restoring = restorer_wanted(inputs, job, runtime, ANALYSIS)
    job.progress(0.02, "loading the network")
    network = enlarger(job.recipe.weights[0], runtime)
    rgb = bled(np.asarray(picture))[..., :3]
    large = enlarged(network, rgb, size, runtime.device, lambda done: job.progress(0.05 + 0.75 * done, "enlarging"))
    if restoring:
        large = _with_faces(rgb, large, inputs.scale, job, runtime)
    made = Image.fromarray(large)
    if picture.mode == "RGBA":
        made.putalpha(picture.getchannel("A").resize(size, Image.Resampling.LANCZOS))
    job.progress(0.95, "saving")
    reference = save(with_profile(made, picture), job, job.seed)
    return Output(ImageResult.of(reference), {"output megapixel": size[0] * size[1] / 1e6})


def video_upscale(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Enlarge a video `scale` times each way, frame by frame: as many at the same rate, with the sound.

    Raises:
        MediaFailure: not a video, too short, too long or too large; its sentence says what the limits are.

    """
    scale = int(job.recipe.options["scale"])
    job.progress(0.02, "reading the video")
    video = fetch_small_video(inputs, "video", job)
    network = enlarger(job.recipe.weights[0], runtime)
    frames = _enlarged(video, network, scale, job, runtime.device)
    reference, count = written(job, video, frames, scale)
    return Output(VideoResult.of(reference), measures={"frame": count})


def enlarged(
    network: Enlarger, rgb: Pixels, size: tuple[int, int], device: torch.device, report: Callable[[float], None]
) -> Pixels:
    """Enlarge (h, w, 3) to a size (width, height); `report` is told how far it is, 0 to 1, after every tile.

    Where the network's own factor is too small, it works on its own result once more.
    """
    height, width = rgb.shape[:2]
    if size[0] > width * network.scale:
        part = ceil(size[0] / network.scale), ceil(size[1] / network.scale)
        rgb = enlarged(network, rgb, part, device, lambda done: report(done * _FIRST_ROUND))
        return enlarged(network, rgb, size, device, lambda done: report(_FIRST_ROUND + done * (1 - _FIRST_ROUND)))
    scale = network.scale
    result = np.empty((height * scale, width * scale, 3), np.uint8)
    for tile in tiles(height, width, TILE_PX, HALO_PX):
        made = _through(network, np.array(rgb[tile.seen]), device)
        result[scaled(tile.place, scale)] = made[scaled(tile.inner, scale)]
        report(tile.done)
    if result.shape[1::-1] == size:
        return result
    return np.asarray(Image.fromarray(result).resize(size, Image.Resampling.LANCZOS))


def _with_faces(rgb: Pixels, large: Pixels, scale: int, job: Job, runtime: Runtime) -> Pixels:
    """Paint the faces of a picture anew in the enlarged one, from what the picture itself shows of them."""
    job.progress(0.82, "looking for faces")
    parts = {_DETECTOR: detector_part(runtime), PART: restorer_part(runtime)}
    placed = runtime.networks(parts, work_bytes=sum(part.card.memory_bytes for part in parts.values()))
    restorer, result = Restorer(placed[PART], runtime.device), large.copy()
    faces = find_faces(placed[_DETECTOR], np.ascontiguousarray(rgb))
    for number, face in enumerate(faces):
        job.progress(0.84 + 0.1 * number / len(faces), f"restoring face {number + 1} of {len(faces)}")
        restorer.restore(result, (face.points + 0.5) * scale - 0.5, seen=(rgb, face.points))
    return result


def _through(network: Enlarger, rgb: Pixels, device: torch.device) -> Pixels:
    """Run the network on a piece."""
    kind = next(network.parameters()).dtype
    with torch.no_grad():
        given = torch.from_numpy(rgb).to(device).permute(2, 0, 1)[None].to(kind) / 255
        made = (network(given)[0].float().clamp(0, 1) * 255).round().byte()
    return np.asarray(made.permute(1, 2, 0).cpu().numpy(), np.uint8)


def _enlarged(video: Video, network: Enlarger, scale: int, job: Job, device: torch.device) -> Iterator[Pixels]:
    size = video.width * scale, video.height * scale
    for frame in reported(video, video.frames, job, note="enlarging", low=0.05, high=0.98):
        yield enlarged(network, frame, size, device, lambda _: None)
