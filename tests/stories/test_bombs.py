"""Small files that would cost much to decode, sent to a started server with real engines: each ends soon."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from support import bombs
from support.accounts import open_account
from support.bombs import MIB, UNREADABLE, Bomb, box, cover, film, packed, png, png_chunk, silence, wav
from support.machine import Api, Machine
from support.media import base64_of
from unitask.app import Services
from unitask.kit.media import DECODING_BYTES
from unitask.settings import Settings

LIMIT_S: Final = 120
POINTS: Final = 10**9
PHRASES: Final = {
    "image": "failed to get valid image: ",
    "video": "failed to get valid video: ",
    "audio": "failed to get input audio: ",
}
ENGINE_BYTES: Final = 512 * MIB
"""What an engine process takes with its libraries and a small task, generously."""
FAR_TOO_MANY: Final = "far too many pixels"
NO_FORMAT: Final = "its format is unknown"


def small() -> bytes:
    """Write a PNG of 16 pixels a side."""
    return png(16, 16, bits=8)


BOMBS: Final = [
    Bomb("png-size", "image", lambda: png(60_000, 60_000), FAR_TOO_MANY),
    Bomb("png-width", "image", lambda: png(2**31 - 1, 1), FAR_TOO_MANY),
    Bomb("png-text", "image", lambda: png(16, 16, png_chunk(b"zTXt", b"a\0\0" + packed(512 * MIB))), UNREADABLE),
    Bomb("png-words", "image", lambda: png(16, 16, png_chunk(b"iTXt", b"a\0\1\0\0\0" + packed(512 * MIB))), UNREADABLE),
    Bomb("png-profile", "image", lambda: png(16, 16, png_chunk(b"iCCP", b"a\0\0" + packed(512 * MIB))), UNREADABLE),
    Bomb("png-texts", "image", lambda: png(16, 16, *[png_chunk(b"zTXt", b"a\0\0" + packed(MIB))] * 500), UNREADABLE),
    Bomb("png-chunks", "image", lambda: png(16, 16, *[png_chunk(b"aaAa", b"")] * 700_000), ""),
    Bomb("png-frames", "image", lambda: bombs.frames_of_png(20_000), ""),
    Bomb("png-pixels", "image", lambda: png(16, 16, pixels=packed(512 * MIB)), ""),
    Bomb("jpeg-size", "image", lambda: bombs.jpeg_of_size(65_000), FAR_TOO_MANY),
    Bomb("jpeg-scans", "image", lambda: bombs.jpeg_of_scans(100_000), "more than 100 scans"),
    Bomb("gif-size", "image", lambda: bombs.gif_of_size(65_535, 1), FAR_TOO_MANY),
    Bomb("gif-frame", "image", lambda: bombs.gif_of_size(1, 65_535), FAR_TOO_MANY),
    Bomb("gif-frames", "image", lambda: bombs.frames_of_gif(300_000), ""),
    Bomb("webp-size", "image", lambda: bombs.webp_of_size(16_383), FAR_TOO_MANY),
    Bomb("webp-canvas", "image", bombs.webp_canvas, FAR_TOO_MANY),
    Bomb("webp-frames", "image", lambda: bombs.frames_of_webp(2000), ""),
    Bomb("bmp-size", "image", lambda: bombs.bmp_of_size(60_000, 60_000), FAR_TOO_MANY),
    Bomb("bmp-upside-down", "image", lambda: bombs.bmp_of_size(60_000, -60_000), FAR_TOO_MANY),
    Bomb("bmp-negative", "image", lambda: bombs.bmp_of_size(-5, 16), FAR_TOO_MANY),
    Bomb("tiff-size", "image", lambda: bombs.tiff_of_size(60_000), FAR_TOO_MANY),
    Bomb("tiff-tile", "image", lambda: bombs.tiff_of_tile(46_000), UNREADABLE),
    Bomb("tiff-counts", "image", bombs.tiff_of_counts, UNREADABLE),
    Bomb("tiff-ring", "image", bombs.tiff_in_a_ring, ""),
    Bomb("avif-size", "image", lambda: bombs.iso_picture(b"avif"), UNREADABLE),
    Bomb("heic-size", "image", lambda: bombs.iso_picture(b"heic"), UNREADABLE),
    Bomb("mov-frame", "video", lambda: film("mov", "png", iter([cover()] * 3)), "does not say how large its"),
    Bomb("mov-later-frame", "video", lambda: film("mov", "png", iter([*[small()] * 20, cover()])), UNREADABLE),
    Bomb("mov-frames", "video", lambda: film("mov", "png", iter([small()] * 100_000)), "it has 100000 frames"),
    Bomb("mp4-index", "video", lambda: bombs.sample_table(bombs.clip(), 20_000_000), UNREADABLE),
    Bomb("mp4-index-largest", "video", lambda: bombs.sample_table(bombs.clip(), 2**31 - 1), "no frame of it"),
    Bomb("mp4-slow", "video", lambda: bombs.times(bombs.clip(), 2**31 - 1), "its frame rate is"),
    Bomb("mp4-long", "video", lambda: film("mp4", "png", iter([small()] * 20), every=25 * 3000), "its frame rate is"),
    Bomb("mp4-tracks", "video", lambda: bombs.many_tracks(5000), UNREADABLE),
    Bomb("mp4-nested", "video", lambda: bombs.nested(10_000), UNREADABLE),
    Bomb("mp4-boxes", "video", lambda: bombs.clip()[:32] + box(b"free") * 10**6 + bombs.clip()[32:], UNREADABLE),
    Bomb("mov-packed-index", "video", bombs.packed_index, UNREADABLE),
    Bomb("mkv-nested", "video", lambda: bombs.nested_matroska(5000), UNREADABLE),
    Bomb("mkv-element", "video", bombs.endless_matroska, UNREADABLE),
    Bomb("webm-nested", "video", lambda: bombs.nested_matroska(5000, b"webm"), UNREADABLE),
    Bomb("webm-frame", "video", lambda: bombs.vp8_of_size(16_383), UNREADABLE),
    Bomb("wav-rate", "audio", lambda: wav(2**32 - 1, 1, bytes(100_000)), UNREADABLE),
    Bomb("wav-slow", "audio", lambda: wav(1, 1, bytes(100_000)), "it has 1 samples a second"),
    Bomb("wav-channels", "audio", lambda: wav(8000, 65_535, bytes(MIB), bits=8), UNREADABLE),
    Bomb("wav-chunks", "audio", lambda: bombs.many_chunks(1_000_000), ""),
    Bomb("wav-length", "audio", lambda: wav(8000, 1, bytes(80_000), said_bytes=2**32 - 1), ""),
    Bomb("mp3-sleeve", "audio", lambda: bombs.with_cover(silence("mp3", "libmp3lame", 5)), ""),
    Bomb("mp3-tag", "audio", lambda: b"ID3\x03\0\0" + bombs.synchsafe(2**28 - 1) + bytes(MIB), UNREADABLE),
    Bomb("flac-silence", "audio", lambda: silence("flac", "flac", 3600), ""),
    Bomb("ogg-silence", "audio", lambda: silence("ogg", "libopus", 200), ""),
    Bomb("m4a-index", "audio", lambda: bombs.sample_table(silence("ipod", "aac", 5), 2**31 - 1), "there is no sound"),
]
NO_MEDIA: Final = {
    "svg": b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;&a;'>]><svg>&b;</svg>",
    "svg-with-a-mark": b"\xef\xbb\xbf<svg xmlns='http://www.w3.org/2000/svg'/>",
    "zip": b"PK\x03\x04" + bytes(26) + b"a.png",
    "gzip": b"\x1f\x8b\x08" + bytes(20),
    "pdf": b"%PDF-1.7\n1 0 obj",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "page": b"<!doctype html><script>alert(1)</script>",
    "playlist": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
    "photoshop": b"8BPS\x00\x01" + bytes(20),
    "icon": b"\x00\x00\x01\x00" + bytes(20),
}
ORDERS: Final[Mapping[str, tuple[str, str, str, dict[str, Any]]]] = {
    "image": ("Qubico/image-toolkit", "upscale", "image", {"scale": 2}),
    "video": ("Qubico/video-toolkit", "upscale", "video", {}),
    "audio": ("Qubico/tts", "zero-shot", "ref_audio", {"gen_text": "hello"}),
}


def order(kind: str, content: bytes) -> dict[str, Any]:
    """Order something of a file."""
    model, task_type, field, others = ORDERS[kind]
    return {"model": model, "task_type": task_type, "input": {**others, field: base64_of(content)}}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Machine]:
    """Make a machine whose engines are the real ones."""
    made = Machine(tmp_path_factory.mktemp("bombs"), sqlite_template, {"PORT": "0", "SLOTS": "2"})
    made.prepare()
    yield made
    made.clear_away()


@pytest.fixture(scope="module")
def api(machine: Machine) -> Iterator[Api]:
    """Come with points to a started server; what clients send is no news for the operator."""

    async def opened() -> str:
        services = await Services.open(Settings.load(data=machine.folder / "data"))
        try:
            return (await open_account(services, "paying", points=POINTS)).headers["X-API-Key"]
        finally:
            await services.close()

    key = asyncio.run(opened())
    program = machine.start("up")
    yield machine.client(program, key)
    assert "Traceback" not in program.err


@pytest.fixture(scope="module")
def tasks(api: Api) -> dict[str, dict[str, Any]]:
    """Order something of each bomb, and wait for the ends."""
    ids = {}
    for bomb in BOMBS:
        answer = api.http.post("/api/v1/task", json=order(bomb.kind, bomb.make()))
        assert answer.status_code == 200, f"{bomb.name}: {answer.text}"
        ids[bomb.name] = answer.json()["data"]["task_id"]
    return {name: api.ended(task_id, LIMIT_S) for name, task_id in ids.items()}


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.name)
def test_a_bomb_is_refused_or_costs_no_more_than_an_honest_file(bomb: Bomb, tasks: dict[str, dict[str, Any]]) -> None:
    """It fails at its first attempt with the phrase that clients match on, or only its honest beginning is used."""
    task = tasks[bomb.name]
    if bomb.said:
        assert task["status"] == "failed"
        assert task["error"]["message"].startswith(PHRASES[bomb.kind])
        assert bomb.said in task["error"]["message"]
        assert len(task["logs"]) == 1
    else:
        assert task["status"] == "completed" or "too s" in task["error"]["message"], task["error"]


@pytest.mark.usefixtures("tasks")
def test_no_engine_process_grew_beyond_the_bound(machine: Machine) -> None:
    """The system knows the most memory that each had at any time; none was ended for it, so all are still there."""
    engines = [pid for pid in machine.programs[0].family() if "unitask.worker.child" in psutil.Process(pid).cmdline()]
    assert len(engines) == 2
    for pid in engines:
        (line,) = (one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmHWM"))
        assert int(line.split()[1]) * 1024 < ENGINE_BYTES + DECODING_BYTES, line


@pytest.mark.parametrize("name", NO_MEDIA)
@pytest.mark.parametrize("kind", ORDERS)
def test_what_is_no_medium_is_not_even_stored(api: Api, name: str, kind: str) -> None:
    """Documents that name others, archives and pages are refused when they come, in an order and as an upload."""
    answer = api.http.post("/api/v1/task", json=order(kind, NO_MEDIA[name]))
    assert (answer.status_code, NO_FORMAT in answer.json()["message"]) == (400, True), answer.text
    file = {"file_name": "a.png", "file_data": base64_of(NO_MEDIA[name])}
    assert api.http.post("/api/ephemeral_resource", json=file).status_code == 400


@pytest.mark.usefixtures("tasks")
def test_the_server_goes_on(api: Api) -> None:
    """The next honest order of each kind is served."""
    honest = {"image": small(), "video": bombs.clip(), "audio": wav(8000, 1, bytes(80_000))}
    for kind, content in honest.items():
        answer = api.http.post("/api/v1/task", json=order(kind, content))
        task = api.ended(answer.json()["data"]["task_id"], LIMIT_S)
        assert task["status"] == "completed", task["error"]
