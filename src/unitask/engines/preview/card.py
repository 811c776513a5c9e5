"""Cards: files of the right form, size and length that say what was asked for, made in a moment.

The recipe is the product's own one with two options more: `product`, its name, and `form`, the fields of its output.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import cv2
import numpy as np
import trimesh
from PIL import Image, ImageDraw

from unitask.engines.preview import lettering
from unitask.engines.preview.arrays import Pixels
from unitask.engines.preview.audio.source import Medium, finish
from unitask.engines.preview.chance import dice
from unitask.engines.preview.result import store
from unitask.engines.preview.sources import DEFAULT_PX, asked_size, opaque
from unitask.engines.preview.strip import Label
from unitask.engines.preview.video.film import Film, film_of, shoot
from unitask.kit.pictures import even_size, read_image
from unitask.kit.video import Video, VideoLimits, read_video
from unitask.spec.engine import Job, Output
from unitask.spec.media import MediaValue, media_values
from unitask.spec.product import ImageResult, VideoResult

_SIDE_PX: Final = 4096
_SECONDS: Final = 10.0
_SIDE_LIMIT: Final = 832
_BEEP_HZ: Final = 880
_BEEP_S: Final = 0.05
_WORDS: Final = 4000


def card(inputs: Any, job: Job) -> Output:
    """Make the files that the product's output names.

    Raises:
        MediaFailure: an input cannot be fetched or decoded.

    """
    values = sorted(media_values(inputs), key=lambda value: "target" not in value.path)
    files = [(value, job.fetch(value.source, value.media)) for value in values]
    pictures = [_picture(value, path) for value, path in files if value.media.kind == "image"]
    videos = [_video(value, path, job) for value, path in files if value.media.kind == "video"]
    label = Label(_words(inputs), job.seed, pictures)
    form = job.recipe.options["form"]
    if "model_file" in form:
        return _model(job, label)
    if "audio_url" in form:
        return _sound(inputs, job, label, videos[0].duration_s if videos else None)
    if "video_url" in form:
        film = _film(inputs, job, pictures, videos)
        sound_of = videos[0] if videos else None
        reference, count = shoot(job, film, _still(film, job, label), label, sound_of=sound_of)
        return Output(VideoResult.of(reference), {"second": float(count / film.fps), "frame": float(count)})
    size = _size(inputs, pictures)
    number = max(1, getattr(inputs, "batch_size", 1) or 1)
    made = [store(job, _drawn(*size, job, label, index), label) for index in range(number)]
    return Output(ImageResult.of(*made), {"output megapixel": size[0] * size[1] / 1e6})


def _words(inputs: Any) -> str:
    names = ("prompt", "style_prompt", "gen_text", "lyrics")
    return next((text for name in names if isinstance(text := getattr(inputs, name, ""), str) and text), "")[:_WORDS]


def _picture(value: MediaValue, path: Any) -> Pixels:
    limits = value.media
    return np.asarray(read_image(path, limit_side_px=limits.limit_side_px, limit_pixels=limits.limit_pixels), np.uint8)


def _video(value: MediaValue, path: Any, job: Job) -> Video:
    frames = int(job.recipe.options.get("limit_frames") or _WORDS)
    return read_video(path, VideoLimits(frames, _SIDE_PX, _SIDE_PX**2, value.media.limit_bytes))


def _size(inputs: Any, pictures: list[Pixels]) -> tuple[int, int]:
    """Take what was asked for, or else the first picture's own size, or else a square."""
    if not pictures:
        return asked_size(inputs, (DEFAULT_PX, DEFAULT_PX))
    height, width = pictures[0].shape[:2]
    if added := getattr(inputs, "custom_settings", None):
        pads = next((one for one in added if one.setting_type == "outpaint"), None)
        if pads is not None:
            width += pads.outpaint_left + pads.outpaint_right
            height += pads.outpaint_top + pads.outpaint_bottom
    scale = getattr(inputs, "scale", 1) or 1
    default = min(_SIDE_PX, round(width * scale)), min(_SIDE_PX, round(height * scale))
    return asked_size(inputs, default) if hasattr(inputs, "width") and hasattr(inputs, "height") else default


