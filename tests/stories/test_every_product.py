"""Every product of the catalogue: `piapi-cli run` orders its first example, and what comes is decoded for real."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from subprocess import CompletedProcess
from typing import Any, Final

import httpx
import pytest

from support.decoding import Film, film, picture, solid, sound
from support.machine import Api
from support.piapi import OFTEN, Cli, said
from support.recipes import plain_recipe
from unitask.catalogue import Catalogue, validate
from unitask.provenance.sources import source_of
from unitask.spec.media import media_values
from unitask.spec.product import AudioResult, ImageResult, Product, VideoResult

PRODUCTS: Final = tuple(Catalogue.load())
PICTURES: Final = [product for product in PRODUCTS if issubclass(product.output, ImageResult)]
VIDEOS: Final = [product for product in PRODUCTS if issubclass(product.output, VideoResult)]
SOUNDS: Final = [product for product in PRODUCTS if issubclass(product.output, AudioResult)]
SOLIDS: Final = [product for product in PRODUCTS if "model_file" in product.output.model_fields]
IN_TURN: Final = [*PICTURES, *VIDEOS, *SOUNDS, *SOLIDS]
AT_ONCE: Final = 3
LIMIT_S: Final = 240
DEFAULT_PX: Final = 1024
CODECS: Final = {"mp3": {"mp3", "mp3float"}, "wav": {"pcm_s16le"}}
SOUND_SLACK_S: Final = 0.15
SPOKEN_S: Final = (0.5, 20.0)


class Errands:
    """Has products made by the command, a few at a time: while a test waits for one, the next ones are under way."""

    def __init__(self, cli: Cli, people: ThreadPoolExecutor) -> None:
        self._cli = cli
        self._people = people
        self._sent: dict[str, Future[CompletedProcess[str]]] = {}

    def run(self, product: Product) -> dict[str, Any]:
        """Give the task that the command printed at its end."""
        at = IN_TURN.index(product)
        for one in IN_TURN[at : at + AT_ONCE]:
            if one.key not in self._sent:
                self._sent[one.key] = self._people.submit(self._order, one)
        return said(self._sent[product.key].result())

    def _order(self, product: Product) -> CompletedProcess[str]:
        waiting = (*OFTEN, "--timeout", str(LIMIT_S - 20))
        inputs = json.dumps(product.examples[0].input)
        return self._cli("run", product.model, product.task_type, inputs, *waiting, limit_s=LIMIT_S)


@pytest.fixture(scope="module")
def errands(cli: Cli) -> Iterator[Errands]:
    """Keep a few people who run the command."""
    with ThreadPoolExecutor(AT_ONCE) as people:
        yield Errands(cli, people)
        people.shutdown(cancel_futures=True)


def inputs_of(product: Product) -> Any:
    """Read the first example as the server does."""
    return validate(product, product.examples[0].input)[0]


def given(source: str) -> bytes:
    """Take the file out of a data URI."""
    return base64.b64decode(source.partition(",")[2])


def download(api: Api, product: Product, url: str, kind: str) -> bytes:
    """Get a file as any client would: without a key. Its marks say where it comes from."""
    answer = httpx.get(url, trust_env=False, timeout=20)
    assert answer.status_code == 200, url
    assert answer.headers["content-type"] == kind
    assert url.startswith(str(api.http.base_url))
    seen = api.http.get("/api/v1/verify", params={"url": url}, timeout=60).json()["data"]
    has_media = any(True for _ in media_values(inputs_of(product)))
    assert seen["digital_source_type"] == source_of(plain_recipe(product), has_media=has_media)
    if kind == "model/gltf-binary":
        assert seen["marks"] == ["iptc"]
    else:
        assert seen["marks"] == ["c2pa", "iptc"]
        assert (seen["c2pa"]["state"], seen["c2pa"]["problems"], seen["c2pa"]["is_ours"]) == ("trusted", [], True)
    return answer.content


def made(product: Product, errands: Errands) -> dict[str, Any]:
    """Have a product made; gives its output, which has the form that the catalogue says."""
    task = errands.run(product)
    assert (task["model"], task["task_type"], task["status"]) == (product.model, product.task_type, "completed")
    meta, usage = task["meta"], task["meta"]["usage"]
    assert (meta["engine"], meta["engine_level"]) == (plain_recipe(product).engine, plain_recipe(product).level)
    assert usage["frozen"] == 0 < usage["consume"] <= product.price.quote(inputs_of(product))
    product.output.model_validate(task["output"])
    output: dict[str, Any] = task["output"]
    return output


def picture_size(product: Product) -> tuple[int, int]:
    """Tell how large a picture must become."""
    inputs = inputs_of(product)
    asked = (getattr(inputs, "width", 0), getattr(inputs, "height", 0))
    match plain_recipe(product).make:
        case "txt2img" | "txt2img_lora" | "redux" | "kontext":
            return asked[0] or DEFAULT_PX, asked[1] or DEFAULT_PX
        case "controlnet":
            settings = inputs.control_net_settings[0]
            return asked if all(asked) else picture(given(inputs.image or settings.control_image)).size
        case "outpaint":
            width, height = picture(given(inputs.image)).size
            sides = inputs.custom_settings[0]
            return (
                width + sides.outpaint_left + sides.outpaint_right,
                height + sides.outpaint_top + sides.outpaint_bottom,
            )
        case "upscale":
            width, height = picture(given(inputs.image)).size
            return width * inputs.scale, height * inputs.scale
        case "face_swap" | "multi_face_swap":
            return picture(given(inputs.target_image)).size
        case _:
            return asked if all(asked) else picture(given(inputs.image)).size


def film_like(product: Product) -> tuple[int, float, tuple[int, int]]:
    """Tell how many frames a video must have, how many a second, and of which size."""
    inputs, recipe = inputs_of(product), plain_recipe(product)
    options = recipe.options
    match recipe.make:
        case "video_face_swap":
            return as_given(film(given(inputs.target_video)))
        case "video_background_remove":
            return as_given(film(given(inputs.video)))
        case "video_upscale":
            return as_given(film(given(inputs.video)), options["scale"])
    if options.get("sizes") == "follow the image":
        width, height = picture(given(inputs.start_image)).size
        by = min(1, options["limit_side_px"] / max(width, height))
        even = (round(width * by / 2) * 2, round(height * by / 2) * 2)
        return inputs.duration * options["fps"], options["fps"], even
    size = options.get("size") or options["sizes"][inputs.aspect_ratio]
    return options["frames"], options["fps"], tuple(size)


def as_given(seen: Film, scale: int = 1) -> tuple[int, float, tuple[int, int]]:
    """Keep what a video has."""
    return seen.frames, float(seen.fps), (seen.size[0] * scale, seen.size[1] * scale)


# A song ends with its last line; its product says how long it may be at most.
SHORTEST_SONG_S = 10.0
# The mask, the selection and what was taken out shown on the picture, and the mask inverted.
MASKS = 4


def sound_length(product: Product) -> tuple[float, float]:
    """Tell the least and the most seconds that a sound may have."""
    inputs, recipe = inputs_of(product), plain_recipe(product)
    match recipe.make:
        case "speech":
            return SPOKEN_S
        case "song":
            return SHORTEST_SONG_S, recipe.options["seconds"] + SOUND_SLACK_S
        case "sound_for_video":
            seconds = min(film(given(inputs.video)).seconds, recipe.options["limit_seconds"])
        case "music_edit":
            seconds = sound(given(inputs.audio)).seconds
        case "music_extend":
            added = inputs.left_extend_duration + inputs.right_extend_duration
            seconds = sound(given(inputs.audio)).seconds + added
        case _:
            seconds = inputs.duration
    return seconds - SOUND_SLACK_S, seconds + SOUND_SLACK_S


def each(products: list[Product]) -> pytest.MarkDecorator:
    """Run a test for each of these products."""
    return pytest.mark.parametrize("product", products, ids=lambda product: product.key)


@each(PICTURES)
def test_pictures_are_png_of_the_right_size(product: Product, errands: Errands, api: Api) -> None:
    """Each one decodes; there are as many as were asked for."""
    output = made(product, errands)
    wanted = MASKS if product.task_type == "segment" else getattr(inputs_of(product), "batch_size", 1)
    urls = output["image_urls"] or [output["image_url"]]
    assert len(urls) == wanted
    assert output["image_url"] == urls[0]
    for url in urls:
        image = picture(download(api, product, url, "image/png"))
        assert (image.format, image.size) == ("PNG", picture_size(product))


@each(VIDEOS)
def test_videos_play_anywhere_and_are_as_long_and_large_as_said(product: Product, errands: Errands, api: Api) -> None:
    """H.264 in the pixels that every player knows, every frame there, in a file that can begin to play at once."""
    content = download(api, product, made(product, errands)["video_url"], "video/mp4")
    assert content[4:8] == b"ftyp"
    assert content.index(b"moov") < content.index(b"mdat")
    seen = film(content)
    frames, fps, size = film_like(product)
    assert (seen.codec, seen.pixels) == ("h264", "yuv420p")
    assert (seen.frames, float(seen.fps), seen.size) == (frames, pytest.approx(fps, rel=0.01), size)


@each(SOUNDS)
def test_sounds_last_as_long_as_said(product: Product, errands: Errands, api: Api) -> None:
    """In the format and at the rate of the recipe."""
    options = plain_recipe(product).options
    kinds = {"mp3": "audio/mpeg", "wav": "audio/wav"}
    seen = sound(download(api, product, made(product, errands)["audio_url"], kinds[options["format"]]))
    assert seen.codec in CODECS[options["format"]]
    assert seen.rate == options["rate"]
    least, most = sound_length(product)
    assert least <= seen.seconds <= most


@each(SOLIDS)
def test_solids_load_and_turn(product: Product, errands: Errands, api: Api) -> None:
    """A mesh that can be loaded, a video of it from all sides, and the picture that it was made from."""
    output = made(product, errands)
    scene = solid(download(api, product, output["model_file"], "model/gltf-binary"))
    assert scene.geometry
    assert all(len(mesh.faces) > 100 for mesh in scene.geometry.values())
    assert (scene.extents > 0).all()
    turntable = plain_recipe(product).options["turntable"]
    seen = film(download(api, product, output["combined_video"], "video/mp4"))
    assert (seen.codec, seen.pixels) == ("h264", "yuv420p")
    assert (seen.frames, seen.fps, seen.size) == (turntable["frames"], turntable["fps"], tuple(turntable["size"]))
    cutout = picture(download(api, product, output["no_background_image"], "image/png"))
    assert cutout.mode == "RGBA"
    low, high = cutout.getchannel("A").getextrema()
    assert (low, high) == (0, 255)


def test_every_product_is_checked_by_one_of_these() -> None:
    """A product with an output of a new form needs a test of its own."""
    assert [product.key for product in PRODUCTS if IN_TURN.count(product) != 1] == []
