"""Models in memory: loaded when wanted, shared where they are alike, kept until room is needed, used one at a time."""

import gc
import inspect
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import diffusers
import torch
import transformers
from diffusers.hooks import apply_group_offloading

from unitask.kit.errors import DeviceFailure, EngineFailure
from unitask.runtime.block_cache import forget
from unitask.runtime.embeddings import Embeddings
from unitask.runtime.hardware import Hardware
from unitask.runtime.model import Model
from unitask.runtime.parts import Part
from unitask.runtime.residency import Place, Residency, TooLarge, Wanted
from unitask.spec.engine import Job
from unitask.weights import Card, Manifest, Shelf

for library in (diffusers, transformers):
    library.utils.logging.disable_progress_bar()
diffusers.utils.logging.set_verbosity_error()  # its warnings repeat the words of clients
T = TypeVar("T")
_GIB: Final = 2**30
_NO_MEMORY: Final = ("out of memory", "can't allocate memory", "not enough memory", "cublas_status_alloc_failed")
"""What torch says when memory ends and it has no class for it."""
_BROKEN: Final = "the device failed; the task is tried again by a new process"


class NoRoom(EngineFailure):
    """Something does not fit into the device's memory, even with all else gone."""


@cache
def runtime_of(models: Path) -> "Runtime":
    """Give the one runtime of this process for a folder of weights: all engines share what is in memory."""
    return Runtime(Shelf(models), Hardware.found())


