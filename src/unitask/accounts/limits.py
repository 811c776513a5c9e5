"""What an account or a key may do: a document on the plan, the account and the key, all of the same form."""

from functools import lru_cache
from ipaddress import ip_address
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork

from unitask.spec.product import is_named

_Count = Annotated[int, Field(ge=0, le=10**9)]
_Name = Annotated[str, Field(max_length=200)]
_MOST = 1000


class Limits(BaseModel):
    """Absent means: no limit. `concurrent_tasks` counts tasks that are pending or processing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    concurrent_tasks: _Count | None = Field(default=None, description="Pending and processing tasks at the same time.")
    family_tasks: dict[_Name, _Count] = Field(
        default={}, max_length=_MOST, description="The same for one model family, by its name."
    )
    staged_tasks: _Count | None = Field(default=None, description="Tasks that may wait for a slot beyond those.")
    requests_per_minute: Annotated[int, Field(ge=1, le=10**9)] | None = Field(
        default=None, description="Requests a minute."
    )
    daily_points: _Count | None = Field(default=None, description="Points that tasks of one day (UTC) may cost.")
    models: tuple[_Name, ...] | None = Field(
        default=None,
        max_length=_MOST,
        description="Products that may be ordered, as patterns: `Qubico/flux*`, `Qubico/tts/zero-shot`.",
    )
    networks: tuple[IPvAnyNetwork, ...] | None = Field(
        default=None,
        max_length=_MOST,
        description="Addresses from which requests may come, as networks: `203.0.113.0/24`.",
    )

    def over(self, weaker: Self) -> Self:
        """Give limits in which what is set here wins over `weaker`."""
        changes = {name: getattr(self, name) for name in self.model_fields_set if getattr(self, name) is not None}
        if "family_tasks" in changes:
            changes["family_tasks"] = weaker.family_tasks | changes["family_tasks"]
        return weaker.model_copy(update=changes)

    def allow_product(self, model: str, task_type: str) -> bool:
        """Whether a product may be ordered."""
        return self.models is None or any(is_named(f"{model}/{task_type}", pattern) for pattern in self.models)

    def allow_address(self, address: str) -> bool:
        """Whether a request may come from this address."""
        if self.networks is None:
            return True
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        ip = getattr(ip, "ipv4_mapped", None) or ip
        return any(ip.version == network.version and ip in network for network in self.networks)


NO_LIMITS = Limits()


@lru_cache(maxsize=4096)
def parse(document: str) -> Limits:
    """Read limits as they are stored."""
    return NO_LIMITS if document == "{}" else Limits.model_validate_json(document)


@lru_cache(maxsize=4096)
def joined(account: str, plan: str) -> Limits:
    """Read the limits of an account: its own, and those of its plan where it has none."""
    return parse(account).over(parse(plan))


class Slots:
    """Counts an account's active tasks in all, by family, by key, and by both: `flux`, `#7`, `#7/flux`.

    Staged tasks are counted under `~#7/flux`: a new task goes behind those of its own key and family.
    """

    def __init__(self, in_all: int, counts: dict[str, int]) -> None:
        self.in_all = in_all
        self._counts = dict(counts)

    def free(self, account: Limits, key: Limits, *, key_id: int, family: str) -> bool:
        """Whether one more task may run now, by the limits of the account and of the key."""
        of_family, of_key, of_both = counters(key_id, family)
        return not (
            _reached(self.in_all, account.concurrent_tasks)
            or _reached(self._count(of_family), account.family_tasks.get(family))
            or _reached(self._count(of_key), key.concurrent_tasks)
            or _reached(self._count(of_both), key.family_tasks.get(family))
        )

    def waiting(self, key_id: int, family: str) -> bool:
        """Whether tasks of this key and family are staged."""
        return self._count(staged_counter(key_id, family)) > 0

    def staged_of(self, key_id: int) -> int:
        """Count the staged tasks of a key, of all families."""
        return sum(number for name, number in self._counts.items() if name.startswith(staged_counter(key_id, "")))

    def wait(self, key_id: int, family: str) -> None:
        """Count a task that is staged."""
        self._add(staged_counter(key_id, family))

    def take(self, *, key_id: int, family: str) -> None:
        """Count a task that takes a slot."""
        self.in_all += 1
        for name in counters(key_id, family):
            self._add(name)

    def _count(self, name: str) -> int:
        return self._counts.get(name, 0)

    def _add(self, name: str) -> None:
        self._counts[name] = self._counts.get(name, 0) + 1


def _reached(number: int, limit: int | None) -> bool:
    return limit is not None and number >= limit


def counters(key_id: int, family: str) -> tuple[str, str, str]:
    """Name the counters on which one task counts, beside the one of the whole account."""
    return family, f"#{key_id}", f"#{key_id}/{family}"


def staged_counter(key_id: int, family: str) -> str:
    """Name the counter of staged tasks of a key and a family."""
    return f"~#{key_id}/{family}"
