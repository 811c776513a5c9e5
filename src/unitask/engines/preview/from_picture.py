"""Pictures made from another picture and words: img2img, Redux variations, Kontext edits."""

import re
from typing import Any, Final

import cv2
import numpy as np

from unitask.engines.preview import lora, moods, scene, styles, words
from unitask.engines.preview.arrays import Floats, Pixels, step
from unitask.engines.preview.canvas import Canvas
from unitask.engines.preview.from_text import painted
from unitask.engines.preview.result import store
from unitask.engines.preview.sources import DEFAULT_PX, asked_size, blend, cover, fetch, opaque, resize, workable
from unitask.engines.preview.strip import Label
from unitask.engines.preview.words import Wish
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult

_ADDING: Final = re.compile(r"\b(add|put|place|insert|draw|include|replace|with|into|turn)\b")


def img2img(inputs: Any, job: Job) -> Output:
    """Follow the input picture's size unless width and height are both given; `denoise` says how much changes."""
    job.progress(0.05, "reading the picture")
    given = fetch(inputs, job, "image")
    size = asked_size(inputs, (given.shape[1], given.shape[0]))
    base = _base(given, size)
    references = []
    for index in range(inputs.batch_size):
        job.progress(0.2 + 0.7 * index / inputs.batch_size, "changing the picture")
        seed = job.seed + index
        picture = resize(transformed(base, inputs, seed), *size)
        references.append(store(job, picture, Label(inputs.prompt, seed, [given])))
    job.progress(1.0)
    return Output(ImageResult.of(*references))


def img2img_lora(inputs: Any, job: Job) -> Output:
    """As img2img, then the LoRA's style."""
    job.progress(0.05, "reading the picture")
    given = fetch(inputs, job, "image")
    size = asked_size(inputs, (given.shape[1], given.shape[0]))
    job.progress(0.2, "changing the picture")
    picture = transformed(_base(given, size), inputs, job.seed)
    job.progress(0.6, "styling")
    picture = resize(lora.apply(picture, inputs, job.seed), *size)
    reference = store(job, picture, Label(inputs.prompt, job.seed, [given]))
    job.progress(1.0)
    return Output(ImageResult.of(reference))


def redux(inputs: Any, job: Job) -> Output:
    """Paint the prompt's scene in the palette of the input picture, and frame that picture in a corner."""
    job.progress(0.05, "reading the picture")
    given = fetch(inputs, job, "image")
    width, height = inputs.width or DEFAULT_PX, inputs.height or DEFAULT_PX
    job.progress(0.2, "painting")
    picture = moods.like(painted(inputs, width, height, job.seed), opaque(given), 0.8)
    _frame(picture, opaque(given))
    reference = store(job, picture, Label(inputs.prompt, job.seed, [given]))
    job.progress(1.0)
    return Output(ImageResult.of(reference))


def kontext(inputs: Any, job: Job) -> Output:
    """Edit the picture as far as the instruction's words go: styles, hours, weather, colours, things to add."""
    job.progress(0.05, "reading the picture")
    given = fetch(inputs, job, "image")
    size = inputs.width or DEFAULT_PX, inputs.height or DEFAULT_PX
    job.progress(0.2, "editing the picture")
    picture = resize(edited(_base(given, size), inputs.prompt, job.seed), *size)
    reference = store(job, picture, Label(inputs.prompt, job.seed, [given]))
    job.progress(1.0)
    return Output(ImageResult.of(reference))


def _base(given: Pixels, size: tuple[int, int]) -> Pixels:
    return workable(cover(opaque(given), *size))


def transformed(base: Pixels, inputs: Any, seed: int) -> Pixels:
    """Change (height, width, 3) as the prompt says, by `denoise`: filters for styles, a blend for anything else."""
    wish = words.read(inputs.prompt, inputs.negative_prompt)
    amount = float(np.clip(inputs.denoise, 0, 1))
    changed = styles.apply(moods.change(base, wish, seed), wish.styles, seed)
    picture = blend(base, changed, min(1.0, 0.2 + 1.1 * amount))
    if wish.wanted or wish.places or not (wish.styles or moods.changes(wish)):
        picture = _double_exposed(picture, wish, amount, seed)
    return picture