class Runtime:
    """What a process keeps between tasks. One task at a time: a pipeline's networks and schedulers hold state."""

    def __init__(self, shelf: Shelf, hardware: Hardware) -> None:
        self.shelf = shelf
        self.hardware = hardware
        self.embeddings = Embeddings(hardware.device)
        self.residency = Residency(
            device_bytes=hardware.device_bytes,
            host_bytes=hardware.host_bytes,
            move=self._move,
            size=_size,
        )
        self._lock = threading.RLock()
        self._models: dict[str, tuple[tuple[int, ...], Model]] = {}
        self._frugal = False
        self._largest: dict[str, Part] = {}

    @property
    def loaded(self) -> frozenset[str]:
        """The cards that are in memory: those whose largest network is, on the device or streamed to it."""
        on_device, on_host = self.residency.held("device"), self.residency.held("host")
        return frozenset(
            card_id
            for card_id, part in self._largest.items()
            if part.key in on_device or _streamed_key(part) in on_host
        )

    @property
    def device(self) -> torch.device:
        """Where tensors of a task belong."""
        return torch.device(self.hardware.device)

    def model(self, card_id: str) -> Model:
        """Describe the weights of a card.

        Raises:
            EngineFailure: they are not here, or their folder is damaged.

        """
        self.require(card_id)
        stamp = self.shelf.stamp(card_id)
        if self._models.get(card_id, (None, None))[0] != stamp:
            self._models[card_id] = stamp, Model.on(self.shelf, card_id)
        return self._models[card_id][1]

    def require(self, card_id: str) -> None:
        """See that the weights of a card and of all that it leans on are here.

        Raises:
            EngineFailure: they are not.

        """
        if lack := self.shelf.lacks((card_id,)):
            raise EngineFailure(f"{card_id} cannot be used: {lack}", retryable=True)

    def shelved(self, card_id: str) -> tuple[Card, Path, Manifest]:
        """Find the files of a card, whatever they are: the card, where they lie, and what they are.

        Raises:
            EngineFailure: they are not here.

        """
        self.require(card_id)
        return self.shelf.cards[card_id], self.shelf.root(card_id), self.shelf.manifest(card_id)

    def attempt(self, make: Callable[["Runtime"], T], job: Job) -> T:
        """Make something; where memory runs out, once more with everything else gone and layers streamed.

        Raises:
            NoRoom: it does not fit even so.
            DeviceFailure: this process cannot use the device any more.

        """
        with self._lock:
            for frugal in (False, True):
                self._frugal = frugal
                try:
                    return make(self)
                except (torch.OutOfMemoryError, RuntimeError) as error:
                    said = str(error)[:500]
                    if not _is_out_of_memory(error):
                        if _is_of_the_device(error):
                            raise DeviceFailure(_BROKEN, raw_message=said, retryable=True) from error
                        raise
                finally:
                    self._frugal = False
                self._forget()
        raise NoRoom(
            f"it does not fit into the memory of {job.recipe.engine}'s device; ask for a smaller or shorter result",
            raw_message=said,
        )

    @contextmanager
    def pipeline(
        self, class_name: str, model: Model, *, without: Sequence[str] = (), work_bytes: int = 0, **more: Any
    ) -> Iterator[Any]:
        """Give a pipeline of diffusers, made of the model's parts on the device, but for those named in `without`.

        What it wants besides comes as `more`; a `Part` among it is loaded like the rest. `work_bytes` is the room to
        leave for the work itself.

        Raises:
            EngineFailure: its parts do not fit, or cannot be read.

        """
        kind = getattr(diffusers, class_name)
        names = inspect.signature(kind.__init__).parameters
        parts = {name: part for name, part in model.parts.items() if name in names and name not in without}
        parts |= {name: part for name, part in more.items() if isinstance(part, Part)}
        with self._lock:
            given = {name: None for name in names if name not in {"self", *model.numbers}} | more
            given |= {name: value for name, value in model.numbers.items() if name in names}
            given |= {name: model.small(name) for name in names if name in model.small_files and name not in without}
            networks = self._networks(parts, work_bytes)
            given |= networks
            pipe = kind(**{name: value for name, value in given.items() if value is not None or _required(names[name])})
            pipe.set_progress_bar_config(disable=True)
            try:
                yield pipe
            finally:
                self.residency.measure(networks.values())

    def networks(self, parts: Mapping[str, Part], *, work_bytes: int = 0) -> dict[str, Any]:
        """Have these networks on the device together, for work that is no pipeline's.

        Raises:
            EngineFailure: they do not fit, or cannot be read.

        """
        with self._lock:
            return self._networks(parts, work_bytes)

    def generators(self, seeds: Sequence[int]) -> list[torch.Generator]:
        """Make a source of chance for each result: on the processor, so that every device draws the same."""
        return [torch.Generator("cpu").manual_seed(seed % 2**63) for seed in seeds]

    def _networks(self, parts: Mapping[str, Part], work_bytes: int) -> dict[str, Any]:
        """Place all on the device; the largest are streamed from the host where they do not fit."""
        ordered = sorted(parts, key=lambda name: -parts[name].size_bytes)
        first = len(ordered) if self._frugal and self.hardware.streams else 0
        last = len(ordered) if self.hardware.streams else 0
        for streamed in range(first, last + 1):
            try:
                whole = [_wanted(parts[name]) for name in ordered[streamed:]]
                layered = [self._streamed(parts[name]) for name in ordered[:streamed]]
                found = self.residency.take([*layered, *whole], work_bytes=work_bytes)
            except TooLarge as error:
                trouble = error
            else:
                for network in found:
                    forget(network)
                self._note(parts.values())
                return dict(zip(ordered, found, strict=True))
        raise EngineFailure(
            f"{' and '.join(sorted({part.card.id for part in parts.values()}))} with its work needs "
            f"{trouble.need_bytes / _GIB:.1f} GiB of memory, {trouble.have_bytes / _GIB:.1f} GiB are there",
            raw_message=str(trouble),
        )

    def _note(self, parts: Iterable[Part]) -> None:
        for part in parts:
            largest = self._largest.get(part.card.id)
            if largest is None or part.size_bytes >= largest.size_bytes:
                self._largest[part.card.id] = part

    def _streamed(self, part: Part) -> Wanted:
        """Want a network whose layers come to the device one after another. It stays so: it has a place of its own.

        One that says it cannot be streamed goes there whole: such are small.
        """

        def load() -> Any:
            network = part.load()
            if not getattr(network, "_supports_group_offloading", True):
                return network.to(self.device)
            apply_group_offloading(
                network,
                onload_device=self.device,
                offload_device=torch.device("cpu"),
                offload_type="leaf_level",
                use_stream=self.device.type == "cuda",
            )
            return network

        return Wanted(_streamed_key(part), part.size_bytes, load, "host")

    def _move(self, network: Any, place: Place) -> None:
        network.to(self.device if place == "device" else "cpu")

    def _forget(self) -> None:
        self.residency.drop()
        gc.collect()
        self.hardware.clear()


def _streamed_key(part: Part) -> tuple[str, ...]:
    return (*part.key, "streamed")


def _wanted(part: Part) -> Wanted:
    return Wanted(part.key, part.size_bytes, part.load)


def _required(parameter: inspect.Parameter) -> bool:
    return parameter.default is inspect.Parameter.empty


def _size(network: Any) -> int:
    if (said := getattr(network, "size_bytes", None)) is not None:
        return int(said)
    tensors = [*network.parameters(), *network.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _is_of_the_device(error: Exception) -> bool:
    """Tell an error of the device itself, after which every further call of this process fails."""
    return isinstance(error, torch.AcceleratorError) or "CUDA error" in str(error)


def _is_out_of_memory(error: Exception) -> bool:
    said = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or any(words in said for words in _NO_MEMORY)
