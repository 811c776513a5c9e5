"""From nothing to the shelf: the demo model is trained, tried, and put where the real models lie, in their layout."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import torch
import transformers

from unitask.demo.exam import ENOUGH, Marks
from unitask.demo.lessons import PICTURES
from unitask.demo.networks import Networks
from unitask.demo.training import Training, measured
from unitask.weights import Manifest, Shelf
from unitask.weights.arrival import Say, bring_in
from unitask.weights.card import OURS
from unitask.weights.parcel import find

CARD: Final = "demo-shapes"
_VERDICT: Final = "verified"


def trained(
    models: Path,
    *,
    minutes: float,
    seed: int,
    prompts: int,
    say: Say,
    now: Callable[[], float] = time.monotonic,
    pictures: int = PICTURES,
) -> Marks:
    """Train the model and put it onto the shelf in the folder `models`; gives how often it is right.

    The rest is as in `Training`.

    Raises:
        Unavailable: there is no room.

    """
    halfway = models / "training" / f"{CARD}-{seed}"
    networks = Training(halfway, minutes * 60, seed, now, say, pictures).run()
    marks = measured(networks, prompts)
    say(f"{CARD}: {marks}")
    if marks.right < ENOUGH:
        say(f"{CARD}: a model that is right less often than {ENOUGH:.0%} is for looking at alone; train it for longer")
    manifest = deliver(networks, marks, models, say)
    shutil.rmtree(halfway)
    size = sum(one.size_bytes for one in manifest.files.values())
    say(f"{CARD}: complete in {models / CARD}, {size / 1e6:.1f} MB")
    return marks


def save(networks: Networks, folder: Path) -> None:
    """Write all parts in half precision, laid out as the real models are; their JSON without spaces."""
    transformers.utils.logging.disable_progress_bar()
    networks.pipeline().to(torch.float16).save_pretrained(folder)
    for path in folder.rglob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")), separators=(",", ":")), "utf-8")


def deliver(networks: Networks, marks: Marks, models: Path, say: Say) -> Manifest:
    """Put the model onto the shelf with a card that says how good it is, in the place of an earlier one.

    Raises:
        Unavailable: there is no room.

    """
    card = models / "cards" / f"{CARD}.toml"
    card.parent.mkdir(parents=True, exist_ok=True)
    lines = OURS.joinpath(f"cards/{CARD}.toml").read_text("utf-8").splitlines()
    plain = [line for line in lines if not line.startswith(_VERDICT)]
    with TemporaryDirectory(dir=models) as folder:
        save(networks, Path(folder))
        card.write_text(
            "\n".join([*plain, f'{_VERDICT} = "{marks.right:.1%} of {marks.prompts} held-out prompts right"', ""]),
            "utf-8",
        )
        return bring_in(find(Shelf(models), CARD), Path(folder), link=False, say=say)