def _double_exposed(picture: Pixels, wish: Wish, amount: float, seed: int) -> Pixels:
    """Lay the scene over the picture; its figures come through more strongly than its backdrop."""
    height, width = picture.shape[:2]
    painting = scene.paint(wish, width, height, seed)
    over = moods.like(styles.apply(painting.rgb, wish.styles, seed), picture, 0.35 * (1 - amount))
    backdrop = amount * (0.55 + 0.45 * amount)
    figures = painting.cover.astype(np.float32) / 255
    share: Floats = backdrop + (min(1.0, 1.35 * amount) - backdrop) * figures
    return blend(picture, over, share)


def edited(base: Pixels, instruction: str, seed: int) -> Pixels:
    """Apply an instruction to (height, width, 3); one without a known word still changes the look, by its text."""
    wish = words.read(instruction)
    adding = bool(wish.wanted) and bool(_ADDING.search(instruction.lower()))
    moved = [place for place in wish.places if place != "snow"]
    known = bool(adding or moved or wish.styles or moods.changes(wish))
    picture = moods.change(base, wish, seed) if not adding else base
    if moved:
        picture = _surrounded(picture, wish, seed)
    if adding:
        picture = _joined(picture, wish, seed)
    if not known:
        picture = lora.grade(picture, instruction, 0.85, seed)
    return styles.apply(picture, wish.styles, seed)


def _surrounded(picture: Pixels, wish: Wish, seed: int) -> Pixels:
    """Keep the middle of the picture and put the place round it."""
    height, width = picture.shape[:2]
    place = Wish(hour=wish.hour, weather=wish.weather, places=wish.places, sky=wish.sky, land=wish.land)
    painting = scene.paint(place, width, height, seed).rgb
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return blend(picture, painting, step(0.45, 0.85, np.hypot(across, down * 0.9).astype(np.float32)))


def _joined(picture: Pixels, wish: Wish, seed: int) -> Pixels:
    """Draw the figures that the instruction names into the picture."""
    height, width = picture.shape[:2]
    painting = scene.paint(Wish(wanted=wish.wanted, hour=wish.hour, places=["studio"]), width, height, seed)
    share = np.asarray(cv2.GaussianBlur(painting.cover, (0, 0), 0.6), np.float32) / 255
    return blend(picture, painting.rgb, share)


def _frame(picture: Pixels, inset: Pixels) -> None:
    """Lay the inset, framed in white, into the upper right corner; in place."""
    height, width = picture.shape[:2]
    side = min(width, height) * 0.26
    scale = side / max(inset.shape[:2])
    wide, high = max(1, round(inset.shape[1] * scale)), max(1, round(inset.shape[0] * scale))
    edge, gap = max(1, round(side * 0.045)), max(1, round(side * 0.14))
    left, top = width - gap - wide - edge, gap + edge
    canvas = Canvas(wide + 6 * edge, high + 6 * edge)
    corners = np.array([(0, 0), (wide + 2 * edge, 0), (wide + 2 * edge, high + 2 * edge), (0, high + 2 * edge)])
    canvas.fill(corners + 2.6 * edge, (0.0, 0.0, 0.0))
    shadow = np.asarray(cv2.GaussianBlur(canvas.cover, (0, 0), 1.2 * edge), np.float32) * 0.45
    y, x = max(0, top - 3 * edge), max(0, left - 3 * edge)
    part = picture[y : y + shadow.shape[0], x : x + shadow.shape[1]]
    part[:] = (part * (1 - shadow[: part.shape[0], : part.shape[1], None])).astype(np.uint8)
    picture[max(0, top - edge) : top + high + edge, max(0, left - edge) : left + wide + edge] = 248
    target = picture[top : top + high, left : left + wide]
    target[:] = resize(inset, wide, high)[: target.shape[0], : target.shape[1]]
