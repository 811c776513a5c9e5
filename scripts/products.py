"""Order every product from a throw-away server and write docs/products: a page for each family, with small examples.

`--texts` writes the pages alone, from what was made before.
"""

import argparse
import io
import json
import re
import shutil
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import httpx
import numpy as np
import orders
import product_pages
from demo import KEY, start, stop, wait_until_ready
from PIL import Image, ImageDraw, ImageOps

from unitask.catalogue import Catalogue
from unitask.kit.sound import read_audio
from unitask.provenance.containers import put_into
from unitask.provenance.manifest import Input as File
from unitask.provenance.marks import source_in
from unitask.provenance.packet import Words
from unitask.provenance.sources import Source
from unitask.spec.product import Product

OUT: Final = Path(product_pages.HERE)
MEDIA: Final = OUT / "media"
MADE: Final = OUT / "made.json"
LIMIT_BYTES: Final = 40_000
MARK_BYTES: Final = 1_000
PICTURE_BYTES: Final = 24_000
SIDE_PX: Final = 480
STRIP_FRAMES: Final = 3
STRIP_HEIGHT_PX: Final = 180
GAP_PX: Final = 4
CLIP_SIDE_PX: Final = 320
CLIP_FPS: Final = 12
CLIP_S: Final = 5.5
EXCERPT_S: Final = 8
EXCERPT_HZ: Final = 22_050
EXCERPT_BITS_PER_S: Final = 32_000
WAVE_PX: Final = (640, 120)
WAVE_BARS: Final = 160
CARD_PX: Final = (300, 200)
INK: Final = (64, 110, 190)


def picture(image: Image.Image, stem: str, side_px: int = SIDE_PX) -> str:
    """Write a picture as WebP, as good as the limit allows."""
    small = image.convert("RGBA" if "A" in image.getbands() else "RGB")
    small.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    for quality in (80, 70, 60, 50, 40, 30, 20):
        stream = io.BytesIO()
        small.save(stream, "WEBP", quality=quality, method=6)
        if stream.tell() <= PICTURE_BYTES:
            break
    return written(f"{stem}.webp", stream.getvalue())


def written(name: str, content: bytes) -> str:
    """Write a file of the pages."""
    assert len(content) <= LIMIT_BYTES - MARK_BYTES, f"{name} has {len(content)} bytes"
    (MEDIA / name).write_bytes(content)
    return name


def film(content: bytes, stem: str) -> tuple[str, str]:
    """Write a video as a strip of frames and as a short silent clip."""
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or CLIP_FPS)
        frames = [frame.to_image() for frame in container.decode(stream)]
    # The first, the middle and the last frame.
    shown = [frames[round(part * (len(frames) - 1))] for part in np.linspace(0, 1, STRIP_FRAMES)]
    shown = [one.resize((round(one.width * STRIP_HEIGHT_PX / one.height), STRIP_HEIGHT_PX)) for one in shown]
    strip = Image.new("RGB", (sum(one.width for one in shown) + GAP_PX * (STRIP_FRAMES - 1), STRIP_HEIGHT_PX), "white")
    for number, one in enumerate(shown):
        strip.paste(one, (number * (one.width + GAP_PX), 0))
    times = np.arange(0, min(CLIP_S, len(frames) / rate), 1 / CLIP_FPS)
    return picture(strip, stem, strip.width), clip([frames[int(time * rate)] for time in times], stem)


def clip(frames: list[Image.Image], stem: str) -> str:
    """Write frames as a small MP4, as good as the limit allows."""
    scale = min(1, CLIP_SIDE_PX / max(frames[0].size))
    size = tuple(2 * round(side * scale / 2) for side in frames[0].size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        for quality in range(26, 52, 3):
            with av.open(
                str(path), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}
            ) as target:
                options = {"crf": str(quality), "preset": "veryslow"}
                track = target.add_stream("libx264", rate=Fraction(CLIP_FPS), options=options)
                track.width, track.height, track.pix_fmt = *size, "yuv420p"
                for frame in frames:
                    target.mux(track.encode(av.VideoFrame.from_image(frame.convert("RGB").resize(size))))
                target.mux(track.encode())
            if path.stat().st_size <= LIMIT_BYTES - MARK_BYTES:
                break
        return written(f"{stem}.mp4", path.read_bytes())


def sound(content: bytes, ending: str, stem: str) -> tuple[str, str]:
    """Write a sound as the picture of its wave and as a short excerpt."""
    with tempfile.NamedTemporaryFile(suffix=ending) as file:
        file.write(content)
        file.flush()
        samples = read_audio(Path(file.name), limit_seconds=600, rate=EXCERPT_HZ).mean(axis=1)
    peaks = [float(np.abs(part).max(initial=0)) for part in np.array_split(samples, WAVE_BARS)]
    width, height = WAVE_PX
    wave = Image.new("RGB", WAVE_PX, "white")
    pen, step, most = ImageDraw.Draw(wave), width / WAVE_BARS, max(*peaks, 1e-6)
    for number, peak in enumerate(peaks):
        half = max(1, peak / most * (height / 2 - 4))
        pen.rectangle((number * step, height / 2 - half, (number + 0.6) * step, height / 2 + half), fill=INK)
    return picture(wave, stem, width), excerpt(samples[: EXCERPT_S * EXCERPT_HZ], stem)


