"""Every product of the catalogue, ordered from a running server by its first example and decoded for real."""

import base64
from collections.abc import Mapping
from typing import Any, Final

import httpx
import pytest

from support.decoding import Film, film, picture, solid, sound
from support.machine import Api
from unitask.catalogue import Catalogue, validate
from unitask.spec.product import AudioResult, ImageResult, Product, VideoResult

PRODUCTS: Final = tuple(Catalogue.load())
LIMIT_S: Final = 240
DEFAULT_PX: Final = 1024
CODECS: Final = {"mp3": {"mp3", "mp3float"}, "wav": {"pcm_s16le"}}
SOUND_SLACK_S: Final = 0.15
SPOKEN_S: Final = (0.5, 20.0)


@pytest.fixture(scope="module")
def ordered(api: Api) -> Mapping[str, httpx.Response]:
    """Order all of them at once; the server makes them two at a time."""
    return {
        product.key: api.http.post(
            "/api/v1/task",
            json={"model": product.model, "task_type": product.task_type, "input": product.examples[0].input},
        )
        for product in PRODUCTS
    }


def inputs_of(product: Product) -> Any:
    """Read the first example as the server does."""
    return validate(product, product.examples[0].input)[0]


def given(source: str) -> bytes:
    """Take the file out of a data URI."""
    return base64.b64decode(source.partition(",")[2])


def download(api: Api, url: str, kind: str) -> bytes:
    """Get a file as any client would: without a key."""
    answer = httpx.get(url, trust_env=False, timeout=20)
    assert answer.status_code == 200, url
    assert answer.headers["content-type"] == kind
    assert url.startswith(str(api.http.base_url))
    return answer.content


def made(product: Product, ordered: Mapping[str, httpx.Response], api: Api) -> dict[str, Any]:
    """Wait for a product; gives its output, which has the form that the catalogue says."""
    answer = ordered[product.key]
    assert answer.status_code == 200, answer.text
    task = api.ended(answer.json()["data"]["task_id"], LIMIT_S)
    assert task["status"] == "completed", task["error"]
    meta = task["meta"]
    assert (meta["engine"], meta["engine_level"]) == (product.recipes[0].engine, product.recipes[0].level)
    assert 0 < meta["usage"]["consume"] <= answer.json()["data"]["meta"]["usage"]["frozen"]
    product.output.model_validate(task["output"])
    output: dict[str, Any] = task["output"]
    return output


def picture_size(product: Product) -> tuple[int, int]:
    """Tell how large a picture must become."""
    inputs = inputs_of(product)
    asked = (getattr(inputs, "width", 0), getattr(inputs, "height", 0))
    match product.recipes[0].make:
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
    inputs, recipe = inputs_of(product), product.recipes[0]
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
    inputs, recipe = inputs_of(product), product.recipes[0]
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


def of(output: type) -> pytest.MarkDecorator:
    """Run a test for all products with this form of output."""
    found = [product for product in PRODUCTS if issubclass(product.output, output)]
    return pytest.mark.parametrize("product", found, ids=lambda product: product.key)


@of(ImageResult)
def test_pictures_are_png_of_the_right_size(product: Product, ordered: Mapping[str, httpx.Response], api: Api) -> None:
    """Each one decodes; there are as many as were asked for."""
    output = made(product, ordered, api)
    wanted = MASKS if product.task_type == "segment" else getattr(inputs_of(product), "batch_size", 1)
    urls = output["image_urls"] or [output["image_url"]]
    assert len(urls) == wanted
    assert output["image_url"] == urls[0]
    for url in urls:
        image = picture(download(api, url, "image/png"))
        assert (image.format, image.size) == ("PNG", picture_size(product))


@of(VideoResult)
def test_videos_play_anywhere_and_are_as_long_and_large_as_said(
    product: Product, ordered: Mapping[str, httpx.Response], api: Api
) -> None:
    """H.264 in the pixels that every player knows, every frame there, in a file that can begin to play at once."""
    content = download(api, made(product, ordered, api)["video_url"], "video/mp4")
    assert content[4:8] == b"ftyp"
    assert content.index(b"moov") < content.index(b"mdat")
    seen = film(content)
    frames, fps, size = film_like(product)
    assert (seen.codec, seen.pixels) == ("h264", "yuv420p")
    assert (seen.frames, float(seen.fps), seen.size) == (frames, pytest.approx(fps, rel=0.01), size)


@of(AudioResult)
def test_sounds_last_as_long_as_said(product: Product, ordered: Mapping[str, httpx.Response], api: Api) -> None:
    """In the format and at the rate of the recipe."""
    options = product.recipes[0].options
    kinds = {"mp3": "audio/mpeg", "wav": "audio/wav"}
    seen = sound(download(api, made(product, ordered, api)["audio_url"], kinds[options["format"]]))
    assert seen.codec in CODECS[options["format"]]
    assert seen.rate == options["rate"]
    least, most = sound_length(product)
    assert least <= seen.seconds <= most


@pytest.mark.parametrize(
    "product", [one for one in PRODUCTS if "model_file" in one.output.model_fields], ids=lambda product: product.key
)
def test_solids_load_and_turn(product: Product, ordered: Mapping[str, httpx.Response], api: Api) -> None:
    """A mesh that can be loaded, a video of it from all sides, and the picture that it was made from."""
    output = made(product, ordered, api)
    scene = solid(download(api, output["model_file"], "model/gltf-binary"))
    assert scene.geometry
    assert all(len(mesh.faces) > 100 for mesh in scene.geometry.values())
    assert (scene.extents > 0).all()
    turntable = product.recipes[0].options["turntable"]
    seen = film(download(api, output["combined_video"], "video/mp4"))
    assert (seen.codec, seen.pixels) == ("h264", "yuv420p")
    assert (seen.frames, seen.fps, seen.size) == (turntable["frames"], turntable["fps"], tuple(turntable["size"]))
    cutout = picture(download(api, output["no_background_image"], "image/png"))
    assert cutout.mode == "RGBA"
    low, high = cutout.getchannel("A").getextrema()
    assert (low, high) == (0, 255)


def test_every_product_is_checked_by_one_of_these() -> None:
    """A product with an output of a new form needs a test of its own."""
    forms = (ImageResult, VideoResult, AudioResult)
    unknown = [
        one.key for one in PRODUCTS if not issubclass(one.output, forms) and "model_file" not in one.output.model_fields
    ]
    assert unknown == []
