"""Learn the filters of `unitask.engines.cpu.learned` and write them beside it. Takes some minutes; run it by hand.

Learned from scikit-image's photographs that are in the public domain or CC0. `astronaut` and `chelsea` are left out:
the tests measure on them.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import skimage.data
from PIL import Image

from unitask.engines.cpu import learned
from unitask.engines.cpu.learned import KINDS, PLACES, TAPS, Floats, Kind

PICTURES: Final = (
    *("coffee", "rocket", "hubble_deep_field", "brick", "gravel", "grass"),
    *("camera", "page", "text", "coins", "moon", "cell"),
)
OUT: Final = Path(learned.__file__).parent
JPEG_QUALITIES: Final = (60, 75, 85)
MOST_OF_A_KIND: Final = 4000
STILL: Final = 200.0
"""How much speaks for a filter that changes nothing, where there is little to learn from."""


def light(name: str) -> Floats:
    """Load the light of a photograph: (h, w), 0..255, even sides."""
    picture = Image.fromarray(getattr(skimage.data, name)()).convert("L")
    return np.asarray(picture, np.float32)[: picture.height // 2 * 2, : picture.width // 2 * 2]


def halved(large: Floats) -> Image.Image:
    """Shrink to half, in whole grey levels."""
    size = large.shape[1] // 2, large.shape[0] // 2
    small = np.asarray(Image.fromarray(large).resize(size, Image.Resampling.BICUBIC))
    return Image.fromarray(np.clip(np.round(small), 0, 255).astype(np.uint8))


def compressed(small: Image.Image, quality: int) -> Image.Image:
    """Send a picture through JPEG."""
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=quality)
    return Image.open(io.BytesIO(stream.getvalue()))


def pairs(kind: Kind) -> Iterator[tuple[Floats, Floats]]:
    """Give enlargements of halved photographs, and the photographs: as they are, mirrored and turned."""
    for name in PICTURES:
        upright = light(name)
        for view, quality in zip((upright, upright[:, ::-1], upright.T), JPEG_QUALITIES, strict=True):
            large = np.ascontiguousarray(view)
            small = halved(large)
            given = small if kind == "clean" else compressed(small, quality)
            yield learned.enlarged(np.asarray(given, np.float32), 2), large


def learn(kind: Kind) -> Floats:
    """Find, for each place and kind of pixel, the filter with the least squared error."""
    seen_seen = np.zeros((len(PLACES), KINDS, TAPS, TAPS))
    seen_true = np.zeros((len(PLACES), KINDS, TAPS))
    for plain, true in pairs(kind):
        kinds, around = learned.kinds_of(plain), learned.surroundings(plain)
        for place, (row, column) in enumerate(PLACES):
            of_kind = kinds[row::2, column::2].ravel()
            seen, wanted = around[row::2, column::2], true[row::2, column::2].ravel()
            order = np.argsort(of_kind, kind="stable")
            ends = np.searchsorted(of_kind[order], np.arange(KINDS + 1))
            for number in range(KINDS):
                chosen = order[ends[number] : ends[number + 1]]
                chosen = chosen[:: max(1, len(chosen) // MOST_OF_A_KIND)]
                if not len(chosen):
                    continue
                rows, columns = np.divmod(chosen, seen.shape[1])
                patches = seen[rows, columns].reshape(len(chosen), TAPS).astype(np.float64)
                means = patches.mean(axis=1)
                patches -= means[:, None]
                seen_seen[place, number] += patches.T @ patches
                seen_true[place, number] += patches.T @ (wanted[chosen] - means)
    still = np.zeros(TAPS)
    still[TAPS // 2] = 1
    weight = STILL + 1e-4 * np.trace(seen_seen, axis1=2, axis2=3) / TAPS
    left = seen_seen + weight[..., None, None] * np.eye(TAPS)
    right = seen_true + weight[..., None] * still
    return np.linalg.solve(left, right[..., None])[..., 0].astype(np.float32)


if __name__ == "__main__":
    kinds: tuple[Kind, ...] = ("clean", "lossy")
    for kind in kinds:
        path = OUT / f"filters_{kind}.npz"
        np.savez_compressed(path, filters=learn(kind).astype(np.float16))
        print(path.name, path.stat().st_size, "bytes")
