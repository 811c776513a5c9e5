"""Which loaded things stay in memory: the least recently used go first. Knows nothing of what they are."""

import gc
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Place = Literal["device", "host"]


class TooLarge(Exception):
    """What is wanted together does not fit, whatever else goes. `need_bytes` and `have_bytes` say how far."""

    def __init__(self, need_bytes: int, have_bytes: int) -> None:
        super().__init__(f"{need_bytes} bytes are needed, {have_bytes} there")
        self.need_bytes = need_bytes
        self.have_bytes = have_bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something to have in a place. `load` brings it to the host; `size_bytes` may be an estimate until then."""

    key: Hashable
    size_bytes: int
    load: Callable[[], Any]
    place: Place = "device"


@dataclass(slots=True)
class _Kept:
    thing: Any
    size_bytes: int
    place: Place


class Residency:
    """Keeps things on the device within `device_bytes`, and what had to leave it on the host within `host_bytes`.

    `move(thing, place)` carries one over; `size(thing)` measures it.
    """

    def __init__(
        self,
        *,
        device_bytes: int,
        host_bytes: int,
        move: Callable[[Any, Place], None],
        size: Callable[[Any], int],
    ) -> None:
        self._limits: dict[Place, int] = {"device": device_bytes, "host": host_bytes}
        self._move = move
        self._size = size
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    def held(self, place: Place) -> list[Hashable]:
        """List what lies in a place, the least recently used first."""
        return [key for key, kept in self._kept.items() if kept.place == place]

    def used_bytes(self, place: Place) -> int:
        """Count what lies in a place."""
        return sum(kept.size_bytes for kept in self._kept.values() if kept.place == place)

    def take(self, wanted: Sequence[Wanted], *, work_bytes: int = 0) -> list[Any]:
        """Have all of these at once, each in its place, with room on the device for work beside them.

        Raises:
            TooLarge: not even alone; nothing was changed.

        """
        sizes = {one.key: self._known_size(one) for one in wanted}
        for place, limit in self._limits.items():
            need = sum(sizes[one.key] for one in wanted if one.place == place)
            need += work_bytes if place == "device" else 0
            if need > limit:
                raise TooLarge(need, limit)
        for one in wanted:
            self._bring(one, sizes)
        self._make_room(work_bytes, "device", set(sizes))
        return [self._kept[one.key].thing for one in wanted]

    def measure(self, things: Iterable[Any]) -> None:
        """Learn how large things are by now: what is laid over a network makes it larger."""
        grown = {id(thing) for thing in things}
        for kept in self._kept.values():
            if id(kept.thing) in grown:
                kept.size_bytes = self._size(kept.thing)

    def drop(self, keys: Sequence[Hashable] | None = None) -> None:
        """Forget some things, or all."""
        for key in list(self._kept) if keys is None else keys:
            self._kept.pop(key, None)

    def _known_size(self, one: Wanted) -> int:
        kept = self._kept.get(one.key)
        return kept.size_bytes if kept else one.size_bytes

    def _bring(self, one: Wanted, together: dict[Hashable, int]) -> None:
        kept, place = self._kept.get(one.key), one.place
        if kept is None or kept.place != place:
            self._make_room(together[one.key], place, set(together))
        if kept is None:
            thing = one.load()
            kept = self._kept[one.key] = _Kept(thing, self._size(thing), "host")
            if place == "device":
                self._move(thing, place)
        elif kept.place != place:
            self._move(kept.thing, place)
        kept.place = place
        self._kept.move_to_end(one.key)

    def _make_room(self, more_bytes: int, place: Place, spared: set[Hashable]) -> None:
        for key in self.held(place):
            if self.used_bytes(place) + more_bytes <= self._limits[place]:
                return
            if key not in spared:
                self._evict(key, place, spared)

    def _evict(self, key: Hashable, place: Place, spared: set[Hashable]) -> None:
        kept = self._kept[key]
        if place == "device" and kept.size_bytes <= self._limits["host"]:
            self._make_room(kept.size_bytes, "host", {key, *spared})
            if self.used_bytes("host") + kept.size_bytes <= self._limits["host"]:
                self._move(kept.thing, "host")
                kept.place = "host"
                return
        del self._kept[key], kept
        gc.collect()  # a network and what was hooked into it hold on to each other
