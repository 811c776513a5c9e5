"""Which graphics cards this machine has, without a library that takes seconds to import."""

import os
import subprocess
from typing import Final

_INDEX: Final = ("nvidia-smi", "--query-gpu=index", "--format=csv,noheader")
_MEMORY: Final = ("nvidia-smi", "--query-gpu=index,memory.total", "--format=csv,noheader,nounits")
_TIMEOUT_S: Final = 10.0
_VISIBLE: Final = "CUDA_VISIBLE_DEVICES"


def cuda() -> tuple[str, ...]:
    """List NVIDIA's cards as `cuda:N`, those that `CUDA_VISIBLE_DEVICES` names if it is set; none when none answers."""
    visible = os.environ.get(_VISIBLE)
    names = _asked() if visible is None else visible.split(",")
    return tuple(f"cuda:{name.strip()}" for name in names if name.strip() not in {"", "-1", "NoDevFiles"})


def memory() -> dict[str, int]:
    """Tell how many bytes each of the machine's NVIDIA cards has, by the names that `cuda` gives."""
    pairs = [line.partition(",") for line in _asked(_MEMORY)]
    return {
        f"cuda:{index.strip()}": int(mebibytes) * 2**20 for index, _, mebibytes in pairs if mebibytes.strip().isdigit()
    }


def _asked(question: tuple[str, ...] = _INDEX) -> list[str]:
    try:
        answer = subprocess.run(  # noqa: S603 - our own words
            question, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return answer.stdout.splitlines()


def pinned(device: str) -> dict[str, str]:
    """Give the environment in which a process has this device and no other; see `unitask.spec.engine.DeviceEngine`."""
    kind, _, name = device.partition(":")
    if kind != "cuda":
        return {"UNITASK_DEVICE": device}
    # The driver's tool counts by place on the bus, CUDA by speed unless told; a list of the operator's is in his order.
    order = {} if _VISIBLE in os.environ else {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    return {"UNITASK_DEVICE": "cuda:0", _VISIBLE: name, **order}
