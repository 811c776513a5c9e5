"""What any words name in a picture: boxes round it by Grounding DINO, its outline in each of them by SAM 2.

A recipe's weights are those of the detector, then those of the segmenter.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

from unitask.engines.networks.segment import Find, Mask, selection
from unitask.runtime.runtime import Runtime
from unitask.spec.engine import Job, Output

SURE: Final = 0.3
"""How sure the detector must be of a box, 0 to 1."""
MOST_BOXES: Final = 64
"""For one phrase; the surest count."""
MOST_WORD_PIECES: Final = 256
_DETECTOR, _SEGMENTER = "detector", "segmenter"
_PICTURES_ONLY: Final = "Sam2Model"
"""The public folder names the class for videos, of which this one is the part for single pictures."""
_AT_ONCE: Final = 8
_SLIMMEST: Final = 8
"""Pictures that are longer for their width are widened: of those the detector sees too few places."""
_GREY: Final = (118, 118, 118)
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def segment_things(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Make four pictures of what the two networks find; see `selection`.

    Raises:
        TaskFailure: nothing was found, or nothing is left.

    """

    def look(image: Image.Image) -> Find:
        job.progress(0.03, "loading the networks")
        return Search.ready(image, job.recipe.weights, runtime).find

    return selection(inputs, job, look)


@dataclass(frozen=True)
class Search:
    """A picture, and the networks that look at it; what the second one sees of it is computed once."""

    image: Image.Image
    detector: Any
    segmenter: Any
    tokenizer: Any
    prepare: Any

    @classmethod
    def ready(cls, image: Image.Image, weights: tuple[str, ...], runtime: Runtime) -> "Search":
        """Have both networks on the device together.

        Raises:
            EngineFailure: the weights are missing, damaged, or do not fit.

        """
        words, masks = (runtime.model(card_id) for card_id in weights)
        parts = {
            _DETECTOR: words.parts[_DETECTOR],
            _SEGMENTER: replace(masks.parts[_SEGMENTER], class_name=_PICTURES_ONLY),
        }
        placed = runtime.networks(parts, work_bytes=words.card.memory_bytes + masks.card.memory_bytes)
        return cls(
            image, placed[_DETECTOR], placed[_SEGMENTER], words.small("tokenizer"), words.small("image_processor")
        )

    @property
    def side(self) -> int:
        """How many pixels wide and high the segmenter sees any picture."""
        return int(self.segmenter.config.prompt_encoder_config.image_size)

    def find(self, phrase: str) -> Mask:
        """Mark what a phrase names: the masks of all its boxes joined, (side, side) for the whole picture."""
        joined, boxes = torch.zeros(self.side, self.side, dtype=torch.bool), self.boxes(phrase)
        for start in range(0, len(boxes), _AT_ONCE):
            joined |= self.masks(boxes[start : start + _AT_ONCE]).any(dim=0)
        return np.asarray(joined.numpy())

    def words(self, phrase: str) -> Any:
        """Write a phrase as the detector was taught to read it: in small letters, with a full stop."""
        text = f"{phrase.lower()}."
        return self.tokenizer(text, truncation=True, max_length=MOST_WORD_PIECES, return_tensors="pt")

    def boxes(self, phrase: str) -> torch.Tensor:
        """Find boxes round what a phrase names: left, top, right, bottom in shares of the picture, the surest first."""
        network, canvas = self.detector, widened(self.image)
        seen = self.prepare(images=canvas, return_tensors="pt").to(network.device)
        words = self.words(phrase).to(network.device)
        said = network(
            pixel_values=seen["pixel_values"].to(network.dtype),
            pixel_mask=seen["pixel_mask"],
            input_ids=words["input_ids"],
            attention_mask=words["attention_mask"],
        )
        sure = said.logits[0].float().sigmoid().amax(dim=1).cpu()
        middle, size = said.pred_boxes[0].float().cpu().split(2, dim=1)
        corners = torch.cat([middle - size / 2, middle + size / 2], dim=1)
        kept = [int(one) for one in sure.argsort(descending=True, stable=True) if sure[one] > SURE][:MOST_BOXES]
        wider, higher = (whole / part for whole, part in zip(canvas.size, self.image.size, strict=True))
        shares: torch.Tensor = corners[kept] * torch.tensor([wider, higher] * 2)
        return shares.clamp(0, 1)

    def masks(self, boxes: torch.Tensor) -> torch.Tensor:
        """Outline what each of these boxes (n, 4) holds: bool (n, side, side)."""
        network = self.segmenter
        made = network(
            input_boxes=(boxes[None] * self.side).to(network.device, network.dtype),
            image_embeddings=self._seen,
            multimask_output=False,
        ).pred_masks[0]
        large = interpolate(made.float(), (self.side, self.side), mode="bilinear", align_corners=False)
        return (large[:, 0] > 0).cpu()

    @cached_property
    def _seen(self) -> Any:
        network = self.segmenter
        return network.get_image_embeddings(prepared(self.image, self.side).to(network.device, network.dtype))


def widened(image: Image.Image) -> Image.Image:
    """Lay a very long or very high picture at the top left of a canvas that is less so; others stay."""
    size = tuple(max(side, ceil(max(image.size) / _SLIMMEST)) for side in image.size)
    if size == image.size:
        return image
    canvas = Image.new("RGB", (size[0], size[1]), _GREY)
    canvas.paste(image)
    return canvas


def prepared(image: Image.Image, side: int) -> torch.Tensor:
    """Bring a picture to what the segmenter sees, whatever its shape: (1, 3, side, side), normalised."""
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
    small = interpolate(pixels, (side, side), mode="bilinear", align_corners=False, antialias=True)
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (_MEAN, _DEVIATION))
    return (small - mean) / deviation
