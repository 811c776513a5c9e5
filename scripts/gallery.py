"""Order every product from a throw-away server and lay what it makes side by side: docs/gallery/index.html.

Pictures to work on are scikit-image's photographs; the film is made from them.
"""

import base64
import html
import io
import json
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import skimage.data
from demo import KEY, start, stop, wait_until_ready
from PIL import Image

from unitask.catalogue import Catalogue, validate
from unitask.kit.video import write_video
from unitask.spec.media import media_values
from unitask.spec.product import Product

OUT: Final = Path("docs/gallery")
LIMIT_S: Final = 600
SIDE_PX: Final = 512
FILM_FRAMES: Final = 48
STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem }
section { border-top: 1px solid #8886; padding: 1rem 0 } h2 { font-size: 1.1rem; margin: 0 }
.files { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start } figure { margin: 0 }
img, video { max-width: 22rem; max-height: 18rem; background: #8883 } audio { width: 22rem }
.level { border-radius: 1rem; padding: .1rem .6rem; background: #fb3; color: #000; font-size: .85rem }
.basic { background: #6c9 } .full { background: #6af } .failed { background: #e66 }
pre { white-space: pre-wrap; font-size: .8rem } figcaption, small { color: #888 }
@media (prefers-color-scheme: dark) { body { background: #15171c; color: #eee } }
"""
Picture = Callable[[], np.ndarray]


def astronaut() -> np.ndarray:
    """Give a portrait: a woman before a flag and a model of a shuttle."""
    return skimage.data.astronaut()


def with_hole() -> np.ndarray:
    """Give the portrait with a pure white patch where the shuttle stands: what is to be painted anew."""
    picture = skimage.data.astronaut().copy()
    picture[150:420, 380:500] = 255
    return picture


def data_uri(content: bytes, kind: str) -> str:
    """Write a file as it may stand in a request."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def picture(pixels: np.ndarray) -> str:
    """Write a picture as a request may hold it."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return data_uri(stream.getvalue(), "image/png")


def film() -> str:
    """Pan slowly over the astronaut: two seconds at 24 frames a second."""
    large = np.asarray(Image.fromarray(astronaut()).resize((640, 640), Image.Resampling.LANCZOS))
    frames = (
        np.ascontiguousarray(large[20:500, step : step + 480]) for step in np.linspace(0, 150, FILM_FRAMES).astype(int)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        write_video(path, frames, fps=Fraction(24), size=(480, 480), labels={"title": "astronaut"})
        return data_uri(path.read_bytes(), "video/mp4")


def request_of(product: Product, moving: str) -> dict[str, Any]:
    """Take the product's first example, with real photographs in place of the drawn ones."""
    document: dict[str, Any] = json.loads(json.dumps(product.examples[0].input))
    inputs, _ = validate(product, document)
    hole = "inpaint" in product.task_type
    others = {"end_image": skimage.data.chelsea, "image": with_hole if hole else astronaut}
    for value in media_values(inputs):
        name = value.path.split(".")[1]
        if value.media.kind == "video":
            document[name] = moving
        elif value.media.kind == "image" and name in document and isinstance(document[name], str):
            document[name] = picture(others.get(name, astronaut)())
    if "multi" in product.task_type or "swap" in product.task_type:
        document = json.loads(json.dumps(product.examples[0].input))
    return document


def made(client: httpx.Client, product: Product, inputs: dict[str, Any]) -> dict[str, Any]:
    """Order a product and wait for its end."""
    began = time.monotonic()
    body = {"model": product.model, "task_type": product.task_type, "input": inputs}
    answer = client.post("/api/v1/task", json=body).json()
    task: dict[str, Any] = answer["data"]
    while task["status"] not in {"completed", "failed"} and time.monotonic() - began < LIMIT_S:
        answer = client.get(f"/api/v1/task/{task['task_id']}", headers={"Prefer": "wait=30"}).json()
        task = answer["data"]
    took_s = time.monotonic() - began
    print(f"{task['status']:10} {took_s:6.1f} s  {product.key}  {task['error']['message']}", flush=True)
    return {**task, "took_s": took_s}


def shown(name: str, source: str) -> str:
    """Show a file as people look at it."""
    safe, caption = html.escape(source, quote=True), f"<figcaption>{html.escape(name)}</figcaption>"
    kind = source[5:10] if source.startswith("data:") else Path(source).suffix
    if kind in {"video", ".mp4"}:
        return f'<figure><video src="{safe}" controls loop muted></video>{caption}</figure>'
    if kind in {"audio", ".wav", ".mp3"}:
        return f'<figure><audio src="{safe}" controls></audio>{caption}</figure>'
    if kind in {"image", ".png", ".jpg", ".webp"}:
        return f'<figure><img src="{safe}" alt="{html.escape(name)}">{caption}</figure>'
    return f'<figure><a href="{safe}">{html.escape(source)}</a>{caption}</figure>'


def entry(client: httpx.Client, product: Product, inputs: dict[str, Any], task: dict[str, Any]) -> str:
    """Write one product: what it was given, what it made, who made it and what it says of that."""
    files = []
    for name, url in (task["output"] or {}).items():
        if isinstance(url, str) and url.startswith("http"):
            path = OUT / f"{product.key.replace('/', '-')}-{name}{Path(url).suffix}"
            path.write_bytes(client.get(url).raise_for_status().content)
            files.append(shown(name, path.name))
    given = [
        shown(name, value) for name, value in inputs.items() if isinstance(value, str) and value.startswith("data:")
    ]
    plain = {name: value for name, value in inputs.items() if "data:" not in json.dumps(value)}
    meta, level = task["meta"], task["meta"]["engine_level"] or "failed"
    notes = "".join(f"<li>{html.escape(warning)}</li>" for warning in meta["warnings"])
    return (
        f'<section id="{html.escape(product.key)}"><h2>{html.escape(product.title)} '
        f'<span class="level {level}">{level}</span></h2>'
        f"<small>{html.escape(product.key)}, engine {meta['engine']}, {task['took_s']:.1f} s</small>"
        f"<pre>{html.escape(json.dumps(plain, ensure_ascii=False))}</pre>"
        f'<div class="files">{"".join(given)}{"".join(files)}</div><ul>{notes}</ul>'
        f"<p>{html.escape(task['error']['message'])}</p></section>"
    )


def main() -> None:
    """Make the page."""
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="unitask-gallery-") as folder:
        server, address = start(folder)
        try:
            with httpx.Client(base_url=address, headers={"X-API-Key": KEY}, timeout=120, trust_env=False) as client:
                wait_until_ready(client)
                moving, entries, failed = film(), [], []
                for product in Catalogue.load():
                    inputs = request_of(product, moving)
                    task = made(client, product, inputs)
                    failed += [product.key] if task["status"] != "completed" else []
                    entries.append(entry(client, product, inputs, task))
        finally:
            stop(server)
    page = (
        f"<!doctype html><meta charset=utf-8><title>Unitask gallery</title><style>{STYLE}</style><h1>Every product</h1>"
    )
    (OUT / "index.html").write_text(page + "\n".join(entries), encoding="utf-8")
    print(f"{OUT / 'index.html'}: {len(entries)} products")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
