"""Order every product from a throw-away server and lay what it makes side by side: docs/gallery/index.html."""

import html
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import httpx
import orders
from demo import KEY, start, stop, wait_until_ready

from unitask.catalogue import Catalogue
from unitask.spec.product import Product

OUT: Final = Path("docs/gallery")
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


def given(request: dict[str, Any]) -> list[str]:
    """Write down and show the media of an order; the same photograph is one file."""
    figures = []
    for field, name in orders.given(request).items():
        (OUT / f"given-{name}").write_bytes(orders.file(name))
        figures.append(shown(f"given: {field}", f"given-{name}"))
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
    files = given(document)
    for name, (ending, content) in orders.files_of(client, task).items():
        path = OUT / f"{product.key.replace('/', '-')}-{name}{ending}"
        path.write_bytes(content)
        files.append(shown(f"made: {name}", path.name))
    plain = {name: value for name, value in document.items() if not orders.given(value)}
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
                entries, failed = [], []
                for product in Catalogue.load():
                    request = orders.request_of(product)
                    task = orders.made(client, product, request)
                    failed += [product.key] if task["status"] != "completed" else []
                    entries.append(entry(client, product, request, task))
        finally:
            stop(server)
    page = PAGE.format(style=STYLE, count=len(entries), entries="\n".join(entries))
    (OUT / "index.html").write_text(page, encoding="utf-8")
    print(f"{OUT / 'index.html'}: {len(entries)} products")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
