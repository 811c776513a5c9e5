"""Measure what the forms of a network save and cost: `make bench-forms`.

A checkpoint of Flux's build with random weights, of the real size on a GPU and a small one elsewhere, makes the same
picture in every form that a card can name. Printed are the memory of its networks, the seconds of the first and of
later pictures, and how far the picture is from that of the weights as loaded. Weights are noise here: how much of a
real picture the block cache changes, this does not show.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu import FULL, MIB, Bench, once, seconds, shelve
from PIL import Image

SMALL = {
    "transformer": {"num_layers": 2, "num_single_layers": 4, "num_attention_heads": 4, "attention_head_dim": 64},
    "text": {"d_model": 512, "d_ff": 1024, "d_kv": 64, "num_layers": 4, "num_heads": 8},
    "clip": {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 4},
    "vae": (32, 32, 32, 32),
    "axes": (8, 28, 28),
    "side": 128,
}
CARD = "flux1-dev"
FORMS = {
    "as loaded": "",
    "int8": 'storage = "int8"',
    "fp8": 'storage = "fp8"',
    "block_cache 0.05": "block_cache = 0.05",
    "block_cache 0.1": "block_cache = 0.1",
    "block_cache 0.2": "block_cache = 0.2",
    "compiled": "compiled = true",
    "compiled, int8": 'compiled = true\nstorage = "int8"',
}
STEPS = 16


def shelves(folder: Path, whole: Path) -> Iterator[tuple[str, Path]]:
    """Make a shelf for each form; the checkpoint lies on the first."""
    manifest = json.loads((whole / CARD / "unitask.json").read_text())
    card = (whole / "cards" / f"{CARD}.toml").read_text()
    for number, (form, lines) in enumerate(FORMS.items()):
        models = folder / str(number)
        (models / CARD).mkdir(parents=True)
        (models / "cards").mkdir()
        (models / CARD / "unitask.json").write_text(json.dumps(manifest | {"root": str(whole / CARD)}))
        (models / "cards" / f"{CARD}.toml").write_text(f"{lines}\n{card}")
        yield form, models


class Pictures(Bench):
    """The engine with one shelf; remembers its last picture."""

    def run(self, card: str = CARD) -> None:
        """Make a picture and its file."""
        job = self.job(card)
        self.engine.run(self.product, self.inputs, job)
        (self.last,) = job.scratch.glob("*.png")

    def values(self) -> Any:
        """Decode it."""
        return np.asarray(Image.open(self.last), float)


def main() -> None:
    """Measure and print a table."""
    sys.path.append(str(Path(__file__).parent.parent / "tests/support"))
    cuda = torch.cuda.is_available()
    scale, dtype = (FULL, torch.bfloat16) if cuda else (SMALL, torch.float32)
    print(f"{torch.cuda.get_device_name() if cuda else 'processor'}, torch {torch.__version__}, {STEPS} steps")
    print(f"{'form':18} {'MiB':>8} {'first s':>8} {'later s':>8} {'apart, of 255':>14}")
    exact = None
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        shelve(folder / "whole", scale, "cuda" if cuda else "cpu", dtype, (CARD,))
        for form, models in shelves(folder, folder / "whole"):
            bench = Pictures(models, scale, STEPS)
            first, later = once(bench.run), seconds(bench.run, 3)
            exact = bench.values() if exact is None else exact
            apart = abs(bench.values() - exact).mean()
            size = sum(kept.size_bytes for kept in bench.runtime.residency._kept.values()) / MIB  # noqa: SLF001
            print(f"{form:18} {size:8.0f} {first:8.2f} {later:8.2f} {apart:14.2f}", flush=True)
            bench.runtime.residency.drop()


if __name__ == "__main__":
    main()