def _film(inputs: Any, job: Job, pictures: list[Pixels], videos: list[Video]) -> Film:
    options = job.recipe.options
    if videos:
        like, scale = videos[0], int(options.get("scale", 1))
        return Film(like.width * scale, like.height * scale, like.frames, like.fps)
    if options.get("sizes") != "follow the image":
        return film_of(inputs, job)
    height, width = pictures[0].shape[:2]
    fps = Fraction(options["fps"])
    wide, high = even_size((width, height), options.get("limit_side_px", _SIDE_LIMIT))
    return Film(wide, high, max(1, round(inputs.duration * fps)), fps)


def _still(film: Film, job: Job, label: Label) -> Iterator[Pixels]:
    picture = _drawn(film.width, film.height, job, label, 0)
    for _ in range(film.frames):
        yield picture.copy()


def _drawn(width: int, height: int, job: Job, label: Label, index: int) -> Pixels:
    """Write the product and the words on a colour that words and seed decide; the client's first picture behind."""
    colour = dice(label.seed, "card", label.prompt, index).integers(40, 150, 3)
    sheet = np.empty((height, width, 3), np.uint8)
    sheet[:] = colour.astype(np.uint8)
    if label.inputs:
        behind = cv2.resize(opaque(label.inputs[0]), (width, height), interpolation=cv2.INTER_LINEAR)
        sheet = np.asarray(cv2.addWeighted(sheet, 0.4, behind, 0.6, 0), np.uint8)
    page = Image.fromarray(sheet)
    pencil = ImageDraw.Draw(page)
    name = str(job.recipe.options["product"])
    for line, (text, share) in enumerate([(name, 0.07), (label.prompt, 0.05), (job.task_id, 0.035)]):
        letters = max(6, round(min(width, height) * share))
        shown = lettering.fitted(lettering.drawable(text), letters, width * 0.9)
        place = (width / 2, height * (0.36 + 0.11 * line))
        font = lettering.font(letters, shown)
        pencil.text(place, shown, fill="white", font=font, anchor="mm", stroke_width=1, stroke_fill=0)
    return np.array(page, np.uint8)


def _sound(inputs: Any, job: Job, label: Label, like_s: float | None) -> Output:
    """Beep at each second: a sound that is cut off or out of step is heard at once."""
    medium = Medium.of(job.recipe.options)
    asked = like_s or getattr(inputs, "duration", None) or job.recipe.options.get("seconds") or _SECONDS
    seconds = min(float(asked), medium.limit_s)
    sound = np.zeros((round(seconds * medium.rate), 1), np.float32)
    beep = 0.3 * np.sin(2 * np.pi * _BEEP_HZ * np.arange(round(_BEEP_S * medium.rate)) / medium.rate)
    for start in range(0, len(sound), medium.rate):
        part = sound[start : start + len(beep)]
        part[:, 0] = beep[: len(part)]
    return finish(job, sound, medium, label.prompt)


def _model(job: Job, label: Label) -> Output:
    options = job.recipe.options
    table = options["turntable"]
    width, height = table["size"]
    film = Film(width, height, table["frames"], Fraction(table["fps"]))
    box = trimesh.creation.box()
    box.metadata |= {"unitask:engine": "preview", "unitask:level": "preview"}
    model = job.save(trimesh.Scene(box).export(file_type="glb"), "glb")
    video, _ = shoot(job, film, _still(film, job, label), label)
    picture = store(job, np.dstack([_drawn(512, 512, job, label, 0), np.full((512, 512), 255, np.uint8)]), label)
    return Output({"model_file": model, "combined_video": video, "no_background_image": picture})
