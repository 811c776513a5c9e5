"""What stays in memory: least recently used goes first, to the host while there is room, then altogether."""

import gc
import weakref
from collections.abc import Callable

import pytest

from unitask.runtime.residency import Place, Residency, TooLarge, Wanted


class Network:
    """Something of a size that knows where it lies."""

    def __init__(self, name: str, size_bytes: int) -> None:
        self.name = name
        self.size_bytes = size_bytes
        self.place: Place = "host"
        self.hooked: Network | None = None


class Memory:
    """A residency with what happened in it."""

    def __init__(self, device_bytes: int, host_bytes: int = 0) -> None:
        self.happened: list[str] = []
        self.residency = Residency(
            device_bytes=device_bytes,
            host_bytes=host_bytes,
            move=self._move,
            size=lambda network: network.size_bytes,
        )

    def take(self, *names: str, size: int = 10, place: Place = "device", work: int = 0) -> list[Network]:
        """Have networks of this size."""
        return self.residency.take(self.wanted(*names, size=size, place=place), work_bytes=work)

    def wanted(self, *names: str, size: int = 10, place: Place = "device") -> list[Wanted]:
        """Want networks of this size."""
        return [Wanted(name, size, self._loader(name, size), place) for name in names]

    def _loader(self, name: str, size: int) -> Callable[[], Network]:
        def load() -> Network:
            self.happened.append(f"load {name}")
            return Network(name, size)

        return load

    def _move(self, network: Network, place: Place) -> None:
        self.happened.append(f"{network.name} to the {place}")
        network.place = place


def test_what_is_there_is_not_loaded_again() -> None:
    """Two models that share a part have it once."""
    memory = Memory(100)
    first = memory.take("text", "one")
    second = memory.take("text", "two")
    assert first[0] is second[0]
    assert [what for what in memory.happened if what.startswith("load")] == ["load text", "load one", "load two"]


def test_the_least_recently_used_goes_first_and_only_as_much_as_is_needed() -> None:
    """Admission before load: room is made before something new comes."""
    memory = Memory(30)
    memory.take("a")
    memory.take("b")
    memory.take("c")
    memory.take("a")
    memory.take("d")
    assert memory.residency.held("device") == ["c", "a", "d"]
    assert memory.residency.used_bytes("device") == 30


def test_what_is_wanted_together_is_never_evicted_for_each_other() -> None:
    """However old a part of it is."""
    memory = Memory(30)
    memory.take("old")
    memory.take("b", "c")
    memory.take("old", "new", "newer")
    assert memory.residency.held("device") == ["old", "new", "newer"]


def test_what_leaves_the_device_waits_on_the_host_and_comes_back_without_loading() -> None:
    """Carrying over is quicker than reading from disk."""
    memory = Memory(10, host_bytes=20)
    memory.take("a")
    memory.take("b")
    assert memory.residency.held("host") == ["a"]
    (again,) = memory.take("a")
    assert again.place == "device"
    assert memory.happened.count("load a") == 1


def test_what_comes_back_from_a_full_host_does_not_give_way_to_what_makes_room_for_it() -> None:
    """Two models that take turns, where the host has room for one."""
    memory = Memory(10, host_bytes=10)
    memory.take("a")
    memory.take("b")
    (again,) = memory.take("a")
    assert again.place == "device"
    assert memory.happened.count("load a") == 1
    assert memory.residency.held("host") == []


def test_the_host_is_bounded_too() -> None:
    """What does not fit there either is forgotten, the oldest first."""
    memory = Memory(10, host_bytes=20)
    for name in "abcd":
        memory.take(name)
    assert memory.residency.held("host") == ["b", "c"]
    assert memory.residency.used_bytes("host") <= 20


def test_what_goes_is_gone_before_the_next_comes_though_it_holds_on_to_itself() -> None:
    """As networks do that are streamed, cached or kept in eight bits."""
    memory = Memory(10)
    (network,) = memory.take("a")
    network.hooked = network
    seen = weakref.ref(network)
    del network
    gc.disable()
    try:
        memory.take("b")
        assert seen() is None
    finally:
        gc.enable()


def test_room_for_work_is_kept_free() -> None:
    """A model that just fits cannot work."""
    memory = Memory(30)
    memory.take("a")
    memory.take("b", work=15)
    assert memory.residency.held("device") == ["b"]
    memory.take("a")
    memory.take("b", work=15)
    assert memory.residency.held("device") == ["b"]


def test_too_much_is_refused_and_nothing_is_lost_for_it() -> None:
    """What cannot fit at all does not empty the device first."""
    memory = Memory(30)
    memory.take("a")
    with pytest.raises(TooLarge) as refused:
        memory.take("b", "c", "d", work=1)
    assert (refused.value.need_bytes, refused.value.have_bytes) == (31, 30)
    assert memory.residency.held("device") == ["a"]


def test_what_waits_on_the_host_for_the_same_work_gives_way_to_nothing() -> None:
    """A network that is streamed from there is as much in use as one on the device."""
    memory = Memory(30, 20)
    memory.take("old", "older")
    memory.residency.take([*memory.wanted("streamed", size=15, place="host"), *memory.wanted("whole", size=25)])
    assert memory.residency.held("host") == ["streamed"]
    assert memory.residency.held("device") == ["whole"]


def test_what_has_grown_is_counted_as_large_as_it_is() -> None:
    """The next one makes room for itself by the sizes of today."""
    memory = Memory(30)
    (first,) = memory.take("first")
    memory.take("second")
    first.size_bytes = 20
    memory.residency.measure([first])
    assert memory.residency.used_bytes("device") == 30
    memory.take("third")
    assert memory.residency.held("device") == ["second", "third"]
