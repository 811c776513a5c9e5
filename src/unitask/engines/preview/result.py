"""The last step of every make: strip, metadata, PNG, storage."""

import numpy as np
from PIL import Image

from unitask.engines.preview.arrays import Pixels
from unitask.engines.preview.strip import Label, lay_strip
from unitask.kit.pictures import png
from unitask.spec.engine import Job


def store(job: Job, picture: Pixels, label: Label, *, strip: bool = True) -> str:
    """Save (height, width, 3 or 4) as PNG under its label; gives the reference. `strip` off: metadata only."""
    if strip:
        picture = np.array(picture, np.uint8, order="C")
        lay_strip(picture, label)
    text = {
        "Software": "unitask",
        "unitask:engine": "preview",
        "unitask:level": "preview",
        # PNG text ends at a zero byte, and half a surrogate pair has no bytes at all.
        "unitask:prompt": label.prompt.replace("\0", " ").encode("utf-8", "replace").decode("utf-8"),
        "unitask:seed": str(label.seed),
    }
    return job.save(png(Image.fromarray(picture), text), "png")
