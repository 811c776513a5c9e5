"""Every product that is made from weights, ordered over HTTP from `unitask up`: tiny weights, all of the real code."""

import base64
import io
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
import numpy as np
import pytest
import tiny_hunyuan
import tiny_trellis
import tiny_wan
from PIL import Image
from tiny_ace_step import shelve_ace_step
from tiny_control import shelve_depth, shelve_poses
from tiny_enlarger import shelve_enlarger
from tiny_faces import BLUE, RED, people, shelve_faces
from tiny_flux import shelve_controlnet, shelve_flux, shelve_relatives, shelve_style
from tiny_grounded import shelve_grounded
from tiny_mmaudio import shelve_mmaudio
from tiny_onnx import shelve_mattings
from tiny_restorer import PAINT, shelve_restorer
from tiny_segmenter import shelve_segmenter
from tiny_song import shelve_song
from tiny_speech import shelve_voice

from support import films, small_products
from support.decoding import film, picture, sound
from support.keys import API_KEY
from support.machine import Api, Machine
from support.marked import decoded
from support.plugin import install
from support.previews import tone
from support.wait import until
from unitask.catalogue import validate
from unitask.kit.sound import write_audio
from unitask.kit.video import write_video
from unitask.spec.media import media_values
from unitask.spec.product import Product

