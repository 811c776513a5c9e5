"""Networks that come as ONNX files, in sessions of onnxruntime: loaded, kept and evicted like all others."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from unitask.kit.errors import EngineFailure
from unitask.runtime.parts import Part, damaged

if TYPE_CHECKING:
    from unitask.runtime.runtime import Runtime

Floats = NDArray[np.float32]
_SUFFIX: Final = ".onnx"
_HALF: Final = "tensor(float16)"
_NO_MEMORY: Final = ("failed to allocate", "out of memory", "bad_alloc")
_WARNINGS_NOT_SHOWN: Final = 3


class Session:
    """One ONNX file, open where its work is done: on `device`, as torch names it. Away from there it is closed.

    `size_bytes` is about what it takes there. It uses as many threads as torch does.
    """

    _supports_group_offloading = False

    def __init__(self, path: Path, device: str, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._path = path
        self._device = torch.device(device)
        self._opened: Any = None

    def to(self, device: str | torch.device) -> "Session":
        """Open it if the device is its own, else close it.

        Raises:
            OSError: it cannot be read as an ONNX file.

        """
        if torch.device(device) != self._device:
            self._opened = None
        elif self._opened is None:
            self._opened = _opened(self._path, self._device)
        return self

    @property
    def inputs(self) -> dict[str, list[Any]]:
        """What goes in: shapes by name; a side that may differ has a name in place of a number."""
        return {given.name: list(given.shape) for given in self._opened.get_inputs()}

    def __call__(self, *given: NDArray[Any]) -> list[Floats]:
        """Run it on its inputs, in their order; gives its outputs, in theirs.

        Raises:
            EngineFailure: the file wants something else.
            torch.OutOfMemoryError: the device is too small.

        """
        wanted = self._opened.get_inputs()
        fed = {
            one.name: value.astype(np.float16 if one.type == _HALF else np.float32)
            for one, value in zip(wanted, given, strict=True)
        }
        try:
            made = self._opened.run(None, fed)
        except Exception as error:  # the classes of onnxruntime have no parent of their own
            said = f"{type(error).__name__}: {error}"[:500]
            if any(words in said.lower() for words in _NO_MEMORY):
                raise torch.OutOfMemoryError(said) from error
            raise EngineFailure(
                f"the network {self._path.name} does not work on what it was given: it is of another kind than its "
                "card says",
                raw_message=said,
            ) from error
        return [np.asarray(value, np.float32) for value in made]


@dataclass(frozen=True, slots=True)
class SessionPart(Part):
    """One ONNX file of a card; `name` is its path there, `device` where its work is done."""

    device: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.root / self.name

    def load(self) -> Session:
        """Open it on its device.

        Raises:
            EngineFailure: it is missing or damaged.

        """
        try:
            return Session(self.path, self.device, self.size_bytes).to(self.device)
        except OSError as error:
            raise damaged(self.card, self.name, error) from error


def session_part(runtime: "Runtime", card_id: str, file: str = "") -> SessionPart:
    """Describe an ONNX file of a card; `file` is its path, empty where there is one alone.

    Raises:
        EngineFailure: the weights are not here, or have no such file.

    """
    card, root, manifest = runtime.shelved(card_id)
    names = [file] if file else sorted(path for path in manifest.files if path.endswith(_SUFFIX))
    if len(names) != 1 or names[0] not in manifest.files:
        raise damaged(card, file or f"*{_SUFFIX}", FileNotFoundError(f"{len(names)} such files"))
    stored = manifest.files[names[0]]
    return SessionPart(
        card=card,
        root=root,
        name=names[0],
        library="onnxruntime",
        class_name="InferenceSession",
        digest=stored.sha256,
        size_bytes=stored.size_bytes,
        device=runtime.hardware.device,
    )


def _opened(path: Path, device: torch.device) -> Any:
    import onnxruntime  # noqa: PLC0415 - wanted by few

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = _WARNINGS_NOT_SHOWN
    options.use_deterministic_compute = True
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.type == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": device.index or 0}))
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # the classes of onnxruntime have no parent of their own
        said = f"{type(error).__name__}: {error}"[:500]
        if any(words in said.lower() for words in _NO_MEMORY):
            raise torch.OutOfMemoryError(said) from error
        raise OSError(said) from error
