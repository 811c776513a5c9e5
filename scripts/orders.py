"""What the gallery and the pages of products have in common: what to order of a product, and ordering it.

Pictures to work on are scikit-image's photographs, from which the film is made, and as another face the tests' portrait
of Grace Hopper, which is in the public domain. A request names them by addresses that lead nowhere, so that a page can
show it; `sent` puts the files in their place.
"""

import base64
import io
import re
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import skimage.data
from PIL import Image

from unitask.kit.video import write_video
from unitask.spec.product import Product
from unitask.spec.samples import EXAMPLE_AUDIO

PLACE: Final = "https://example.com/"
LIMIT_S: Final = 600
FILM_FRAMES: Final = 48
PROMPTS: Final = {"segment": "the woman"}
"""Words that fit the photograph, for products whose example speaks of another picture."""
_OF_KIND: Final = {"image": "astronaut.png", "video": "astronaut.mp4", "audio": "two-notes.wav"}
_OF_FIELD: Final = {"end_image": "cat.png", "swap_image": "admiral.png"}
_OF_FAMILY: Final = {"hug_video": "couple.png", "trellis": "coffee.png", "wan": "rocket.png"}
_KINDS: Final = {".png": "image/png", ".mp4": "video/mp4", ".wav": "audio/wav"}


def request_of(product: Product) -> dict[str, Any]:
    """Take the product's first example, with addresses of real photographs in place of the drawn ones."""
    document: dict[str, Any] = _addressed(product.examples[0].input, "", product)
    if product.task_type in PROMPTS:
        document["prompt"] = PROMPTS[product.task_type]
    if "target_faces_index" in document:
        document["target_faces_index"] = "0"
    return document


def _addressed(value: Any, field: str, product: Product) -> Any:
    if isinstance(value, dict):
        return {name: _addressed(inner, name, product) for name, inner in value.items()}
    if isinstance(value, list):
        return [_addressed(inner, field, product) for inner in value]
    found = re.match(r"data:(image|video|audio)/", value) if isinstance(value, str) else None
    if not found:
        return value
    if found[1] == "image" and "inpaint" in product.task_type:
        return f"{PLACE}astronaut-with-white-patch.png"
    usual = (found[1] == "image" and _OF_FAMILY.get(product.family)) or _OF_KIND[found[1]]
    return PLACE + _OF_FIELD.get(field, usual)


def given(request: Any, field: str = "") -> dict[str, str]:
    """Find the files that a request names: their names by the fields they stand in."""
    if isinstance(request, str):
        return {field: request.removeprefix(PLACE)} if request.startswith(PLACE) else {}
    inner = request.items() if isinstance(request, dict) else enumerate(request) if isinstance(request, list) else ()
    found: dict[str, str] = {}
    for name, value in inner:
        step = f"[{name}]" if isinstance(name, int) else f".{name}" if field else name
        found |= given(value, f"{field}{step}")
    return found


def sent(request: Any) -> Any:
    """Put the files themselves into a request, as data URIs."""
    if isinstance(request, dict):
        return {name: sent(value) for name, value in request.items()}
    if isinstance(request, list):
        return [sent(value) for value in request]
    if isinstance(request, str) and request.startswith(PLACE):
        name = request.removeprefix(PLACE)
        return f"data:{_KINDS[Path(name).suffix]};base64,{base64.b64encode(file(name)).decode()}"
    return request


@cache
def file(name: str) -> bytes:
    """Give one of the files."""
    return _FILES[name]()


def _astronaut() -> bytes:
    """Give a portrait: a woman before a flag and a model of a shuttle."""
    return _png(skimage.data.astronaut())


def _with_patch() -> bytes:
    """Give the portrait with a pure white patch where the shuttle stands: what is to be painted anew."""
    picture = skimage.data.astronaut().copy()
    picture[150:420, 380:500] = 255
    return _png(picture)


def _admiral() -> bytes:
    """Give another portrait: a woman with cap and glasses."""
    with Image.open("tests/support/admiral.jpg") as image:
        return _png(np.asarray(image))


def _couple() -> bytes:
    """Give both of them, side by side."""
    with Image.open(io.BytesIO(_admiral())) as image:
        other = image.resize((round(image.width * 512 / image.height), 512))
    return _png(np.hstack([skimage.data.astronaut(), np.asarray(other)]))


def _png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _film() -> bytes:
    """Pan slowly over the astronaut: two seconds at 24 frames a second."""
    large = np.asarray(Image.fromarray(skimage.data.astronaut()).resize((640, 640), Image.Resampling.LANCZOS))
    frames = (
        np.ascontiguousarray(large[20:500, step : step + 480]) for step in np.linspace(0, 150, FILM_FRAMES).astype(int)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        write_video(path, frames, fps=Fraction(24), size=(480, 480), labels={"title": "astronaut"})
        return path.read_bytes()


_FILES: Final[dict[str, Callable[[], bytes]]] = {
    "admiral.png": _admiral,
    "astronaut.mp4": _film,
    "astronaut.png": _astronaut,
    "astronaut-with-white-patch.png": _with_patch,
    "coffee.png": lambda: _png(skimage.data.coffee()),
    "couple.png": _couple,
    "rocket.png": lambda: _png(skimage.data.rocket()),
    "cat.png": lambda: _png(skimage.data.chelsea()),
    "two-notes.wav": lambda: base64.b64decode(EXAMPLE_AUDIO.partition(",")[2]),
}


def made(client: httpx.Client, product: Product, request: dict[str, Any]) -> dict[str, Any]:
    """Order a product and wait for its end; gives the task, and the seconds that it took."""
    began = time.monotonic()
    body = {"model": product.model, "task_type": product.task_type, "input": sent(request)}
    answer = client.post("/api/v1/task", json=body).json()
    task: dict[str, Any] = answer["data"]
    while task["status"] not in {"completed", "failed"} and time.monotonic() - began < LIMIT_S:
        answer = client.get(f"/api/v1/task/{task['task_id']}", headers={"Prefer": "wait=30"}).json()
        task = answer["data"]
    took_s = time.monotonic() - began
    print(f"{task['status']:10} {took_s:6.1f} s  {product.key}  {task['error']['message']}", flush=True)
    return {**task, "took_s": took_s}


def files_of(client: httpx.Client, task: dict[str, Any]) -> dict[str, tuple[str, bytes]]:
    """Fetch what was made: by the name of its field the file's ending and its content."""
    addresses = {name: url for name, url in (task["output"] or {}).items() if isinstance(url, str) and "://" in url}
    return {name: (Path(url).suffix, client.get(url).raise_for_status().content) for name, url in addresses.items()}
