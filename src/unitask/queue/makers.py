"""Who makes what: what the workers of an installation say of themselves, kept in memory and looked up every second.

A worker counts for ten minutes after it was last seen, so that orders are taken while it is started anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from unitask.kit.clock import SECOND_US
from unitask.queue.model import Offer

REMEMBERED_US: Final = 600 * SECOND_US


@dataclass(frozen=True, slots=True)
class Makes:
    """What a worker said at a moment; `offers` None: it has never said what it makes."""

    worker_id: str
    announced_at: int
    offers: frozenset[Offer] | None


class Makers:
    """The workers that count at present."""

    def __init__(self) -> None:
        self._workers: dict[str, Makes] = {}
        self._pairs: dict[str, frozenset[tuple[str, str]]] = {}
        self._offers: frozenset[Offer] = frozenset()
        self._promised: frozenset[Offer] = frozenset()
        self._alive: frozenset[str] = frozenset()

    def knows(self, worker_id: str) -> bool:
        """Whether a worker has been seen."""
        return worker_id in self._workers

    def pairs(self, worker_id: str) -> frozenset[tuple[str, str]] | None:
        """List product and engine of what a worker makes; None where it has not said."""
        return self._pairs.get(worker_id)

    @property
    def offers(self) -> frozenset[Offer]:
        """All that somebody makes, or is started to make; nothing where nobody has said."""
        return self._offers | self._promised if self._promised else self._offers

    @property
    def living(self) -> frozenset[Offer]:
        """All that somebody makes whose lease runs, or is started to make."""
        makers = (one for name, one in self._workers.items() if name in self._alive and one.offers is not None)
        return frozenset(self._promised).union(*(one.offers or () for one in makers))

    def live(self, worker_ids: Iterable[str]) -> None:
        """Hear whose leases run."""
        self._alive = frozenset(worker_ids)

    def promise(self, offers: Iterable[Offer]) -> None:
        """Hear what workers would make that are started when they are needed."""
        self._promised = frozenset(offers)

    def news(self, announced: Mapping[str, int]) -> list[str]:
        """Forget the workers that are not listed; name those that said something since they were looked up."""
        gone = self._workers.keys() - announced.keys()
        if gone:
            self._workers = {name: makes for name, makes in self._workers.items() if name not in gone}
            self._count()
        return [
            name
            for name, at in announced.items()
            if name not in self._workers or self._workers[name].announced_at != at
        ]

    def learn(self, makes: Iterable[Makes]) -> None:
        """Hear what workers make."""
        self._workers |= {one.worker_id: one for one in makes}
        self._count()

    def _count(self) -> None:
        offers = {name: one.offers for name, one in self._workers.items() if one.offers is not None}
        self._pairs = {name: frozenset((one.product, one.engine) for one in made) for name, made in offers.items()}
        self._offers = frozenset().union(*offers.values())