PRODUCTS: Final = {product.key: product for product in small_products.PRODUCTS}
WITHIN_S: Final = 120
SMALL: Final = {
    "width": 48,
    "height": 32,
    "duration": 1,
    "ref_text": "The boat is late today.",
    "ss_sampling_steps": 2,
    "slat_sampling_steps": 2,
}
SIDES: Final = [{"setting_type": "outpaint", "outpaint_left": 16, "outpaint_bottom": 5}]
TOOLKITS: Final = ("image_toolkit", "video_toolkit")
CLIP_FRAMES, CLIP_FPS = 10, 24
FAMILIES: Final = {"flux": "flux", "wan": "wan", "hunyuan": "hunyuan"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shelf with all weights that products are made from."""
    folder = tmp_path_factory.mktemp("models")
    for shelve in (
        shelve_flux,
        shelve_controlnet,
        shelve_relatives,
        shelve_depth,
        shelve_poses,
        tiny_wan.shelve_from_words,
        tiny_wan.shelve_from_pictures,
        tiny_wan.shelve_camera,
        tiny_hunyuan.shelve_hunyuan,
        tiny_hunyuan.shelve_fast,
        tiny_hunyuan.shelve_from_pictures,
        tiny_hunyuan.shelve_skyreels,
        tiny_hunyuan.shelve_framepack,
        shelve_ace_step,
        shelve_voice,
        shelve_mmaudio,
        shelve_mattings,
        shelve_enlarger,
        shelve_segmenter,
        shelve_grounded,
        shelve_faces,
        shelve_restorer,
        tiny_trellis.shelve_all,
        shelve_song,
    ):
        shelve(folder)
    styles = {"flux": shelve_style, "wan": tiny_wan.shelve_style, "hunyuan": tiny_hunyuan.shelve_style}
    for product in PRODUCTS.values():
        for style in product.examples[0].input.get("lora_settings", []):
            styles[product.family](folder, style["lora_type"])
    return folder


@pytest.fixture(scope="module")
def api(models: Path, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Api]:
    """Start the server as a newcomer does, with this shelf."""
    settings = {"API_KEY": API_KEY, "PORT": "0", "MODELS": str(models), "TASK_DEADLINE_S": "600"}
    machine = Machine(tmp_path_factory.mktemp("machine"), sqlite_template, settings)
    install(machine.folder / "plugin", Path(small_products.__file__), products={"small": "PRODUCTS"})
    program = machine.start("up")
    yield machine.client(program)
    machine.clear_away()
    assert "Traceback" not in program.err


def uri(kind: str, content: bytes) -> str:
    """Write a file as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def png(pixels: Any) -> str:
    """Write a picture."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return uri("image/png", stream.getvalue())


def portrait() -> str:
    """Paint two people, one with red skin and one with blue."""
    return png(people(((160, 128), RED), ((448, 128), BLUE)))


@cache
def scene(width: int = 640, height: int = 320) -> str:
    """Film them for ten frames, or of what little there is room for."""
    frames = [people(((160, 128), RED), ((448, 128), BLUE))[:height, :width]] * CLIP_FRAMES
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_video(path, frames, fps=Fraction(CLIP_FPS), size=(width, height), labels={})
        return uri("video/mp4", path.read_bytes())


def photo() -> str:
    """Draw a picture with a white region."""
    rows, columns = np.mgrid[:44, :60]
    pixels = np.stack([rows * 3, columns * 3, np.full((44, 60), 90)], axis=2).astype(np.uint8)
    pixels[14:30, 20:40] = 255
    return png(pixels)


def hum() -> str:
    """Record two seconds."""
    return uri("audio/wav", write_audio(tone(220, 2.0, 8000), rate=8000, form="wav", metadata={}))


def clip() -> str:
    """Film a second."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        films.write(path, [np.full((32, 48, 3), 8 * number, np.uint8) for number in range(24)], Fraction(24))
        return uri("video/mp4", path.read_bytes())


MEDIA: Final = {"audio": hum, "image": photo, "video": clip}


def order(product: Product) -> dict[str, Any]:
    """Take the first example, with small media and a small size."""
    inputs, _ = validate(product, product.examples[0].input)
    for value in media_values(inputs):
        if product.family not in TOOLKITS:
            drawn = MEDIA
        elif product.task_type == "upscale":
            drawn = {"image": photo, "video": lambda: scene(64, 48)}
        else:
            drawn = {"image": portrait, "video": scene}
        value.replace(drawn[value.media.kind]())
    fields = {name: value for name, value in SMALL.items() if name in type(inputs).model_fields}
    if product.task_type == "fill-outpaint":
        fields["custom_settings"] = SIDES
    if product.task_type == "segment":
        fields |= {"prompt": "red"}
    return {**inputs.model_dump(exclude_none=True), **fields}


def made(api: Api, product: Product, **fields: Any) -> dict[str, Any]:
    """Order, wait, and give the task."""
    body = {"model": product.model, "task_type": product.task_type, "input": {**order(product), **fields}}
    answer = api.http.post("/api/v1/task", json=body)
    assert answer.status_code == 200, answer.text
    task = api.ended(answer.json()["data"]["task_id"], WITHIN_S)
    assert task["status"] == "completed", task["error"]
    return task


def content(url: str) -> bytes:
    """Download as any client would."""
    answer = httpx.get(url, trust_env=False, timeout=20)
    assert answer.status_code == 200
    return answer.content


def pixels(task: dict[str, Any]) -> bytes:
    """Decode the picture of a task: the marks in two files are never alike."""
    return decoded(content(task["output"]["image_url"]), "png")


@pytest.mark.parametrize("key", PRODUCTS)
def test_it_is_made_from_weights_and_keeps_its_promise(api: Api, key: str) -> None:
    """The file decodes, and has the size, the frames, the rate and the length that were ordered."""
    product = PRODUCTS[key]
    task = made(api, product)
    meta, options = task["meta"], product.recipes[0].options
    assert (meta["engine"], meta["engine_level"]) == (product.recipes[0].engine, product.recipes[0].level)
    product.output.model_validate(task["output"])
    if product.media == "image":
        usual = (640, 320) if product.family in TOOLKITS else (48, 32)
        special = {"fill-inpaint": (60, 44), "fill-outpaint": (76, 49), "upscale": (120, 88)}
        size = special.get(product.task_type, usual)
        assert picture(content(task["output"]["image_url"])).size == size
    elif product.media == "audio":
        heard = sound(content(task["output"]["audio_url"]))
        longer = sum(product.examples[0].input.get(f"{side}_extend_duration", 0) for side in ("left", "right"))
        length = 2 + longer if longer else 2 if product.task_type in {"edit", "zero-shot"} else 1
        assert heard.seconds == pytest.approx(length, abs=0.2)
    else:
        if product.media == "model":
            assert content(task["output"]["model_file"]).startswith(b"glTF")
        shot = film(content(task["output"]["combined_video" if product.media == "model" else "video_url"]))
        if product.family in TOOLKITS:
            size = (128, 96) if product.task_type == "upscale" else (640, 320)
            assert (shot.frames, shot.fps, shot.size) == (CLIP_FRAMES, CLIP_FPS, size)
            return
        frames = options["fps"] if product.family == "framepack" else options["frames"]
        assert (shot.frames, shot.fps) == (frames, options["fps"])
        if product.family != "framepack":
            assert list(shot.size) == (options.get("size") or options["sizes"][order(product)["aspect_ratio"]])


def test_faces_are_restored_for_those_who_ask(api: Api) -> None:
    """Swapped ones, and those of an enlarged picture."""
    for task_type, place in (("face-swap", (160, 128)), ("upscale", (320, 256))):
        product = PRODUCTS[f"tiny/image-toolkit/{task_type}"]
        pictures = {"image": portrait()} if task_type == "upscale" else {}
        task = made(api, product, face_enhance=True, **pictures)
        assert "face_enhance" not in str(task["meta"]["warnings"])
        with Image.open(io.BytesIO(content(task["output"]["image_url"]))) as image:
            seen = image.convert("RGB").getpixel(place)
        assert np.abs(np.subtract(seen, PAINT)).max() < 4


def test_the_same_order_makes_the_same_picture(api: Api) -> None:
    """In another attempt, in the same process, after other models."""
    product = PRODUCTS["tiny/flux1-dev/txt2img"]
    one, again, other = (pixels(made(api, product, seed=seed)) for seed in (5, 5, 6))
    assert one == again
    assert one != other


def test_progress_is_seen_while_it_is_made_and_a_cancel_is_heard(api: Api) -> None:
    """Long work says how far it is, and stops when it is told to."""
    product = PRODUCTS["tiny/flux1-dev/txt2img"]
    wish = {**order(product), "steps": 40, "width": 512, "height": 512}
    body = {"model": product.model, "task_type": product.task_type, "input": wish}
    task_id = api.http.post("/api/v1/task", json=body).json()["data"]["task_id"]
    api.reaches(task_id, "processing", within_s=WITHIN_S)
    assert api.http.delete(f"/api/v1/task/{task_id}").status_code == 200
    task = api.ended(task_id, WITHIN_S)
    assert task["status"] == "failed"
    assert "cancelled" in task["error"]["message"]
    assert made(api, product)["status"] == "completed"


def test_weights_that_are_taken_away_are_missed_with_the_command_that_brings_them(api: Api, models: Path) -> None:
    """Without a restart, as soon as the worker has said so; and they are used again when they are back."""
    product = PRODUCTS["tiny/flux1-dev-advanced/kontext"]
    manifest = models / "flux1-kontext-dev/unitask.json"
    text = manifest.read_bytes()
    body = {"model": product.model, "task_type": product.task_type, "input": order(product)}

    def engine() -> str | None:
        answer: str | None = api.http.post("/api/v1/quote", json=body).json()["data"]["engine"]
        return answer

    manifest.unlink()
    try:
        until(lambda: engine() is None, within_s=WITHIN_S, what="a worker that misses its weights")
        refused = api.http.post("/api/v1/task", json=body)
    finally:
        manifest.write_bytes(text)
    assert refused.status_code == 503
    assert "unitask models pull flux1-kontext-dev" in refused.json()["message"]
    until(lambda: engine() == "diffusers", within_s=WITHIN_S, what="a worker that has its weights again")


def test_who_asks_sees_the_picture_before_it_is_done_and_gets_the_same_picture(api: Api) -> None:
    """A small picture while it is made; when it is done, nothing is left of it."""
    product = PRODUCTS["tiny/flux1-dev/txt2img"]
    wish = {**order(product), "steps": 40, "width": 320, "height": 160, "seed": 5}
    body = {"model": product.model, "task_type": product.task_type, "input": wish, "config": {"preview": True}}
    task_id = api.http.post("/api/v1/task", json=body).json()["data"]["task_id"]
    url = until(lambda: api.task(task_id)["meta"]["preview_url"], within_s=WITHIN_S, what="a preview")
    seen = picture(content(url))
    assert (seen.format, seen.size) == ("JPEG", (64, 32))
    task = api.ended(task_id, WITHIN_S)
    assert task["status"] == "completed", task["error"]
    assert task["meta"]["preview_url"] is None
    assert httpx.get(url, trust_env=False).status_code == 404
    unwatched = made(api, product, **wish)
    assert pixels(task) == pixels(unwatched)
