"""What Trellis is told: pictures of a thing, cut out and seen by DINOv2, or words, read by CLIP."""

from dataclasses import dataclass, fields
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import CLIPTokenizer

from unitask.kit.errors import MediaFailure
from unitask.kit.pictures import PHRASE
from unitask.runtime.parts import Part, damaged
from unitask.runtime.runtime import Runtime
from unitask.spec.engine import Job

_OPAQUE: Final = 0.8 * 255
_ROOM: Final = 1.2
_MEAN: Final = (0.485, 0.456, 0.406)
_DEVIATION: Final = (0.229, 0.224, 0.225)
_LOOKED_AT_PX: Final = 512
_RIM: Final = 0.03
_ROUNDS: Final = 5
_LEAST, _MOST = 0.01, 0.97
_EYES, _READER = "image_encoder", "text_encoder"


def cut_out(picture: Image.Image, job: Job) -> Image.Image:
    """Give a picture its thing alone, RGBA: as its transparency says, or where its colours differ from its rim's."""
    if picture.mode == "RGBA" and np.asarray(picture)[..., 3].min() < 255:  # noqa: PLR2004 - opaque
        return picture
    rgb = picture.convert("RGB")
    mask = _standing_out(np.asarray(rgb))
    if _LEAST < (mask > 127).mean() < _MOST:  # noqa: PLR2004 - half
        job.warn(
            "the picture has no transparency: its background was told by its colours; send a PNG without background "
            "if the model has too much or too little"
        )
    else:
        job.warn("nothing stands out from the background: the whole picture was taken for the thing")
        mask = np.full(mask.shape, 255, np.uint8)
    cut = rgb.convert("RGBA")
    cut.putalpha(Image.fromarray(mask))
    return cut


def _standing_out(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Separate the thing from what the rim shows, by GrabCut on a small copy: (height, width), 0 to 255."""
    height, width = rgb.shape[:2]
    scale = min(1.0, _LOOKED_AT_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    across, down = (max(1, round(side * _RIM)) for side in size)
    if min(size[0] - 2 * across, size[1] - 2 * down) < 2:  # noqa: PLR2004 - nothing is left within the rim
        return np.zeros((height, width), np.uint8)
    found = np.zeros(small.shape[:2], np.uint8)
    box = across, down, size[0] - 2 * across, size[1] - 2 * down
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(1)
    cv2.grabCut(np.ascontiguousarray(small), found, box, *models, _ROUNDS, cv2.GC_INIT_WITH_RECT)
    mask = np.isin(found, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8) * 255
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def framed(cut: Image.Image, side: int) -> Image.Image:
    """Put the thing into the middle of a black square, RGB, with a little room round it, as the flows know pictures.

    Raises:
        MediaFailure: the picture is transparent all over.

    """
    rows, columns = np.nonzero(np.asarray(cut)[..., 3] > _OPAQUE)
    if not len(rows):
        raise MediaFailure(f"{PHRASE}: it is transparent everywhere")
    left, top, right, bottom = (int(edge) for edge in (columns.min(), rows.min(), columns.max(), rows.max()))
    half = max(1, int(max(right - left, bottom - top) * _ROOM) // 2)
    across, down = (left + right) / 2, (top + bottom) / 2
    box = round(across - half), round(down - half), round(across + half), round(down + half)
    square = np.asarray(cut.crop(box).resize((side, side), Image.Resampling.LANCZOS), np.float32) / 255
    return Image.fromarray((square[..., :3] * square[..., 3:] * 255).astype(np.uint8))


def seen(cuts: list[Image.Image], card_id: str, runtime: Runtime) -> list[torch.Tensor]:
    """Say what each picture shows: (tokens, channels).

    Raises:
        MediaFailure: one is transparent all over.
        EngineFailure: the weights are missing, damaged, or do not fit.

    """
    model = runtime.model(card_id)
    network = runtime.networks({_EYES: model.parts[_EYES]}, work_bytes=model.card.memory_bytes)[_EYES]
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (_MEAN, _DEVIATION))
    found = []
    for cut in cuts:
        square = np.asarray(framed(cut, network.config.image_size), np.float32) / 255
        pixels = (torch.from_numpy(square).permute(2, 0, 1) - mean) / deviation
        inner = network.embeddings(pixels[None].to(runtime.device, network.dtype))
        tokens = network.encoder(inner).last_hidden_state[0].float()
        found.append(torch.nn.functional.layer_norm(tokens, tokens.shape[-1:]))
    return found


@dataclass(frozen=True, slots=True)
class ReaderPart(Part):
    """The half of CLIP that reads."""

    def read(self) -> Any:
        """Build all of it, keep that half."""
        return Part.read(self).text_model


def read(prompt: str, card_id: str, job: Job, runtime: Runtime) -> tuple[torch.Tensor, torch.Tensor]:
    """Say what words mean, and what no words mean: (tokens, channels) each. What is too long is cut, with a warning.

    Raises:
        EngineFailure: the weights are missing, damaged, or do not fit.

    """
    model = runtime.model(card_id)
    whole = model.parts[_READER]
    part = ReaderPart(**{field.name: getattr(whole, field.name) for field in fields(whole)})
    try:
        tokenizer = CLIPTokenizer.from_pretrained(whole.root / _READER, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(model.card, _READER, error) from error
    network = runtime.networks({_READER: part}, work_bytes=model.card.memory_bytes)[_READER]
    limit = tokenizer.model_max_length
    if len(tokenizer.tokenize(prompt)) > limit - 2:
        job.warn(f"prompt is too long: its first {limit - 2} tokens are read (a token is a word or a part of one)")
    fitted = tokenizer([prompt, ""], max_length=limit, padding="max_length", truncation=True, return_tensors="pt")
    told, nothing = network(input_ids=fitted.input_ids.to(runtime.device)).last_hidden_state.float()
    return told, nothing
