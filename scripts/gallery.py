"""Order every product from a throw-away server and lay what it makes side by side: docs/gallery/index.html.

Pictures to work on are scikit-image's photographs, from which the film is made, and as another face the tests' portrait
of Grace Hopper, which is in the public domain.
"""

import base64
import hashlib
import html
import io
import json
import shutil
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
from unitask.spec.product import Input, Product

OUT: Final = Path("docs/gallery")
LIMIT_S: Final = 600
SIDE_PX: Final = 512
FILM_FRAMES: Final = 48
STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 84rem; padding: 1rem; color: #222 }
main { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 34rem), 1fr)) }
section { border: 1px solid #8884; border-radius: .5rem; padding: .75rem 1rem; min-width: 0 }
h2 { font-size: 1.1rem; margin: 0 } ul { margin: .75rem 0 0; padding-left: 1.2rem }
.files { display: flex; flex-wrap: wrap; gap: .75rem; align-items: flex-start }
figure { margin: 0; max-width: 100% } img, video, audio { display: block; max-width: 100% }
img, video { max-height: 11.5rem; background: #8883 } audio { width: 15rem }
@media (max-width: 40rem) { img, video { max-height: 16rem } }
.level { border-radius: 1rem; padding: .1rem .6rem; background: #fb3; color: #000; font: .85rem system-ui, sans-serif }
.basic { background: #6c9 } .full { background: #6af } .failed { background: #e66 }
pre { font-size: .8rem; margin: .5rem 0; overflow-wrap: anywhere; white-space: pre-wrap }
figcaption, small, li { color: #666; font-size: .85rem } .error { color: #c33 }
@media (prefers-color-scheme: dark) {
  body { background: #15171c; color: #eee } figcaption, small, li { color: #aaa } a { color: #8bf }
}
"""
PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Unitask gallery</title><style>{style}</style>
<h1>Every product</h1>
<p>One order of each of {count} products, as a server on this machine has answered it. <b>basic</b>: what was given is
really worked on, by classical means; <b>preview</b>: a stand-in for a model that does not run here.</p>
<main>{entries}</main></html>
"""
PROMPTS: Final = {"segment": "the woman"}
"""Words that fit the photograph, for products whose example speaks of another picture."""
Picture = Callable[[], np.ndarray]


def astronaut() -> np.ndarray:
    """Give a portrait: a woman before a flag and a model of a shuttle."""
    return skimage.data.astronaut()


def with_hole() -> np.ndarray:
    """Give the portrait with a pure white patch where the shuttle stands: what is to be painted anew."""
    picture = skimage.data.astronaut().copy()
    picture[150:420, 380:500] = 255
    return picture


def admiral() -> np.ndarray:
    """Give another portrait: a woman with cap and glasses."""
    with Image.open("tests/support/admiral.jpg") as image:
        return np.asarray(image)


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
    others = {"end_image": skimage.data.chelsea, "image": with_hole if hole else astronaut, "swap_image": admiral}
    if product.task_type in PROMPTS:
        document["prompt"] = PROMPTS[product.task_type]
    for value in media_values(inputs):
        name = value.path.split(".")[1]
        if value.media.kind == "video":
            document[name] = moving
        elif value.media.kind == "image" and name in document and isinstance(document[name], str):
            document[name] = picture(others.get(name, astronaut)())
    if "target_faces_index" in document:
        document["target_faces_index"] = "0"
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


def given(inputs: Input) -> list[str]:
    """Write down and show the media of an order; the same photograph is one file."""
    figures = []
    for value in media_values(inputs):
        head, _, content = value.source.partition(";base64,")
        file = base64.b64decode(content)
        name = f"given-{hashlib.sha256(file).hexdigest()[:12]}.{head.rpartition('/')[2]}"
        (OUT / name).write_bytes(file)
        figures.append(shown(f"given: {value.path.removeprefix('input.')}", name))
    return figures


def shown(caption: str, name: str) -> str:
    """Show a file as people look at it."""
    safe = html.escape(name, quote=True)
    suffix = Path(name).suffix
    if suffix == ".mp4":
        # From a moment on: otherwise a phone shows nothing until it is played.
        figure = f'<video src="{safe}#t=0.1" controls loop muted playsinline></video>'
    elif suffix in {".wav", ".mp3"}:
        figure = f'<audio src="{safe}" controls></audio>'
    elif suffix in {".png", ".jpg", ".jpeg", ".webp"}:
        figure = f'<a href="{safe}"><img src="{safe}" alt="{html.escape(caption)}" loading="lazy"></a>'
    else:
        figure = f'<a href="{safe}" download>download the {html.escape(suffix.removeprefix("."))} file</a>'
    return f"<figure>{figure}<figcaption>{html.escape(caption)}</figcaption></figure>"


def entry(client: httpx.Client, product: Product, document: dict[str, Any], task: dict[str, Any]) -> str:
    """Write one product: what it was given, what it made, who made it and what it says of that."""
    files = given(validate(product, document)[0])
    for name, url in (task["output"] or {}).items():
        if isinstance(url, str) and url.startswith("http"):
            path = OUT / f"{product.key.replace('/', '-')}-{name}{Path(url).suffix}"
            path.write_bytes(client.get(url).raise_for_status().content)
            files.append(shown(f"made: {name}", path.name))
    plain = {name: value for name, value in document.items() if "data:" not in json.dumps(value)}
    meta, level, error = task["meta"], task["meta"]["engine_level"] or "failed", task["error"]["message"]
    words = f"<pre>{html.escape(json.dumps(plain, ensure_ascii=False))}</pre>" if plain else "<p></p>"
    notes = "".join(f"<li>{html.escape(warning)}</li>" for warning in meta["warnings"])
    return (
        f'<section id="{html.escape(product.key)}"><h2>{html.escape(product.title)} '
        f'<span class="level {level}">{level}</span></h2>'
        f"<small>{html.escape(product.key)}, engine {meta['engine']}, {task['took_s']:.1f} s</small>"
        f'{words}<div class="files">{"".join(files)}</div>'
        f"{f'<ul>{notes}</ul>' if notes else ''}{f'<p class=error>{html.escape(error)}</p>' if error else ''}</section>"
    )


def main() -> None:
    """Make the page."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
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
    page = PAGE.format(style=STYLE, count=len(entries), entries="\n".join(entries))
    (OUT / "index.html").write_text(page, encoding="utf-8")
    print(f"{OUT / 'index.html'}: {len(entries)} products")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