def excerpt(samples: np.ndarray, stem: str) -> str:
    """Write a sound as a small MP3."""
    stream = io.BytesIO()
    with av.open(stream, "w", format="mp3", options={"fflags": "+bitexact"}) as target:
        track = target.add_stream("libmp3lame", rate=EXCERPT_HZ, layout="mono")
        track.bit_rate = EXCERPT_BITS_PER_S
        block = np.ascontiguousarray(samples[None, :], np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate = EXCERPT_HZ
        for resampled in av.AudioResampler("fltp", "mono", EXCERPT_HZ, frame_size=1152).resample(frame):
            target.mux(track.encode(resampled))
        target.mux(track.encode())
    return written(f"{stem}.mp3", stream.getvalue())


def shown(content: bytes, ending: str, stem: str) -> tuple[str, str]:
    """Write a file as its picture and, where it moves or sounds, a clip of it."""
    if ending == ".mp4":
        return film(content, stem)
    if ending in {".mp3", ".wav", ".flac"}:
        return sound(content, ending, stem)
    return picture(Image.open(io.BytesIO(content)), stem), ""


def marked(source: str, *names: str) -> None:
    """Let files of the pages say where they come from, as what they were made of does."""
    for path in (MEDIA / name for name in names if name):
        bare = path.rename(path.with_name(f"bare-{path.name}"))
        put_into(bare, path.suffix[1:], Words(Source(source), "Unitask"), path)
        bare.unlink()


def example(client: httpx.Client, product: Product) -> dict[str, Any]:
    """Order a product, write its media, and give what its page says of that."""
    request = orders.request_of(product)
    task = orders.made(client, product, request)
    if task["status"] != "completed":
        raise SystemExit(f"{product.key} failed: {task['error']['message']}")
    for name in orders.given(request).values():
        if not (MEDIA / f"given-{Path(name).stem}.webp").exists() and not name.endswith(".wav"):
            shown(orders.file(name), Path(name).suffix, f"given-{Path(name).stem}")
    files = orders.files_of(client, task)
    ending, content = files.get("combined_video") or next(iter(files.values()))
    still, moving = shown(content, ending, product_pages.stem(product))
    with tempfile.NamedTemporaryFile(suffix=ending) as whole:
        whole.write(content)
        whole.flush()
        marked(source_in(File(path=Path(whole.name), extension=ending[1:])), still, moving)
    meta, address = task["meta"], str(client.base_url).rstrip("/")
    # The key of a stored file is chance; what it says is its ending.
    output = json.loads(re.sub(r"/files/[^\"]*?(\.\w+)\"", r'/files/NAME\1"', json.dumps(task["output"])))
    return {
        "engine": meta["engine"],
        "level": meta["engine_level"],
        "warnings": meta["warnings"],
        "points": meta["usage"]["consume"],
        "output": json.loads(json.dumps(output).replace(address, product_pages.ADDRESS)),
        "picture": still,
        **({"clip": moving} if moving else {}),
    }


def cards(catalogue: Catalogue, made: dict[str, dict[str, Any]]) -> None:
    """Write a small picture for each family: of the example of its first product; of a film its middle frame."""
    first = {product.family: made[product.key] for product in reversed(list(catalogue))}
    for family, example in first.items():
        with Image.open(MEDIA / example["picture"]) as image:
            whole = image.convert("RGBA")
        if example.get("clip", "").endswith(".mp4"):
            frame_px = (whole.width - GAP_PX * (STRIP_FRAMES - 1)) // STRIP_FRAMES
            whole = whole.crop((frame_px + GAP_PX, 0, 2 * frame_px + GAP_PX, whole.height))
        fitted = ImageOps.contain(whole, CARD_PX, Image.Resampling.LANCZOS)
        card = Image.new("RGB", CARD_PX, (240, 242, 246))
        card.paste(fitted, ((CARD_PX[0] - fitted.width) // 2, (CARD_PX[1] - fitted.height) // 2), fitted)
        source = source_in(File(path=MEDIA / example["picture"], extension="webp"))
        marked(source, picture(card, f"family-{family.replace('_', '-')}"))


def served(work: Callable[[httpx.Client], None]) -> None:
    """Do something with a throw-away server."""
    with tempfile.TemporaryDirectory(prefix="unitask-products-") as folder:
        server, address = start(folder)
        try:
            with httpx.Client(base_url=address, headers={"X-API-Key": KEY}, timeout=120, trust_env=False) as client:
                wait_until_ready(client)
                work(client)
        finally:
            stop(server)


def main() -> None:
    """Make the examples, unless only texts are wanted, and write the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", action="store_true", help="write the pages from the examples that are there")
    catalogue = Catalogue.load()
    if not parser.parse_args().texts:
        shutil.rmtree(MEDIA, ignore_errors=True)
        MEDIA.mkdir(parents=True)
        made: dict[str, dict[str, Any]] = {}
        served(lambda client: made.update({product.key: example(client, product) for product in catalogue}))
        cards(catalogue, made)
        MADE.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    pages = product_pages.pages(catalogue, json.loads(MADE.read_text(encoding="utf-8")))
    for name, text in pages.items():
        (OUT / name).write_text(text, encoding="utf-8")
    media_bytes = sum(path.stat().st_size for path in MEDIA.iterdir())
    print(f"{OUT}: {len(pages)} pages, {media_bytes:,} bytes of media")


if __name__ == "__main__":
    main()
