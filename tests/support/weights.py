"""Cards and files of weights as tests need them: small, and laid out like real ones."""

import hashlib
import json
from pathlib import Path

LICENSE = '[license]\nname = "Free"\n'
STRICT = '[license]\nname = "Strict"\nurl = "https://example.com/terms"\nforbids = "Fun."\n'


def files(letter: str = "t", large: int = 200_000) -> dict[str, bytes]:
    """Write the files of a pipeline: a transformer in two pieces, a text encoder, and what nobody asked for."""
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    return {
        "model_index.json": json.dumps(
            {"_class_name": "X", "transformer": ["diffusers", "T"], "text": ["transformers", "E"], "none": [None, None]}
        ).encode(),
        "transformer/config.json": b"{}",
        "transformer/model.safetensors.index.json": json.dumps(index).encode(),
        "transformer/model-1.safetensors": letter.encode() * large,
        "transformer/model-2.safetensors": b"2" * large,
        "text/model.safetensors": b"e" * large,
        "one-file.safetensors": b"all of it again",
        "README.md": b"read me",
    }


WANTED = sorted(set(files()) - {"one-file.safetensors", "README.md"})


def write_card(shelf: Path, card_id: str, license_: str = LICENSE, **fields: object) -> None:
    """Put a card into a shelf."""
    given = {"title": card_id, "repository": f"lab/{card_id}", "disk_bytes": 1, "memory_bytes": 1} | fields
    folder = shelf / "cards"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in given.items()]
    (folder / f"{card_id}.toml").write_text("".join(lines) + license_)


def write_files(folder: Path, content: dict[str, bytes]) -> Path:
    """Lay files out in a folder."""
    for path, data in content.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def names(folder: Path) -> list[str]:
    """List all files below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def sha256(content: bytes) -> str:
    """Give the checksum of content."""
    return hashlib.sha256(content).hexdigest()
