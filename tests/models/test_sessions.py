"""ONNX files take part in the residency: loaded once, counted, evicted for others, and opened anew."""

from pathlib import Path

import numpy as np
import torch
from tiny_onnx import shelve_mattings

from unitask.runtime.hardware import Hardware
from unitask.runtime.runtime import Runtime
from unitask.runtime.sessions import Session, SessionPart, session_part
from unitask.weights import Shelf


def place(models: Path, device_bytes: int) -> tuple[Runtime, list[SessionPart]]:
    """Give a runtime with so much room, and two networks."""
    torch.set_num_threads(1)
    shelve_mattings(models, "birefnet-general", "rmbg-1.4")
    runtime = Runtime(Shelf(models), Hardware("cpu", device_bytes, 0))
    return runtime, [session_part(runtime, card_id) for card_id in ("birefnet-general", "rmbg-1.4")]


def test_a_session_stays_until_its_room_is_needed(tmp_path: Path) -> None:
    """With room for both each is opened once; with room for one the other goes."""
    runtime, parts = place(tmp_path, 2**20)
    (one, other), (again, _) = ([runtime.networks({"net": part})["net"] for part in parts] for _ in range(2))
    assert again is one
    assert runtime.residency.used_bytes("device") == sum(part.size_bytes for part in parts)
    assert other.size_bytes == parts[1].path.stat().st_size

    runtime, parts = place(tmp_path, max(part.size_bytes for part in parts))
    opened = [runtime.networks({"net": part})["net"] for part in (*parts, parts[0])]
    assert opened[0] is not opened[2]
    assert runtime.residency.held("device") == [parts[0].key]


def test_a_session_is_open_where_its_work_is_done(tmp_path: Path) -> None:
    """Carried away it is closed; carried back it answers as before."""
    _, parts = place(tmp_path, 2**20)
    session = Session(parts[0].path, "cpu", parts[0].size_bytes).to("cpu")
    picture = np.random.default_rng(1).random((1, 3, 256, 256), np.float32)
    (before,) = session(picture)
    assert list(session.to("meta").to("cpu").inputs) == ["input"]
    (after,) = session(picture)
    assert (before == after).all()
